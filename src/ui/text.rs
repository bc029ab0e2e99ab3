//! Sans-IO. Words shown to a person, in one place.

#[cfg(feature = "gui")]
pub mod dialogs;
#[cfg(feature = "gui")]
pub mod lobby;
#[cfg(feature = "gui")]
pub mod meeting;
#[cfg(feature = "gui")]
pub mod settings;

use crate::meeting::{CallEnd, Direction, Failure, FileEvent, LeftReason, Warning, WarningCode};
use crate::share::DisplayName;

pub mod chat;
pub mod files;
pub mod stats;

/// What follows "left".
pub const fn left(reason: LeftReason) -> &'static str {
    match reason {
        LeftReason::Goodbye => "",
        LeftReason::Timeout => " (connection lost)",
        LeftReason::Removed => " (removed)",
    }
}

/// How a call ended.
pub fn call_ended(name: &DisplayName, direction: Direction, reason: CallEnd) -> String {
    match (direction, reason) {
        (Direction::Out, CallEnd::Answered) => format!("* {name} answered"),
        (Direction::Out, CallEnd::Declined) => format!("* {name} declined the call"),
        (Direction::Out, CallEnd::Busy) => format!("* {name} is busy with another call"),
        (Direction::Out, CallEnd::Timeout) => format!("* {name} does not answer"),
        (Direction::Out, CallEnd::Cancelled) => format!("* the call to {name} was taken back"),
        (Direction::In, CallEnd::Answered) => format!("* you answered {name}"),
        (Direction::In, CallEnd::Declined) => format!("* you declined the call of {name}"),
        (Direction::In, CallEnd::Busy | CallEnd::Timeout) => format!("* you missed a call of {name}"),
        (Direction::In, CallEnd::Cancelled) => format!("* {name} calls no more"),
    }
}

/// A size with a unit, decimal as file managers show it.
pub fn bytes(count: u64) -> String {
    let (unit, name) = match count {
        0..1_000 => return format!("{count} B"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    format!("{}.{} {name}", count / unit, count % unit * 10 / unit)
}

/// The name of the program.
pub const APP: &str = "Lets Meet";
/// Closes a dialog, a toast or the settings.
pub const CLOSE: &str = "Close";
/// The title of the settings.
pub const SETTINGS: &str = "Settings";
/// The title of the sheet of shortcuts.
pub const SHORTCUTS: &str = "Keyboard";
/// Leaves the meeting.
pub const LEAVE: &str = "Leave";
/// Starts a meeting.
pub const START_MEETING: &str = "Start a meeting";
/// In the field for a meeting's name.
pub const MEETING_NAME: &str = "Name of the meeting";
/// Shows what a toast is about.
pub const SHOW: &str = "Show";
/// Accepts a file.
pub const ACCEPT: &str = "Accept";
/// Shows a file where it lies.
pub const OPEN_FOLDER: &str = "Open folder";
/// The title of a file dialog.
pub const CHOOSE_FILES: &str = "Choose files to send";
/// The title of a folder dialog.
pub const CHOOSE_FOLDER: &str = "Choose where files are saved";
/// The engine ended by itself.
pub const MEETING_ENDED: &str = "The meeting has ended here. Join again to go on.";

/// The lobby's engine is gone.
pub const LOBBY_ENDED: &str = "The lobby has ended by itself.";
/// What to do then.
pub const LOBBY_ENDED_HINT: &str =
    "Nobody sees you until you try again. If that does not help, start the program anew.";

/// Asked while no engine runs.
pub const NO_ENGINE: &str = "Nothing was done: the meeting or the lobby is still starting, or has ended.";
/// What to do then.
pub const NO_ENGINE_HINT: &str = "Try again in a moment.";

/// The file of the choices cannot be read.
pub const CHOICES_LOST: &str = "Your settings could not be read, so you are hidden and all is as at the first start. The old file is kept as \
     window.json.bad in the profile once something is chosen anew.";

/// What was chosen needs another start of the lobby, which would cut files off.
pub const AFTER_FILES: &str =
    "A file is on its way. The change takes effect at the next start, or when you come back from a meeting.";

/// A start that nobody waits for any more.
pub const GIVEN_UP: &str = "The start was given up.";

/// Another run of this profile has our seat.
pub const REPLACED: &str =
    "The meeting goes on where you opened it last with this profile: in another window, or on another computer.";

/// The title bar.
pub fn window_title(room: Option<&str>) -> String {
    room.map_or_else(|| APP.to_owned(), |room| format!("{room} - {APP}"))
}

/// Somebody came.
pub fn joined(name: &str) -> String {
    format!("{name} is here.")
}

/// Somebody went.
pub fn has_left(name: &str, reason: LeftReason) -> String {
    format!("{name} left{}.", left(reason))
}

/// Somebody said something.
pub fn said(name: &str, words: &str, private: bool) -> String {
    let words: String = words.chars().take(120).collect();
    if private { format!("{name}, only to you: {words}") } else { format!("{name}: {words}") }
}

/// A file is offered to us.
pub fn offered(file: &FileEvent) -> String {
    format!("{} wants to send you {} ({}).", file.person.name, file.file, bytes(file.size))
}

/// A file came.
pub fn received(file: &FileEvent) -> String {
    format!("{} from {} is here, whole and checked.", file.file, file.person.name)
}

/// A file went.
pub fn delivered_file(file: &FileEvent) -> String {
    format!("{} has {}, whole and checked.", file.person.name, file.file)
}

/// A file was refused.
pub fn declined(file: &FileEvent) -> String {
    format!("{} does not want {}.", file.person.name, file.file)
}

/// A file did not come whole. `reason` is from the closed list of the transfer machine.
pub fn file_failed(file: &FileEvent, reason: &str) -> String {
    format!("{}: {}", file.file, files::failed(reason))
}

/// What happened, and what to do.
pub fn failure(failure: &Failure) -> String {
    with_hint(&failure.message, &failure.hint)
}

/// Words of others without their line breaks, of which they may have a hundred.
pub fn in_one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What to do about a device that is not there.
pub const DEVICE_HINT: &str = "Plug one in, or choose another in the settings.";

/// What degraded, and what to do.
pub fn warning(warning: &Warning) -> String {
    let hint = match warning.code {
        // The engine's names the command line.
        WarningCode::NoCamera | WarningCode::NoMicrophone | WarningCode::NoSpeaker => DEVICE_HINT,
        _ => warning.hint.as_str(),
    };
    with_hint(&warning.message, hint)
}

fn with_hint(message: &str, hint: &str) -> String {
    if hint.is_empty() { message.to_owned() } else { format!("{message} {hint}") }
}

/// The choices could not be written.
pub fn not_saved(error: &std::io::Error) -> String {
    format!(
        "Your settings could not be saved ({error}). Check that there is space and that the profile may be written."
    )
}

/// A file was written.
pub fn saved(path: &str) -> String {
    format!("Saved to {path}.")
}

/// A file was not written.
pub fn not_written(path: &str, error: &std::io::Error) -> String {
    format!("{path} could not be written ({error}). Choose another folder.")
}

/// No file manager.
pub fn cannot_open(path: &str) -> String {
    format!("No file manager answers here. The folder is {path}.")
}

/// Title and body of a desktop notification, if `notice` deserves one.
#[cfg(feature = "gui")]
pub fn notification(notice: &super::model::Notice) -> Option<(String, String)> {
    use super::model::Notice;
    match notice {
        Notice::Said { from, text, private } => {
            let title = if *private { format!("{} (only to you)", from.name) } else { from.name.to_string() };
            Some((title, text.chars().take(200).collect()))
        }
        Notice::Offered(file) => Some((APP.to_owned(), offered(file))),
        Notice::Rings(from) => Some((APP.to_owned(), dialogs::calls(from.name.as_str()))),
        _ => None,
    }
}

/// Lines that came while nobody looked.
#[cfg(feature = "gui")]
pub fn many_messages(count: usize) -> String {
    format!("{count} new messages")
}

/// Files that were offered while nobody looked.
#[cfg(feature = "gui")]
pub fn many_offers(count: usize) -> String {
    format!("{count} files are offered to you")
}

/// Why an engine did not start.
#[cfg(feature = "gui")]
pub fn trouble(error: &crate::engine::Error) -> super::session::Trouble {
    use super::session::{Trouble, Way};
    use crate::engine::{Error, SocketError};
    let (hint, way) = match error {
        Error::Endpoint(SocketError::Taken(_)) => {
            ("Close the program that uses it, or choose another port in the settings, under Network.", Way::Settings)
        }
        Error::Endpoint(SocketError::NoInterface(_)) => {
            ("Plug it in or switch it on, or start Lets Meet with another interface.", Way::Doctor)
        }
        Error::Endpoint(SocketError::System(_)) => {
            ("Check that a network is up, and that no firewall keeps this program from it.", Way::Doctor)
        }
        Error::Endpoint(SocketError::Tls(_)) => {
            ("Restore the key of this profile from a copy, or start with another profile.", Way::Again)
        }
        Error::Media(_) => ("Choose another device in the settings.", Way::Settings),
        Error::NameTaken(name) => {
            return Trouble::new(settings::taken_since(name.as_str()), "").way(Way::Settings);
        }
        Error::Rendezvous(_) => {
            ("Check the address of the rendezvous in the settings, or go on without one.", Way::Settings)
        }
        Error::Invite(_) => ("Ask who invited you for a new link.", Way::Again),
        Error::State(_) => {
            ("Check that the disk is not full and that the profile folder may be read and written.", Way::Again)
        }
    };
    let message = error.to_string();
    // What follows in the words of the socket is for the command line.
    let message = match error {
        Error::Endpoint(_) => message.split("; ").next().unwrap_or_default(),
        _ => &message,
    };
    Trouble::new(sentence(message), hint).way(way)
}

/// With a capital first letter and a full stop.
#[cfg(feature = "gui")]
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "gui")]
    #[test]
    fn each_reason_for_no_socket_has_its_own_hint() {
        use crate::engine::{Error, SocketError};
        use crate::ui::session::Way;
        let refused = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let check = |error: SocketError, message: &str, way: Way| {
            let trouble = super::trouble(&Error::Endpoint(error));
            assert!(trouble.message.starts_with(message) && trouble.message.ends_with('.'), "{trouble:?}");
            assert!(!trouble.words().contains("--"), "no words of the command line: {trouble:?}");
            assert_eq!(trouble.way, way, "{trouble:?}");
            trouble.hint
        };
        let hints = std::collections::BTreeSet::from([
            check(SocketError::Taken(48_190), "UDP port 48190 is taken", Way::Settings),
            check(SocketError::NoInterface("eth9".to_owned()), "There is no network interface eth9", Way::Doctor),
            check(SocketError::System(refused), "The network cannot be used", Way::Doctor),
            check(SocketError::Tls("too short".to_owned()), "The identity key cannot be used", Way::Again),
        ]);
        assert_eq!(hints.len(), 4, "{hints:?}");
    }

    #[test]
    fn sizes_have_units() {
        let check = |count: u64, expect: &str| assert_eq!(super::bytes(count), expect);
        check(0, "0 B");
        check(999, "999 B");
        check(1_500, "1.5 kB");
        check(200_000_000, "200.0 MB");
        check(3_250_000_000, "3.2 GB");
    }
}
