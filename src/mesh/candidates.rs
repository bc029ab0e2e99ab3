//! Sans-IO. Addresses that may reach a peer: each with who said so, when it is tried, and when it is forgotten.
//!
//! Anybody may claim any address for anybody, so a claim costs little and proves nothing: the dial pins the key. What
//! this file guards is that claims stay few ([`MAX_PER_PEER`], [`MAX_RUMOURS`]) and that a flood of bad ones cannot
//! push out good ones. An address over which a link was up is *proven*: it is tried first, and outlives what its
//! source says later, since after a long cut it is often all that is left.
//!
//! Order of dialing: proven ones, newest first; then by source (a person typed it, seen on the local network, asked of
//! a service, heard from a peer, remembered), and within one source the two IP families in turn, so that one broken
//! family costs one step and not many (RFC 8305, section 4).

use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use crate::sighting::Source;

/// Addresses kept of one peer. Overflow: the least promising one goes.
pub const MAX_PER_PEER: usize = 24;
/// Addresses kept of one peer that only other peers spoke of. Overflow: the oldest one goes.
pub const MAX_RUMOURS: usize = 8;
/// How long a proven address is kept after its last link.
const PROVEN_FOR: Duration = Duration::from_secs(30 * 60);

/// How long a claim is believed without being repeated; `None` is for ever.
fn lifetime(source: Source) -> Option<Duration> {
    match source {
        Source::Manual => None,
        // Longest usual record lifetime (RFC 6762, section 10); goodbyes and expiry come as `gone` long before.
        Source::Mdns => Some(Duration::from_secs(75 * 60)),
        Source::Sweep | Source::Rendezvous | Source::Gossip => Some(Duration::from_secs(10 * 60)),
        Source::Cache => Some(Duration::from_secs(24 * 3600)),
    }
}

fn rank(source: Source) -> u8 {
    match source {
        Source::Manual => 0,
        Source::Mdns => 1,
        Source::Sweep => 2,
        Source::Rendezvous => 3,
        Source::Gossip => 4,
        Source::Cache => 5,
    }
}

/// The address to dial for a claimed one: IPv4 written as IPv6 becomes IPv4. `None` for what no peer can listen on, and
/// for a link-local IPv6 address that does not say on which interface.
pub fn usable(address: SocketAddr) -> Option<SocketAddr> {
    let ip = address.ip().to_canonical();
    let fine = address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast();
    match (ip, address) {
        (IpAddr::V4(v4), _) => (fine && !v4.is_broadcast()).then(|| SocketAddr::new(ip, address.port())),
        (IpAddr::V6(v6), SocketAddr::V6(with)) => {
            let local = v6.is_unicast_link_local();
            let scope = if local { with.scope_id() } else { 0 };
            (fine && !(local && scope == 0)).then(|| SocketAddrV6::new(v6, with.port(), 0, scope).into())
        }
        (IpAddr::V6(_), SocketAddr::V4(_)) => None,
    }
}

/// True for addresses that mean the same on every host of a network: not loopback, not link-local.
pub fn travels(address: SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(v4) => !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}

#[derive(Debug, Clone)]
struct Candidate {
    address: SocketAddr,
    source: Source,
    seen: Instant,
    proven: Option<Instant>,
}

impl Candidate {
    fn expired(&self, now: Instant) -> bool {
        let claim = lifetime(self.source).is_some_and(|life| now.saturating_duration_since(self.seen) >= life);
        let proof = self.proven.is_none_or(|at| now.saturating_duration_since(at) >= PROVEN_FOR);
        claim && proof
    }

    // Small is good.
    fn worth(&self) -> (bool, Reverse<Option<Instant>>, u8, Reverse<Instant>) {
        (self.proven.is_none(), Reverse(self.proven), rank(self.source), Reverse(self.seen))
    }
}

/// The addresses of one peer.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    list: Vec<Candidate>,
}

impl Candidates {
    /// Takes claims of one source, best first. True if an address was not known before.
    pub fn add(&mut self, now: Instant, source: Source, addresses: &[SocketAddr]) -> bool {
        let mut new = false;
        for address in addresses.iter().copied().take(crate::sighting::MAX_ADDRESSES).filter_map(usable) {
            if let Some(known) = self.list.iter_mut().find(|c| c.address == address) {
                known.seen = now;
                if rank(source) < rank(known.source) {
                    known.source = source;
                }
            } else {
                new = true;
                self.list.push(Candidate { address, source, seen: now, proven: None });
            }
        }
        self.trim();
        new
    }

    fn trim(&mut self) {
        let rumour = |c: &Candidate| c.source == Source::Gossip && c.proven.is_none();
        while self.list.iter().filter(|c| rumour(c)).count() > MAX_RUMOURS {
            self.drop_worst(rumour);
        }
        while self.list.len() > MAX_PER_PEER {
            self.drop_worst(|_| true);
        }
    }

    fn drop_worst(&mut self, among: impl Fn(&Candidate) -> bool) {
        let worst = self.list.iter().enumerate().filter(|(_, c)| among(c)).max_by_key(|(_, c)| c.worth());
        if let Some((index, _)) = worst {
            self.list.remove(index);
        }
    }

    /// A link was up at this address.
    pub fn prove(&mut self, now: Instant, address: SocketAddr) {
        let Some(address) = usable(address) else { return };
        match self.list.iter_mut().find(|c| c.address == address) {
            Some(known) => known.proven = Some(now),
            None => {
                self.list.push(Candidate { address, source: Source::Cache, seen: now, proven: Some(now) });
                self.trim();
            }
        }
    }

    /// This source no longer says so. Proven addresses stay for a while.
    pub fn forget(&mut self, source: Source) {
        self.list.retain(|c| c.source != source || c.proven.is_some());
        for candidate in self.list.iter_mut().filter(|c| c.source == source) {
            candidate.source = Source::Cache;
        }
    }

    /// The peer said goodbye: only what a person typed stays.
    pub fn forget_all(&mut self) {
        self.list.retain(|c| c.source == Source::Manual);
        for candidate in &mut self.list {
            candidate.proven = None;
        }
    }

    /// Another key lives there.
    pub fn remove(&mut self, address: SocketAddr) {
        self.list.retain(|c| c.address != address);
    }

    /// Drops what is too old.
    pub fn expire(&mut self, now: Instant) {
        self.list.retain(|c| !c.expired(now));
    }

    /// True if a person typed one of them.
    pub fn typed(&self) -> bool {
        self.list.iter().any(|c| c.source == Source::Manual)
    }

    /// True if a link was ever up at one of them.
    pub fn proven(&self) -> bool {
        self.list.iter().any(|c| c.proven.is_some())
    }

    /// True if only other peers spoke of them.
    pub fn rumoured(&self) -> bool {
        self.list.iter().all(|c| c.source == Source::Gossip && c.proven.is_none())
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What to dial, in order.
    pub fn ordered(&self) -> Vec<SocketAddr> {
        let mut list: Vec<&Candidate> = self.list.iter().collect();
        list.sort_by_key(|c| c.worth());
        let mut out = Vec::with_capacity(list.len());
        for group in list.chunk_by(|a, b| a.proven.is_some() == b.proven.is_some() && a.source == b.source) {
            let (four, six): (Vec<_>, Vec<_>) = group.iter().map(|c| c.address).partition(SocketAddr::is_ipv4);
            let (mut four, mut six) = (four.into_iter(), six.into_iter());
            loop {
                let pair = [four.next(), six.next()];
                if pair == [None, None] {
                    break;
                }
                out.extend(pair.into_iter().flatten());
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn now() -> Instant {
        crate::clock::now()
    }

    #[test]
    fn addresses_that_nobody_can_listen_on_are_dropped() {
        let check = |input: &str, expect: Option<&str>| assert_eq!(usable(at(input)), expect.map(at), "{input}");
        check("10.0.0.1:5", Some("10.0.0.1:5"));
        check("10.0.0.1:0", None);
        check("0.0.0.0:5", None);
        check("224.0.0.251:5", None);
        check("255.255.255.255:5", None);
        check("[::ffff:10.0.0.1]:5", Some("10.0.0.1:5"));
        check("[fe80::1]:5", None);
        check("[fe80::1%3]:5", Some("[fe80::1%3]:5"));
        check("[2001:db8::1%3]:5", Some("[2001:db8::1]:5"));
        check("[ff02::1%3]:5", None);
    }

    #[test]
    fn proven_addresses_come_first_and_families_take_turns() {
        let mut list = Candidates::default();
        list.add(now(), Source::Gossip, &[at("10.0.0.9:1")]);
        list.add(now(), Source::Mdns, &[at("10.0.0.1:1"), at("10.0.0.2:1"), at("[2001:db8::1]:1")]);
        list.add(now(), Source::Manual, &[at("10.0.0.3:1")]);
        list.prove(now(), at("10.0.0.9:1"));
        let order: Vec<String> = list.ordered().iter().map(ToString::to_string).collect();
        assert_eq!(order, ["10.0.0.9:1", "10.0.0.3:1", "10.0.0.1:1", "[2001:db8::1]:1", "10.0.0.2:1"]);
    }

    #[test]
    fn a_flood_of_rumours_pushes_nothing_better_out() {
        let mut list = Candidates::default();
        list.add(now(), Source::Mdns, &[at("10.0.0.1:1")]);
        for port in 1..2000 {
            list.add(now(), Source::Gossip, &[SocketAddr::new(at("10.9.9.9:1").ip(), port)]);
        }
        assert_eq!(list.list.len(), 1 + MAX_RUMOURS);
        assert_eq!(list.ordered()[0], at("10.0.0.1:1"));
    }

    #[test]
    fn a_source_takes_back_what_only_it_said() {
        let mut list = Candidates::default();
        list.add(now(), Source::Mdns, &[at("10.0.0.1:1"), at("10.0.0.2:1")]);
        list.prove(now(), at("10.0.0.2:1"));
        list.forget(Source::Mdns);
        assert_eq!(list.ordered(), [at("10.0.0.2:1")]);
        list.forget_all();
        assert!(list.is_empty());
    }

    #[test]
    fn typed_addresses_never_expire() {
        let mut list = Candidates::default();
        let start = now();
        list.add(start, Source::Manual, &[at("10.0.0.1:1")]);
        list.add(start, Source::Gossip, &[at("10.0.0.2:1")]);
        list.expire(start + Duration::from_secs(7 * 24 * 3600));
        assert_eq!(list.ordered(), [at("10.0.0.1:1")]);
    }
}
