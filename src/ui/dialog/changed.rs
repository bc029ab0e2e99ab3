//! A name that was verified comes with another key. Nothing of ours goes to that key until this is answered; closing it
//! by Esc or beside it is no answer.

use iced::widget::column;
use iced::{Element, Length};

use super::{verify, words};
use crate::meeting::{Command, Person, Words};
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::text;
use crate::ui::theme::{GAP, GRID};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::label;

/// The person with the other key.
#[derive(Debug, Clone)]
pub struct Changed {
    person: Person,
    found: Option<Words>,
}

/// What was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Stay; nothing goes there.
    Apart,
    /// Leave the meeting.
    Leave,
    /// It is the same person.
    Accept,
}

impl Changed {
    /// Before the words are there.
    pub fn new(person: Person) -> Self {
        Self { person, found: None }
    }

    /// Who it is about.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// The words of the new key.
    pub fn on_words(&mut self, who: &str, found: Words) {
        if self.person.peer.to_string() == who {
            self.found = Some(found);
        }
    }

    /// One thing that was done.
    pub fn update(&mut self, message: &Message) -> Action {
        match message {
            Message::Apart => Action::Close,
            Message::Leave => Action::Close.and(Action::Leave),
            Message::Accept => {
                Action::Close.and(Action::Engine(Command::TrustChanged { peer: self.person.peer.to_string() }))
            }
        }
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let name = self.person.name.as_str();
        let what = label(look, words::changed_how(name));
        let compare = column![label(look, words::changed_words(name)), verify::list(look, self.found.as_ref())];
        let accept = button::with_words(look, Kind::Plain, words::ACCEPT_KEY)
            .id("accept-key")
            .on_press_maybe((context.armed && self.found.is_some()).then_some(Message::Accept));
        let leave = context.model.meeting.is_some().then(|| {
            button::with_words(look, Kind::Danger, text::LEAVE)
                .icon(Icon::Leave)
                .id("leave-changed")
                .on_press_maybe(context.armed.then_some(Message::Leave))
        });
        let apart = button::with_words(look, Kind::Primary, words::KEEP_APART)
            .id("keep-apart")
            .on_press_maybe(context.armed.then_some(Message::Apart));
        let all = [Some(accept), leave, Some(apart)].into_iter().flatten();
        column![what, compare.spacing(GRID), super::buttons(all)].spacing(GAP).width(Length::Fill).into()
    }
}
