//! Sans-IO. The figures of a received picture track, as `cli.md` defines them: totals since the start, all else since
//! the previous reading.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::av::packet::header::Layer;
use crate::media::ClockMap;
use crate::stats::{Latency, LatencyKind, Video};

/// Intervals whose mean is the usual one.
const INTERVALS: usize = 30;
/// Latencies kept between two readings. Overflow: further ones are left out; that is after 8 s at 60 a second.
const MAX_LATENCIES: usize = 512;

/// A screen that stands still is repeated once a second: only a longer gap is a freeze of it.
const STILL: Duration = Duration::from_millis(2500);

/// Tells a freeze: a gap of at least max(3d, d + 150 ms), d the mean interval.
#[derive(Debug, Clone, Default)]
struct Freezes {
    /// Shorter gaps are none.
    least: Duration,
    last: Option<Instant>,
    intervals: VecDeque<Duration>,
    count: u64,
    frozen: Duration,
}

impl Freezes {
    fn gap(&self, now: Instant) -> Option<Duration> {
        let gap = now.saturating_duration_since(self.last?);
        let count = u32::try_from(self.intervals.len()).ok().filter(|n| *n > 0)?;
        let mean = self.intervals.iter().sum::<Duration>() / count;
        (gap >= (mean * 3).max(mean + Duration::from_millis(150)).max(self.least)).then_some(gap)
    }

    fn on_release(&mut self, now: Instant) {
        if let Some(gap) = self.gap(now) {
            self.count += 1;
            self.frozen += gap;
        } else if let Some(last) = self.last {
            if self.intervals.len() == INTERVALS {
                self.intervals.pop_front();
            }
            self.intervals.push_back(now.saturating_duration_since(last));
        }
        self.last = Some(now);
    }

    /// Totals with the gap that lasts.
    fn totals(&self, now: Instant) -> (u64, Duration) {
        self.gap(now).map_or((self.count, self.frozen), |gap| (self.count + 1, self.frozen + gap))
    }

    /// Nothing is shown from now on, and that is no freeze. One that lasts is counted as it is.
    fn pause(&mut self, now: Instant) {
        (self.count, self.frozen) = self.totals(now);
        self.last = None;
        self.intervals.clear();
    }
}

/// One released picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Released {
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// Its layer.
    pub layer: Layer,
    /// Milliseconds from capture to release, where known.
    pub latency_ms: Option<f64>,
    /// Milliseconds from capture to the decoder's output, where known.
    pub decode_latency_ms: Option<f64>,
}

/// Counts.
#[derive(Debug, Clone)]
pub struct Meter {
    since: Instant,
    released: u32,
    frames: u64,
    freezes: Freezes,
    shown: Option<Released>,
    paused: bool,
    latencies: Vec<f64>,
    decode_latencies: Vec<f64>,
}

impl Meter {
    /// Starts at `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            since: now,
            released: 0,
            frames: 0,
            freezes: Freezes::default(),
            shown: None,
            paused: false,
            latencies: Vec::new(),
            decode_latencies: Vec::new(),
        }
    }

    /// The same of a screen, whose pictures come when something changes.
    pub fn of_screen(now: Instant) -> Self {
        let freezes = Freezes { least: STILL, ..Freezes::default() };
        Self { freezes, ..Self::new(now) }
    }

    /// A picture went to its sink.
    pub fn on_release(&mut self, now: Instant, picture: Released) {
        self.released = self.released.saturating_add(1);
        self.frames += 1;
        if self.paused {
            // It was on its way when the pause began.
            return;
        }
        self.freezes.on_release(now);
        self.shown = Some(picture);
        if self.latencies.len() < MAX_LATENCIES {
            self.latencies.extend(picture.latency_ms);
            self.decode_latencies.extend(picture.decode_latency_ms);
        }
    }

    /// Nothing is shown from now on, on purpose.
    pub fn pause(&mut self, now: Instant) {
        self.freezes.pause(now);
        self.shown = None;
        self.paused = true;
    }

    /// The end of [`Meter::pause`].
    pub fn resume(&mut self) {
        self.paused = false;
    }

    /// The figures; starts a new interval. `dropped` is the total of the picture order, `clock` how capture times are
    /// known.
    pub fn read(&mut self, now: Instant, dropped: u64, clock: ClockMap) -> Video {
        let seconds = now.saturating_duration_since(self.since).as_secs_f64();
        let (freezes, frozen) = self.freezes.totals(now);
        let latency_ms = Latency::of(&self.latencies);
        let stats = Video {
            width: self.shown.map(|shown| shown.width),
            height: self.shown.map(|shown| shown.height),
            fps: self
                .shown
                .filter(|_| seconds > 0.001)
                .map(|_| (f64::from(self.released) / seconds * 100.0).round() / 100.0),
            frames: self.frames,
            dropped,
            freezes,
            frozen_ms: u64::try_from(frozen.as_millis()).unwrap_or(u64::MAX),
            latency_ms,
            decode_latency_ms: Latency::of(&self.decode_latencies),
            latency_kind: latency_ms.and(match clock {
                ClockMap::Unknown => None,
                ClockMap::Same => Some(LatencyKind::SameClock),
                ClockMap::Estimated { .. } => Some(LatencyKind::Estimated),
            }),
            layer: self.shown.map(|shown| shown.layer.name().to_owned()),
        };
        self.since = now;
        self.released = 0;
        self.latencies.clear();
        self.decode_latencies.clear();
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: Released =
        Released { width: 640, height: 360, layer: Layer::Main, latency_ms: Some(12.0), decode_latency_ms: None };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn interval_and_total_figures_are_told_apart() {
        let start = crate::clock::now();
        let mut meter = Meter::new(start);
        for i in 0..30u64 {
            meter.on_release(start + ms(33 * i), PICTURE);
        }
        let stats = meter.read(start + ms(1000), 3, ClockMap::Same);
        assert_eq!((stats.frames, stats.dropped, stats.fps, stats.width), (30, 3, Some(30.0), Some(640)));
        assert_eq!(stats.latency_ms.map(|l| l.p95), Some(12.0));
        assert_eq!((stats.latency_kind, stats.decode_latency_ms), (Some(LatencyKind::SameClock), None));
        let stats = meter.read(start + ms(1100), 3, ClockMap::Same);
        assert_eq!((stats.frames, stats.fps, stats.latency_ms, stats.latency_kind), (30, Some(0.0), None, None));
    }

    #[test]
    fn nothing_is_known_before_the_first_picture() {
        let start = crate::clock::now();
        let stats = Meter::new(start).read(start + ms(1000), 0, ClockMap::Same);
        assert_eq!(stats, Video::default());
    }

    #[test]
    fn a_screen_that_stands_still_is_not_frozen() {
        let start = crate::clock::now();
        let mut meter = Meter::of_screen(start);
        let at = [0, 33, 66, 99, 250, 650, 1650, 2650, 3650];
        for at in at {
            meter.on_release(start + ms(at), PICTURE);
        }
        assert_eq!(meter.read(start + ms(5000), 0, ClockMap::Same).freezes, 0);
        assert_eq!(meter.read(start + ms(6200), 0, ClockMap::Same).freezes, 1);
    }

    #[test]
    fn a_freeze_is_the_whole_gap_and_only_grows() {
        let start = crate::clock::now();
        let mut meter = Meter::new(start);
        for i in 0..10u64 {
            meter.on_release(start + ms(30 * i), PICTURE);
        }
        let mut totals = |at: u64| {
            let stats = meter.read(start + ms(at), 0, ClockMap::Unknown);
            (stats.freezes, stats.frozen_ms)
        };
        assert_eq!(totals(270 + 179), (0, 0));
        assert_eq!(totals(270 + 200), (1, 200));
        meter.on_release(start + ms(270 + 300), PICTURE);
        let mut totals = |at: u64| {
            let stats = meter.read(start + ms(at), 0, ClockMap::Unknown);
            (stats.freezes, stats.frozen_ms)
        };
        assert_eq!(totals(600), (1, 300));
        meter.pause(start + ms(610));
        meter.on_release(start + ms(620), PICTURE);
        assert_eq!(meter.read(start + ms(4000), 0, ClockMap::Unknown).freezes, 1);
        meter.resume();
        meter.on_release(start + ms(5000), PICTURE);
        assert_eq!(meter.read(start + ms(5001), 0, ClockMap::Unknown).freezes, 1);
    }
}
