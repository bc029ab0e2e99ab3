//! Sans-IO. When a screen is captured again, and which part of it.
//!
//! At most thirty times a second, and never more than a third of the time: where reading and converting costs much, the
//! rate falls, to five a second at the least. What did not change is not captured at all.

use std::time::{Duration, Instant};

/// Between two captures: 30 a second.
const SHORTEST: Duration = Duration::from_nanos(33_300_000);
/// Between two captures of a screen that is dear to read: 5 a second.
const LONGEST: Duration = Duration::from_millis(200);
/// One part of work to so many of time.
const SHARE: u32 = 3;

/// A rectangle in pixels. Empty when one side is not positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Area {
    /// Left.
    pub x: i32,
    /// Top.
    pub y: i32,
    /// Across.
    pub width: i32,
    /// Down.
    pub height: i32,
}

impl Area {
    /// Nothing in it.
    pub const fn is_empty(self) -> bool {
        self.width <= 0 || self.height <= 0
    }

    /// What both have in common.
    pub fn and(self, other: Self) -> Self {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let right = (self.x.saturating_add(self.width)).min(other.x.saturating_add(other.width));
        let bottom = (self.y.saturating_add(self.height)).min(other.y.saturating_add(other.height));
        Self { x, y, width: right.saturating_sub(x).max(0), height: bottom.saturating_sub(y).max(0) }
    }

    /// The smallest that holds both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x.saturating_add(self.width)).max(other.x.saturating_add(other.width));
        let bottom = (self.y.saturating_add(self.height)).max(other.y.saturating_add(other.height));
        Self { x, y, width: right.saturating_sub(x), height: bottom.saturating_sub(y) }
    }

    /// The same, moved.
    #[must_use]
    pub fn moved(self, x: i32, y: i32) -> Self {
        Self { x: self.x.saturating_add(x), y: self.y.saturating_add(y), ..self }
    }
}

/// What is to be captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// What to read anew; empty when only the pointer moved.
    pub area: Area,
}

/// The pace of one screen.
#[derive(Debug, Clone)]
pub struct Pace {
    size: (i32, i32),
    wanted: bool,
    /// Something is to be shown that was not.
    dirty: bool,
    area: Area,
    last: Option<Instant>,
    cost: Duration,
}

impl Pace {
    /// Of a screen of `size`, all of it to be captured once somebody wants it.
    pub fn new(size: (i32, i32)) -> Self {
        let mut pace =
            Self { size, wanted: false, dirty: false, area: Area::default(), last: None, cost: Duration::ZERO };
        pace.on_all();
        pace
    }

    /// The screen has another size, all of it is new.
    pub fn on_size(&mut self, size: (i32, i32)) {
        self.size = size;
        self.on_all();
    }

    /// All of it is to be read.
    pub fn on_all(&mut self) {
        let (width, height) = self.size;
        self.on_change(Area { x: 0, y: 0, width, height });
    }

    /// A part changed.
    pub fn on_change(&mut self, area: Area) {
        let area = area.and(Area { x: 0, y: 0, width: self.size.0, height: self.size.1 });
        if !area.is_empty() {
            self.area = self.area.or(area);
            self.dirty = true;
        }
    }

    /// The pointer moved or changed its shape.
    pub fn on_pointer(&mut self) {
        self.dirty = true;
    }

    /// Somebody watches, or nobody does. Who begins to watch gets a picture at once.
    pub fn on_wish(&mut self, wanted: bool) {
        if wanted && !self.wanted {
            self.dirty = true;
            self.last = None;
        }
        self.wanted = wanted;
    }

    /// What to capture now, once.
    pub fn poll(&mut self, now: Instant) -> Option<Due> {
        if self.poll_timeout(now).is_none_or(|at| now < at) {
            return None;
        }
        self.dirty = false;
        self.last = Some(now);
        Some(Due { area: std::mem::take(&mut self.area) })
    }

    /// It took so long.
    pub fn on_captured(&mut self, cost: Duration) {
        // Half old, half new: one slow turn is no slow screen.
        self.cost = (self.cost + cost) / 2;
    }

    /// When to poll, `now` or later; `None` until something changes.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if !(self.wanted && self.dirty) {
            return None;
        }
        let interval = (self.cost * SHARE).clamp(SHORTEST, LONGEST);
        Some(self.last.map_or(now, |last| (last + interval).max(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Area = Area { x: 0, y: 0, width: 1920, height: 1080 };

    fn area(x: i32, y: i32, width: i32, height: i32) -> Area {
        Area { x, y, width, height }
    }

    /// Polls each millisecond of `for_ms` and changes something each `every_ms`; gives how many captures there were.
    fn captures(pace: &mut Pace, start: Instant, for_ms: u64, every_ms: Option<u64>, cost: Duration) -> usize {
        let mut captures = 0;
        for ms in 0..for_ms {
            if every_ms.is_some_and(|every| ms % every == 0) {
                pace.on_change(area(0, 0, 10, 10));
            }
            if pace.poll(start + Duration::from_millis(ms)).is_some() {
                pace.on_captured(cost);
                captures += 1;
            }
        }
        captures
    }

    #[test]
    fn what_stands_still_is_captured_once() {
        let (start, mut pace) = (crate::clock::now(), Pace::new((1920, 1080)));
        assert_eq!(pace.poll(start), None, "nobody watches");
        pace.on_wish(true);
        assert_eq!(pace.poll(start), Some(Due { area: ALL }));
        assert_eq!(captures(&mut pace, start, 10_000, None, Duration::ZERO), 0);
        assert_eq!(pace.poll_timeout(start), None);
    }

    #[test]
    fn what_moves_is_captured_thirty_times_a_second_or_as_often_as_it_changes() {
        let check = |every_ms, cost_ms, expect: std::ops::RangeInclusive<usize>| {
            let (start, mut pace) = (crate::clock::now(), Pace::new((1920, 1080)));
            pace.on_wish(true);
            let count = captures(&mut pace, start, 2000, Some(every_ms), Duration::from_millis(cost_ms));
            assert!(expect.contains(&count), "{count} at a change each {every_ms} ms that costs {cost_ms} ms");
        };
        check(1, 2, 58..=60);
        check(16, 2, 40..=60);
        check(100, 2, 20..=20);
        check(1, 20, 32..=36);
        check(1, 500, 10..=12);
    }

    #[test]
    fn parts_that_changed_between_two_captures_are_one() {
        let (start, mut pace) = (crate::clock::now(), Pace::new((1920, 1080)));
        pace.on_wish(true);
        pace.poll(start);
        pace.on_change(area(10, 20, 5, 5));
        pace.on_change(area(100, 10, 5, 5));
        pace.on_change(area(1900, 1070, 500, 500));
        pace.on_change(area(-50, -50, 10, 10));
        let at = pace.poll_timeout(start).expect("dirty");
        assert_eq!(pace.poll(at), Some(Due { area: area(10, 10, 1910, 1070) }));
        pace.on_pointer();
        let at = pace.poll_timeout(start).expect("the pointer moved");
        assert_eq!(pace.poll(at), Some(Due { area: Area::default() }));
    }

    #[test]
    fn who_begins_to_watch_gets_a_picture_at_once_with_all_that_changed_meanwhile() {
        let (start, mut pace) = (crate::clock::now(), Pace::new((1920, 1080)));
        pace.on_wish(true);
        pace.poll(start);
        pace.on_wish(false);
        pace.on_change(area(0, 0, 2, 2));
        assert_eq!(pace.poll(start + Duration::from_secs(9)), None);
        pace.on_wish(true);
        assert_eq!(pace.poll(start), Some(Due { area: area(0, 0, 2, 2) }));
        pace.on_size((640, 480));
        let at = pace.poll_timeout(start).expect("all is new");
        assert_eq!(pace.poll(at), Some(Due { area: area(0, 0, 640, 480) }));
    }

    proptest::proptest! {
        #[test]
        fn any_rectangle_is_borne(numbers in proptest::array::uniform8(proptest::num::i32::ANY)) {
            let [x, y, width, height, other_x, other_y, other_width, other_height] = numbers;
            let (a, b) = (area(x, y, width, height), area(other_x, other_y, other_width, other_height));
            let mut pace = Pace::new((1920, 1080));
            for any in [a, b, a.or(b), a.and(b), a.moved(other_x, other_y)] {
                pace.on_change(any);
            }
            proptest::prop_assert_eq!(pace.area, ALL);
        }
    }
}
