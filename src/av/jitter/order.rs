//! Sans-IO. [`Order`] gives the decoder only what it can decode exactly, in order: each picture names the one that it refers
//! to, so a picture whose reference was not decoded is dropped, never guessed at.
//!
//! What is missing may be overtaken, or asked for again and on its way. A picture that others refer to is worth waiting
//! for: the alternative is a keyframe over the same path. One that nobody refers to is waited for until the picture after it
//! must be shown. When the base layer is broken nothing but a keyframe helps, and [`Order::needs_keyframe`] says so until
//! one comes. The viewer sees the last good picture meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::av::packet::depacketizer::Frame;

/// How long a picture that may only have been overtaken is waited for at least.
pub const WAIT: Duration = Duration::from_millis(15);
/// Most pictures that wait: half a second of 120 a second. Overflow: the oldest is dropped.
const MAX_WAITING: usize = 64;
/// References that can still be referred to: more than any encoder here uses.
const MAX_REFERENCES: usize = 16;

/// A complete picture.
#[derive(Debug)]
struct Waiting {
    at: Instant,
    /// It is given then, if only pictures are missing that it does not need.
    due: Instant,
    frame: Box<Frame>,
}

/// What becomes of the first picture that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Give,
    /// Nothing can make it decodable.
    Drop,
    /// Something may still come, until then.
    Wait(Instant),
}

/// Orders pictures for one decoder.
#[derive(Debug, Default)]
pub struct Order {
    generation: u64,
    waiting: BTreeMap<u64, Waiting>,
    /// How long a reference is waited for.
    hard: Duration,
    /// The newest picture that was given to the decoder or given up.
    last: Option<u64>,
    /// Decoded pictures that others may refer to.
    decoded: BTreeSet<u64>,
    broken: bool,
    /// A keyframe of which a part has come.
    coming: Option<u64>,
    dropped: u64,
}

impl Order {
    /// Waits for a first keyframe. A missing reference is waited for as long as `hard`, which can be changed.
    pub fn new(hard: Duration) -> Self {
        Self { hard, ..Self::default() }
    }

    /// Changes how long a missing reference is waited for.
    pub fn set_hard(&mut self, hard: Duration) {
        self.hard = hard;
    }

    /// The keyframe of which a part has come and whose rest may still come.
    pub fn set_coming(&mut self, coming: Option<u64>) {
        self.coming = coming;
    }

    /// Takes a complete picture. `due`: when it is given although pictures before it that it does not need are missing.
    pub fn on_frame(&mut self, now: Instant, due: Instant, frame: Box<Frame>) {
        if frame.generation != self.generation {
            self.dropped += u64::try_from(self.waiting.len()).unwrap_or(0);
            let (generation, dropped, hard) = (frame.generation, self.dropped, self.hard);
            *self = Self { generation, dropped, hard, ..Self::default() };
        }
        if self.last.is_some_and(|last| frame.number <= last) {
            return;
        }
        self.waiting.insert(frame.number, Waiting { at: now, due, frame });
        if self.waiting.len() > MAX_WAITING
            && let Some((number, _)) = self.waiting.pop_first()
        {
            self.give_up(number);
        }
    }

    /// A packet came that only a keyframe can make sense of.
    pub fn on_stray(&mut self) {
        self.broken = true;
    }

    /// The decoder failed on the picture that it was given last.
    pub fn on_undecodable(&mut self) {
        self.broken = true;
        self.decoded.clear();
        self.dropped += 1;
    }

    /// Forgets everything: the next picture must be a keyframe, and nothing is missed until a packet says so.
    pub fn reset(&mut self) {
        *self = Self { generation: self.generation, dropped: self.dropped, hard: self.hard, ..Self::default() };
    }

    /// The next picture for the decoder.
    pub fn poll_decode(&mut self, now: Instant) -> Option<Box<Frame>> {
        loop {
            let (number, verdict) = self.first()?;
            match verdict {
                Verdict::Wait(until) if now < until => return None,
                Verdict::Give => {
                    let (_, waiting) = self.waiting.pop_first()?;
                    self.give(&waiting.frame);
                    return Some(waiting.frame);
                }
                // What only lacks pictures that it does not need is given after the wait, all else is dropped.
                Verdict::Wait(_) if self.decodable(number) => {
                    let (_, waiting) = self.waiting.pop_first()?;
                    self.give(&waiting.frame);
                    return Some(waiting.frame);
                }
                Verdict::Wait(_) | Verdict::Drop => {
                    // The first temporal layers refer to the base, and so does the base itself.
                    let (_, waiting) = self.waiting.pop_first()?;
                    self.broken |= self.last.is_none() || waiting.frame.temporal <= 1;
                    self.give_up(number);
                }
            }
        }
    }

    /// When `poll_decode` should be asked again although nothing came.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.first()? {
            (_, Verdict::Wait(until)) => Some(until),
            (number, _) => self.waiting.get(&number).map(|waiting| waiting.at),
        }
    }

    /// True until a keyframe is given to the decoder, or one is on its way.
    pub fn needs_keyframe(&self) -> bool {
        self.broken && self.coming.is_none()
    }

    /// Only a keyframe can be given.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// The newest picture that was given to the decoder or given up.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// Pictures that were sent and never given, and those that the decoder refused, since the first keyframe.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn decodable(&self, number: u64) -> bool {
        self.waiting.get(&number).is_some_and(|waiting| {
            let reference = number.saturating_sub(u64::from(waiting.frame.reference));
            waiting.frame.key || (!self.broken && self.decoded.contains(&reference))
        })
    }

    fn first(&self) -> Option<(u64, Verdict)> {
        let (number, waiting) = self.waiting.first_key_value()?;
        let (number, frame) = (*number, &waiting.frame);
        let next = self.last.is_some_and(|last| last + 1 == number);
        let hard = waiting.at + self.hard;
        let verdict = if frame.key {
            if self.last.is_none() || self.broken || next { Verdict::Give } else { Verdict::Wait(waiting.due) }
        } else if self.broken || self.last.is_none() {
            // Without a keyframe it is nothing, but one may come together yet.
            match self.coming {
                Some(key) if key < number => Verdict::Wait(hard),
                _ => Verdict::Drop,
            }
        } else {
            let reference = number.saturating_sub(u64::from(frame.reference));
            if self.decoded.contains(&reference) {
                if next { Verdict::Give } else { Verdict::Wait(waiting.due) }
            } else if self.last.is_some_and(|last| reference > last) {
                // A keyframe that is there already ends the wait: what it replaces would be late.
                let key = self.waiting.values().find(|later| later.frame.key).map(|later| later.due);
                Verdict::Wait(key.map_or(hard, |due| due.min(hard)))
            } else {
                Verdict::Drop
            }
        };
        Some((number, verdict))
    }

    /// Counts the pictures between the last one and `number`.
    fn pass(&mut self, number: u64) {
        if let Some(last) = self.last {
            // A sender that jumps far ahead did not send all those.
            self.dropped += (number - last - 1).min(1000);
        }
    }

    fn give_up(&mut self, number: u64) {
        self.pass(number);
        // Before the first keyframe nobody could show anything.
        if self.last.is_some() {
            self.dropped += 1;
            self.last = Some(number);
        }
    }

    fn give(&mut self, frame: &Frame) {
        self.pass(frame.number);
        self.last = Some(frame.number);
        if frame.key {
            self.broken = false;
            self.decoded.clear();
        }
        if !frame.discardable {
            self.decoded.insert(frame.number);
            if self.decoded.len() > MAX_REFERENCES {
                self.decoded.pop_first();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::av::packet::header::Layer;

    const HARD: Duration = Duration::from_millis(250);

    fn frame(number: u64, reference: u8, temporal: u8) -> Box<Frame> {
        let (key, discardable) = (reference == 0, temporal == 1);
        let layer = Layer::Main;
        Box::new(Frame {
            generation: 1,
            number,
            key,
            discardable,
            temporal,
            layer,
            reference,
            captured: 0,
            data: vec![],
        })
    }

    /// Pictures as the encoder makes them: 0 key, odd numbers discardable, even ones refer two back.
    fn usual(number: u64) -> Box<Frame> {
        match number {
            0 => frame(0, 0, 0),
            n if n % 2 == 1 => frame(n, 1, 1),
            n => frame(n, 2, 0),
        }
    }

    fn drain(order: &mut Order, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| order.poll_decode(now)).map(|frame| frame.number).collect()
    }

    #[test]
    fn pictures_in_order_pass_at_once() {
        let now = crate::clock::now();
        let mut order = Order::new(HARD);
        for number in 0..6 {
            order.on_frame(now, now + WAIT, usual(number));
            assert_eq!(drain(&mut order, now), [number]);
        }
        assert_eq!((order.dropped(), order.needs_keyframe()), (0, false));
    }

    #[test]
    fn overtaken_picture_is_waited_for() {
        let now = crate::clock::now();
        let mut order = Order::new(HARD);
        order.on_frame(now, now + WAIT, usual(0));
        order.on_frame(now, now + WAIT, usual(2));
        assert_eq!(drain(&mut order, now), [0]);
        order.on_frame(now, now + WAIT, usual(1));
        assert_eq!(drain(&mut order, now), [1, 2]);
        assert_eq!(order.dropped(), 0);
    }

    #[test]
    fn lost_discardable_picture_needs_no_keyframe() {
        let now = crate::clock::now();
        let mut order = Order::new(HARD);
        order.on_frame(now, now + WAIT, usual(0));
        order.on_frame(now, now + WAIT, usual(2));
        assert_eq!(drain(&mut order, now), [0]);
        assert_eq!(order.poll_timeout(), Some(now + WAIT));
        assert_eq!(drain(&mut order, now + WAIT), [2]);
        assert_eq!((order.dropped(), order.needs_keyframe()), (1, false));
        order.on_frame(now, now + WAIT, usual(1));
        assert!(drain(&mut order, now + WAIT).is_empty());
    }

    #[test]
    fn lost_base_picture_freezes_until_a_keyframe() {
        let now = crate::clock::now();
        let mut order = Order::new(HARD);
        order.on_frame(now, now + WAIT, usual(0));
        order.on_frame(now, now + WAIT, usual(1));
        order.on_frame(now, now + WAIT, usual(3));
        assert_eq!(drain(&mut order, now), [0, 1]);
        assert!(drain(&mut order, now + WAIT).is_empty());
        assert_eq!((order.poll_timeout(), order.needs_keyframe()), (Some(now + HARD), false));
        let now = now + HARD;
        assert!(drain(&mut order, now).is_empty());
        assert!(order.needs_keyframe());
        order.on_frame(now, now + WAIT, usual(4));
        order.on_frame(now, now + WAIT, usual(5));
        assert!(drain(&mut order, now).is_empty());
        order.on_frame(now, now + WAIT, frame(6, 0, 0));
        order.on_frame(now, now + WAIT, frame(7, 1, 1));
        assert_eq!(drain(&mut order, now), [6, 7]);
        assert_eq!((order.dropped(), order.needs_keyframe()), (4, false));
    }

    #[test]
    fn repaired_base_picture_needs_no_keyframe() {
        let now = crate::clock::now();
        let mut order = Order::new(HARD);
        for number in [0, 1, 3, 4] {
            order.on_frame(now, now + WAIT, usual(number));
        }
        assert_eq!(drain(&mut order, now + HARD / 2), [0, 1]);
        order.on_frame(now + HARD / 2, now + HARD, usual(2));
        assert_eq!(drain(&mut order, now + HARD / 2), [2, 3, 4]);
        assert_eq!((order.dropped(), order.needs_keyframe()), (0, false));
    }

    #[test]
    fn a_keyframe_that_is_there_ends_the_wait_for_what_it_replaces() {
        let now = crate::clock::now();
        let mut order = Order::new(HARD);
        for picture in [usual(0), usual(3), frame(4, 0, 0)] {
            order.on_frame(now, now + WAIT, picture);
        }
        assert_eq!(drain(&mut order, now), [0]);
        assert_eq!(order.poll_timeout(), Some(now + WAIT));
        assert_eq!(drain(&mut order, now + WAIT), [4]);
        assert!(!order.needs_keyframe());
    }

    #[test]
    fn deltas_wait_for_a_keyframe_of_which_a_part_came() {
        let now = crate::clock::now();
        let mut order = Order::new(HARD);
        order.on_frame(now, now + WAIT, usual(1));
        order.set_coming(Some(0));
        assert!(drain(&mut order, now).is_empty());
        assert!(!order.needs_keyframe());
        order.on_frame(now + WAIT, now + WAIT, usual(0));
        order.set_coming(None);
        assert_eq!(drain(&mut order, now + WAIT), [0, 1]);
    }

    #[test]
    fn delta_before_any_keyframe_asks_for_one_and_is_not_counted() {
        let now = crate::clock::now();
        let mut order = Order::new(HARD);
        assert!(!order.needs_keyframe());
        order.on_frame(now, now + WAIT, usual(4));
        assert!(drain(&mut order, now).is_empty());
        assert_eq!((order.dropped(), order.needs_keyframe()), (0, true));
    }

    #[test]
    fn another_stream_starts_with_its_keyframe() {
        let now = crate::clock::now();
        let mut order = Order::new(HARD);
        order.on_frame(now, now + WAIT, usual(0));
        assert_eq!(drain(&mut order, now), [0]);
        let mut restarted = frame(0, 0, 0);
        restarted.generation = 2;
        order.on_frame(now, now + WAIT, restarted);
        assert_eq!(drain(&mut order, now), [0]);
    }

    proptest! {
        /// Whatever is lost or overtaken: only pictures whose reference was given are given, in order, and with a
        /// keyframe at the end the picture is whole again.
        #[test]
        fn nothing_undecodable_is_given(
            lost in proptest::collection::btree_set(0u64..60, 0..20),
            delays in proptest::collection::vec(0u64..60, 60),
        ) {
            let start = crate::clock::now();
            let mut arrivals: Vec<(u64, u64)> =
                (0..60).filter(|n| !lost.contains(n)).map(|n| (n * 33 + delays[usize::try_from(n).expect("small")], n)).collect();
            arrivals.push((3000, 60));
            arrivals.sort_unstable();
            let mut order = Order::new(HARD);
            let mut given: Vec<Frame> = Vec::new();
            for (at, number) in arrivals {
                let now = start + Duration::from_millis(at);
                while let Some(due) = order.poll_timeout().filter(|due| *due <= now) {
                    let before = order.waiting.len();
                    given.extend(std::iter::from_fn(|| order.poll_decode(due)).map(|f| *f));
                    prop_assert!(order.waiting.len() < before, "a due timeout makes progress");
                }
                order.on_frame(now, now + WAIT, if number == 60 { frame(60, 0, 0) } else { usual(number) });
                given.extend(std::iter::from_fn(|| order.poll_decode(now)).map(|f| *f));
            }
            given.extend(std::iter::from_fn(|| order.poll_decode(start + Duration::from_secs(9))).map(|f| *f));
            prop_assert!(given.windows(2).all(|w| w[0].number < w[1].number));
            for picture in given.iter().filter(|f| !f.key) {
                prop_assert!(given.iter().any(|f| f.number == picture.number - u64::from(picture.reference)));
            }
            prop_assert_eq!(given.last().map(|f| f.number), Some(60));
            prop_assert!(!order.needs_keyframe());
        }
    }
}
