//! Cards, lines and grounds.

use iced::widget::{Container, container, rule, scrollable};
use iced::{Background, Border, Color, Element};

use crate::ui::theme::{Look, PAD, RADIUS};

/// The style of a filled box with a line around it.
pub fn filled(ground: Color, line: Option<Color>, radius: f32) -> container::Style {
    container::Style {
        background: Some(Background::Color(ground)),
        border: Border {
            color: line.unwrap_or(Color::TRANSPARENT),
            width: if line.is_some() { 1.0 } else { 0.0 },
            radius: radius.into(),
        },
        ..Default::default()
    }
}

/// A card around `content`.
pub fn card<'a, Message: 'a>(look: Look, content: impl Into<Element<'a, Message>>) -> Container<'a, Message> {
    let colours = look.colours;
    container(content).padding(PAD).style(move |_| filled(colours.surface, Some(colours.line), RADIUS))
}

/// A box on a card.
pub fn raised<'a, Message: 'a>(look: Look, content: impl Into<Element<'a, Message>>) -> Container<'a, Message> {
    let colours = look.colours;
    container(content).style(move |_| filled(colours.raised, None, RADIUS))
}

/// A line across.
pub fn divider<'a, Message: 'a>(look: Look) -> Element<'a, Message> {
    let colour = look.colours.line;
    rule::horizontal(1)
        .style(move |_| rule::Style { color: colour, radius: 0.0.into(), fill_mode: rule::FillMode::Full, snap: true })
        .into()
}

/// How a scrollable looks: a thin bar without a ground.
pub fn scroller(look: Look) -> impl Fn(&iced::Theme, scrollable::Status) -> scrollable::Style {
    move |theme, status| {
        let c = look.colours;
        let dragged = matches!(status, scrollable::Status::Dragged { .. });
        let scroller = scrollable::Scroller {
            background: Background::Color(if dragged { c.quiet } else { c.line }),
            border: Border { radius: 3.0.into(), ..Border::default() },
        };
        let rail = scrollable::Rail { background: None, border: Border::default(), scroller };
        scrollable::Style {
            container: container::Style::default(),
            vertical_rail: rail,
            horizontal_rail: rail,
            ..scrollable::default(theme, status)
        }
    }
}

/// The bar of a scrollable, as wide as the one of a feed.
pub fn scrollbar() -> scrollable::Scrollbar {
    scrollable::Scrollbar::new().width(6).scroller_width(6).margin(2)
}
