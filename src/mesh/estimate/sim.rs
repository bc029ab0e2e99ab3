//! Sans-IO. A bottleneck in virtual time for the tests of the estimate: one queue, shared by flows of media with their
//! estimators and a greedy CUBIC flow, in steps of a millisecond.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{Estimator, Purpose, WIRE};
use crate::media::{Bitrate, PacketKind};
use crate::mesh::report::{Recorder, Report};

/// A way from sender to receiver.
#[derive(Debug, Clone)]
pub struct Shape {
    /// (from millisecond, bits a second), in order.
    pub rates: Vec<(u32, f64)>,
    pub round_trip_ms: u32,
    pub queue_ms: u32,
    pub loss: f64,
    /// Added to each datagram at random, without reordering by more than it.
    pub jitter_ms: u32,
    /// Every so many milliseconds nothing passes for the second number of milliseconds.
    pub stalls: Option<(u32, u32)>,
    /// Instead of a queue, a bucket of so many bytes: what it has no room for is lost.
    pub policer: Option<f64>,
}

impl Shape {
    pub fn new(rate: f64, round_trip_ms: u32, queue_ms: u32) -> Self {
        Self { rates: vec![(0, rate)], round_trip_ms, queue_ms, loss: 0.0, jitter_ms: 0, stalls: None, policer: None }
    }

    fn rate(&self, ms: u32) -> f64 {
        self.rates.iter().take_while(|(from, _)| *from <= ms).last().map_or(1e6, |(_, rate)| *rate)
    }
}

#[derive(Debug)]
struct Datagram {
    flow: usize,
    sequence: u16,
    bytes: usize,
    at: f64,
    kind: PacketKind,
}

/// One flow of media: 50 datagrams of voice and 30 pictures a second.
#[derive(Debug)]
pub struct Flow {
    pub estimator: Estimator,
    pub begins_ms: u32,
    pub wanted: f64,
    sequence: u16,
    recorder: Recorder,
    /// When a report comes back.
    reports: VecDeque<(u32, Report)>,
    /// Bytes that arrived, by each 100 ms.
    pub got: Vec<usize>,
    /// The rate at each 100 ms.
    pub rates: Vec<f64>,
}

impl Flow {
    pub fn new(wanted: f64) -> Self {
        let mut estimator = Estimator::default();
        estimator.set_wanted(bits(wanted));
        Self {
            estimator,
            begins_ms: 0,
            wanted,
            sequence: 65_000,
            recorder: Recorder::default(),
            reports: VecDeque::new(),
            got: Vec::new(),
            rates: Vec::new(),
        }
    }

    /// Bits a second that arrived between two moments, in seconds.
    pub fn got_bps(&self, from: usize, to: usize) -> f64 {
        let bytes: usize = self.got.iter().skip(from * 10).take((to - from) * 10).sum();
        float(bytes) * 8.0 / float(to - from)
    }

    /// The mean rate between two moments, in seconds.
    pub fn rate_bps(&self, from: usize, to: usize) -> f64 {
        let rates = self.rates.iter().skip(from * 10).take((to - from) * 10);
        rates.sum::<f64>() / float((to - from) * 10)
    }
}

/// RFC 8312 in short.
#[derive(Debug)]
struct Cubic {
    window: f64,
    most: f64,
    epoch_ms: u32,
    slow_start: bool,
    in_flight: usize,
    /// When a confirmation, or the word of a loss, comes back.
    answers: VecDeque<(u32, bool)>,
    deaf_until: u32,
    got: usize,
}

/// Everything.
#[derive(Debug)]
pub struct World {
    shape: Shape,
    pub flows: Vec<Flow>,
    cubic: Option<Cubic>,
    queue: VecDeque<Datagram>,
    queued: usize,
    credit: f64,
    bucket: f64,
    /// Arrivals to come: moment in milliseconds.
    air: Vec<(f64, Datagram)>,
    random: StdRng,
    start: Instant,
    pub ms: u32,
    /// The queue in milliseconds, each millisecond.
    pub queues: Vec<f64>,
}

const CUBIC: usize = usize::MAX;
const SEGMENT: usize = 1200;

impl World {
    pub fn new(start: Instant, shape: Shape, flows: Vec<Flow>, seed: u64) -> Self {
        Self {
            shape,
            flows,
            cubic: None,
            queue: VecDeque::new(),
            queued: 0,
            credit: 0.0,
            bucket: 0.0,
            air: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            start,
            ms: 0,
            queues: Vec::new(),
        }
    }

    /// A download shares the queue.
    pub fn with_cubic(mut self) -> Self {
        self.cubic = Some(Cubic {
            window: 10.0,
            most: 10.0,
            epoch_ms: 0,
            slow_start: true,
            in_flight: 0,
            answers: VecDeque::new(),
            deaf_until: 0,
            got: 0,
        });
        self
    }

    /// The 95th percentile of the queue between two moments in seconds, and its median, milliseconds.
    pub fn queue(&self, from: usize, to: usize) -> (f64, f64) {
        let mut part: Vec<f64> = self.queues.iter().skip(from * 1000).take((to - from) * 1000).copied().collect();
        part.sort_by(f64::total_cmp);
        let at = |share: usize| part.get(part.len() * share / 100).copied().unwrap_or(0.0);
        (at(95), at(50))
    }

    pub fn run(&mut self, seconds: u32) {
        let end = self.ms + seconds * 1000;
        while self.ms < end {
            self.step();
        }
    }

    fn step(&mut self) {
        let (ms, now) = (self.ms, self.start + Duration::from_millis(self.ms.into()));
        for index in 0..self.flows.len() {
            self.sends(index, ms, now);
        }
        self.cubic_sends(ms);
        self.drain(ms);
        self.arrive(ms, now);
        let rate = self.shape.rate(ms);
        self.queues.push(float(self.queued) * 8000.0 / rate);
        self.ms += 1;
    }

    fn sends(&mut self, index: usize, ms: u32, now: Instant) {
        let flow = &mut self.flows[index];
        if ms < flow.begins_ms {
            return;
        }
        let round_trip = Duration::from_millis(self.shape.round_trip_ms.into());
        while let Some((_, report)) = flow.reports.pop_front_if(|(at, _)| *at <= ms) {
            let queue = flow.estimator.queue();
            flow.estimator.on_round_trip(round_trip + queue, round_trip);
            flow.estimator.on_report(now, &report);
        }
        let rate = flow.estimator.rate(now).map_or(300e3, float_rate);
        if ms.is_multiple_of(100) {
            flow.estimator.on_round_trip(round_trip, round_trip);
            flow.estimator.on_tick(now);
            flow.rates.push(rate);
        }
        let mut out: Vec<(usize, PacketKind, Purpose)> = Vec::new();
        let since = ms - flow.begins_ms;
        if since.is_multiple_of(20) {
            out.push((100, PacketKind::Audio, Purpose::Media));
        }
        // Thirty pictures a second, at the encoder's own swings, 30 ms after the rate was chosen.
        let frame_of = |ms: u32| ms * 30 / 1000;
        if since == 0 || frame_of(since) != frame_of(since - 1) {
            let video = (rate.min(flow.wanted) - 80e3).max(20e3);
            let swing: f64 = self.random.random_range(0.75..1.25);
            let mut left = whole(video / 8.0 / 30.0 * swing).max(WIRE + 20);
            while left > 0 {
                let one = left.min(1120 + WIRE);
                out.push((one.saturating_sub(WIRE).max(20), PacketKind::Video, Purpose::Media));
                left -= one;
            }
        }
        if let Some(size) = self.shape.policer {
            self.bucket = (self.bucket + self.shape.rate(ms) / 8000.0).min(size);
        }
        if let Some(probe) = flow.estimator.wants_probe(now) {
            for _ in 0..probe.bytes.div_ceil(probe.each + WIRE) {
                out.push((probe.each, PacketKind::Feedback, Purpose::Probe));
            }
        }
        for (bytes, kind, purpose) in out {
            let sequence = flow.sequence;
            flow.sequence = sequence.wrapping_add(1);
            flow.estimator.on_sent(now, sequence, bytes, purpose);
            let datagram = Datagram { flow: index, sequence, bytes: bytes + WIRE, at: ms.into(), kind };
            if self.shape.policer.is_some() {
                if self.bucket >= float(datagram.bytes) {
                    self.bucket -= float(datagram.bytes);
                    self.air.push((f64::from(ms) + f64::from(self.shape.round_trip_ms) / 2.0, datagram));
                }
                continue;
            }
            let limit = whole(self.shape.rate(ms) / 8000.0 * f64::from(self.shape.queue_ms)).max(3000);
            if self.queued + datagram.bytes <= limit && !self.random.random_bool(self.shape.loss) {
                self.queued += datagram.bytes;
                self.queue.push_back(datagram);
            }
        }
    }

    fn cubic_sends(&mut self, ms: u32) {
        let Some(cubic) = &mut self.cubic else { return };
        while let Some((_, arrived)) = cubic.answers.pop_front_if(|(at, _)| *at <= ms) {
            cubic.in_flight -= 1;
            if !arrived {
                if ms >= cubic.deaf_until {
                    cubic.most = cubic.window;
                    cubic.window = (cubic.window * 0.7).max(2.0);
                    cubic.slow_start = false;
                    cubic.epoch_ms = ms;
                    cubic.deaf_until = ms + self.shape.round_trip_ms + self.shape.queue_ms;
                }
            } else if cubic.slow_start {
                cubic.window += 1.0;
            } else {
                let t = f64::from(ms - cubic.epoch_ms) / 1000.0;
                let k = (cubic.most * 0.3 / 0.4).cbrt();
                let aim = 0.4 * (t - k).powi(3) + cubic.most;
                cubic.window += ((aim - cubic.window) / cubic.window).clamp(0.01 / cubic.window, 0.5);
            }
        }
        while float(cubic.in_flight) < cubic.window {
            cubic.in_flight += 1;
            let limit = whole(self.shape.rate(ms) / 8000.0 * f64::from(self.shape.queue_ms)).max(3000);
            if self.queued + SEGMENT <= limit {
                self.queued += SEGMENT;
                let kind = PacketKind::Clock;
                self.queue.push_back(Datagram { flow: CUBIC, sequence: 0, bytes: SEGMENT, at: ms.into(), kind });
            } else {
                cubic.answers.push_back((ms + self.shape.round_trip_ms + self.shape.queue_ms, false));
            }
        }
    }

    fn drain(&mut self, ms: u32) {
        if self.shape.stalls.is_some_and(|(every, long)| ms % every < long && ms > every) {
            return;
        }
        let bytes = self.shape.rate(ms) / 8000.0;
        self.credit += bytes;
        while let Some(first) = self.queue.pop_front_if(|first| float(first.bytes) <= self.credit) {
            self.credit -= float(first.bytes);
            self.queued -= first.bytes;
            let within = 1.0 - (self.credit / bytes).clamp(0.0, 1.0);
            let jitter = if self.shape.jitter_ms == 0 {
                0.0
            } else {
                self.random.random_range(0.0..f64::from(self.shape.jitter_ms))
            };
            let at = f64::from(ms) + within + f64::from(self.shape.round_trip_ms) / 2.0 + jitter;
            self.air.push((at.max(first.at), first));
        }
        if self.queue.is_empty() {
            self.credit = self.credit.min(bytes);
        }
    }

    fn arrive(&mut self, ms: u32, now: Instant) {
        let mut due: Vec<(f64, Datagram)> = Vec::new();
        let mut index = 0;
        while index < self.air.len() {
            if self.air[index].0 < f64::from(ms + 1) {
                due.push(self.air.swap_remove(index));
            } else {
                index += 1;
            }
        }
        due.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.sequence.cmp(&b.1.sequence)));
        let back = self.shape.round_trip_ms.div_ceil(2);
        for (at, datagram) in due {
            if datagram.flow == CUBIC {
                if let Some(cubic) = &mut self.cubic {
                    cubic.got += datagram.bytes;
                    let answer = (ms + back, true);
                    let place = cubic.answers.partition_point(|(at, _)| *at <= answer.0);
                    cubic.answers.insert(place, answer);
                }
                continue;
            }
            let flow = &mut self.flows[datagram.flow];
            let slot = usize::try_from(ms / 100).unwrap_or(0);
            if flow.got.len() <= slot {
                flow.got.resize(slot + 1, 0);
            }
            flow.got[slot] += datagram.bytes;
            // A clock of its own.
            let micros = u64::try_from(whole(at * 1000.0)).unwrap_or(0) + 7_000_000_000;
            flow.recorder.on_arrival(datagram.sequence, micros, datagram.bytes);
            if let Some(body) = flow.recorder.poll(now, datagram.kind)
                && !self.random.random_bool(self.shape.loss)
            {
                flow.reports.push_back((ms + back, Report::decode(&body).expect("ours")));
            }
        }
    }
}

pub fn bits(rate: f64) -> Bitrate {
    Bitrate::from_bps(u64::try_from(whole(rate)).unwrap_or(0))
}

fn float_rate(rate: Bitrate) -> f64 {
    super::bps(rate)
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub fn float(n: usize) -> f64 {
    n as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive numbers")]
fn whole(n: f64) -> usize {
    n as usize
}
