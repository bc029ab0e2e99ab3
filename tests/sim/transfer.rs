//! File transfers between two peers over a bad network: what is offered is stored on one side and known to be stored on
//! the other, or both hear that it is over. Streams are played by groups in virtual time; a cut loses whatever is on
//! its way, words and bytes alike, which is worse than what the mesh promises.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lets_meet::framing::Message;
use lets_meet::id::{Instance, LinkKey, PeerId, TransferId};
use lets_meet::mesh::transfer::{
    Accept, Event, Expected, Fault, GROUP, Hash, Head, Offer, Output, Reason, Refused, Span, Transfers, What, Word,
};
use lets_meet::share::FileName;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::net::{self, Conn, Net, Path, Site};

const ROOT: Hash = [7; 32];
/// Between two groups of a stream: 25 MB/s.
const TICK: Duration = Duration::from_millis(10);
const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
enum Parcel {
    Hello,
    Word(Message),
    Head(Head),
    Group { head: Head, offset: u64 },
    Trailer(Head),
}

struct Peer {
    site: Site,
    key: LinkKey,
    transfers: Transfers,
    conn: Option<Conn>,
    // What is being sent: the head, the next byte, the end.
    sending: BTreeMap<TransferId, (Head, u64, u64)>,
    sizes: BTreeMap<TransferId, u64>,
    // What is being received: the running attempt, and the bytes on disk.
    running: BTreeMap<TransferId, (Head, Expected)>,
    disk: BTreeMap<TransferId, u64>,
    stored: Vec<TransferId>,
    events: Vec<Event>,
}

impl Peer {
    fn new(site: Site, number: u8, accept: Accept) -> Self {
        let key = LinkKey { peer: PeerId::from_bytes([number; 32]), instance: Instance::from_u64(number.into()) };
        let transfers = Transfers::new(accept);
        Self {
            site,
            key,
            transfers,
            conn: None,
            sending: BTreeMap::new(),
            sizes: BTreeMap::new(),
            running: BTreeMap::new(),
            disk: BTreeMap::new(),
            stored: Vec::new(),
            events: Vec::new(),
        }
    }

    fn over(&self, id: TransferId) -> Option<What> {
        self.whats(id)
            .into_iter()
            .find(|what| matches!(what, What::Done { .. } | What::Failed { .. } | What::Declined(_)))
    }

    fn whats(&self, id: TransferId) -> Vec<What> {
        let of = |event: &Event| match event {
            Event::File { about, what } if about.transfer == id => Some(what.clone()),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }
}

/// Two peers; the first one dials.
struct World {
    net: Net<Parcel>,
    peers: [Peer; 2],
    redial: Option<Instant>,
}

impl World {
    fn new(seed: u64, path: Path, accept: Accept) -> Self {
        let mut net = Net::new(seed);
        net.set_all(path);
        let (a, b) = (net.site(), net.site());
        let peers = [Peer::new(a, 1, accept), Peer::new(b, 2, accept)];
        let mut world = Self { net, peers, redial: None };
        world.dial();
        world.run(SECOND);
        world
    }

    fn dial(&mut self) {
        let [a, b] = &mut self.peers;
        let conn = self.net.open(a.site, b.site);
        a.conn = Some(conn);
        self.net.send(conn, a.site, Parcel::Hello);
        a.transfers.on_linked(self.net.now(), b.key);
        self.drain(0);
    }

    /// The link breaks for both at once; whatever is on its way is lost. It is dialed again after `pause`.
    fn cut(&mut self, pause: Option<Duration>) {
        let now = self.net.now();
        for i in [0, 1] {
            if let Some(conn) = self.peers[i].conn {
                self.net.cut(conn, self.peers[i].site);
            }
            self.lose(i);
        }
        self.redial = pause.map(|pause| now + pause);
        if let Some(at) = self.redial {
            self.net.timer(self.peers[0].site, at);
        }
    }

    fn lose(&mut self, i: usize) {
        let (now, other) = (self.net.now(), self.peers[1 - i].key);
        let peer = &mut self.peers[i];
        peer.conn = None;
        peer.sending.clear();
        peer.transfers.on_unlinked(now, other);
        for (id, (head, _)) in std::mem::take(&mut peer.running) {
            peer.transfers.on_received(now, id, head.attempt, Err(Fault::Broken));
        }
        self.drain(i);
    }

    fn offer(&mut self, i: usize, id: u64, size: u64) -> Result<TransferId, Refused> {
        let (now, to) = (self.net.now(), self.peers[1 - i].key);
        let id = TransferId::from_u64(id);
        let peer = &mut self.peers[i];
        peer.sizes.insert(id, size);
        peer.transfers.offer(now, id, to, FileName::new("a.bin"), size, PathBuf::from("a.bin"))?;
        self.drain(i);
        Ok(id)
    }

    fn run(&mut self, time: Duration) {
        let until = self.net.now() + time;
        while let Some(event) = self.net.next(until) {
            let i = event.at().0;
            match event {
                net::Event::Message { conn, message, .. } => self.on_parcel(i, conn, message),
                net::Event::Timer { .. } => self.on_timer(i),
                net::Event::Closed { conn, .. } if self.peers[i].conn == Some(conn) => self.lose(i),
                _ => {}
            }
            self.drain(i);
        }
    }

    fn on_timer(&mut self, i: usize) {
        let now = self.net.now();
        if i == 0 && self.redial.is_some_and(|at| at <= now) {
            self.redial = None;
            self.dial();
        }
        let peer = &mut self.peers[i];
        peer.transfers.on_timeout(now);
        for (id, (head, at, end)) in std::mem::take(&mut peer.sending) {
            let Some(conn) = peer.conn else { continue };
            if at < end {
                self.net.send(conn, peer.site, Parcel::Group { head, offset: at });
                let size = peer.sizes[&id];
                peer.sending.insert(id, (head, (at + GROUP).min(size), end));
                self.net.timer(peer.site, now + TICK);
            } else {
                self.net.send(conn, peer.site, Parcel::Trailer(head));
                peer.transfers.on_sent(now, id, head.attempt, Ok(ROOT));
            }
        }
    }

    fn on_parcel(&mut self, i: usize, conn: Conn, parcel: Parcel) {
        let (now, from) = (self.net.now(), self.peers[1 - i].key);
        let peer = &mut self.peers[i];
        if matches!(parcel, Parcel::Hello) {
            peer.conn = Some(conn);
            peer.transfers.on_linked(now, from);
            return;
        }
        if peer.conn != Some(conn) {
            return;
        }
        match parcel {
            Parcel::Hello => {}
            Parcel::Word(message) => peer.transfers.on_message(now, from, &message),
            Parcel::Head(head) => {
                if let Some(expected) = peer.transfers.on_stream(now, from, head) {
                    peer.running.insert(head.id, (head, expected));
                }
            }
            Parcel::Group { head, offset } => {
                let Some((_, expected)) = peer.running.get(&head.id).filter(|(h, _)| *h == head) else { return };
                let done = peer.disk.get_mut(&head.id).expect("prepared");
                assert!(offset <= *done, "a gap: {offset} after {done}");
                *done = (*done).max((offset + GROUP).min(expected.size));
                peer.transfers.on_written(now, head.id, *done);
            }
            Parcel::Trailer(head) => {
                let Some((_, expected)) = peer.running.get(&head.id).filter(|(h, _)| *h == head) else { return };
                assert_eq!(peer.disk[&head.id], expected.size);
                peer.running.remove(&head.id);
                peer.stored.push(head.id);
                peer.transfers.on_received(now, head.id, head.attempt, Ok((PathBuf::from("stored"), ROOT)));
            }
        }
    }

    fn drain(&mut self, i: usize) {
        let now = self.net.now();
        while let Some(output) = self.peers[i].transfers.poll_output() {
            let peer = &mut self.peers[i];
            match output {
                Output::Send { message, .. } => {
                    if let Some(conn) = peer.conn {
                        self.net.send(conn, peer.site, Parcel::Word(message));
                    }
                }
                Output::Event(event) => peer.events.push(event),
                Output::Open { transfer, attempt, spans, .. } => {
                    let Some(conn) = peer.conn else { continue };
                    let head = Head { id: transfer, attempt };
                    self.net.send(conn, peer.site, Parcel::Head(head));
                    let span = spans.first().copied().unwrap_or(Span { start: 0, end: 0 });
                    peer.sending.insert(transfer, (head, span.start, span.end));
                    self.net.timer(peer.site, now + TICK);
                }
                Output::Prepare { transfer, .. } => {
                    peer.disk.insert(transfer, 0);
                    peer.transfers.on_prepared(now, transfer, Ok(()));
                }
                Output::Close { transfer } => {
                    peer.sending.remove(&transfer);
                    peer.running.remove(&transfer);
                    peer.disk.remove(&transfer);
                }
            }
        }
        if let Some(at) = self.peers[i].transfers.poll_timeout() {
            self.net.timer(self.peers[i].site, at);
        }
    }

    fn assert_idle(&self) {
        for peer in &self.peers {
            assert_eq!(peer.transfers.poll_timeout(), None, "something is still under way");
            assert!(peer.sending.is_empty() && peer.running.is_empty() && peer.disk.is_empty());
        }
    }
}

fn failed(reason: Reason) -> Option<What> {
    Some(What::Failed { reason, resumable: false })
}

fn is_done(what: Option<What>) -> bool {
    matches!(what, Some(What::Done { blake3: ROOT, .. }))
}

#[test]
fn every_file_arrives_whole_over_every_path() {
    for seed in net::seeds(5) {
        for path in [Path::LAN, Path::WIFI, Path::FAR] {
            let mut world = World::new(seed, path, Accept::All);
            for (id, size) in [0, 1, GROUP, 40 * GROUP + 3].into_iter().enumerate() {
                world.offer(0, id as u64, size).expect("room");
                world.offer(1, 100 + id as u64, size).expect("room");
            }
            world.run(30 * SECOND);
            for id in [0, 1, 2, 3, 100, 101, 102, 103].map(TransferId::from_u64) {
                assert!(world.peers.iter().all(|peer| is_done(peer.over(id))), "{id}");
            }
            world.assert_idle();
        }
    }
}

#[test]
fn a_file_survives_any_number_of_cuts() {
    for seed in net::seeds(40) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::new(seed, Path::WIFI, Accept::All);
        let id = world.offer(0, 1, 200 * GROUP).expect("room");
        for _ in 0..10 {
            world.run(Duration::from_millis(rng.random_range(0..900)));
            world.cut(Some(Duration::from_millis(rng.random_range(0..8_000))));
            world.run(Duration::from_millis(rng.random_range(0..9_000)));
        }
        world.run(60 * SECOND);
        assert!(world.peers.iter().all(|peer| is_done(peer.over(id))), "{:?}", world.peers[1].over(id));
        assert_eq!(world.peers[1].stored, [id], "stored once");
        world.assert_idle();
    }
}

#[test]
fn a_cut_of_five_seconds_costs_five_seconds_and_no_byte_twice() {
    let mut world = World::new(1, Path::LAN, Accept::All);
    let id = world.offer(0, 1, 400 * GROUP).expect("room");
    world.run(2 * SECOND);
    let before = world.peers[1].disk[&id];
    assert!(before > 100 * GROUP);
    world.cut(Some(5 * SECOND));
    world.run(5 * SECOND + TICK);
    // The 200 groups that are missing take two seconds more.
    world.run(Duration::from_millis(2_500));
    assert!(world.peers.iter().all(|peer| is_done(peer.over(id))));
}

#[test]
fn a_peer_that_stays_away_ends_the_transfer_on_both_sides() {
    let mut world = World::new(1, Path::LAN, Accept::All);
    let id = world.offer(0, 1, 400 * GROUP).expect("room");
    world.run(SECOND);
    world.cut(None);
    world.run(29 * SECOND);
    assert!(world.peers.iter().all(|peer| peer.over(id).is_none()));
    world.run(2 * SECOND);
    assert!(world.peers.iter().all(|peer| peer.over(id) == failed(Reason::LinkLost)));
    world.assert_idle();
}

#[test]
fn an_offer_that_nobody_answers_expires_on_both_sides() {
    let mut world = World::new(1, Path::WIFI, Accept::Ask);
    let id = world.offer(0, 1, 10).expect("room");
    world.run(599 * SECOND);
    assert!(world.peers.iter().all(|peer| peer.whats(id) == [What::Offered]), "asking again is not a new offer");
    world.run(20 * SECOND);
    assert!(world.peers.iter().all(|peer| peer.over(id) == failed(Reason::Expired)));
    world.assert_idle();
}

#[test]
fn a_cancel_at_any_moment_ends_both_sides() {
    for seed in net::seeds(60) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::new(seed, Path::WIFI, Accept::All);
        let id = world.offer(0, 1, 20 * GROUP).expect("room");
        world.run(Duration::from_millis(rng.random_range(0..500)));
        let by = usize::from(rng.random_bool(0.5));
        if rng.random_bool(0.3) {
            world.cut(Some(SECOND));
        }
        let now = world.net.now();
        let _ = world.peers[by].transfers.cancel(now, id);
        world.drain(by);
        world.run(200 * SECOND);
        let ends = [0, 1].map(|i| world.peers[i].over(id));
        // A cancel that crosses the offer meets nobody; nothing else leaves a side without an end.
        assert!(ends[0].is_some() && (ends[1].is_some() || world.peers[1].events.is_empty()), "{ends:?}");
        let ended_twice =
            |i: usize| world.peers[i].whats(id).iter().filter(|w| matches!(w, What::Failed { .. })).count();
        assert!(ended_twice(0) <= 1 && ended_twice(1) <= 1);
        world.assert_idle();
    }
}

#[test]
fn a_silent_sender_is_given_up() {
    let mut world = World::new(1, Path::LAN, Accept::All);
    let id = world.offer(0, 1, 400 * GROUP).expect("room");
    world.run(SECOND);
    // Its process hangs: no group any more, the link stands.
    world.peers[0].sending.clear();
    world.run(125 * SECOND);
    assert_eq!(world.peers[1].over(id), failed(Reason::Stalled));
    assert!(matches!(world.peers[0].over(id), Some(What::Failed { .. })));
    world.assert_idle();
}

#[test]
fn roots_that_differ_fail_the_transfer_at_the_sender_too() {
    let mut world = World::new(1, Path::LAN, Accept::Ask);
    let id = world.offer(0, 1, 0).expect("room");
    let (now, from) = (world.net.now(), world.peers[1].key);
    let want = lets_meet::mesh::transfer::Want { id, attempt: 1, spans: Vec::new() };
    let done = lets_meet::mesh::transfer::Done { id, root: [8; 32] };
    for word in [Word::Want(want), Word::Done(done)] {
        world.peers[0].transfers.on_message(now, from, &word.message());
    }
    world.drain(0);
    world.run(SECOND);
    assert_eq!(world.peers[0].over(id), failed(Reason::HashMismatch));
}

#[test]
fn any_words_in_any_order_break_no_bound() {
    for seed in net::seeds(20) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::new(seed, Path::LAN, Accept::All);
        for id in 0..4 {
            world.offer(0, id, 3 * GROUP).expect("room");
        }
        let from = world.peers[1].key;
        for _ in 0..3_000 {
            let word = random_word(&mut rng);
            let now = world.net.now();
            world.peers[0].transfers.on_message(now, from, &word.message());
            let head = Head { id: TransferId::from_u64(rng.random_range(0..40)), attempt: rng.random_range(0..4) };
            let _ = world.peers[0].transfers.on_stream(now, from, head);
            world.drain(0);
            assert!(world.peers[0].disk.len() <= 32 && world.peers[0].sending.len() <= 4);
            if rng.random_bool(0.05) {
                world.run(TICK);
            }
        }
        let warnings = world.peers[0].events.iter().filter(|event| matches!(event, Event::Warning { .. })).count();
        assert!(warnings <= 2, "{warnings}");
        world.run(700 * SECOND);
        world.assert_idle();
    }
}

fn random_word(rng: &mut StdRng) -> Word {
    use lets_meet::mesh::transfer::{Confirm, Done, End, Offer, Want};
    let id = TransferId::from_u64(rng.random_range(0..40));
    let size = [0, 1, GROUP, 1 << 40, u64::MAX][rng.random_range(0..5)];
    match rng.random_range(0..6) {
        0 => Word::Offer(Offer { id, name: FileName::new("x"), size, root: None }),
        1 => {
            let spans = vec![Span { start: 0, end: 3 * GROUP }];
            Word::Want(Want { id, attempt: rng.random_range(0..5), spans })
        }
        2 => Word::Decline(End { id, reason: Reason::Declined }),
        3 => Word::Cancel(End { id, reason: Reason::Cancelled }),
        4 => Word::Confirm(Confirm { id, done: size, rate: rng.random() }),
        _ => Word::Done(Done { id, root: ROOT }),
    }
}

#[test]
fn visitors_leave_room_for_offers_of_the_seated() {
    let now = lets_meet::clock::now();
    let key = |n: u8| LinkKey { peer: PeerId::from_bytes([n; 32]), instance: Instance::from_u64(n.into()) };
    let mut transfers = Transfers::new(Accept::Ask);
    let mut next = 0;
    let mut offer = |transfers: &mut Transfers, from: LinkKey| {
        next += 1;
        let offer = Offer { id: TransferId::from_u64(next), name: FileName::new("a"), size: 1, root: None };
        transfers.on_message(now, from, &Word::Offer(offer).message());
        std::iter::from_fn(|| transfers.poll_output())
            .filter(|output| matches!(output, Output::Event(Event::File { what: What::Offered, .. })))
            .count()
    };
    let mut offered = 0;
    for visitor in 10..30 {
        transfers.on_visitor(now, key(visitor));
        offered += (0..40).map(|_| offer(&mut transfers, key(visitor))).sum::<usize>();
    }
    assert_eq!(offered, 192);
    transfers.on_linked(now, key(1));
    assert_eq!(offer(&mut transfers, key(1)), 1);
}

#[test]
fn a_thousand_offers_a_second_are_declined_with_one_warning() {
    let mut world = World::new(1, Path::LAN, Accept::Ask);
    let from = world.peers[0].key;
    for second in 0..20 {
        for i in 0..1_000 {
            let id = TransferId::from_u64(second * 1_000 + i);
            let offer = lets_meet::mesh::transfer::Offer { id, name: FileName::new("x"), size: 1, root: None };
            let now = world.net.now();
            world.peers[1].transfers.on_message(now, from, &Word::Offer(offer).message());
            world.drain(1);
        }
        world.run(SECOND);
    }
    let events = &world.peers[1].events;
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Warning { code: "flood", .. })).count(), 1);
    assert_eq!(events.len(), 33, "32 offers for a person to answer");
}
