//! Nobody lets us in: why, and the ways on. It stands where the invitation would, as long as nobody else is here.

use iced::widget::{Row, column};
use iced::{Element, Length};

use super::Message;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::meeting::{Meeting, Shut};
use crate::ui::text::lobby::TRY_AGAIN;
use crate::ui::text::meeting as words;
use crate::ui::theme::{GAP, GRID, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::{card, label, strong};

/// The card.
pub fn view<'a>(context: Context<'a>, meeting: &Meeting, shut: Shut) -> Element<'a, Message> {
    let look = context.look;
    let (name, hint) = match shut {
        Shut::Full => (words::full(&meeting.title), words::FULL_HINT),
        Shut::Removed => (words::removed(&meeting.title), words::REMOVED_HINT),
    };
    let icon = Icon::Warning.coloured(look, Size::Title, look.colours.caution);
    let again = (shut == Shut::Full)
        .then(|| button::with_words(look, Kind::Primary, TRY_AGAIN).id("try-again").on_press(Message::Again));
    let back = button::with_words(look, Kind::Plain, words::BACK_TO_LOBBY).id("back-to-lobby").on_press(Message::Leave);
    let ways = [again, Some(back)].into_iter().flatten().map(Element::from);
    let ways = Row::with_children(ways).spacing(GRID).wrap().vertical_spacing(GRID);
    let title = strong(look, name).size(look.size(Size::Large));
    let inside = column![icon, title, label(look, hint).color(look.colours.quiet), ways];
    card(look, inside.spacing(PAD)).padding(GAP).width(Length::Fill).into()
}
