//! What the desktop does for us: file dialogs, the file manager, notifications.

use std::path::PathBuf;

use iced::Task;

use super::super::app::Message;
use super::super::model::Notice;
use super::super::text;
use super::super::toast::{Toast, Tone};
use super::{Outcome, Pasted, blocking};

fn say(tone: Tone, words: String) -> Message {
    Message::Done(Outcome::Say(Toast::new(tone, words)))
}

/// Asks for files to send to `to`.
pub fn pick_files(to: Vec<String>) -> Task<Message> {
    let dialog = rfd::AsyncFileDialog::new().set_title(text::CHOOSE_FILES);
    Task::perform(dialog.pick_files(), move |files| {
        let paths: Vec<PathBuf> = files.unwrap_or_default().iter().map(|file| file.path().to_owned()).collect();
        Message::Done(if paths.is_empty() { Outcome::Nothing } else { Outcome::Picked(paths, to.clone()) })
    })
}

/// Looks what is on the clipboard: copied files, else text. Neither is nothing to say.
pub fn paste() -> Task<Message> {
    let look = || -> Option<Pasted> {
        let mut clipboard = arboard::Clipboard::new().ok()?;
        let files = clipboard.get().file_list().unwrap_or_default();
        if files.is_empty() { clipboard.get_text().ok().map(Pasted::Text) } else { Some(Pasted::Files(files)) }
    };
    Task::perform(blocking(look), |pasted| Message::Done(pasted.flatten().map_or(Outcome::Nothing, Outcome::Pasted)))
}

/// Asks for the folder where drops land.
pub fn pick_folder() -> Task<Message> {
    let dialog = rfd::AsyncFileDialog::new().set_title(text::CHOOSE_FOLDER);
    Task::perform(dialog.pick_folder(), |folder| {
        Message::Done(folder.map_or(Outcome::Nothing, |folder| Outcome::Folder(folder.path().to_owned())))
    })
}

/// Saves `content` where the person says.
pub fn save_as(content: String, name: String) -> Task<Message> {
    let dialog = rfd::AsyncFileDialog::new().set_file_name(name);
    let run = async move {
        let file = dialog.save_file().await?;
        let path = file.path().to_owned();
        let shown = path.display().to_string();
        blocking(move || std::fs::write(&path, content)).await.map(|result| (shown, result))
    };
    Task::perform(run, |result| match result {
        Some((path, Ok(()))) => say(Tone::Good, text::saved(&path)),
        Some((path, Err(error))) => say(Tone::Danger, text::not_written(&path, &error)),
        None => Message::Done(Outcome::Nothing),
    })
}

/// Shows a file or folder in the file manager.
pub fn reveal(path: PathBuf) -> Task<Message> {
    let folder = if path.is_dir() { path } else { path.parent().map_or_else(|| path.clone(), PathBuf::from) };
    let shown = folder.display().to_string();
    Task::perform(blocking(move || crate::platform::open(&folder)), move |result| match result {
        Some(Ok(())) => Message::Done(Outcome::Nothing),
        _ => say(Tone::Caution, text::cannot_open(&shown)),
    })
}

/// A notification of the desktop, for what happened while the window is not in front. A desktop without any is fine.
pub fn notify(notice: &Notice) -> Task<Message> {
    let Some((title, body)) = text::notification(notice) else { return Task::none() };
    let show = move || {
        let shown = notify_rust::Notification::new().appname(text::APP).summary(&title).body(&body).show();
        if let Err(error) = shown {
            tracing::debug!(%error, "no notification");
        }
    };
    Task::perform(blocking(show), |_| Message::Done(Outcome::Nothing))
}
