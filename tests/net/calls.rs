//! The lobby and calls, engine and all, in one process over loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lets_meet::av::spec;
use lets_meet::config::Profile;
use lets_meet::endpoint;
use lets_meet::engine::{self, Handle, LobbyConfig, MediaConfig};
use lets_meet::id::{CallId, PeerId, RoomName};
use lets_meet::identity::Identity;
use lets_meet::meeting::calls::Rules;
use lets_meet::meeting::{Accept, CallEnd, Command, Done, Event, FileStage, Settings};
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
    let sent =
        ada.handle.command(Command::SendFile { path: file, to: vec![bo.id.to_string()] }).await.expect("offered");
    assert!(matches!(sent, Done::Offered(offers) if offers.len() == 1));
    let is_done = |event: &Event| matches!(event, Event::File(file) if matches!(file.stage, FileStage::Done { .. }));
    tokio::join!(wait(&ada.handle, "sent", is_done), wait(&bo.handle, "received", is_done));

    ada.handle.leave().await;
    let gone = |event: &Event| matches!(event, Event::Nearby(nearby) if nearby.people.iter().all(|near| near.person.peer != ada.id));
    wait(&bo.handle, "nobody nearby", gone).await;
    bo.handle.leave().await;
}

/// Ada and Bo in the lobby, who see each other by Bo's typed address only.
async fn two_in_the_lobby(folder: &Path, rules: Rules) -> (Peer, Peer) {
    let mut config = lobby_config(folder, "Ada", &[]);
    config.settings.calls = rules;
    let ada = Peer::lobby(config).await;
    let mut config = lobby_config(folder, "Bo", &[ada.address]);
    config.settings.calls = rules;
    let bo = Peer::lobby(config).await;
    tokio::join!(ada.sees(&bo), bo.sees(&ada));
    (ada, bo)
}

impl Peer {
    async fn call(&self, who: &Self) -> CallId {
        match self.handle.command(Command::Call { who: who.id.to_string() }).await {
            Ok(Done::Calling(call)) => call,
            other => panic!("{other:?}"),
        }
    }

    async fn rings(&self, call: CallId) -> RoomName {
        let ring = |event: &Event| matches!(event, Event::Ring { call: other, .. } if *other == call);
        match wait(&self.handle, "ring", ring).await {
            Event::Ring { room, .. } => room,
            _ => unreachable!("waited for it"),
        }
    }

    async fn ended(&self, call: CallId) -> (CallEnd, Vec<(SocketAddr, Option<PeerId>)>) {
        let ended = |event: &Event| matches!(event, Event::CallEnded { call: other, .. } if *other == call);
        match wait(&self.handle, "call-ended", ended).await {
            Event::CallEnded { reason, connect, .. } => (reason, connect),
            _ => unreachable!("waited for it"),
        }
    }

    async fn decline(&self, call: CallId) {
        self.handle.command(Command::Decline(call)).await.expect("it rings");
    }
}

fn meeting_config(lobby: &LobbyConfig, room: RoomName, connect: Vec<(SocketAddr, Option<PeerId>)>) -> engine::Config {
    engine::Config {
        profile: lobby.profile.clone(),
        identity: Arc::clone(&lobby.identity),
        name: lobby.name.clone(),
        room,
        seats: 50,
        endpoint: lobby.endpoint.clone(),
        connect,
        visibility: lobby.visibility,
        rendezvous: None,
        media: MediaConfig {
            camera: spec::Camera::None,
            microphone: spec::Microphone::None,
            speaker: spec::Speaker::None,
            quality: spec::Quality::Auto,
            max_bitrate: None,
            dump_video: None,
            dump_audio: None,
        },
        settings: Settings::default(),
        download_dir: lobby.download_dir.clone(),
    }
}

async fn joined(handle: &Handle, id: PeerId) {
    wait(handle, "joined", |event| matches!(event, Event::Joined(person) if person.peer == id)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_from_the_lobby_that_is_answered_is_a_meeting_of_two() {
    let folder = tempfile::tempdir().expect("folder");
    let (ada, bo) = two_in_the_lobby(folder.path(), Rules::default()).await;
    let call = ada.call(&bo).await;
    let room = bo.rings(call).await;
    assert!(room.is_call());
    let answer = bo.handle.command(Command::Answer(call)).await;
    let Ok(Done::Answered { room: there, connect: to_ada }) = answer else { panic!("{answer:?}") };
    assert_eq!(there, room);
    let (reason, to_bo) = ada.ended(call).await;
    assert_eq!(reason, CallEnd::Answered);
    assert_eq!(bo.ended(call).await.0, CallEnd::Answered);
    assert!(to_bo.contains(&(bo.address, Some(bo.id))) && to_ada.contains(&(ada.address, Some(ada.id))));

    // Both leave the lobby and go there, on the ports that they had.
    let begin = lets_meet::clock::now();
    let (ada_config, bo_config) = (lobby_config(folder.path(), "Ada", &[]), lobby_config(folder.path(), "Bo", &[]));
    let (in_ada, in_bo) = tokio::join!(
        engine::enter(&ada.handle, meeting_config(&ada_config, room.clone(), to_bo)),
        engine::enter(&bo.handle, meeting_config(&bo_config, room, to_ada)),
    );
    let (in_ada, in_bo) = (in_ada.expect("started"), in_bo.expect("started"));
    assert_eq!((in_ada.port(), in_bo.port()), (ada.handle.port(), bo.handle.port()));
    let switched = begin.elapsed();
    tokio::join!(joined(&in_ada, bo.id), joined(&in_bo, ada.id));
    println!("both switched after {switched:?}, linked after {:?}", begin.elapsed());
    tokio::join!(in_ada.leave(), in_bo.leave());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_declined_taken_back_or_not_answered() {
    let folder = tempfile::tempdir().expect("folder");
    let (ada, bo) =
        two_in_the_lobby(folder.path(), Rules { ring_for: Duration::from_secs(2), ..Rules::default() }).await;
    let call = ada.call(&bo).await;
    bo.rings(call).await;
    bo.decline(call).await;
    assert_eq!((ada.ended(call).await.0, bo.ended(call).await.0), (CallEnd::Declined, CallEnd::Declined));
    let unknown = bo.handle.command(Command::Answer(call)).await.expect_err("it rings no more");
    assert_eq!(unknown.code.as_str(), "unknown-call");

    let call = ada.call(&bo).await;
    bo.rings(call).await;
    ada.decline(call).await;
    assert_eq!((ada.ended(call).await.0, bo.ended(call).await.0), (CallEnd::Cancelled, CallEnd::Cancelled));

    let call = bo.call(&ada).await;
    ada.rings(call).await;
    assert_eq!((ada.ended(call).await.0, bo.ended(call).await.0), (CallEnd::Timeout, CallEnd::Timeout));
    tokio::join!(ada.handle.leave(), bo.handle.leave());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_called_already_is_busy_and_a_caller_that_goes_rings_no_more() {
    let folder = tempfile::tempdir().expect("folder");
    let (ada, bo) = two_in_the_lobby(folder.path(), Rules::default()).await;
    let cleo = Peer::lobby(lobby_config(folder.path(), "Cleo", &[ada.address])).await;
    tokio::join!(cleo.sees(&ada), ada.sees(&cleo));
    let call = bo.call(&ada).await;
    ada.rings(call).await;
    let second = cleo.call(&ada).await;
    assert_eq!(cleo.ended(second).await.0, CallEnd::Busy);
    bo.handle.leave().await;
    assert_eq!(ada.ended(call).await.0, CallEnd::Cancelled);
    tokio::join!(ada.handle.leave(), cleo.handle.leave());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_from_a_meeting_brings_somebody_into_it() {
    let folder = tempfile::tempdir().expect("folder");
    // Who is in a meeting sees others by mDNS, here on the loopback interface alone.
    let open = |name: &str| LobbyConfig { visibility: Visibility::Open, ..lobby_config(folder.path(), name, &[]) };
    let bo_config = open("Bo");
    let bo = Peer::lobby(bo_config.clone()).await;
    let ada_config = open("Ada");
    let ada_id = ada_config.identity.peer_id();
    let room = RoomName::new("calls test").expect("valid");
    let meeting = engine::start(meeting_config(&ada_config, room.clone(), Vec::new())).await.expect("started");
    let sees = |id: PeerId| move |event: &Event| matches!(event, Event::Nearby(nearby) if nearby.people.iter().any(|near| near.person.peer == id));
    tokio::join!(wait(&meeting, "nearby", sees(bo.id)), async {
        let event = wait(&bo.handle, "nearby", sees(ada_id)).await;
        let Event::Nearby(nearby) = event else { unreachable!("waited for it") };
        assert!(nearby.meetings.iter().any(|near| near.room == room));
    });
    let calling = meeting.command(Command::Call { who: bo.id.to_string() }).await;
    let Ok(Done::Calling(call)) = calling else { panic!("{calling:?}") };
    assert_eq!(bo.rings(call).await, room);
    let answer = bo.handle.command(Command::Answer(call)).await;
    let Ok(Done::Answered { room: there, connect }) = answer else { panic!("{answer:?}") };
    let in_bo = engine::enter(&bo.handle, meeting_config(&bo_config, there, connect)).await.expect("started");
    tokio::join!(joined(&meeting, bo.id), joined(&in_bo, ada_id));
    let again = meeting.command(Command::Call { who: bo.id.to_string() }).await.expect_err("sits here");
    assert_eq!(again.code.as_str(), "already-here");
    tokio::join!(meeting.leave(), in_bo.leave());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_silenced_where_that_is_wanted() {
    let folder = tempfile::tempdir().expect("folder");
    let rules = Rules { silence_unknown: true, ring_for: Duration::from_secs(1) };
    let (ada, bo) = two_in_the_lobby(folder.path(), rules).await;
    let call = ada.call(&bo).await;
    assert_eq!(ada.ended(call).await.0, CallEnd::Timeout);
    bo.handle.leave().await;
    while let Some(event) = bo.handle.event().await {
        assert!(!matches!(event, Event::Ring { .. } | Event::CallEnded { .. }), "{event:?}");
    }
    ada.handle.leave().await;
}
