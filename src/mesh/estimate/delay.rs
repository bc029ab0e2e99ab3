//! Sans-IO. Whether a queue grows on the way: the trend of the one-way delay, and how far it stands above the shortest.
//!
//! Datagrams that left within 5 ms are one group, of which the shortest delay counts: the rest waits behind the group's own first.
//! The trend is a line through the last 20 groups, against a threshold that follows it (draft-ietf-rmcat-gcc-02, 5.3 to
//! 5.5). A trend alone is not believed: schedulers and radios make one without any queue. What stands is the shortest delay of
//! the last 150 ms of sending over the shortest of the last half minute, so one stall, after which all comes at once, is
//! no queue.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Of one group, milliseconds.
const BURST: f64 = 5.0;
const GROUPS: usize = 20;
/// Of what [`Delay::queue_ms`] is the shortest, milliseconds of sending.
const STANDING: f64 = 150.0;
/// How long each of two windows of the shortest delay lasts, milliseconds.
const BASE: f64 = 15_000.0;
const SMOOTHING: f64 = 0.9;
const GAIN: f64 = 8.0;
const THRESHOLD: f64 = 12.5;
const THRESHOLDS: (f64, f64) = (6.0, 600.0);
/// How fast the threshold follows a trend beyond it and within it, each millisecond.
const FOLLOW: (f64, f64) = (0.0087, 0.00018);
/// A queue below it is never called full, milliseconds.
const UNNOTICED: f64 = 10.0;
/// The same on a local network, where a busy machine makes more of it than a queue does.
const UNNOTICED_NEAR: f64 = 20.0;
/// A queue above it is full when it stands, also without a trend.
const STANDS: f64 = 25.0;
/// How long it must be so.
const SUSTAINED: Duration = Duration::from_millis(90);
const SUSTAINED_NEAR: Duration = Duration::from_millis(400);
const STANDS_LONG: Duration = Duration::from_millis(300);
/// After giving way so often and for so long, a queue of ours would be gone.
const FALLS: u32 = 4;
const DRAINED: Duration = Duration::from_secs(3);
/// How long others are taken to be there before it is tried again.
const RIVALS: Duration = Duration::from_secs(30);

/// What the delay says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// The link is full.
    Over,
    /// It is not.
    Normal,
    /// A queue drains, or it is not clear: stay.
    Hold,
}

/// See the module.
#[derive(Debug)]
pub struct Delay {
    near: bool,
    /// The group being filled: first sent, last sent, shortest delay.
    group: Option<(f64, f64, f64)>,
    /// Sent and delay of the groups of late.
    recent: VecDeque<(f64, f64)>,
    /// Of the line: sent and smoothed delay.
    line: VecDeque<(f64, f64)>,
    smoothed: Option<f64>,
    slope_before: f64,
    threshold: f64,
    updated: Option<f64>,
    base: f64,
    base_before: f64,
    base_since: Option<f64>,
    over_since: Option<Instant>,
    stands_since: Option<Instant>,
    /// Times that we gave way since the queue was last gone, and when first.
    falls: u32,
    fell: Option<Instant>,
    rivals_until: Option<Instant>,
}

impl Default for Delay {
    fn default() -> Self {
        Self {
            near: false,
            group: None,
            recent: VecDeque::new(),
            line: VecDeque::new(),
            smoothed: None,
            slope_before: 0.0,
            threshold: THRESHOLD,
            updated: None,
            base: f64::INFINITY,
            base_before: f64::INFINITY,
            base_since: None,
            over_since: None,
            stands_since: None,
            falls: 0,
            fell: None,
            rivals_until: None,
        }
    }
}

impl Delay {
    /// Whether the path is a local network's.
    pub fn set_near(&mut self, near: bool) {
        self.near = near;
    }

    /// A datagram sent at `sent` arrived at `arrived`, milliseconds on the two clocks.
    pub fn on_packet(&mut self, sent: f64, arrived: f64) {
        let delay = arrived - sent;
        self.base = self.base.min(delay);
        let since = *self.base_since.get_or_insert(sent);
        if sent - since > BASE {
            (self.base_before, self.base, self.base_since) = (self.base, delay, Some(sent));
        }
        match &mut self.group {
            Some((first, last, shortest)) if sent - *first <= BURST && sent >= *first => {
                *last = sent;
                *shortest = shortest.min(delay);
            }
            // A late one of an older group says nothing new.
            Some((first, ..)) if sent < *first => {}
            group => {
                if let Some((_, last, shortest)) = group.replace((sent, sent, delay)) {
                    self.on_group(last, shortest);
                }
            }
        }
    }

    fn on_group(&mut self, sent: f64, delay: f64) {
        self.recent.push_back((sent, delay));
        while self.recent.front().is_some_and(|(at, _)| sent - at > STANDING) || self.recent.len() > 64 {
            self.recent.pop_front();
        }
        let smoothed = self.smoothed.map_or(delay, |before| SMOOTHING * before + (1.0 - SMOOTHING) * delay);
        self.smoothed = Some(smoothed);
        self.line.push_back((sent, smoothed));
        if self.line.len() > GROUPS {
            self.line.pop_front();
        }
    }

    /// A report was taken in: what it says by now.
    pub fn on_report(&mut self, now: Instant) -> Usage {
        let Some((sent, _)) = self.recent.back().copied() else { return Usage::Normal };
        let queue = self.queue_ms();
        let slope = self.slope();
        let trend = f64::from(u32::try_from(self.line.len()).unwrap_or(0)) * slope * GAIN;
        self.follow(sent, trend);
        let (unnoticed, sustained) = if self.near { (UNNOTICED_NEAR, SUSTAINED_NEAR) } else { (UNNOTICED, SUSTAINED) };
        if queue < unnoticed {
            (self.falls, self.fell) = (0, None);
            self.rivals_until = None;
        }
        let grows = trend > self.threshold && slope >= self.slope_before * 0.7 && queue >= unnoticed;
        self.slope_before = slope;
        let over = lasts(&mut self.over_since, now, grows) >= Some(sustained);
        let stands =
            lasts(&mut self.stands_since, now, queue > STANDS.max(unnoticed)) >= Some(STANDS_LONG.max(sustained));
        match self.rivals_until {
            Some(until) if now < until => return Usage::Normal,
            Some(_) => (self.rivals_until, self.falls, self.fell) = (None, 0, None),
            None => {}
        }
        // It stands although we gave way: it is not ours.
        let waited = self.fell.is_some_and(|fell| now.saturating_duration_since(fell) > DRAINED);
        if self.falls >= FALLS && waited && stands {
            self.rivals_until = Some(now + RIVALS);
            return Usage::Normal;
        }
        if over || (stands && slope > -0.02) {
            Usage::Over
        } else if trend < -self.threshold || queue > STANDS || grows {
            Usage::Hold
        } else {
            Usage::Normal
        }
    }

    /// We gave way.
    pub fn on_fall(&mut self, now: Instant) {
        self.falls += 1;
        self.fell.get_or_insert(now);
        (self.over_since, self.stands_since) = (None, None);
    }

    /// Others keep the queue full.
    pub fn rivals(&self) -> bool {
        self.rivals_until.is_some()
    }

    /// What stands on the way, milliseconds.
    pub fn queue_ms(&self) -> f64 {
        let shortest = self.recent.iter().map(|(_, delay)| *delay).fold(f64::INFINITY, f64::min);
        let base = self.base.min(self.base_before);
        if shortest.is_finite() { (shortest - base).max(0.0) } else { 0.0 }
    }

    /// Milliseconds of delay gained each millisecond, by least squares.
    fn slope(&self) -> f64 {
        if self.line.len() < GROUPS / 2 {
            return 0.0;
        }
        let count = f64::from(u32::try_from(self.line.len()).unwrap_or(1));
        let mean = |of: fn(&(f64, f64)) -> f64| self.line.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let (mut above, mut below) = (0.0, 0.0);
        for point in &self.line {
            above += (point.0 - x) * (point.1 - y);
            below += (point.0 - x).powi(2);
        }
        if below > 0.0 { above / below } else { 0.0 }
    }

    fn follow(&mut self, sent: f64, trend: f64) {
        let since = self.updated.map_or(0.0, |at| (sent - at).clamp(0.0, 100.0));
        self.updated = Some(sent);
        let far = trend.abs() - self.threshold;
        if far > 15.0 {
            return;
        }
        let speed = if far > 0.0 { FOLLOW.0 } else { FOLLOW.1 };
        self.threshold = (self.threshold + speed * far * since).clamp(THRESHOLDS.0, THRESHOLDS.1);
    }
}

/// How long something has been so by now; `None` when it is not.
fn lasts(since: &mut Option<Instant>, now: Instant, so: bool) -> Option<Duration> {
    *since = since.filter(|_| so).or(so.then_some(now));
    since.map(|since| now.saturating_duration_since(since))
}
