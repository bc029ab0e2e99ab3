//! Sans-IO. How often somebody may ring.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::bucket::Bucket;
use crate::id::PeerId;
use crate::known::trust::Trust;

/// Keys of which it is known how often they rang. Overflow: all are forgotten, and may ring a little more.
pub const MAX_RINGERS: usize = 256;
/// Rings at once.
pub const RINGS: u32 = 4;
/// Rings at once of all keys that were never met: one key alone does not use them up.
pub const STRANGERS: u32 = 2 * RINGS;
/// One more ring of the same key.
pub const RING_EVERY: Duration = Duration::from_secs(20);
/// One more ring of anybody never met.
pub const STRANGER_EVERY: Duration = Duration::from_secs(10);

/// How long somebody is busy for whom they declined, at first and at most.
pub const PAUSE: Duration = Duration::from_secs(30);
const MOST_PAUSE: Duration = Duration::from_secs(480);
/// A decline counts for so long after its pause.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Who rang, and how often that may be.
#[derive(Debug, Default)]
pub struct Ringers {
    // At most MAX_RINGERS.
    each: BTreeMap<PeerId, Bucket>,
    strangers: Option<Bucket>,
    // Until when, and how long that was. At most MAX_RINGERS.
    refused: BTreeMap<PeerId, (Instant, Duration)>,
}

impl Ringers {
    /// A call of `peer` was declined. Once is a word among people; from the second time on it hears for a while that we are
    /// busy, for longer each time.
    pub fn on_declined(&mut self, now: Instant, peer: PeerId) {
        if self.refused.len() >= MAX_RINGERS {
            self.refused.clear();
        }
        let before = self.refused.get(&peer).filter(|(until, _)| now < *until + REMEMBERED);
        let pause = before.map_or(Duration::ZERO, |(_, last)| (*last * 2).clamp(PAUSE, MOST_PAUSE));
        self.refused.insert(peer, (now + pause, pause));
    }

    /// True while the person who declined is left in peace.
    pub fn is_refused(&self, now: Instant, peer: PeerId) -> bool {
        self.refused.get(&peer).is_some_and(|(until, _)| now < *until)
    }

    /// True when a ring of `peer` is to be heard.
    pub fn may_ring(&mut self, now: Instant, peer: PeerId, trust: Trust) -> bool {
        if self.each.len() >= MAX_RINGERS && !self.each.contains_key(&peer) {
            self.each.clear();
        }
        let own = self.each.entry(peer).or_insert_with(|| Bucket::new(now, RINGS, RING_EVERY)).take(now);
        let stranger = matches!(trust, Trust::New | Trust::Changed);
        let strangers = self.strangers.get_or_insert_with(|| Bucket::new(now, STRANGERS, STRANGER_EVERY));
        own && (!stranger || strangers.take(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_declined_again_and_again_hears_busy_for_longer_each_time() {
        let (mut ringers, start) = (Ringers::default(), crate::clock::now());
        let (eve, ann) = (PeerId::from_bytes([1; 32]), PeerId::from_bytes([2; 32]));
        let mut now = start;
        ringers.on_declined(now, eve);
        assert!(!ringers.is_refused(now, eve), "once is no insult");
        for expect in [30, 60, 120, 240, 480, 480] {
            ringers.on_declined(now, eve);
            let pause = Duration::from_secs(expect);
            assert!(ringers.is_refused(now + pause - Duration::from_millis(1), eve), "{expect} s");
            assert!(!ringers.is_refused(now + pause, eve) && !ringers.is_refused(now, ann));
            now += pause;
        }
        now += REMEMBERED;
        ringers.on_declined(now, eve);
        assert!(!ringers.is_refused(now, eve), "long forgotten");
    }
}
