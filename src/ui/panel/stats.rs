//! The stats panel: graphs of the last five minutes and a line for each peer. `screen::stats` is the large form.

use iced::Element;
use iced::widget::space;

use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::model::Model;

/// Its state: which lines are drawn, and how large.
#[derive(Debug, Default)]
pub struct Stats {
    expanded: bool,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// Over the stage, or back into the panel.
    Expand(bool),
}

impl Stats {
    /// One thing that was done.
    pub fn update(&mut self, message: Message, _model: &mut Model, _choices: &Choices) -> Action {
        match message {
            Message::Expand(expanded) => self.expanded = expanded,
        }
        Action::None
    }

    /// The page (`screen::stats`) is to be drawn over the stage and instead of the panel.
    pub fn is_expanded(&self) -> bool {
        self.expanded
    }

    /// Esc makes it small again. True when it did something.
    pub fn on_escape(&mut self) -> bool {
        std::mem::take(&mut self.expanded)
    }

    /// The panel, without the tabs above it.
    pub fn view<'a>(&'a self, _context: Context<'a>) -> Element<'a, Message> {
        space().into()
    }
}
