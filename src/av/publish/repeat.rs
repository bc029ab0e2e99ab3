//! Sans-IO. When a picture that stands still is encoded again.
//!
//! Soon after a change, since rate control may have left it out or made it coarse; then once a second, so that a picture
//! that was lost on its way is missed by nobody for longer, and a link that carries nothing is not mistaken for a dead one.
//! For who joins or lost something it is encoded at once.

use std::time::{Duration, Instant};

use super::layer::Sent;

/// After the last change: the picture gets sharper.
const SETTLE: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(400)];
/// Afterwards.
const KEEP: Duration = Duration::from_secs(1);
/// A picture that did not leave is tried again.
const RETRY: Duration = Duration::from_millis(60);
/// Between two pictures that are encoded because somebody waits.
const OWED: Duration = Duration::from_millis(30);

/// The repeats of one track.
#[derive(Debug, Clone, Default)]
pub struct Repeat {
    last: Option<Instant>,
    sent: bool,
    repeats: usize,
}

impl Repeat {
    /// A new picture was encoded.
    pub fn on_picture(&mut self, now: Instant, sent: Sent) {
        *self = Self { last: Some(now), sent: sent == Sent::Yes, repeats: 0 };
    }

    /// The last one was, once more.
    pub fn on_repeated(&mut self, now: Instant, sent: Sent) {
        self.sent = sent == Sent::Yes;
        self.last = Some(now);
        if self.sent {
            self.repeats = self.repeats.saturating_add(1);
        }
    }

    /// True when the last picture is to be encoded again; `owed`: somebody waits for a keyframe.
    pub fn poll(&self, now: Instant, owed: bool) -> bool {
        let Some(last) = self.last else { return false };
        let pause = match SETTLE.get(self.repeats) {
            _ if owed => OWED,
            _ if !self.sent => RETRY,
            Some(pause) => *pause,
            None => KEEP,
        };
        now >= last + pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which milliseconds of the next `for_ms` a picture is repeated that came at 0.
    fn repeats(for_ms: u64, sent: impl Fn(u64) -> Sent, owed: impl Fn(u64) -> bool) -> Vec<u64> {
        let (start, mut repeat) = (crate::clock::now(), Repeat::default());
        assert!(!repeat.poll(start, true), "there is no picture yet");
        repeat.on_picture(start, sent(0));
        let mut at = Vec::new();
        for ms in (0..for_ms).step_by(10) {
            let now = start + Duration::from_millis(ms);
            if repeat.poll(now, owed(ms)) {
                repeat.on_repeated(now, sent(ms));
                at.push(ms);
            }
        }
        at
    }

    #[test]
    fn what_stands_still_is_repeated_soon_and_then_once_a_second() {
        assert_eq!(repeats(4000, |_| Sent::Yes, |_| false), [150, 550, 1550, 2550, 3550]);
    }

    #[test]
    fn what_did_not_leave_is_tried_again_until_it_does() {
        let sent = |ms| if ms < 200 { Sent::No } else { Sent::Yes };
        assert_eq!(repeats(1000, sent, |_| false), [60, 120, 180, 240, 640]);
    }

    #[test]
    fn who_joins_does_not_wait() {
        assert_eq!(repeats(1500, |_| Sent::Yes, |ms| ms == 1000), [150, 550, 1000]);
    }
}
