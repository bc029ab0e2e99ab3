//! The meeting: top bar, stage, panel, control bar.

use std::time::{Duration, Instant};

use iced::Element;
use iced::widget::{center, column, row};

use crate::meeting::Command;
use crate::ui::action::{Action, Meet};
use crate::ui::app::Context;
use crate::ui::choices::{Choices, Panel};
use crate::ui::icon::Icon;
use crate::ui::keys::Shortcut;
use crate::ui::model::{Model, Notice};
use crate::ui::session::Pasted;
use crate::ui::text;
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::title;

/// Its state.
#[derive(Debug)]
pub struct Screen {
    panel: Option<Panel>,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// Leave.
    Leave,
    /// A command as it is.
    Engine(Command),
}

impl Screen {
    /// At the start of a meeting.
    pub fn new(choices: &Choices, _meet: &Meet) -> Self {
        Self { panel: choices.panel }
    }

    /// One thing that was done.
    pub fn update(&mut self, message: Message, _model: &mut Model, _choices: &Choices, _now: Instant) -> Action {
        match message {
            Message::Leave => Action::Leave,
            Message::Engine(command) => Action::Engine(command),
        }
    }

    /// A key.
    pub fn on_shortcut(&mut self, _shortcut: Shortcut, _model: &mut Model, _choices: &Choices) -> Action {
        Action::None
    }

    /// Time went on.
    pub fn on_tick(&mut self, _now: Instant) {}

    /// The model changed by an event.
    pub fn on_model_changed(&mut self, _model: &mut Model, _now: Instant) -> Action {
        Action::None
    }

    /// What was on the clipboard: for the chat, or for the files where that panel is open.
    pub fn on_pasted(&mut self, _pasted: Pasted) -> Action {
        Action::None
    }

    /// A command of this screen failed.
    pub fn on_failure(&mut self, _command: &Command) {}

    /// The notice is on screen already: no toast.
    pub fn shows(&self, notice: &Notice) -> bool {
        matches!((notice, self.panel), (Notice::Said { .. }, Some(Panel::Chat)))
    }

    /// Opens a panel.
    pub fn show_panel(&mut self, panel: Panel, _model: &mut Model) {
        self.panel = Some(panel);
    }

    /// How often it wants time.
    pub fn pace(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let room = context.model.meeting.as_ref().map_or("", |meeting| meeting.room.as_str());
        let leave = button::round(look, Kind::Danger, Icon::Leave, text::LEAVE, "leave", Some(Message::Leave));
        column![center(title(look, room)), row![leave].padding(16)].into()
    }
}
