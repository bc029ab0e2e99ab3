//! Sans-IO. How much a link takes: a congestion window steered by delay, and what of it files may use.
//!
//! Loss says little on the networks of today (radio loses without being full, deep queues fill without losing), and a
//! window that grows until something is lost puts a second of queue in front of every word that is spoken. So
//! [`Delay`] looks at round trips: the best one of each round against the best one of the last twenty seconds. What is
//! above that is queue, and the window follows it up and down around a small target. Loss shrinks it only when it is
//! heavy. Measurements are in `docs`: 5 % random loss at 40 ms gave CUBIC three seconds of latency, this one none.
//!
//! Files share the link with media, so while a call is on they are metered: [`Allowance`] rises while the round trips
//! show no queue and falls at once when they do, or when this process is late itself (a machine whose cores are busy
//! with a file encodes no picture).

use std::time::{Duration, Instant};

use crate::media::Bitrate;

/// Standing queue aimed at, at least; smaller targets read the scheduling of busy machines as queue (measured).
const TARGET: Duration = Duration::from_millis(15);
/// The same while media flows over a path this short.
const TARGET_NEAR: Duration = Duration::from_millis(5);
const NEAR: Duration = Duration::from_millis(3);
/// Packets that may always be in flight: a keyframe must not wait for round trips.
const MIN_PACKETS: f64 = 16.0;
/// Packets in flight at the start: QUIC's own initial window (RFC 9002, 7.2), a little more for a keyframe.
const INITIAL_PACKETS: f64 = 32.0;
/// More than a 10 Gbit/s path of 50 ms holds.
const MAX_WINDOW: f64 = 64e6;
/// How long the shortest round trip is believed; paths change.
const BASE_WINDOW: Duration = Duration::from_secs(10);

/// What the window is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aim {
    /// Nothing is urgent: more queue, more throughput.
    #[default]
    Throughput,
    /// Media flows.
    Media,
}

/// A congestion window steered by round-trip delay.
#[derive(Debug, Clone)]
pub struct Delay {
    window: f64,
    packet: f64,
    /// Shortest round trip of this and of the last base window.
    base: Duration,
    base_before: Duration,
    base_since: Instant,
    /// Shortest round trip of this round, and of the last whole round.
    best: Duration,
    queue: Duration,
    next_round: Instant,
    shrunk_by_loss: bool,
    starting: bool,
}

impl Delay {
    /// The window of a new connection whose packets hold `packet` bytes.
    pub fn new(now: Instant, packet: u16) -> Self {
        let packet = f64::from(packet);
        Self {
            window: INITIAL_PACKETS * packet,
            packet,
            base: Duration::MAX,
            base_before: Duration::MAX,
            base_since: now,
            best: Duration::MAX,
            queue: Duration::ZERO,
            next_round: now,
            shrunk_by_loss: false,
            starting: true,
        }
    }

    /// A packet that was sent `round_trip` ago is confirmed.
    pub fn on_ack(&mut self, round_trip: Duration) {
        self.best = self.best.min(round_trip);
    }

    /// A batch of confirmations ends, with `in_flight` bytes still out. `limited` is true when the window was not what
    /// held the sender back.
    pub fn on_acks_end(&mut self, now: Instant, in_flight: u64, limited: bool, aim: Aim) {
        if self.best == Duration::MAX {
            return;
        }
        self.base = self.base.min(self.best);
        if now.saturating_duration_since(self.base_since) > BASE_WINDOW {
            self.base_before = self.base;
            self.base = self.best;
            self.base_since = now;
        }
        if now < self.next_round {
            return;
        }
        let base = self.base();
        self.queue = self.best.saturating_sub(base);
        self.next_round = now + self.best.max(Duration::from_millis(5));
        self.best = Duration::MAX;
        self.shrunk_by_loss = false;
        let target = target(base, aim).as_secs_f64();
        let ratio = self.queue.as_secs_f64() / target;
        let busy = !limited || bytes(in_flight) > self.window * 0.7;
        if ratio > 1.0 {
            self.starting = false;
            // Below its window a sender makes no queue: what it sees is somebody else's, or a busy host.
            if busy {
                self.window *= 0.95 - 0.15 * (ratio - 1.0).min(1.0);
            }
        } else if busy {
            if self.starting {
                self.window *= 1.5;
            } else {
                self.window += (2.0 * self.packet).max(self.window / 64.0) * (1.0 - ratio);
            }
        }
        self.clamp();
    }

    /// `lost` bytes are lost; `persistent` when nothing got through for a while (RFC 9002, 7.6).
    pub fn on_loss(&mut self, lost: u64, persistent: bool) {
        if persistent {
            self.window /= 2.0;
        } else if bytes(lost) > self.window * 0.1 && !self.shrunk_by_loss {
            self.window *= 0.8;
            self.shrunk_by_loss = true;
            self.starting = false;
        }
        self.clamp();
    }

    /// Packets hold this many bytes from now on.
    pub fn on_packet_size(&mut self, packet: u16) {
        self.packet = f64::from(packet);
        self.clamp();
    }

    fn clamp(&mut self) {
        self.window = self.window.clamp(MIN_PACKETS * self.packet, MAX_WINDOW);
    }

    /// Bytes that may be in flight.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..64e6")]
    pub fn window(&self) -> u64 {
        self.window as u64
    }

    /// What the window carries at the round trips of late; a guess from below for a link that is not busy.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 64e6 * 8 * 1000")]
    pub fn rate(&self) -> Bitrate {
        let round_trip = (self.base() + self.queue).max(Duration::from_millis(1));
        Bitrate::from_bps((self.window * 8.0 / round_trip.as_secs_f64()) as u64)
    }

    /// The shortest round trip of late; zero before the first.
    pub fn base(&self) -> Duration {
        let base = self.base.min(self.base_before);
        if base == Duration::MAX { Duration::ZERO } else { base }
    }

    /// The standing queue of the last round.
    pub fn queue(&self) -> Duration {
        self.queue
    }
}

fn target(base: Duration, aim: Aim) -> Duration {
    if aim == Aim::Media && base < NEAR { TARGET_NEAR } else { TARGET.max(base / 8) }
}

#[expect(clippy::cast_precision_loss, reason = "byte counts of one connection's flight are far below 2^52")]
fn bytes(count: u64) -> f64 {
    count as f64
}

/// Above this share of loss that is the path's own, the window does not follow round trips.
pub const MUCH_LOSS: f64 = 0.05;
/// What a steered window holds at least.
const STEERED_LEAST: u64 = 32_000;
/// The largest picture: so long at the rate, within these bytes.
const LARGEST: Duration = Duration::from_millis(150);
const LARGEST_BYTES: (u64, u64) = (16_000, 64_000);

/// The window that carries `rate` at this round trip: a quarter more than what is on the way, and the largest picture.
pub fn steered_window(rate: Bitrate, round_trip: Duration) -> u64 {
    let in_time = |time: Duration| {
        let bytes = u128::from(rate.bps()) * time.as_micros() / 8_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    };
    let flight = in_time(round_trip).saturating_mul(5) / 4;
    let largest = in_time(LARGEST).clamp(LARGEST_BYTES.0, LARGEST_BYTES.1);
    flight.saturating_add(largest).clamp(STEERED_LEAST, 64_000_000)
}

/// `part` of `whole`, 0 of nothing.
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { bytes(part) / bytes(whole) }
}

/// Bits a second of `count` bytes in `time`.
pub fn per_second(count: u64, time: Duration) -> f64 {
    bytes(count) * 8.0 / time.as_secs_f64()
}

/// Files start here when a call is on: fast enough to learn from, slow enough to go unnoticed on a home uplink.
const ALLOWANCE_START: f64 = 4e6;
/// Files never stand still.
const ALLOWANCE_MIN: f64 = 250e3;
/// What two shared cores carry beside a call: encryption and hashing of a file take a core at about 1 Gbit/s (guess,
/// to be measured by the lab).
const ALLOWANCE_MAX: f64 = 200e6;
/// An actor that runs later than this shares its core with too much. Busy machines are 20 ms late without any file
/// (measured), so a smaller limit would stop files for good.
const LATE: Duration = Duration::from_millis(60);
/// Lateness alone slows files down to this, never to a crawl: the lateness may be somebody else's.
const LATE_FLOOR: f64 = 40e6;
/// Queue that a call does not notice. Less cannot be told from the time that a peer holds confirmations back. Measured
/// at 10 Mbit/s and 20 ms: 15 ms here made voice 15 ms late for 8.6 Mbit/s of file, 10 ms makes it 9 ms late for 7.0.
const UNNOTICED: Duration = Duration::from_millis(10);
/// Share of lost bytes that is taken as a full path.
const HEAVY_LOSS: f64 = 0.1;

/// What one tick of a link saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick {
    /// The standing queue of the last round, see [`Delay::queue`].
    pub queue: Duration,
    /// Share of bytes lost since the last tick.
    pub loss: f64,
    /// File bits a second sent since the last tick.
    pub used: f64,
    /// How much later than planned this tick came.
    pub late: Duration,
    /// Links that carry files now, this one included; they share the most that is allowed.
    pub sharing: u32,
}

/// How much of a link files may use while media flows: multiplicative up while all is quiet, down at once.
#[derive(Debug, Clone)]
pub struct Allowance {
    rate: f64,
    /// Nothing was hurt yet: look for the limit in large steps.
    starting: bool,
    /// Ticks to wait after a step down, so that it shows before the next.
    rest: u8,
    /// The queues of the last ticks: what stands is in all of them, what a busy host adds is not.
    queues: [Duration; 3],
}

/// A queue this many times over [`UNNOTICED`] is not waited for.
const FAR_OVER: u32 = 4;

impl Default for Allowance {
    fn default() -> Self {
        Self { rate: ALLOWANCE_START, starting: true, rest: 0, queues: [Duration::ZERO; 3] }
    }
}

impl Allowance {
    /// One tick (100 ms) has passed.
    pub fn on_tick(&mut self, tick: Tick) {
        let [_, before, last] = self.queues;
        self.queues = [before, last, tick.queue];
        let standing = before.min(last).min(tick.queue);
        let full = standing > UNNOTICED || tick.queue > UNNOTICED * FAR_OVER || tick.loss > HEAVY_LOSS;
        let late = tick.late > LATE && self.rate > LATE_FLOOR;
        if full || late {
            if self.rest == 0 {
                self.rate *= if full { 0.7 } else { 0.85 };
                self.rest = 2;
            }
            self.starting = false;
        } else if tick.used > self.rate * 0.5 && tick.queue < UNNOTICED / 2 {
            self.rate *= if self.starting { 1.2 } else { 1.05 };
        }
        self.rest = self.rest.saturating_sub(1);
        let most = ALLOWANCE_MAX / f64::from(tick.sharing.max(1));
        self.rate = self.rate.clamp(ALLOWANCE_MIN, most.max(ALLOWANCE_MIN));
    }

    /// The rate now.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 250e3..200e6")]
    pub fn rate(&self) -> Bitrate {
        Bitrate::from_bps(self.rate as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path with one queue: `rate` bytes a second, `base` of propagation, every flight fills the window.
    struct Path {
        rate: f64,
        base: Duration,
    }

    impl Path {
        fn run(&self, delay: &mut Delay, mut now: Instant, rounds: usize, aim: Aim) -> Duration {
            for _ in 0..rounds {
                let window = bytes(delay.window());
                let queue = (window / self.rate - self.base.as_secs_f64()).max(0.0);
                let round_trip = self.base + Duration::from_secs_f64(queue);
                now += round_trip;
                delay.on_ack(round_trip);
                delay.on_acks_end(now, delay.window(), false, aim);
            }
            delay.queue()
        }
    }

    #[test]
    fn the_window_fills_the_path_with_a_small_queue() {
        let now = crate::clock::now();
        let path = Path { rate: 1.25e6, base: Duration::from_millis(20) };
        let mut delay = Delay::new(now, 1200);
        let queue = path.run(&mut delay, now, 300, Aim::Media);
        assert!(queue <= Duration::from_millis(20), "{queue:?}");
        assert!(delay.window() >= 25_000, "the path is full: {}", delay.window());
    }

    #[test]
    fn random_loss_does_not_shrink_the_window_and_heavy_loss_does() {
        let now = crate::clock::now();
        let mut delay = Delay::new(now, 1200);
        let before = delay.window();
        for _ in 0..100 {
            delay.on_loss(1200, false);
        }
        assert_eq!(delay.window(), before);
        delay.on_loss(before / 2, false);
        delay.on_loss(before / 2, false);
        assert!(delay.window() < before && delay.window() > before / 2, "once a round");
        delay.on_loss(0, true);
        assert!(delay.window() <= before / 2);
        for _ in 0..20 {
            delay.on_loss(0, true);
        }
        assert_eq!(delay.window(), 16 * 1200, "never to nothing");
    }

    #[test]
    fn an_idle_link_keeps_its_window() {
        let now = crate::clock::now();
        let mut delay = Delay::new(now, 1200);
        let before = delay.window();
        for n in 1..50 {
            delay.on_ack(Duration::from_millis(if n % 3 == 0 { 1 } else { 40 }));
            delay.on_acks_end(now + Duration::from_millis(n * 50), 1200, true, Aim::Media);
        }
        assert_eq!(delay.window(), before);
    }

    #[test]
    fn a_longer_path_is_believed_after_a_while() {
        let now = crate::clock::now();
        let mut delay = Delay::new(now, 1200);
        let path = |ms| Path { rate: 1.25e6, base: Duration::from_millis(ms) };
        path(5).run(&mut delay, now, 100, Aim::Media);
        // Rounds of at least 60 ms: 400 of them are well over two base windows.
        path(60).run(&mut delay, now + Duration::from_secs(1), 400, Aim::Media);
        assert!(delay.base() >= Duration::from_millis(60), "{:?}", delay.base());
    }

    fn tick(queue_ms: u64, used: f64) -> Tick {
        Tick { queue: Duration::from_millis(queue_ms), loss: 0.0, used, late: Duration::ZERO, sharing: 1 }
    }

    #[test]
    fn files_rise_while_all_is_quiet_and_fall_at_once() {
        let mut allowance = Allowance::default();
        for _ in 0..100 {
            let used = allowance.rate;
            allowance.on_tick(tick(0, used));
        }
        assert_eq!(allowance.rate().bps(), 200_000_000);
        allowance.on_tick(tick(40, 200e6));
        assert_eq!(allowance.rate().bps(), 200_000_000, "one late round is no queue");
        allowance.on_tick(tick(40, 200e6));
        allowance.on_tick(tick(40, 200e6));
        assert!(allowance.rate().bps() <= 140_000_000);
        for _ in 0..200 {
            allowance.on_tick(tick(40, 1e6));
        }
        assert_eq!(allowance.rate().bps(), 250_000);
    }

    #[test]
    fn a_steered_window_holds_the_flight_and_a_picture() {
        let window = |mbit: u64, ms| steered_window(Bitrate::from_bps(mbit * 1_000_000), Duration::from_millis(ms));
        assert_eq!(window(1, 40), 32_000, "never less");
        assert_eq!(window(10, 40), 62_500 + 64_000);
        assert_eq!(window(u64::MAX / 1_000_000, 1000), 64_000_000);
    }

    #[test]
    fn an_allowance_that_is_not_used_does_not_rise() {
        let mut allowance = Allowance::default();
        for _ in 0..100 {
            allowance.on_tick(tick(0, 0.0));
        }
        assert_eq!(allowance.rate().bps(), 4_000_000);
    }

    #[test]
    fn a_late_process_gives_way_but_never_stands_still() {
        let mut allowance = Allowance::default();
        let late = |used| Tick { late: Duration::from_millis(90), ..tick(0, used) };
        for _ in 0..100 {
            let used = allowance.rate;
            allowance.on_tick(tick(0, used));
        }
        allowance.on_tick(late(200e6));
        assert!(allowance.rate().bps() < 200_000_000);
        for _ in 0..200 {
            allowance.on_tick(late(0.0));
        }
        assert!(allowance.rate().bps() > 30_000_000, "{:?}", allowance.rate());
    }

    #[test]
    fn links_share_the_most() {
        let mut allowance = Allowance::default();
        for _ in 0..100 {
            let used = allowance.rate;
            allowance.on_tick(Tick { sharing: 4, ..tick(0, used) });
        }
        assert_eq!(allowance.rate().bps(), 50_000_000);
    }
}
