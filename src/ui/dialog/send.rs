//! Files were dropped or picked: who gets them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use iced::widget::{Column, column, row};
use iced::{Alignment, Element, Length};

use super::words;
use crate::id::PeerId;
use crate::meeting::Person;
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::Model;
use crate::ui::theme::{GAP, GRID, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::focus::Focus;
use crate::ui::widget::label::shortened;
use crate::ui::widget::{avatar, label, quiet};

/// Files on their way to somebody.
#[derive(Debug, Clone)]
pub struct Send {
    paths: Vec<PathBuf>,
    chosen: BTreeSet<PeerId>,
}

/// What was pressed.
#[derive(Debug, Clone)]
pub enum Message {
    /// This person gets them, or does not.
    Toggle(PeerId),
    /// Everybody in the meeting.
    Everybody,
    /// Go.
    Send,
}

/// Whom a file can be sent to: those in the meeting, else those in sight.
fn people(model: &Model) -> Vec<Person> {
    match &model.meeting {
        Some(meeting) => meeting.in_order().into_iter().map(|participant| participant.person.clone()).collect(),
        None => model.nearby.people.iter().map(|near| near.person.clone()).collect(),
    }
}

impl Send {
    /// Nobody is chosen yet.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self { paths, chosen: BTreeSet::new() }
    }

    /// More of them: each dropped file comes by itself.
    pub fn add(&mut self, path: PathBuf) {
        if !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }

    /// One thing that was done.
    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::Toggle(peer) => {
                if !self.chosen.remove(&peer) {
                    self.chosen.insert(peer);
                }
                Action::None
            }
            Message::Everybody => Action::Close.and(Action::SendFiles(self.paths.clone(), Vec::new())),
            Message::Send if self.chosen.is_empty() => Action::None,
            Message::Send => {
                let to = self.chosen.iter().map(ToString::to_string).collect();
                Action::Close.and(Action::SendFiles(self.paths.clone(), to))
            }
        }
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let c = look.colours;
        let name = |path: &PathBuf| {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            shortened(&name, 60)
        };
        let names: Vec<String> = self.paths.iter().map(name).collect();
        let files = row![Icon::File.coloured(look, Size::Large, c.quiet), label(look, words::files(&names))];
        let people = people(context.model);
        let list: Element<'a, Message> = if people.is_empty() {
            quiet(look, words::NOBODY_TO_SEND).into()
        } else {
            let lines = people.iter().map(|person| {
                let chosen = self.chosen.contains(&person.peer);
                let mark = chosen.then(|| Icon::Check.coloured(look, Size::Large, c.accent));
                let name = label(look, person.name.to_string()).width(Length::Fill);
                let inside = row![avatar(look, person.name.as_str(), person.peer, 32.0), name, mark];
                let toggle = Message::Toggle(person.peer);
                let button = iced::widget::button(inside.spacing(PAD).align_y(Alignment::Center))
                    .width(Length::Fill)
                    .padding([GRID, PAD])
                    .style(button::style(look, if chosen { Kind::Chosen } else { Kind::Quiet }))
                    .on_press(toggle.clone());
                let id = iced::widget::Id::from(format!("to-{}", person.peer.short()));
                Focus::new(look, button).id(id).on_activate(Some(toggle)).into()
            });
            Column::with_children(lines).into()
        };
        let everybody = (context.model.meeting.is_some() && !people.is_empty()).then(|| {
            button::with_words(look, Kind::Plain, words::EVERYBODY).id("send-everybody").on_press(Message::Everybody)
        });
        let chosen = people.iter().any(|person| self.chosen.contains(&person.peer));
        let send = button::with_words(look, Kind::Primary, words::SEND_NOW)
            .icon(Icon::DropFile)
            .id("send-now")
            .on_press_maybe(chosen.then_some(Message::Send));
        let all = [everybody, Some(send)].into_iter().flatten();
        column![files.spacing(GRID).align_y(Alignment::Center), list, super::buttons(all)].spacing(GAP).into()
    }
}
