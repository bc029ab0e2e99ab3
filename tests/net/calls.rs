//! The lobby and calls, engine and all, in one process over loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lets_meet::config::Profile;
use lets_meet::endpoint;
use lets_meet::engine::{self, Handle, LobbyConfig};
use lets_meet::id::PeerId;
use lets_meet::identity::Identity;
use lets_meet::meeting::{Accept, Command, Done, Event, FileStage, Settings};
use lets_meet::mesh::Visibility;
use lets_meet::share::DisplayName;

/// Longest wait for one fact. Loopback needs milliseconds; a busy machine more.
const LIMIT: Duration = Duration::from_secs(30);

struct Peer {
    handle: Handle,
    address: SocketAddr,
    id: PeerId,
}

fn lobby_config(folder: &Path, name: &str, connect: &[SocketAddr]) -> LobbyConfig {
    let profile = Profile::open(Some(folder.join(name))).expect("profile");
    let identity = Arc::new(Identity::load_or_create(profile.dir()).expect("identity"));
    LobbyConfig {
        profile,
        identity,
        name: DisplayName::new(name),
        endpoint: endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] },
        connect: connect.iter().map(|address| (*address, None)).collect(),
        visibility: Visibility::Hidden,
        rendezvous: None,
        settings: Settings { files: Accept::All, ..Settings::default() },
        download_dir: folder.join(format!("{name}-downloads")),
    }
}

/// The next event that `wanted` accepts.
async fn wait(handle: &Handle, what: &str, mut wanted: impl FnMut(&Event) -> bool) -> Event {
    let next = async {
        loop {
            let event = handle.event().await.unwrap_or_else(|| panic!("ended before {what}"));
            if wanted(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(LIMIT, next).await.unwrap_or_else(|_| panic!("no {what} within {LIMIT:?}"))
}

impl Peer {
    async fn lobby(config: LobbyConfig) -> Self {
        let id = config.identity.peer_id();
        let handle = engine::lobby(config).await.expect("started");
        let Event::Lobby { listen, .. } = wait(&handle, "lobby", |event| matches!(event, Event::Lobby { .. })).await
        else {
            unreachable!("waited for it");
        };
        let address = *listen.iter().find(|address| address.is_ipv4()).expect("an IPv4 address");
        Self { handle, address, id }
    }

    async fn sees(&self, other: &Self) {
        let seen = |event: &Event| matches!(event, Event::Nearby(nearby) if nearby.people.iter().any(|near| near.person.peer == other.id));
        wait(&self.handle, "nearby", seen).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lobby_shows_who_is_there_and_takes_files() {
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::lobby(lobby_config(folder.path(), "Ada", &[])).await;
    let bo = Peer::lobby(lobby_config(folder.path(), "Bo", &[ada.address])).await;
    tokio::join!(ada.sees(&bo), bo.sees(&ada));

    let Ok(Done::State(state)) = ada.handle.command(Command::State).await else { panic!("no state") };
    assert_eq!((state.me.peer, state.room), (ada.id, None));
    let say = Command::Say { text: "hi".into(), to: Vec::new() };
    assert_eq!(ada.handle.command(say).await.expect_err("no meeting").code.as_str(), "not-in-meeting");

    let file = folder.path().join("gift.bin");
    std::fs::write(&file, vec![7; 300_000]).expect("written");
    let sent = ada.handle.command(Command::SendFile { path: file, to: vec!["Bo".into()] }).await.expect("offered");
    assert!(matches!(sent, Done::Offered(offers) if offers.len() == 1));
    let is_done = |event: &Event| matches!(event, Event::File(file) if matches!(file.stage, FileStage::Done { .. }));
    tokio::join!(wait(&ada.handle, "sent", is_done), wait(&bo.handle, "received", is_done));

    ada.handle.leave().await;
    let gone = |event: &Event| matches!(event, Event::Nearby(nearby) if nearby.people.is_empty());
    wait(&bo.handle, "nobody nearby", gone).await;
    bo.handle.leave().await;
}
