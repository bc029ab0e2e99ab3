//! Sans-IO. How many bits a second a link carries towards the peer, from what the peer reports of each datagram.
//!
//! After draft-ietf-rmcat-gcc-02, with one difference: reports tell absolute arrival times, so the delay above the
//! shortest of late (the queue) is known and not only its trend. The rate falls when delay grows ([`delay`]) and 10 ms
//! of queue stand, or when more is lost than this path always loses ([`loss`]); it is then what got through, a little
//! less while the queue drains. Otherwise it rises: fast at the start, by parts of itself far from where the link was last
//! full, by packets near to it, and at once when a [`probe`] got through. What is not used is not believed: without a
//! probe the estimate stays within 1.5 times what gets through.
//!
//! Rates are of bytes on the wire with all headers. What a queue of others holds is not ours to drain: when it stands
//! although this flow gave way several times, the flow goes by loss alone until the queue is gone ([`delay::Delay::rivals`]).

use std::time::{Duration, Instant};

use crate::media::Bitrate;
use crate::mesh::report::Report;

mod delay;
mod history;
mod loss;
mod probe;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

use delay::{Delay, Usage};
use history::{Acked, History};
use loss::Loss;
use probe::Prober;
pub use probe::{MOST_BYTES as MOST_PROBE, Probe};

/// What every datagram costs beside its own bytes: QUIC with its tag 31, UDP 8, IPv6 40, Ethernet 14.
const WIRE: usize = 93;
/// A path this short is a local network.
const NEAR: Duration = Duration::from_millis(3);
/// What a link on a local network is taken to carry before it is measured, and any other.
const PRIOR_NEAR: f64 = 5e6;
const PRIOR: f64 = 1e6;
/// Never less: voice.
const MIN: f64 = 50e3;
const MAX: f64 = 1e9;
/// Above what gets through, without a probe: this many times, and something for flows that only begin.
const UNPROVEN: f64 = 1.5;
const UNPROVEN_MORE: f64 = 100e3;
/// What stays of what got through when the link is full.
const BACK_OFF: f64 = 0.85;
/// A flow that used less than the estimate falls to this part of it at most at one time: others filled the queue.
const BACK_OFF_UNUSED: f64 = 0.7;
/// Reports older than this say nothing of now; without any the peer does not report.
const STALE: Duration = Duration::from_secs(1);
/// Sent and not reported for so long: the path is stuck.
const SILENT: Duration = Duration::from_millis(700);
/// After a datagram first left, how long the peer may take to report.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a datagram was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It carries something.
    Media,
    /// It measures.
    Probe,
}

/// See the module.
#[derive(Debug)]
pub struct Estimator {
    history: History,
    acked: Acked,
    delay: Delay,
    loss: Loss,
    probe: Prober,
    round_trip: Duration,
    /// Bits a second; the belief, of which [`Estimator::rate`] holds back what drains a queue.
    rate: f64,
    wanted: f64,
    /// Not full yet since the start: rise fast.
    starting: bool,
    /// What got through when the link was full, smoothed.
    full_at: Option<f64>,
    draining: bool,
    rest_until: Option<Instant>,
    raised: Option<Instant>,
    reported: Option<Instant>,
    began: Option<Instant>,
    prior: bool,
}

impl Default for Estimator {
    fn default() -> Self {
        Self {
            history: History::default(),
            acked: Acked::default(),
            delay: Delay::default(),
            loss: Loss::default(),
            probe: Prober::default(),
            round_trip: Duration::from_millis(50),
            rate: PRIOR,
            wanted: 2.5e6,
            starting: true,
            full_at: None,
            draining: false,
            rest_until: None,
            raised: None,
            reported: None,
            began: None,
            prior: true,
        }
    }
}

impl Estimator {
    /// The path's smoothed and shortest round trip; the second chooses what is believed before anything is measured.
    pub fn on_round_trip(&mut self, smoothed: Duration, shortest: Duration) {
        self.round_trip = smoothed;
        self.delay.set_near(shortest < NEAR);
        if self.prior && self.reported.is_none() {
            self.rate = if shortest < NEAR { PRIOR_NEAR } else { PRIOR };
        }
    }

    /// What would be used if the link carried it; nothing above it is looked for.
    pub fn set_wanted(&mut self, wanted: Bitrate) {
        self.wanted = bps(wanted).max(MIN);
    }

    /// A datagram of `bytes` left.
    pub fn on_sent(&mut self, now: Instant, sequence: u16, bytes: usize, purpose: Purpose) {
        self.began.get_or_insert(now);
        let number = self.history.on_sent(now, sequence, bytes + WIRE);
        if purpose == Purpose::Probe {
            self.probe.on_sent(number);
        }
    }

    /// Bytes of streams left on the same connection; they are taken to arrive, since they are repeated until they do.
    pub fn on_other(&mut self, now: Instant, bytes: u64) {
        self.acked.on_other(now, bytes);
    }

    /// The peer reports.
    pub fn on_report(&mut self, now: Instant, report: &Report) {
        // A report of another connection's numbers, or a forged one, matches nothing that was sent.
        let news = self.history.on_report(now, report);
        if news.is_empty() {
            return;
        }
        self.reported = Some(now);
        self.prior = false;
        for packet in &news.arrived {
            self.acked.on_arrival(packet.arrived_ms, packet.bytes);
            self.probe.on_arrival(packet.number, packet.arrived_ms, packet.bytes);
            self.delay.on_packet(packet.sent_ms, packet.arrived_ms);
        }
        self.loss.on_packets(now, news.arrived.len(), news.lost);
        let usage = self.delay.on_report(now);
        self.decide(now, usage);
    }

    fn decide(&mut self, now: Instant, usage: Usage) {
        // What has to be sent so that this much gets through.
        let acked = self.acked.bps(now) / (1.0 - self.loss.inherent());
        let resting = self.rest_until.is_some_and(|until| now < until);
        if self.draining && (self.delay.queue_ms() < 10.0 || self.delay.rivals()) {
            self.draining = false;
        }
        if let Some(found) = self.probe.poll(now, self.round_trip, self.loss.inherent()) {
            self.on_probed(now, found, usage);
        }
        if usage == Usage::Over && !resting {
            self.fall(now, acked);
        } else if let Some(answer) = self.loss.poll(now, self.delay.queue_ms()) {
            match answer {
                loss::Answer::Fall { keep } => {
                    self.loss.before.get_or_insert(self.rate);
                    self.probe.on_fall(now);
                    self.rate = self.rate.min(self.history.sent_bps().max(acked)) * keep;
                    self.full(now, acked);
                }
                // A queue that overflows, before its growth was seen.
                loss::Answer::Overflow if !self.delay.rivals() => self.fall(now, acked),
                loss::Answer::Overflow => self.rate = self.rate.min(acked) * BACK_OFF,
                // It was not us: nothing was gained by giving way.
                loss::Answer::Restore => self.rate = self.loss.before.take().map_or(self.rate, |b| b.max(self.rate)),
            }
        } else if usage == Usage::Normal && !resting && !self.draining {
            self.rise(now, acked);
        }
        self.raised = Some(now);
        self.rate = self.rate.clamp(MIN, MAX);
    }

    fn on_probed(&mut self, now: Instant, found: probe::Found, usage: Usage) {
        if usage == Usage::Over || self.draining || found.bps <= self.rate {
            return;
        }
        // Between others a few datagrams find more room than a flow has.
        if found.limited && self.full_at.is_some_and(|full| found.bps < full * 1.3) {
            return;
        }
        tracing::debug!(found = found.bps, before = self.rate, "a probe got through");
        self.rate = found.bps;
        if found.limited {
            self.full_at = Some(found.bps);
        } else if self.full_at.is_some_and(|full| found.bps > full * 1.3) {
            self.full_at = None;
        }
        self.probe.on_raised(now);
    }

    fn full(&mut self, now: Instant, acked: f64) {
        self.starting = false;
        self.full_at = Some(match self.full_at {
            // Another link than it was.
            Some(full) if (0.7..1.4).contains(&(acked / full)) => full * 0.8 + acked * 0.2,
            _ => acked,
        });
        self.rest_until = Some(now + self.round_trip.min(Duration::from_millis(400)) + Duration::from_millis(150));
    }

    fn fall(&mut self, now: Instant, acked: f64) {
        let before = self.rate;
        let unused = acked > self.history.sent_bps() * 0.9;
        let floor = if unused { before * BACK_OFF_UNUSED } else { 0.0 };
        self.rate = (acked * BACK_OFF).max(floor).min(before);
        self.draining = true;
        self.delay.on_fall(now);
        self.loss.on_fall();
        self.probe.on_fall(now);
        self.full(now, acked);
        tracing::debug!(before, rate = self.rate, acked, queue_ms = self.delay.queue_ms(), "the link is full");
    }

    fn rise(&mut self, now: Instant, acked: f64) {
        let since = self.raised.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64()).min(0.2);
        let most = (acked * UNPROVEN + UNPROVEN_MORE).max(self.rate);
        let near = self.full_at.is_some_and(|full| self.rate > full * 0.7 && self.rate < full * 1.3);
        let more = if self.starting {
            self.rate * (1.5_f64.powf(since) - 1.0)
        } else if near {
            // A packet each response time, as in the draft.
            let response = self.round_trip.as_secs_f64() + 0.1;
            (8.0 * 1200.0 / response * since).max(self.rate * 0.02 * since)
        } else {
            self.rate * (1.15_f64.powf(since) - 1.0)
        };
        self.rate = (self.rate + more).min(most);
    }

    /// Time passes: call it every 100 ms or so. Notices that reports no longer come.
    pub fn on_tick(&mut self, now: Instant) {
        let silent = self.history.waits_since().is_some_and(|since| now.saturating_duration_since(since) > SILENT);
        let resting = self.rest_until.is_some_and(|until| now < until);
        if silent && !resting && self.is_live_or_stuck(now) {
            self.rate = (self.rate * 0.7).max(MIN);
            self.rest_until = Some(now + SILENT);
        }
    }

    /// The peer reported within the last seconds: it is stuck rather than old.
    fn is_live_or_stuck(&self, now: Instant) -> bool {
        self.reported.is_some_and(|at| now.saturating_duration_since(at) < 5 * STALE)
    }

    /// True while reports come, so that the estimate is worth following.
    pub fn is_live(&self, now: Instant) -> bool {
        self.reported.is_some_and(|at| now.saturating_duration_since(at) < STALE)
    }

    /// What the link carries now. `None` without reports: nothing is sent, or the peer is of an older version. A link that has only
    /// begun is given its prior.
    pub fn rate(&self, now: Instant) -> Option<Bitrate> {
        let known = self.is_live_or_stuck(now);
        let young =
            self.reported.is_none() && self.began.is_none_or(|began| now.saturating_duration_since(began) < PATIENCE);
        (known || young).then(|| bits(self.rate * self.holding_back()))
    }

    /// What remains of the belief while a queue of ours drains: the deeper, the less.
    fn holding_back(&self) -> f64 {
        if self.draining { (1.0 - (self.delay.queue_ms() - 10.0) / 500.0).clamp(0.5, 0.95) } else { 1.0 }
    }

    /// Bytes that should be sent now, beside the media, to learn whether the link carries more.
    pub fn wants_probe(&mut self, now: Instant) -> Option<Probe> {
        if !self.is_live(now) || self.draining || self.delay.rivals() || self.delay.queue_ms() > 10.0 {
            return None;
        }
        self.probe.wants(now, self.rate, self.wanted * 1.2, self.starting)
    }

    /// The queue that stands on the way, above the shortest delay of late.
    pub fn queue(&self) -> Duration {
        Duration::from_secs_f64((self.delay.queue_ms() / 1000.0).clamp(0.0, 60.0))
    }

    /// The share of datagrams that this path loses also when it is not full, 0 to 1.
    pub fn inherent_loss(&self) -> f64 {
        self.loss.inherent()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are clamped to 50e3..1e9")]
fn bits(rate: f64) -> Bitrate {
    Bitrate::from_bps(rate as u64)
}

fn bps(rate: Bitrate) -> f64 {
    // Per second is what it is already.
    crate::mesh::bandwidth::per_second(rate.bps(), Duration::from_secs(8))
}
