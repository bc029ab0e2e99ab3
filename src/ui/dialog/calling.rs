//! We call somebody: it rings there until it is taken, refused, given up by us, or nobody answers.

use iced::widget::{column, row};
use iced::{Alignment, Element};

use super::words;
use crate::id::{CallId, PeerId};
use crate::meeting::Command;
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::theme::{GAP, HALF, PAD};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::{avatar, label, quiet};

/// The button that takes it back.
pub const CANCEL: &str = "cancel-call";

/// A call of ours.
#[derive(Debug, Clone)]
pub struct Calling {
    who: String,
    name: String,
    call: Option<CallId>,
}

/// What was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Take it back.
    Cancel,
}

impl Calling {
    /// Before the engine has answered. `who` is the peer id.
    pub fn new(who: String, name: String) -> Self {
        Self { who, name, call: None }
    }

    /// It is to this WHO.
    pub fn is_to(&self, who: &str) -> bool {
        self.who == who
    }

    /// It was asked for by a username, whose key comes with the answer: an end that overtakes the answer is of this call,
    /// for there is one at a time.
    pub fn is_unknown_yet(&self) -> bool {
        self.call.is_none() && self.who.parse::<PeerId>().is_err()
    }

    /// It rings there.
    pub fn on_call(&mut self, call: CallId) {
        self.call = Some(call);
    }

    /// Which call, once it rings.
    pub fn call(&self) -> Option<CallId> {
        self.call
    }

    /// The title.
    pub fn name(&self) -> String {
        words::calling(&self.name)
    }

    /// One thing that was done.
    pub fn update(&mut self, Message::Cancel: &Message) -> Action {
        // Without an id yet: who answers the command finds no dialog and takes it back.
        let decline = self.call.map_or(Action::None, |call| Action::Engine(Command::Decline(call)));
        Action::Close.and(decline)
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let picture = self.who.parse::<PeerId>().ok().map(|peer| avatar(look, &self.name, peer, 56.0));
        let cancel = button::with_words(look, Kind::Danger, words::CANCEL)
            .icon(Icon::Leave)
            .id(CANCEL)
            .on_press(Message::Cancel);
        let will = quiet(look, words::will_be(context.choices.camera_on, context.choices.starts_heard()));
        let who = row![picture, column![label(look, words::RINGING), will].spacing(HALF)];
        let who = who.spacing(PAD).align_y(Alignment::Center);
        column![who, super::buttons([cancel])].spacing(GAP).into()
    }
}
