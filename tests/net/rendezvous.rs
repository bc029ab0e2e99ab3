//! The rendezvous over real QUIC on loopback: names, rooms, restarts, liars, strangers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lets_meet::clock;
use lets_meet::endpoint::{self, Endpoint};
use lets_meet::id::{Instance, PeerId, RoomName, Username};
use lets_meet::identity::Identity;
use lets_meet::rendezvous::client::{self, Error, Event, Handle, Standing};
use lets_meet::rendezvous::errands::Announcement;
use lets_meet::rendezvous::record::{Claim, Presence, Whereabouts};
use lets_meet::rendezvous::server::{self, Served};
use lets_meet::rendezvous::service::Service;
use lets_meet::rendezvous::wire::{
    Answer, Found, Hello, Lookup, MAX_ANSWER, Members, Published, Question, Refusal, Refused, Terms,
};
use lets_meet::share::DisplayName;
use lets_meet::sighting::{Sighting, Source};
use lets_meet::task::Scope;
use lets_meet::tls::{Alpn, Pin};
use tokio::sync::mpsc;

const LONG: Duration = Duration::from_secs(20);

fn bind(port: u16, identity: &Arc<Identity>) -> Endpoint {
    let config = endpoint::Config { port: Some(port), interfaces: vec!["lo".to_owned()] };
    Endpoint::bind(config, Arc::clone(identity)).expect("bound")
}

/// Binds a port that something else has just let go of.
async fn bind_again(port: u16, identity: &Arc<Identity>) -> Endpoint {
    let config = endpoint::Config { port: Some(port), interfaces: vec!["lo".to_owned()] };
    eventually(async || Endpoint::bind(config.clone(), Arc::clone(identity)).ok()).await
}

fn new_identity() -> Arc<Identity> {
    Arc::new(Identity::generate())
}

/// A service that can be stopped and started again on the same port with the same key and store.
struct Place {
    dir: tempfile::TempDir,
    identity: Arc<Identity>,
    config: server::Config,
    port: u16,
    running: Option<(Endpoint, Served, Scope)>,
}

impl Place {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(tweak: impl FnOnce(&mut server::Config)) -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let mut config = server::Config::at(dir.path().join("names.sqlite"));
        tweak(&mut config);
        let mut place = Self { dir, identity: new_identity(), config, port: 0, running: None };
        place.run().await;
        place
    }

    async fn run(&mut self) {
        let (endpoint, scope) = (bind_again(self.port, &self.identity).await, Scope::new());
        self.port = endpoint.port();
        let served = server::serve(self.config.clone(), &endpoint, self.id(), &scope).expect("served");
        self.running = Some((endpoint, served, scope));
    }

    async fn stop(&mut self) {
        let (endpoint, served, scope) = self.running.take().expect("running");
        served.stop().await;
        endpoint.close("stopping").await;
        assert!(scope.finish(LONG).await);
    }

    fn id(&self) -> PeerId {
        self.identity.peer_id()
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("names.sqlite")
    }

    fn service(&self) -> Service {
        service(self.port, Some(self.id()))
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

fn service(port: u16, fingerprint: Option<PeerId>) -> Service {
    Service { host: "127.0.0.1".to_owned(), port, fingerprint }
}

/// A peer that uses a service.
struct Peer {
    profile: tempfile::TempDir,
    identity: Arc<Identity>,
    endpoint: Endpoint,
    handle: Handle,
    events: mpsc::Receiver<Event>,
    scope: Scope,
}

impl Peer {
    fn new(service: Service) -> Self {
        Self::with(service, new_identity(), tempfile::tempdir().expect("temp dir"))
    }

    fn with(service: Service, identity: Arc<Identity>, profile: tempfile::TempDir) -> Self {
        let (endpoint, scope) = (bind(0, &identity), Scope::new());
        let config = client::Config { service, profile: profile.path().to_owned(), seed: 1 };
        let (handle, events) = client::start(config, endpoint.clone(), Arc::clone(&identity), &scope);
        Self { profile, identity, endpoint, handle, events, scope }
    }

    /// Ends this run; the next has the same key and profile.
    async fn restart(self, service: Service) -> Self {
        self.handle.close().await;
        self.endpoint.close("bye").await;
        assert!(self.scope.finish(LONG).await);
        Self::with(service, self.identity, self.profile)
    }

    fn id(&self) -> PeerId {
        self.identity.peer_id()
    }

    async fn event(&mut self, what: impl Fn(&Event) -> bool) -> Event {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the actor runs");
                if what(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(LONG, found).await.expect("the event in time")
    }

    async fn sighting(&mut self, what: impl Fn(&Sighting) -> bool) -> Sighting {
        let event = self.event(|event| matches!(event, Event::Sighting(sighting) if what(sighting))).await;
        let Event::Sighting(sighting) = event else { unreachable!("just matched") };
        sighting
    }

    fn announcement(&self, name: &str, room: &str) -> Announcement {
        Announcement {
            instance: Instance::from_u64(1),
            name: Some(DisplayName::new(name)),
            addresses: self.endpoint.listen_addresses(),
            rooms: vec![RoomName::new(room).expect("valid")],
        }
    }
}

fn name(text: &str) -> Username {
    Username::new(text).expect("valid")
}

/// Waits for a fact.
async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, found).await.expect("the fact in time")
}

#[tokio::test]
async fn a_name_is_claimed_looked_up_and_released() {
    let place = Place::start().await;
    let (alice, bob) = (Peer::new(place.service()), Peer::new(place.service()));
    let held = alice.handle.claim(&name("Alice")).await.expect("granted");
    let month = 30 * 24 * 3600 * 1000;
    assert!(held.expires.abs_diff(clock::unix_millis() + month) < 60_000);
    // Taken, in any spelling.
    for spelling in ["Alice", "alice", "ALICE"] {
        assert_eq!(bob.handle.claim(&name(spelling)).await, Err(Error::Taken), "{spelling}");
    }
    assert_eq!(Error::Taken.to_string(), "Username already taken");
    let found = bob.handle.lookup(&name("aLiCe")).await.expect("found");
    assert_eq!((found.peer, found.name.as_str()), (alice.id(), "Alice"));
    assert_eq!(bob.handle.lookup(&name("nobody")).await, Err(Error::Unknown(name("nobody"))));
    // Only its owner gives it back.
    assert_eq!(bob.handle.release(&name("alice")).await, Err(Error::Unknown(name("alice"))));
    alice.handle.release(&name("ALICE")).await.expect("released");
    assert_eq!(bob.handle.lookup(&name("alice")).await, Err(Error::Unknown(name("alice"))));
    bob.handle.claim(&name("alice")).await.expect("free again");
    assert_eq!(alice.handle.claim(&name("alice")).await, Err(Error::Taken));
}

#[tokio::test]
async fn a_service_is_found_by_name_and_by_ipv6() {
    let place = Place::start().await;
    for host in ["localhost", "::1"] {
        let service = Service { host: host.to_owned(), ..place.service() };
        let peer = Peer::new(service);
        let name = name(&format!("by-{}", host.len()));
        peer.handle.claim(&name).await.expect("granted");
        assert_eq!(peer.handle.lookup(&name).await.map(|found| found.peer), Ok(peer.id()), "{host}");
    }
}

#[tokio::test]
async fn a_claim_of_ones_own_name_renews_it() {
    let place = Place::start().await;
    let alice = Peer::new(place.service());
    let first = alice.handle.claim(&name("alice")).await.expect("granted");
    let second = alice.handle.claim(&name("alice")).await.expect("renewed");
    assert!(second.expires >= first.expires);
    let same = name("alice");
    let both = tokio::join!(alice.handle.claim(&same), alice.handle.claim(&same));
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
}

#[tokio::test]
async fn names_survive_a_restart_of_the_service_and_peers_come_back() {
    let mut place = Place::start().await;
    let mut alice = Peer::new(place.service());
    let bob = Peer::new(place.service());
    alice.handle.claim(&name("alice")).await.expect("granted");
    place.stop().await;
    let Event::Unreachable { .. } = alice.event(|e| matches!(e, Event::Unreachable { .. })).await else {
        unreachable!("just matched")
    };
    place.run().await;
    alice.event(|e| *e == Event::Back).await;
    assert_eq!(bob.handle.lookup(&name("alice")).await.map(|found| found.peer), Ok(alice.id()));
    assert_eq!(bob.handle.claim(&name("alice")).await, Err(Error::Taken));
}

#[tokio::test]
async fn an_unseen_owner_loses_the_name_and_a_running_one_keeps_it() {
    let place = Place::start_with(|config| {
        config.registry.name_lease = Duration::from_secs(4);
        // This test asks all the time.
        config.limits.key.burst = 100_000;
        config.limits.writes.burst = 100_000;
    })
    .await;
    let (running, bob) = (Peer::new(place.service()), Peer::new(place.service()));
    running.handle.claim(&name("running")).await.expect("granted");
    let gone = Peer::new(place.service());
    let held = gone.handle.claim(&name("gone")).await.expect("granted");
    gone.handle.close().await;
    assert_eq!(bob.handle.claim(&name("gone")).await, Err(Error::Taken));
    eventually(async || bob.handle.claim(&name("gone")).await.ok()).await;
    assert!(clock::unix_millis() >= held.expires, "not before its lease ended");
    // By now the other one would have lost its name too, had it not renewed.
    assert_eq!(bob.handle.claim(&name("running")).await, Err(Error::Taken));
}

#[tokio::test]
async fn peers_in_a_room_sight_one_another_and_see_who_goes() {
    let place = Place::start().await;
    let (mut alice, mut bob) = (Peer::new(place.service()), Peer::new(place.service()));
    alice.handle.claim(&name("alice")).await.expect("granted");
    alice.handle.announce(Some(alice.announcement("Alice A.", "Stand-Up"))).await;
    bob.handle.announce(Some(bob.announcement("Bob", "stand-up"))).await;
    let (alices, bobs) = (alice.endpoint.port(), bob.endpoint.port());
    let port = |s: &Sighting, port| s.addresses.iter().any(|a| a.port() == port && a.ip().is_loopback());
    let seen = bob.sighting(|s| s.name.is_some()).await;
    assert_eq!((seen.peer, seen.source, seen.gone), (Some(alice.id()), Source::Rendezvous, false));
    assert_eq!(seen.name, Some(DisplayName::new("Alice A.")));
    assert_eq!(seen.rooms, [RoomName::new("stand-up").expect("valid")]);
    assert!(port(&seen, alices), "{seen:?}");
    let seen = alice.sighting(|s| !s.gone).await;
    assert!(seen.peer == Some(bob.id()) && port(&seen, bobs), "{seen:?}");
    // The name leads to the addresses as well, the one that the service saw among them.
    let found =
        eventually(async || bob.handle.lookup(&name("alice")).await.ok().filter(|found| !found.addresses().is_empty()))
            .await;
    assert!(found.addresses().contains(&SocketAddr::from((Ipv4Addr::LOCALHOST, alices))), "{found:?}");
    assert_eq!(alice.handle.observed(), Some((Ipv4Addr::LOCALHOST, alices).into()));
    alice.handle.close().await;
    let gone = bob.sighting(|s| s.gone).await;
    assert_eq!((gone.peer, gone.instance), (Some(alice.id()), Some(Instance::from_u64(1))));
}

#[tokio::test]
async fn presences_are_published_again_after_a_restart_of_the_service() {
    let mut place = Place::start().await;
    let (alice, mut bob) = (Peer::new(place.service()), Peer::new(place.service()));
    alice.handle.announce(Some(alice.announcement("Alice", "room"))).await;
    bob.handle.announce(Some(bob.announcement("Bob", "room"))).await;
    bob.sighting(|s| s.peer == Some(alice.id())).await;
    place.stop().await;
    bob.event(|e| matches!(e, Event::Unreachable { .. })).await;
    place.run().await;
    bob.event(|e| *e == Event::Back).await;
    bob.sighting(|s| s.peer == Some(alice.id()) && !s.gone).await;
}

#[tokio::test]
async fn joining_with_a_name_tells_taken_from_unreachable() {
    let mut place = Place::start().await;
    let (alice, bob) = (Peer::new(place.service()), Peer::new(place.service()));
    let standing = alice.handle.claim_to_join(&name("alice")).await.expect("ours");
    assert!(matches!(standing, Standing::Confirmed(_)), "{standing:?}");
    assert_eq!(bob.handle.claim_to_join(&name("Alice")).await, Err(Error::Taken));
    place.stop().await;
    let mut carol = Peer::new(place.service());
    let standing = carol.handle.claim_to_join(&name("carol")).await.expect("the meeting goes on");
    assert!(matches!(standing, Standing::Unconfirmed(Error::Unreachable { .. })), "{standing:?}");
    let said_twice = carol.events.try_recv();
    assert!(said_twice.is_err(), "the answer said it: {said_twice:?}");
    let mut dave = Peer::new(place.service());
    dave.handle.claim_to_join(&name("alice")).await.expect("the meeting goes on");
    place.run().await;
    let granted = carol.event(|e| matches!(e, Event::NameGranted { .. })).await;
    assert!(matches!(granted, Event::NameGranted { name: n, .. } if n == name("carol")));
    let lost = dave.event(|e| matches!(e, Event::NameLost { .. })).await;
    assert_eq!(lost, Event::NameLost { name: name("alice") });
}

// ---- keys ----

/// A service of the test's own making: answers what `answer` says and counts what it is asked.
struct Impostor {
    identity: Arc<Identity>,
    endpoint: Endpoint,
    asked: Arc<Mutex<Vec<Question>>>,
    connections: Arc<Mutex<usize>>,
    _scope: Scope,
}

impl Impostor {
    async fn start(port: u16, answer: impl Fn(PeerId, &Question) -> Answer + Send + Sync + 'static) -> Self {
        let identity = new_identity();
        let (endpoint, scope) = (bind_again(port, &identity).await, Scope::new());
        let mut incoming = endpoint.accept(Alpn::Rendezvous);
        let asked: Arc<Mutex<Vec<Question>>> = Arc::default();
        let connections: Arc<Mutex<usize>> = Arc::default();
        let (log, count, me, answer) =
            (Arc::clone(&asked), Arc::clone(&connections), identity.peer_id(), Arc::new(answer));
        let inner = scope.clone();
        scope.spawn(async move {
            while let Some(connection) = incoming.recv().await {
                *count.lock().expect("lock") += 1;
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                inner.spawn(async move {
                    while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                        let bytes = receive.read_to_end(1 << 16).await.expect("a question");
                        let question = Question::decode(&bytes).expect("a question");
                        let reply = match &question {
                            Question::Hello(_) => terms(),
                            other => answer(me, other),
                        };
                        log.lock().expect("lock").push(question);
                        send.write_all(&reply.message().encode()).await.expect("answered");
                        send.finish().expect("answered");
                    }
                });
            }
        });
        Self { identity, endpoint, asked, connections, _scope: scope }
    }

    fn service(&self, fingerprint: Option<PeerId>) -> Service {
        service(self.endpoint.port(), fingerprint)
    }

    fn saw_nothing(&self) -> bool {
        self.asked.lock().expect("lock").is_empty() && *self.connections.lock().expect("lock") == 0
    }
}

fn terms() -> Answer {
    Answer::Terms(Terms { version: 1, name_lease: 1 << 31, presence_lease: 60_000, observed: None, names: vec![] })
}

fn unknown(_: PeerId, _: &Question) -> Answer {
    Answer::Refused(Refusal::Unknown.into())
}

#[tokio::test]
async fn a_wrong_fingerprint_is_refused_and_nothing_is_sent() {
    let impostor = Impostor::start(0, unknown).await;
    let mut alice = Peer::new(impostor.service(Some(PeerId::from_bytes([7; 32]))));
    let error = alice.handle.claim(&name("alice")).await.expect_err("refused");
    assert!(matches!(error, Error::KeyChanged { .. }), "{error}");
    let error = alice.handle.claim_to_join(&name("alice")).await.expect_err("no seat either");
    assert!(matches!(error, Error::KeyChanged { .. }), "{error}");
    alice.event(|e| *e == Event::KeyChanged).await;
    assert!(impostor.saw_nothing());
}

#[tokio::test]
async fn a_changed_key_is_refused_and_nothing_is_sent() {
    let mut place = Place::start().await;
    // No fingerprint: remembered at first use.
    let alice = Peer::new(service(place.port, None));
    alice.handle.claim(&name("alice")).await.expect("granted");
    place.stop().await;
    let impostor = Impostor::start(place.port, unknown).await;
    let alice = alice.restart(service(place.port, None)).await;
    let error = alice.handle.claim(&name("alice")).await.expect_err("refused");
    assert!(matches!(error, Error::KeyChanged { .. }), "{error}");
    assert!(impostor.saw_nothing());
    // Whoever typed the new fingerprint has compared it.
    let alice = alice.restart(impostor.service(Some(impostor.identity.peer_id()))).await;
    assert_eq!(alice.handle.lookup(&name("bob")).await, Err(Error::Unknown(name("bob"))));
    let alice = alice.restart(service(place.port, None)).await;
    assert_eq!(alice.handle.lookup(&name("bob")).await, Err(Error::Unknown(name("bob"))));
}

#[tokio::test]
async fn a_key_that_changes_while_running_is_reported_and_the_right_one_is_taken_back() {
    let mut place = Place::start().await;
    let mut alice = Peer::new(service(place.port, None));
    alice.handle.claim(&name("alice")).await.expect("granted");
    place.stop().await;
    let impostor = Impostor::start(place.port, unknown).await;
    alice.event(|e| *e == Event::KeyChanged).await;
    assert!(impostor.saw_nothing());
    impostor.endpoint.close("enough").await;
    drop(impostor);
    place.run().await;
    alice.event(|e| *e == Event::Back).await;
    assert!(alice.handle.claim(&name("alice")).await.is_ok());
}

/// Carries datagrams between whoever sends to it and `target`, changed by `change`.
async fn carrier(target: SocketAddr, change: fn(&mut Vec<u8>), scope: &Scope) -> SocketAddr {
    let front = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bound");
    let back = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bound");
    let address = front.local_addr().expect("bound");
    scope.spawn(async move {
        let (mut there, mut here) = (vec![0; 65_536], vec![0; 65_536]);
        let mut asker = None;
        loop {
            tokio::select! {
                Ok((length, from)) = front.recv_from(&mut there) => {
                    asker = Some(from);
                    let mut packet = there[..length].to_vec();
                    change(&mut packet);
                    let _ = back.send_to(&packet, target).await;
                }
                Ok((length, _)) = back.recv_from(&mut here) => {
                    let mut packet = here[..length].to_vec();
                    change(&mut packet);
                    if let Some(asker) = asker {
                        let _ = front.send_to(&packet, asker).await;
                    }
                }
            }
        }
    });
    address
}

#[tokio::test]
async fn a_man_in_the_middle_can_carry_bytes_and_not_change_them() {
    let (place, scope) = (Place::start().await, Scope::new());
    let honest = carrier(place.address(), |_| {}, &scope).await;
    let alice = Peer::new(service(honest.port(), Some(place.id())));
    alice.handle.claim(&name("alice")).await.expect("the key is the service's, whoever carries");
    let flips = carrier(
        place.address(),
        |packet| {
            let middle = packet.len() / 2;
            packet[middle] ^= 1;
        },
        &scope,
    )
    .await;
    let bob = Peer::new(service(flips.port(), Some(place.id())));
    let error = bob.handle.claim(&name("bob")).await.expect_err("nothing gets through");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert_eq!(alice.handle.lookup(&name("bob")).await, Err(Error::Unknown(name("bob"))));
}

/// Asks one question on a connection of its own, as anybody can.
async fn ask_raw(endpoint: &Endpoint, to: SocketAddr, question: &Question) -> Answer {
    let connection = endpoint.connect(to, Pin::Learn, Alpn::Rendezvous).await.expect("connected");
    let (mut send, mut receive) = connection.open_bi().await.expect("stream");
    send.write_all(&question.message().encode()).await.expect("sent");
    send.finish().expect("sent");
    Answer::decode(&receive.read_to_end(MAX_ANSWER).await.expect("answered")).expect("an answer")
}

#[tokio::test]
async fn a_man_in_the_middle_cannot_use_what_he_is_told() {
    let place = Place::start().await;
    let (mallory, alice) = (new_identity(), new_identity());
    let endpoint = bind(0, &mallory);
    let now = clock::unix_millis();
    let refused = |answer: Answer| match answer {
        Answer::Refused(refused) => refused.reason,
        other => panic!("{other:?}"),
    };
    // What alice told mallory's service, taking it for the real one, and what she told the real one.
    for told in [mallory.peer_id(), place.id()] {
        let claim = Claim::sign(&alice, told, name("alice"), now, 60_000);
        assert_eq!(refused(ask_raw(&endpoint, place.address(), &Question::Claim(claim)).await), Refusal::Forged);
        let says = Whereabouts { instance: Instance::from_u64(1), name: None, addresses: vec![], rooms: vec![] };
        let presence = Presence::sign(&alice, told, &says, now, 60_000);
        assert_eq!(refused(ask_raw(&endpoint, place.address(), &Question::Publish(presence)).await), Refusal::Forged);
    }
    let honest = Peer::new(place.service());
    assert_eq!(honest.handle.lookup(&name("alice")).await, Err(Error::Unknown(name("alice"))));
}

// ---- a service that lies ----

fn found(claim: Claim) -> Answer {
    Answer::Found(Found { expires: claim.expires(), claim, presences: vec![] })
}

#[tokio::test]
async fn a_forged_record_is_noticed() {
    let (alice, mallory) = (new_identity(), new_identity());
    let (key, forger) = (alice.public_key(), Arc::clone(&mallory));
    let liar = Impostor::start(0, move |me, question| {
        let Question::Lookup(Lookup { name: asked }) = question else { return unknown(me, question) };
        let now = clock::unix_millis();
        let own = |who: &Identity, service, text: &str, stamp| Claim::sign(who, service, name(text), stamp, 60_000);
        found(match asked.as_str() {
            // In alice's name, by another key.
            "alice" => Claim { key, ..own(&forger, me, "alice", now) },
            // Signed for another service.
            "elsewhere" => own(&forger, PeerId::from_bytes([9; 32]), "elsewhere", now),
            // Signed for another name.
            "other" => own(&forger, me, "another", now),
            // Long over.
            "over" => own(&forger, me, "over", now - 100 * 24 * 3600 * 1000),
            _ => own(&forger, me, asked.as_str(), now),
        })
    })
    .await;
    let bob = Peer::new(liar.service(None));
    for forged in ["alice", "elsewhere", "other", "over"] {
        let error = bob.handle.lookup(&name(forged)).await.expect_err("not believed");
        assert!(matches!(error, Error::Lying(_)), "{forged}: {error}");
    }
    assert_eq!(bob.handle.lookup(&name("mallory")).await.map(|found| found.peer), Ok(mallory.peer_id()));
}

#[tokio::test]
async fn an_old_record_served_again_is_noticed_also_after_a_restart() {
    let owner = new_identity();
    let age: Arc<Mutex<u64>> = Arc::default();
    let (given, signer) = (Arc::clone(&age), Arc::clone(&owner));
    let start = clock::unix_millis();
    let liar = Impostor::start(0, move |me, question| {
        let Question::Lookup(_) = question else { return unknown(me, question) };
        found(Claim::sign(&signer, me, name("alice"), start - *given.lock().expect("lock"), 60_000))
    })
    .await;
    let bob = Peer::new(liar.service(None));
    assert_eq!(bob.handle.lookup(&name("alice")).await.map(|found| found.peer), Ok(owner.peer_id()));
    *age.lock().expect("lock") = 5000;
    let error = bob.handle.lookup(&name("alice")).await.expect_err("older than before");
    assert!(matches!(error, Error::Lying(_)), "{error}");
    let bob = bob.restart(liar.service(None)).await;
    let error = bob.handle.lookup(&name("alice")).await.expect_err("older than before");
    assert!(matches!(error, Error::Lying(_)), "{error}");
}

#[tokio::test]
async fn forged_presences_are_left_out() {
    let (honest, mallory) = (new_identity(), new_identity());
    let (key, signer, victim) = (mallory.public_key(), Arc::clone(&honest), honest.public_key());
    let liar = Impostor::start(0, move |me, question| match question {
        Question::Publish(_) => Answer::Published(Published { observed: None }),
        Question::Room(room) => {
            let says = Whereabouts {
                instance: Instance::from_u64(5),
                name: None,
                addresses: vec!["192.0.2.1:5".parse().expect("address")],
                rooms: vec![room.room],
            };
            let good = Presence::sign(&signer, me, &says, clock::unix_millis(), 60_000);
            let stolen = Presence { key, ..good.clone() };
            let moved = Presence { addresses: vec![], key: victim, instance: Instance::from_u64(6), ..good.clone() };
            Answer::Members(Members { presences: vec![stolen, moved, good] })
        }
        other => unknown(me, other),
    })
    .await;
    let mut bob = Peer::new(liar.service(None));
    bob.handle.announce(Some(bob.announcement("Bob", "room"))).await;
    let first = bob.sighting(|_| true).await;
    assert_eq!((first.peer, first.instance), (Some(honest.peer_id()), Some(Instance::from_u64(5))));
    let second = bob.sighting(|_| true).await;
    assert_eq!(second.peer, Some(honest.peer_id()), "of the next look, nobody else in between");
}

// ---- an old store ----

fn copy(from: &Path, to: &Path) {
    for end in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        let _ = std::fs::remove_file(name(to));
        if name(from).exists() {
            std::fs::copy(name(from), name(to)).expect("copied");
        }
    }
}

#[tokio::test]
async fn an_old_copy_of_the_store_is_put_right_by_the_owners() {
    let mut place = Place::start().await;
    let (alice, bob) = (Peer::new(place.service()), Peer::new(place.service()));
    alice.handle.claim(&name("given-back")).await.expect("granted");
    place.stop().await;
    let old = place.dir.path().join("old.sqlite");
    copy(&place.store(), &old);
    place.run().await;
    // What the copy does not know.
    alice.handle.release(&name("given-back")).await.expect("released");
    alice.handle.claim(&name("newer")).await.expect("granted");
    place.stop().await;
    copy(&old, &place.store());
    place.run().await;
    // Another run of alice's profile comes by.
    let alice = alice.restart(place.service()).await;
    let newer = eventually(async || bob.handle.lookup(&name("newer")).await.ok()).await;
    assert_eq!(newer.peer, alice.id());
    let free = async || {
        let asked = bob.handle.lookup(&name("given-back")).await;
        asked.is_err_and(|error| error == Error::Unknown(name("given-back"))).then_some(())
    };
    eventually(free).await;
}

#[tokio::test]
async fn a_store_that_is_damaged_ends_the_start_and_stays() {
    let mut place = Place::start().await;
    place.stop().await;
    std::fs::write(place.store(), b"").expect("emptied");
    let endpoint = bind(0, &place.identity);
    let error = server::serve(place.config.clone(), &endpoint, place.id(), &Scope::new()).expect_err("refused");
    assert!(error.to_string().contains("names.sqlite"), "{error}");
    assert_eq!(std::fs::read(place.store()).expect("there"), b"");
}

// ---- strangers ----

#[tokio::test]
async fn who_asks_too_much_is_told_to_wait() {
    let place = Place::start_with(|config| {
        config.limits.writes.burst = 3;
        config.limits.writes.period = Duration::from_secs(3600);
    })
    .await;
    let alice = Peer::new(place.service());
    for text in ["a1", "a2", "a3"] {
        alice.handle.claim(&name(text)).await.expect("granted");
    }
    let error = alice.handle.claim(&name("a4")).await.expect_err("limited");
    assert!(matches!(&error, Error::Limited(_)), "{error}");
    assert!(error.to_string().contains("wait"), "{error}");
    // Another key from the same address is no way around.
    let bob = Peer::new(place.service());
    assert!(matches!(bob.handle.claim(&name("b1")).await, Err(Error::Limited(_))));
    assert_eq!(bob.handle.lookup(&name("a1")).await.map(|found| found.peer), Ok(alice.id()), "reading goes on");
}

#[tokio::test]
async fn a_key_holds_a_few_names() {
    let place = Place::start().await;
    let alice = Peer::new(place.service());
    for n in 0..8 {
        alice.handle.claim(&name(&format!("alice{n}"))).await.expect("granted");
    }
    let error = alice.handle.claim(&name("alice8")).await.expect_err("too many");
    assert!(matches!(&error, Error::Limited(why) if why.contains('8')), "{error}");
    alice.handle.release(&name("alice0")).await.expect("released");
    alice.handle.claim(&name("alice8")).await.expect("there is room again");
}

#[tokio::test]
async fn connections_of_one_address_are_capped() {
    let place = Place::start_with(|config| config.limits.connections_per_origin = 2).await;
    let (alice, bob) = (Peer::new(place.service()), Peer::new(place.service()));
    alice.handle.claim(&name("alice")).await.expect("granted");
    bob.handle.claim(&name("bob")).await.expect("granted");
    let carol = Peer::new(place.service());
    let error = carol.handle.claim(&name("carol")).await.expect_err("no room");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    alice.handle.close().await;
    eventually(async || carol.handle.claim(&name("carol")).await.ok()).await;
}

#[tokio::test]
async fn hostile_bytes_leave_the_service_serving() {
    let place = Place::start().await;
    // Datagrams that are not QUIC, of every length.
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bound");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = |length: usize| -> Vec<u8> {
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        std::iter::repeat_with(next).take(length).collect()
    };
    for length in 0..=1472 {
        socket.send_to(&noise(length), place.address()).await.expect("sent");
    }
    // Streams with anything in them, inside a good connection.
    let endpoint = bind(0, &new_identity());
    let connection = endpoint.connect(place.address(), Pin::Learn, Alpn::Rendezvous).await.expect("connected");
    let mut hostile: Vec<Vec<u8>> = vec![
        Vec::new(),
        (1_u32 << 30).to_be_bytes().to_vec(),
        vec![0xff; 100_000],
        [&[0, 0, 0x40, 0x02, 0, 193][..], &vec![0x81; 0x4000]].concat(),
        [&[0, 0, 0, 3, 0, 192][..], &[0x80]].concat(),
    ];
    hostile.extend((0..200).map(noise));
    for bytes in hostile {
        let (mut send, mut receive) = connection.open_bi().await.expect("the connection stays");
        // The service may stop reading.
        let _ = send.write_all(&bytes).await;
        let _ = send.finish();
        let answer = Answer::decode(&receive.read_to_end(MAX_ANSWER).await.expect("answered")).expect("an answer");
        assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    }
    // Datagrams and streams of a kind that nobody reads; a stream left open.
    for _ in 0..100 {
        connection.send_datagram(vec![1; 500].into()).expect("sent");
    }
    let (mut open, _kept) = connection.open_bi().await.expect("stream");
    open.write_all(&[0, 0, 1]).await.expect("sent");
    let alice = Peer::new(place.service());
    alice.handle.claim(&name("alice")).await.expect("still serving");
}

#[tokio::test]
async fn a_question_from_the_future_is_answered_as_such() {
    let place = Place::start().await;
    let endpoint = bind(0, &new_identity());
    let connection = endpoint.connect(place.address(), Pin::Learn, Alpn::Rendezvous).await.expect("connected");
    let ask = async |message: lets_meet::framing::Message| {
        let (mut send, mut receive) = connection.open_bi().await.expect("stream");
        send.write_all(&message.encode()).await.expect("sent");
        send.finish().expect("sent");
        Answer::decode(&receive.read_to_end(MAX_ANSWER).await.expect("answered")).expect("an answer")
    };
    let future = ask(lets_meet::framing::Message::new(207, &Hello { version: 9 })).await;
    assert_eq!(future, Answer::Refused(Refused::from(Refusal::UnknownQuestion)));
    let hello = ask(lets_meet::framing::Message::new(192, &Hello { version: 9 })).await;
    assert!(matches!(hello, Answer::Terms(Terms { version: 1, .. })), "{hello:?}");
}

// ---- the program itself ----

/// `lets-meet rendezvous serve` as a process, ended when dropped.
pub struct Serving {
    process: std::process::Child,
    pub service: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program on loopback with a profile of its own.
pub fn program(profile: &Path, words: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lets-meet"));
    command.args(words).arg("--profile").arg(profile).args(["--interface", "lo", "--json"]);
    command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped());
    command
}

/// Starts a service.
pub fn serving(profile: &Path) -> Serving {
    use std::io::BufRead as _;
    let mut process = program(profile, &["rendezvous", "serve", "--listen", "127.0.0.1:0"]).spawn().expect("started");
    let mut line = String::new();
    let stdout = process.stdout.as_mut().expect("piped");
    std::io::BufReader::new(stdout).read_line(&mut line).expect("ready");
    let ready: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(ready["event"], "ready");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let service = format!("{}#{}", text(&ready["listen"][0]), text(&ready["fingerprint"]));
    Serving { process, service }
}

/// Exit code, the first line of stdout, stderr.
pub fn outcome(mut command: std::process::Command) -> (Option<i32>, serde_json::Value, String) {
    let output = command.output().expect("ran");
    let stdout = String::from_utf8(output.stdout).expect("text");
    let first = stdout.lines().next().map_or(serde_json::Value::Null, |l| serde_json::from_str(l).expect("JSON"));
    (output.status.code(), first, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_commands_keep_their_words_and_exit_codes() {
    let dir = tempfile::tempdir().expect("temp dir");
    let (home, alices, bobs) = (dir.path().join("service"), dir.path().join("alice"), dir.path().join("bob"));
    let serving = serving(&home);
    let ask = |profile: &Path, action: &str, name: &str, service: &str| {
        outcome(program(profile, &["name", action, name, "--rendezvous", service]))
    };
    let here = serving.service.as_str();
    let (code, claimed, _) = ask(&alices, "claim", "Alice", here);
    assert_eq!((code, &claimed["event"], &claimed["name"]), (Some(0), &"name".into(), &"Alice".into()));
    assert!(claimed["expires"].is_u64() && claimed["addresses"].is_array(), "{claimed}");
    let (code, error, said) = ask(&bobs, "claim", "ALICE", here);
    assert_eq!((code, &error["code"]), (Some(4), &"name-taken".into()));
    assert!(said.contains("Username already taken"), "{said}");
    let (code, found, _) = ask(&bobs, "lookup", "alice", here);
    assert_eq!((code, &found["peer"]), (Some(0), &claimed["peer"]));
    assert_eq!(ask(&bobs, "lookup", "nobody", here).0, Some(3));
    assert_eq!(ask(&bobs, "release", "alice", here).0, Some(3));
    assert_eq!(ask(&bobs, "claim", "a b", here).0, Some(2));
    // Another fingerprint than the service's.
    let wrong = format!("{}#{}", here.split('#').next().expect("a place"), "0".repeat(64));
    let (code, error, _) = ask(&bobs, "lookup", "alice", &wrong);
    assert_eq!((code, &error["code"]), (Some(4), &"rendezvous-key-changed".into()));
    // No meeting either at a service whose key is another one; nothing is said to it.
    let (code, error, _) = outcome(program(&bobs, &["join", "room", "--hidden", "--for", "5", "--rendezvous", &wrong]));
    assert_eq!((code, &error["code"]), (Some(4), &"rendezvous-key-changed".into()));
    // A meeting that starts with somebody else's name takes no seat.
    let join = ["join", "room", "--hidden", "--for", "5", "--name", "alice", "--rendezvous", here];
    let (code, error, said) = outcome(program(&bobs, &join));
    assert_eq!((code, &error["event"]), (Some(4), &"error".into()));
    assert!(said.contains("Username already taken"), "{said}");
    assert_eq!(ask(&alices, "release", "alice", here).0, Some(0));
    assert_eq!(ask(&bobs, "claim", "alice", here).0, Some(0));
    // A second service on the same store; a damaged store.
    assert_eq!(outcome(program(&home, &["rendezvous", "serve", "--listen", "127.0.0.1:0"])).0, Some(8));
    drop(serving);
    let store = home.join("rendezvous/names.sqlite");
    std::fs::write(&store, b"nothing of use").expect("damaged");
    let (code, _, said) = outcome(program(&home, &["rendezvous", "serve", "--listen", "127.0.0.1:0"]));
    assert!(code == Some(8) && said.contains("damaged"), "{said}");
    assert_eq!(std::fs::read(&store).expect("there"), b"nothing of use");
}

/// A `join` that runs, and what it says.
struct Joined {
    process: std::process::Child,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
}

impl Joined {
    fn start(profile: &Path, name: &str, room: &str, seconds: &str, service: &str) -> Self {
        use std::io::BufRead as _;
        let words = ["join", room, "--hidden", "--for", seconds, "--name", name, "--rendezvous", service];
        let mut process = program(profile, &words).stderr(std::process::Stdio::null()).spawn().expect("started");
        let lines = std::io::BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { process, lines }
    }

    /// The next event of this kind; the run's own end is the deadline.
    fn event(&mut self, kind: &str) -> Option<serde_json::Value> {
        let events = self.lines.by_ref().map(|line| serde_json::from_str(&line.expect("read")).expect("JSON"));
        events.into_iter().find(|event: &serde_json::Value| event["event"] == kind)
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_meeting_found_by_the_rendezvous_outlives_it() {
    let dir = tempfile::tempdir().expect("temp dir");
    let serving = serving(&dir.path().join("service"));
    let service = serving.service.clone();
    let start =
        |name: &str, room: &str, seconds: &str| Joined::start(&dir.path().join(name), name, room, seconds, &service);
    // Nothing is announced on the network, so only the service can have brought them together.
    // Bo leaves first: two who leave at one moment do not see each other go.
    let (mut ada, mut bo) = (start("ada", "room", "12"), start("bo", "room", "9"));
    assert_eq!(ada.event("joined").expect("bo came")["name"], "bo");
    assert_eq!(bo.event("joined").expect("ada came")["name"], "ada");
    drop(serving);
    // Whoever comes now is told, and goes on.
    let mut cy = start("cy", "elsewhere", "1");
    assert_eq!(cy.event("warning").expect("told")["code"], "rendezvous-unreachable");
    assert_eq!(cy.process.wait().expect("ended").code(), Some(0));
    // The two stay together until one of them leaves.
    let left = ada.event("left").expect("bo is gone before");
    assert_eq!(left["reason"], "goodbye");
    assert_eq!(ada.process.wait().expect("ended").code(), Some(0));
    assert_eq!(bo.process.wait().expect("ended").code(), Some(0));
}

#[test]
fn a_file_reaches_whoever_waits_under_a_username() {
    use std::io::BufRead as _;
    let dir = tempfile::tempdir().expect("temp dir");
    let (alices, bobs, landed) = (dir.path().join("alice"), dir.path().join("bob"), dir.path().join("landed"));
    let serving = serving(&dir.path().join("service"));
    let here = serving.service.as_str();
    std::fs::create_dir(&landed).expect("folder");
    let file = dir.path().join("song.bin");
    std::fs::write(&file, vec![7_u8; 100_000]).expect("written");
    let to_alice = ["drop", file.to_str().expect("text"), "--to", "@alice", "--wait", "0.2", "--rendezvous", here];
    assert_eq!(outcome(program(&alices, &["name", "claim", "alice", "--rendezvous", here])).0, Some(0));
    // She has a name and no run: nothing says where she is.
    let (code, _, said) = outcome(program(&bobs, &to_alice));
    assert!(code == Some(3) && said.contains("has no known address"), "{said}");
    // Nothing is announced on the network, so only the service can tell.
    let words =
        ["receive", "--hidden", "--yes", "--once", "--dir", landed.to_str().expect("text"), "--rendezvous", here];
    let mut process = program(&alices, &words).spawn().expect("started");
    let mut line = String::new();
    std::io::BufReader::new(process.stdout.as_mut().expect("piped")).read_line(&mut line).expect("ready");
    let (code, _, said) = outcome(program(&bobs, &to_alice));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(process.wait().expect("ended").code(), Some(0));
    assert_eq!(std::fs::read(landed.join("song.bin")).expect("landed").len(), 100_000);
    // Nobody to ask and no --yes: it is declined, and that was the once.
    let words = ["receive", "--hidden", "--once", "--dir", landed.to_str().expect("text"), "--rendezvous", here];
    let mut process = program(&alices, &words).spawn().expect("started");
    std::io::BufReader::new(process.stdout.as_mut().expect("piped")).read_line(&mut line).expect("ready");
    assert_eq!(outcome(program(&bobs, &to_alice)).0, Some(4));
    assert_eq!(process.wait().expect("ended").code(), Some(4));
    // Another key than before is no service to wait at.
    let wrong = format!("{}#{}", here.split('#').next().expect("a place"), "0".repeat(64));
    assert_eq!(outcome(program(&bobs, &["receive", "--hidden", "--rendezvous", &wrong])).0, Some(4));
}
