//! Sans-IO. When a camera that is open and gives nothing counts as frozen.
//!
//! Cameras give pictures at their rate, so four intervals without one are a fault, but never less than 0.7 s: in the dark
//! a camera may take five pictures a second whatever it was asked for, and on a busy machine its thread may have no turn.
//! Only silence that we were there to hear counts: while this process was stopped, or the machine slept, a camera is not
//! frozen.

use std::time::Duration;

use super::Format;

/// How long the first picture may take: some cameras measure the light first.
const FIRST: Duration = Duration::from_secs(4);
/// How long one that was closed may take to be opened again.
const WAKING: Duration = Duration::from_secs(5);
/// The least silence of a camera that gave pictures.
const LEAST: Duration = Duration::from_millis(700);
/// So many intervals of its rate without a picture.
const INTERVALS: u64 = 4;

/// How long a camera may be silent.
fn limit(format: Format, gave: bool) -> Duration {
    if gave { LEAST.max(format.due(INTERVALS)) } else { FIRST }
}

/// Listens to one camera.
#[derive(Debug, Default)]
pub struct Watchdog {
    /// The last sign of life that was seen.
    seen: u64,
    quiet: Duration,
}

impl Watchdog {
    /// We waited for `waited` and no picture came. `alive` is the number or moment of the camera's last sign of life, which
    /// changes with each; `gave` says whether it gave a picture since it was opened. True: it is frozen.
    pub fn on_wait(&mut self, format: Format, gave: bool, alive: u64, waited: Duration) -> bool {
        if alive != self.seen {
            (self.seen, self.quiet) = (alive, Duration::ZERO);
            return false;
        }
        self.quiet = self.quiet.saturating_add(waited);
        self.quiet > limit(format, gave)
    }

    /// We waited for `waited` for one that is closed and is to be opened again. True: it does not wake.
    pub fn on_waking(&mut self, waited: Duration) -> bool {
        self.quiet = self.quiet.saturating_add(waited);
        self.quiet > WAKING
    }

    /// It is closed, or gave a picture.
    pub fn rest(&mut self) {
        self.quiet = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(50);

    fn format(rate: (u32, u32)) -> Format {
        Format { width: 640, height: 360, rate }
    }

    /// How long a camera that gave its last picture is waited for.
    fn waited(rate: (u32, u32), gave: bool) -> Duration {
        let (mut watchdog, mut waits) = (Watchdog::default(), 0);
        assert!(!watchdog.on_wait(format(rate), gave, 7, WAIT), "a sign of life");
        while !watchdog.on_wait(format(rate), gave, 7, WAIT) {
            waits += 1;
        }
        WAIT * waits
    }

    #[test]
    fn one_that_does_not_wake_is_noticed_after_five_seconds_of_waiting_for_it() {
        let mut watchdog = Watchdog::default();
        assert!(!watchdog.on_waking(Duration::from_secs(4)));
        // Nobody wants it any more.
        watchdog.rest();
        let waits = (0..).take_while(|_: &u32| !watchdog.on_waking(WAIT)).count();
        assert_eq!(waits, 100);
        // It woke: its first picture has its own time.
        assert!(!watchdog.on_wait(format((30, 1)), false, 8, WAIT));
        assert!(!watchdog.on_wait(format((30, 1)), false, 8, Duration::from_secs(3)));
    }

    #[test]
    fn a_camera_is_frozen_after_700_ms_or_four_of_its_intervals() {
        let check =
            |rate, gave, millis| assert_eq!(waited(rate, gave), Duration::from_millis(millis), "{rate:?} {gave}");
        check((30, 1), true, 700);
        check((60, 1), true, 700);
        check((5, 1), true, 800);
        check((1, 1), true, 4_000);
        check((30, 1), false, 4_000);
    }

    #[test]
    fn a_camera_that_is_slower_than_it_says_is_not_frozen() {
        let mut watchdog = Watchdog::default();
        for picture in 0..100 {
            for _ in 0..12 {
                assert!(!watchdog.on_wait(format((30, 1)), true, picture, WAIT), "a picture each 600 ms");
            }
        }
    }

    #[test]
    fn what_is_closed_or_not_listened_to_is_not_frozen() {
        let mut watchdog = Watchdog::default();
        // Whatever the clock says, no more than one wait was listened to.
        for _ in 0..100 {
            watchdog.rest();
            assert!(!watchdog.on_wait(format((30, 1)), true, 0, WAIT));
        }
    }
}
