//! Sans-IO. Rates: how fast a transfer goes, and how fast it may go.
//!
//! [`Speed`] measures over the last seconds, so that it neither jumps with every confirmation nor remembers a minute
//! that is over. [`Pace`] is a token bucket: while media flows the link says how many bits a second files may take,
//! and a file takes no more than that, in small pieces, so that a call never notices it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::media::Bitrate;
use crate::share::Progress;

/// Time that [`Speed`] looks back over (guess: steady to the eye, and quick to follow a change).
const WINDOW: Duration = Duration::from_secs(3);
/// Points kept; more often than this in one window is merged into the last.
const POINTS: usize = 32;

/// Bytes a second over the last [`WINDOW`].
#[derive(Debug, Clone, Default)]
pub struct Speed {
    points: VecDeque<(Instant, u64)>,
}

impl Speed {
    /// At `now`, `done` bytes in all were there.
    pub fn on_done(&mut self, now: Instant, done: u64) {
        while self.points.len() > 1 && self.points.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.points.pop_front();
        }
        if self.points.len() >= POINTS {
            self.points.pop_back();
        }
        self.points.push_back((now, done));
    }

    /// Forgets the past: after a pause the time of the pause does not count.
    pub fn restart(&mut self, now: Instant, done: u64) {
        self.points.clear();
        self.points.push_back((now, done));
    }

    /// Bytes a second; 0 while there is nothing to measure.
    pub fn rate(&self) -> u64 {
        let (Some((from, start)), Some((to, end))) = (self.points.front(), self.points.back()) else { return 0 };
        let micros = to.duration_since(*from).as_micros();
        if micros == 0 {
            return 0;
        }
        u64::try_from(u128::from(end.saturating_sub(*start)) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }
}

/// What a person is shown of `done` of `size` bytes at `rate` bytes a second.
pub fn progress(done: u64, size: u64, rate: u64) -> Progress {
    let left = size.saturating_sub(done);
    let eta = |rate: u64| u64::try_from(u128::from(left) * 1000 / u128::from(rate)).unwrap_or(u64::MAX);
    Progress { done, size, rate, eta_ms: (rate > 0).then(|| eta(rate)) }
}

/// Bytes written at once while metered: 3 ms of a 40 Mbit/s link, so that what waits in the transport stays short.
pub const PIECE: usize = 16 * 1024;

/// What a pause that lasted too long may be made up for: sleeps end up to a few milliseconds late, and a burst longer
/// than this is what a call would notice.
const CREDIT: Duration = Duration::from_millis(5);

/// A token bucket for file bytes. Holds at most one piece and [`CREDIT`].
#[derive(Debug, Clone, Default)]
pub struct Pace {
    // When the bytes taken so far have been paid for.
    free_at: Option<Instant>,
}

impl Pace {
    /// How long to wait before sending `bytes` more at `allowance`; `None` is no limit.
    pub fn take(&mut self, now: Instant, bytes: usize, allowance: Option<Bitrate>) -> Duration {
        let Some(rate) = allowance else {
            self.free_at = None;
            return Duration::ZERO;
        };
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        let start = self.free_at.map_or(now, |at| at.max(earliest));
        let nanos = (bytes as u128) * 8 * 1_000_000_000 / u128::from(rate.bps().max(1));
        // An allowance of next to nothing is asked again after a second instead of believed for an hour.
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).min(Duration::from_secs(1));
        self.free_at = Some(start + cost);
        start.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn speed_forgets_what_is_older_than_its_window() {
        let start = crate::clock::now();
        let mut speed = Speed::default();
        for i in 0..=100 {
            speed.on_done(at(start, i * 100), i * 1_000);
        }
        assert_eq!(speed.rate(), 10_000);
        for i in 1..=50 {
            speed.on_done(at(start, 10_000 + i * 100), 100_000 + i * 5_000);
        }
        assert_eq!(speed.rate(), 50_000);
    }

    #[test]
    fn eta_is_unknown_until_a_rate_is() {
        assert_eq!(progress(0, 10, 0).eta_ms, None);
        assert_eq!(progress(500, 1_000, 100).eta_ms, Some(5_000));
        assert_eq!(progress(1_000, 1_000, 100).eta_ms, Some(0));
    }

    #[test]
    fn paced_bytes_keep_to_the_allowance() {
        let start = crate::clock::now();
        let mut pace = Pace::default();
        let mut now = start;
        for _ in 0..100 {
            now += pace.take(now, PIECE, Some(Bitrate::from_bps(8_000_000)));
        }
        // 99 pieces of 16 KiB at 1 MB/s: the first one goes at once.
        let took = now.duration_since(start).as_millis();
        assert!((1_620..=1_625).contains(&took), "{took} ms");
        assert_eq!(pace.take(now, PIECE, None), Duration::ZERO);
    }

    #[test]
    fn sleeps_that_end_late_cost_no_rate_and_idle_time_is_not_saved_up() {
        let start = crate::clock::now();
        let (mut pace, mut now) = (Pace::default(), start);
        let rate = Some(Bitrate::from_bps(80_000_000));
        for _ in 0..1_000 {
            let wait = pace.take(now, PIECE, rate);
            now += if wait.is_zero() { wait } else { wait + Duration::from_millis(2) };
        }
        // 16.4 MB at 10 MB/s.
        let took = now.duration_since(start).as_millis();
        assert!((1_620..=1_650).contains(&took), "{took} ms");
        now += Duration::from_secs(10);
        let free = (0..100).take_while(|_| pace.take(now, PIECE, rate).is_zero()).count();
        assert!(free <= 5, "{free} pieces at once");
    }
}
