//! Join a meeting by what somebody sent or said: a link, a code, a name, an address. A username or a whole key is a person,
//! who is called.

use iced::Element;
use iced::widget::{Id, column};

use super::words;
use crate::id::{PeerId, RoomName, Username};
use crate::invite::Typed;
use crate::ui::action::{self, Action, Meet};
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::dialog::{Dialog, link};
use crate::ui::model::Model;
use crate::ui::theme::{GAP, GRID};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::{field, label};

/// The field.
pub const FIELD: &str = "join-field";
/// The field for the name of a meeting at an address.
const ROOM: &str = "join-room";

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct Join {
    typed: String,
    room: String,
    wrong: Option<String>,
    // No meeting of the name that is typed is nearby: the next press starts one.
    starts: bool,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// The field changed.
    Typed(String),
    /// The name of the meeting changed.
    Room(String),
    /// Go there.
    Join,
}

impl Join {
    fn is_address(&self) -> bool {
        matches!(self.typed.parse(), Ok(Typed::Address { .. }))
    }

    /// One thing that was done.
    pub fn update(&mut self, message: Message, model: &Model, choices: &Choices) -> Action {
        match message {
            Message::Typed(typed) => {
                self.typed = typed;
                (self.wrong, self.starts) = (None, false);
                Action::None
            }
            Message::Room(room) => {
                self.room = room;
                self.wrong = None;
                Action::None
            }
            Message::Join => match self.target(model, choices) {
                Ok(action) => action,
                Err(wrong) => {
                    self.wrong = Some(wrong);
                    if self.is_address() { Action::Focus(Id::new(ROOM)) } else { Action::None }
                }
            },
        }
    }

    /// The person that was typed, as WHO: `@username` or a whole key.
    fn person(&self) -> Option<&str> {
        let typed = self.typed.trim();
        (typed.starts_with('@') || typed.parse::<PeerId>().is_ok()).then_some(typed)
    }

    fn call(who: &str, model: &Model, choices: &Choices) -> Result<Action, String> {
        let name = match who.parse::<PeerId>() {
            Ok(peer) => {
                let near = model.nearby.people.iter().find(|near| near.person.peer == peer);
                near.map_or_else(|| peer.short(), |near| near.person.name.to_string())
            }
            Err(_) => {
                Username::new(who).map_err(|error| format!("{}.", capital(&error.to_string())))?;
                if choices.rendezvous.is_empty() {
                    return Err(words::NEEDS_SERVICE.to_owned());
                }
                who.to_owned()
            }
        };
        Ok(Action::Close.and(Action::Call(who.to_ascii_lowercase(), name)))
    }

    fn target(&mut self, model: &Model, choices: &Choices) -> Result<Action, String> {
        if let Some(who) = self.person() {
            return Self::call(who, model, choices);
        }
        let typed: Typed = self.typed.parse().map_err(|error| sentence(&error))?;
        let go = |meet: Meet| Action::Close.and(Action::Meet(meet));
        Ok(match typed {
            // What was pasted may come from anywhere: it is shown before anything happens.
            Typed::Link(invite) => Action::Close.and(Action::Open(Box::new(Dialog::Link(link::Link::of(invite))))),
            Typed::Room(room) => {
                let near = model.nearby.meetings.iter().any(|meeting| meeting.room.id() == room.id());
                if !near && !std::mem::replace(&mut self.starts, true) {
                    return Err(words::NOBODY_MEETS.to_owned());
                }
                go(action::meet_nearby(room, model, choices))
            }
            Typed::Short { room, digits } => {
                let mine = |near: &&crate::meeting::NearbyPerson| near.person.peer.to_string().starts_with(&digits);
                let near = model.nearby.people.iter().find(mine).ok_or_else(|| words::NOT_IN_SIGHT.to_owned())?;
                let mut meet = action::meet_nearby(room, model, choices);
                let peer = near.person.peer;
                let known = |address| meet.connect.contains(&(address, Some(peer)));
                let more: Vec<_> = near.addresses.iter().copied().filter(|address| !known(*address)).collect();
                meet.connect.extend(more.into_iter().map(|address| (address, Some(peer))));
                go(meet)
            }
            Typed::Address { address, peer } => {
                let room = RoomName::new(&self.room).map_err(|_| words::NEEDS_ROOM.to_owned())?;
                let mut meet = action::meet_nearby(room, model, choices);
                meet.connect.insert(0, (address, peer));
                go(meet)
            }
        })
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let typed =
            field::line(look, FIELD, words::JOIN_FIELD, &self.typed).on_input(Message::Typed).on_submit(Message::Join);
        let room = self.is_address().then(|| {
            field::line(look, ROOM, words::JOIN_ROOM, &self.room).on_input(Message::Room).on_submit(Message::Join)
        });
        let wrong = self.wrong.clone().map(|wrong| label(look, wrong).color(look.colours.danger));
        let fields = column![label(look, words::JOIN_HOW), typed, room, wrong].spacing(GRID);
        let now = match self.person() {
            Some(_) => words::CALL_NOW,
            None if self.starts => words::START_IT,
            None => words::JOIN_NOW,
        };
        let join = button::with_words(look, Kind::Primary, now)
            .id("join-now")
            .on_press_maybe((!self.typed.trim().is_empty()).then_some(Message::Join));
        column![fields, super::buttons([join])].spacing(GAP).into()
    }
}

/// An error of parsing as a sentence.
pub fn sentence(error: &crate::invite::ParseError) -> String {
    format!("{}.", capital(&error.to_string()))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + chars.as_str()
}
