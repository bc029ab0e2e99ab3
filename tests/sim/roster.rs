//! Rosters in a simulated network: everybody finds everybody, whatever the links do.
//!
//! Each peer is a real [`Roster`] with a small shell that plays the mesh: connections with a handshake, hellos, the
//! deciding side's word, a keep-alive each second, an idle timeout of 7 s. Discovery is a word in the ear
//! ([`World::announce`], [`World::tell`]).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lets_meet::id::{Instance, LinkKey, PeerId, RoomName};
use lets_meet::mesh::roster::{
    Attempt, Change, Closed, Config, DialFailure, Direction, Entry, Hello, LeaveReason, LinkId, Output, Presence,
    Refusal, Roster, Seat, Verdict,
};
use lets_meet::share::DisplayName;
use lets_meet::sighting::{Sighting, Source};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::net::{Conn, Event, Net, Path, Site, seeds};

const KEEP_ALIVE: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(7);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wire {
    Connect,
    Accept,
    Hello(LinkKey),
    Seated,
    Refused(Refusal),
    Goodbye,
    Gossip(Vec<Entry>),
    Ping,
    Pong,
}

#[derive(Debug)]
struct Line {
    attempt: Option<Attempt>,
    pinned: Option<PeerId>,
    remote: Site,
    link: Option<LinkId>,
    heard: Instant,
}

struct Peer {
    roster: Roster,
    key: LinkKey,
    site: Site,
    lines: BTreeMap<Conn, Line>,
    links: BTreeMap<LinkId, Conn>,
    next_link: u64,
    next_ping: Instant,
    log: Vec<(Duration, Change)>,
    dials: usize,
}

struct World {
    net: Net<Wire>,
    peers: Vec<Option<Peer>>,
    ids: Vec<PeerId>,
    seats: usize,
    runs: u64,
}

fn room() -> RoomName {
    RoomName::new("standup").expect("valid")
}

fn address(site: Site) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(site.0 + 1).expect("few sites")], 48190))
}

fn site_at(address: SocketAddr) -> Option<Site> {
    match address {
        SocketAddr::V4(v4) if v4.ip().octets()[..3] == [10, 0, 0] => Some(Site(usize::from(v4.ip().octets()[3]) - 1)),
        _ => None,
    }
}

impl World {
    fn new(seed: u64, count: usize, path: Path) -> Self {
        let mut net = Net::new(seed);
        net.set_all(path);
        // Ids in no order of the sites.
        let ids: Vec<PeerId> = (0..count)
            .map(|n| {
                let mut bytes = [0; 32];
                bytes[0] = u8::try_from((n * 89 + usize::try_from(seed).expect("small") * 37) % 251).expect("a byte");
                bytes[1] = u8::try_from(n).expect("few");
                PeerId::from_bytes(bytes)
            })
            .collect();
        let mut world = Self { net, peers: Vec::new(), ids, seats: 50, runs: seed * 1000 };
        for _ in 0..count {
            let _ = world.net.site();
            world.peers.push(None);
        }
        (0..count).for_each(|n| world.start(n));
        world
    }

    /// A process starts at site `n`.
    fn start(&mut self, n: usize) {
        self.runs += 1;
        let key = LinkKey { peer: self.ids[n], instance: Instance::from_u64(self.runs) };
        let config = Config { me: key, room: Some(room().id()), seats: self.seats, seed: self.runs };
        self.net.revive(Site(n));
        self.peers[n] = Some(Peer {
            roster: Roster::new(config),
            key,
            site: Site(n),
            lines: BTreeMap::new(),
            links: BTreeMap::new(),
            next_link: 0,
            next_ping: self.net.now() + KEEP_ALIVE,
            log: Vec::new(),
            dials: 0,
        });
        self.net.timer(Site(n), self.net.now());
    }

    fn crash(&mut self, n: usize) {
        self.net.crash(Site(n));
        self.peers[n] = None;
    }

    /// Says goodbye on every link and ends.
    fn leave(&mut self, n: usize) {
        let Some(mut peer) = self.peers[n].take() else { return };
        peer.roster.leave();
        for conn in peer.lines.keys() {
            self.net.send(*conn, peer.site, Wire::Goodbye);
            self.net.cut(*conn, peer.site);
        }
        self.net.timer(peer.site, self.net.now());
    }

    fn sighting(&self, n: usize, source: Source) -> Sighting {
        let peer = self.peers[n].as_ref().expect("it runs");
        Sighting {
            peer: Some(peer.key.peer),
            instance: Some(peer.key.instance),
            name: Some(DisplayName::new(&format!("peer {n}"))),
            addresses: vec![address(peer.site)],
            rooms: vec![room()],
            source,
            gone: false,
        }
    }

    /// `listener` is told of `n` by this source.
    fn tell(&mut self, listener: usize, n: usize, source: Source) {
        let sighting = self.sighting(n, source);
        let now = self.net.now();
        if let Some(peer) = &mut self.peers[listener] {
            peer.roster.on_sighting(now, &sighting);
            self.net.timer(Site(listener), now);
        }
    }

    /// Everybody who can be reached is told of `n`.
    fn announce(&mut self, n: usize) {
        for listener in 0..self.peers.len() {
            if listener != n && self.net.reachable(Site(n), Site(listener)) {
                self.tell(listener, n, Source::Mdns);
            }
        }
    }

    fn announce_all(&mut self) {
        (0..self.peers.len()).for_each(|n| self.announce(n));
    }

    /// Lets time pass until `done`, at most `limit`. Returns how long it took.
    fn until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Option<Duration> {
        let start = self.net.now();
        while !done(self) {
            let event = self.net.next(start + limit)?;
            self.handle(event);
        }
        Some(self.net.now() - start)
    }

    fn run(&mut self, time: Duration) {
        let _ = self.until(time, |_| false);
    }

    fn handle(&mut self, event: Event<Wire>) {
        let at = event.at();
        let Some(mut peer) = self.peers[at.0].take() else { return };
        match event {
            Event::Message { conn, from, message, .. } | Event::Datagram { conn, from, message, .. } => {
                peer.on_wire(&mut self.net, conn, from, message);
            }
            Event::Closed { conn, .. } => peer.on_end(&mut self.net, conn, Closed::Lost),
            Event::Timer { .. } => peer.on_timer(&mut self.net),
        }
        peer.drain(&mut self.net);
        self.peers[at.0] = Some(peer);
    }

    fn running(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().flatten()
    }

    /// Everybody of `sites` has a seat with everybody else of them, over one and the same connection.
    fn linked(&self, sites: &[usize]) -> bool {
        sites.iter().all(|a| {
            sites.iter().filter(|b| *b != a).all(|b| {
                let (Some(x), Some(y)) = (&self.peers[*a], &self.peers[*b]) else { return false };
                let line = |one: &Peer, other: &Peer| {
                    let fresh = one.roster.instance(other.key.peer) == Some(other.key.instance);
                    let steady = one.roster.presence(other.key.peer) == Some(Presence::Linked);
                    one.roster.link(other.key.peer).filter(|_| fresh && steady).map(|link| one.links[&link])
                };
                line(x, y).is_some() && line(x, y) == line(y, x)
            })
        })
    }

    /// Who does not see whom, for messages.
    fn gaps(&self) -> String {
        let mut out = String::new();
        for one in self.running() {
            for other in self.running().filter(|other| other.site != one.site) {
                let presence = one.roster.presence(other.key.peer);
                let instance = one.roster.instance(other.key.peer);
                if presence != Some(Presence::Linked) || instance != Some(other.key.instance) {
                    let (a, b) = (one.site.0, other.site.0);
                    let last = one.log.last();
                    out += &format!(
                        "{a} has {b} as {presence:?}, {instance:?}, last {last:?}, timer {:?};\n",
                        one.roster.poll_timeout().map(|at| at.saturating_duration_since(self.net.now()))
                    );
                }
            }
        }
        out
    }

    fn all_linked(&self) -> bool {
        self.linked(&(0..self.peers.len()).collect::<Vec<_>>())
    }
}

impl Peer {
    fn changes(&self, test: impl Fn(&Change) -> bool) -> usize {
        self.log.iter().filter(|(_, change)| test(change)).count()
    }

    fn on_wire(&mut self, net: &mut Net<Wire>, conn: Conn, from: Site, message: Wire) {
        let now = net.now();
        if message == Wire::Connect {
            let line = Line { attempt: None, pinned: None, remote: from, link: None, heard: now };
            self.lines.insert(conn, line);
            net.send(conn, self.site, Wire::Accept);
            return;
        }
        let Some(line) = self.lines.get_mut(&conn) else { return };
        line.heard = now;
        if let Some(link) = line.link {
            self.roster.on_heard(now, link);
        }
        let link = line.link;
        match (message, link) {
            // As the acknowledgement of a keep-alive.
            (Wire::Ping, _) => {
                net.datagram(conn, self.site, Wire::Pong);
            }
            (Wire::Accept, None) => {
                net.send(conn, self.site, Wire::Hello(self.key));
            }
            (Wire::Hello(key), None) => self.on_hello(net, conn, key),
            (Wire::Seated, Some(link)) => self.roster.on_seated(now, link),
            (Wire::Refused(refusal), _) => self.on_end(net, conn, Closed::Refused(refusal)),
            (Wire::Goodbye, Some(link)) => self.roster.on_goodbye(now, link),
            (Wire::Gossip(entries), Some(link)) => self.roster.on_gossip(now, link, &entries),
            _ => {}
        }
    }

    fn on_hello(&mut self, net: &mut Net<Wire>, conn: Conn, key: LinkKey) {
        let now = net.now();
        let Some(line) = self.lines.get_mut(&conn) else { return };
        if let (Some(attempt), Some(pinned)) = (line.attempt, line.pinned)
            && pinned != key.peer
        {
            self.roster.on_dial_failed(now, attempt, DialFailure::WrongKey);
            self.lines.remove(&conn);
            net.cut(conn, self.site);
            return;
        }
        let link = LinkId::from_u64(self.next_link);
        self.next_link += 1;
        let direction = line.attempt.map_or(Direction::Incoming, Direction::Outgoing);
        let hello = Hello {
            link,
            key,
            direction,
            address: address(line.remote),
            seat: Seat::Room,
            name: DisplayName::new("peer"),
            listen: vec![address(line.remote)],
        };
        let verdict = self.roster.on_hello(now, hello);
        if direction == Direction::Incoming && !matches!(verdict, Verdict::Refuse(_)) {
            net.send(conn, self.site, Wire::Hello(self.key));
        }
        match verdict {
            Verdict::Refuse(refusal) => {
                net.send(conn, self.site, Wire::Refused(refusal));
                self.lines.remove(&conn);
                net.cut(conn, self.site);
                return;
            }
            Verdict::Seated => {
                net.send(conn, self.site, Wire::Seated);
            }
            Verdict::Wait => {}
        }
        line.link = Some(link);
        line.attempt = None;
        self.links.insert(link, conn);
    }

    fn on_end(&mut self, net: &mut Net<Wire>, conn: Conn, how: Closed) {
        let now = net.now();
        let Some(line) = self.lines.remove(&conn) else { return };
        net.cut(conn, self.site);
        if let Some(link) = line.link {
            self.roster.on_closed(now, link, how);
        } else if let Some(attempt) = line.attempt {
            let why = match how {
                Closed::Lost => DialFailure::Unreachable,
                Closed::Refused(refusal) => DialFailure::Refused(refusal),
            };
            self.roster.on_dial_failed(now, attempt, why);
        }
    }

    fn on_timer(&mut self, net: &mut Net<Wire>) {
        let now = net.now();
        if now < self.next_ping {
            return;
        }
        self.next_ping = now + KEEP_ALIVE;
        let idle: Vec<Conn> = self.lines.iter().filter(|(_, l)| now - l.heard >= IDLE).map(|(conn, _)| *conn).collect();
        idle.into_iter().for_each(|conn| self.on_end(net, conn, Closed::Lost));
        for conn in self.lines.keys() {
            net.datagram(*conn, self.site, Wire::Ping);
        }
    }

    fn drain(&mut self, net: &mut Net<Wire>) {
        let now = net.now();
        while let Some(output) = self.roster.poll_output(now) {
            match output {
                Output::Dial { attempt, address, peer, .. } => {
                    self.dials += 1;
                    // An address where nobody lives swallows packets.
                    let Some(remote) = site_at(address).filter(|site| site.0 < 32) else { continue };
                    let conn = net.open(self.site, remote);
                    let line = Line { attempt: Some(attempt), pinned: peer, remote, link: None, heard: now };
                    self.lines.insert(conn, line);
                    net.send(conn, self.site, Wire::Connect);
                }
                Output::Abandon(attempt) => {
                    let gone = self.lines.iter().find(|(_, line)| line.attempt == Some(attempt));
                    if let Some(conn) = gone.map(|(conn, _)| *conn) {
                        self.lines.remove(&conn);
                        net.cut(conn, self.site);
                    }
                }
                Output::Close { link, reason } => {
                    let conn = self.links[&link];
                    if let Closed::Refused(refusal) = reason.as_seen() {
                        net.send(conn, self.site, Wire::Refused(refusal));
                    }
                    self.lines.remove(&conn);
                    net.cut(conn, self.site);
                }
                Output::Gossip { link, entries } => {
                    net.send(self.links[&link], self.site, Wire::Gossip(entries));
                }
                Output::Sighted(_) | Output::Verify(_) => {}
                Output::Changed(change) => self.log.push((net.elapsed(), change)),
            }
        }
        let next = self.roster.poll_timeout().map_or(self.next_ping, |at| at.min(self.next_ping));
        net.timer(self.site, next);
    }
}

fn left(change: &Change) -> bool {
    matches!(change, Change::Left { .. })
}

fn suspected(change: &Change) -> bool {
    matches!(change, Change::Suspected(_))
}

fn linked(change: &Change) -> bool {
    matches!(change, Change::Linked { .. })
}

/// One `Linked` for each other peer, and nothing else: no glare shows above.
fn assert_quiet(world: &World, others: usize) {
    for peer in world.running() {
        assert_eq!(peer.changes(linked), others, "{:?}: {:?}", peer.key, peer.log);
        assert_eq!(peer.log.len(), others, "{:?}: {:?}", peer.key, peer.log);
    }
}

#[test]
fn all_link_when_all_see_all_at_once() {
    for seed in seeds(30) {
        for (path, limit) in [(Path::LAN, 1), (Path::WIFI, 8), (Path::FAR, 10)] {
            let mut world = World::new(seed, 6, path);
            world.announce_all();
            let took = world.until(Duration::from_secs(limit), World::all_linked);
            assert!(took.is_some(), "not all linked within {limit} s: {path:?}");
            world.run(Duration::from_secs(10));
            assert!(world.until(Duration::from_secs(3), World::all_linked).is_some());
            if path.loss == 0.0 {
                assert_quiet(&world, 5);
            }
        }
    }
}

#[test]
fn both_dialing_at_once_gives_one_link() {
    for seed in seeds(100) {
        let path =
            Path { delay: Duration::from_millis(20), jitter: Duration::from_millis(60), loss: 0.0, reorder: 0.0 };
        let mut world = World::new(seed, 2, path);
        // A typed address has no grace: both dial now.
        world.tell(0, 1, Source::Manual);
        world.tell(1, 0, Source::Manual);
        assert!(world.until(Duration::from_secs(3), World::all_linked).is_some());
        world.run(Duration::from_secs(10));
        assert!(world.all_linked());
        assert_quiet(&world, 1);
    }
}

#[test]
fn one_side_that_knows_is_enough() {
    for seed in seeds(20) {
        for (knows, known) in [(0, 1), (1, 0)] {
            let mut world = World::new(seed, 2, Path::LAN);
            world.tell(knows, known, Source::Mdns);
            let took = world.until(Duration::from_secs(2), World::all_linked).expect("linked");
            assert!(took < Duration::from_secs(1), "{took:?}");
        }
    }
}

#[test]
fn gossip_links_all_who_know_only_one() {
    for seed in seeds(30) {
        let mut world = World::new(seed, 8, Path { loss: 0.02, ..Path::WIFI });
        (1..8).for_each(|n| world.tell(n, 0, Source::Manual));
        let took = world.until(Duration::from_secs(12), World::all_linked);
        assert!(took.is_some(), "not all linked by gossip");
    }
}

#[test]
fn a_short_cut_heals_without_anybody_leaving() {
    for seed in seeds(30) {
        let mut world = World::new(seed, 3, Path::LAN);
        world.announce_all();
        world.until(Duration::from_secs(2), World::all_linked).expect("linked");
        world.run(Duration::from_millis(3000 + seed % 40 * 70));
        world.net.set_down(Site(0), true);
        world.run(Duration::from_secs(5));
        assert!(!world.all_linked());
        world.net.set_down(Site(0), false);
        let took = world.until(Duration::from_secs(3), World::all_linked).expect("healed");
        assert!(took <= Duration::from_millis(1300), "{took:?}");
        world.run(Duration::from_secs(10));
        for peer in world.running() {
            assert_eq!(peer.changes(left), 0, "{:?}", peer.log);
            assert_eq!(peer.changes(linked), 2, "{:?}", peer.log);
        }
        let other = world.peers[1].as_ref().expect("runs");
        assert_eq!(other.changes(suspected), 1, "{:?} / {:?}", other.log, world.peers[0].as_ref().expect("runs").log);
    }
}

#[test]
fn a_long_partition_ends_in_left_and_heals_by_itself() {
    for seed in seeds(20) {
        let mut world = World::new(seed, 4, Path::LAN);
        world.announce_all();
        world.until(Duration::from_secs(2), World::all_linked).expect("linked");
        world.net.partition(&[&[Site(0), Site(1)], &[Site(2), Site(3)]]);
        world.run(Duration::from_secs(30));
        for peer in world.running() {
            assert_eq!(peer.changes(left), 2, "{:?}", peer.log);
            let timely = peer.log.iter().filter(|(_, change)| left(change)).all(|(at, _)| at.as_secs() <= 9);
            assert!(timely, "{:?}", peer.log);
        }
        assert!(world.linked(&[0, 1]) && world.linked(&[2, 3]));
        world.net.heal();
        let took = world.until(Duration::from_secs(45), World::all_linked);
        assert!(took.is_some(), "not healed");
    }
}

#[test]
fn two_halves_that_never_met_merge_through_one_pair() {
    for seed in seeds(20) {
        let mut world = World::new(seed, 6, Path::LAN);
        world.net.partition(&[&[Site(0), Site(1), Site(2)], &[Site(3), Site(4), Site(5)]]);
        world.announce_all();
        world.until(Duration::from_secs(2), |w| w.linked(&[0, 1, 2]) && w.linked(&[3, 4, 5])).expect("halves");
        world.net.heal();
        world.tell(0, 5, Source::Manual);
        assert!(world.until(Duration::from_secs(4), World::all_linked).is_some(), "not merged");
    }
}

#[test]
fn a_restart_with_the_same_key_takes_the_seat_at_once() {
    for seed in seeds(30) {
        let mut world = World::new(seed, 3, Path::LAN);
        world.announce_all();
        world.until(Duration::from_secs(2), World::all_linked).expect("linked");
        world.run(Duration::from_millis(2500 + seed % 40 * 33));
        let old = world.peers[1].as_ref().expect("runs").key.instance;
        world.crash(1);
        world.run(Duration::from_millis(300 + seed % 40 * 50));
        world.start(1);
        world.announce_all();
        let took = world.until(Duration::from_secs(3), World::all_linked).expect("back");
        assert!(took <= Duration::from_secs(2), "{took:?}");
        for n in [0, 2] {
            let peer = world.peers[n].as_ref().expect("runs");
            assert_eq!(peer.changes(left), 0, "{:?}", peer.log);
            let replaced = |c: &Change| matches!(c, Change::Linked { replaced: Some(by), .. } if *by == old);
            assert_eq!(peer.changes(replaced), 1, "{:?}", peer.log);
        }
    }
}

#[test]
fn the_first_peer_dies_and_a_newcomer_joins_through_the_others() {
    for seed in seeds(20) {
        let mut world = World::new(seed, 4, Path::LAN);
        world.crash(3);
        (1..3).for_each(|n| world.tell(n, 0, Source::Manual));
        world.until(Duration::from_secs(3), |w| w.linked(&[0, 1, 2])).expect("linked");
        world.crash(0);
        world.run(Duration::from_secs(8));
        assert!(world.linked(&[1, 2]));
        let timeouts = |c: &Change| matches!(c, Change::Left { reason: LeaveReason::Timeout, .. });
        assert_eq!(world.peers[1].as_ref().expect("runs").changes(timeouts), 1);
        world.start(3);
        world.tell(3, 2, Source::Manual);
        world.until(Duration::from_secs(3), |w| w.linked(&[1, 2, 3])).expect("newcomer");
        // And the dead one comes back.
        world.start(0);
        world.tell(0, 3, Source::Manual);
        assert!(world.until(Duration::from_secs(4), World::all_linked).is_some(), "not back");
    }
}

#[test]
fn a_goodbye_is_seen_at_once_and_gossip_does_not_bring_it_back() {
    for seed in seeds(20) {
        let mut world = World::new(seed, 4, Path::LAN);
        world.announce_all();
        world.until(Duration::from_secs(2), World::all_linked).expect("linked");
        world.leave(2);
        let dials: usize = world.running().map(|peer| peer.dials).sum();
        let bye = |c: &Change| matches!(c, Change::Left { reason: LeaveReason::Goodbye, .. });
        let took = world.until(Duration::from_secs(1), |w| w.running().all(|p| p.changes(bye) == 1)).expect("seen");
        assert!(took < Duration::from_millis(100), "{took:?}");
        world.run(Duration::from_secs(60));
        assert_eq!(world.running().map(|peer| peer.dials).sum::<usize>(), dials, "nobody dials who left");
        world.start(2);
        world.announce_all();
        assert!(world.until(Duration::from_secs(2), World::all_linked).is_some(), "not back");
    }
}

#[test]
fn a_full_room_refuses_and_lets_in_when_a_seat_is_free() {
    for seed in seeds(10) {
        let mut world = World::new(seed, 4, Path::LAN);
        world.seats = 3;
        (0..4).for_each(|n| {
            world.crash(n);
            world.start(n);
        });
        (0..3).for_each(|n| {
            (0..3).filter(|m| *m != n).for_each(|m| world.tell(m, n, Source::Mdns));
        });
        world.until(Duration::from_secs(2), |w| w.linked(&[0, 1, 2])).expect("linked");
        (0..3).for_each(|n| world.tell(3, n, Source::Manual));
        world.run(Duration::from_secs(5));
        assert!(world.linked(&[0, 1, 2]));
        assert_eq!(world.peers[3].as_ref().expect("runs").roster.seated().count(), 0);
        world.leave(1);
        let took = world.until(Duration::from_secs(20), |w| w.linked(&[0, 2, 3]));
        assert!(took.is_some(), "the free seat was not taken");
    }
}

#[test]
fn after_any_trouble_all_are_linked_again() {
    for seed in seeds(40) {
        let mut world = World::new(seed, 5, Path { loss: 0.03, ..Path::WIFI });
        let mut dice = StdRng::seed_from_u64(seed);
        world.announce_all();
        for _ in 0..12 {
            world.run(Duration::from_millis(dice.random_range(50..6000)));
            let n = dice.random_range(0..5);
            match dice.random_range(0..5) {
                0 => world.crash(n),
                1 => world.leave(n),
                2 => world.net.set_down(Site(n), true),
                3 => {
                    let (left, right): (Vec<Site>, Vec<Site>) = (0..5).map(Site).partition(|site| site.0 <= n);
                    world.net.partition(&[&left, &right]);
                }
                _ => world.net.heal(),
            }
            let n = dice.random_range(0..5);
            if world.peers[n].is_none() {
                world.start(n);
                world.announce(n);
            }
        }
        world.net.heal();
        for n in 0..5 {
            if world.peers[n].is_none() {
                world.start(n);
            }
        }
        // Discovery comes back too, but tells each only of one.
        (0..5).for_each(|n| world.tell((n + 1) % 5, n, Source::Mdns));
        let healed = world.until(Duration::from_secs(60), World::all_linked);
        assert!(healed.is_some(), "not all linked: {}", world.gaps());
    }
}

#[test]
fn a_run_is_the_same_for_the_same_seed() {
    let run = || {
        let mut world = World::new(9, 4, Path::WIFI);
        world.announce_all();
        world.run(Duration::from_secs(5));
        world.running().map(|peer| peer.log.clone()).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_liar_with_ten_thousand_peers_is_cheap_and_delays_nobody() {
    let mut world = World::new(1, 3, Path::LAN);
    world.announce_all();
    world.until(Duration::from_secs(2), World::all_linked).expect("linked");
    let victim = world.peers[0].as_mut().expect("runs");
    let liar = world.ids[1];
    let link = victim.roster.link(liar).expect("linked");
    let before = victim.dials;
    let started = lets_meet::clock::now();
    let entries = |page: u16| -> Vec<Entry> {
        (0..100_u16)
            .map(|n| {
                let mut bytes = [7; 32];
                bytes[..2].copy_from_slice(&page.to_be_bytes());
                bytes[2..4].copy_from_slice(&n.to_be_bytes());
                let addresses = (1..20).map(|port| SocketAddr::from(([192, 0, 2, 1], page * 50 + port))).collect();
                Entry { peer: PeerId::from_bytes(bytes), instance: Instance::from_u64(1), name: None, addresses }
            })
            .collect()
    };
    let now = world.net.now();
    for page in 0..100 {
        victim.roster.on_gossip(now, link, &entries(page));
        while victim.roster.poll_output(now).is_some() {}
    }
    let spent = started.elapsed();
    // Three times the goal: the machine may be busy.
    assert!(spent < Duration::from_secs(3), "{spent:?}");
    assert!(victim.roster.known() <= 2 + 50, "{} peers known", victim.roster.known());
    world.run(Duration::from_secs(120));
    let victim = world.peers[0].as_ref().expect("runs");
    assert!(victim.dials - before < 50 * 3 * 3 + 10, "{} dials", victim.dials - before);
    assert!(victim.roster.known() <= 3, "what never answered is forgotten: {}", victim.roster.known());
    assert!(world.all_linked());
}
