//! Sans-IO. What an emulated link does to each datagram: it loses some, makes the rest wait behind one another when the
//! link has a rate, and delays them.
//!
//! In this order: loss (independent, or in bursts by the two states of Gilbert 1960), a queue that drops at its tail and
//! is emptied at the link's rate, then delay and jitter. Datagrams keep their order.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Bytes that IPv4 and UDP add to each datagram.
const HEADERS: usize = 28;

/// How one direction of a link behaves. The default is a perfect cable.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shape {
    /// One way.
    pub delay: Duration,
    /// Added to the delay or taken from it: a uniform draw up to this far either way. Nothing arrives before it was sent.
    pub jitter: Duration,
    /// Share of datagrams lost, 0 to 1.
    pub loss: f64,
    /// Mean length of a burst of losses; up to 1 means that each is lost for itself.
    pub burst: f64,
    /// Bits a second, headers of IP and UDP included; `None` is as fast as the machine.
    pub rate: Option<f64>,
    /// What may wait at that rate, in time.
    pub queue: Duration,
}

/// One direction of a link.
#[derive(Debug)]
pub struct Model {
    rng: StdRng,
    losing: bool,
    /// When the link will have sent all that waits.
    free: Option<Instant>,
    /// When the last datagram arrives.
    last: Option<Instant>,
}

impl Model {
    /// Draws from this seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), losing: false, free: None, last: None }
    }

    /// When a datagram of `bytes` of payload, given to the link at `now`, comes out; `None` when it does not.
    pub fn carry(&mut self, shape: &Shape, now: Instant, bytes: usize) -> Option<Instant> {
        if self.loses(shape) {
            return None;
        }
        let mut due = now;
        if let Some(rate) = shape.rate {
            let free = self.free.map_or(now, |free| free.max(now));
            if free - now > shape.queue {
                return None;
            }
            let bits = u32::try_from((bytes + HEADERS) * 8).map_or(f64::from(u32::MAX), f64::from);
            due = free + Duration::from_secs_f64(bits / rate.max(1.0));
            self.free = Some(due);
        }
        let jitter = shape.jitter.mul_f64(2.0 * self.rng.random::<f64>());
        due += (shape.delay + jitter).saturating_sub(shape.jitter);
        let due = self.last.map_or(due, |last| last.max(due));
        self.last = Some(due);
        Some(due)
    }

    fn loses(&mut self, shape: &Shape) -> bool {
        if shape.loss <= 0.0 {
            self.losing = false;
        } else if shape.burst <= 1.0 || shape.loss >= 1.0 {
            self.losing = self.rng.random::<f64>() < shape.loss;
        } else {
            // The bad state loses everything. It is left after `burst` datagrams on average, and entered as often as
            // makes its share of all time `loss`.
            let leave = 1.0 / shape.burst;
            let enter = leave * shape.loss / (1.0 - shape.loss);
            let draw = self.rng.random::<f64>();
            self.losing = if self.losing { draw >= leave } else { draw < enter };
        }
        self.losing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_perfect_cable_carries_at_once() {
        let now = crate::clock::now();
        assert_eq!(Model::new(1).carry(&Shape::default(), now, 1000), Some(now));
    }

    #[test]
    fn the_share_lost_and_the_length_of_bursts_are_those_asked_for() {
        let now = crate::clock::now();
        for (burst, expect) in [(1.0, 1.0 / 0.9), (4.0, 4.0)] {
            let shape = Shape { loss: 0.1, burst, ..Shape::default() };
            let mut model = Model::new(3);
            let (mut lost, mut bursts, mut before) = (0u32, 0u32, false);
            for _ in 0..200_000 {
                let gone = model.carry(&shape, now, 100).is_none();
                lost += u32::from(gone);
                bursts += u32::from(gone && !before);
                before = gone;
            }
            let share = f64::from(lost) / 200_000.0;
            assert!((share - 0.1).abs() < 0.01, "{share}");
            let length = f64::from(lost) / f64::from(bursts);
            assert!((length / expect - 1.0).abs() < 0.1, "{length} for {burst}");
        }
    }

    #[test]
    fn a_rate_spaces_datagrams_and_its_queue_is_bounded() {
        let start = crate::clock::now();
        // 972 and 28 bytes are a millisecond at 8 Mbit/s.
        let shape = Shape { rate: Some(8e6), queue: ms(10), ..Shape::default() };
        let mut model = Model::new(1);
        let due: Vec<Instant> = (0..100).filter_map(|_| model.carry(&shape, start, 972)).collect();
        assert_eq!(due.len(), 11, "ten wait and one is sent");
        for (i, due) in (1..).zip(&due) {
            assert_eq!(*due, start + ms(i));
        }
        let later = start + ms(50);
        assert_eq!(model.carry(&shape, later, 972), Some(later + ms(1)), "what waited has left");
    }

    #[test]
    fn jitter_is_what_was_asked_for_and_keeps_the_order() {
        let start = crate::clock::now();
        let shape = Shape { delay: ms(20), jitter: ms(10), ..Shape::default() };
        let mut model = Model::new(5);
        let mut last = start;
        let mut sum = Duration::ZERO;
        for i in 0..1000 {
            let now = start + ms(100) * i;
            let due = model.carry(&shape, now, 100).expect("nothing is lost");
            assert!(due >= last && due >= now + ms(10) && due <= now + ms(30));
            (last, sum) = (due, sum + (due - now));
        }
        let mean = sum / 1000;
        assert!(mean > ms(19) && mean < ms(21), "{mean:?}");
    }
}
