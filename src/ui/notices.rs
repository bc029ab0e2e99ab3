//! What is said of what happened: the toast, and the dialog that an event opens at once.

use super::action::Action;
use super::choices::Panel;
use super::dialog::Dialog;
use super::model::Notice;
use super::text;
use super::toast::{Does, Toast, Tone};
use crate::meeting::{Command, Direction, Event, FileStage};

/// The dialog that an event opens.
pub fn dialog_for(_event: &Event) -> Option<Dialog> {
    None
}

/// The word in the corner, if one is due.
pub fn toast(notice: &Notice) -> Option<Toast> {
    Some(match notice {
        Notice::Joined(person) => Toast::new(Tone::Plain, text::joined(person.name.as_str())),
        Notice::Left(person, reason) => Toast::new(Tone::Plain, text::has_left(person.name.as_str(), *reason)),
        Notice::Said { from, text: words, private } => {
            Toast::new(Tone::Plain, text::said(from.name.as_str(), words, *private))
                .with(text::SHOW, Does::Panel(Panel::Chat))
        }
        Notice::Offered(file) => Toast::new(Tone::Plain, text::offered(file))
            .with(text::ACCEPT, Does::Command(Command::AcceptFile(file.transfer))),
        Notice::Ended(file) => match (&file.stage, file.direction) {
            (FileStage::Done { path, .. }, Direction::In) => {
                Toast::new(Tone::Good, text::received(file)).with(text::OPEN_FOLDER, Does::Reveal(path.clone()))
            }
            (FileStage::Done { .. }, Direction::Out) => Toast::new(Tone::Good, text::delivered_file(file)),
            (FileStage::Declined, Direction::Out) => Toast::new(Tone::Caution, text::declined(file)),
            (FileStage::Failed { reason, .. }, _) => {
                Toast::new(Tone::Danger, text::file_failed(file, reason)).with(text::SHOW, Does::Panel(Panel::Files))
            }
            _ => return None,
        },
        Notice::Warning(warning) => Toast::new(Tone::Caution, text::warning(warning)),
    })
}

/// What a toast's button asks of the root.
pub fn perform(does: Does) -> Action {
    match does {
        Does::Command(command) => Action::Engine(command),
        Does::Panel(panel) => Action::ShowPanel(panel),
        Does::Reveal(path) => Action::Reveal(path),
        Does::Settings => Action::Settings(true),
        Does::Doctor => Action::Doctor,
    }
}
