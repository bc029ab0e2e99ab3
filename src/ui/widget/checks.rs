//! The findings of the doctor, one below the other.

use iced::widget::{Column, column, row};
use iced::{Element, Length};

use super::{label, quiet};
use crate::engine::doctor::Check;
use crate::ui::icon::Icon;
use crate::ui::text::lobby as words;
use crate::ui::theme::{GRID, HALF, Look, Size};

/// The findings: what was looked at, what was found, what to do.
pub fn checks<'a, Message: 'a>(look: Look, found: impl IntoIterator<Item = &'a Check>) -> Element<'a, Message> {
    let c = look.colours;
    let lines = found.into_iter().map(|check| {
        let (icon, colour) = match (check.ok, &check.hint) {
            (true, None) => (Icon::Check, c.good),
            (true, Some(_)) => (Icon::Info, c.caution),
            (false, _) => (Icon::Warning, c.danger),
        };
        let what = label(look, format!("{}: {}", words::check_name(check), check.detail));
        let hint = check.hint.clone().map(|hint| quiet(look, hint));
        row![icon.coloured(look, Size::Body, colour), column![what, hint].spacing(HALF).width(Length::Fill)]
            .spacing(GRID)
            .into()
    });
    Column::with_children(lines).spacing(GRID).into()
}
