//! The stats over the stage: graphs by kind and a table of the peers.

use iced::Element;
use iced::widget::space;

use crate::ui::app::Context;
use crate::ui::panel::stats::{Message, Stats};

/// The page; it fills what it is given.
pub fn page<'a>(_stats: &'a Stats, _context: Context<'a>) -> Element<'a, Message> {
    space().into()
}
