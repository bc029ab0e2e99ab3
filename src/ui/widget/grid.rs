//! Sans-IO. Where the tiles of a stage stand. A function of sizes alone, so that a test can try them all: no tile lies
//! over another or outside, whatever the window.

use iced::{Point, Rectangle, Size};

/// Space between tiles.
pub const GAP: f32 = 12.0;
/// The shape of most pictures.
const PICTURE: f32 = 16.0 / 9.0;
/// A tile is at most this much wider than high ..
const WIDEST: f32 = 2.1;
/// .. and at least this much.
const NARROWEST: f32 = 1.2;
/// Width of the small tiles beside a large one, as a part of the stage, and its bounds.
const STRIP: (f32, f32, f32) = (0.2, 112.0, 320.0);

/// How a stage is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrangement {
    /// All tiles have one size.
    Even,
    /// The first is large, the others stand beside or below it as far as there is room.
    Featured,
}

/// Where tiles stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Arranged {
    /// The tiles that have a place, in order. Fewer than asked for when there is no room.
    pub places: Vec<Rectangle>,
    /// Where it says how many have none.
    pub more: Option<Rectangle>,
}

/// Lays `count` tiles out on a stage of `area`.
pub fn arrange(area: Size, count: usize, arrangement: Arrangement) -> Arranged {
    if count == 0 || area.width < 1.0 || area.height < 1.0 {
        return Arranged { places: Vec::new(), more: None };
    }
    match arrangement {
        Arrangement::Featured if count > 1 => featured(area, count),
        _ => Arranged { places: even(area, count), more: None },
    }
}

fn number(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}

/// Width and height of one of `count` equal parts of `length` with gaps between.
fn part(length: f32, count: usize) -> f32 {
    ((length - GAP * (number(count) - 1.0)) / number(count)).max(1.0)
}

/// The cell that shows the most of a picture.
fn even(area: Size, count: usize) -> Vec<Rectangle> {
    let mut best = (0.0, 1, Size::new(1.0, 1.0));
    for columns in 1..=count {
        let rows = count.div_ceil(columns);
        let cell = shaped(Size::new(part(area.width, columns), part(area.height, rows)));
        // The picture as it fits whole into the cell.
        let seen = cell.width.min(cell.height * PICTURE);
        if seen > best.0 {
            best = (seen, columns, cell);
        }
    }
    let (_, columns, cell) = best;
    let rows = count.div_ceil(columns);
    let high = number(rows) * cell.height + GAP * (number(rows) - 1.0);
    let top = ((area.height - high) / 2.0).max(0.0);
    let mut places = Vec::with_capacity(count);
    for row in 0..rows {
        let here = columns.min(count - row * columns);
        let wide = number(here) * cell.width + GAP * (number(here) - 1.0);
        let left = ((area.width - wide) / 2.0).max(0.0);
        for column in 0..here {
            let x = left + number(column) * (cell.width + GAP);
            let y = top + number(row) * (cell.height + GAP);
            places.push(Rectangle::new(
                Point::new(x.floor(), y.floor()),
                Size::new(cell.width.floor(), cell.height.floor()),
            ));
        }
    }
    places
}

/// The largest part of `cell` whose shape suits a picture.
fn shaped(cell: Size) -> Size {
    let width = cell.width.min(cell.height * WIDEST);
    let height = cell.height.min(width / NARROWEST);
    Size::new(width, height)
}

/// The first large, the others in a strip: at the right of a wide stage, below on a high one.
fn featured(area: Size, count: usize) -> Arranged {
    let beside = area.width > area.height * 1.1;
    let (share, least, most) = STRIP;
    let long = if beside { area.height } else { area.width };
    let width = (area.width * share).clamp(least, most).min(area.width / 3.0);
    let small = if beside { Size::new(width, width / PICTURE) } else { Size::new(width * 1.2, width * 1.2 / PICTURE) };
    let each = if beside { small.height } else { small.width };
    // As many as there is room for; what is left over is told of in the last place.
    let others = count - 1;
    let mut room = 1;
    while room < others && number(room + 1) * (each + GAP) - GAP <= long {
        room += 1;
    }
    let (shown, more) = if others > room { (room - 1, true) } else { (others, false) };
    let main = if beside {
        Size::new(area.width - small.width - GAP, area.height)
    } else {
        Size::new(area.width, area.height - small.height - GAP)
    };
    let main = Size::new(main.width.floor().max(1.0), main.height.floor().max(1.0));
    let strip = number(shown + usize::from(more)) * (each + GAP) - GAP;
    let start = ((long - strip) / 2.0).max(0.0);
    let slot = |at: usize| {
        let along = start + number(at) * (each + GAP);
        let point = if beside { Point::new(main.width + GAP, along) } else { Point::new(along, main.height + GAP) };
        Rectangle::new(
            Point::new(point.x.floor(), point.y.floor()),
            Size::new(small.width.floor(), small.height.floor()),
        )
    };
    let mut places = vec![Rectangle::new(Point::ORIGIN, main)];
    places.extend((0..shown).map(slot));
    Arranged { places, more: more.then(|| slot(shown)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stages of windows from 800x600 to 4K, with and without panel, at normal and double text size.
    const STAGES: [(f32, f32); 10] = [
        (776.0, 440.0),
        (456.0, 440.0),
        (776.0, 360.0),
        (936.0, 640.0),
        (1256.0, 640.0),
        (1576.0, 880.0),
        (3496.0, 2000.0),
        (3816.0, 2000.0),
        (3176.0, 1900.0),
        (600.0, 1800.0),
    ];

    fn check(area: Size, all: &[Rectangle]) {
        for (at, place) in all.iter().enumerate() {
            let inside = place.x >= 0.0
                && place.y >= 0.0
                && place.x + place.width <= area.width + 0.01
                && place.y + place.height <= area.height + 0.01;
            assert!(inside, "{place:?} of {} in {area:?}", all.len());
            assert!(place.width >= 40.0 && place.height >= 30.0, "{place:?} of {} in {area:?}", all.len());
            for other in &all[at + 1..] {
                let common = place.intersection(other).filter(|c| c.width > 0.0 && c.height > 0.0);
                assert_eq!(common, None, "{place:?} and {other:?} in {area:?}");
            }
        }
    }

    #[test]
    fn no_tile_lies_over_another_or_outside() {
        for (width, height) in STAGES {
            let area = Size::new(width, height);
            for count in 1..=50 {
                let even = arrange(area, count, Arrangement::Even);
                assert_eq!((even.places.len(), even.more), (count, None));
                check(area, &even.places);
                let size = even.places[0].size();
                assert!(even.places.iter().all(|place| place.size() == size), "one size");
                let featured = arrange(area, count, Arrangement::Featured);
                let all: Vec<Rectangle> = featured.places.iter().copied().chain(featured.more).collect();
                check(area, &all);
                assert_eq!(featured.more.is_some(), featured.places.len() < count);
            }
        }
    }

    #[test]
    fn four_people_stand_two_by_two() {
        let places = arrange(Size::new(936.0, 640.0), 4, Arrangement::Even).places;
        assert_eq!(places[0].y, places[1].y);
        assert_eq!(places[0].x, places[2].x);
        assert_eq!(places[2].y, places[3].y);
    }

    #[test]
    fn the_last_row_stands_in_the_middle() {
        for area in [Size::new(1200.0, 700.0), Size::new(1800.0, 600.0)] {
            let last = arrange(area, 5, Arrangement::Even).places[4];
            let first = arrange(area, 5, Arrangement::Even).places.into_iter().find(|place| place.y >= last.y);
            let left = first.expect("a row").x;
            assert!((left - (area.width - last.x - last.width)).abs() <= 2.0, "{left} {last:?}");
        }
    }

    #[test]
    fn who_is_featured_is_the_largest() {
        let area = Size::new(936.0, 640.0);
        let places = arrange(area, 6, Arrangement::Featured).places;
        assert!(places[1..].iter().all(|place| place.area() * 4.0 < places[0].area()));
        assert_eq!(arrange(area, 1, Arrangement::Featured), arrange(area, 1, Arrangement::Even));
    }
}
