//! The chat panel: what was said, and the field to say something.

use iced::Element;
use iced::widget::space;

use crate::meeting::{Command, Person};
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::model::Model;
use crate::ui::session::Pasted;

/// Its state: what is typed, and to whom.
#[derive(Debug, Default)]
pub struct Chat {}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {}

impl Chat {
    /// One thing that was done.
    pub fn update(&mut self, message: Message, _model: &mut Model, _choices: &Choices) -> Action {
        match message {}
    }

    /// It comes into view: what was unread is read, the field has the keyboard.
    pub fn on_open(&mut self, _model: &mut Model) -> Action {
        Action::None
    }

    /// The model changed while it is in view.
    pub fn on_model_changed(&mut self, _model: &mut Model) {}

    /// A command failed: an unsaid line goes back into the field.
    pub fn on_failure(&mut self, _command: &Command) {}

    /// The next line is only for this person (from a menu of the people).
    pub fn only_to(&mut self, _person: Person) {}

    /// What was on the clipboard: text goes into the field, files wait above it for a word.
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
