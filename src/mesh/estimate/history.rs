//! Sans-IO. What was sent and not reported yet, and how much of it gets through.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::mesh::bandwidth::per_second;
use crate::mesh::report::{Report, unwrap};

/// Datagrams remembered: several seconds of 10 Mbit/s. Overflow: the oldest is forgotten.
const KEPT: usize = 4096;
/// The window of rates.
const WINDOW: Duration = Duration::from_millis(400);
/// What a report passes over counts as lost after so long without it: datagrams overtake one another.
const OVERTAKEN: Duration = Duration::from_millis(100);
/// Less time than this gives no rate.
const LEAST: f64 = 0.1;

#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Instant,
    bytes: usize,
    arrived: bool,
    /// A report passed over it.
    missed: bool,
}

/// One datagram that arrived. Times in milliseconds since some moment of each side's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrived {
    pub number: i64,
    pub sent_ms: f64,
    pub arrived_ms: f64,
    pub bytes: usize,
}

/// What a report told for the first time.
#[derive(Debug, Default)]
pub struct News {
    pub arrived: Vec<Arrived>,
    pub lost: usize,
}

impl News {
    pub fn is_empty(&self) -> bool {
        self.arrived.is_empty() && self.lost == 0
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct History {
    epoch: Option<Instant>,
    /// The number of `sent[0]`.
    first: i64,
    sent: VecDeque<Sent>,
    /// The latest arrival, in ticks of the peer's clock, unwrapped.
    ticks: Option<i64>,
    /// Bytes of the last [`WINDOW`] of sending.
    recent: VecDeque<(Instant, usize)>,
    recent_bytes: usize,
    /// When it was passed over, and its number. At most [`KEPT`].
    missing: VecDeque<(Instant, i64)>,
}

impl History {
    /// A datagram leaves. Gives its number.
    pub fn on_sent(&mut self, now: Instant, sequence: u16, bytes: usize) -> i64 {
        self.epoch.get_or_insert(now);
        let next = self.first + i64::try_from(self.sent.len()).unwrap_or(0);
        let number = if self.sent.is_empty() { i64::from(sequence) } else { unwrap(next, sequence) };
        // Numbers leave in order; after anything else everything before is of no use.
        if self.sent.is_empty() || number != next {
            self.sent.clear();
            self.missing.clear();
            self.first = number;
        }
        if self.sent.len() >= KEPT {
            self.sent.pop_front();
            self.first += 1;
        }
        self.sent.push_back(Sent { at: now, bytes, arrived: false, missed: false });
        self.recent.push_back((now, bytes));
        self.recent_bytes += bytes;
        while let Some((_, old)) = self.recent.front().copied().filter(|(at, _)| *at + WINDOW < now) {
            self.recent_bytes -= old;
            self.recent.pop_front();
        }
        number
    }

    /// Takes what is new of a report.
    pub fn on_report(&mut self, now: Instant, report: &Report) -> News {
        let mut news = News::default();
        let (Some(epoch), false) = (self.epoch, self.sent.is_empty()) else { return news };
        let last = self.first + i64::try_from(self.sent.len()).unwrap_or(0) - 1;
        let start = unwrap(last, report.first);
        for (offset, arrival) in (0_i64..).zip(&report.arrivals) {
            let number = start + offset;
            let Some(sent) = usize::try_from(number - self.first).ok().and_then(|index| self.sent.get_mut(index))
            else {
                continue;
            };
            match arrival {
                Some(ticks) if !sent.arrived => {
                    let ticks = match self.ticks {
                        None => i64::from(*ticks),
                        Some(known) => {
                            let low = u32::try_from(known & 0xffff_ffff).unwrap_or(0);
                            known + i64::from(ticks.wrapping_sub(low).cast_signed())
                        }
                    };
                    self.ticks = Some(self.ticks.map_or(ticks, |known| known.max(ticks)));
                    sent.arrived = true;
                    let sent_ms = sent.at.saturating_duration_since(epoch).as_secs_f64() * 1000.0;
                    // Decades of quarter milliseconds fit.
                    let arrived_ms = whole(ticks) / 4.0;
                    news.arrived.push(Arrived { number, sent_ms, arrived_ms, bytes: sent.bytes });
                }
                None if !sent.arrived && !sent.missed => {
                    sent.missed = true;
                    self.missing.push_back((now, number));
                }
                _ => {}
            }
        }
        while let Some((_, number)) = self.missing.pop_front_if(|(at, _)| *at + OVERTAKEN <= now) {
            let sent = usize::try_from(number - self.first).ok().and_then(|index| self.sent.get(index));
            news.lost += usize::from(sent.is_some_and(|sent| !sent.arrived));
        }
        news
    }

    /// When the oldest datagram left that was sent after everything reported; `None` when all is.
    pub fn waits_since(&self) -> Option<Instant> {
        let reported = self.sent.iter().rposition(|sent| sent.arrived || sent.missed).map_or(0, |index| index + 1);
        self.sent.get(reported).map(|sent| sent.at)
    }

    /// Bits a second sent of late.
    pub fn sent_bps(&self) -> f64 {
        per_second(self.recent_bytes as u64, WINDOW)
    }
}

#[expect(clippy::cast_precision_loss, reason = "ticks of a quarter millisecond stay far below 2^52")]
fn whole(ticks: i64) -> f64 {
    ticks as f64
}

/// How many bits a second get through.
#[derive(Debug, Default)]
pub struct Acked {
    /// Arrival (milliseconds of the peer) and bytes. At most [`KEPT`].
    arrived: VecDeque<(f64, usize)>,
    bytes: usize,
    other: VecDeque<(Instant, u64)>,
    other_bytes: u64,
}

impl Acked {
    pub fn on_arrival(&mut self, arrived_ms: f64, bytes: usize) {
        self.arrived.push_back((arrived_ms, bytes));
        self.bytes += bytes;
        let window = WINDOW.as_secs_f64() * 1000.0;
        while let Some((_, old)) =
            self.arrived.front().copied().filter(|(at, _)| arrived_ms - at > window || self.arrived.len() > KEPT)
        {
            self.bytes -= old;
            self.arrived.pop_front();
        }
    }

    pub fn on_other(&mut self, now: Instant, bytes: u64) {
        self.other.push_back((now, bytes));
        self.other_bytes += bytes;
        self.expire(now);
    }

    fn expire(&mut self, now: Instant) {
        while let Some((_, old)) = self.other.front().copied().filter(|(at, _)| *at + WINDOW < now) {
            self.other_bytes -= old;
            self.other.pop_front();
        }
    }

    /// Over the last 400 ms of arrivals.
    pub fn bps(&mut self, now: Instant) -> f64 {
        self.expire(now);
        let other = per_second(self.other_bytes, WINDOW);
        let (Some((first, bytes)), Some((last, _))) = (self.arrived.front(), self.arrived.back()) else { return other };
        let seconds = ((last - first) / 1000.0).max(LEAST);
        let bits = per_second(self.bytes.saturating_sub(*bytes) as u64, Duration::from_secs(1));
        bits / seconds + other
    }
}
