//! The window as a picture: the screen, and over it the settings, the toasts and the dialog on top.

use iced::widget::{container, keyed, stack};
use iced::{Element, Length};

use super::{App, Context, Message, Screen};
use crate::ui::theme::{BAR, PAD};
use crate::ui::widget::inert::inert;

impl App {
    /// The picture of it all.
    pub fn view(&self) -> Element<'_, Message> {
        let context = self.context();
        let screen = match &self.screen {
            Screen::Lobby(lobby) => lobby.view(context, &self.session).map(Message::Lobby),
            Screen::Meeting(screen) => screen.view(context).map(Message::Meeting),
        };
        let (settings, dialog) = (self.settings.is_some(), !self.dialogs.is_empty());
        // What a dialog left in sight by itself rests for a moment.
        let covered = dialog || !self.is_armed();
        let pages = self.settings.as_ref().map(|page| inert(page.view(context).map(Message::Settings), covered));
        // Each dialog under a name of its own: the next one does not inherit the keyboard of the one before.
        let asked = self.dialogs.last().map(|open| (open.key(), open.view(context).map(Message::Dialog)));
        let asked = dialog.then(|| keyed::Column::with_children(asked).width(Length::Fill).height(Length::Fill));
        // A layer that is not there keeps its place, or what lies above it would forget where its focus is.
        stack![
            inert(screen, settings || covered),
            pages,
            (!self.toasts.is_empty()).then(|| inert(self.corner(context), covered)),
            asked,
        ]
        .width(Length::Fill)
        .height(Length::Fill)
        .into()
    }

    /// The toasts, where they cover no control: lower left; beside a panel that covers everything, below its tabs.
    fn corner<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let toasts = container(self.toasts.view(context.look, self.now).map(Message::Toast));
        let bar = match &self.screen {
            Screen::Meeting(screen) if screen.panel_covers(context) => {
                let top = iced::Padding { top: context.look.scaled(96.0) + PAD, ..PAD.into() };
                return toasts.padding(top).align_right(Length::Fill).align_top(Length::Fill).into();
            }
            Screen::Meeting(_) if self.settings.is_none() => context.look.scaled(BAR),
            _ => 0.0,
        };
        let bottom = iced::Padding { bottom: bar + PAD, ..PAD.into() };
        toasts.padding(bottom).align_left(Length::Fill).align_bottom(Length::Fill).into()
    }
}
