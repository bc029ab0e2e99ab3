//! Lines over time. Drawn anew only when a second came, the size or the look changed; all other frames use what was
//! drawn before.

use std::cell::Cell;

use iced::widget::canvas::{self, Canvas, Frame, Geometry, LineDash, Path, Stroke, Text};
use iced::widget::text::Alignment;
use iced::{Color, Element, Length, Point, Rectangle, Renderer, Theme, alignment, mouse};

use crate::ui::model::traffic::SECONDS;
use crate::ui::text::stats as text;
use crate::ui::theme::{Look, REGULAR, Size};

/// Lines across, at most.
const STEPS: u64 = 3;

/// One line: its colour, and its values, the oldest first, the last one now.
#[allow(missing_debug_implementations, reason = "it holds a closure, which has none")]
pub struct Line<'a> {
    /// Its colour.
    pub colour: Color,
    /// At most [`SECONDS`] values; asked for only when it is drawn.
    pub values: Box<dyn Fn() -> Vec<u64> + 'a>,
}

struct Chart<'a> {
    look: Look,
    version: u64,
    lines: Vec<Line<'a>>,
}

/// A graph of bits a second over the last five minutes. `version` says whether it must be drawn anew.
pub fn chart<'a, Message: 'a>(look: Look, version: u64, lines: Vec<Line<'a>>, height: f32) -> Element<'a, Message> {
    Canvas::new(Chart { look, version, lines }).width(Length::Fill).height(height).into()
}

/// What was drawn.
#[derive(Debug, Default)]
struct Drawn {
    cache: canvas::Cache,
    of: Cell<Option<(u64, Look)>>,
}

/// A step between lines across: 1, 2 or 5 times a power of ten, so that [`STEPS`] of them hold `most`.
fn step(most: u64) -> u64 {
    let least = most.div_ceil(STEPS).max(1);
    let mut power: u64 = 1000;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if step >= least || step == u64::MAX {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "pixels need few digits")]
fn share(value: u64, of: u64) -> f32 {
    (value as f64 / of.max(1) as f64) as f32
}

impl Chart<'_> {
    fn paint(&self, frame: &mut Frame) {
        let look = self.look;
        let c = look.colours;
        let size = look.size(Size::Small);
        let words = |content: String, at: Point, align_x: Alignment, align_y: alignment::Vertical| Text {
            content,
            position: at,
            color: c.quiet,
            size,
            font: REGULAR,
            align_x,
            align_y,
            ..Text::default()
        };
        // Room for the units at the left and the time below.
        let (left, foot) = (size.0 * 5.5, size.0 * 1.6);
        let (width, top, bottom) = (frame.width() - left, size.0, frame.height() - foot);
        if bottom <= top || width <= 0.0 {
            return;
        }
        let values: Vec<(Color, Vec<u64>)> = self.lines.iter().map(|line| (line.colour, (line.values)())).collect();
        let most = values.iter().flat_map(|(_, values)| values.iter().copied()).max().unwrap_or(0);
        let step = step(most.max(1));
        let scale = most.max(1).div_ceil(step).saturating_mul(step);
        let y = |value: u64| bottom - (bottom - top) * share(value.min(scale), scale);
        for line in 0..=scale / step {
            let value = step * line;
            let height = y(value).round() + 0.5;
            let across = Path::line(Point::new(left, height), Point::new(left + width, height));
            frame.stroke(&across, Stroke::default().with_color(c.line).with_width(1.0));
            let at = Point::new(left - size.0 * 0.5, height);
            frame.fill_text(words(text::rate(value), at, Alignment::Right, alignment::Vertical::Center));
        }
        let foot = bottom + size.0 * 0.3;
        let (old, now) = (text::FIVE_MINUTES.to_owned(), text::NOW.to_owned());
        frame.fill_text(words(old, Point::new(left, foot), Alignment::Left, alignment::Vertical::Top));
        frame.fill_text(words(now, Point::new(left + width, foot), Alignment::Right, alignment::Vertical::Top));
        for (colour, values) in values {
            let first = SECONDS.saturating_sub(values.len());
            let x = |index: usize| left + width * share((first + index) as u64, SECONDS as u64 - 1);
            let path = Path::new(|path| {
                for (index, value) in values.iter().enumerate() {
                    let at = Point::new(x(index), y(*value));
                    if index == 0 { path.move_to(at) } else { path.line_to(at) }
                }
            });
            let stroke = Stroke::default().with_color(colour).with_width(2.0);
            frame
                .stroke(&path, Stroke { line_dash: LineDash::default(), line_join: canvas::LineJoin::Round, ..stroke });
        }
    }
}

impl<Message> canvas::Program<Message> for Chart<'_> {
    type State = Drawn;

    fn draw(
        &self,
        drawn: &Drawn,
        renderer: &Renderer,
        _theme: &Theme,
        bounds: Rectangle,
        _cursor: mouse::Cursor,
    ) -> Vec<Geometry> {
        let of = Some((self.version, self.look));
        if drawn.of.get() != of {
            drawn.of.set(of);
            drawn.cache.clear();
        }
        vec![drawn.cache.draw(renderer, bounds.size(), |frame| self.paint(frame))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        let check = |most: u64, expect: u64| assert_eq!(step(most), expect, "{most}");
        check(0, 1_000);
        check(2_500, 1_000);
        check(3_100, 2_000);
        check(6_100_000, 5_000_000);
        check(980_000_000, 500_000_000);
        for most in [1, 999, 40_000, 123_456_789, u64::MAX / 2, u64::MAX] {
            assert!(most.div_ceil(step(most)) <= STEPS, "{most}");
        }
    }
}
