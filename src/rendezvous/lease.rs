//! Sans-IO.
//! When to renew and when to try again: the owner's side of a lease.
//!
//! A [`Lease`] is renewed at half its life, give or take a tenth, so that a thousand peers that came back together do
//! not return together for ever. A renewal that fails is tried again with growing pauses ([`Backoff`]), until it works
//! or the lease is lost. A name is also renewed when a connection is made: the owner is seen whenever it is there, not
//! only at half life ([`is_worth_renewing`]).

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Never renewed more often than this, however short a lease the service gives.
const MIN_INTERVAL: Duration = Duration::from_millis(200);

/// Pauses that double from `first` to `most`, each shortened at random by up to a quarter.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
    random: StdRng,
}

impl Backoff {
    /// Starts at `first`.
    pub fn new(first: Duration, most: Duration, seed: u64) -> Self {
        Self { first, most, next: first, random: StdRng::seed_from_u64(seed) }
    }

    /// How long to wait now.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(self.random.random_range(0.75..=1.0));
        self.next = (self.next * 2).min(self.most);
        pause
    }

    /// It worked: the next pause is the first again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// One lease and when to renew it.
#[derive(Debug)]
pub struct Lease {
    due: Option<Instant>,
    backoff: Backoff,
}

impl Lease {
    /// Not granted yet: due at once.
    pub fn new(now: Instant, seed: u64) -> Self {
        Self { due: Some(now), backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(300), seed) }
    }

    /// Granted at `now` for `lifetime`.
    pub fn on_granted(&mut self, now: Instant, lifetime: Duration) {
        self.backoff.reset();
        let half = lifetime.mul_f64(self.backoff.random.random_range(0.45..=0.55));
        self.due = Some(now + half.max(MIN_INTERVAL));
    }

    /// The renewal did not come through, or the service asked to wait for at least `after`.
    pub fn on_failed(&mut self, now: Instant, after: Duration) {
        self.due = Some(now + self.backoff.pause().max(after));
    }

    /// Somebody else has it, or it was given back: never due again.
    pub fn on_lost(&mut self) {
        self.due = None;
    }

    /// It must be renewed as soon as possible, for example because the connection is new.
    pub fn on_changed(&mut self, now: Instant) {
        self.due = Some(now);
    }

    /// True when it is time to renew.
    pub fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// When [`is_due`](Self::is_due) becomes true.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}

/// True when a record signed at `stamp` should be renewed on a new connection at `now` (both Unix milliseconds): when
/// a fiftieth of its lifetime has passed, 14 hours of 30 days. Earlier would only wear the service's disk.
pub fn is_worth_renewing(stamp: u64, lifetime: u64, now: u64) -> bool {
    now.saturating_sub(stamp) >= lifetime / 50
}

/// The stamp for a new record at `now` (Unix milliseconds), newer than `last` even when the clock went back.
pub fn next_stamp(now: u64, last: Option<u64>) -> u64 {
    last.map_or(now, |last| now.max(last.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

    #[test]
    fn a_lease_is_renewed_around_half_life_and_not_by_all_at_once() {
        let now = crate::clock::now();
        let dues: Vec<Duration> = (0..100)
            .map(|seed| {
                let mut lease = Lease::new(now, seed);
                assert!(lease.is_due(now));
                lease.on_granted(now, MONTH);
                lease.poll_timeout().expect("due once") - now
            })
            .collect();
        assert!(dues.iter().all(|due| (MONTH.mul_f64(0.45)..=MONTH.mul_f64(0.55)).contains(due)));
        let spread = *dues.iter().max().expect("some") - *dues.iter().min().expect("some");
        assert!(spread > MONTH / 20, "{spread:?}");
    }

    #[test]
    fn failures_are_tried_again_with_growing_pauses() {
        let start = crate::clock::now();
        let mut lease = Lease::new(start, 1);
        let (mut now, mut pauses) = (start, Vec::new());
        for _ in 0..12 {
            lease.on_failed(now, Duration::ZERO);
            let due = lease.poll_timeout().expect("due");
            assert!(!lease.is_due(due - Duration::from_millis(1)) && lease.is_due(due));
            pauses.push(due - now);
            now = due;
        }
        assert!(pauses[0] <= Duration::from_secs(1) && pauses[0] >= Duration::from_millis(750), "{pauses:?}");
        assert!(pauses[11] <= Duration::from_secs(300) && pauses[11] >= Duration::from_secs(225), "{pauses:?}");
        lease.on_failed(now, Duration::from_secs(1000));
        assert_eq!(lease.poll_timeout(), Some(now + Duration::from_secs(1000)), "the service's word counts");
        lease.on_granted(now, MONTH);
        lease.on_failed(now, Duration::ZERO);
        assert!(lease.poll_timeout().expect("due") - now <= Duration::from_secs(1), "success starts anew");
    }

    #[test]
    fn a_tiny_lease_does_not_spin() {
        let now = crate::clock::now();
        let mut lease = Lease::new(now, 1);
        lease.on_granted(now, Duration::ZERO);
        assert!(!lease.is_due(now + Duration::from_millis(199)));
    }

    #[test]
    fn a_lost_lease_is_left_alone_until_something_changes() {
        let now = crate::clock::now();
        let mut lease = Lease::new(now, 1);
        lease.on_lost();
        assert!(!lease.is_due(now + MONTH));
        lease.on_changed(now);
        assert!(lease.is_due(now));
    }

    #[test]
    fn stamps_rise_even_when_the_clock_does_not() {
        assert_eq!(next_stamp(100, None), 100);
        assert_eq!(next_stamp(100, Some(50)), 100);
        assert_eq!(next_stamp(100, Some(200)), 201);
        assert!(is_worth_renewing(0, 50, 1) && !is_worth_renewing(0, 100, 1));
    }
}
