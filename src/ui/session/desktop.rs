//! What the desktop does for us: file dialogs, the file manager, notifications.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use iced::Task;

use super::super::alerts::{Alerts, Kind, Show};
use super::super::app::Message;
use super::super::model::Notice;
use super::super::text;
use super::super::toast::{Toast, Tone};
use super::{Outcome, Pasted, blocking};
use crate::clock;

fn say(tone: Tone, words: String) -> Message {
    Message::Done(Outcome::Say(Toast::new(tone, words)))
}

/// What became of a dialog of the desktop.
enum Asked<T> {
    Chosen(T),
    Cancelled,
    /// It never opened: there is no portal and no other program for it.
    Missing,
}

/// Nobody cancels a dialog faster.
const FASTEST: Duration = Duration::from_millis(250);

async fn asked<T>(dialog: impl Future<Output = Option<T>>) -> Asked<T> {
    let began = clock::now();
    match dialog.await {
        Some(chosen) => Asked::Chosen(chosen),
        None if clock::now().saturating_duration_since(began) < FASTEST => Asked::Missing,
        None => Asked::Cancelled,
    }
}

/// Asks for files to send to `to`.
pub fn pick_files(to: Vec<String>) -> Task<Message> {
    let dialog = rfd::AsyncFileDialog::new().set_title(text::CHOOSE_FILES);
    Task::perform(asked(dialog.pick_files()), move |files| match files {
        Asked::Chosen(files) if !files.is_empty() => {
            let paths: Vec<PathBuf> = files.iter().map(|file| file.path().to_owned()).collect();
            Message::Done(Outcome::Picked(paths, to.clone()))
        }
        Asked::Chosen(_) | Asked::Cancelled => Message::Done(Outcome::Nothing),
        Asked::Missing => say(Tone::Caution, text::files::NO_CHOOSER.to_owned()),
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
    Task::perform(asked(dialog.pick_folder()), |folder| match folder {
        Asked::Chosen(folder) => Message::Done(Outcome::Folder(folder.path().to_owned())),
        Asked::Cancelled => Message::Done(Outcome::Nothing),
        Asked::Missing => say(Tone::Caution, text::files::NO_FOLDER_CHOOSER.to_owned()),
    })
}

/// Saves `content` where the person says, or where drops land when nobody can be asked.
pub fn save_as(content: String, name: String) -> Task<Message> {
    let dialog = rfd::AsyncFileDialog::new().set_file_name(&name);
    let run = async move {
        let path = match asked(dialog.save_file()).await {
            Asked::Chosen(file) => Some(file.path().to_owned()),
            Asked::Cancelled => return None,
            Asked::Missing => None,
        };
        blocking(move || match path {
            Some(path) => (path.display().to_string(), std::fs::write(&path, content)),
            None => save_beside(&name, &content),
        })
        .await
    };
    Task::perform(run, |result| match result {
        Some((path, Ok(()))) => say(Tone::Good, text::saved(&path)),
        Some((path, Err(error))) => say(Tone::Danger, text::not_written(&path, &error)),
        None => Message::Done(Outcome::Nothing),
    })
}

/// Writes into the Downloads folder, never over another file.
fn save_beside(name: &str, content: &str) -> (String, std::io::Result<()>) {
    let folder = crate::platform::default_downloads().unwrap_or_else(std::env::temp_dir);
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, "txt"));
    let mut last = (folder.join(name), Err(std::io::ErrorKind::AlreadyExists.into()));
    for number in 1..100 {
        let name = if number == 1 { name.to_owned() } else { format!("{stem} ({number}).{ending}") };
        let path = folder.join(name);
        let written = std::fs::File::create_new(&path).and_then(|mut file| file.write_all(content.as_bytes()));
        let taken = matches!(&written, Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists);
        last = (path, written);
        if !taken {
            break;
        }
    }
    (last.0.display().to_string(), last.1)
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

/// The notifications of the desktop: [`Alerts`] decides, and each takes the place of the one of its kind. A desktop
/// without any is fine.
#[derive(Debug, Default)]
pub struct Notifier {
    alerts: Alerts,
    // What the desktop calls the last one of each kind.
    shown: BTreeMap<Kind, u32>,
}

impl Notifier {
    /// Something happened while the window is not in front.
    pub fn on_notice(&mut self, notice: &Notice) -> Task<Message> {
        let next = self.alerts.on_notice(clock::now(), notice);
        self.show(next)
    }

    /// One was shown, under this number, and the pause after it is over.
    pub fn on_shown(&mut self, kind: Kind, id: Option<u32>) -> Task<Message> {
        self.shown.extend(id.map(|id| (kind, id)));
        let next = self.alerts.on_shown(clock::now(), kind);
        self.show(next)
    }

    /// The window came to the front.
    pub fn on_seen(&mut self) {
        self.alerts.on_seen();
    }

    fn show(&self, next: Option<Show>) -> Task<Message> {
        let Some(show) = next else { return Task::none() };
        let replaces = self.shown.get(&show.kind).copied();
        notify(show, replaces)
    }
}

fn notify(show: Show, replaces: Option<u32>) -> Task<Message> {
    let Show { kind, title, body, pause } = show;
    let run = async move {
        let id = blocking(move || post(&title, &body, replaces)).await.flatten();
        tokio::time::sleep(pause).await;
        id
    };
    Task::perform(run, move |id| Message::Done(Outcome::Notified(kind, id)))
}

/// Gives it to the desktop. The number it has there, where notifications have one.
fn post(title: &str, body: &str, replaces: Option<u32>) -> Option<u32> {
    let body = if MARKUP { escaped(&text::in_one_line(body)) } else { text::in_one_line(body) };
    let mut notification = notify_rust::Notification::new();
    notification.appname(text::APP).summary(&text::in_one_line(title)).body(&body);
    if let Some(id) = replaces {
        notification.id(id);
    }
    match notification.show() {
        #[cfg(all(unix, not(target_os = "macos")))]
        Ok(shown) => Some(shown.id()),
        #[cfg(not(all(unix, not(target_os = "macos"))))]
        Ok(_) => None,
        Err(error) => {
            tracing::debug!(%error, "no notification");
            None
        }
    }
}

/// The desktop reads bodies as markup (Desktop Notifications, 3.1): what a peer says must not be a link or a picture there.
const MARKUP: bool = cfg!(all(unix, not(target_os = "macos")));

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_is_no_markup_and_one_line() {
        let said = "<a href='http://x'>\u{a0}Tom & Ada\n\r\tcall</a> &lt;b&gt;";
        assert_eq!(
            escaped(&text::in_one_line(said)),
            "&lt;a href='http://x'&gt; Tom &amp; Ada call&lt;/a&gt; &amp;lt;b&amp;gt;"
        );
    }
}
