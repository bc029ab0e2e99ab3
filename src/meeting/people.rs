//! Sans-IO. Who is seated: one seat for each key, whatever happens to its links. Names and keys for WHO are in the
//! [`Directory`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::id::{Instance, LinkKey, PeerId};
use crate::known::names::Names;
use crate::known::trust::Book;

use super::event::Person;
use super::state::Presence;
use super::who::Directory;

/// Volumes remembered by key, also of those who left: all that the profile had, and as many more. Above, no more are
/// (the engine still sets them).
const MAX_VOLUMES: usize = 2 * crate::known::volumes::MAX_VOLUMES;

/// A participant.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Which run of it.
    pub instance: Instance,
    /// How surely it is there.
    pub presence: Presence,
    /// When its link came up, or up again.
    up_at: Instant,
    /// Since when nothing is heard.
    silent_since: Option<Instant>,
}

/// How a peer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// Nobody had this seat.
    Joined,
    /// The same run, over another link.
    Again,
    /// A new run took the seat over: same person, everything else is new.
    Restarted,
}

/// Everybody seated except oneself.
#[derive(Debug, Clone)]
pub struct People {
    /// Who may be meant.
    pub directory: Directory,
    seats: BTreeMap<PeerId, Seat>,
    volumes: BTreeMap<PeerId, f32>,
}

impl People {
    /// Nobody yet.
    pub fn new(me: Person, used: Names, trust: Book) -> Self {
        let directory = Directory::new(me, used).with_trust(trust);
        Self { directory, seats: BTreeMap::new(), volumes: BTreeMap::new() }
    }

    /// A link is up.
    pub fn arrive(&mut self, now: Instant, key: LinkKey) -> Came {
        match self.seats.get_mut(&key.peer) {
            Some(seat) if seat.instance == key.instance => Came::Again,
            Some(seat) => {
                seat.instance = key.instance;
                Came::Restarted
            }
            None => {
                let seat = Seat { instance: key.instance, presence: Presence::Linked, up_at: now, silent_since: None };
                self.seats.insert(key.peer, seat);
                Came::Joined
            }
        }
    }

    /// Nothing is heard since `after`, at most: for how long, if it is news that the link is silent or broken.
    pub fn suspect(&mut self, now: Instant, peer: PeerId, after: Duration) -> Option<Duration> {
        let seat = self.seats.get_mut(&peer).filter(|seat| seat.presence == Presence::Linked)?;
        seat.presence = Presence::Suspected;
        let after = after.min(now.saturating_duration_since(seat.up_at));
        seat.silent_since = Some(now.checked_sub(after).unwrap_or(now));
        Some(after)
    }

    /// It is heard again; how long it was silent, if it was.
    pub fn recover(&mut self, now: Instant, peer: PeerId) -> Option<Duration> {
        let seat = self.seats.get_mut(&peer)?;
        seat.presence = Presence::Linked;
        seat.up_at = now;
        seat.silent_since.take().map(|since| now.saturating_duration_since(since))
    }

    /// It is gone; true when it was seated.
    pub fn depart(&mut self, peer: PeerId) -> bool {
        self.directory.depart(peer);
        self.seats.remove(&peer).is_some()
    }

    /// The seat of `peer`.
    pub fn seat(&self, peer: PeerId) -> Option<&Seat> {
        self.seats.get(&peer)
    }

    /// All seats, by key.
    pub fn seats(&self) -> impl Iterator<Item = (PeerId, &Seat)> {
        self.seats.iter().map(|(peer, seat)| (*peer, seat))
    }

    /// How loud `peer` is to be.
    pub fn volume(&self, peer: PeerId) -> f32 {
        self.volumes.get(&peer).copied().unwrap_or(1.0)
    }

    /// Remembers how loud `peer` is to be.
    pub fn set_volume(&mut self, peer: PeerId, volume: f32) {
        if self.volumes.len() < MAX_VOLUMES || self.volumes.contains_key(&peer) {
            self.volumes.insert(peer, volume);
        }
    }
}
