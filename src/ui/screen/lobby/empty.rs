//! Nobody is in sight: what was checked, and what to do.

use iced::widget::{Row, column, row};
use iced::{Alignment, Element, Length};

use super::Message;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::session::Session;
use crate::ui::text::{dialogs, lobby as words};
use crate::ui::theme::{GRID, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::checks::checks;
use crate::ui::widget::label::section;
use crate::ui::widget::{card, label, quiet, strong};

/// The card in place of the list.
pub fn view<'a>(context: Context<'a>, session: &'a Session) -> Element<'a, Message> {
    let look = context.look;
    let checkup = &context.model.checkup;
    let icon = Icon::People.coloured(look, Size::Title, look.colours.quiet);
    if session.is_starting() {
        let inside = row![icon, label(look, words::STARTING)].spacing(PAD).align_y(Alignment::Center);
        return card(look, inside).width(Length::Fill).into();
    }
    let what = column![strong(look, words::NOBODY), label(look, words::NOBODY_HOW)].spacing(GRID).width(Length::Fill);
    let head = row![icon, what].spacing(PAD);
    let found = (!checkup.found.is_empty())
        .then(|| column![section(look, words::CHECKED), checks(look, &checkup.found)].spacing(GRID));
    let running = checkup.running.then(|| quiet(look, words::CHECKING));
    let ways = (!checkup.running && !checkup.found.is_empty()).then(|| {
        let again = button::with_words(look, Kind::Plain, dialogs::CHECK_AGAIN)
            .small()
            .id("empty-check")
            .on_press(Message::Check);
        let join =
            button::with_words(look, Kind::Plain, words::JOIN_BY).small().id("empty-join").on_press(Message::JoinBy);
        Row::with_children([again.into(), join.into()]).spacing(GRID).wrap()
    });
    card(look, column![head, found, running, ways].spacing(PAD)).width(Length::Fill).into()
}
