//! A link was opened: where it leads and who invites, before anything is sent to anybody.

use iced::widget::{column, row};
use iced::{Alignment, Element, Length};

use super::{join, words};
use crate::invite::Invite;
use crate::meeting::NearbyPerson;
use crate::ui::action::{Action, Meet};
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::icon::Icon;
use crate::ui::model::Model;
use crate::ui::theme::{GAP, GRID, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::{avatar, label, quiet, strong};

/// The button that does nothing.
pub const LATER: &str = "link-later";

/// A link.
#[derive(Debug, Clone)]
pub struct Link {
    invite: Invite,
}

/// What was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Go there.
    Join,
    /// Do not.
    Later,
}

impl Link {
    /// Reads a link; the error is a sentence.
    pub fn new(typed: &str) -> Result<Self, String> {
        typed.parse().map(Self::of).map_err(|error| join::sentence(&error))
    }

    /// Of one that was read.
    pub fn of(invite: Invite) -> Self {
        Self { invite }
    }

    /// Where it leads.
    pub fn invite(&self) -> &Invite {
        &self.invite
    }

    /// Who invites, as far as that is known.
    fn near<'a>(&self, model: &'a Model) -> Option<&'a NearbyPerson> {
        model.nearby.people.iter().find(|near| near.person.peer == self.invite.inviter)
    }

    /// One thing that was done.
    pub fn update(&mut self, message: &Message, model: &Model, choices: &Choices) -> Action {
        match message {
            Message::Later => Action::Close,
            Message::Join => Action::Close.and(Action::Meet(Meet {
                room: self.invite.room.clone(),
                connect: Vec::new(),
                invite: Some(self.invite.clone()),
                camera: choices.camera_on,
                microphone: choices.starts_heard(),
                // Its name is a secret of those in it.
                call: self.invite.room.is_call().then(|| {
                    let near = self.near(model).map(|near| near.person.name.to_string());
                    near.unwrap_or_else(|| self.invite.inviter.short().to_string())
                }),
            })),
        }
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let (inviter, short) = (self.invite.inviter, self.invite.inviter.short());
        let near = self.near(context.model);
        let name = near.map(|near| near.person.name.as_str());
        let by = label(look, words::invited_by(name, &short)).width(Length::Fill);
        let who = row![avatar(look, name.unwrap_or("?"), inviter, 40.0), by].spacing(PAD).align_y(Alignment::Center);
        let room = if self.invite.room.is_call() { words::LINK_CALL } else { self.invite.room.as_str() };
        let room = strong(look, room.to_owned()).size(look.size(Size::Large));
        let trust = near.map(|near| quiet(look, words::caller(near.trust, &short)));
        let at = quiet(look, words::link_at(&self.invite.addresses));
        let via = self.invite.rendezvous.as_ref().map(|service| quiet(look, words::link_via(&service.to_string())));
        let how = quiet(look, words::LINK_HOW);
        let will = quiet(look, words::will_be(context.choices.camera_on, context.choices.starts_heard()));
        let leaves = context.model.meeting.as_ref().map(|meeting| quiet(look, words::joining_leaves(&meeting.title)));
        let later = button::with_words(look, Kind::Plain, words::LINK_LATER)
            .id(LATER)
            .on_press_maybe(context.armed.then_some(Message::Later));
        let join = button::with_words(look, Kind::Primary, words::LINK_JOIN)
            .icon(Icon::Check)
            .id("link-join")
            .on_press_maybe(context.armed.then_some(Message::Join));
        let about = column![room, who, trust, at, via, how, will, leaves].spacing(GRID);
        column![about, super::buttons([later, join])].spacing(GAP).into()
    }
}
