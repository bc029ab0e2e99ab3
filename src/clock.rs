//! The only reader of clocks.
//!
//! Pure code is given the time as an argument; shells ask here. Three clocks exist because three things are asked:
//! [`now`] for deadlines, [`host_micros`] for moments that another process on the same machine can compare (capture
//! times in packets), and [`unix_micros`] for moments shown to people and stamped into test cards.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The moment for deadlines and intervals. Never goes back.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Microseconds since the Unix epoch by the system's wall clock. May jump when somebody sets the clock.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds since the Unix epoch, as the `at` of every event.
pub fn unix_millis() -> u64 {
    unix_micros() / 1000
}

/// Microseconds of the host's monotonic clock. All processes on one machine (also in different network namespaces)
/// read the same clock, so differences between their values are true latencies. Falls back to the wall clock where
/// the system has no such clock.
pub fn host_micros() -> u64 {
    #[cfg(unix)]
    {
        use nix::time::{ClockId, clock_gettime};
        if let Ok(t) = clock_gettime(ClockId::CLOCK_MONOTONIC) {
            let since = Duration::from(t);
            return u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        }
    }
    unix_micros()
}

/// A short digest that two processes share exactly when they read the same [`host_micros`] clock (same machine, same
/// boot), or `None` where the system does not tell. Hashed, so that the boot id itself never leaves the machine.
pub fn host_clock_id() -> Option<[u8; 16]> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digest = blake3::derive_key("lets-meet 2026 host clock id", boot.trim().as_bytes());
    digest.get(..16)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_clock_never_goes_back() {
        let a = host_micros();
        let b = host_micros();
        assert!(b >= a);
    }

    #[test]
    fn wall_clock_is_in_this_century() {
        assert!(unix_millis() > 1_600_000_000_000);
    }
}
