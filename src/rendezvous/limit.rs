//! Sans-IO.
//! How much one address and one key may ask: token buckets, and counts of open connections.
//!
//! A bucket holds `burst` tokens and gains one every `period`; a question costs tokens. Buckets are kept for each
//! source address (IPv6: for each /64, since one host has all of it) and for each key. The tables are capped: when one
//! is full, buckets that have refilled are forgotten (forgetting a full bucket changes nothing), and if none has, all
//! newcomers share one bucket, so that a flood from many addresses slows newcomers and costs no memory.
//!
//! Defaults are guesses with reasons: a peer in a meeting asks about once in 5 s, a name is claimed by hand.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::id::PeerId;

/// Where a connection comes from, as far as limits go: an IPv4 address or an IPv6 /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
            v4 => v4,
        })
    }
}

/// What a question costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Looking up, publishing, asking for a room.
    Light,
    /// What is written to disk: a claim or a release.
    Write,
    /// A connection: a TLS handshake.
    Connect,
}

/// A bucket's size and speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens when full.
    pub burst: u32,
    /// One more after each.
    pub period: Duration,
}

/// All limits of this kind. What the registry holds is limited there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// For each key: questions of any kind.
    pub key: Rate,
    /// For each origin: questions of any kind. Ten times a key's: an office behind one address.
    pub origin: Rate,
    /// For each origin: claims and releases.
    pub writes: Rate,
    /// For each origin: new connections.
    pub connects: Rate,
    /// Open connections of one origin.
    pub connections_per_origin: usize,
    /// Open connections in all.
    pub connections: usize,
    /// Buckets kept in each table.
    pub table: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            key: Rate { burst: 60, period: Duration::from_millis(500) },
            origin: Rate { burst: 600, period: Duration::from_millis(50) },
            writes: Rate { burst: 60, period: Duration::from_secs(10) },
            connects: Rate { burst: 100, period: Duration::from_millis(500) },
            connections_per_origin: 128,
            connections: 4096,
            table: 16 * 1024,
        }
    }
}

/// Why not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// How long until it would be allowed.
    pub after: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    // The moment at which the bucket was, or will have been, empty of debt: tokens = (now - base) / period.
    base: Option<Instant>,
}

impl Bucket {
    const FULL: Self = Self { base: None };

    fn is_full(self, rate: Rate, now: Instant) -> bool {
        self.base.is_none_or(|base| now.saturating_duration_since(base) >= rate.period * rate.burst)
    }

    fn check(self, rate: Rate, now: Instant) -> Result<(), Wait> {
        let Some(base) = self.base else { return Ok(()) };
        let ready = base + rate.period;
        if ready <= now { Ok(()) } else { Err(Wait { after: ready - now }) }
    }

    fn take(&mut self, rate: Rate, now: Instant) {
        let full = rate.period * rate.burst;
        let base = match self.base {
            Some(base) if now.saturating_duration_since(base) < full => base,
            // A full bucket: as if it had been filling for exactly as long as that takes.
            _ => now.checked_sub(full).unwrap_or(now),
        };
        self.base = Some(base + rate.period);
    }
}

#[derive(Debug)]
struct Table<K> {
    rate: Rate,
    cap: usize,
    buckets: BTreeMap<K, Bucket>,
    // For all that find no place.
    shared: Bucket,
    swept: Option<Instant>,
}

impl<K: Ord + Copy> Table<K> {
    fn new(rate: Rate, cap: usize) -> Self {
        Self { rate, cap, buckets: BTreeMap::new(), shared: Bucket::FULL, swept: None }
    }

    fn check(&mut self, key: K, now: Instant) -> Result<(), Wait> {
        let rate = self.rate;
        self.bucket(key, now).check(rate, now)
    }

    fn take(&mut self, key: K, now: Instant) {
        let rate = self.rate;
        self.bucket(key, now).take(rate, now);
    }

    fn bucket(&mut self, key: K, now: Instant) -> &mut Bucket {
        if !self.buckets.contains_key(&key) {
            // Sweeping costs a walk, so at most one a second.
            let rested = self.swept.is_none_or(|at| now.saturating_duration_since(at) >= Duration::from_secs(1));
            if self.buckets.len() >= self.cap && rested {
                let rate = self.rate;
                self.buckets.retain(|_, bucket| !bucket.is_full(rate, now));
                self.swept = Some(now);
            }
            if self.buckets.len() >= self.cap {
                return &mut self.shared;
            }
        }
        self.buckets.entry(key).or_insert(Bucket::FULL)
    }
}

/// Counts and says no.
#[derive(Debug)]
pub struct Limits {
    config: Config,
    keys: Table<PeerId>,
    origins: Table<Origin>,
    writes: Table<Origin>,
    connects: Table<Origin>,
    // Bounded by `connections`.
    open: BTreeMap<Origin, usize>,
    total: usize,
}

impl Limits {
    /// Nothing asked yet.
    pub fn new(config: Config) -> Self {
        let cap = config.table;
        Self {
            keys: Table::new(config.key, cap),
            origins: Table::new(config.origin, cap),
            writes: Table::new(config.writes, cap),
            connects: Table::new(config.connects, cap),
            open: BTreeMap::new(),
            total: 0,
            config,
        }
    }

    /// A question of `key` from `origin`. Counts only what is allowed.
    pub fn on_question(&mut self, now: Instant, origin: Origin, key: PeerId, cost: Cost) -> Result<(), Wait> {
        self.keys.check(key, now)?;
        self.origins.check(origin, now)?;
        if cost == Cost::Write {
            self.writes.check(origin, now)?;
            self.writes.take(origin, now);
        }
        self.keys.take(key, now);
        self.origins.take(origin, now);
        Ok(())
    }

    /// A connection that wants in. Each `Ok` is paired with one [`on_closed`](Self::on_closed).
    pub fn on_connect(&mut self, now: Instant, origin: Origin) -> Result<(), Wait> {
        self.connects.check(origin, now)?;
        let here = self.open.get(&origin).copied().unwrap_or(0);
        if self.total >= self.config.connections || here >= self.config.connections_per_origin {
            return Err(Wait { after: Duration::from_secs(10) });
        }
        self.connects.take(origin, now);
        self.open.insert(origin, here + 1);
        self.total += 1;
        Ok(())
    }

    /// A connection that was let in has ended.
    pub fn on_closed(&mut self, origin: Origin) {
        if let Some(here) = self.open.get_mut(&origin) {
            *here -= 1;
            if *here == 0 {
                self.open.remove(&origin);
            }
            self.total -= 1;
        }
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn origin(text: &str) -> Origin {
        text.parse::<IpAddr>().expect("address").into()
    }

    fn key(byte: u8) -> PeerId {
        PeerId::from_bytes([byte; 32])
    }

    fn start() -> Instant {
        // Room to look back from.
        crate::clock::now() + Duration::from_secs(10_000)
    }

    #[test]
    fn a_key_that_asks_too_much_waits_and_others_do_not() {
        let mut limits = Limits::new(Config::default());
        let (now, home) = (start(), origin("192.0.2.1"));
        for _ in 0..60 {
            assert_eq!(limits.on_question(now, home, key(1), Cost::Light), Ok(()));
        }
        let wait = limits.on_question(now, home, key(1), Cost::Light).expect_err("limited");
        assert_eq!(wait.after, Duration::from_millis(500));
        assert_eq!(limits.on_question(now, home, key(2), Cost::Light), Ok(()));
        assert_eq!(limits.on_question(now + wait.after, home, key(1), Cost::Light), Ok(()));
        assert!(limits.on_question(now + wait.after, home, key(1), Cost::Light).is_err());
    }

    #[test]
    fn an_origin_with_many_keys_is_limited_too() {
        let mut limits = Limits::new(Config::default());
        let now = start();
        let asked = (0..=255).filter(|k| limits.on_question(now, origin("192.0.2.1"), key(*k), Cost::Write).is_ok());
        assert_eq!(asked.count(), 60);
        assert_eq!(limits.on_question(now, origin("192.0.2.2"), key(1), Cost::Write), Ok(()));
        // Reading goes on.
        assert_eq!(limits.on_question(now, origin("192.0.2.1"), key(1), Cost::Light), Ok(()));
    }

    #[test]
    fn one_ipv6_host_is_one_origin() {
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:1"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
    }

    #[test]
    fn connections_are_counted_down_again() {
        let mut limits = Limits::new(Config { connections_per_origin: 2, connections: 3, ..Config::default() });
        let now = start();
        assert_eq!(limits.on_connect(now, origin("192.0.2.1")), Ok(()));
        assert_eq!(limits.on_connect(now, origin("192.0.2.1")), Ok(()));
        assert!(limits.on_connect(now, origin("192.0.2.1")).is_err());
        assert_eq!(limits.on_connect(now, origin("192.0.2.2")), Ok(()));
        assert!(limits.on_connect(now, origin("192.0.2.3")).is_err());
        limits.on_closed(origin("192.0.2.1"));
        limits.on_closed(origin("198.51.100.1"));
        assert_eq!(limits.open(), 2);
        assert_eq!(limits.on_connect(now, origin("192.0.2.3")), Ok(()));
    }

    #[test]
    fn ten_thousand_origins_cost_no_more_memory_than_the_table() {
        let mut limits = Limits::new(Config { table: 100, ..Config::default() });
        let now = start();
        for n in 0..10_000_u32 {
            let _ = limits.on_question(now, origin(&std::net::Ipv4Addr::from_bits(n).to_string()), key(0), Cost::Light);
        }
        assert!(limits.origins.buckets.len() <= 100);
        // Later, when the buckets have refilled, newcomers have their own again.
        let later = now + Duration::from_secs(600);
        for _ in 0..60 {
            assert_eq!(limits.on_question(later, origin("203.0.113.1"), key(9), Cost::Light), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate_allow(gaps in proptest::collection::vec(0_u64..2000, 1..300)) {
            let rate = Rate { burst: 5, period: Duration::from_millis(100) };
            let mut limits = Limits::new(Config { key: rate, ..Config::default() });
            let first = start();
            let (mut now, mut allowed) = (first, 0_u32);
            for gap in gaps {
                now += Duration::from_millis(gap);
                if limits.on_question(now, origin("192.0.2.1"), key(1), Cost::Light).is_ok() {
                    allowed += 1;
                }
                let most = 5 + u32::try_from((now - first).as_millis() / 100).expect("small");
                prop_assert!(allowed <= most, "{allowed} > {most}");
            }
        }
    }
}
