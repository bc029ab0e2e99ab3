//! One line of text that ends in … where there is no room for all of it, measured with the font that it is drawn with.

use iced::advanced::text::paragraph::Plain;
use iced::advanced::text::{self, LineHeight, Paragraph as _, Shaping, Wrapping};
use iced::advanced::widget::{Operation, Tree, text as drawing, tree};
use iced::advanced::{Layout, Renderer as _, Widget, layout, renderer};
use iced::{Color, Element, Font, Length, Pixels, Rectangle, Size, Theme, mouse};

use crate::ui::theme::{self, Look};

type Paragraph = <iced::Renderer as text::Renderer>::Paragraph;

/// A name, a title: whatever somebody else may have made long.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    words: &'a str,
    size: Pixels,
    font: Font,
    colour: Color,
}

/// Text of the usual size and colour.
pub fn line<'a>(look: Look, words: &'a str) -> Line<'a> {
    Line { words, size: look.size(theme::Size::Body), font: theme::REGULAR, colour: look.colours.text }
}

impl Line<'_> {
    /// Another size.
    #[must_use]
    pub fn size(mut self, size: Pixels) -> Self {
        self.size = size;
        self
    }

    /// Another weight.
    #[must_use]
    pub fn font(mut self, font: Font) -> Self {
        self.font = font;
        self
    }

    /// Another colour.
    #[must_use]
    pub fn color(mut self, colour: Color) -> Self {
        self.colour = colour;
        self
    }

    fn text<'t>(&self, content: &'t str) -> text::Text<&'t str, Font> {
        text::Text {
            content,
            bounds: Size::INFINITE,
            size: self.size,
            line_height: LineHeight::default(),
            font: self.font,
            align_x: text::Alignment::Default,
            align_y: iced::alignment::Vertical::Top,
            shaping: Shaping::Advanced,
            wrapping: Wrapping::None,
        }
    }

    /// As much of the words as `width` holds, with dots.
    fn fitted(&self, width: f32) -> String {
        let cut = |characters: usize| {
            let part: String = self.words.chars().take(characters).collect();
            format!("{}…", part.trim_end())
        };
        // The most characters that fit; none is the least.
        let (mut fits, mut beyond) = (0, self.words.chars().count());
        while fits + 1 < beyond {
            let middle = fits.midpoint(beyond);
            if Paragraph::with_text(self.text(&cut(middle))).min_width() <= width {
                fits = middle
            } else {
                beyond = middle
            }
        }
        cut(fits)
    }
}

#[derive(Default)]
struct State {
    shown: Plain<Paragraph>,
    // For which words, size and width it was fitted.
    fitted: Option<(String, Pixels, f32)>,
}

impl<Message> Widget<Message, Theme, iced::Renderer> for Line<'_> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State::default())
    }

    fn size(&self) -> Size<Length> {
        Size::new(Length::Shrink, Length::Shrink)
    }

    fn layout(&mut self, tree: &mut Tree, _: &iced::Renderer, limits: &layout::Limits) -> layout::Node {
        let state = tree.state.downcast_mut::<State>();
        layout::sized(limits, Length::Shrink, Length::Shrink, |limits| {
            let width = limits.max().width;
            let same = state.fitted.as_ref().is_some_and(|(words, size, wide)| {
                words == self.words && *size == self.size && (*wide - width).abs() < f32::EPSILON
            });
            if !same {
                state.shown.update(self.text(self.words));
                if state.shown.min_width() > width {
                    state.shown.update(self.text(&self.fitted(width)));
                }
                state.fitted = Some((self.words.to_owned(), self.size, width));
            }
            state.shown.min_bounds()
        })
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut iced::Renderer,
        _: &Theme,
        style: &renderer::Style,
        layout: Layout<'_>,
        _: mouse::Cursor,
        viewport: &Rectangle,
    ) {
        let state = tree.state.downcast_ref::<State>();
        let colour = drawing::Style { color: Some(self.colour) };
        // What is too long even for its dots is cut off.
        let bounds = layout.bounds();
        let Some(clip) = bounds.intersection(viewport) else { return };
        if state.shown.min_width() > bounds.width + 0.5 {
            renderer.with_layer(clip, |renderer| {
                drawing::draw(renderer, style, bounds, state.shown.raw(), colour, &clip);
            });
        } else {
            drawing::draw(renderer, style, bounds, state.shown.raw(), colour, viewport);
        }
    }

    fn operate(&mut self, _: &mut Tree, layout: Layout<'_>, _: &iced::Renderer, operation: &mut dyn Operation) {
        operation.text(None, layout.bounds(), self.words);
    }
}

impl<'a, Message: 'a> From<Line<'a>> for Element<'a, Message> {
    fn from(line: Line<'a>) -> Self {
        Self::new(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_end_in_dots_where_there_is_no_room() {
        let words = "Elisabeth Bartholomew-Featherstonehaugh";
        let long = line(Look::default(), words);
        let width = |words: &str| Paragraph::with_text(long.text(words)).min_width();
        let short = long.fitted(width(words) / 2.0);
        assert!(short.ends_with('…') && short.len() > 10 && words.starts_with(short.trim_end_matches('…')), "{short}");
        assert!(width(&short) <= width(words) / 2.0);
        assert_eq!(long.fitted(0.0), "…");
    }
}
