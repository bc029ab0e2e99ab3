//! Words in the corner: what happened, and at most one thing to do about it. Each goes by itself; one that needs an answer
//! stays longer. At most [`MOST`] are seen at once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use iced::widget::{Column, column, container, row};
use iced::{Alignment, Element, Length};

use super::icon::Icon;
use super::theme::{HALF, Look, Size};
use super::widget::button::{self, Kind};
use super::widget::{card, label};
use crate::meeting::Command;

/// Seen at once; the oldest gives way.
pub const MOST: usize = 4;
/// How long a word stays.
const STAY: Duration = Duration::from_secs(6);
/// How long something to answer stays.
const STAY_TO_ANSWER: Duration = Duration::from_secs(30);

/// How it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// News.
    Plain,
    /// Something went well.
    Good,
    /// Something is worth a look.
    Caution,
    /// Something failed.
    Danger,
}

/// What its button does.
#[derive(Debug, Clone, PartialEq)]
pub enum Does {
    /// A command to the engine.
    Command(Command),
    /// Show a panel of the meeting.
    Panel(super::choices::Panel),
    /// Show a file in the file manager.
    Reveal(std::path::PathBuf),
    /// Open the settings.
    Settings,
    /// Look at the network.
    Doctor,
}

/// One word.
#[derive(Debug, Clone, PartialEq)]
pub struct Toast {
    /// How it looks.
    pub tone: Tone,
    /// One or two sentences.
    pub words: String,
    /// The word on its button, and what that does.
    pub action: Option<(String, Does)>,
}

impl Toast {
    /// A word without a button.
    pub fn new(tone: Tone, words: impl Into<String>) -> Self {
        Self { tone, words: words.into(), action: None }
    }

    /// With a button.
    #[must_use]
    pub fn with(mut self, words: impl Into<String>, does: Does) -> Self {
        self.action = Some((words.into(), does));
        self
    }
}

/// What was pressed.
#[derive(Debug, Clone)]
pub enum Message {
    /// The button of this one.
    Act(u64),
    /// Its cross.
    Dismiss(u64),
}

/// All that are seen.
#[derive(Debug, Default)]
pub struct Toasts {
    // At most MOST.
    shown: VecDeque<(u64, Instant, Toast)>,
    next: u64,
}

impl Toasts {
    /// Shows one more. The same words twice are one.
    pub fn push(&mut self, now: Instant, toast: Toast) {
        self.shown.retain(|(_, _, shown)| *shown != toast);
        let stay = if toast.action.is_some() { STAY_TO_ANSWER } else { STAY };
        self.next += 1;
        self.shown.push_back((self.next, now + stay, toast));
        while self.shown.len() > MOST {
            self.shown.pop_front();
        }
    }

    /// Takes away what was seen long enough. True when something went.
    pub fn expire(&mut self, now: Instant) -> bool {
        let before = self.shown.len();
        self.shown.retain(|(_, until, _)| *until > now);
        before != self.shown.len()
    }

    /// Nothing is shown.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// What a press means for the root.
    pub fn update(&mut self, message: Message) -> Option<Does> {
        let (Message::Act(id) | Message::Dismiss(id)) = message;
        let at = self.shown.iter().position(|(shown, ..)| *shown == id)?;
        let (_, _, toast) = self.shown.remove(at)?;
        if matches!(message, Message::Act(_)) { toast.action.map(|(_, does)| does) } else { None }
    }

    /// The corner.
    pub fn view(&self, look: Look) -> Element<'_, Message> {
        let c = look.colours;
        let all = self.shown.iter().map(|(id, _, toast)| {
            let (icon, colour) = match toast.tone {
                Tone::Plain => (Icon::Info, c.accent),
                Tone::Good => (Icon::Check, c.good),
                Tone::Caution => (Icon::Warning, c.caution),
                Tone::Danger => (Icon::Warning, c.danger),
            };
            let act = toast.action.as_ref().map(|(words, _)| {
                let act = button::with_words(look, Kind::Plain, words.clone()).small().id(format!("toast-{id}"));
                Element::from(act.on_press(Message::Act(*id)))
            });
            let close = button::with_icon(look, Kind::Quiet, Icon::Close, super::text::CLOSE)
                .small()
                .id(format!("dismiss-{id}"))
                .on_press(Message::Dismiss(*id));
            let words = column![label(look, toast.words.clone()), act].spacing(8).width(Length::Fill);
            let inside =
                row![icon.coloured(look, Size::Large, colour), words, close].spacing(12).align_y(Alignment::Start);
            container(inside)
                .padding([12, 12])
                .width(look.scaled(360.0))
                .style(move |_| card::filled(c.raised, Some(c.line), 8.0))
                .into()
        });
        Column::with_children(all).spacing(HALF * 2.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_by_themselves_and_never_pile_up() {
        let start = crate::clock::now();
        let mut toasts = Toasts::default();
        for n in 0..10 {
            toasts.push(start, Toast::new(Tone::Plain, format!("{n}")));
        }
        assert_eq!(toasts.shown.len(), MOST);
        toasts.push(start, Toast::new(Tone::Plain, "9"));
        assert_eq!(toasts.shown.len(), MOST);
        assert!(!toasts.expire(start + Duration::from_secs(5)));
        assert!(toasts.expire(start + Duration::from_secs(7)));
        assert!(toasts.is_empty());
    }

    #[test]
    fn a_button_gives_its_action_once() {
        let mut toasts = Toasts::default();
        toasts.push(crate::clock::now(), Toast::new(Tone::Plain, "x").with("Settings", Does::Settings));
        assert_eq!(toasts.update(Message::Act(1)), Some(Does::Settings));
        assert_eq!(toasts.update(Message::Act(1)), None);
    }
}
