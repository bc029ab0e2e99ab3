//! Sans-IO. A token bucket: what one peer may cause in a while.

use std::time::{Duration, Instant};

/// Holds up to `burst` tokens and gains one every `every`.
#[derive(Debug, Clone)]
pub struct Bucket {
    burst: u32,
    every: Duration,
    tokens: u32,
    since: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(now: Instant, burst: u32, every: Duration) -> Self {
        Self { burst, every, tokens: burst, since: now }
    }

    /// Takes one token; false when there is none.
    pub fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    /// How long until there is a token.
    pub fn wait(&mut self, now: Instant) -> Duration {
        self.fill(now);
        if self.tokens > 0 { Duration::ZERO } else { (self.since + self.every).saturating_duration_since(now) }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        let gained = passed.as_nanos() / self.every.as_nanos().max(1);
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        if gained >= self.burst - self.tokens {
            self.tokens = self.burst;
            self.since = now.max(self.since);
        } else {
            self.tokens += gained;
            self.since += self.every * gained;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_the_steady_rate() {
        let start = crate::clock::now();
        let mut bucket = Bucket::new(start, 3, Duration::from_millis(100));
        assert_eq!((0..5).filter(|_| bucket.take(start)).count(), 3);
        let later = start + Duration::from_millis(250);
        assert_eq!((0..5).filter(|_| bucket.take(later)).count(), 2);
        assert_eq!(bucket.wait(later), Duration::from_millis(50));
        // Half a token was not lost.
        assert!(bucket.take(start + Duration::from_millis(300)));
        assert_eq!(bucket.wait(start + Duration::from_millis(450)), Duration::ZERO);
        let much_later = start + Duration::from_secs(3600);
        assert_eq!((0..5).filter(|_| bucket.take(much_later)).count(), 3);
        // A clock that stands still or a late call gives nothing.
        assert!(!bucket.take(start));
    }
}
