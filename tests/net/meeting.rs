//! Whole meetings in one process over loopback: engine, mesh, chat and drops together, found by typed addresses.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lets_meet::av::spec;
use lets_meet::config::Profile;
use lets_meet::engine::{self, Handle, MediaConfig};
use lets_meet::id::RoomName;
use lets_meet::identity::Identity;
use lets_meet::meeting::{Accept, Audience, Command, Done, Event, FileStage, LeftReason, Settings};
use lets_meet::mesh::Visibility;
use lets_meet::share::DisplayName;
use lets_meet::{endpoint, platform};

/// Longest wait for one fact. Loopback needs milliseconds; a busy machine more.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Somebody in a meeting on loopback.
pub struct Peer {
    pub handle: Handle,
    pub address: std::net::SocketAddr,
    pub id: lets_meet::id::PeerId,
}

/// What somebody of this name starts with.
pub fn config(folder: &Path, name: &str, connect: &[std::net::SocketAddr]) -> engine::Config {
    let profile = Profile::open(Some(folder.join(name))).expect("profile");
    let identity = Arc::new(Identity::load_or_create(profile.dir()).expect("identity"));
    engine::Config {
        profile,
        identity,
        name: DisplayName::new(name),
        room: RoomName::new("net test").expect("valid"),
        seats: 50,
        endpoint: endpoint::Config { port: None, interfaces: vec!["lo".to_owned()] },
        connect: connect.iter().map(|address| (*address, None)).collect(),
        visibility: Visibility::Hidden,
        rendezvous: None,
        media: MediaConfig {
            muted: false,
            camera: spec::Camera::None,
            microphone: spec::Microphone::None,
            speaker: spec::Speaker::None,
            screen: spec::Screen::None,
            screen_audio: Default::default(),
            quality: spec::Quality::Auto,
            voice: lets_meet::av::spec::voice::Wish::default(),
            max_bitrate: None,
            dump_video: None,
            dump_audio: None,
            lenient: false,
        },
        settings: Settings { files: Accept::All, ..Settings::default() },
        download_dir: folder.join(format!("{name}-downloads")),
    }
}

impl Peer {
    pub async fn start(folder: &Path, name: &str, connect: &[std::net::SocketAddr]) -> Self {
        Self::with(config(folder, name, connect)).await
    }

    pub async fn with(config: engine::Config) -> Self {
        let id = config.identity.peer_id();
        Self::of(engine::start(config).await.expect("started"), id).await
    }

    pub async fn of(handle: Handle, id: lets_meet::id::PeerId) -> Self {
        let mut peer = Self { handle, address: ([127, 0, 0, 1], 0).into(), id };
        let Event::Ready { listen, .. } = peer.wait("ready", |event| matches!(event, Event::Ready { .. })).await else {
            unreachable!("waited for it");
        };
        peer.address = *listen.iter().find(|address| address.is_ipv4()).expect("an IPv4 address");
        peer
    }

    /// The next event that `wanted` accepts.
    pub async fn wait(&self, what: &str, mut wanted: impl FnMut(&Event) -> bool) -> Event {
        let next = async {
            loop {
                let event = self.handle.event().await.expect("still running");
                if wanted(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(LIMIT, next).await.unwrap_or_else(|_| panic!("no {what} within {LIMIT:?}"))
    }

    pub async fn joined(&self, other: &Self) {
        self.wait("joined", |event| matches!(event, Event::Joined(person) if person.peer == other.id)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_meet_talk_drop_and_leave() {
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::start(folder.path(), "Ada", &[]).await;
    // Bo and Cleo know Ada's address only; they learn of each other through her.
    let bo = Peer::start(folder.path(), "Bo", &[ada.address]).await;
    let cleo = Peer::start(folder.path(), "Cleo", &[ada.address]).await;
    tokio::join!(ada.joined(&bo), bo.joined(&ada));
    tokio::join!(cleo.joined(&bo), bo.joined(&cleo));

    let say =
        |text: &str, to: &[&str]| Command::Say { text: text.into(), to: to.iter().map(|w| (*w).into()).collect() };
    let Ok(Done::Said(line)) = ada.handle.command(say("hello all", &[])).await else { panic!("not said") };
    for peer in [&bo, &cleo] {
        let event = peer.wait("chat", |event| matches!(event, Event::Chat { .. })).await;
        let Event::Chat { id, from, text, to, late, .. } = event else { unreachable!("waited for it") };
        assert_eq!((id, from.peer, text.as_str(), to, late), (line, ada.id, "hello all", Audience::Room, false));
    }
    let both = |event: &Event| matches!(event, Event::Delivered { id, to } if *id == line && to.len() == 2);
    ada.wait("delivered to both", both).await;

    let Ok(Done::Said(private)) = ada.handle.command(say("for Bo", &["bo"])).await else { panic!("not said") };
    bo.wait("private line", |event| matches!(event, Event::Chat { id, .. } if *id == private)).await;
    // Cleo gets a later line and has not seen the private one before it.
    ada.handle.command(say("after", &[])).await.expect("said");
    let next = cleo.wait("chat", |event| matches!(event, Event::Chat { .. })).await;
    assert!(matches!(next, Event::Chat { text, .. } if text.as_str() == "after"));

    let unknown = ada.handle.command(say("x", &["Nobody"])).await.expect_err("nobody of this name");
    assert_eq!(unknown.code.as_str(), "unknown-peer");

    let file = folder.path().join("gift.bin");
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&file, &content).expect("written");
    let sent = ada.handle.command(Command::SendFile { path: file, to: vec!["Cleo".into()] }).await.expect("offered");
    assert!(matches!(sent, Done::Offered(offers) if offers.len() == 1));
    let is_done = |event: &Event| matches!(event, Event::File(file) if matches!(file.stage, FileStage::Done { .. }));
    let (_, event) = tokio::join!(ada.wait("sent", is_done), cleo.wait("received", is_done));
    let Event::File(done) = event else { unreachable!("waited for it") };
    let FileStage::Done { path, blake3 } = done.stage else { unreachable!("waited for it") };
    assert_eq!(blake3, Some(*blake3::hash(&content).as_bytes()));
    assert_eq!(std::fs::read(path).expect("there"), content);

    let before = lets_meet::clock::now();
    ada.handle.leave().await;
    for peer in [&bo, &cleo] {
        let event =
            peer.wait("left", |event| matches!(event, Event::Left { person, .. } if person.peer == ada.id)).await;
        assert!(matches!(event, Event::Left { reason: LeftReason::Goodbye, .. }));
    }
    assert!(before.elapsed() < Duration::from_secs(3), "a clean leave took {:?}", before.elapsed());
    bo.handle.leave().await;
    cleo.handle.leave().await;
    assert!(platform::process().rss_bytes.is_none_or(|bytes| bytes < 500_000_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_conversation_is_written_to_disk() {
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::start(folder.path(), "Ada", &[]).await;
    let bo = Peer::start(folder.path(), "Bo", &[ada.address]).await;
    tokio::join!(ada.joined(&bo), bo.joined(&ada));
    let secret = "a sentence that must stay in memory 7391";
    ada.handle.command(Command::Say { text: secret.into(), to: Vec::new() }).await.expect("said");
    bo.wait("chat", |event| matches!(event, Event::Chat { .. })).await;
    ada.handle.leave().await;
    bo.handle.leave().await;
    let mut folders = vec![folder.path().to_owned()];
    let mut files = 0;
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
                let bytes = std::fs::read(&path).expect("readable");
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds a line of chat", path.display());
            }
        }
    }
    assert!(files >= 2, "both identities are on disk, so the search saw the profiles");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_address_without_an_answer_is_said() {
    let folder = tempfile::tempdir().expect("folder");
    // Bound and never read: whatever is sent there is not answered.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
    let address = silent.local_addr().expect("known");
    let ada = Peer::start(folder.path(), "Ada", &[address]).await;
    let said =
        |event: &Event| matches!(event, Event::Warning(warning) if warning.message.contains(&address.to_string()));
    ada.wait("warning", said).await;
    ada.handle.leave().await;
}
