//! The way into a meeting: what is being done, and nothing to press but Leave, until there is an engine that could obey.

use iced::widget::{center, column, container};
use iced::{Alignment, Element, Length};

use super::Message;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::meeting::Meeting;
use crate::ui::text;
use crate::ui::text::meeting as words;
use crate::ui::theme::{GAP, GRID, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::{card, divider, label, strong};

/// The card in the middle, and the bar with its one button.
pub fn view<'a>(context: Context<'a>, meeting: &'a Meeting) -> Element<'a, Message> {
    let look = context.look;
    let icon = Icon::App.coloured(look, Size::Title, look.colours.accent);
    let name = strong(look, words::joining(&meeting.title)).size(look.size(Size::Large));
    let hint = label(look, words::JOINING_HINT).color(look.colours.quiet).align_x(Alignment::Center);
    let inside = column![icon, name, hint].spacing(GRID).align_x(Alignment::Center).width(Length::Fill);
    let box_ = card(look, inside).padding(GAP).width(look.scaled(420.0).min(context.size.width - 2.0 * GAP));
    let leave = button::round(look, Kind::Danger, Icon::Leave, text::LEAVE, "leave", Some(Message::Leave));
    let bar = container(leave).padding([10.0, PAD]).center_x(Length::Fill);
    column![center(box_).height(Length::Fill), divider(look), bar].into()
}
