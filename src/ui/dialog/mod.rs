//! What lies over a screen and wants an answer. One file a dialog; this one holds them together.

use std::path::PathBuf;

use iced::widget::{Id, center, column, container, mouse_area, opaque, row, scrollable};
use iced::{Alignment, Color, Element, Length};

use super::action::Action;
use super::app::Context;
use super::choices::Choices;
use super::icon::Icon;
use super::keys;
use super::model::Model;
use super::text;
use super::theme::{GAP, Look, PAD};
use super::widget::button::{self, Kind};
use super::widget::{card, label, strong, title};

/// An open dialog.
#[derive(Debug, Clone)]
pub enum Dialog {
    /// All shortcuts.
    Shortcuts,
}

/// What was done in the dialog on top.
#[derive(Debug, Clone)]
pub enum Message {
    /// Its cross, or the ground beside it.
    Close,
}

/// Asks before a link is followed.
pub fn open_link(_link: &str) -> Action {
    Action::None
}

/// Asks who is to get these files.
pub fn send_to_whom(_paths: Vec<PathBuf>) -> Action {
    Action::None
}

impl Dialog {
    /// Opening this one closes `other`.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Esc closes it; what needs an answer does not close so.
    pub fn closes_by_escape(&self) -> bool {
        true
    }

    /// What has the keyboard at first.
    pub fn first_focus(&self) -> Option<Id> {
        None
    }

    /// One thing that was done in it.
    pub fn update(&mut self, message: Message, _model: &Model, _choices: &Choices) -> Action {
        match message {
            Message::Close => Action::Close,
        }
    }

    /// The dialog on a darkened ground.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let (name, body) = match self {
            Self::Shortcuts => (text::SHORTCUTS, shortcuts(look)),
        };
        frame(context, name, body)
    }
}

/// A card in the middle with a title and a cross.
fn frame<'a>(context: Context<'a>, name: &'a str, body: Element<'a, Message>) -> Element<'a, Message> {
    let look = context.look;
    let close =
        button::with_icon(look, Kind::Quiet, Icon::Close, text::CLOSE).small().id("close").on_press(Message::Close);
    let head = row![title(look, name).width(Length::Fill), close].align_y(Alignment::Center);
    let inside = column![head, scrollable(body)].spacing(PAD);
    let box_ = card(look, inside).padding(GAP).width(look.scaled(480.0).min(context.size.width - GAP));
    let box_ = box_.max_height(context.size.height - GAP);
    let dark = Color { a: 0.6, ..Color::BLACK };
    let ground = mouse_area(
        center(opaque(box_)).style(move |_| container::Style { background: Some(dark.into()), ..Default::default() }),
    )
    .on_press(Message::Close);
    opaque(ground)
}

fn shortcuts<'a>(look: Look) -> Element<'a, Message> {
    let lines = keys::SHEET
        .iter()
        .map(|(key, does)| row![strong(look, *key).width(look.scaled(96.0)), label(look, *does)].spacing(PAD).into());
    column(lines).spacing(8).into()
}
