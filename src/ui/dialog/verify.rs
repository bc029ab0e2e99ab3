//! Compare words with somebody: the same words on both sides mean that nobody stands between.

use iced::widget::{Grid, column, row};
use iced::{Alignment, Element, Length};

use super::words;
use crate::meeting::{Command, Person, Words};
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::theme::{GAP, GRID, HALF, Look, PAD, Size};
use crate::ui::toast::{Toast, Tone};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::raised;
use crate::ui::widget::{label, quiet, strong};

/// The words of two keys.
#[derive(Debug, Clone)]
pub struct Verify {
    person: Person,
    found: Option<Words>,
}

/// What was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Both see the same.
    Same,
    /// They do not.
    Differ,
}

impl Verify {
    /// Before the words are there.
    pub fn new(person: Person) -> Self {
        Self { person, found: None }
    }

    /// Here they are.
    pub fn on_words(&mut self, who: &str, found: Words) {
        if self.person.peer.to_string() == who {
            self.found = Some(found);
        }
    }

    /// One thing that was done.
    pub fn update(&mut self, message: &Message) -> Action {
        match message {
            // That it is so is said once it is written down.
            Message::Same => Action::Close.and(Action::Engine(Command::Verify { peer: self.person.peer.to_string() })),
            Message::Differ => Action::Close.and(Action::Toast(Toast::new(Tone::Danger, words::DIFFER_HOW))),
        }
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let how = label(look, words::verify_how(self.person.name.as_str()));
        let there = self.found.is_some();
        let differ = button::with_words(look, Kind::Plain, words::WORDS_DIFFER)
            .id("differ")
            .on_press_maybe(there.then_some(Message::Differ));
        let same = button::with_words(look, Kind::Primary, words::WORDS_SAME)
            .icon(Icon::Check)
            .id("same")
            .on_press_maybe(there.then_some(Message::Same));
        column![how, list(look, self.found.as_ref()), super::buttons([differ, same])].spacing(GAP).into()
    }
}

/// The words in two columns, numbered, to be read one after the other.
pub fn list<'a, Message: 'a>(look: Look, found: Option<&Words>) -> Element<'a, Message> {
    let Some(found) = found else { return quiet(look, words::WORDS_COMING).into() };
    let all = found.iter().enumerate().map(|(at, word)| {
        let number = quiet(look, format!("{}", at + 1)).width(look.scaled(16.0));
        let word = strong(look, word).size(look.size(Size::Large));
        row![number, word].spacing(GRID).align_y(Alignment::Center).into()
    });
    let grid = Grid::with_children(all).columns(2).spacing(GRID).height(Length::Shrink);
    raised(look, grid).padding([PAD, PAD + HALF]).width(Length::Fill).into()
}
