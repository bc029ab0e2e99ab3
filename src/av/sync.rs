//! Sans-IO. Lip sync: how much longer a peer's picture is held so that it is seen when its sound is heard.
//!
//! Both delays run from capture to playout and are measured with the same pair of clocks (the sender's at capture, ours
//! at playout), so that what is not known of the clocks cancels out. Sound is never held: it is what a talk hangs on, and
//! a picture is nearly always the later of the two to be missed. People notice a picture that is more than 45 ms off; within
//! 30 nothing is changed, so that no measurement error moves pictures back and forth.

use std::time::Duration;

/// Farther apart than this something is done (microseconds).
const NOTICED: i64 = 30_000;
/// So near they are brought.
const NEAR: i64 = 10_000;
/// Longest that a picture is held. Sound that is later than that stays so.
pub const MOST: Duration = Duration::from_millis(100);

/// Keeps one peer's camera in step with its microphone.
#[derive(Debug, Default)]
pub struct Sync {
    hold: i64,
}

impl Sync {
    /// Takes the delays of now, in microseconds by clocks of any offset that is the same for both: of sound to where it
    /// is heard, and of the picture without what is held here. `None`: nothing of it is played, and nothing is held.
    /// Gives how long the picture is to be held.
    pub fn hold(&mut self, sound: Option<i64>, picture: Option<i64>) -> Duration {
        let Some((sound, picture)) = sound.zip(picture) else {
            self.hold = 0;
            return Duration::ZERO;
        };
        let late = sound.saturating_sub(picture);
        let off = late.saturating_sub(self.hold);
        let most = i64::try_from(MOST.as_micros()).unwrap_or(i64::MAX);
        if off > NOTICED {
            self.hold = late.saturating_sub(NEAR).clamp(0, most);
        } else if off < -NOTICED {
            self.hold = late.saturating_add(NEAR).clamp(0, most);
        }
        Duration::from_micros(u64::try_from(self.hold).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: i64 = 1000;

    #[test]
    fn a_picture_waits_for_its_sound() {
        let mut sync = Sync::default();
        let mut check = |sound: i64, picture: i64, expect: u64| {
            let hold = sync.hold(Some(sound * MS), Some(picture * MS));
            assert_eq!(hold, Duration::from_millis(expect), "{sound} {picture}");
        };
        check(35, 15, 0);
        check(90, 20, 60);
        check(95, 20, 60);
        check(70, 30, 60);
        check(35, 20, 25);
        check(35, 60, 0);
        check(500, 20, 100);
        assert_eq!(sync.hold(None, Some(0)), Duration::ZERO);
        assert_eq!(sync.hold(Some(i64::MIN), Some(i64::MAX)), Duration::ZERO);
    }

    proptest! {
        /// Sound up to 130 ms behind the picture is within 45 ms of it, whatever the clocks.
        #[test]
        fn what_can_be_helped_is_within_45_ms(
            clocks in -1_000_000_000_000i64..1_000_000_000_000,
            delays in proptest::collection::vec((0i64..130, -15i64..15), 1..50),
        ) {
            let mut sync = Sync::default();
            for (late, noise) in delays {
                let hold = sync.hold(Some(clocks + (late + noise) * MS), Some(clocks));
                let hold = i64::try_from(hold.as_micros()).expect("small");
                prop_assert!((late * MS - hold).abs() <= 45 * MS, "{late} {noise} {hold}");
            }
        }
    }
}
