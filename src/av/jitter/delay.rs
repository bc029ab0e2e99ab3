//! Sans-IO. How unevenly packets come, and so how long playout must wait.
//!
//! Each arrival has an *offset*: the moment it came less its media time. Nothing is known of the true transit time, so
//! the smallest offset of the last ten seconds stands for a packet that waited nowhere ([`Delay::base`]), and what an
//! offset has above it is the packet's relative delay. The buffer should be as long as the 95th percentile of the
//! relative delays plus one frame (that frame is the time a lost packet's copy needs to come).
//!
//! The window, not a decaying average, makes a single stall harmless: 100 ms of packets held back are 1 % of ten
//! seconds. A longer stall is counted once: after a gap of more than 200 ms only the first packet of the burst counts,
//! until packets come evenly again. The same window follows clock drift: at 100 ppm its minimum is 1 ms off.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far back arrivals count.
const WINDOW_US: i64 = 10_000_000;
/// And how far while they are few, as in the pauses of a talk: longer, and the clocks would have drifted apart.
const LONG_WINDOW_US: i64 = 60_000_000;
/// Five seconds of 10 ms packets are not few.
const FEW: usize = 500;
/// Most arrivals kept; more than ten seconds of 10 ms packets. Overflow: the oldest is forgotten.
const MOST: usize = 1500;
/// A gap after which a burst counts as one arrival.
const GAP_US: i64 = 200_000;
/// How often the percentile is taken anew: sorting 1000 numbers costs about 10 us.
const REFRESH_US: i64 = 100_000;

/// The arrivals of one track.
#[derive(Debug)]
pub struct Delay {
    epoch: Instant,
    // (arrival, offset), microseconds.
    window: VecDeque<(i64, i64)>,
    last_arrival: Option<i64>,
    burst: Option<Burst>,
    base: i64,
    percentile: i64,
    refreshed: i64,
    scratch: Vec<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Burst {
    arrival: i64,
    offset: i64,
}

/// Microseconds from `epoch` to `at`, negative when it is earlier.
pub fn micros(epoch: Instant, at: Instant) -> i64 {
    let whole = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
    match at.checked_duration_since(epoch) {
        Some(after) => whole(after),
        None => -whole(epoch.saturating_duration_since(at)),
    }
}

impl Delay {
    /// Knows nothing yet. `epoch` is the zero of all moments of this track.
    pub fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            window: VecDeque::with_capacity(256),
            last_arrival: None,
            burst: None,
            base: 0,
            percentile: 0,
            refreshed: i64::MIN,
            scratch: Vec::new(),
        }
    }

    /// Counts a packet that came at `arrived` and whose first sample is `media_us` into the track.
    pub fn on_arrival(&mut self, arrived: Instant, media_us: i64) {
        let arrival = micros(self.epoch, arrived);
        let offset = arrival - media_us;
        let gap = self.last_arrival.map_or(0, |last| arrival - last);
        self.last_arrival = Some(arrival);
        if gap > GAP_US && self.count() > 0 && offset - self.base > GAP_US / 2 {
            self.burst = Some(Burst { arrival, offset });
        } else if let Some(burst) = self.burst {
            // In a burst the offsets fall as fast as media time goes; when they no longer do, packets come evenly.
            let drained = burst.offset - offset;
            let took = arrival - burst.arrival;
            if took < WINDOW_US / 2 && offset - self.base > self.percentile.max(20_000) && drained >= took {
                return;
            }
            self.burst = None;
        }
        if self.window.len() >= MOST {
            self.window.pop_front();
        }
        self.window.push_back((arrival, offset));
        while let Some((at, _)) = self.window.front() {
            let most = if self.window.len() > FEW { WINDOW_US } else { LONG_WINDOW_US };
            if arrival - at <= most {
                break;
            }
            self.window.pop_front();
        }
        if self.window.len() < 2 || offset < self.base || arrival - self.refreshed >= REFRESH_US {
            self.refresh(arrival);
        }
    }

    fn refresh(&mut self, now: i64) {
        self.refreshed = now;
        self.scratch.clear();
        self.scratch.extend(self.window.iter().map(|(_, offset)| *offset));
        let Some(base) = self.scratch.iter().min() else { return };
        self.base = *base;
        // Nearest rank: the smallest value that at least 95 % do not exceed.
        let rank = (self.scratch.len() * 95).div_ceil(100).saturating_sub(1);
        let (_, value, _) = self.scratch.select_nth_unstable(rank);
        self.percentile = *value - self.base;
    }

    /// Arrivals in the window.
    pub fn count(&self) -> usize {
        self.window.len()
    }

    /// How long arrivals are known, in microseconds.
    pub fn known(&self) -> i64 {
        self.window.front().zip(self.window.back()).map_or(0, |((first, _), (last, _))| last - first)
    }

    /// The offset of a packet that waited nowhere, in microseconds.
    pub fn base(&self) -> i64 {
        self.base
    }

    /// The 95th percentile of the relative delays, in microseconds.
    pub fn percentile(&self) -> i64 {
        self.percentile
    }

    /// Forgets all arrivals; the epoch stays.
    pub fn clear(&mut self) {
        *self = Self::new(self.epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 10_000;

    struct Bench {
        delay: Delay,
        epoch: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let epoch = crate::clock::now();
            Self { delay: Delay::new(epoch), epoch }
        }

        /// Frame `n` comes `late` after the moment it was made.
        fn packet(&mut self, n: i64, late: i64) {
            let at = u64::try_from(n * FRAME + late + 1_000_000).expect("not before the epoch");
            self.delay.on_arrival(self.epoch + Duration::from_micros(at), n * FRAME);
        }
    }

    #[test]
    fn percentile_is_of_the_delay_above_the_fastest() {
        let mut bench = Bench::new();
        for n in 0..1000 {
            bench.packet(n, 500_000 + (n % 10) * 1000);
        }
        assert_eq!(bench.delay.percentile(), 9000);
    }

    #[test]
    fn one_stall_does_not_lengthen_the_buffer() {
        let mut bench = Bench::new();
        for n in 0..1000 {
            // 100 ms of packets held back and let go at once.
            bench.packet(n, if (500..510).contains(&n) { (510 - n) * FRAME } else { 0 });
        }
        assert_eq!(bench.delay.percentile(), 0);
    }

    #[test]
    fn burst_after_a_gap_counts_as_one_arrival() {
        let mut bench = Bench::new();
        for n in 0..200 {
            bench.packet(n, 0);
        }
        for n in 200..300 {
            // 1 s held back: of 100 packets in the burst only the first counts.
            bench.packet(n, (300 - n) * FRAME);
        }
        for n in 300..320 {
            bench.packet(n, 0);
        }
        assert!(bench.delay.percentile() < 10_000, "{}", bench.delay.percentile());
    }

    #[test]
    fn lasting_delay_after_a_gap_is_believed() {
        let mut bench = Bench::new();
        for n in 0..200 {
            bench.packet(n, 0);
        }
        for n in 230..1000 {
            bench.packet(n, 300_000);
        }
        assert_eq!(bench.delay.percentile(), 300_000);
    }

    #[test]
    fn what_was_learnt_outlasts_a_pause() {
        let mut bench = Bench::new();
        for n in 0..1000 {
            bench.packet(n, (n % 10) * 3000);
        }
        // Twenty seconds with a packet each 0.4 s.
        for n in (1000..3000).step_by(40) {
            bench.packet(n, 9000);
        }
        assert_eq!(bench.delay.percentile(), 27_000);
        assert!(bench.delay.known() > 20_000_000);
    }

    #[test]
    fn drift_of_100_ppm_moves_the_base() {
        let mut bench = Bench::new();
        for n in 0..60_000 {
            bench.packet(n, n * FRAME / 10_000);
        }
        // Ten minutes: 60 ms of drift, of which ten seconds (1 ms) are in the window.
        assert!((bench.delay.base() - 1_059_000).abs() < 20, "{}", bench.delay.base());
        assert!(bench.delay.percentile() <= 1000);
    }
}
