//! Sans-IO. Which earlier frames ride along in a sound packet, so that a lost packet costs nothing and a lost burst little.
//!
//! How many follows from the measured loss: as many as leave at most one frame in 500 without any of its packets. How far
//! back they reach follows from how long the path usually loses in one go: a copy helps only when it is in a packet
//! after the burst. They are spread evenly up to there, so that the same bytes serve single losses and bursts. The
//! receiver waits as long as the copies that it gets tell it (`jitter::mend`): a far copy costs delay, and is sent only
//! where it is needed.
//!
//! More is sent at once, less after ten seconds of less. A call begins with one copy, before anything was measured.

use std::time::{Duration, Instant};

/// Most copies in one packet: five times the bytes. More loss than this covers (29 %) is no place for a call.
pub const MOST: u8 = 4;
/// Furthest that a copy reaches back, in frames of 10 ms: what the delay of a call has room for.
pub const FURTHEST: u8 = 8;
/// Share of frames that may be lost with all their copies.
const LEFT: f64 = 0.002;
/// Loss below this is none: even unrepaired it is a fifth of what is allowed to be made up.
const CLEAN: f64 = 0.001;
/// A need is believed for so long after it was last measured.
const HELD: Duration = Duration::from_secs(10);
const FRAME_MS: u128 = 10;

/// What was needed most of late.
#[derive(Debug, Clone, Copy)]
struct Peak {
    value: u8,
    at: Instant,
}

impl Peak {
    fn measure(&mut self, now: Instant, value: u8) {
        if value >= self.value || now.saturating_duration_since(self.at) > HELD {
            *self = Self { value, at: now };
        }
    }
}

/// Decides for one microphone, for the worst of its links.
#[derive(Debug)]
pub struct Redundancy {
    copies: Peak,
    reach: Peak,
}

impl Redundancy {
    /// One copy until ten seconds without loss.
    pub fn new(now: Instant) -> Self {
        Self { copies: Peak { value: 1, at: now }, reach: Peak { value: 1, at: now } }
    }

    /// What was measured of the path: the share of packets lost, 0 to 1, and how long it usually loses in one go (zero:
    /// not known).
    pub fn on_path(&mut self, now: Instant, loss: f64, outage: Duration) {
        let copies = needed(loss);
        let frames = outage.as_millis().div_ceil(FRAME_MS);
        let reach = if copies == 0 { 0 } else { u8::try_from(frames).unwrap_or(FURTHEST).min(FURTHEST) };
        self.copies.measure(now, copies);
        self.reach.measure(now, reach);
    }

    /// How many frames back the furthest copy is.
    pub fn reach(&self) -> u8 {
        self.reach.value.max(self.copies.value)
    }

    /// How many frames back each copy is, rising.
    pub fn backs(&self) -> impl Iterator<Item = u8> + use<> {
        let (copies, reach) = (self.copies.value, self.reach());
        (1..=copies).map(move |copy| (copy * reach).div_ceil(copies))
    }
}

/// So many copies leave at most [`LEFT`] at random `loss`.
fn needed(loss: f64) -> u8 {
    if loss < CLEAN {
        return 0;
    }
    (1..MOST).find(|copies| loss.powi(i32::from(*copies) + 1) <= LEFT).unwrap_or(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn copies_follow_loss_and_reach_past_the_burst() {
        let check = |loss: f64, outage: u64, expect: &[u8]| {
            let now = crate::clock::now();
            let mut redundancy = Redundancy::new(now);
            redundancy.on_path(now + ms(11_000), loss, ms(outage));
            assert_eq!(redundancy.backs().collect::<Vec<u8>>(), expect, "{loss} {outage}");
        };
        check(0.0, 0, &[]);
        check(0.0, 40, &[]);
        check(0.01, 0, &[1]);
        check(0.01, 40, &[4]);
        check(0.05, 10, &[1, 2]);
        check(0.05, 40, &[2, 4]);
        check(0.05, 60, &[3, 6]);
        check(0.1, 20, &[1, 2]);
        check(0.2, 30, &[1, 2, 3]);
        check(0.2, 500, &[3, 6, 8]);
        check(0.9, 0, &[1, 2, 3, 4]);
        check(f64::NAN, 0, &[1, 2, 3, 4]);
    }

    #[test]
    fn more_comes_at_once_and_less_after_ten_seconds() {
        let start = crate::clock::now();
        let mut redundancy = Redundancy::new(start);
        let backs = |redundancy: &Redundancy| redundancy.backs().collect::<Vec<u8>>();
        assert_eq!(backs(&redundancy), [1]);
        redundancy.on_path(start + ms(9000), 0.0, ms(0));
        assert_eq!(backs(&redundancy), [1]);
        redundancy.on_path(start + ms(10_001), 0.0, ms(0));
        assert!(backs(&redundancy).is_empty());
        redundancy.on_path(start + ms(11_000), 0.2, ms(0));
        assert_eq!(backs(&redundancy), [1, 2, 3]);
        redundancy.on_path(start + ms(20_000), 0.01, ms(0));
        assert_eq!(backs(&redundancy), [1, 2, 3]);
        redundancy.on_path(start + ms(21_001), 0.01, ms(0));
        assert_eq!(backs(&redundancy), [1]);
    }
}
