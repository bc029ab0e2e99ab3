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

/// Who rang, and how often that may be.
#[derive(Debug, Default)]
pub struct Ringers {
    // At most MAX_RINGERS.
    each: BTreeMap<PeerId, Bucket>,
    strangers: Option<Bucket>,
}

impl Ringers {
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
