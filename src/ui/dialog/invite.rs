//! The invitation to the meeting that we are in: link, picture of it, and a short text for people on this network.

use std::sync::Arc;

use iced::widget::{column, container, qr_code, row};
use iced::{Alignment, Background, Border, Element, Length};

use super::words;
use crate::invite;
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::theme::{GAP, GRID, HALF, Look, QR, RADIUS};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::raised;
use crate::ui::widget::label::section;
use crate::ui::widget::line::line as line_of;
use crate::ui::widget::{label, quiet};

/// The button that copies the link.
pub const COPY_LINK: &str = "copy-link";

/// An invitation, ready to be shown.
#[derive(Debug, Clone)]
pub struct Invite {
    link: String,
    code: String,
    // Made once: it is a picture of the link. None when the link is too long for one.
    picture: Option<Arc<qr_code::Data>>,
}

/// What was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The link to the clipboard.
    CopyLink,
    /// The code to the clipboard.
    CopyCode,
}

impl Invite {
    /// Makes the texts and the picture.
    pub fn new(invite: &invite::Invite) -> Self {
        let link = invite.to_string();
        let picture = qr_code::Data::with_error_correction(&link, qr_code::ErrorCorrection::Low).ok().map(Arc::new);
        Self { link, code: invite.short(), picture }
    }

    /// The link.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// One thing that was done.
    pub fn update(&mut self, message: &Message) -> Action {
        match message {
            Message::CopyLink => Action::Copy(self.link.clone(), words::LINK_COPIED),
            Message::CopyCode => Action::Copy(self.code.clone(), words::CODE_COPIED),
        }
    }

    /// The picture of the dialog.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        self.card(context.look)
    }

    /// All of it, for the stage of somebody who is alone, too.
    pub fn card<'a>(&'a self, look: Look) -> Element<'a, Message> {
        let line = |name: &'static str, text: Element<'a, Message>, id: &'static str, message: Message| {
            let copy =
                button::with_words(look, Kind::Plain, words::COPY).icon(Icon::Copy).small().id(id).on_press(message);
            let text = raised(look, text).padding([GRID, GRID + HALF]).width(Length::Fill);
            let row = row![text, copy].spacing(GRID).align_y(Alignment::Center);
            column![section(look, name), row].spacing(HALF)
        };
        let picture = self.picture.as_deref().map(|data| {
            // Dark on light in every theme: that is what cameras read.
            let code = qr_code(data)
                .total_size(QR)
                .style(|_| qr_code::Style { cell: iced::Color::BLACK, background: iced::Color::WHITE });
            let code = container(code).padding(GRID).style(|_| container::Style {
                background: Some(Background::Color(iced::Color::WHITE)),
                border: Border { radius: RADIUS.into(), ..Border::default() },
                ..Default::default()
            });
            let both = column![code, quiet(look, words::SCAN)].spacing(HALF).align_x(Alignment::Center);
            container(both).center_x(Length::Fill)
        });
        // Nobody reads a link: its beginning tells which it is. A code is read aloud, to its end.
        let link = line(words::LINK, line_of(look, &self.link).into(), COPY_LINK, Message::CopyLink);
        let whole = label(look, self.code.as_str()).wrapping(iced::widget::text::Wrapping::WordOrGlyph);
        let code = line(words::CODE, whole.into(), "copy-code", Message::CopyCode);
        column![quiet(look, words::INVITE_HOW), picture, link, code].spacing(GAP - GRID).into()
    }
}
