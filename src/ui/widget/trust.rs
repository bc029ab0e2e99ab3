//! What can be done to be sure of somebody's key.

use iced::Element;

use super::button::{self, Kind};
use crate::meeting::Trust;
use crate::ui::icon::Icon;
use crate::ui::text::meeting as words;
use crate::ui::theme::Look;

/// The button that compares words, or decides about a key that changed. A verified key needs none.
pub fn sure<'a, Message: Clone + 'a>(
    look: Look,
    trust: Trust,
    id: String,
    press: Message,
) -> Option<Element<'a, Message>> {
    let (icon, tip) = match trust {
        Trust::New | Trust::Known => (Icon::Secure, words::VERIFY),
        Trust::Changed => (Icon::Warning, words::DECIDE),
        Trust::Verified => return None,
    };
    Some(button::with_icon(look, Kind::Quiet, icon, tip).small().id(id).on_press(press).into())
}
