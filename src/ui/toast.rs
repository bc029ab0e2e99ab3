//! Words in the corner: what happened, and at most one thing to do about it. Each goes by itself; one that needs an answer
//! stays longer. At most [`MOST`] are seen at once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use iced::widget::{column, container, keyed, row};
use iced::{Alignment, Element, Length};

use super::icon::Icon;
use super::theme::{HALF, Look, Size};
use super::widget::button::{self, Kind};
use super::widget::{card, label};
use crate::id::TransferId;
use crate::meeting::Command;

/// Seen at once; the oldest gives way.
pub const MOST: usize = 4;
/// How long a word stays.
const STAY: Duration = Duration::from_secs(6);
/// How long something to mend stays, or what failed.
const STAY_TO_MEND: Duration = Duration::from_secs(120);
/// How long something to answer stays.
const STAY_TO_ANSWER: Duration = Duration::from_secs(30);
/// Buttons do nothing for so long after toasts came or went: nobody presses what has just slid under the pointer.
const ARMED: Duration = Duration::from_millis(500);

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
    /// Open the settings where devices are chosen.
    Devices,
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
        // Words of others may hold a hundred line breaks.
        Self { tone, words: super::text::in_one_line(&words.into()), action: None }
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
    moved: Option<Instant>,
}

impl Toasts {
    /// Shows one more. The same words twice are one, and so are lines of the chat: the newest is seen.
    pub fn push(&mut self, now: Instant, toast: Toast) {
        let chat = |toast: &Toast| matches!(toast.action, Some((_, Does::Panel(super::choices::Panel::Chat))));
        self.shown.retain(|(_, _, shown)| *shown != toast && !(chat(shown) && chat(&toast)));
        let stay = match &toast.action {
            // What went wrong, and where to mend it: read in peace.
            Some((_, Does::Settings | Does::Devices | Does::Doctor)) => STAY_TO_MEND,
            _ if toast.tone == Tone::Danger => STAY_TO_MEND,
            Some((_, Does::Command(_))) => STAY_TO_ANSWER,
            _ => STAY,
        };
        self.next += 1;
        self.shown.push_back((self.next, now + stay, toast));
        while self.shown.len() > MOST {
            self.shown.pop_front();
        }
        self.moved = Some(now);
    }

    /// Takes away what `panel`, which is open now, shows itself.
    pub fn forget(&mut self, panel: super::choices::Panel) {
        use super::choices::Panel;
        self.shown.retain(|(_, _, toast)| match &toast.action {
            Some((_, Does::Panel(of))) => *of != panel,
            Some((_, Does::Command(Command::AcceptFile(_)))) => !matches!(panel, Panel::Chat | Panel::Files),
            _ => true,
        });
    }

    /// Takes away the question about this offer: it was answered, here or by the rule.
    pub fn answered(&mut self, transfer: TransferId) {
        let asks = Does::Command(Command::AcceptFile(transfer));
        self.shown.retain(|(_, _, toast)| toast.action.as_ref().is_none_or(|(_, does)| *does != asks));
    }

    /// Takes away what was seen long enough. True when something went.
    pub fn expire(&mut self, now: Instant) -> bool {
        let before = self.shown.len();
        self.shown.retain(|(_, until, _)| *until > now);
        if before != self.shown.len() {
            self.moved = Some(now);
        }
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
    pub fn view(&self, look: Look, now: Instant) -> Element<'_, Message> {
        let c = look.colours;
        let armed = self.moved.is_none_or(|moved| now.saturating_duration_since(moved) >= ARMED);
        let all = self.shown.iter().map(|(id, _, toast)| {
            let (icon, colour) = match toast.tone {
                Tone::Plain => (Icon::Info, c.accent),
                Tone::Good => (Icon::Check, c.good),
                Tone::Caution => (Icon::Warning, c.caution),
                Tone::Danger => (Icon::Warning, c.danger),
            };
            let act = toast.action.as_ref().map(|(words, _)| {
                let act = button::with_words(look, Kind::Plain, words.clone()).small().id(format!("toast-{id}"));
                Element::from(act.on_press_maybe(armed.then_some(Message::Act(*id))))
            });
            let close = button::with_icon(look, Kind::Quiet, Icon::Close, super::text::CLOSE)
                .small()
                .id(format!("dismiss-{id}"))
                .on_press(Message::Dismiss(*id));
            // The first line stands beside the middle of the cross.
            let beside = [look.scaled(6.0), 0.0];
            let words = column![label(look, toast.words.clone()), act].spacing(8).width(Length::Fill).padding(beside);
            let icon = container(icon.coloured(look, Size::Large, colour)).padding(beside);
            let inside = row![icon, words, close].spacing(12).align_y(Alignment::Start);
            let box_ = container(inside)
                .padding([6, 12])
                .width(look.scaled(360.0))
                .style(move |_| card::filled(c.raised, Some(c.line), 8.0));
            (*id, box_.into())
        });
        // Each under its number: where one goes, the next one does not inherit the keyboard.
        keyed::Column::with_children(all).spacing(HALF * 2.0).into()
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
    fn lines_of_the_chat_are_one_and_go_when_it_opens() {
        use crate::ui::choices::Panel;
        let start = crate::clock::now();
        let mut toasts = Toasts::default();
        for words in ["one", "two\n\n\nlines"] {
            toasts.push(start, Toast::new(Tone::Plain, words).with("Show", Does::Panel(Panel::Chat)));
        }
        toasts.push(start, Toast::new(Tone::Plain, "a file").with("Show", Does::Panel(Panel::Files)));
        assert_eq!(toasts.shown.len(), 2);
        assert_eq!(toasts.shown[0].2.words, "two lines");
        toasts.forget(Panel::Chat);
        assert_eq!(toasts.shown.len(), 1);
        assert!(toasts.expire(start + STAY), "a button alone needs no answer");
    }

    #[test]
    fn what_has_just_moved_takes_no_click() {
        let start = crate::clock::now();
        let mut toasts = Toasts::default();
        toasts.push(start, Toast::new(Tone::Plain, "x").with("Settings", Does::Settings));
        let press = |now| {
            let mut see = iced_test::simulator(toasts.view(Look::default(), now));
            let _ = see.click("Settings");
            see.into_messages().count()
        };
        assert_eq!((press(start), press(start + ARMED)), (0, 1));
    }

    #[test]
    fn what_slides_under_the_keyboard_is_not_pressed_by_it() {
        use iced::keyboard::key::Named;
        use iced_test::runtime::{UserInterface, user_interface::Cache};
        let start = crate::clock::now();
        let mut toasts = Toasts::default();
        toasts.push(start, Toast::new(Tone::Plain, "first").with("Settings", Does::Settings));
        toasts.push(start, Toast::new(Tone::Plain, "second").with("Devices", Does::Devices));
        let size = iced::Size::new(400.0, 400.0);
        let mut renderer = crate::ui::snapshot::renderer();
        let mut ui =
            UserInterface::build(toasts.view(Look::default(), start + ARMED), size, Cache::default(), &mut renderer);
        let mut focus = iced::advanced::widget::operation::focusable::focus::<()>("toast-1".into());
        ui.operate(&renderer, &mut focus);
        let enter = || {
            iced::Event::Keyboard(iced::keyboard::Event::KeyPressed {
                key: iced::keyboard::Key::Named(Named::Enter),
                modified_key: iced::keyboard::Key::Named(Named::Enter),
                physical_key: iced::keyboard::key::Physical::Code(iced::keyboard::key::Code::Enter),
                location: iced::keyboard::Location::Standard,
                modifiers: iced::keyboard::Modifiers::empty(),
                text: None,
                repeat: false,
            })
        };
        let press = |ui: &mut UserInterface<'_, Message, iced::Theme, iced::Renderer>,
                     renderer: &mut iced::Renderer| {
            let mut messages = Vec::new();
            let mut clipboard = iced::advanced::clipboard::Null;
            let _ = ui.update(&[enter()], iced::mouse::Cursor::Unavailable, renderer, &mut clipboard, &mut messages);
            messages.len()
        };
        assert_eq!(press(&mut ui, &mut renderer), 1, "it has the keyboard");
        let cache = ui.into_cache();
        toasts.update(Message::Dismiss(1));
        let mut ui = UserInterface::build(toasts.view(Look::default(), start + ARMED * 2), size, cache, &mut renderer);
        assert_eq!(press(&mut ui, &mut renderer), 0, "another one stands there now");
    }

    #[test]
    fn a_button_gives_its_action_once() {
        let mut toasts = Toasts::default();
        toasts.push(crate::clock::now(), Toast::new(Tone::Plain, "x").with("Settings", Does::Devices));
        assert_eq!(toasts.update(Message::Act(1)), Some(Does::Devices));
        assert_eq!(toasts.update(Message::Act(1)), None);
    }
}
