//! Real links over loopback: dialing, pinning, versions, seats, messages, datagrams.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lets_meet::endpoint::{self, Cause, ConnectError, Endpoint};
use lets_meet::framing::Message;
use lets_meet::id::{Instance, PeerId, RoomName};
use lets_meet::identity::Identity;
use lets_meet::media::{self, Arrival, Packet, PacketKind, Priority, TrackId};
use lets_meet::mesh::{self, LeaveReason, Linked, Seat};
use lets_meet::share::DisplayName;
use lets_meet::sighting::{Sighting, Source};
use lets_meet::slot::Ring;
use lets_meet::tls::{Alpn, Pin};
use lets_meet::{clock, task};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

fn bind() -> (Endpoint, Arc<Identity>, SocketAddr) {
    let identity = Arc::new(Identity::generate());
    let config = endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] };
    let endpoint = Endpoint::bind(config, Arc::clone(&identity)).expect("bound");
    let address = (Ipv4Addr::LOCALHOST, endpoint.port()).into();
    (endpoint, identity, address)
}

#[tokio::test]
async fn both_sides_of_a_connection_know_the_others_key() {
    let (a, a_key, _) = bind();
    let (b, b_key, b_address) = bind();
    let mut incoming = b.accept(Alpn::Mesh);
    let dialed = a.connect(b_address, Pin::Exact(b_key.peer_id()), Alpn::Mesh).await.expect("connected");
    let accepted = incoming.recv().await.expect("accepted");
    assert_eq!(endpoint::public_key(&dialed), Some(b_key.public_key()));
    assert_eq!(endpoint::public_key(&accepted), Some(a_key.public_key()));
    assert_eq!(endpoint::canonical(dialed.remote_address()), b_address);
    a.close("").await;
    b.close("").await;
}

#[tokio::test]
async fn a_wrong_pin_ends_the_handshake() {
    let (a, _, _) = bind();
    let (b, _, b_address) = bind();
    let _incoming = b.accept(Alpn::Mesh);
    let pin = Pin::Exact(Identity::generate().peer_id());
    assert_eq!(a.connect(b_address, pin, Alpn::Mesh).await.err(), Some(ConnectError::WrongKey));
    a.close("").await;
    b.close("").await;
}

#[tokio::test]
async fn another_protocol_version_is_told_to_both_sides() {
    let (a, _, _) = bind();
    let (b, _, b_address) = bind();
    let _incoming = b.accept(Alpn::Mesh);
    let failed = a.connect_as(b_address, Pin::Learn, b"lets-meet/99").await;
    assert_eq!(failed.err(), Some(ConnectError::Version));
    let trouble = tokio::time::timeout(Duration::from_secs(5), b.troubles().recv()).await.expect("in time");
    assert_eq!(trouble.expect("open").cause, Cause::Version);
    a.close("").await;
    b.close("").await;
}

#[tokio::test]
async fn ports_and_interfaces_that_cannot_be_had_are_told() {
    let (a, identity, _) = bind();
    let config = |port, interface: &str| endpoint::Config { port, interfaces: vec![interface.to_owned()] };
    let taken = Endpoint::bind(config(Some(a.port()), "lo"), Arc::clone(&identity));
    assert!(matches!(taken, Err(endpoint::Error::Taken(port)) if port == a.port()));
    let missing = Endpoint::bind(config(None, "no-such-0"), identity);
    assert!(matches!(missing, Err(endpoint::Error::NoInterface(name)) if name == "no-such-0"));
    assert!(a.listen_addresses().iter().all(|address| address.ip().is_loopback() && address.port() == a.port()));
    assert!(!a.listen_addresses().is_empty());
    a.close("").await;
}

/// One peer with its mesh, as the engine would run it.
pub struct Peer {
    identity: Arc<Identity>,
    endpoint: Endpoint,
    pub address: SocketAddr,
    pub handle: mesh::Handle,
    events: mpsc::Receiver<mesh::Event>,
    arrivals: Ring<(PeerId, Arrival)>,
    scope: task::Scope,
}

#[derive(Debug)]
struct Collect(Ring<(PeerId, Arrival)>);

impl media::Sink for Collect {
    fn on_arrival(&self, peer: PeerId, arrival: Arrival) {
        self.0.push((peer, arrival));
    }
}

pub fn peer(name: &str, room: Option<&str>) -> Peer {
    peer_of(Arc::new(Identity::generate()), name, room, 50)
}

fn peer_of(identity: Arc<Identity>, name: &str, room: Option<&str>, seats: usize) -> Peer {
    let config = endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] };
    let endpoint = Endpoint::bind(config, Arc::clone(&identity)).expect("bound");
    let address = (Ipv4Addr::LOCALHOST, endpoint.port()).into();
    let arrivals = Ring::new(4096);
    let scope = task::Scope::new();
    let config = mesh::Config {
        identity: Arc::clone(&identity),
        instance: Instance::draw(),
        name: DisplayName::new(name),
        room: room.map(|room| RoomName::new(room).expect("valid")),
        seats,
        capabilities: vec!["chat".to_owned()],
        seed: 1,
        visibility: mesh::Visibility::Open,
    };
    let sink = Arc::new(Collect(arrivals.clone()));
    let (handle, events) = mesh::start(config, endpoint.clone(), sink, &scope);
    Peer { identity, endpoint, address, handle, events, arrivals, scope }
}

impl Peer {
    pub fn id(&self) -> PeerId {
        self.identity.peer_id()
    }

    /// Somebody told this peer about `other`.
    fn sees(&self, other: &Peer) {
        self.handle.sighting(sighting(Some(other.id()), other.address));
    }

    /// The first event that `pick` takes; others are skipped.
    pub async fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&mut mesh::Event) -> Option<T>) -> T {
        let mut skipped = Vec::new();
        let found = async {
            loop {
                let mut event = self.events.recv().await.expect("the mesh runs");
                if let Some(found) = pick(&mut event) {
                    return found;
                }
                skipped.push(event);
            }
        };
        match tokio::time::timeout(Duration::from_secs(20), found).await {
            Ok(found) => found,
            Err(_) => panic!("no {what}; instead: {skipped:?}"),
        }
    }

    pub async fn linked(&mut self) -> Linked {
        self.wait("link", |event| match event {
            mesh::Event::Linked(linked) => Some(linked.clone()),
            _ => None,
        })
        .await
    }

    async fn message(&mut self) -> Message {
        self.wait("message", |event| match event {
            mesh::Event::Message { message, .. } => Some(message.clone()),
            _ => None,
        })
        .await
    }

    pub async fn warning(&mut self) -> &'static str {
        self.wait("warning", |event| match event {
            mesh::Event::Warning { code, .. } => Some(*code),
            _ => None,
        })
        .await
    }

    pub async fn end(self) {
        self.handle.shutdown().await;
        assert!(self.scope.finish(Duration::from_secs(5)).await);
        self.endpoint.close("").await;
    }
}

pub fn sighting(peer: Option<PeerId>, address: SocketAddr) -> Sighting {
    Sighting {
        peer,
        instance: None,
        name: None,
        addresses: vec![address],
        rooms: vec![],
        source: Source::Manual,
        gone: false,
    }
}

fn text(n: u64) -> Message {
    Message { kind: 70, body: Bytes::copy_from_slice(&n.to_be_bytes()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_link_by_an_address_alone() {
    let (mut a, mut b) = (peer("Ann", Some("tea")), peer("Bo", Some("TEA")));
    a.handle.sighting(sighting(None, b.address));
    let (at_a, at_b) = (a.linked().await, b.linked().await);
    assert_eq!((at_a.key.peer, at_b.key.peer), (b.id(), a.id()));
    assert_eq!((at_a.name.as_str(), at_b.name.as_str()), ("Bo", "Ann"));
    assert_eq!(at_a.public_key, b.identity.public_key());
    assert_eq!(at_a.seat, Seat::Room);
    assert_eq!(at_a.address, b.address);
    assert_eq!(at_a.capabilities, ["chat"]);
    assert!(at_a.same_clock && at_b.same_clock);
    assert_eq!(a.handle.clock(b.id()).get(), media::ClockMap::Same);
    a.end().await;
    b.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn glare_from_both_sides_gives_one_link() {
    let (mut a, mut b) = (peer("Ann", Some("tea")), peer("Bo", Some("tea")));
    // Typed addresses are dialed at once, by both.
    a.handle.sighting(sighting(None, b.address));
    b.handle.sighting(sighting(None, a.address));
    let (at_a, at_b) = (a.linked().await, b.linked().await);
    for n in 0..20 {
        a.handle.send(at_a.key, text(n)).expect("linked");
        b.handle.send(at_b.key.peer, text(n)).expect("linked");
    }
    for n in 0..20 {
        assert_eq!(a.message().await, text(n));
        assert_eq!(b.message().await, text(n));
    }
    assert_eq!(a.handle.links(), [at_a.key]);
    assert_eq!(b.handle.links(), [at_b.key]);
    a.end().await;
    b.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_is_seen_within_a_second() {
    let (mut a, mut b) = (peer("Ann", Some("tea")), peer("Bo", Some("tea")));
    a.sees(&b);
    b.sees(&a);
    a.linked().await;
    b.linked().await;
    // What was said right before the goodbye still arrives.
    b.handle.send(a.id(), text(7)).expect("linked");
    let started = clock::now();
    let leaving = b.handle.clone();
    let (done, ()) = tokio::join!(
        async {
            assert_eq!(a.message().await, text(7));
            a.wait("goodbye", |event| match event {
                mesh::Event::Left { reason, .. } => Some(*reason),
                _ => None,
            })
            .await
        },
        leaving.shutdown()
    );
    let took = clock::now() - started;
    assert_eq!(done, LeaveReason::Goodbye);
    // Three times the goal.
    assert!(took < Duration::from_secs(3), "{took:?}");
    a.end().await;
    b.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_run_takes_the_seat_of_the_older() {
    let mut a = peer("Ann", Some("tea"));
    let identity = Arc::new(Identity::generate());
    let mut old = peer_of(Arc::clone(&identity), "Bo", Some("tea"), 50);
    a.sees(&old);
    old.sees(&a);
    let first = a.linked().await;
    old.linked().await;
    let mut new = peer_of(identity, "Bo", Some("tea"), 50);
    new.sees(&a);
    let second = a.linked().await;
    new.linked().await;
    assert_eq!(second.key.peer, first.key.peer);
    assert_eq!(second.replaced, Some(first.key.instance));
    assert_eq!(a.handle.links(), [second.key]);
    // With one other peer, its word alone is not enough: discovery has to see the new run as well.
    let discovered =
        Sighting { instance: Some(second.key.instance), source: Source::Mdns, ..sighting(Some(new.id()), new.address) };
    old.handle.sighting(discovered);
    assert_eq!(old.warning().await, "replaced");
    a.handle.send(second.key.peer, text(1)).expect("linked");
    assert_eq!(new.message().await, text(1));
    for peer in [a, old, new] {
        peer.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_told_once_and_both_go_on_serving() {
    let (mut a, mut b) = (peer("Ann", Some("tea")), peer("Bo", Some("tea")));
    a.handle.sighting(sighting(Some(Identity::generate().peer_id()), b.address));
    assert_eq!(a.warning().await, "wrong-key");
    assert_eq!(a.handle.links(), []);
    // One address, many claims: still one warning.
    for _ in 0..3 {
        a.handle.sighting(sighting(Some(Identity::generate().peer_id()), b.address));
    }
    // Neither side is the worse for it: by the right key they link, and a third gets in at either.
    a.sees(&b);
    a.wait("link", |event| match event {
        mesh::Event::Linked(_) => Some(()),
        mesh::Event::Warning { .. } => panic!("told twice"),
        _ => None,
    })
    .await;
    b.linked().await;
    let mut c = peer("Cy", Some("tea"));
    c.sees(&a);
    c.sees(&b);
    c.linked().await;
    c.linked().await;
    a.linked().await;
    b.linked().await;
    a.handle.send(b.id(), text(7)).expect("linked");
    assert_eq!(b.message().await, text(7));
    b.handle.send(c.id(), text(7)).expect("linked");
    assert_eq!(c.message().await, text(7));
    c.handle.send(a.id(), text(8)).expect("linked");
    let mut warnings = 0;
    let message = a.wait("message", |event| match event {
        mesh::Event::Warning { .. } => {
            warnings += 1;
            None
        }
        mesh::Event::Message { message, .. } => Some(message.clone()),
        _ => None,
    });
    assert_eq!((message.await, warnings), (text(8), 0), "told once");
    for peer in [a, b, c] {
        peer.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_room_says_so() {
    let mut a = peer_of(Arc::new(Identity::generate()), "Ann", Some("tea"), 2);
    let (mut b, mut c) = (peer("Bo", Some("tea")), peer("Cy", Some("tea")));
    b.handle.sighting(sighting(None, a.address));
    a.linked().await;
    b.linked().await;
    c.handle.sighting(sighting(None, a.address));
    assert_eq!(c.warning().await, "room-full");
    assert_eq!(a.handle.links().len(), 1);
    for peer in [a, b, c] {
        peer.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_needs_no_room() {
    let (mut a, mut b) = (peer("Ann", None), peer("Bo", Some("tea")));
    a.handle.reach(b.id(), vec![b.address]);
    let (at_a, at_b) = (a.linked().await, b.linked().await);
    assert_eq!((at_a.seat, at_b.seat), (Seat::Visitor, Seat::Visitor));
    a.handle.send(b.id(), text(3)).expect("linked");
    assert_eq!(b.message().await, text(3));
    let mut stream = a.handle.open_stream(at_a.key).await.expect("linked");
    stream.write(Bytes::from_static(b"file")).await.expect("written");
    stream.finish();
    let mut received = b
        .wait("stream", |event| match std::mem::replace(event, mesh::Event::Verify(PeerId::from_bytes([0; 32]))) {
            mesh::Event::Stream { stream, .. } => Some(stream),
            _ => None,
        })
        .await;
    assert_eq!(received.read(100).await, Ok(Some(Bytes::from_static(b"file"))));
    assert_eq!(received.read(100).await, Ok(None));
    assert_eq!(stream.confirmed().await, Ok(()));
    a.end().await;
    b.wait("end", |event| matches!(event, mesh::Event::Unlinked(key) if *key == at_b.key).then_some(())).await;
    b.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datagrams_carry_their_header_and_are_counted() {
    let (mut a, mut b) = (peer("Ann", Some("tea")), peer("Bo", Some("tea")));
    a.sees(&b);
    b.sees(&a);
    let to = a.linked().await.key.peer;
    b.linked().await;
    let outlet = a.handle.outlet(to).expect("seated");
    let packet = |n: u16| Packet {
        kind: PacketKind::Audio,
        track: TrackId::MICROPHONE,
        priority: Priority::Audio,
        group: 0,
        expires: clock::now() + Duration::from_secs(5),
        body: Bytes::copy_from_slice(&n.to_be_bytes()),
    };
    for n in 0..100_u16 {
        outlet.send(packet(n));
    }
    let mut got = Vec::new();
    while got.len() < 100 {
        let arrival = tokio::time::timeout(Duration::from_secs(10), b.arrivals.recv()).await.expect("in time");
        got.push(arrival.expect("open"));
    }
    for (n, (from, arrival)) in got.iter().enumerate() {
        let n = u16::try_from(n).expect("small");
        assert_eq!(*from, a.id());
        assert_eq!((arrival.kind, arrival.track, arrival.sequence), (PacketKind::Audio, TrackId::MICROPHONE, n));
        assert_eq!(*arrival.body, n.to_be_bytes());
    }
    let stats = b.handle.link_stats(a.id()).expect("seated");
    assert_eq!(stats.loss, Some(0.0));
    assert_eq!(stats.path, Some(a.address.to_string()));
    assert!(stats.jitter_ms.is_some() && stats.rtt_ms.is_some() && stats.estimate_bps.is_some());
    let rates = a.handle.rates().sent;
    assert!(rates.audio > 0 && rates.video == 0 && rates.total >= rates.audio + rates.control, "{rates:?}");
    a.end().await;
    b.end().await;
}

/// Passes UDP between whoever writes to it and `target`; drops everything while cut.
struct Relay {
    address: SocketAddr,
    cut: Arc<std::sync::atomic::AtomicBool>,
    tasks: task::Scope,
}

impl Relay {
    async fn to(target: SocketAddr) -> Self {
        let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bound");
        let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bound");
        let address = front.local_addr().expect("bound");
        let cut = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let tasks = task::Scope::new();
        let (stop, dead) = (tasks.clone(), Arc::clone(&cut));
        tasks.spawn(async move {
            let (mut caller, mut here, mut there) = (None, vec![0; 2000], vec![0; 2000]);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    Ok((size, from)) = front.recv_from(&mut here) => {
                        caller = Some(from);
                        if !dead.load(std::sync::atomic::Ordering::Relaxed) {
                            let _ = back.send_to(&here[..size], target).await;
                        }
                    }
                    Ok((size, _)) = back.recv_from(&mut there) => {
                        if let Some(caller) = caller.filter(|_| !dead.load(std::sync::atomic::Ordering::Relaxed)) {
                            let _ = front.send_to(&there[..size], caller).await;
                        }
                    }
                }
            }
        });
        Self { address, cut, tasks }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_survive_a_path_that_dies() {
    let (mut a, mut b) = (peer("Ann", Some("tea")), peer("Bo", Some("tea")));
    let relay = Relay::to(b.address).await;
    a.handle.sighting(sighting(None, relay.address));
    let (at_a, at_b) = (a.linked().await, b.linked().await);
    assert_eq!(at_a.address, relay.address);
    let outlet = a.handle.outlet(b.id()).expect("seated");
    for n in 0..200 {
        if n == 50 {
            relay.cut.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        a.handle.send(at_a.key, text(n)).expect("linked");
        b.handle.send(at_b.key, text(1000 + n)).expect("linked");
    }
    // Both redial, and the addresses of the hellos lead around the dead path.
    for (side, from) in [(&mut b, 0), (&mut a, 1000)] {
        let mut seen = Vec::new();
        side.wait("all messages", |event| {
            match event {
                mesh::Event::Message { message, .. } => seen.push(message.clone()),
                mesh::Event::Left { .. } | mesh::Event::Linked(_) => panic!("not the same link: {event:?}"),
                _ => {}
            }
            (seen.len() == 200).then_some(())
        })
        .await;
        assert_eq!(seen, (from..from + 200).map(text).collect::<Vec<_>>());
    }
    assert!(Arc::ptr_eq(&outlet, &a.handle.outlet(b.id()).expect("seated")), "media goes on as well");
    a.end().await;
    b.end().await;
    relay.tasks.finish(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_peer_is_back_in_its_seat_at_once() {
    let mut a = peer("Ann", Some("tea"));
    let identity = Arc::new(Identity::generate());
    let to = sighting(Some(a.id()), a.address);
    // Its own runtime, so that it can end without a word.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let first_run = Arc::clone(&identity);
    let (at_a, _killed) = {
        let to = to.clone();
        let running = runtime.spawn(async move {
            let mut run = peer_of(first_run, "Bo", Some("tea"), 50);
            run.handle.sighting(to);
            run.linked().await;
            run
        });
        (a.linked().await, running.await.expect("linked"))
    };
    runtime.shutdown_background();
    let started = clock::now();
    let mut again = peer_of(identity, "Bo", Some("tea"), 50);
    again.handle.sighting(to);
    let back = a
        .wait("return", |event| match event {
            mesh::Event::Linked(linked) => Some(linked.clone()),
            mesh::Event::Left { .. } => panic!("the same person, one seat"),
            _ => None,
        })
        .await;
    again.linked().await;
    // Three times the goal.
    assert!(clock::now() - started < Duration::from_secs(9));
    assert_eq!(back.replaced, Some(at_a.key.instance));
    a.handle.send(again.id(), text(1)).expect("linked");
    assert_eq!(again.message().await, text(1));
    a.end().await;
    again.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_peer_is_suspected_and_then_gone() {
    let mut a = peer("Ann", Some("tea"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let to = sighting(Some(a.id()), a.address);
    let running = runtime.spawn(async move {
        let mut run = peer("Bo", Some("tea"));
        run.handle.sighting(to);
        run.linked().await;
        run
    });
    let key = a.linked().await.key;
    let _killed = running.await.expect("linked");
    let started = clock::now();
    runtime.shutdown_background();
    a.wait("suspicion", |event| matches!(event, mesh::Event::Suspected { .. }).then_some(())).await;
    // While nobody knows, what is said is kept; once the peer has left it is refused.
    a.handle.send(key, text(1)).expect("kept");
    let reason = a
        .wait("end", |event| match event {
            mesh::Event::Left { reason, .. } => Some(*reason),
            _ => None,
        })
        .await;
    let took = clock::now() - started;
    assert_eq!(reason, LeaveReason::Timeout);
    assert!(took > Duration::from_secs(5) && took < Duration::from_secs(21), "{took:?}");
    assert_eq!(a.handle.send(key, text(2)), Err(mesh::Refused::NotLinked));
    a.end().await;
}
