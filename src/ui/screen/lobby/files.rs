//! Files in the lobby: the card to drop them on, and those on their way.

use iced::widget::{Column, column, progress_bar, row};
use iced::{Alignment, Background, Border, Element, Length};

use super::Message;
use crate::meeting::{Command, Direction, FileStage};
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::transfers::Transfer;
use crate::ui::text::{self, lobby as words};
use crate::ui::theme::{GRID, HALF, Look, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::label::{section, shortened};
use crate::ui::widget::{card, divider, quiet, strong};

/// Transfers shown; the newest.
const MOST: usize = 8;

/// The sections that have something to show.
pub fn view<'a>(context: Context<'a>) -> Vec<Element<'a, Message>> {
    let look = context.look;
    let mut parts = Vec::new();
    let all = context.model.transfers.all();
    if !all.is_empty() {
        let mut rows: Vec<Element<'a, Message>> = Vec::new();
        for transfer in all.iter().rev().take(MOST) {
            if !rows.is_empty() {
                rows.push(divider(look));
            }
            rows.push(line(look, transfer));
        }
        let over = all.iter().any(Transfer::is_over).then(|| {
            Element::from(
                button::with_words(look, Kind::Quiet, words::CLEAR).small().id("clear-files").on_press(Message::Clear),
            )
        });
        let head = row![section(look, words::FILES).width(Length::Fill), over].align_y(Alignment::Center);
        let list = card(look, Column::with_children(rows).spacing(GRID)).padding([GRID, PAD]).width(Length::Fill);
        parts.push(column![head, list].spacing(GRID).into());
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

fn line<'a>(look: Look, transfer: &'a Transfer) -> Element<'a, Message> {
    let id = transfer.id;
    let icon = if transfer.direction == Direction::In { Icon::Received } else { Icon::Sent };
    let name = strong(look, shortened(&transfer.file, 60));
    let about = quiet(look, words::transfer(transfer));
    let running = matches!(transfer.stage, FileStage::Accepted | FileStage::Progress { .. });
    let bar = running.then(|| {
        let c = look.colours;
        progress_bar(0.0..=1.0, transfer.part()).girth(HALF).style(move |_| progress_bar::Style {
            background: Background::Color(c.raised),
            bar: Background::Color(c.accent),
            border: Border { radius: (HALF / 2.0).into(), ..Border::default() },
        })
    });
    let press = |words: &str, kind: Kind, name: &str, message: Message| {
        Element::from(button::with_words(look, kind, words).small().id(format!("{name}-{id}")).on_press(message))
    };
    let does = if transfer.asks() {
        vec![
            press(words::DECLINE, Kind::Plain, "decline", Message::Engine(Command::DeclineFile(id))),
            press(text::ACCEPT, Kind::Primary, "accept", Message::Engine(Command::AcceptFile(id))),
        ]
    } else if let (Some(path), Direction::In) = (transfer.path(), transfer.direction) {
        vec![press(text::OPEN_FOLDER, Kind::Plain, "folder", Message::Reveal(path.clone()))]
    } else if transfer.is_over() {
        Vec::new()
    } else {
        vec![press(words::CANCEL, Kind::Plain, "cancel", Message::Engine(Command::CancelFile(id)))]
    };
    let does = iced::widget::Row::with_children(does).spacing(GRID);
    let icon = icon.coloured(look, Size::Large, look.colours.quiet);
    let what = column![name, about, bar].spacing(HALF).width(Length::Fill);
    row![icon, what, does].spacing(PAD).align_y(Alignment::Center).into()
}
