//! Sans-IO. Gossip: peers tell one another whom they are linked to, so that everybody links to everybody.
//!
//! Gossip is hearsay. It makes a peer known and dialed with the lowest urgency, a few times; it never touches a seat.
//! What one peer may say is limited: [`super::MAX_ENTRIES`] entries a message, and as many peers as the room
//! has seats that nobody else vouches for, [`BURST`] messages at once and one every [`EVERY`]. Upper layers hear of a
//! peer by gossip once: other addresses of it are news for the dialer only.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::RngExt as _;

use crate::bucket::Bucket;
use crate::id::{LinkKey, PeerId};
use crate::mesh::candidates::{travels, usable};
use crate::sighting::{Sighting, Source};

use super::person::{Person, Seated};
use super::{Entry, GOSSIP_EVERY, Hello, Link, LinkId, MAX_ENTRIES, Output, Roster, Stage};

/// Addresses of one entry.
const MAX_ADDRESSES: usize = 8;
/// Messages of one link that are looked at: a full room comes in one by one within a moment, then seldom anybody.
const BURST: u32 = 100;
const EVERY: Duration = Duration::from_millis(50);
/// Names that one link may take at once, and one more each [`RENAME_EVERY`]: people correct a name a few times.
const RENAMES: u32 = 8;
const RENAME_EVERY: Duration = Duration::from_secs(5);

impl Link {
    pub(super) fn new(now: Instant, hello: Hello, stage: Stage) -> Self {
        let renames = Bucket::new(now, RENAMES, RENAME_EVERY);
        Self { hello, stage, gossip: Bucket::new(now, BURST, EVERY), renames }
    }
}

impl Roster {
    /// Gossip came over this link.
    pub fn on_gossip(&mut self, now: Instant, link: LinkId, entries: &[Entry]) {
        if self.seat_of(link).is_none() || self.leaving {
            return;
        }
        let Some(Link { hello, gossip, .. }) = self.links.get_mut(&link) else { return };
        // What is left out is said again with the next whole list.
        if !gossip.take(now) {
            return;
        }
        let from = hello.key.peer;
        // Loopback addresses mean something only between processes of one machine.
        let same_host = hello.address.ip().to_canonical().is_loopback();
        let word_of = |person: &&Person| person.introducer == Some(from) && person.is_idle();
        let mut introduced = self.people.values().filter(word_of).count();
        for entry in entries.iter().take(MAX_ENTRIES) {
            if entry.peer == from || entry.peer == self.config.me.peer {
                continue;
            }
            let known = self.people.get(&entry.peer);
            if known.is_some_and(|person| person.seated.is_some() || person.removed) {
                continue;
            }
            if known.is_none() {
                if introduced >= self.config.seats {
                    continue;
                }
                introduced += 1;
            }
            let sent = entry.addresses.iter().copied().take(MAX_ADDRESSES).filter_map(usable);
            let addresses: Vec<SocketAddr> =
                sent.filter(|a| travels(*a) || (same_host && a.ip().is_loopback())).collect();
            if addresses.is_empty() {
                continue;
            }
            let new = known.is_none();
            let sighting = Sighting {
                peer: Some(entry.peer),
                instance: Some(entry.instance),
                name: entry.name.clone(),
                addresses,
                rooms: Vec::new(),
                source: Source::Gossip,
                gone: false,
            };
            self.on_sighting(now, &sighting);
            if let Some(person) = self.people.get_mut(&entry.peer).filter(|_| new) {
                person.introducer = Some(from);
            }
        }
    }

    /// A peer took its seat: it hears of all others, and all others hear of it.
    pub(super) fn gossip_about(&mut self, now: Instant, peer: PeerId) {
        self.gossip_to(peer);
        let links: Vec<LinkId> =
            self.seated().filter(|(key, _)| key.peer != peer).filter_map(|(_, link)| link).collect();
        for link in links {
            if let Some(entry) = self.entry(peer, link) {
                self.outputs.push_back(Output::Gossip { link, entries: vec![entry] });
            }
        }
        self.next_gossip.get_or_insert(now + GOSSIP_EVERY);
    }

    /// Sends one peer the whole list.
    fn gossip_to(&mut self, peer: PeerId) {
        let Some(link) = self.link(peer) else { return };
        let others = self.seated().filter(|(key, _)| key.peer != peer);
        let entries: Vec<Entry> = others.filter_map(|(key, _)| self.entry(key.peer, link)).take(MAX_ENTRIES).collect();
        if !entries.is_empty() {
            self.outputs.push_back(Output::Gossip { link, entries });
        }
    }

    /// Repeats the list to one peer, for what was lost with a link.
    pub(super) fn gossip_again(&mut self, now: Instant) {
        let peers: Vec<PeerId> = self.seated().filter(|(_, link)| link.is_some()).map(|(key, _)| key.peer).collect();
        if peers.is_empty() {
            self.next_gossip = None;
            return;
        }
        self.next_gossip = Some(now + GOSSIP_EVERY);
        let chosen = self.rng.random_range(0..peers.len());
        self.gossip_to(peers[chosen]);
    }

    // What to say of `peer` over `to`. None if nothing that would help there.
    fn entry(&self, peer: PeerId, to: LinkId) -> Option<Entry> {
        let same_host = self.links.get(&to)?.hello.address.ip().to_canonical().is_loopback();
        let person = self.people.get(&peer)?;
        let Seated { instance, address, listen, suspected, .. } = person.seated.as_ref()?;
        if suspected.is_some() {
            return None;
        }
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in std::iter::once(address).chain(listen).copied().filter_map(usable) {
            let helps = travels(address) || (same_host && address.ip().is_loopback());
            if helps && !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
                addresses.push(address);
            }
        }
        let LinkKey { peer, instance } = LinkKey { peer, instance: *instance };
        (!addresses.is_empty()).then(|| Entry { peer, instance, name: person.name.clone(), addresses })
    }
}
