//! Sans-IO. When to send more than the media needs, and what that shows.
//!
//! A probe is a few datagrams sent at once. How far apart they arrive is what the narrowest part of the way needs for
//! them, and the rate of that is what the link carries, up to the rate that was asked about. Buckets let bursts through
//! that they do not let through for long: when the link was full soon after a probe, probes wait longer from then on.

use std::time::{Duration, Instant};

/// How long a probe would last at its rate.
const LENGTH: f64 = 0.015;
/// Datagrams of a probe.
const PACKETS: usize = 5;
/// Bytes of a datagram of padding, headers included.
const SIZES: (usize, usize) = (220, 1100);
/// A probe is never more than this.
pub const MOST_BYTES: usize = 20_000;
/// Between two probes.
const EVERY: Duration = Duration::from_millis(2500);
/// After a fall.
const AFTER_FALL: Duration = Duration::from_millis(1500);
/// Between two that got through.
const NEXT: Duration = Duration::from_millis(200);
/// A link that is full so soon after a probe was not what the probe showed.
const DOUBTED: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(40);
/// What is lost of a probe at most.
const THROUGH: f64 = 0.75;

/// Datagrams to send at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// Bits a second that are asked about.
    pub rate: f64,
    /// Bytes in all, on the wire.
    pub bytes: usize,
    /// Bytes of each datagram's body.
    pub each: usize,
}

/// What a probe showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    pub bps: f64,
    /// The way was narrower than what was asked.
    pub limited: bool,
}

#[derive(Debug)]
struct Running {
    asked: f64,
    began: Instant,
    first: Option<i64>,
    last: i64,
    sent: usize,
    arrived: usize,
    /// First arrival, last arrival, bytes after the first.
    times: Option<(f64, f64, usize)>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Prober {
    running: Option<Running>,
    next: Option<Instant>,
    wait: Option<Duration>,
    raised: Option<Instant>,
    initial: u8,
}

impl Prober {
    /// The probe to send now, if it is time: towards `most`, from `rate`.
    pub fn wants(&mut self, now: Instant, rate: f64, most: f64, starting: bool) -> Option<Probe> {
        if rate >= most || self.running.is_some() || self.next.is_some_and(|next| now < next) {
            return None;
        }
        // The first two look far.
        let times = if starting && self.initial < 2 { 3.0 } else { 2.0 };
        self.initial = self.initial.saturating_add(1);
        let rate = (rate * times).min(most);
        let bytes = bytes_of(rate).clamp(PACKETS * SIZES.0, MOST_BYTES);
        let each = (bytes / PACKETS).clamp(SIZES.0, SIZES.1);
        self.next = Some(now + self.wait.unwrap_or(EVERY));
        self.running =
            Some(Running { asked: rate, began: now, first: None, last: 0, sent: 0, arrived: 0, times: None });
        Some(Probe { rate, bytes, each: each - super::WIRE })
    }

    /// A datagram of the probe left.
    pub fn on_sent(&mut self, number: i64) {
        if let Some(running) = &mut self.running {
            running.first.get_or_insert(number);
            running.last = number;
            running.sent += 1;
        }
    }

    /// A datagram arrived.
    pub fn on_arrival(&mut self, number: i64, arrived: f64, bytes: usize) {
        let Some(running) = &mut self.running else { return };
        if running.first.is_none_or(|first| number < first) || number > running.last {
            return;
        }
        running.arrived += 1;
        running.times = Some(match running.times {
            None => (arrived, arrived, 0),
            Some((first, last, sum)) => (first.min(arrived), last.max(arrived), sum + bytes),
        });
    }

    /// What the probe showed, once all of it came or no more can, where a part `lost` never comes.
    pub fn poll(&mut self, now: Instant, round_trip: Duration, lost: f64) -> Option<Found> {
        let running = self.running.as_ref()?;
        let whole = running.sent > 0 && running.arrived >= running.sent;
        let over = now.saturating_duration_since(running.began) > round_trip * 2 + Duration::from_millis(200);
        if !whole && !over {
            return None;
        }
        let running = self.running.take()?;
        let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(0));
        if running.sent < 2 || count(running.arrived) < count(running.sent) * THROUGH * (1.0 - lost) {
            return None;
        }
        let (first, last, bytes) = running.times?;
        let bps = count(bytes) * 8.0 / ((last - first).max(0.25) / 1000.0);
        let limited = bps < running.asked;
        let found = Found { bps: if limited { bps * 0.9 } else { running.asked }, limited };
        if !limited {
            self.next = Some(now + NEXT);
        }
        Some(found)
    }

    /// A probe raised the rate.
    pub fn on_raised(&mut self, now: Instant) {
        self.raised = Some(now);
    }

    /// The link is full.
    pub fn on_fall(&mut self, now: Instant) {
        self.running = None;
        let wait = self.wait.unwrap_or(EVERY);
        let doubted = self.raised.take().is_some_and(|raised| now.saturating_duration_since(raised) < DOUBTED);
        let wait = if doubted { (wait * 2).min(LONGEST) } else { EVERY.max(wait.mul_f64(0.9)) };
        self.wait = Some(wait);
        self.next = Some(now + if doubted { wait } else { AFTER_FALL.max(wait.mul_f64(0.8)) });
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are at most 1e9")]
fn bytes_of(rate: f64) -> usize {
    (rate * LENGTH / 8.0) as usize
}
