//! The files panel: what is sent and received.

use iced::Element;
use iced::widget::space;

use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::model::Model;
use crate::ui::session::Pasted;

/// Its state: to whom the next files go.
#[derive(Debug, Default)]
pub struct Files {}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {}

impl Files {
    /// One thing that was done.
    pub fn update(&mut self, message: Message, _model: &mut Model, _choices: &Choices) -> Action {
        match message {}
    }

    /// What was on the clipboard: files wait for a word.
    pub fn on_pasted(&mut self, _pasted: Pasted) -> Action {
        Action::None
    }

    /// Something of it is open that Esc closes. True when it closed something.
    pub fn on_escape(&mut self) -> bool {
        false
    }

    /// The panel, without the tabs above it.
    pub fn view<'a>(&'a self, _context: Context<'a>) -> Element<'a, Message> {
        space().into()
    }
}
