//! Files in the lobby: the card to drop them on, and those on their way.

use iced::widget::{Column, column, row};
use iced::{Alignment, Element, Length};

use super::Message;
use crate::meeting::Direction;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::transfers::Transfer;
use crate::ui::panel::transfer;
use crate::ui::text::{files, lobby as words};
use crate::ui::theme::{GRID, HALF, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::label::section;
use crate::ui::widget::{card, quiet, strong};

/// Transfers shown; the newest.
const MOST: usize = 8;

/// The sections that have something to show.
pub fn view<'a>(context: Context<'a>) -> Vec<Element<'a, Message>> {
    let look = context.look;
    let mut parts = Vec::new();
    let all = context.model.transfers.all();
    if !all.is_empty() {
        let rows = all.iter().rev().take(MOST).map(|one| {
            let whose = match one.direction {
                Direction::In => files::from(one.person.name.as_str()),
                Direction::Out => files::to(one.person.name.as_str()),
            };
            transfer::one(look, one, Some(whose)).map(Message::Transfer)
        });
        let over = all.iter().any(Transfer::is_over).then(|| {
            Element::from(
                button::with_words(look, Kind::Quiet, words::CLEAR).small().id("clear-files").on_press(Message::Clear),
            )
        });
        let head = row![section(look, words::FILES).width(Length::Fill), over].align_y(Alignment::Center);
        parts.push(column![head, Column::with_children(rows).spacing(GRID)].spacing(GRID).into());
    }
    if !context.model.nearby.people.is_empty() {
        let icon = Icon::DropFile.coloured(look, Size::Title, look.colours.quiet);
        let what = column![strong(look, words::DROP_HERE), quiet(look, words::DROP_HOW)].spacing(HALF);
        let choose = button::with_words(look, Kind::Plain, words::CHOOSE_FILES)
            .small()
            .id("choose-files")
            .on_press(Message::Drop(Vec::new()));
        let inside = row![icon, what.width(Length::Fill), choose].spacing(PAD).align_y(Alignment::Center);
        parts.push(card(look, inside).width(Length::Fill).into());
    }
    parts
}
