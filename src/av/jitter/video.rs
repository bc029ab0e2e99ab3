//! Sans-IO. What happens to complete encoded pictures between the depacketizer and the screen.
//!
//! [`Order`] gives the decoder only what it can decode exactly, in order: each picture names the one that it refers to,
//! so a picture whose reference was not decoded is dropped, never guessed at. Something missing is waited for a short
//! moment (packets overtake each other), then given up; when the base layer is broken nothing but a keyframe helps, and
//! [`Order::needs_keyframe`] says so until one comes. The viewer sees the last good picture meanwhile.
//!
//! [`Playout`] decides when a decoded picture is released: at capture plus the 95th percentile of the completion delay,
//! at most 100 ms above its minimum, less what the screen's own rhythm hides. On a quiet network nothing is added; with
//! jitter, motion stays even.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::av::packet::depacketizer::Frame;

/// How long a missing picture is waited for once a later one is complete. Overtaking within one path is rarer than
/// loss; longer would only delay the request for a keyframe.
pub const WAIT: Duration = Duration::from_millis(15);
/// Most pictures that wait. Overflow: the oldest is dropped.
const MAX_WAITING: usize = 32;
/// References that can still be referred to: more than any encoder here uses.
const MAX_REFERENCES: usize = 16;

/// Orders pictures for one decoder.
#[derive(Debug, Default)]
pub struct Order {
    generation: u64,
    waiting: BTreeMap<u64, (Instant, Box<Frame>)>,
    /// The newest picture that was given to the decoder or given up.
    last: Option<u64>,
    /// Decoded pictures that others may refer to.
    decoded: BTreeSet<u64>,
    broken: bool,
    dropped: u64,
}

impl Order {
    /// Waits for a first keyframe.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a complete picture.
    pub fn on_frame(&mut self, now: Instant, frame: Box<Frame>) {
        if frame.generation != self.generation {
            self.dropped += u64::try_from(self.waiting.len()).unwrap_or(0);
            let (generation, dropped) = (frame.generation, self.dropped);
            *self = Self { generation, dropped, ..Self::default() };
        }
        if self.last.is_some_and(|last| frame.number <= last) {
            return;
        }
        self.waiting.insert(frame.number, (now, frame));
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
        *self = Self { generation: self.generation, dropped: self.dropped, ..Self::default() };
    }

    /// The next picture for the decoder.
    pub fn poll_decode(&mut self, now: Instant) -> Option<Box<Frame>> {
        loop {
            let (number, (at, frame)) = self.waiting.first_key_value()?;
            let (number, waited) = (*number, now >= *at + WAIT);
            let next = self.last.is_some_and(|last| last + 1 == number);
            let reference = number.saturating_sub(u64::from(frame.reference));
            if frame.key {
                if !(self.last.is_none() || self.broken || next || waited) {
                    return None;
                }
            } else if self.broken || self.last.is_none() {
                self.broken = true;
                self.waiting.pop_first();
                self.give_up(number);
                continue;
            } else if self.decoded.contains(&reference) {
                if !(next || waited) {
                    return None;
                }
            } else {
                if self.last.is_some_and(|last| reference > last) && !waited {
                    return None;
                }
                // The first temporal layers refer to the base, and so does the base itself.
                self.broken = frame.temporal <= 1;
                self.waiting.pop_first();
                self.give_up(number);
                continue;
            }
            let (_, (_, frame)) = self.waiting.pop_first()?;
            self.give(&frame);
            return Some(frame);
        }
    }

    /// When `poll_decode` should be asked again although nothing came.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|(_, (at, _))| *at + WAIT)
    }

    /// True until a keyframe is given to the decoder.
    pub fn needs_keyframe(&self) -> bool {
        self.broken
    }

    /// Pictures that were sent and never given, and those that the decoder refused, since the first keyframe.
    pub fn dropped(&self) -> u64 {
        self.dropped
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

/// Delays remembered: 3 s at 30 pictures a second, so that a slow picture now and then is no percentile.
const WINDOW: usize = 96;
/// Unevenness that nobody sees: half the interval of a 60 Hz screen. It is not smoothed, so it costs no delay.
const UNSEEN: i64 = 8_000;
/// Most that is added to the smallest delay.
const MAX_ADDED: i64 = 100_000;
/// A delay that is so far from the last is a new clock.
const NEW_CLOCK: u64 = 2_000_000;

/// Decides when pictures are released.
#[derive(Debug)]
pub struct Playout {
    origin: Instant,
    /// Completion minus capture of the last pictures, in microseconds, plus an unknown constant.
    delays: VecDeque<i64>,
    last: Option<Instant>,
}

impl Playout {
    /// Knows no delays yet: the first pictures are released at once. `origin` is any moment.
    pub fn new(origin: Instant) -> Self {
        Self { origin, delays: VecDeque::with_capacity(WINDOW), last: None }
    }

    /// When the picture that was captured at `captured` (microseconds of the sender's clock) and decoded at `now` is
    /// released: not before `now`, at most 100 ms after it, never before the picture before it.
    pub fn release_at(&mut self, now: Instant, captured: u64) -> Instant {
        let since = i64::try_from(now.saturating_duration_since(self.origin).as_micros()).unwrap_or(i64::MAX);
        let delay = since.wrapping_sub_unsigned(captured);
        if self.delays.back().is_some_and(|last| last.abs_diff(delay) > NEW_CLOCK) {
            self.delays.clear();
        }
        if self.delays.len() == WINDOW {
            self.delays.pop_front();
        }
        self.delays.push_back(delay);
        let mut sorted: Vec<i64> = self.delays.iter().copied().collect();
        // Rounded down: while few are known, the slow first picture is not taken for the rule.
        let rank = (sorted.len() - 1) * 95 / 100;
        let least = sorted.iter().copied().min().unwrap_or(delay);
        let (_, percentile, _) = sorted.select_nth_unstable(rank);
        let target = percentile.saturating_sub(UNSEEN).min(least.saturating_add(MAX_ADDED));
        let added = u64::try_from(target.saturating_sub(delay)).unwrap_or(0);
        let at =
            (now + Duration::from_micros(added)).max(self.last.unwrap_or(now).min(now + Duration::from_millis(100)));
        self.last = Some(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::av::packet::header::Layer;

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
        let mut order = Order::new();
        for number in 0..6 {
            order.on_frame(now, usual(number));
            assert_eq!(drain(&mut order, now), [number]);
        }
        assert_eq!((order.dropped(), order.needs_keyframe()), (0, false));
    }

    #[test]
    fn overtaken_picture_is_waited_for() {
        let now = crate::clock::now();
        let mut order = Order::new();
        order.on_frame(now, usual(0));
        order.on_frame(now, usual(2));
        assert_eq!(drain(&mut order, now), [0]);
        order.on_frame(now, usual(1));
        assert_eq!(drain(&mut order, now), [1, 2]);
        assert_eq!(order.dropped(), 0);
    }

    #[test]
    fn lost_discardable_picture_needs_no_keyframe() {
        let now = crate::clock::now();
        let mut order = Order::new();
        order.on_frame(now, usual(0));
        order.on_frame(now, usual(2));
        assert_eq!(drain(&mut order, now), [0]);
        assert_eq!(order.poll_timeout(), Some(now + WAIT));
        assert_eq!(drain(&mut order, now + WAIT), [2]);
        assert_eq!((order.dropped(), order.needs_keyframe()), (1, false));
        order.on_frame(now, usual(1));
        assert!(drain(&mut order, now + WAIT).is_empty());
    }

    #[test]
    fn lost_base_picture_freezes_until_a_keyframe() {
        let now = crate::clock::now();
        let mut order = Order::new();
        order.on_frame(now, usual(0));
        order.on_frame(now, usual(1));
        order.on_frame(now, usual(3));
        assert_eq!(drain(&mut order, now), [0, 1]);
        assert!(drain(&mut order, now + WAIT).is_empty());
        assert!(order.needs_keyframe());
        order.on_frame(now + WAIT, usual(4));
        order.on_frame(now + WAIT, usual(5));
        assert!(drain(&mut order, now + WAIT).is_empty());
        order.on_frame(now + WAIT, frame(6, 0, 0));
        order.on_frame(now + WAIT, frame(7, 1, 1));
        assert_eq!(drain(&mut order, now + WAIT), [6, 7]);
        assert_eq!((order.dropped(), order.needs_keyframe()), (4, false));
    }

    #[test]
    fn delta_before_any_keyframe_asks_for_one_and_is_not_counted() {
        let now = crate::clock::now();
        let mut order = Order::new();
        assert!(!order.needs_keyframe());
        order.on_frame(now, usual(4));
        assert!(drain(&mut order, now).is_empty());
        assert_eq!((order.dropped(), order.needs_keyframe()), (0, true));
    }

    #[test]
    fn another_stream_starts_with_its_keyframe() {
        let now = crate::clock::now();
        let mut order = Order::new();
        order.on_frame(now, usual(0));
        assert_eq!(drain(&mut order, now), [0]);
        let mut restarted = frame(0, 0, 0);
        restarted.generation = 2;
        order.on_frame(now, restarted);
        assert_eq!(drain(&mut order, now), [0]);
    }

    #[test]
    fn quiet_network_adds_nothing_and_jitter_is_smoothed() {
        let start = crate::clock::now();
        let mut playout = Playout::new(start);
        let ms = Duration::from_millis;
        for i in 0..100u32 {
            let now = start + i * ms(33) + ms(5);
            assert_eq!(playout.release_at(now, u64::from(i) * 33_000 + 77), now);
        }
        // From now on every tenth picture takes 40 ms longer.
        let mut late = 0;
        for i in 100..400u32 {
            let now = start + i * ms(33) + ms(5) + if i % 10 == 0 { ms(40) } else { ms(0) };
            let at = playout.release_at(now, u64::from(i) * 33_000 + 77);
            if i > 300 {
                late += u32::from(at < start + i * ms(33) + ms(37));
            }
        }
        assert_eq!(late, 0);
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
            let mut order = Order::new();
            let mut given: Vec<Frame> = Vec::new();
            for (at, number) in arrivals {
                let now = start + Duration::from_millis(at);
                while let Some(due) = order.poll_timeout().filter(|due| *due <= now) {
                    let before = order.waiting.len();
                    given.extend(std::iter::from_fn(|| order.poll_decode(due)).map(|f| *f));
                    prop_assert!(order.waiting.len() < before, "a due timeout makes progress");
                }
                order.on_frame(now, if number == 60 { frame(60, 0, 0) } else { usual(number) });
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

        #[test]
        fn release_is_soon_and_in_order(steps in proptest::collection::vec((0u64..200_000, any::<u64>()), 1..300)) {
            let mut now = crate::clock::now();
            let mut playout = Playout::new(now);
            let mut last = now;
            for (step, captured) in steps {
                now += Duration::from_micros(step);
                let at = playout.release_at(now, captured);
                prop_assert!(at >= now && at <= now + Duration::from_millis(100) && at >= last);
                last = at;
            }
        }
    }
}
