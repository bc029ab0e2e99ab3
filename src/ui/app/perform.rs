//! What screens ask, done: the one place where an action becomes a change or a task.

use iced::Task;

use super::{App, Message, Screen};
use crate::clock;
use crate::meeting::Command;
use crate::share::DisplayName;
use crate::ui::action::Action;
use crate::ui::dialog::{self, Dialog};
use crate::ui::screen::settings;
use crate::ui::session::preview::Sound;
use crate::ui::session::{self, Goal};
use crate::ui::toast::{Toast, Tone};

impl App {
    /// Does what a screen asks.
    pub fn perform(&mut self, action: Action) -> Task<Message> {
        match action {
            Action::None => Task::none(),
            Action::Many(all) => Task::batch(all.into_iter().map(|action| self.perform(action)).collect::<Vec<_>>()),
            Action::Engine(command) => self.session.command(command),
            Action::Meet(meet) => self.go(Goal::Meeting(Box::new(meet))),
            Action::Leave => self.go(Goal::Lobby),
            Action::Open(dialog) => {
                let focus = dialog.first_focus();
                // One of a kind: two rings of one person are one.
                self.dialogs.retain(|open| !open.is_like(&dialog));
                self.top.asks = !dialog.comes_by_itself();
                self.dialogs.push(*dialog);
                focus.map_or_else(Task::none, iced::widget::operation::focus)
            }
            Action::Close => {
                self.top.asks = true;
                self.dialogs.pop();
                Task::none()
            }
            Action::Settings(open) => {
                self.settings = open.then(|| Box::new(settings::Settings::new(&self.choices, &self.model)));
                if open { session::list_devices() } else { Task::none() }
            }
            Action::Devices => {
                let settings = settings::Settings::new(&self.choices, &self.model);
                self.settings = Some(Box::new(settings.at(settings::Section::Devices)));
                session::list_devices()
            }
            Action::Choose(choices) => {
                let again = session::needs_restart(&self.choices, &choices) && matches!(self.screen, Screen::Lobby(_));
                self.choices = *choices;
                let save = self.session.save(&self.start, &self.choices);
                let save = Task::batch([save, self.session.rechoose(&self.choices)]);
                if again && self.model.transfers.run() {
                    // What runs is not cut off for it.
                    self.toasts.push(clock::now(), Toast::new(Tone::Caution, crate::ui::text::AFTER_FILES));
                    return save;
                }
                if again { Task::batch([save, self.go(Goal::Lobby)]) } else { save }
            }
            Action::PickFiles(to) => session::pick_files(to),
            Action::SendFiles(paths, to) => self.session.send_files(paths, &to),
            Action::Paste => session::paste(),
            Action::PickFolder => session::pick_folder(),
            Action::Reveal(path) => session::reveal(path),
            Action::Copy(words, about) => {
                self.toasts.push(clock::now(), Toast::new(Tone::Good, about));
                iced::clipboard::write(words)
            }
            Action::Save(content, name) => session::save_as(content, name),
            Action::ShowPanel(panel) => {
                let Screen::Meeting(screen) = &mut self.screen else { return Task::none() };
                let action = screen.open_panel(panel, &mut self.model);
                self.toasts.forget(panel);
                self.perform(action)
            }
            Action::Toast(toast) => {
                self.toasts.push(clock::now(), toast);
                Task::none()
            }
            Action::Focus(id) => iced::widget::operation::focus(id),
            Action::ScrollToEnd(id) => iced::widget::operation::snap_to_end(id),
            Action::Preview { camera, microphone } => self.session.preview(&self.choices, camera, microphone),
            Action::TestSound => self.session.sound(Sound::Test, &self.choices),
            Action::RecordSound => self.session.sound(Sound::Recording, &self.choices),
            Action::Check => self.session.check(&self.start, &self.choices, &mut self.model),
            Action::Doctor => {
                let open = self.perform(Action::Open(Box::new(Dialog::Doctor)));
                Task::batch([open, self.perform(Action::Check), session::check_devices()])
            }
            Action::Rename(name) => {
                self.start.launcher.call_me(&DisplayName::new(&name));
                let told = self.session.command(Command::Rename(name.clone()));
                Task::batch([told, session::rename(&self.start, &name)])
            }
            Action::Call(who, name) => {
                let calling = dialog::calling::Calling::new(who.clone(), name);
                let open = self.perform(Action::Open(Box::new(Dialog::Calling(calling))));
                Task::batch([open, self.session.command(Command::Call { who })])
            }
            Action::Again => self.go(Goal::Lobby),
            Action::ListDevices => session::list_devices(),
            Action::ListScreens => session::list_screens(),
            Action::ListInterfaces => session::list_interfaces(),
            Action::OwnWords => session::own_words(&self.model),
        }
    }
}
