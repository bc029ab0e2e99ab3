//! Sans-IO. Reactions: each floats over its tile for a moment and is gone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::id::PeerId;

/// How long one is seen.
pub const SEEN: Duration = Duration::from_millis(3000);
/// Seen at once; the oldest gives way.
const MOST: usize = 64;

/// Those that are seen.
#[derive(Debug, Default)]
pub struct Reactions {
    // At most MOST.
    all: VecDeque<(Instant, PeerId, String)>,
}

impl Reactions {
    /// Somebody reacts.
    pub fn push(&mut self, now: Instant, peer: PeerId, emoji: &str) {
        self.all.retain(|(since, ..)| now.saturating_duration_since(*since) < SEEN);
        if self.all.len() >= MOST {
            self.all.pop_front();
        }
        self.all.push_back((now, peer, emoji.to_owned()));
    }

    /// Those of one person, with how far each is, 0 to 1.
    pub fn of(&self, peer: PeerId, now: Instant) -> Vec<(&str, f32)> {
        let way = |since: Instant| now.saturating_duration_since(since).as_secs_f32() / SEEN.as_secs_f32();
        let mine = self.all.iter().filter(|(_, who, _)| *who == peer);
        mine.map(|(since, _, emoji)| (emoji.as_str(), way(*since))).filter(|(_, way)| *way < 1.0).collect()
    }

    /// Something is seen.
    pub fn is_moving(&self, now: Instant) -> bool {
        self.all.iter().any(|(since, ..)| now.saturating_duration_since(*since) < SEEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reaction_is_seen_for_a_moment() {
        let (start, peer) = (crate::clock::now(), PeerId::from_bytes([1; 32]));
        let mut reactions = Reactions::default();
        reactions.push(start, peer, "👍");
        assert_eq!(reactions.of(peer, start + SEEN / 2), [("👍", 0.5)]);
        assert!(reactions.is_moving(start) && !reactions.is_moving(start + SEEN));
        assert!(reactions.of(peer, start + SEEN).is_empty());
        for _ in 0..1000 {
            reactions.push(start, peer, "👍");
        }
        assert_eq!(reactions.all.len(), MOST);
    }
}
