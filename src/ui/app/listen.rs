//! What the window listens to.

use std::time::Duration;

use iced::{Subscription, window};

use super::{App, Message, Screen};
use crate::ui::dialog::Dialog;
use crate::ui::{keys, session};

/// From one ring to the next.
const RING_EVERY: Duration = Duration::from_secs(3);

/// How often it is looked whether what rests is to be live again.
const WAKE: Duration = Duration::from_millis(100);

impl App {
    /// What the window listens to. Nothing ticks while nothing moves.
    pub fn subscription(&self) -> Subscription<Message> {
        let mut all = vec![
            iced::event::listen_with(keys::listen),
            window::events().map(|(_, event)| Message::Window(event)),
            iced::system::theme_changes().map(|mode| Message::Light(mode == iced::theme::Mode::Light)),
            self.session.events(),
            self.session.pictures(),
        ];
        if matches!(self.screen, Screen::Meeting(_)) {
            all.extend([self.session.speaking(), self.session.drawn()]);
        }
        if self.start.map.is_some() {
            all.push(iced::time::every(Duration::from_millis(150)).map(|_| Message::MapDue));
        }
        if self.dialogs.iter().any(|dialog| matches!(dialog, Dialog::Ring(_))) {
            all.push(iced::time::every(RING_EVERY).map(|_| Message::Ring));
        }
        if !self.is_armed() {
            // Its buttons come alive by themselves.
            all.push(iced::time::every(WAKE).map(Message::Tick));
        }
        let in_settings = self.settings.as_ref().is_some_and(|settings| settings.shows_devices());
        let in_lobby = matches!(&self.screen, Screen::Lobby(lobby) if lobby.shows_devices());
        if in_settings || in_lobby {
            all.push(session::watch_devices());
        }
        all.extend(self.pace().map(|pace| iced::time::every(pace).map(Message::Tick)));
        Subscription::batch(all)
    }

    /// How often time is wanted; `None` while nothing moves by itself.
    pub(super) fn pace(&self) -> Option<Duration> {
        let pace = match &self.screen {
            Screen::Meeting(screen) => screen.pace(&self.model, &self.choices, self.now),
            Screen::Lobby(lobby) => lobby.pace(&self.model, &self.session),
        };
        if self.toasts.is_empty() { pace } else { Some(pace.unwrap_or(Duration::from_millis(500))) }
    }
}
