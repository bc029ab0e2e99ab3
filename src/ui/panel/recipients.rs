//! To whom: everybody, or exactly some. Who was chosen stays chosen, also when they leave: a private line must never
//! become a public one by itself.

use iced::widget::{column, container, row, scrollable};
use iced::{Alignment, Element, Length};

use super::{name_of, names_of};
use crate::meeting::Person;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::meeting::Meeting;
use crate::ui::text::chat as text;
use crate::ui::theme::Size;
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::{filled, scrollbar, scroller};
use crate::ui::widget::focus::Focus;
use crate::ui::widget::label::{label, quiet, shortened};
use crate::ui::widget::{avatar, strong};

/// Who is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum To {
    /// The room.
    #[default]
    Everyone,
    /// Exactly these, in the order in which they were chosen. None is nobody: nothing can be sent.
    People(Vec<Person>),
}

/// The choice, and whether its list is open.
#[derive(Debug, Default)]
pub struct Recipients {
    to: To,
    open: bool,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The list opens or closes.
    Open(bool),
    /// Everybody.
    Everyone,
    /// One more, or one less.
    Toggle(Person),
}

impl Recipients {
    /// One thing that was done.
    pub fn update(&mut self, message: Message) {
        match message {
            Message::Open(open) => self.open = open,
            Message::Everyone => (self.to, self.open) = (To::Everyone, false),
            Message::Toggle(person) => {
                let mut people = match std::mem::take(&mut self.to) {
                    To::Everyone => Vec::new(),
                    To::People(people) => people,
                };
                match people.iter().position(|chosen| chosen.peer == person.peer) {
                    Some(at) => drop(people.remove(at)),
                    None => people.push(person),
                }
                self.to = To::People(people);
            }
        }
    }

    /// Only this person.
    pub fn only(&mut self, person: Person) {
        (self.to, self.open) = (To::People(vec![person]), false);
    }

    /// The list is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Who is chosen.
    pub fn to(&self) -> &To {
        &self.to
    }

    /// The same as WHO; `None` when it is nobody.
    pub fn who(&self) -> Option<Vec<String>> {
        match &self.to {
            To::Everyone => Some(Vec::new()),
            To::People(people) if people.is_empty() => None,
            To::People(people) => Some(people.iter().map(|person| person.peer.to_string()).collect()),
        }
    }

    /// The names of those who were chosen, if not all are.
    pub fn names(&self, meeting: &Meeting) -> Option<Vec<String>> {
        match &self.to {
            To::Everyone => None,
            To::People(people) => Some(names_of(meeting, people)),
        }
    }

    /// `To [Everyone v]`. `id` is the name of the button.
    pub fn button<'a>(&'a self, context: Context<'a>, meeting: &Meeting, id: &'static str) -> Element<'a, Message> {
        let look = context.look;
        let c = look.colours;
        let words = match self.names(meeting) {
            None => text::EVERYONE.to_owned(),
            Some(names) if names.is_empty() => text::NOBODY.to_owned(),
            Some(names) => shortened(&super::super::text::chat::names(&names), 24),
        };
        let private = self.to != To::Everyone;
        let colour = if private { c.private_text } else { c.text };
        let words = strong(look, words).color(colour).wrapping(iced::widget::text::Wrapping::None);
        let icon = if self.open { Icon::Up } else { Icon::Down };
        let inside = row![words, icon.coloured(look, Size::Body, c.quiet)].spacing(8).align_y(Alignment::Center);
        let (ground, line) = if private { (c.private, c.private_line) } else { (c.raised, c.line) };
        let button = iced::widget::button(inside)
            .padding([4, 10])
            .style(move |_, status| {
                let over = matches!(status, iced::widget::button::Status::Hovered);
                iced::widget::button::Style {
                    background: Some(ground.into()),
                    border: iced::Border { color: if over { c.quiet } else { line }, width: 1.0, radius: 8.0.into() },
                    text_color: c.text,
                    ..Default::default()
                }
            })
            .on_press(Message::Open(!self.open));
        let button = Focus::new(look, button).id(id).on_activate(Some(Message::Open(!self.open)));
        row![quiet(look, text::TO), button].spacing(8).align_y(Alignment::Center).into()
    }

    /// The open list.
    pub fn list<'a>(&'a self, context: Context<'a>, meeting: &Meeting) -> Option<Element<'a, Message>> {
        if !self.open {
            return None;
        }
        let look = context.look;
        let c = look.colours;
        let chosen: &[Person] = match &self.to {
            To::Everyone => &[],
            To::People(people) => people,
        };
        let choice = |words: Element<'a, Message>, on: bool, message: Message, id: String| -> Element<'a, Message> {
            let check = container(if on { Some(Icon::Check.coloured(look, Size::Body, c.accent)) } else { None })
                .width(look.scaled(20.0));
            let inside = row![check, words].spacing(8).align_y(Alignment::Center);
            let press = iced::widget::button(inside)
                .width(Length::Fill)
                .padding([6, 8])
                .style(move |_, status| {
                    let over = matches!(status, iced::widget::button::Status::Hovered);
                    iced::widget::button::Style {
                        background: over.then_some(c.line.into()),
                        border: iced::Border { radius: 8.0.into(), ..iced::Border::default() },
                        text_color: c.text,
                        ..Default::default()
                    }
                })
                .on_press(message.clone());
            Focus::new(look, press).id(id).on_activate(Some(message)).into()
        };
        let everyone = choice(
            label(look, text::EVERYONE).into(),
            self.to == To::Everyone,
            Message::Everyone,
            "to-everyone".to_owned(),
        );
        let mut lines = vec![everyone];
        for participant in meeting.in_order() {
            let person = &participant.person;
            let on = chosen.iter().any(|one| one.peer == person.peer);
            let name = name_of(meeting, person);
            let words = row![avatar(look, &name, person.peer, 24.0), label(look, name).width(Length::Fill)];
            let words = words.spacing(8).align_y(Alignment::Center).into();
            lines.push(choice(words, on, Message::Toggle(person.clone()), format!("to-{}", person.peer)));
        }
        for person in chosen.iter().filter(|person| !meeting.people.contains_key(&person.peer)) {
            let words = row![label(look, person.name.as_str()), quiet(look, text::GONE)];
            let words = words.spacing(8).align_y(Alignment::Center).into();
            lines.push(choice(words, true, Message::Toggle(person.clone()), format!("to-{}", person.peer)));
        }
        if meeting.people.is_empty() {
            lines.push(container(quiet(look, text::ALONE)).padding([6, 8]).into());
        }
        let done = button::with_words(look, Kind::Plain, super::super::text::CLOSE).small().wide();
        let done = done.id("to-close").on_press(Message::Open(false));
        let list = scrollable(column(lines).spacing(2)).style(scroller(look)).width(Length::Fill);
        let list = list.direction(scrollable::Direction::Vertical(scrollbar()));
        let list = container(list).max_height((context.size.height * 0.35).max(96.0));
        let inside = column![list, done].spacing(8);
        let card = container(inside).padding(8).width(Length::Fill);
        Some(card.style(move |_| filled(c.raised, Some(c.line), 8.0)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PeerId;
    use crate::share::DisplayName;

    fn person(number: u8) -> Person {
        Person { peer: PeerId::from_bytes([number; 32]), name: DisplayName::new("P") }
    }

    #[test]
    fn taking_the_last_one_away_is_nobody_and_never_everyone() {
        let mut recipients = Recipients::default();
        assert_eq!(recipients.who(), Some(Vec::new()));
        recipients.update(Message::Toggle(person(1)));
        recipients.update(Message::Toggle(person(2)));
        assert_eq!(recipients.who().map(|who| who.len()), Some(2));
        recipients.update(Message::Toggle(person(1)));
        recipients.update(Message::Toggle(person(2)));
        assert_eq!(recipients.who(), None);
        recipients.update(Message::Everyone);
        assert_eq!(recipients.who(), Some(Vec::new()));
    }
}
