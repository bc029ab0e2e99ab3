//! What lies over a screen and wants an answer. One file a dialog; this one holds them together.

pub mod calling;
pub mod changed;
pub mod doctor;
pub mod incoming;
pub mod invite;
pub mod join;
pub mod link;
pub mod send;
pub mod share;
#[cfg(test)]
mod tests;
pub mod verify;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::time::Duration;

use iced::widget::{Id, center, column, container, mouse_area, opaque, row, scrollable};
use iced::{Alignment, Color, Element, Length};

use super::action::Action;
use super::app::Context;
use super::choices::Choices;
use super::icon::Icon;
use super::keys;
use super::model::Model;
use super::text;
use super::text::dialogs as words;
use super::theme::{GAP, GRID, Look, PAD};
use super::toast::{Toast, Tone};
use super::widget::button::{self, Kind};
use super::widget::{card, label, strong, title};
use crate::id::CallId;
use crate::meeting::{Command, Done, Person, Trust};

/// A dialog that came by itself takes nothing for so long: who clicks or types something else in that moment neither
/// answers, nor declines, nor accepts a key.
pub const ARMED: Duration = Duration::from_millis(500);

/// An open dialog.
#[derive(Debug, Clone)]
pub enum Dialog {
    /// All shortcuts.
    Shortcuts,
    /// Join by a link, a code, a name or an address.
    Join(join::Join),
    /// The invitation to the meeting that we are in.
    Invite(invite::Invite),
    /// Somebody calls.
    Ring(incoming::Ring),
    /// We call somebody.
    Calling(calling::Calling),
    /// Compare words.
    Verify(verify::Verify),
    /// A verified person has another key.
    Changed(changed::Changed),
    /// Who gets these files.
    Send(send::Send),
    /// Which screen is shared.
    Share,
    /// A link was opened: go there?
    Link(link::Link),
    /// The findings of the doctor.
    Doctor,
}

/// What was done in the dialog on top.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each name is that of its dialog")]
pub enum Message {
    /// Its cross, or the ground beside it.
    Close,
    Join(join::Message),
    Invite(invite::Message),
    Ring(incoming::Message),
    Calling(calling::Message),
    Verify(verify::Message),
    Changed(changed::Message),
    Send(send::Message),
    Share(share::Message),
    Link(link::Message),
    Doctor(doctor::Message),
}

/// Asks before a link is followed.
pub fn open_link(typed: &str) -> Action {
    match link::Link::new(typed) {
        Ok(link) => Action::Open(Box::new(Dialog::Link(link))),
        Err(error) => Action::Toast(Toast::new(Tone::Danger, error)),
    }
}

/// Asks who is to get these files.
pub fn send_to_whom(paths: Vec<PathBuf>) -> Action {
    Action::Open(Box::new(Dialog::Send(send::Send::new(paths))))
}

/// A file was dropped on the window: with the others where that is being asked already, else it is asked now.
pub fn on_dropped(path: PathBuf, dialogs: &mut [Dialog]) -> Action {
    let open = dialogs.iter_mut().find_map(|dialog| match dialog {
        Dialog::Send(send) => Some(send),
        _ => None,
    });
    match open {
        Some(send) => {
            send.add(path);
            Action::None
        }
        None => send_to_whom(vec![path]),
    }
}

/// Shows the invitation to the meeting that we are in.
pub fn invite() -> Action {
    Action::Engine(Command::Invite)
}

/// Asks which screen is to be shared.
pub fn share() -> Action {
    Action::ListScreens.and(Action::Open(Box::new(Dialog::Share)))
}

/// Compares words with somebody.
pub fn verify(person: Person) -> Action {
    let ask = Action::Engine(Command::Words { peer: person.peer.to_string() });
    ask.and(Action::Open(Box::new(Dialog::Verify(verify::Verify::new(person)))))
}

/// Asks what is to be done about another key under a verified name.
pub fn changed(person: Person) -> Action {
    let ask = Action::Engine(Command::Words { peer: person.peer.to_string() });
    ask.and(Action::Open(Box::new(Dialog::Changed(changed::Changed::new(person)))))
}

/// Makes sure of somebody's key: compares words, or asks about a key that changed.
pub fn sure(person: Person, trust: Trust) -> Action {
    if trust == Trust::Changed { changed(person) } else { verify(person) }
}

/// Takes from the answer of a command what a dialog waits for. `None`: nobody here does.
pub fn answer(command: &Command, done: &Done, dialogs: &mut [Dialog]) -> Option<Action> {
    match (command, done) {
        (Command::Words { peer }, Done::Words(found)) => {
            for dialog in dialogs {
                match dialog {
                    Dialog::Verify(verify) => verify.on_words(peer, *found),
                    Dialog::Changed(changed) => changed.on_words(peer, *found),
                    _ => {}
                }
            }
            Some(Action::None)
        }
        (Command::Invite, Done::Invited(invite)) => {
            Some(Action::Open(Box::new(Dialog::Invite(invite::Invite::new(invite)))))
        }
        (Command::Call { who }, Done::Calling(call)) => {
            let calling = dialogs.iter_mut().find_map(|dialog| match dialog {
                Dialog::Calling(calling) if calling.is_to(who) => Some(calling),
                _ => None,
            });
            Some(match calling {
                Some(calling) => {
                    calling.on_call(*call);
                    Action::None
                }
                // It was taken back before it rang.
                None => Action::Engine(Command::Decline(*call)),
            })
        }
        _ => None,
    }
}

/// A command came to nothing: what waits for it is closed.
pub fn failed(command: &Command, dialogs: &mut Vec<Dialog>) {
    match command {
        Command::Call { who } => {
            dialogs.retain(|dialog| !matches!(dialog, Dialog::Calling(calling) if calling.is_to(who)));
        }
        Command::Answer(call) => {
            dialogs.retain(|dialog| !dialog.is_of(*call));
        }
        _ => {}
    }
}

impl Dialog {
    /// Opening this one closes `other`.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Changed(this), Self::Changed(other)) => this.person().peer == other.person().peer,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    /// It comes by itself, so it may come under a hand that is about to press something else: it takes nothing for a
    /// moment ([`ARMED`]).
    pub fn comes_by_itself(&self) -> bool {
        matches!(self, Self::Ring(_) | Self::Changed(_) | Self::Link(_))
    }

    /// Which of the open ones it is: another kind, call, person or link is another dialog.
    pub fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        std::mem::discriminant(self).hash(&mut hasher);
        match self {
            Self::Ring(ring) => ring.call().hash(&mut hasher),
            Self::Changed(changed) => changed.person().peer.hash(&mut hasher),
            Self::Link(link) => link.invite().to_string().hash(&mut hasher),
            _ => {}
        }
        hasher.finish()
    }

    /// It is about no call, key or meeting of the engine that runs.
    pub fn outlives_the_engine(&self) -> bool {
        matches!(self, Self::Link(_) | Self::Shortcuts | Self::Doctor | Self::Join(_) | Self::Send(_))
    }

    /// It is about this call.
    pub fn is_of(&self, call: CallId) -> bool {
        match self {
            Self::Ring(ring) => ring.call() == call,
            Self::Calling(calling) => calling.call() == Some(call),
            _ => false,
        }
    }

    /// Esc closes it; what needs an answer does not close so.
    pub fn closes_by_escape(&self) -> bool {
        !matches!(self, Self::Ring(_) | Self::Calling(_) | Self::Changed(_))
    }

    /// What has the keyboard at first.
    pub fn first_focus(&self) -> Option<Id> {
        Some(match self {
            Self::Join(_) => join::FIELD.into(),
            Self::Invite(_) => invite::COPY_LINK.into(),
            // Not on the buttons of a ring: whoever types when it comes must not answer.
            Self::Ring(_) | Self::Changed(_) => return None,
            Self::Calling(_) => calling::CANCEL.into(),
            Self::Link(_) => link::LATER.into(),
            _ => return None,
        })
    }

    /// One thing that was done in it.
    pub fn update(&mut self, message: Message, model: &Model, choices: &Choices) -> Action {
        match (self, message) {
            (this, Message::Close) => {
                if this.closes_by_escape() {
                    Action::Close
                } else {
                    Action::None
                }
            }
            (Self::Join(join), Message::Join(message)) => join.update(message, model, choices),
            (Self::Invite(invite), Message::Invite(message)) => invite.update(&message),
            (Self::Ring(ring), Message::Ring(message)) => ring.update(&message),
            (Self::Calling(calling), Message::Calling(message)) => calling.update(&message),
            (Self::Verify(verify), Message::Verify(message)) => verify.update(&message),
            (Self::Changed(changed), Message::Changed(message)) => changed.update(&message),
            (Self::Send(send), Message::Send(message)) => send.update(message),
            (Self::Share, Message::Share(message)) => share::update(message),
            (Self::Link(link), Message::Link(message)) => link.update(&message, model, choices),
            (Self::Doctor, Message::Doctor(message)) => doctor::update(&message, model),
            _ => Action::None,
        }
    }

    /// The dialog on a darkened ground.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let closes = self.closes_by_escape();
        let (name, body) = match self {
            Self::Shortcuts => (text::SHORTCUTS.to_owned(), shortcuts(look)),
            Self::Join(join) => (words::JOIN.to_owned(), join.view(context).map(Message::Join)),
            Self::Invite(invite) => (words::INVITE.to_owned(), invite.view(context).map(Message::Invite)),
            Self::Ring(ring) => (ring.name(), ring.view(context).map(Message::Ring)),
            Self::Calling(calling) => (calling.name(), calling.view(context).map(Message::Calling)),
            Self::Verify(verify) => (words::VERIFY.to_owned(), verify.view(context).map(Message::Verify)),
            Self::Changed(changed) => (words::CHANGED.to_owned(), changed.view(context).map(Message::Changed)),
            Self::Send(send) => (words::SEND.to_owned(), send.view(context).map(Message::Send)),
            Self::Share => (words::SHARE.to_owned(), share::view(context).map(Message::Share)),
            Self::Link(link) => (words::LINK_ASKS.to_owned(), link.view(context).map(Message::Link)),
            Self::Doctor => (words::DOCTOR.to_owned(), doctor::view(context).map(Message::Doctor)),
        };
        frame(context, name, body, closes)
    }
}

/// A card in the middle with a title and, where it may be closed, a cross.
fn frame<'a>(context: Context<'a>, name: String, body: Element<'a, Message>, closes: bool) -> Element<'a, Message> {
    let look = context.look;
    let close = closes.then(|| {
        Element::from(
            button::with_icon(look, Kind::Quiet, Icon::Close, text::CLOSE).small().id("close").on_press(Message::Close),
        )
    });
    let head = row![title(look, name).width(Length::Fill), close].spacing(GRID).align_y(Alignment::Center);
    let inside = column![head, scrollable(body).spacing(GRID)].spacing(PAD);
    let width = look.scaled(480.0).min(context.size.width - GAP);
    let box_ = card(look, inside).padding(GAP).width(width).max_height(context.size.height - GAP);
    let dark = Color { a: 0.6, ..Color::BLACK };
    let ground = mouse_area(
        center(opaque(box_)).style(move |_| container::Style { background: Some(dark.into()), ..Default::default() }),
    )
    .on_press(Message::Close);
    opaque(ground)
}

/// The row of buttons at the end of a dialog; they go below each other where there is no room.
fn buttons<'a, Message: Clone + 'a>(all: impl IntoIterator<Item = button::Button<Message>>) -> Element<'a, Message> {
    let all = all.into_iter().map(Element::from);
    let row = iced::widget::Row::with_children(all).spacing(GRID).wrap().vertical_spacing(GRID);
    container(row).align_right(Length::Fill).into()
}

fn shortcuts<'a>(look: Look) -> Element<'a, Message> {
    let lines = keys::SHEET
        .iter()
        .map(|(key, does)| row![strong(look, *key).width(look.scaled(96.0)), label(look, *does)].spacing(PAD).into());
    column(lines).spacing(8).into()
}
