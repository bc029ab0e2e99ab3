//! Somebody calls: who, how far that key is trusted, answer or decline. It goes only by an answer, or when the caller
//! gives up.

use iced::widget::{column, row};
use iced::{Alignment, Element, Length};

use super::words;
use crate::id::{CallId, RoomName};
use crate::meeting::{Command, Person, Trust};
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::theme::{GAP, HALF, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::{avatar, label, quiet};

/// A call that rings here.
#[derive(Debug, Clone)]
pub struct Ring {
    call: CallId,
    from: Person,
    trust: Trust,
    room: RoomName,
    answered: bool,
}

/// What was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Take it.
    Answer,
    /// Refuse it.
    Decline,
}

impl Ring {
    /// It begins to ring.
    pub fn new(call: CallId, from: Person, trust: Trust, room: RoomName) -> Self {
        Self { call, from, trust, room, answered: false }
    }

    /// Which call.
    pub fn call(&self) -> CallId {
        self.call
    }

    /// Who calls.
    pub fn from(&self) -> &Person {
        &self.from
    }

    /// The title.
    pub fn name(&self) -> String {
        words::calls(self.from.name.as_str())
    }

    /// One thing that was done.
    pub fn update(&mut self, message: &Message) -> Action {
        match message {
            // The answer moves us; until then the dialog stays, and a second press does nothing.
            Message::Answer if self.answered => Action::None,
            Message::Answer => {
                self.answered = true;
                Action::Engine(Command::Answer(self.call))
            }
            Message::Decline => Action::Close.and(Action::Engine(Command::Decline(self.call))),
        }
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let c = look.colours;
        let (icon, colour) = match self.trust {
            Trust::Verified => (Icon::Verified, c.good),
            Trust::Known => (Icon::Check, c.quiet),
            Trust::New => (Icon::Unverified, c.caution),
            Trust::Changed => (Icon::Warning, c.danger),
        };
        let short = self.from.peer.short().to_string();
        let trust = row![icon.coloured(look, Size::Body, colour), label(look, words::caller(self.trust, &short))];
        let into = (!self.room.is_call()).then(|| quiet(look, words::into_meeting(self.room.as_str())));
        let meeting = context.model.meeting.as_ref();
        let leaves = meeting.map(|meeting| quiet(look, words::leaves(&meeting.title)));
        let will = quiet(look, words::will_be(context.choices.camera_on, context.choices.starts_heard()));
        let about = column![trust.spacing(HALF * 2.0).align_y(Alignment::Center), into, will, leaves].spacing(HALF);
        let who = row![avatar(look, self.from.name.as_str(), self.from.peer, 56.0), about.width(Length::Fill)];
        let decline = button::with_words(look, Kind::Danger, words::DECLINE)
            .icon(Icon::Leave)
            .id("decline")
            .on_press_maybe(context.armed.then_some(Message::Decline));
        let answer = button::with_words(look, Kind::Primary, words::ANSWER)
            .icon(Icon::Answer)
            .id("answer")
            .on_press_maybe((context.armed && !self.answered).then_some(Message::Answer));
        column![who.spacing(PAD).align_y(Alignment::Center), super::buttons([decline, answer])].spacing(GAP).into()
    }
}
