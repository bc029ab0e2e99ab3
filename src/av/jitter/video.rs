//! Sans-IO. When a decoded picture is released: at capture plus the 95th percentile of the completion delay, at most 100 ms
//! above its minimum, less what the screen's own rhythm hides. On a quiet network nothing is added; with jitter, or where
//! lost packets come a round trip later, motion stays even.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Delays remembered: 3 s at 30 pictures a second, so that a slow picture now and then is no percentile.
const WINDOW: usize = 96;
/// Unevenness that nobody sees: half the interval of a 60 Hz screen. It is not smoothed, so it costs no delay.
const UNSEEN: i64 = 8_000;
/// Most that is added to the smallest delay.
const MAX_ADDED: i64 = 100_000;
/// A delay that is so far from the last is a new clock.
const NEW_CLOCK: u64 = 2_000_000;

/// Decides when pictures are released.
#[derive(Debug)]
pub struct Playout {
    origin: Instant,
    /// Completion minus capture of the last pictures, in microseconds, plus an unknown constant.
    delays: VecDeque<i64>,
    /// What is aimed at, on the same scale.
    target: i64,
    last: Option<Instant>,
}

impl Playout {
    /// Knows no delays yet: the first pictures are released at once. `origin` is any moment.
    pub fn new(origin: Instant) -> Self {
        Self { origin, delays: VecDeque::with_capacity(WINDOW), target: i64::MIN, last: None }
    }

    /// The picture that was captured at `captured` (microseconds of the sender's clock) was whole at `now`.
    pub fn on_complete(&mut self, now: Instant, captured: u64) {
        let delay = self.delay(now, captured);
        if self.delays.back().is_some_and(|last| last.abs_diff(delay) > NEW_CLOCK) {
            self.delays.clear();
        }
        if self.delays.len() == WINDOW {
            self.delays.pop_front();
        }
        self.delays.push_back(delay);
        let mut sorted: Vec<i64> = self.delays.iter().copied().collect();
        // Rounded down: while few are known, the slow first picture is not taken for the rule.
        let rank = (sorted.len() - 1) * 95 / 100;
        let least = sorted.iter().copied().min().unwrap_or(delay);
        let (_, percentile, _) = sorted.select_nth_unstable(rank);
        self.target = percentile.saturating_sub(UNSEEN).min(least.saturating_add(MAX_ADDED));
    }

    /// When a picture that is ready at `now` is due: not before `now`, at most 100 ms after it.
    pub fn due(&self, now: Instant, captured: u64) -> Instant {
        let added = self.target.saturating_sub(self.delay(now, captured)).clamp(0, MAX_ADDED);
        now + Duration::from_micros(u64::try_from(added).unwrap_or(0))
    }

    /// When the picture that was captured at `captured` and decoded at `now` is released: when it is due, never before
    /// the picture before it.
    pub fn release_at(&mut self, now: Instant, captured: u64) -> Instant {
        let most = now + Duration::from_millis(100);
        let at = self.due(now, captured).max(self.last.unwrap_or(now).min(most));
        self.last = Some(at);
        at
    }

    fn delay(&self, now: Instant, captured: u64) -> i64 {
        let since = i64::try_from(now.saturating_duration_since(self.origin).as_micros()).unwrap_or(i64::MAX);
        since.wrapping_sub_unsigned(captured)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quiet_network_adds_nothing_and_jitter_is_smoothed() {
        let start = crate::clock::now();
        let mut playout = Playout::new(start);
        let ms = Duration::from_millis;
        for i in 0..100u32 {
            let now = start + i * ms(33) + ms(5);
            playout.on_complete(now, u64::from(i) * 33_000 + 77);
            assert_eq!(playout.release_at(now, u64::from(i) * 33_000 + 77), now);
        }
        // From now on every tenth picture takes 40 ms longer.
        let mut late = 0;
        for i in 100..400u32 {
            let now = start + i * ms(33) + ms(5) + if i % 10 == 0 { ms(40) } else { ms(0) };
            playout.on_complete(now, u64::from(i) * 33_000 + 77);
            let at = playout.release_at(now, u64::from(i) * 33_000 + 77);
            if i > 300 {
                late += u32::from(at < start + i * ms(33) + ms(37));
            }
        }
        assert_eq!(late, 0);
    }
    proptest! {
        #[test]
        fn release_is_soon_and_in_order(steps in proptest::collection::vec((0u64..200_000, any::<u64>()), 1..300)) {
            let mut now = crate::clock::now();
            let mut playout = Playout::new(now);
            let mut last = now;
            for (step, captured) in steps {
                now += Duration::from_micros(step);
                playout.on_complete(now, captured);
                let at = playout.release_at(now, captured);
                prop_assert!(at >= now && at <= now + Duration::from_millis(100) && at >= last);
                last = at;
            }
        }
    }
}
