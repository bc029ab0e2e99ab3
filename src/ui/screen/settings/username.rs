//! The username at the rendezvous: what was typed, what the service said of it.

use iced::widget::{column, row};
use iced::{Alignment, Element, Length};

use crate::meeting::{Code, Command, Done, Failure};
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::icon::Icon;
use crate::ui::model::Model;
use crate::ui::text;
use crate::ui::text::settings as words;
use crate::ui::theme::{GRID, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::{field, label, quiet, strong};

/// Its state.
#[derive(Debug)]
pub struct Username {
    typed: String,
    answer: Answer,
}

/// How it stands with what was asked last.
#[derive(Debug)]
enum Answer {
    Nothing,
    Asking,
    Good(String),
    Bad(String),
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// It is typed.
    Typed(String),
    /// Claim what was typed.
    Claim,
    /// Give back the one that is ours.
    Release,
    /// To the page where a rendezvous is set.
    Rendezvous,
}

impl Username {
    /// As it opens.
    pub fn new(choices: &Choices) -> Self {
        Self { typed: choices.username.clone(), answer: Answer::Nothing }
    }

    /// One thing that was done. [`Message::Rendezvous`] is for the settings.
    pub fn update(&mut self, message: Message, model: &Model) -> Action {
        match message {
            Message::Typed(typed) => {
                self.typed = typed;
                self.answer = Answer::Nothing;
                Action::None
            }
            Message::Claim if self.typed.trim().is_empty() => Action::None,
            Message::Claim => {
                self.answer = Answer::Asking;
                Action::Engine(Command::Claim(self.typed.trim().to_owned()))
            }
            Message::Release => match &model.username {
                Some(name) => {
                    self.answer = Answer::Asking;
                    Action::Engine(Command::Release(name.to_string()))
                }
                None => Action::None,
            },
            Message::Rendezvous => Action::None,
        }
    }

    /// The engine has done something.
    pub fn on_answer(&mut self, done: &Done) {
        match done {
            Done::Claimed(name) => self.answer = Answer::Good(words::is_yours(name.as_str())),
            Done::Released(name) => {
                self.typed.clear();
                self.answer = Answer::Good(words::given_back(name.as_str()));
            }
            _ => {}
        }
    }

    /// The engine could not. True when that is said here.
    pub fn on_failure(&mut self, command: &Command, failure: &Failure) -> bool {
        let (Command::Claim(name) | Command::Release(name)) = command else { return false };
        self.answer = Answer::Bad(match failure.code {
            Code::NameTaken => words::taken(name),
            Code::RendezvousUnreachable | Code::Limited => format!("{} {}", failure.message, words::SERVICE_HOW),
            _ => text::failure(failure),
        });
        true
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let head = strong(look, words::USERNAME);
        if context.choices.rendezvous.is_empty() {
            let set = button::with_words(look, Kind::Plain, words::SET_RENDEZVOUS)
                .icon(Icon::Network)
                .small()
                .id("set-rendezvous")
                .on_press(Message::Rendezvous);
            return column![head, quiet(look, words::USERNAME_NEEDS), set].spacing(GRID).into();
        }
        let line = field::line(look, "username", words::USERNAME_FIELD, &self.typed)
            .on_input(Message::Typed)
            .on_submit(Message::Claim);
        let own = context.model.username.as_ref();
        let other = own.is_none_or(|own| own.as_str() != self.typed.trim()) && !self.typed.trim().is_empty();
        let claim = button::with_words(look, Kind::Primary, words::CLAIM)
            .id("claim-name")
            .on_press_maybe(other.then_some(Message::Claim));
        let held = own.map(|own| {
            let icon = Icon::Check.coloured(look, Size::Body, look.colours.good);
            let name = label(look, words::is_yours(&format!("@{own}"))).width(Length::Fill);
            let release = button::with_words(look, Kind::Plain, words::RELEASE)
                .small()
                .id("release-name")
                .on_press(Message::Release);
            Element::from(row![icon, name, release].spacing(PAD).align_y(Alignment::Center))
        });
        let answer = match &self.answer {
            Answer::Nothing => None,
            Answer::Asking => Some(quiet(look, words::ASKING)),
            // The line below says it, and stays.
            Answer::Good(_) if own.is_some() => None,
            Answer::Good(words) => Some(label(look, words.as_str()).color(look.colours.good)),
            Answer::Bad(words) => Some(label(look, words.as_str()).color(look.colours.danger)),
        };
        let line = row![line, claim].spacing(GRID);
        column![head, line, answer, held, quiet(look, words::USERNAME_WHY)].spacing(GRID).into()
    }
}
