//! The lobby and calls, engine and all, in one process over loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lets_meet::av::spec;
use lets_meet::config::Profile;
use lets_meet::endpoint;
use lets_meet::engine::{self, Handle, LobbyConfig, MediaConfig};
use lets_meet::framing::Message;
use lets_meet::id::{CallId, Instance, LinkKey, PeerId, RoomName};
use lets_meet::identity::Identity;
use lets_meet::media;
use lets_meet::meeting::calls::{CAPABILITY, Rules};
use lets_meet::meeting::{Accept, CallEnd, Command, Done, Event, FileStage, Settings, Trust, WarningCode, wire};
use lets_meet::mesh::{self, Visibility};
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

/// A peer that speaks the protocol by hand.
struct Hand {
    mesh: mesh::Handle,
    events: tokio::sync::mpsc::Receiver<mesh::Event>,
    scope: lets_meet::task::Scope,
}

#[derive(Debug)]
struct NoMedia;

impl media::Sink for NoMedia {
    fn on_arrival(&self, _: PeerId, _: media::Arrival) {}
}

impl Hand {
    /// A fresh key, linked to `to`.
    async fn reach(to: &Peer) -> (Self, LinkKey) {
        let identity = Arc::new(Identity::generate());
        let config = endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] };
        let endpoint = endpoint::Endpoint::bind(config, Arc::clone(&identity)).expect("bound");
        let scope = lets_meet::task::Scope::new();
        let config = mesh::Config {
            identity,
            instance: Instance::draw(),
            name: DisplayName::new("Mallory"),
            room: None,
            seats: 2,
            capabilities: vec![CAPABILITY.to_owned()],
            seed: 1,
            visibility: Visibility::Hidden,
        };
        let (mesh, mut events) = mesh::start(config, endpoint, Arc::new(NoMedia), &scope);
        mesh.reach(to.id, vec![to.address]);
        let linked = async {
            loop {
                match events.recv().await {
                    Some(mesh::Event::Linked(linked)) => return linked.key,
                    Some(_) => {}
                    None => panic!("the mesh ended"),
                }
            }
        };
        let key = tokio::time::timeout(LIMIT, linked).await.expect("linked in time");
        (Self { mesh, events, scope }, key)
    }

    fn ring(&self, to: LinkKey, call: u64) {
        let room = RoomName::new("trap").expect("valid");
        let ring = wire::Ring { call: CallId::from_u64(call), room, meeting: false };
        // A full queue is a ring less.
        let _ = self.mesh.send(to, Message::new(wire::RING, &ring));
    }

    /// What was said to it, until the link ends or nothing more is due: `busy` and the like.
    async fn heard(&mut self, kind: u16) -> Message {
        let heard = async {
            loop {
                match self.events.recv().await {
                    Some(mesh::Event::Message { message, .. }) if message.kind == kind => return message,
                    Some(_) => {}
                    None => panic!("the mesh ended"),
                }
            }
        };
        tokio::time::timeout(LIMIT, heard).await.expect("heard in time")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_rings_are_bounded() {
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::lobby(lobby_config(folder.path(), "Ada", &[])).await;
    let (mut mallory, to) = Hand::reach(&ada).await;
    let rubbish = Message { kind: wire::RING, body: vec![0xff; 64].into() };
    mallory.mesh.send(to, rubbish).expect("sent");
    mallory.ring(to, 1);
    let is_ring = |event: &Event| matches!(event, Event::Ring { .. });
    let Event::Ring { call, from, trust, .. } = wait(&ada.handle, "ring", is_ring).await else { unreachable!() };
    assert_eq!((call, from.name.as_str(), trust), (CallId::from_u64(1), "Mallory", Trust::New));
    // What rings on top of it is busy a few times, then not heard at all.
    for call in 2..500 {
        mallory.ring(to, call);
    }
    let answer: wire::RingAnswer = mallory.heard(wire::RING_ANSWER).await.decode().expect("readable");
    assert_eq!(answer.word, wire::BUSY);
    let flood = |event: &Event| matches!(event, Event::Warning(warning) if warning.code == WarningCode::Flood);
    wait(&ada.handle, "warning", flood).await;
    // A word that is answered shows that all rings before it were read.
    let take = wire::RingEnd { call, word: wire::CANCELLED.to_owned() };
    mallory.mesh.send(to, Message::new(wire::RING_END, &take)).expect("sent");
    assert_eq!(ada.ended(call).await.0, CallEnd::Cancelled);
    for call in 500..600 {
        mallory.ring(to, call);
    }
    // Somebody else is heard meanwhile.
    let bo = Peer::lobby(lobby_config(folder.path(), "Bo", &[ada.address])).await;
    tokio::join!(bo.sees(&ada), ada.sees(&bo));
    let honest = bo.call(&ada).await;
    let mut rings = Vec::new();
    wait(&ada.handle, "ring of Bo", |event| {
        if let Event::Ring { call, .. } = event {
            rings.push(*call);
        }
        rings.contains(&honest)
    })
    .await;
    assert_eq!(rings, [honest], "nothing of Mallory's rang again");
    tokio::join!(ada.handle.leave(), bo.handle.leave());
    mallory.scope.finish(Duration::from_secs(3)).await;
}

#[test]
fn a_caller_that_dies_rings_no_more() {
    let folder = tempfile::tempdir().expect("folder");
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let (here, there) = (runtime().expect("threads"), runtime().expect("threads"));
    let ada = here.block_on(Peer::lobby(lobby_config(folder.path(), "Ada", &[])));
    let mallory = there.block_on(async {
        let (mallory, to) = Hand::reach(&ada).await;
        mallory.ring(to, 7);
        mallory
    });
    let call = CallId::from_u64(7);
    here.block_on(ada.rings(call));
    // Everything of it stops at once, as if the power went.
    there.shutdown_background();
    let (reason, _) = here.block_on(ada.ended(call));
    assert_eq!(reason, CallEnd::Cancelled);
    drop(mallory);
    here.block_on(ada.handle.leave());
}
