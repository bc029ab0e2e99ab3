//! The lobby: you, who and what is nearby, and the ways into a meeting.

use std::time::Duration;

use iced::widget::{center, column, row};
use iced::{Element, Length};

use crate::ui::action::Action;
use crate::ui::app::{self, Context};
use crate::ui::choices::Choices;
use crate::ui::icon::Icon;
use crate::ui::model::Model;
use crate::ui::session::Session;
use crate::ui::text;
use crate::ui::theme::PAD;
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::{field, title};

/// Its state.
#[derive(Debug, Default)]
pub struct Lobby {
    room: String,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// The name of the meeting to start.
    Room(String),
    /// Start it.
    Start,
}

impl Lobby {
    /// One thing that was done.
    pub fn update(&mut self, message: Message, _model: &Model, choices: &Choices) -> Action {
        match message {
            Message::Room(room) => {
                self.room = room;
                Action::None
            }
            Message::Start => match crate::id::RoomName::new(&self.room) {
                Ok(room) => Action::Meet(app::meet(room, choices)),
                Err(_) => Action::None,
            },
        }
    }

    /// Who gets a file that is dropped on the window.
    pub fn drop_target(&self) -> Option<Vec<String>> {
        None
    }

    /// How often it wants time.
    pub fn pace(&self) -> Option<Duration> {
        None
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>, _session: &'a Session) -> Element<'a, Message> {
        let look = context.look;
        let name =
            field::line(look, "room", text::MEETING_NAME, &self.room).on_input(Message::Room).on_submit(Message::Start);
        let start = button::with_words(look, Kind::Primary, text::START_MEETING)
            .icon(Icon::Plus)
            .id("start")
            .on_press(Message::Start);
        center(column![title(look, text::APP), row![name, start].spacing(8)].spacing(PAD).max_width(480.0))
            .width(Length::Fill)
            .into()
    }
}
