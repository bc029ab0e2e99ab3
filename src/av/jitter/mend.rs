//! Sans-IO. How long playout must wait for the copies of lost frames.
//!
//! Each frame counts when it is first there, in its own packet or as a copy in a later one. Frames that were first there
//! as copies were mended, and what such a frame had above the fastest packet's delay is the wait that it needed: the
//! distance of its copy, and the jitter of the packet that brought it. Playout waits as long as leaves at most three of
//! a thousand frames of the last ten seconds unmended. So the sender alone decides how far its copies reach, and a
//! listener that loses nothing waits for none of them.

use std::collections::{BTreeSet, VecDeque};

/// How far back frames count.
const WINDOW_US: i64 = 10_000_000;
/// Mended frames that are remembered: ten seconds at half of all packets lost. Overflow: the oldest is forgotten.
const MOST: usize = 500;
/// Frames whose first sight is remembered: 5 s. Overflow: the oldest is forgotten.
const MOST_SEEN: usize = 500;
/// Longer is not waited for a copy.
const LONGEST_US: i64 = 100_000;
/// Of a thousand frames so many may miss their copy.
const MISSED: usize = 3;

/// What was mended of one track.
#[derive(Debug, Default)]
pub struct Mend {
    /// (arrival, offset of the frame), microseconds.
    mended: VecDeque<(i64, i64)>,
    seen: BTreeSet<i64>,
    first: Option<i64>,
}

impl Mend {
    /// A frame of `timestamp` came in its own packet.
    pub fn on_frame(&mut self, timestamp: i64) {
        self.first.get_or_insert(timestamp);
        self.see(timestamp);
    }

    /// A copy of the frame of `timestamp` came at `arrival`; `offset` is the arrival less the frame's media time, both
    /// in microseconds. What was said before the track began is nobody's loss.
    pub fn on_copy(&mut self, timestamp: i64, arrival: i64, offset: i64) {
        if self.first.is_none_or(|first| timestamp < first) || !self.see(timestamp) {
            return;
        }
        if self.mended.len() >= MOST {
            self.mended.pop_front();
        }
        self.mended.push_back((arrival, offset));
    }

    /// True the first time.
    fn see(&mut self, timestamp: i64) -> bool {
        // What is older than all that is remembered was seen or is of no use any more.
        let old = self.seen.len() >= MOST_SEEN && self.seen.first().is_some_and(|first| timestamp < *first);
        let new = !old && self.seen.insert(timestamp);
        if self.seen.len() > MOST_SEEN {
            self.seen.pop_first();
        }
        new
    }

    /// The wait above the fastest packet, whose offset is `base`, that copies need, in microseconds; 0 when too few
    /// were needed. `packets` came in the last ten seconds.
    pub fn wait(&mut self, now: i64, base: i64, packets: usize) -> i64 {
        while self.mended.front().is_some_and(|(at, _)| now - at > WINDOW_US) {
            self.mended.pop_front();
        }
        let missed = (packets + self.mended.len()) * MISSED / 1000;
        let mut waits: Vec<i64> =
            self.mended.iter().map(|(_, offset)| offset - base).filter(|wait| *wait <= LONGEST_US).collect();
        if missed >= waits.len() {
            return 0;
        }
        let rank = waits.len() - 1 - missed;
        let (_, wait, _) = waits.select_nth_unstable(rank);
        *wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_US: i64 = 10_000;

    /// A thousand frames, of which every `nth` is lost and comes `back` packets later.
    fn wait(nth: i64, back: i64) -> i64 {
        let mut mend = Mend::default();
        for n in 0..1000 {
            let arrival = n * FRAME_US;
            if n % nth != 1 {
                mend.on_frame(n * 480);
            }
            if n >= back && n % nth != 1 {
                mend.on_copy((n - back) * 480, arrival, back * FRAME_US);
            }
        }
        mend.wait(10_000_000, 0, 1000)
    }

    #[test]
    fn the_wait_is_as_long_as_copies_take() {
        assert_eq!(wait(20, 1), FRAME_US);
        assert_eq!(wait(20, 6), 6 * FRAME_US);
        assert_eq!(wait(500, 6), 0, "two of a thousand are not waited for");
        assert_eq!(wait(20, 12), 0, "too long to wait for");
    }

    #[test]
    fn what_came_in_its_own_packet_or_is_old_needs_no_wait() {
        let mut mend = Mend::default();
        mend.on_copy(0, 0, 50_000);
        mend.on_frame(480);
        mend.on_copy(480, 0, 50_000);
        mend.on_copy(0, 0, 50_000);
        assert_eq!(mend.wait(0, 0, 100), 0);
        mend.on_copy(960, 0, 50_000);
        assert_eq!(mend.wait(0, 0, 100), 50_000);
        assert_eq!(mend.wait(WINDOW_US + 1, 0, 100), 0);
    }

    #[test]
    fn any_timestamps_are_bounded() {
        let mut mend = Mend::default();
        mend.on_frame(i64::from(i32::MIN));
        for n in 0..5000i64 {
            mend.on_copy(n * 7919 % 100_000 * 120, n, n);
        }
        assert!(mend.mended.len() <= MOST && mend.seen.len() <= MOST_SEEN);
    }
}
