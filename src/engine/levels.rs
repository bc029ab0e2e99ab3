//! How loud everybody is right now: read by a window at the pace of its pictures, without a question to the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::av::loudness::Loudness;
use crate::clock;
use crate::id::PeerId;

/// How loud somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Level {
    /// 0 (silent) to 1 (full scale), linear in decibels; falls slowly.
    pub loudness: f32,
    /// Somebody speaks, gaps between words included.
    pub speaking: bool,
}

/// The levels of all that is heard. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    /// As many as there are remote microphones, which the engine caps.
    heard: Arc<Mutex<BTreeMap<PeerId, Loudness>>>,
    own: Loudness,
}

impl Levels {
    /// Nobody is heard.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Loudness>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How loud `peer` is, or (`None`) the own microphone, after its mute. Who is not heard is silent.
    pub fn of(&self, peer: Option<PeerId>) -> Level {
        let loudness = match peer {
            None => Some(self.own.clone()),
            Some(peer) => self.lock().get(&peer).cloned(),
        };
        let (loudness, speaking) = loudness.map_or((0.0, false), |loudness| loudness.read(clock::now()));
        Level { loudness, speaking }
    }

    /// Who speaks now; `None` is oneself.
    pub fn speaking(&self) -> BTreeSet<Option<PeerId>> {
        let now = clock::now();
        let mut speaking: BTreeSet<Option<PeerId>> =
            self.lock().iter().filter(|(_, loudness)| loudness.read(now).1).map(|(peer, _)| Some(*peer)).collect();
        if self.own.read(now).1 {
            speaking.insert(None);
        }
        speaking
    }

    /// Where the own microphone says how loud it is.
    pub fn own(&self) -> Loudness {
        self.own.clone()
    }

    /// `peer` is heard from now on, as loud as `loudness` says.
    pub fn open(&self, peer: PeerId, loudness: Loudness) {
        self.lock().insert(peer, loudness);
    }

    /// `peer` is not heard any more.
    pub fn close(&self, peer: PeerId) {
        self.lock().remove(&peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::packet::audio::Level as Heard;

    #[test]
    fn each_has_a_level_of_its_own() {
        let (levels, peer) = (Levels::new(), PeerId::from_bytes([1; 32]));
        assert_eq!(levels.of(Some(peer)), Level::default());
        let loudness = Loudness::new();
        levels.open(peer, loudness.clone());
        loudness.hear(clock::now(), Heard::new(6, true));
        assert!(levels.of(Some(peer)).speaking);
        assert_eq!(levels.of(None), Level::default());
        assert_eq!(levels.speaking(), BTreeSet::from([Some(peer)]));
        levels.close(peer);
        assert_eq!(levels.of(Some(peer)), Level::default());
    }
}
