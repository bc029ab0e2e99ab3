//! Sans-IO. What the roster knows of one peer.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::time::Instant;

use crate::id::{Instance, PeerId};
use crate::mesh::candidates::Candidates;
use crate::share::DisplayName;
use crate::sighting::{Sighting, Source};

use super::LinkId;

/// Instances of one peer that are never seated again. Overflow: the oldest is forgotten.
const MAX_RETIRED: usize = 8;

/// A seat: a peer in the room. Not a connection: it outlives one for [`super::LEAVE_AFTER`].
#[derive(Debug)]
pub(super) struct Seated {
    pub instance: Instance,
    /// None after a connection broke and before the next one.
    pub link: Option<LinkId>,
    pub since: Instant,
    pub heard: Instant,
    /// When it fell silent and was last redialed.
    pub suspected: Option<Instant>,
    pub address: SocketAddr,
    pub listen: Vec<SocketAddr>,
}

#[derive(Debug, Default)]
pub(super) struct Person {
    pub name: Option<DisplayName>,
    pub candidates: Candidates,
    pub seated: Option<Seated>,
    /// Had a seat, and lost it.
    pub left: bool,
    /// Somebody said that it is in this room (or a person typed its address), and nothing spoke against it since.
    pub wanted: bool,
    /// Removed from the room.
    pub removed: bool,
    pub failures: u32,
    /// When the next round of dials starts, if none runs.
    pub next: Option<Instant>,
    /// Which peer spoke of it first, while nothing better is known.
    pub introducer: Option<PeerId>,
    /// Instances that said goodbye or lost the seat to a newer one.
    pub retired: VecDeque<Instance>,
    /// What each source said last: the instance, and a digest of all of it.
    said: BTreeMap<Source, (Option<Instance>, u64)>,
}

impl Person {
    /// Keeps what a sighting says. True if it says something that this source had not said; for gossip, which anybody
    /// may vary at will, only the first time.
    pub fn learn(&mut self, now: Instant, sighting: &Sighting) -> bool {
        self.candidates.add(now, sighting.source, &sighting.addresses);
        if let Some(name) = &sighting.name
            && self.seated.is_none()
        {
            self.name = Some(name.clone());
        }
        let mut digest = DefaultHasher::new();
        let mut addresses = sighting.addresses.clone();
        addresses.sort();
        (sighting.instance, &sighting.name, addresses, &sighting.rooms, sighting.gone).hash(&mut digest);
        let said = (sighting.instance, digest.finish());
        let before = self.said.insert(sighting.source, said);
        if sighting.source == Source::Gossip { before.is_none() } else { before != Some(said) }
    }

    /// This source said goodbye. False if it had said nothing, or spoke of another instance last: what is left of an
    /// instance that crashed expires long after the next one has come.
    pub fn unlearn(&mut self, source: Source, instance: Option<Instance>) -> bool {
        match self.said.get(&source) {
            Some((last, _)) if instance.is_none() || last.is_none() || *last == instance => {}
            _ => return false,
        }
        self.candidates.forget(source);
        self.said.remove(&source).is_some()
    }

    pub fn retire(&mut self, instance: Instance) {
        if !self.is_retired(instance) {
            self.retired.push_back(instance);
        }
        if self.retired.len() > MAX_RETIRED {
            self.retired.pop_front();
        }
    }

    pub fn is_retired(&self, instance: Instance) -> bool {
        self.retired.contains(&instance)
    }

    /// True if forgetting it loses nothing but claims.
    pub fn is_idle(&self) -> bool {
        self.seated.is_none() && !self.removed && self.retired.is_empty() && !self.candidates.proven()
    }

    /// True if nothing but other peers' word speaks for it.
    pub fn is_rumour(&self) -> bool {
        self.is_idle() && self.candidates.rumoured()
    }
}
