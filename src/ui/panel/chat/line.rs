//! One line of the chat, and one file of it.

use iced::widget::{Column, column, container, mouse_area, row};
use iced::{Alignment, Element, Length, Padding, mouse};

use super::Message;
use crate::meeting::Person;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::chat::{File, Line};
use crate::ui::model::meeting::Meeting;
use crate::ui::panel::{name_of, names_of, transfer};
use crate::ui::text::chat as text;
use crate::ui::theme::{HALF, Look, RADIUS};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::filled;
use crate::ui::widget::emoji::written;
use crate::ui::widget::focus::Focus;
use crate::ui::widget::label::{quiet, strong};
use crate::ui::{app, when};

/// The circle of a person, and the space to what was said.
const CIRCLE: f32 = 28.0;
const BESIDE: f32 = 10.0;
/// Longer ones are folded.
const FOLD_CHARS: usize = 1200;
const FOLD_LINES: usize = 24;

/// How an entry stands among the others.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its key.
    pub key: u64,
    /// The first of its author: with name and time.
    pub head: bool,
    /// The last of its author: with what became of it.
    pub last: bool,
    /// It was pressed.
    pub chosen: bool,
    /// It is not to be folded.
    pub whole: bool,
}

/// The first link in a text: `http`, `https` or `letsmeet`, up to the next space.
pub fn link(words: &str) -> Option<&str> {
    let starts = ["https://", "http://", "letsmeet://"];
    let link = words.split_whitespace().find_map(|word| {
        let at = starts.iter().filter_map(|start| word.find(start)).min()?;
        Some(&word[at..])
    })?;
    let link = link.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '"', '\'', '>']);
    starts.iter().all(|start| link.len() > start.len() || !link.starts_with(start)).then_some(link)
}

/// The beginning of a long text; `None` when it is short enough.
fn folded(words: &str) -> Option<String> {
    let end = words.char_indices().nth(FOLD_CHARS).map(|(at, _)| at);
    let line = words.match_indices('\n').nth(FOLD_LINES).map(|(at, _)| at);
    let end = end.into_iter().chain(line).min()?;
    Some(format!("{}…", &words[..end]))
}

/// A line.
pub fn line<'a>(context: Context<'a>, meeting: &'a Meeting, line: &'a Line, place: Place) -> Element<'a, Message> {
    let look = context.look;
    let c = look.colours;
    let private = line.only().is_some();
    let short = if place.whole { None } else { folded(&line.text) };
    let is_folded = short.is_some();
    let words = written(look, short.as_deref().unwrap_or(&line.text));
    let edge = match (place.chosen, private) {
        (true, _) => Some(c.accent),
        (false, true) => Some(c.private_line),
        (false, false) => None,
    };
    let ground = if private { c.private } else { c.raised };
    let bubble = container(words).padding([6, 10]).style(move |_| filled(ground, edge, RADIUS));
    let press = Message::Choose(place.key);
    let bubble = mouse_area(bubble).on_press(press.clone()).interaction(mouse::Interaction::Pointer);
    let mut below = column![Focus::new(look, bubble).id(format!("line-{}", place.key)).on_activate(Some(press))];
    if is_folded {
        let all = button::with_words(look, Kind::Quiet, text::SHOW_ALL).small().id(format!("whole-{}", place.key));
        below = below.push(all.on_press(Message::Whole(place.key)));
    }
    if place.chosen {
        below = below.push(actions(look, line));
    }
    if place.last && line.from.is_none() {
        let delivered = names_of(meeting, &line.delivered);
        below = below.push(quiet(look, text::delivery(&delivered, line.expected)));
    }
    let only = line.only().map(|people| {
        let me = context.model.me.as_ref().map(|me| me.peer);
        let mut others: Vec<Person> = people.iter().filter(|person| Some(person.peer) != me).cloned().collect();
        others.extend(line.from.clone());
        text::only_you_and(&names_of(meeting, &others))
    });
    framed(context, meeting, line.from.as_ref(), line.sent_at, only, below.spacing(HALF), place)
}

/// What can be done with a line.
fn actions<'a>(look: Look, line: &Line) -> Element<'a, Message> {
    let small = |icon, words: &str, id: &'static str, message| {
        Element::from(button::with_words(look, Kind::Plain, words).icon(icon).small().id(id).on_press(message))
    };
    let mut all = vec![small(Icon::Copy, text::COPY, "line-copy", Message::Copy(line.text.clone()))];
    if let Some(link) = link(&line.text) {
        all.push(small(Icon::Link, text::COPY_LINK, "line-copy-link", Message::Copy(link.to_owned())));
    }
    if let Some(from) = &line.from {
        all.push(small(Icon::Lock, text::REPLY, "line-reply", Message::OnlyTo(from.clone())));
    }
    iced::widget::Row::with_children(all).spacing(HALF).wrap().vertical_spacing(HALF).into()
}

/// A file.
pub fn file<'a>(context: Context<'a>, meeting: &'a Meeting, file: &'a File, place: Place) -> Element<'a, Message> {
    let look = context.look;
    let mut below = column![transfer::entry(look, &context.model.transfers, file).map(Message::Transfer)];
    if file.mine {
        let people: Vec<Person> = file.transfers.iter().map(|(_, person)| person.clone()).collect();
        let to = crate::ui::text::files::to(&text::names(&names_of(meeting, &people)));
        below = below.push(quiet(look, to));
    }
    let from = if file.mine { None } else { file.transfers.first().map(|(_, person)| person) };
    framed(context, meeting, from, file.at, None, below.spacing(HALF), place)
}

/// An entry beside the circle of its author, under name and time where it is the first.
fn framed<'a>(
    context: app::Context<'a>,
    meeting: &Meeting,
    from: Option<&Person>,
    at: u64,
    only: Option<String>,
    below: Column<'a, Message>,
    place: Place,
) -> Element<'a, Message> {
    let look = context.look;
    let side = look.scaled(CIRCLE);
    if !place.head {
        let padding = Padding { top: HALF, left: side + BESIDE, ..Padding::ZERO };
        return container(below).padding(padding).width(Length::Fill).into();
    }
    let (name, who) = match from {
        Some(person) => (name_of(meeting, person), Some(person)),
        None => (text::YOU.to_owned(), context.model.me.as_ref()),
    };
    let circle = match who {
        Some(person) => crate::ui::widget::avatar(look, person.name.as_str(), person.peer, CIRCLE),
        None => iced::widget::space().width(side).into(),
    };
    let only = only.map(|words| quiet(look, words).color(look.colours.private_text));
    let head = row![strong(look, name), quiet(look, when::told(at)), only];
    let head = head.spacing(8).align_y(Alignment::Center).wrap();
    let inside = row![circle, column![Element::from(head), below].spacing(HALF).width(Length::Fill)].spacing(BESIDE);
    container(inside).padding(Padding { top: 16.0, ..Padding::ZERO }).width(Length::Fill).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_found_without_what_stands_around_it() {
        let check = |words: &str, expect: Option<&str>| assert_eq!(link(words), expect, "{words}");
        check("see (https://example.org/a?b=c), or not", Some("https://example.org/a?b=c"));
        check("letsmeet://join?room=x", Some("letsmeet://join?room=x"));
        check("http://", None);
        check("javascript:alert(1)", None);
        check("পড়ো https://example.org।", Some("https://example.org।"));
        check("no link", None);
    }

    #[test]
    fn long_text_is_folded_between_characters() {
        assert_eq!(folded("short\nlines"), None);
        let long = "李".repeat(FOLD_CHARS + 1);
        assert_eq!(folded(&long).map(|words| words.chars().count()), Some(FOLD_CHARS + 1));
        let lines = "a\n".repeat(FOLD_LINES + 10);
        assert_eq!(folded(&lines).map(|words| words.lines().count()), Some(FOLD_LINES + 1));
    }
}
