//! The check of network and devices: what was looked at, what was found, what to do.

use iced::Element;
use iced::widget::{Column, column};

use super::words;
use crate::engine::doctor::Check;
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::{Checkup, Model};
use crate::ui::text::{lobby, warning};
use crate::ui::theme::{GAP, GRID};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::checks::checks;
use crate::ui::widget::label::section;
use crate::ui::widget::{label, quiet};

/// Most warnings that are listed, the newest first.
const SHOWN: usize = 6;

/// What was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Look again.
    Again,
    /// The findings to the clipboard.
    Copy,
}

/// One thing that was done.
pub fn update(message: &Message, model: &Model) -> Action {
    match message {
        Message::Again => Action::Doctor,
        Message::Copy => {
            let line = |check: &Check| {
                let mark = if check.ok { "ok  " } else { "FAIL" };
                let hint = check.hint.as_deref().map(|hint| format!("\n     {hint}")).unwrap_or_default();
                format!("{mark} {}: {}{hint}\n", check.name, check.detail)
            };
            Action::Copy(all(&model.checkup).map(line).collect(), words::REPORT_COPIED)
        }
    }
}

fn all(checkup: &Checkup) -> impl Iterator<Item = &Check> {
    checkup.found.iter().chain(&checkup.devices)
}

/// The picture of it.
pub fn view<'a>(context: Context<'a>) -> Element<'a, Message> {
    let look = context.look;
    let checkup = &context.model.checkup;
    let running = checkup.running.then(|| quiet(look, lobby::CHECKING));
    let done = (!checkup.running).then_some(());
    let copy = button::with_words(look, Kind::Plain, words::COPY_REPORT)
        .icon(Icon::Copy)
        .id("copy-report")
        .on_press_maybe(done.map(|()| Message::Copy));
    let again = button::with_words(look, Kind::Primary, words::CHECK_AGAIN)
        .id("check-again")
        .on_press_maybe(done.map(|()| Message::Again));
    let warned = context.model.warnings.iter().rev().take(SHOWN).map(|one| label(look, warning(one)).into());
    let warned = (!context.model.warnings.is_empty())
        .then(|| column![section(look, words::WARNED), Column::with_children(warned).spacing(GRID)].spacing(GRID));
    column![checks(look, all(checkup)), running, warned, super::buttons([copy, again])].spacing(GAP).into()
}
