//! Keys that bear the name of somebody verified: whole meetings in one process over loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lets_meet::av::spec;
use lets_meet::config::Profile;
use lets_meet::endpoint;
use lets_meet::engine::{self, Handle, LobbyConfig, MediaConfig};
use lets_meet::id::{PeerId, RoomName};
use lets_meet::identity::Identity;
use lets_meet::known::Store;
use lets_meet::known::trust::{Alias, Edit};
use lets_meet::meeting::{Accept, Code, Command, Done, Event, FileStage, Settings, Trust, WarningCode};
use lets_meet::mesh::Visibility;
use lets_meet::share::DisplayName;
use lets_meet::stats::Kinds;

/// Longest wait for one fact. Loopback needs milliseconds; a busy machine more, and a voice starts late there.
const LIMIT: Duration = Duration::from_secs(60);

struct Peer {
    handle: Handle,
    address: SocketAddr,
    id: PeerId,
}

/// Whether somebody shows and says something.
#[derive(Clone, Copy, PartialEq)]
enum Shows {
    Something,
    Nothing,
}

impl Peer {
    /// A person whose profile is `folder`/`profile`, called `name`.
    async fn start(folder: &Path, profile: &str, name: &str, connect: &[SocketAddr], shows: Shows) -> Self {
        let dir = folder.join(profile);
        let profile = Profile::open(Some(dir.clone())).expect("profile");
        let identity = Arc::new(Identity::load_or_create(profile.dir()).expect("identity"));
        let (camera, microphone) = match shows {
            Shows::Something => ("testcard:160x90@10".parse().expect("a camera"), spec::Microphone::Tone),
            Shows::Nothing => (spec::Camera::None, spec::Microphone::None),
        };
        let config = engine::Config {
            profile,
            identity: Arc::clone(&identity),
            name: DisplayName::new(name),
            room: RoomName::new("trust test").expect("valid"),
            seats: 50,
            endpoint: endpoint::Config { port: None, interfaces: vec!["lo".to_owned()] },
            connect: connect.iter().map(|address| (*address, None)).collect(),
            visibility: Visibility::Hidden,
            rendezvous: None,
            media: MediaConfig {
                muted: false,
                camera,
                microphone,
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
            download_dir: dir.join("downloads"),
        };
        let handle = engine::start(config).await.expect("started");
        let mut peer = Self { handle, address: ([127, 0, 0, 1], 0).into(), id: identity.peer_id() };
        let Event::Ready { listen, .. } = peer.wait("ready", |event| matches!(event, Event::Ready { .. })).await else {
            unreachable!("waited for it");
        };
        peer.address = *listen.iter().find(|address| address.is_ipv4()).expect("an IPv4 address");
        peer
    }

    /// The same in the lobby.
    async fn lobby(folder: &Path, profile: &str, name: &str, connect: &[SocketAddr]) -> Self {
        let dir = folder.join(profile);
        let profile = Profile::open(Some(dir.clone())).expect("profile");
        let identity = Arc::new(Identity::load_or_create(profile.dir()).expect("identity"));
        let config = LobbyConfig {
            profile,
            identity: Arc::clone(&identity),
            name: DisplayName::new(name),
            endpoint: endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] },
            connect: connect.iter().map(|address| (*address, None)).collect(),
            visibility: Visibility::Hidden,
            rendezvous: None,
            settings: Settings { files: Accept::All, ..Settings::default() },
            download_dir: dir.join("downloads"),
        };
        let handle = engine::lobby(config).await.expect("started");
        let mut peer = Self { handle, address: ([127, 0, 0, 1], 0).into(), id: identity.peer_id() };
        let Event::Lobby { listen, .. } = peer.wait("lobby", |event| matches!(event, Event::Lobby { .. })).await else {
            unreachable!("waited for it");
        };
        peer.address = *listen.iter().find(|address| address.is_ipv4()).expect("an IPv4 address");
        peer
    }

    /// The next event that `wanted` accepts, after those that `seen` is shown.
    async fn watch(&self, what: &str, mut seen: impl FnMut(&Event), mut wanted: impl FnMut(&Event) -> bool) -> Event {
        let next = async {
            loop {
                let event = self.handle.event().await.expect("still running");
                if wanted(&event) {
                    return event;
                }
                seen(&event);
            }
        };
        tokio::time::timeout(LIMIT, next).await.unwrap_or_else(|_| panic!("no {what} within {LIMIT:?}"))
    }

    async fn wait(&self, what: &str, wanted: impl FnMut(&Event) -> bool) -> Event {
        self.watch(what, |_| {}, wanted).await
    }

    async fn trusts(&self, other: &Self, expect: Trust) {
        let said = |event: &Event| matches!(event, Event::Trust { person, trust } if person.peer == other.id && *trust == expect);
        self.wait(&format!("word that it is {}", expect.as_str()), said).await;
    }

    async fn code(&self, command: Command) -> Option<Code> {
        self.handle.command(command).await.err().map(|failure| failure.code)
    }
}

fn say(text: &str, to: &[PeerId]) -> Command {
    Command::Say { text: text.into(), to: to.iter().map(ToString::to_string).collect() }
}

/// Writes into Ada's profile that she verified somebody called Bo.
fn verified_bo(folder: &Path) {
    let aliases = vec![Alias::Name(DisplayName::new("Bo"))];
    let edit = Edit::Verified { peer: Identity::generate().peer_id(), at: 1, aliases };
    Store::open(&folder.join("ada")).expect("store").decide(&edit).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_line_nor_media_nor_file_reaches_a_changed_key_before_it_is_accepted() {
    let folder = tempfile::tempdir().expect("folder");
    verified_bo(folder.path());
    let ada = Peer::start(folder.path(), "ada", "Ada", &[], Shows::Something).await;
    let eve = Peer::start(folder.path(), "eve", "Bo", &[ada.address], Shows::Nothing).await;
    ada.trusts(&eve, Trust::Changed).await;
    let warned = |event: &Event| matches!(event, Event::Warning(warning) if warning.code == WarningCode::VerifiedKeyChanged && warning.person.as_ref().is_some_and(|person| person.peer == eve.id));
    ada.wait("warning", warned).await;

    let file = folder.path().join("plan.txt");
    std::fs::write(&file, "for the real Bo").expect("written");
    ada.handle.command(say("for the room", &[])).await.expect("said");
    assert_eq!(ada.code(say("for Bo", &[eve.id])).await, Some(Code::VerifiedKeyChanged));
    let send = |to: &[PeerId]| {
        let to = to.iter().map(ToString::to_string).collect();
        Command::SendFile { path: file.clone(), to }
    };
    assert_eq!(ada.code(send(&[eve.id])).await, Some(Code::VerifiedKeyChanged));
    assert_eq!(ada.code(send(&[])).await, Some(Code::VerifiedKeyChanged));
    // Eve wants to see, and speaks.
    eve.handle.command(say("it is me", &[])).await.expect("said");

    // Five seconds of Eve's figures, and all that happens to her meanwhile.
    let mut nothing = Vec::new();
    for _ in 0..5 {
        let note = |event: &Event| {
            let harmless =
                matches!(event, Event::Joined(_) | Event::Trust { .. } | Event::Sighted { .. } | Event::Nearby(_));
            if !harmless {
                nothing.push(format!("{event:?}"));
            }
        };
        let event = eve.watch("figures", note, |event| matches!(event, Event::Stats(_))).await;
        let Event::Stats(stats) = event else { unreachable!("waited for it") };
        let Kinds { audio, video, chat, file, .. } = stats.rates.received;
        assert_eq!((audio, video, chat, file), (0, 0, 0, 0), "something of Ada reached Eve");
    }
    assert_eq!(nothing, Vec::<String>::new());
    let Ok(Done::State(state)) = ada.handle.command(Command::State).await else { panic!("no state") };
    assert_eq!(state.people.iter().map(|person| person.trust).collect::<Vec<_>>(), [Trust::Changed]);

    // From the decision on she is like anybody who comes late.
    ada.handle.command(Command::TrustChanged { peer: eve.id.to_string() }).await.expect("accepted");
    let mut tracks = Vec::new();
    let note = |event: &Event| {
        if let Event::Track { info, .. } = event {
            tracks.push(info.kind.name());
        }
    };
    let event = eve.watch("line", note, |event| matches!(event, Event::Chat { .. })).await;
    assert!(matches!(event, Event::Chat { text, late: true, .. } if text.as_str() == "for the room"));
    #[cfg(feature = "media")]
    {
        assert_eq!(tracks, ["camera", "microphone"]);
        let flows = |event: &Event| matches!(event, Event::Stats(stats) if stats.rates.received.audio > 0 && stats.rates.received.video > 0);
        eve.wait("voice and picture", flows).await;
    }
    let heard = |event: &Event| matches!(event, Event::Chat { text, .. } if text.as_str() == "it is me");
    ada.wait("what she said meanwhile", heard).await;
    ada.handle.command(send(&[eve.id])).await.expect("offered");
    let done = |event: &Event| matches!(event, Event::File(file) if matches!(file.stage, FileStage::Done { .. }));
    eve.wait("file", done).await;

    // The decision outlives the run.
    ada.handle.leave().await;
    eve.handle.leave().await;
    let ada = Peer::start(folder.path(), "ada", "Ada", &[], Shows::Nothing).await;
    let eve = Peer::start(folder.path(), "eve", "Bo", &[ada.address], Shows::Nothing).await;
    ada.trusts(&eve, Trust::Known).await;
    ada.handle.leave().await;
    eve.handle.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_who_takes_a_verified_name_gets_nothing_more() {
    let folder = tempfile::tempdir().expect("folder");
    verified_bo(folder.path());
    let ada = Peer::start(folder.path(), "ada", "Ada", &[], Shows::Something).await;
    let eve = Peer::start(folder.path(), "eve", "Eve", &[ada.address], Shows::Nothing).await;
    ada.trusts(&eve, Trust::New).await;
    let chat = |event: &Event| matches!(event, Event::Stats(stats) if stats.rates.received.control > 0 && stats.rates.received.chat > 0);
    ada.handle.command(say("hello Eve", &[])).await.expect("said");
    eve.wait("line", chat).await;
    // Something big is on its way to her, too.
    let file = folder.path().join("big");
    std::fs::File::create(&file).and_then(|file| file.set_len(1 << 30)).expect("a sparse file");
    ada.handle.command(Command::SendFile { path: file, to: vec!["Eve".into()] }).await.expect("offered");
    let flows = |event: &Event| matches!(event, Event::File(file) if matches!(file.stage, FileStage::Progress { done, .. } if done > 0));
    eve.wait("bytes", flows).await;

    eve.handle.command(Command::Rename("\u{412}o".into())).await.expect("renamed, with a Cyrillic letter");
    ada.trusts(&eve, Trust::Changed).await;
    let ended = |event: &Event| matches!(event, Event::File(file) if matches!(file.stage, FileStage::Failed { .. }));
    eve.wait("end of the file", ended).await;
    ada.handle.command(say("not for Eve", &[])).await.expect("said");
    // What was on its way may still come; then nothing does.
    let silent = |event: &Event| matches!(event, Event::Stats(stats) if { let Kinds { audio, video, chat, file, .. } = stats.rates.received; audio + video + chat + file == 0 });
    let line = |event: &Event| assert!(!matches!(event, Event::Chat { text, .. } if text.as_str() == "not for Eve"));
    for _ in 0..3 {
        eve.watch("silence", line, silent).await;
    }
    ada.handle.leave().await;
    eve.handle.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_compare_their_words_are_verified_for_each_other() {
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::start(folder.path(), "ada", "Ada", &[], Shows::Nothing).await;
    let bo = Peer::start(folder.path(), "bo", "Bo", &[ada.address], Shows::Nothing).await;
    tokio::join!(ada.trusts(&bo, Trust::New), bo.trusts(&ada, Trust::New));
    let words = |peer: &str| Command::Words { peer: peer.into() };
    let (one, other) = tokio::join!(ada.handle.command(words("Bo")), bo.handle.command(words("Ada")));
    assert!(matches!((&one, &other), (Ok(Done::Words(one)), Ok(Done::Words(other))) if one == other));
    assert_eq!(ada.handle.command(Command::Verify { peer: "bo".into() }).await, one);
    ada.trusts(&bo, Trust::Verified).await;
    ada.handle.leave().await;
    bo.handle.leave().await;
    let ada = Peer::start(folder.path(), "ada", "Ada", &[], Shows::Nothing).await;
    let Ok(Done::KnownPeople(people)) = ada.handle.command(Command::KnownPeople).await else { panic!("no list") };
    assert_eq!(
        people.iter().map(|known| (known.person.peer, known.trust)).collect::<Vec<_>>(),
        [(bo.id, Trust::Verified)]
    );
    ada.handle.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_lobby_no_file_passes_either_way_before_a_changed_key_is_accepted() {
    let folder = tempfile::tempdir().expect("folder");
    verified_bo(folder.path());
    let ada = Peer::lobby(folder.path(), "ada", "Ada", &[]).await;
    let eve = Peer::lobby(folder.path(), "eve", "Bo", &[ada.address]).await;
    let warned =
        |event: &Event| matches!(event, Event::Warning(warning) if warning.code == WarningCode::VerifiedKeyChanged);
    ada.wait("warning", warned).await;
    let file = folder.path().join("gift");
    std::fs::write(&file, "from Eve").expect("written");
    let send = |to: PeerId| Command::SendFile { path: file.clone(), to: vec![to.to_string()] };
    assert_eq!(ada.code(send(eve.id)).await, Some(Code::VerifiedKeyChanged));
    assert_eq!(ada.code(Command::Call { who: eve.id.to_string() }).await, Some(Code::VerifiedKeyChanged));
    let sees = |event: &Event| matches!(event, Event::Nearby(nearby) if nearby.people.iter().any(|near| near.person.peer == ada.id));
    eve.wait("Ada in sight", sees).await;
    eve.handle.command(send(ada.id)).await.expect("offered");
    let offered = |event: &Event| matches!(event, Event::File(file) if file.stage == FileStage::Offer);
    eve.wait("her own offer", offered).await;
    // Her offer was heard before this is, and not shown.
    let renamed = |event: &Event| matches!(event, Event::Nearby(nearby) if nearby.people.iter().any(|near| near.person.name.as_str() == "Bob" && near.trust == Trust::Changed));
    eve.handle.command(Command::Rename("Bob".into())).await.expect("renamed");
    let quiet = |event: &Event| assert!(!matches!(event, Event::File(_)), "{event:?}");
    ada.watch("her new name", quiet, renamed).await;
    ada.handle.command(Command::TrustChanged { peer: eve.id.to_string() }).await.expect("accepted");
    // She offers again by herself.
    let done = |event: &Event| matches!(event, Event::File(file) if matches!(file.stage, FileStage::Done { .. }));
    ada.wait("her file", done).await;
    ada.handle.leave().await;
    eve.handle.leave().await;
}
