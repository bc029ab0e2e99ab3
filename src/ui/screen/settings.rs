//! The settings, over the screen.

use std::path::PathBuf;

use iced::widget::{column, container, opaque};
use iced::{Element, Length};

use crate::engine::devices::Devices;
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::icon::Icon;
use crate::ui::model::Model;
use crate::ui::text;
use crate::ui::theme::GAP;
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::title;

/// Its state.
#[derive(Debug)]
pub struct Settings {
    devices: Devices,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// Close.
    Close,
}

impl Settings {
    /// As it opens.
    pub fn new(_choices: &Choices) -> Self {
        Self { devices: Devices::default() }
    }

    /// One thing that was done.
    pub fn update(&mut self, message: Message, _model: &Model, _choices: &Choices) -> Action {
        match message {
            Message::Close => Action::Settings(false),
        }
    }

    /// The system's devices are known.
    pub fn on_devices(&mut self, devices: Devices) {
        self.devices = devices;
    }

    /// A folder for drops was picked.
    pub fn on_folder(&mut self, _folder: PathBuf) -> Action {
        Action::None
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let ground = look.colours.ground;
        let close = button::with_icon(look, Kind::Quiet, Icon::Close, text::CLOSE).id("close").on_press(Message::Close);
        let page = container(column![title(look, text::SETTINGS), close].spacing(16))
            .padding(GAP)
            .width(Length::Fill)
            .height(Length::Fill)
            .style(move |_| container::Style { background: Some(ground.into()), ..Default::default() });
        opaque(page)
    }
}
