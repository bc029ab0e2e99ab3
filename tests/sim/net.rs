//! A network in virtual time, for tests of pure state machines. Nothing here sleeps or reads a clock: time jumps from
//! one event to the next, so a minute of meeting takes milliseconds, and one seed always gives the same run.
//!
//! ```text
//! let mut net = Net::<String>::new(seed);                 // M is whatever your peers say to each other
//! let (a, b) = (net.site(), net.site());
//! net.set_all(Path { loss: 0.05, ..Path::LAN });           // or net.set(a, b, path) for one pair, both ways
//! let conn = net.open(a, b);                               // a connection: reliable and ordered, both ways
//! net.send(conn, a, "hello".into());                       // from a to b; lost packets cost time, not messages
//! net.datagram(conn, a, "maybe".into());                   // may be lost, late, or out of order
//! net.timer(a, at);                                        // wake a at that time
//! while let Some(event) = net.next(until) { .. }           // advances net.now(); None when `until` is reached
//! ```
//!
//! What can go wrong: [`Net::cut`] closes a connection (the other side hears of it if the network lets it),
//! [`Net::partition`] and [`Net::heal`] split the sites into groups, [`Net::set_down`] unplugs one site,
//! [`Net::crash`] takes a site away without a word, and [`Net::revive`] brings it back, with its old connections
//! answered by a reset. Reliable messages wait out a partition and arrive after it, as QUIC's would; end the
//! connection if that is not what your peers would do.
//!
//! Print the seed: [`seeds`] gives the seeds to run and says how to replay one (`LETS_MEET_SEED=7 make test`).

#![allow(dead_code, reason = "shared by several simulations, none uses all of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// One host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site(pub usize);

/// One connection between two sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn(pub u64);

/// How packets travel between two sites.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    /// One way.
    pub delay: Duration,
    /// Added at random, 0 to this.
    pub jitter: Duration,
    /// Share of packets lost, 0 to 1.
    pub loss: f64,
    /// Share of datagrams that overtake: they wait another `delay` and jitter.
    pub reorder: f64,
}

impl Path {
    /// A quiet cable.
    pub const LAN: Self =
        Self { delay: Duration::from_micros(300), jitter: Duration::from_micros(200), loss: 0.0, reorder: 0.0 };
    /// A bad radio link.
    pub const WIFI: Self =
        Self { delay: Duration::from_millis(8), jitter: Duration::from_millis(30), loss: 0.05, reorder: 0.05 };
    /// Across the world.
    pub const FAR: Self =
        Self { delay: Duration::from_millis(120), jitter: Duration::from_millis(20), loss: 0.02, reorder: 0.02 };
}

/// What happens at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<M> {
    /// A reliable message.
    Message { conn: Conn, from: Site, to: Site, message: M },
    /// A datagram.
    Datagram { conn: Conn, from: Site, to: Site, message: M },
    /// The other side closed the connection, or does not know it any more.
    Closed { conn: Conn, to: Site },
    /// A timer of this site.
    Timer { to: Site },
}

impl<M> Event<M> {
    /// Where it happens.
    pub fn at(&self) -> Site {
        match self {
            Self::Message { to, .. } | Self::Datagram { to, .. } | Self::Closed { to, .. } | Self::Timer { to } => *to,
        }
    }
}

#[derive(Debug)]
struct Ends {
    sites: [Site; 2],
    lives: [u64; 2],
    // Arrival of the last reliable message, by sender: later ones do not overtake it.
    last: [Option<Instant>; 2],
    closed: bool,
}

#[derive(Debug)]
struct Host {
    life: u64,
    up: bool,
    group: usize,
    plugged: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Net<M> {
    now: Instant,
    start: Instant,
    rng: StdRng,
    hosts: Vec<Host>,
    paths: BTreeMap<(Site, Site), Path>,
    default: Path,
    conns: BTreeMap<Conn, Ends>,
    next_conn: u64,
    queue: BTreeMap<(Instant, u64), (u64, Event<M>)>,
    order: u64,
    timers: BTreeSet<(Instant, Site)>,
}

impl<M> Net<M> {
    /// An empty network of [`Path::LAN`].
    pub fn new(seed: u64) -> Self {
        let now = lets_meet::clock::now();
        Self {
            now,
            start: now,
            rng: StdRng::seed_from_u64(seed),
            hosts: Vec::new(),
            paths: BTreeMap::new(),
            default: Path::LAN,
            conns: BTreeMap::new(),
            next_conn: 0,
            queue: BTreeMap::new(),
            order: 0,
            timers: BTreeSet::new(),
        }
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Since the start.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Adds a host.
    pub fn site(&mut self) -> Site {
        self.hosts.push(Host { life: 0, up: true, group: 0, plugged: true });
        Site(self.hosts.len() - 1)
    }

    /// Sets every path that was not set alone.
    pub fn set_all(&mut self, path: Path) {
        self.default = path;
    }

    /// Sets the path between two sites, both ways.
    pub fn set(&mut self, a: Site, b: Site, path: Path) {
        self.paths.insert((a.min(b), a.max(b)), path);
    }

    /// Sites of different groups no longer reach each other; sites in none of the lists are in a group of their own.
    pub fn partition(&mut self, groups: &[&[Site]]) {
        for host in &mut self.hosts {
            host.group = usize::MAX;
        }
        for (number, group) in groups.iter().enumerate() {
            for site in *group {
                self.hosts[site.0].group = number;
            }
        }
    }

    /// Ends the partition and plugs everybody in.
    pub fn heal(&mut self) {
        for host in &mut self.hosts {
            host.group = 0;
            host.plugged = true;
        }
    }

    /// Unplugs a site, or plugs it in again.
    pub fn set_down(&mut self, site: Site, down: bool) {
        self.hosts[site.0].plugged = !down;
    }

    /// True if packets can pass now.
    pub fn reachable(&self, a: Site, b: Site) -> bool {
        let (x, y) = (&self.hosts[a.0], &self.hosts[b.0]);
        x.up && y.up && x.plugged && y.plugged && x.group == y.group
    }

    /// The process on this site dies: no goodbye, no close, its timers and inbox are gone.
    pub fn crash(&mut self, site: Site) {
        let host = &mut self.hosts[site.0];
        host.up = false;
        host.life += 1;
        self.timers.retain(|(_, s)| *s != site);
    }

    /// A new process on the same site. What it does not know (old connections) it answers with a reset.
    pub fn revive(&mut self, site: Site) {
        self.hosts[site.0].up = true;
    }

    /// Opens a connection; nothing travels yet, so the first message tells the other side of it.
    pub fn open(&mut self, from: Site, to: Site) -> Conn {
        let conn = Conn(self.next_conn);
        self.next_conn += 1;
        let lives = [self.hosts[from.0].life, self.hosts[to.0].life];
        self.conns.insert(conn, Ends { sites: [from, to], lives, last: [None, None], closed: false });
        conn
    }

    /// Sends reliably and in order. False when the sender no longer has this connection.
    pub fn send(&mut self, conn: Conn, from: Site, message: M) -> bool {
        let Some((to, side)) = self.other(conn, from) else { return false };
        let mut at = self.now + self.flight(from, to);
        if let Some(last) = self.conns[&conn].last[side] {
            at = at.max(last);
        }
        self.conns.get_mut(&conn).expect("looked up above").last[side] = Some(at);
        self.push(at, to, Event::Message { conn, from, to, message });
        true
    }

    /// Sends once. False when the sender no longer has this connection.
    pub fn datagram(&mut self, conn: Conn, from: Site, message: M) -> bool {
        let Some((to, _)) = self.other(conn, from) else { return false };
        let path = self.path(from, to);
        if !self.reachable(from, to) || self.rng.random_bool(path.loss) {
            return true;
        }
        let mut at = self.now + self.once(path);
        if self.rng.random_bool(path.reorder) {
            at += self.once(path);
        }
        self.push(at, to, Event::Datagram { conn, from, to, message });
        true
    }

    /// Closes a connection. The other side hears of it if this one packet arrives.
    pub fn cut(&mut self, conn: Conn, by: Site) {
        let Some((to, side)) = self.other(conn, by) else { return };
        let path = self.path(by, to);
        let heard = self.reachable(by, to) && !self.rng.random_bool(path.loss);
        // What this side sent before arrives before.
        let at = (self.now + self.once(path)).max(self.conns[&conn].last[side].unwrap_or(self.now));
        self.conns.get_mut(&conn).expect("looked up above").closed = true;
        if heard {
            self.push(at, to, Event::Closed { conn, to });
        }
    }

    /// Wakes `site` at `at`, or at once if that is past.
    pub fn timer(&mut self, site: Site, at: Instant) {
        self.timers.insert((at.max(self.now), site));
    }

    /// Lets time pass to the next event before `until` and returns it; `None` when the time is `until`.
    pub fn next(&mut self, until: Instant) -> Option<Event<M>> {
        loop {
            let packet = self.queue.keys().next().copied();
            let timer = self.timers.first().copied();
            let at = match (packet, timer) {
                (Some((p, _)), Some((t, _))) => p.min(t),
                (Some((p, _)), None) => p,
                (None, Some((t, _))) => t,
                (None, None) => until,
            };
            if at >= until {
                self.now = self.now.max(until);
                return None;
            }
            self.now = self.now.max(at);
            if let Some(timer) = timer.filter(|(t, _)| *t == at) {
                self.timers.remove(&timer);
                return Some(Event::Timer { to: timer.1 });
            }
            let (life, event) = self.queue.remove(&packet.expect("no timer is due"))?;
            if let Some(event) = self.arrive(life, event) {
                return Some(event);
            }
        }
    }

    fn arrive(&mut self, life: u64, event: Event<M>) -> Option<Event<M>> {
        match event {
            Event::Message { conn, from, to, message } => {
                if !self.sender_lives(conn, from) {
                    return None;
                }
                if !self.reachable(from, to) {
                    // QUIC probes on: the message arrives a while after the network is whole again.
                    let at = self.now + Duration::from_millis(200);
                    if let Some(ends) = self.conns.get_mut(&conn) {
                        let side = usize::from(ends.sites[1] == from);
                        ends.last[side] = ends.last[side].max(Some(at));
                    }
                    let order = self.order;
                    self.order += 1;
                    self.queue.insert((at, order), (life, Event::Message { conn, from, to, message }));
                    return None;
                }
                if self.hosts[to.0].life != life {
                    self.reset(conn, from, to);
                    return None;
                }
                Some(Event::Message { conn, from, to, message })
            }
            Event::Datagram { conn, from, to, message } => {
                if !self.reachable(from, to) {
                    return None;
                }
                if self.hosts[to.0].life != life {
                    self.reset(conn, from, to);
                    return None;
                }
                Some(Event::Datagram { conn, from, to, message })
            }
            other => (self.hosts[other.at().0].life == life && self.hosts[other.at().0].up).then_some(other),
        }
    }

    // `of` does not know the connection (any more) and says so to `to`.
    fn reset(&mut self, conn: Conn, to: Site, of: Site) {
        if !self.reachable(of, to) {
            return;
        }
        let Some(ends) = self.conns.get_mut(&conn) else { return };
        if std::mem::replace(&mut ends.closed, true) {
            return;
        }
        let path = self.path(to, of);
        let at = self.now + self.once(path);
        self.push(at, to, Event::Closed { conn, to });
    }

    fn sender_lives(&self, conn: Conn, from: Site) -> bool {
        let Some(ends) = self.conns.get(&conn) else { return false };
        let side = usize::from(ends.sites[1] == from);
        ends.lives[side] == self.hosts[from.0].life
    }

    fn other(&self, conn: Conn, from: Site) -> Option<(Site, usize)> {
        let ends = self.conns.get(&conn).filter(|ends| !ends.closed)?;
        let side = usize::from(ends.sites[1] == from);
        if ends.lives[side] != self.hosts[from.0].life || !self.hosts[from.0].up {
            return None;
        }
        Some((ends.sites[1 - side], side))
    }

    fn push(&mut self, at: Instant, to: Site, event: Event<M>) {
        let conn = match &event {
            Event::Message { conn, .. } | Event::Datagram { conn, .. } | Event::Closed { conn, .. } => *conn,
            Event::Timer { .. } => return,
        };
        let ends = &self.conns[&conn];
        let life = ends.lives[usize::from(ends.sites[1] == to)];
        self.queue.insert((at, self.order), (life, event));
        self.order += 1;
    }

    fn path(&self, a: Site, b: Site) -> Path {
        self.paths.get(&(a.min(b), a.max(b))).copied().unwrap_or(self.default)
    }

    fn once(&mut self, path: Path) -> Duration {
        path.delay + path.jitter.mul_f64(self.rng.random::<f64>())
    }

    // A lost packet of a reliable message is sent again after a probe timeout that doubles.
    fn flight(&mut self, from: Site, to: Site) -> Duration {
        let path = self.path(from, to);
        let mut wait = Duration::ZERO;
        let mut probe = path.delay * 3 + path.jitter + Duration::from_millis(25);
        while path.loss < 1.0 && self.rng.random_bool(path.loss) {
            wait += probe;
            probe *= 2;
        }
        wait + self.once(path)
    }
}

/// The seeds to run: `LETS_MEET_SEED` alone if it is set, else 1 to `count`. Each is printed before its run, so that
/// a failure shows the seed to replay.
pub fn seeds(count: u64) -> impl Iterator<Item = u64> {
    #[expect(clippy::disallowed_methods, reason = "a test's own switch, no configuration of the program")]
    let chosen: Option<u64> = std::env::var("LETS_MEET_SEED").ok().and_then(|text| text.parse().ok());
    let range = chosen.map_or(1..=count, |seed| seed..=seed);
    range.inspect(|seed| eprintln!("seed {seed} (replay: LETS_MEET_SEED={seed} cargo test --test sim)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(net: &mut Net<u32>, until: Duration) -> Vec<Event<u32>> {
        let until = net.start + until;
        std::iter::from_fn(|| net.next(until)).collect()
    }

    fn messages(events: &[Event<u32>]) -> Vec<u32> {
        let message = |event: &Event<u32>| match event {
            Event::Message { message, .. } => Some(*message),
            _ => None,
        };
        events.iter().filter_map(message).collect()
    }

    #[test]
    fn reliable_messages_arrive_once_and_in_order_over_a_bad_path() {
        for seed in seeds(5) {
            let mut net = Net::new(seed);
            let (a, b) = (net.site(), net.site());
            net.set_all(Path { loss: 0.4, ..Path::WIFI });
            let conn = net.open(a, b);
            (0..200).for_each(|n| assert!(net.send(conn, a, n)));
            assert_eq!(messages(&run(&mut net, Duration::from_secs(600))), (0..200).collect::<Vec<_>>());
        }
    }

    #[test]
    fn one_seed_gives_one_run() {
        let once = || {
            let mut net = Net::new(3);
            let (a, b) = (net.site(), net.site());
            net.set_all(Path::WIFI);
            let conn = net.open(a, b);
            (0..100).for_each(|n| assert!(net.datagram(conn, a, n)));
            run(&mut net, Duration::from_secs(5))
        };
        let first = once();
        assert!(first.len() > 80 && first.len() < 100, "{} of 100 arrived", first.len());
        assert_eq!(first, once());
    }

    #[test]
    fn a_partition_holds_messages_and_loses_datagrams() {
        let mut net = Net::new(1);
        let (a, b) = (net.site(), net.site());
        let conn = net.open(a, b);
        net.partition(&[&[a], &[b]]);
        net.send(conn, a, 1);
        net.datagram(conn, a, 2);
        assert_eq!(run(&mut net, Duration::from_secs(5)), []);
        net.heal();
        assert_eq!(messages(&run(&mut net, Duration::from_secs(6))), [1]);
    }

    #[test]
    fn a_revived_site_resets_what_it_does_not_know() {
        let mut net = Net::new(1);
        let (a, b) = (net.site(), net.site());
        let conn = net.open(a, b);
        net.send(conn, a, 1);
        assert_eq!(run(&mut net, Duration::from_secs(1)).len(), 1);
        net.crash(b);
        net.revive(b);
        assert!(!net.send(conn, b, 2));
        net.send(conn, a, 3);
        assert_eq!(run(&mut net, Duration::from_secs(2)), [Event::Closed { conn, to: a }]);
    }
}
