//! Sans-IO. Which keys have used which display name: what makes a name that comes with another key visible.
//!
//! A name is remembered for a key only once a link to that key was made under it. Names compare folded. Bounds:
//! [`MAX_NAMES`] names, [`MAX_KEYS`] keys a name. Above, the name that was used longest ago is forgotten, one first
//! learned in this session before any from earlier: throwaway keys do not wipe the memory. Of a name with too many keys nothing more is learned, for it is useless as a recipient anyway.

use std::collections::BTreeMap;

use crate::id::PeerId;
use crate::share::DisplayName;

/// Names remembered.
pub const MAX_NAMES: usize = 4096;
/// Keys remembered of one name.
pub const MAX_KEYS: usize = 8;

/// Folded display names, each with every key that was linked under it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    names: BTreeMap<String, Used>,
    last: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Used {
    // As last shown.
    shown: String,
    // Sorted; at most MAX_KEYS.
    keys: Vec<PeerId>,
    // Grows with each use of any name.
    last: u64,
    // Known before this session.
    earlier: bool,
    // Unix milliseconds, 0 where that was not known.
    at: u64,
}

/// Whether something was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learned {
    /// The key used the name for the first time.
    New,
    /// It was known.
    Known,
}

impl Names {
    /// Knows nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// `peer` was linked under `name` just now.
    pub fn record(&mut self, name: &DisplayName, peer: PeerId) -> Learned {
        self.record_at(name, peer, 0)
    }

    /// `peer` was linked under `name` at `unix_ms`. The order in which names are recorded counts, whatever clocks say.
    pub fn record_at(&mut self, name: &DisplayName, peer: PeerId, unix_ms: u64) -> Learned {
        let folded = name.folded();
        if self.names.len() >= MAX_NAMES && !self.names.contains_key(&folded) {
            let oldest =
                self.names.iter().min_by_key(|(_, used)| (used.earlier, used.last)).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.names.remove(&name));
        }
        self.last += 1;
        let used = self.names.entry(folded).or_default();
        (used.last, used.at) = (self.last, unix_ms);
        name.as_str().clone_into(&mut used.shown);
        match used.keys.binary_search(&peer) {
            Err(at) if used.keys.len() < MAX_KEYS => {
                used.keys.insert(at, peer);
                Learned::New
            }
            _ => Learned::Known,
        }
    }

    /// Says which names, by their folded form, were known before this session: they are forgotten last.
    pub fn mark_earlier(&mut self, earlier: impl Fn(&str) -> bool) {
        self.names.iter_mut().for_each(|(folded, used)| used.earlier = earlier(folded));
    }

    /// The folded names.
    pub fn folded(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The keys that used the name whose folded form is `folded`.
    pub fn keys(&self, folded: &str) -> impl Iterator<Item = PeerId> + '_ {
        self.names.get(folded).into_iter().flat_map(|used| used.keys.iter().copied())
    }

    /// Every key of every name, with doubles.
    pub fn all_keys(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.names.values().flat_map(|used| used.keys.iter().copied())
    }

    /// Names, when they were last used (milliseconds since 1970, 0 where that was not known) and their keys, the one used
    /// longest ago first.
    pub fn by_age(&self) -> Vec<(&str, u64, &[PeerId])> {
        let mut names: Vec<&Used> = self.names.values().collect();
        names.sort_by_key(|used| used.last);
        names.into_iter().map(|used| (used.shown.as_str(), used.at, used.keys.as_slice())).collect()
    }

    /// Forgets a key; true when it was known.
    pub fn forget(&mut self, peer: PeerId) -> bool {
        let before: usize = self.names.values().map(|used| used.keys.len()).sum();
        self.names.values_mut().for_each(|used| used.keys.retain(|key| *key != peer));
        self.names.retain(|_, used| !used.keys.is_empty());
        before > self.names.values().map(|used| used.keys.len()).sum()
    }

    /// How many names are known.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True when no name is known.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u16) -> PeerId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        PeerId::from_bytes(bytes)
    }

    #[test]
    fn a_name_keeps_every_key_that_used_it() {
        let mut names = Names::new();
        assert_eq!(names.record(&DisplayName::new("Bob"), peer(1)), Learned::New);
        assert_eq!(names.record(&DisplayName::new("bOB"), peer(1)), Learned::Known);
        assert_eq!(names.record(&DisplayName::new("BOB"), peer(2)), Learned::New);
        assert_eq!(names.keys("bob").collect::<Vec<_>>(), [peer(1), peer(2)]);
        assert_eq!(names.keys("alice").count(), 0);
    }

    #[test]
    fn throwaway_keys_do_not_wipe_what_was_known_before() {
        let mut names = Names::new();
        names.record(&DisplayName::new("Bob"), peer(1));
        names.mark_earlier(|_| true);
        for n in 0..2 * u16::try_from(MAX_NAMES).expect("small") {
            names.record(&DisplayName::new(&format!("n{n}")), peer(n));
        }
        assert_eq!(names.len(), MAX_NAMES);
        assert_eq!(names.keys("bob").collect::<Vec<_>>(), [peer(1)]);
    }

    #[test]
    fn the_oldest_name_is_forgotten_above_the_cap() {
        let mut names = Names::new();
        for n in 0..=u16::try_from(MAX_NAMES).expect("small") {
            names.record(&DisplayName::new(&format!("n{n}")), peer(n));
        }
        assert_eq!(names.len(), MAX_NAMES);
        assert_eq!(names.keys("n0").count(), 0);
        assert_eq!(names.keys("n1").count(), 1);
        for n in 0..100 {
            names.record(&DisplayName::new("same"), peer(n));
        }
        assert_eq!(names.keys("same").count(), MAX_KEYS);
    }
}
