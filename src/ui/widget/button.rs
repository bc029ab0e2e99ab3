//! Buttons by what they mean. All can be reached by Tab and pressed by Enter or Space.

use iced::widget::{button, center, column, container, row, tooltip};
use iced::{Alignment, Background, Border, Color, Element, Length};

use super::card::filled;
use super::focus::Focus;
use super::label::{label, quiet};
use crate::ui::icon::Icon;
use crate::ui::theme::{CONTROL, CONTROL_SMALL, HALF, Look, MEDIUM, PAD, RADIUS, ROUND, Size};

/// What pressing means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The one thing to do next.
    Primary,
    /// Anything else.
    Plain,
    /// Without a box until the mouse is over it.
    Quiet,
    /// What is chosen among several.
    Chosen,
    /// Leaving, and danger.
    Danger,
}

/// The style of a button whose content is put together elsewhere.
pub fn style(look: Look, kind: Kind) -> impl Fn(&iced::Theme, button::Status) -> button::Style {
    rounded(look, kind, RADIUS)
}

fn rounded(look: Look, kind: Kind, radius: f32) -> impl Fn(&iced::Theme, button::Status) -> button::Style {
    move |_, status| {
        let c = look.colours;
        let (ground, text, line) = match kind {
            Kind::Primary => (c.accent, c.on_accent, None),
            Kind::Plain => (c.raised, c.text, Some(c.line)),
            Kind::Quiet => (Color::TRANSPARENT, c.text, None),
            Kind::Chosen => (c.accent_ground, c.text, None),
            Kind::Danger => (c.danger, c.on_danger, None),
        };
        let over = matches!(status, button::Status::Hovered | button::Status::Pressed);
        let ground = match (kind, over) {
            (Kind::Quiet, true) => c.raised,
            (Kind::Plain, true) => c.line,
            (_, true) => Color { a: 0.88, ..ground },
            (_, false) => ground,
        };
        let off = status == button::Status::Disabled;
        // In high contrast a line is white: it would hide white words under the mouse.
        let text = if over && kind == Kind::Plain && c.line == c.text { c.ground } else { text };
        button::Style {
            background: Some(Background::Color(if off { c.raised } else { ground })),
            text_color: if off { c.quiet } else { text },
            border: Border {
                color: line.unwrap_or(Color::TRANSPARENT),
                width: if line.is_some() { 1.0 } else { 0.0 },
                radius: radius.into(),
            },
            ..Default::default()
        }
    }
}

/// A button on its way: `on_press` makes it live, `into` an element.
#[allow(missing_debug_implementations, reason = "it may hold a message, which may have none")]
pub struct Button<Message> {
    look: Look,
    kind: Kind,
    icon: Option<Icon>,
    words: Option<String>,
    tip: Option<String>,
    beside: bool,
    small: bool,
    wide: bool,
    left: bool,
    id: Option<iced::widget::Id>,
    press: Option<Message>,
}

/// A button with words.
pub fn with_words<Message>(look: Look, kind: Kind, words: impl Into<String>) -> Button<Message> {
    let words = Some(words.into());
    Button {
        look,
        kind,
        icon: None,
        words,
        tip: None,
        beside: false,
        small: false,
        wide: false,
        left: false,
        id: None,
        press: None,
    }
}

/// A button with an icon alone; `tip` says in words what it does.
pub fn with_icon<Message>(look: Look, kind: Kind, icon: Icon, tip: impl Into<String>) -> Button<Message> {
    let tip = Some(tip.into());
    Button {
        look,
        kind,
        icon: Some(icon),
        words: None,
        tip,
        beside: false,
        small: false,
        wide: false,
        left: false,
        id: None,
        press: None,
    }
}

impl<Message: Clone> Button<Message> {
    /// An icon before the words.
    #[must_use]
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// Less high, for lists.
    #[must_use]
    pub fn small(mut self) -> Self {
        self.small = true;
        self
    }

    /// As wide as there is room.
    #[must_use]
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// With its words at the left, for lists of places to go to.
    #[must_use]
    pub fn left(mut self) -> Self {
        self.left = true;
        self
    }

    /// The name by which tests and `focus` find it.
    #[must_use]
    pub fn id(mut self, id: impl Into<iced::widget::Id>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Says in words what it does, under the mouse.
    #[must_use]
    pub fn tip(mut self, tip: impl Into<String>) -> Self {
        self.tip = Some(tip.into());
        self
    }

    /// What pressing does. Without it the button is off.
    #[must_use]
    pub fn on_press(mut self, message: Message) -> Self {
        self.press = Some(message);
        self
    }

    /// Its words come at its right: what stands below it stays in sight.
    #[must_use]
    pub fn tip_beside(mut self) -> Self {
        self.beside = true;
        self
    }

    /// The same, when there is something.
    #[must_use]
    pub fn on_press_maybe(mut self, message: Option<Message>) -> Self {
        self.press = message;
        self
    }
}

impl<'a, Message: Clone + 'a> From<Button<Message>> for Element<'a, Message> {
    fn from(b: Button<Message>) -> Self {
        let look = b.look;
        let height = look.scaled(if b.small { CONTROL_SMALL } else { CONTROL });
        let icon = b.icon.map(|icon| icon.view(look, Size::Large));
        let alone = b.words.is_none();
        // No colour of its own: the style's follows the mouse.
        let words = b.words.map(|words| iced::widget::text(words).size(look.size(Size::Body)).font(MEDIUM));
        let inside = row![icon, words].spacing(8).align_y(Alignment::Center);
        let body = container(inside).center_y(Length::Fill);
        let body = if (b.wide && !b.left) || alone { body.center_x(Length::Fill) } else { body };
        let mut button = button(body).height(height).style(style(look, b.kind)).on_press_maybe(b.press.clone());
        button = if alone {
            button.width(height).padding(0)
        } else {
            button.padding([0.0, if b.small { 12.0 } else { PAD }])
        };
        if b.wide {
            button = button.width(Length::Fill);
        }
        let mut focus = Focus::new(look, button).on_activate(b.press);
        if let Some(id) = b.id {
            focus = focus.id(id);
        }
        tip_at(look, focus, b.tip, if b.beside { tooltip::Position::Right } else { tooltip::Position::Bottom })
    }
}

/// `content` with words under the mouse.
pub fn with_tip<'a, Message: 'a>(
    look: Look,
    content: impl Into<Element<'a, Message>>,
    tip: Option<String>,
) -> Element<'a, Message> {
    tip_at(look, content, tip, tooltip::Position::Bottom)
}

/// The same with the words above it.
pub fn with_tip_above<'a, Message: 'a>(
    look: Look,
    content: impl Into<Element<'a, Message>>,
    tip: String,
) -> Element<'a, Message> {
    tip_at(look, content, Some(tip), tooltip::Position::Top)
}

fn tip_at<'a, Message: 'a>(
    look: Look,
    content: impl Into<Element<'a, Message>>,
    tip: Option<String>,
    position: tooltip::Position,
) -> Element<'a, Message> {
    let Some(tip) = tip else { return content.into() };
    let colours = look.colours;
    let words = container(label(look, tip).size(look.size(Size::Small)))
        .padding([HALF, 8.0])
        .style(move |_| filled(colours.raised, Some(colours.line), HALF));
    tooltip(content, words, position).gap(4).into()
}

/// A round button of the control bar, with its word below.
pub fn round<'a, Message: Clone + 'a>(
    look: Look,
    kind: Kind,
    icon: Icon,
    words: &str,
    id: &'static str,
    press: Option<Message>,
) -> Element<'a, Message> {
    let size = ROUND;
    let button = button(center(icon.view(look, Size::Large)))
        .width(size)
        .height(size)
        .padding(0)
        .style(rounded(look, kind, size / 2.0))
        .on_press_maybe(press.clone());
    let focus = Focus::new(look, button).radius(size / 2.0).id(id).on_activate(press);
    column![focus, quiet(look, words.to_owned())].spacing(6).align_x(Alignment::Center).into()
}
