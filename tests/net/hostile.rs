//! Peers and strangers that mean no good. After each attack the attacked peer must still take a new peer in, and must
//! have given at most one warning.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lets_meet::clock;
use lets_meet::endpoint::{self, Endpoint};
use lets_meet::framing::{Decoder, MAX_MESSAGE, Message};
use lets_meet::id::{Instance, PeerId, RoomId, RoomName};
use lets_meet::identity::Identity;
use lets_meet::media;
use lets_meet::mesh::roster::{Entry, Refusal};
use lets_meet::mesh::wire::{self, Control, Hello};
use lets_meet::mesh::{self, LeaveReason, Seat};
use lets_meet::share::DisplayName;
use lets_meet::tls::{Alpn, Pin};
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Notify;

use crate::link::{Peer, peer, sighting};

/// Somebody who speaks the protocol by hand.
pub struct Stranger {
    endpoint: Endpoint,
    identity: Arc<Identity>,
    connection: quinn::Connection,
    send: quinn::SendStream,
    recv: quinn::RecvStream,
    decoder: Decoder,
}

fn hello(name: &str) -> Hello {
    Hello {
        versions: vec![1],
        instance: Instance::draw(),
        name: DisplayName::new(name),
        capabilities: Vec::new(),
        room: Some(RoomName::new("tea").expect("valid").id()),
        seat: true,
        listen: Vec::new(),
        clock: None,
        generation: 0,
    }
}

impl Stranger {
    /// Connects, without a word.
    async fn dial(address: SocketAddr) -> Self {
        let identity = Arc::new(Identity::generate());
        let config = endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] };
        let endpoint = Endpoint::bind(config, Arc::clone(&identity)).expect("bound");
        let connection = endpoint.connect(address, Pin::Learn, Alpn::Mesh).await.expect("connected");
        let (send, recv) = connection.open_bi().await.expect("opened");
        Self { endpoint, identity, connection, send, recv, decoder: Decoder::new() }
    }

    pub fn id(&self) -> PeerId {
        self.identity.peer_id()
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        // The peer may close at any moment.
        let _ = self.send.write_all(bytes).await;
    }

    pub async fn say(&mut self, control: &Control) {
        self.write(&control.encode().encode()).await;
    }

    /// The next message, `None` when the peer closed.
    async fn read(&mut self) -> Option<Message> {
        let next = async {
            loop {
                if let Some(message) = self.decoder.poll().expect("an honest peer") {
                    return Some(message);
                }
                self.decoder.push(&self.recv.read_chunk(4096, true).await.ok()??.bytes);
            }
        };
        tokio::time::timeout(Duration::from_secs(10), next).await.expect("in time")
    }

    /// Reads until `pick` takes a message.
    async fn wait<T>(&mut self, mut pick: impl FnMut(Control) -> Option<T>) -> Option<T> {
        loop {
            let message = self.read().await?;
            if let Ok(control) = Control::decode(&message)
                && let Some(found) = pick(control)
            {
                return Some(found);
            }
        }
    }

    /// Takes a seat: hello both ways, and whoever decides says so.
    pub async fn sit(address: SocketAddr, name: &str) -> Self {
        let mut stranger = Self::dial(address).await;
        stranger.say(&Control::Hello(hello(name))).await;
        let theirs = endpoint::public_key(&stranger.connection).expect("a key").peer_id();
        stranger.wait(|control| matches!(control, Control::Hello(_)).then_some(())).await.expect("a hello");
        if stranger.id() < theirs {
            stranger.say(&Control::Seated).await;
        } else {
            stranger.wait(|control| matches!(control, Control::Seated).then_some(())).await.expect("a seat");
        }
        stranger
    }

    /// Sends a datagram.
    #[cfg(feature = "media")]
    pub async fn send(&self, bytes: Vec<u8>) {
        self.connection.send_datagram_wait(bytes.into()).await.expect("linked");
    }

    pub async fn end(self) {
        self.endpoint.close("").await;
    }
}

/// Visits `address` as somebody who knows nothing of a room, asking for `room`, and gives the answer.
async fn asks_for(address: SocketAddr, room: Option<RoomId>, seat: bool) -> Control {
    let mut stranger = Stranger::dial(address).await;
    stranger.say(&Control::Hello(Hello { room, seat, ..hello("Eve") })).await;
    let answer = stranger.wait(Some).await.expect("an answer");
    stranger.end().await;
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_learns_no_room_from_a_caller_and_gets_no_seat() {
    let room = RoomName::of_call([7; 16]);
    let victim = peer("Ann", Some(room.as_str()));
    let Control::Hello(heard) = asks_for(victim.address, None, false).await else { panic!("no visit") };
    assert_eq!((heard.room, heard.seat), (None, false));
    let wrong = Some(RoomName::new("tea").expect("valid").id());
    let Control::Hello(heard) = asks_for(victim.address, wrong, false).await else { panic!("no visit") };
    assert_eq!((heard.room, heard.seat), (None, false));
    for room in [heard.room, wrong] {
        assert_eq!(asks_for(victim.address, room, true).await, Control::Refuse(Refusal::OtherRoom));
    }
    // Who was told the room gets in.
    let Control::Hello(heard) = asks_for(victim.address, Some(room.id()), true).await else { panic!("no seat") };
    assert_eq!((heard.room, heard.seat), (Some(room.id()), true));
    victim.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_keeps_its_own_room_to_itself() {
    let room = RoomName::of_call([7; 16]);
    let victim = peer("Ann", Some(room.as_str()));
    let identity = Arc::new(Identity::generate());
    let config = endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] };
    let endpoint = Endpoint::bind(config, Arc::clone(&identity)).expect("bound");
    let mut incoming = endpoint.accept(Alpn::Mesh);
    victim.handle.reach(identity.peer_id(), vec![(Ipv4Addr::LOCALHOST, endpoint.port()).into()]);
    let heard = async {
        let connection = incoming.recv().await.expect("dialed");
        let (send, recv) = connection.accept_bi().await.expect("a control stream");
        let decoder = Decoder::new();
        let mut stranger = Stranger { endpoint, identity, connection, send, recv, decoder };
        let heard = stranger.wait(|control| if let Control::Hello(hello) = control { Some(hello) } else { None }).await;
        stranger.end().await;
        heard.expect("a hello")
    };
    let heard = tokio::time::timeout(Duration::from_secs(20), heard).await.expect("in time");
    assert_eq!((heard.room, heard.seat), (None, false));
    victim.end().await;
}

/// The peer still takes somebody in, and has warned of exactly `codes` (each once).
async fn still_serves(mut peer: Peer, codes: &[&str]) {
    let mut friend = crate::link::peer("Friend", Some("tea"));
    friend.handle.sighting(sighting(None, peer.address));
    let id = friend.id();
    let mut warned = Vec::new();
    peer.wait("friend", |event| match event {
        mesh::Event::Warning { code, .. } => {
            warned.push(*code);
            None
        }
        mesh::Event::Linked(linked) if linked.key.peer == id => Some(()),
        _ => None,
    })
    .await;
    let at_friend = friend.linked().await;
    assert_eq!(at_friend.key.peer, peer.id());
    friend.handle.send(peer.id(), Message { kind: 70, body: Bytes::from_static(b"hi") }).expect("linked");
    let said = peer.wait("word", |event| match event {
        mesh::Event::Warning { code, .. } => {
            warned.push(*code);
            None
        }
        mesh::Event::Message { from, message } if from.peer == id => Some(message.clone()),
        _ => None,
    });
    assert_eq!(&*said.await.body, b"hi");
    assert_eq!(warned, codes);
    peer.end().await;
    friend.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_packets_are_dropped_with_one_warning() {
    let victim = peer("Ann", Some("tea"));
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bound");
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    for round in 0..2 {
        for size in 0..=1472 {
            let mut packet = vec![0_u8; size];
            random.fill(&mut packet[..]);
            // Half of them pass for QUIC at first sight.
            if let Some(first) = packet.first_mut().filter(|_| round == 1) {
                *first |= 0xc0;
            }
            let _ = socket.send_to(&packet, victim.address).await;
        }
    }
    still_serves(victim, &["bad-input"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datagrams_of_every_length_are_survived() {
    let mut victim = peer("Ann", Some("tea"));
    let stranger = Stranger::sit(victim.address, "Mal").await;
    victim.linked().await;
    let mut random = rand::rngs::StdRng::seed_from_u64(8);
    let most = stranger.connection.max_datagram_size().expect("datagrams");
    for size in 0..=most {
        let mut datagram = vec![0_u8; size];
        random.fill(&mut datagram[..]);
        stranger.connection.send_datagram_wait(datagram.into()).await.expect("linked");
    }
    // One of a kind from the future, and one too short, so that both counters must move.
    let future = wire::Header { kind: 99, track: 1, sequence: 1, sent: 1 };
    stranger.connection.send_datagram_wait(Bytes::copy_from_slice(&future.encode())).await.expect("linked");
    let counted = async {
        loop {
            let odd = victim.handle.oddities(stranger.id()).expect("linked");
            if odd.unknown_datagrams > 0 && odd.bad_datagrams > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), counted).await.expect("counted");
    still_serves(victim, &["bad-input", "unknown-message"]).await;
    stranger.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_by_its_length_field_closes_the_link() {
    let mut victim = peer("Ann", Some("tea"));
    let mut stranger = Stranger::sit(victim.address, "Mal").await;
    victim.linked().await;
    stranger.write(&(1_u32 << 30).to_be_bytes()).await;
    stranger.write(&[0xff; 1000]).await;
    assert!(stranger.wait(|_| None::<()>).await.is_none(), "closed");
    still_serves(victim, &["bad-input"]).await;
    stranger.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_and_broken_bodies_are_ignored() {
    let mut victim = peer("Ann", Some("tea"));
    let mut stranger = Stranger::sit(victim.address, "Mal").await;
    victim.linked().await;
    let mut nested = vec![0x81; 100_000];
    nested.push(0);
    for kind in [wire::kind::GOSSIP, wire::kind::PING, wire::kind::RENAME, wire::kind::CONFIRM] {
        stranger.write(&Message { kind, body: nested.clone().into() }.encode()).await;
        stranger.write(&Message { kind, body: Bytes::from_static(&[0xff, 0x00]) }.encode()).await;
    }
    // From the future: skipped.
    stranger.write(&Message { kind: 63, body: Bytes::from_static(&[0xff]) }.encode()).await;
    // The link lives.
    stranger.say(&Control::Ping(wire::Ping { t: 5 })).await;
    let pong = stranger.wait(|control| match control {
        Control::Pong(pong) => Some(pong.t),
        _ => None,
    });
    assert_eq!(pong.await, Some(5));
    assert_eq!(victim.handle.oddities(stranger.id()).expect("linked").unknown_messages, 1);
    still_serves(victim, &["bad-input", "unknown-message"]).await;
    stranger.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_version_is_refused_with_its_reason() {
    let victim = peer("Ann", Some("tea"));
    let mut stranger = Stranger::dial(victim.address).await;
    let mut future = hello("Mal");
    future.versions = vec![98, 99];
    stranger.say(&Control::Hello(future)).await;
    let refused = stranger.wait(|control| match control {
        Control::Refuse(refusal) => Some(refusal),
        _ => None,
    });
    assert_eq!(refused.await, Some(Refusal::Version));
    still_serves(victim, &["wrong-version"]).await;
    stranger.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_roster_entries_do_no_harm() {
    let mut victim = peer("Ann", Some("tea"));
    let mut stranger = Stranger::sit(victim.address, "Mal").await;
    victim.linked().await;
    for page in 0..160_u64 {
        let entries = (0..64_u64).map(|n| {
            let mut id = [1; 32];
            id[..8].copy_from_slice(&(page * 64 + n).to_be_bytes());
            Entry {
                peer: PeerId::from_bytes(id),
                instance: Instance::from_u64(n),
                name: Some(DisplayName::new("Ghost")),
                // Nobody is there: the discard port of this machine.
                addresses: vec![(Ipv4Addr::LOCALHOST, 9).into()],
            }
        });
        stranger.say(&Control::Gossip(entries.collect())).await;
    }
    stranger.say(&Control::Ping(wire::Ping { t: 6 })).await;
    stranger.wait(|control| matches!(control, Control::Pong(_)).then_some(())).await.expect("an answer");
    still_serves(victim, &[]).await;
    stranger.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_full_of_roster_entries_makes_few_peers_known_and_few_dials() {
    let mut victim = peer("Ann", Some("tea"));
    let mut stranger = Stranger::sit(victim.address, "Mal").await;
    victim.linked().await;
    // Somebody is there, and counts who comes; nobody says a word to them.
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bound");
    let trap = socket.local_addr().expect("bound");
    let entry = |n: u64| {
        let mut id = [1; 32];
        id[..8].copy_from_slice(&n.to_be_bytes());
        Entry { peer: PeerId::from_bytes(id), instance: Instance::from_u64(n), name: None, addresses: vec![trap] }
    };
    let one = Control::Gossip(vec![entry(u64::MAX)]).encode().body.len();
    let many = u64::try_from((MAX_MESSAGE - 64) / one).expect("small").min(10_000);
    let message = Control::Gossip((0..many).map(entry).collect()).encode();
    assert!(message.body.len() + 2 <= MAX_MESSAGE && many > 500, "{many} entries, {} bytes", message.body.len());
    stranger.write(&message.encode()).await;
    stranger.say(&Control::Ping(wire::Ping { t: 6 })).await;
    stranger.wait(|control| matches!(control, Control::Pong(_)).then_some(())).await.expect("an answer");
    // Every first packet of a dial has a source connection id of its own, behind the flags, the version and the target.
    let mut dials = std::collections::BTreeSet::new();
    let until = clock::now() + Duration::from_secs(3);
    let mut packet = [0; 2000];
    while let Ok(Ok(size)) = tokio::time::timeout_at(until.into(), socket.recv(&mut packet)).await {
        let target = usize::from(packet[5]);
        dials.insert(packet[..size].get(6..6 + target).expect("a long header").to_vec());
    }
    // As many as there are seats, whatever it says; each may be dialed again meanwhile.
    assert!(!dials.is_empty() && dials.len() <= 3 * 50, "{} dials", dials.len());
    let mut sighted = 0;
    let mut codes = Vec::new();
    let marker = sighting(Some(PeerId::from_bytes([2; 32])), (Ipv4Addr::LOCALHOST, 9).into());
    victim.handle.sighting(marker.clone());
    victim
        .wait("marker", |event| match event {
            mesh::Event::Sighted(seen) if seen.peer == marker.peer => Some(()),
            mesh::Event::Sighted(_) => {
                sighted += 1;
                None
            }
            mesh::Event::Warning { code, .. } => {
                codes.push(*code);
                None
            }
            _ => None,
        })
        .await;
    assert!((1..=50).contains(&sighted), "{sighted} peers known");
    assert!(codes.is_empty(), "{codes:?}");
    still_serves(victim, &[]).await;
    stranger.end().await;
}

/// Sends voice without a seat: it is no call, and nobody hears it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_packets_of_a_visitor_are_no_call() {
    let mut victim = peer("Ann", Some("tea"));
    let mut stranger = Stranger::dial(victim.address).await;
    stranger.say(&Control::Hello(Hello { seat: false, ..hello("Mal") })).await;
    assert_eq!(victim.linked().await.seat, Seat::Visitor);
    let voice = wire::Header { kind: media::PacketKind::Audio.as_u8(), track: 0, sequence: 1, sent: 1 };
    let future = wire::Header { kind: 99, ..voice };
    for header in [voice, voice, voice, future] {
        stranger.connection.send_datagram_wait(Bytes::copy_from_slice(&header.encode())).await.expect("linked");
    }
    // The last one is told: all were read.
    assert_eq!(victim.warning().await, "unknown-message");
    let received = victim.handle.rates().received;
    assert_eq!((received.audio, received.video), (0, 0));
    still_serves(victim, &[]).await;
    stranger.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_closes_with_replaced_loses_its_own_seat_only() {
    let mut victim = peer("Ann", Some("tea"));
    let stranger = Stranger::sit(victim.address, "Mal").await;
    victim.linked().await;
    stranger.connection.close(19_u32.into(), b"replaced");
    let reason = victim.wait("end", |event| match event {
        mesh::Event::Left { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason.await, LeaveReason::Removed);
    still_serves(victim, &[]).await;
    stranger.end().await;
}

/// Takes one connection after another and refuses each, until dropped.
async fn refuse_all(endpoint: &Endpoint, refusal: Refusal, refused: &Notify) {
    let mut incoming = endpoint.accept(Alpn::Mesh);
    while let Some(connection) = incoming.recv().await {
        let Ok((mut send, _recv)) = connection.accept_bi().await else { continue };
        let _ = send.write_all(&Control::Refuse(refusal).encode().encode()).await;
        let _ = send.finish();
        let _ = send.stopped().await;
        refused.notify_one();
        connection.closed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_that_refuses_a_dial_ends_nothing() {
    for (refusal, warned) in [(Refusal::Replaced, &[][..]), (Refusal::RoomFull, &["room-full"][..])] {
        let victim = peer("Ann", Some("tea"));
        let identity = Arc::new(Identity::generate());
        let config = endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] };
        let endpoint = Endpoint::bind(config, Arc::clone(&identity)).expect("bound");
        let address = (Ipv4Addr::LOCALHOST, endpoint.port()).into();
        let refused = Notify::new();
        let serve = async {
            victim.handle.sighting(sighting(Some(identity.peer_id()), address));
            tokio::time::timeout(Duration::from_secs(10), refused.notified()).await.expect("dialed");
            still_serves(victim, warned).await;
        };
        tokio::select! {
            () = refuse_all(&endpoint, refusal, &refused) => panic!("the endpoint ended"),
            () = serve => {}
        }
        endpoint.close("").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_come_up_clean() {
    let mut victim = peer("Ann", Some("tea"));
    let mut stranger = Stranger::dial(victim.address).await;
    // By hand: a DisplayName would not hold this.
    let nasty = "\u{202e}\u{1b}[2J\u{7}M\u{200b}al\n\u{feff}".to_owned() + &"x".repeat(5000);
    let mut honest = Control::Hello(hello("NAME")).encode().body.to_vec();
    let at = honest.windows(5).position(|w| w == b"\x64NAME").expect("the name");
    let mut text = vec![0x79];
    text.extend(u16::try_from(nasty.len()).expect("short").to_be_bytes());
    text.extend(nasty.as_bytes());
    honest.splice(at..at + 5, text);
    stranger.write(&Message { kind: wire::kind::HELLO, body: honest.into() }.encode()).await;
    let theirs = endpoint::public_key(&stranger.connection).expect("a key").peer_id();
    if stranger.id() < theirs {
        stranger.say(&Control::Seated).await;
    }
    let linked = victim.linked().await;
    assert_eq!(linked.seat, Seat::Room);
    assert!(linked.name.as_str().starts_with("[2JMalxx"), "{}", linked.name);
    assert_eq!(linked.name.as_str().chars().count(), 64);
    still_serves(victim, &[]).await;
    stranger.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_do_not_block_others() {
    let victim = peer("Ann", Some("tea"));
    // All from one address, as far as the victim can tell; the friend comes from it as well.
    let mut silent = Vec::new();
    for _ in 0..12 {
        silent.push(Stranger::dial(victim.address).await);
    }
    still_serves(victim, &[]).await;
    for stranger in silent {
        stranger.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_out_of_nowhere_are_survived() {
    let mut victim = peer("Ann", Some("tea"));
    let mut stranger = Stranger::sit(victim.address, "Mal").await;
    victim.linked().await;
    // A second hello, a second seat, numbers from far away, empty and unknown streams.
    stranger.say(&Control::Hello(hello("Again"))).await;
    stranger.say(&Control::Seated).await;
    stranger.say(&Control::Resume(1 << 40)).await;
    stranger.say(&Control::Resume(3)).await;
    stranger.say(&Control::Rename(DisplayName::new("Malo"))).await;
    for first in [0_u8, 2, 255] {
        let mut stream = stranger.connection.open_uni().await.expect("opened");
        stream.write_all(&[first, 1, 2, 3]).await.expect("written");
        let _ = stream.finish();
    }
    let name = victim.wait("rename", |event| match event {
        mesh::Event::Renamed { name, .. } => Some(name.clone()),
        _ => None,
    });
    assert_eq!(name.await.as_str(), "Malo");
    // A confirmation of what was never sent cannot be put right.
    stranger.say(&Control::Confirm(99)).await;
    assert!(stranger.wait(|_| None::<()>).await.is_none(), "closed");
    still_serves(victim, &["bad-input"]).await;
    stranger.end().await;
}
