//! Sans-IO. When a keyframe is asked for and when one is made. A keyframe costs as much as four to ten other pictures,
//! so one answers everybody: at most one in 300 ms for each layer.

use std::time::{Duration, Instant};

/// Shortest time between two keyframes of a layer.
pub const SPACING: Duration = Duration::from_millis(300);
/// How often a receiver repeats its request. A request or the keyframe itself may be lost.
pub const REPEAT: Duration = Duration::from_millis(150);

/// The sender's side, one for each layer.
#[derive(Debug, Clone, Default)]
pub struct Maker {
    wanted: bool,
    last: Option<Instant>,
}

impl Maker {
    /// Somebody joined or lost something. A request within the spacing is kept and served at its end: it may come from
    /// another receiver than the last one.
    pub fn on_request(&mut self) {
        self.wanted = true;
    }

    /// True when the picture encoded at `now` must be a keyframe.
    pub fn poll(&self, now: Instant) -> bool {
        self.wanted && self.last.is_none_or(|last| now >= last + SPACING)
    }

    /// A keyframe was made, asked for or not.
    pub fn on_keyframe(&mut self, now: Instant) {
        *self = Self { wanted: false, last: Some(now) };
    }
}

/// The receiver's side, one for each remote track.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    next: Option<Instant>,
}

impl Asker {
    /// True when a request is to be sent now. `needed`: only a keyframe helps.
    pub fn poll(&mut self, now: Instant, needed: bool) -> bool {
        if !needed {
            self.next = None;
            return false;
        }
        let due = self.next.is_none_or(|next| now >= next);
        if due {
            self.next = Some(now + REPEAT);
        }
        due
    }

    /// When to poll again.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_keyframe_serves_all_requests_of_300_ms() {
        let start = crate::clock::now();
        let mut maker = Maker::default();
        assert!(!maker.poll(start));
        maker.on_request();
        maker.on_request();
        assert!(maker.poll(start));
        maker.on_keyframe(start);
        assert!(!maker.poll(start + SPACING));
        maker.on_request();
        assert!(!maker.poll(start + SPACING / 2));
        assert!(maker.poll(start + SPACING));
    }

    #[test]
    fn requests_repeat_until_a_keyframe_comes() {
        let start = crate::clock::now();
        let mut asker = Asker::default();
        assert!(!asker.poll(start, false));
        assert!(asker.poll(start, true));
        assert!(!asker.poll(start + REPEAT / 2, true));
        assert_eq!(asker.poll_timeout(), Some(start + REPEAT));
        assert!(asker.poll(start + REPEAT, true));
        assert!(!asker.poll(start + REPEAT, false));
        assert_eq!(asker.poll_timeout(), None);
        assert!(asker.poll(start + REPEAT, true));
    }
}
