//! What is said of what happened: the toast, and the dialog that an event opens at once.

use std::net::SocketAddr;

use super::action::{Action, Meet};
use super::choices::{Choices, Panel};
use super::dialog::{self, Dialog, incoming};
use super::model::{Model, Notice};
use super::session::{Trouble, Way};
use super::text;
use super::text::dialogs as words;
use super::text::{lobby, settings as words_of};
use super::toast::{Does, Toast, Tone};
use crate::id::{PeerId, RoomName};
use crate::meeting::{
    CallEnd, Code, Command, Direction, Event, Failure, FileStage, Person, Trust, Warning, WarningCode,
};

/// What an event asks for at once: a dialog opened or closed, a move into the room of a call.
pub fn at_once(event: &Event, model: &Model, choices: &Choices, dialogs: &mut Vec<Dialog>) -> Action {
    match event {
        Event::Ring { call, from, trust, room } => {
            Action::Open(Box::new(Dialog::Ring(incoming::Ring::new(*call, from.clone(), *trust, room.clone()))))
        }
        Event::CallEnded { call, person, direction, reason, room, connect } => {
            let who = person.peer.to_string();
            dialogs.retain(|dialog| {
                let to = matches!(dialog, Dialog::Calling(calling) if calling.is_to(&who) || calling.is_unknown_yet());
                // An answered ring goes with the answer to our own word, which still asks it for the name.
                let taken = *direction == Direction::In && *reason == CallEnd::Answered;
                !(dialog.is_of(*call) && !taken || to && *direction == Direction::Out)
            });
            let name = person.name.as_str();
            match direction {
                // From a meeting a call invites: the other one comes here.
                Direction::Out if *reason == CallEnd::Answered && model.meeting.is_none() => {
                    Action::Meet(call_to(room, connect, name, choices))
                }
                Direction::Out => words::call_ended(name, *reason)
                    .map_or(Action::None, |words| Action::Toast(Toast::new(Tone::Caution, words))),
                Direction::In if matches!(reason, CallEnd::Cancelled | CallEnd::Timeout) => {
                    Action::Toast(Toast::new(Tone::Plain, words::missed(name)))
                }
                Direction::In => Action::None,
            }
        }
        // In the lobby nobody has a seat yet: there the list says it.
        Event::Warning(warning @ Warning { code: WarningCode::VerifiedKeyChanged, person: Some(person), .. })
            if model.meeting.is_some() =>
        {
            key_changed(Some(warning), person, model, dialogs)
        }
        // The warning may be held back: a key that came and went is not warned about again and again.
        Event::Trust { person, trust: Trust::Changed } if model.meeting.is_some() => {
            key_changed(None, person, model, dialogs)
        }
        Event::Left { person, .. } => {
            decided(person.peer, dialogs);
            Action::None
        }
        Event::Trust { person, trust } if *trust != Trust::Changed => {
            decided(person.peer, dialogs);
            Action::None
        }
        _ => Action::None,
    }
}

/// Somebody comes with another key than the verified one. Only who sits here is worth a dialog, and one at a time: keys
/// cost nothing, and what is open is not to change under a hand that is about to press. All else is a word in the corner;
/// the list of people says it too.
fn key_changed(warning: Option<&Warning>, person: &Person, model: &Model, dialogs: &[Dialog]) -> Action {
    let open = dialogs.iter().find_map(|dialog| match dialog {
        Dialog::Changed(open) => Some(open.person().peer),
        _ => None,
    });
    let seated = model.meeting.as_ref().is_some_and(|meeting| meeting.people.contains_key(&person.peer));
    match open {
        Some(open) if open == person.peer => Action::None,
        None if seated => dialog::changed(person.clone()),
        _ => warning.map_or(Action::None, |warning| Action::Toast(Toast::new(Tone::Caution, text::warning(warning)))),
    }
}

/// Nothing is to be decided about this key any more.
fn decided(peer: PeerId, dialogs: &mut Vec<Dialog>) {
    dialogs.retain(|dialog| !matches!(dialog, Dialog::Changed(open) if open.person().peer == peer));
}

/// The room where a call goes on.
pub fn call_to(room: &RoomName, connect: &[(SocketAddr, Option<PeerId>)], name: &str, choices: &Choices) -> Meet {
    Meet {
        room: room.clone(),
        connect: connect.to_vec(),
        invite: None,
        camera: choices.camera_on,
        microphone: choices.starts_heard(),
        call: room.is_call().then(|| name.to_owned()),
    }
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
        // These have a dialog, or a word of their own.
        Notice::Rings(_) => return None,
        Notice::Warning(warning) if warning.code == WarningCode::VerifiedKeyChanged => return None,
        // The end of the meeting, which follows, says it.
        Notice::Warning(warning) if warning.code == WarningCode::Replaced => return None,
        Notice::Warning(warning) => self::warning(warning),
    })
}

/// A meeting did not start: why, and the way to where that can be mended.
pub fn trouble(trouble: &Trouble) -> Toast {
    let toast = Toast::new(Tone::Danger, trouble.words());
    match trouble.way {
        Way::Again => toast,
        Way::Settings => toast.with(lobby::OPEN_SETTINGS, Does::Settings),
        Way::Doctor => toast.with(lobby::CHECK_NETWORK, Does::Doctor),
    }
}

/// What is said of a command that came to nothing.
pub fn failed(command: &Command, failure: &Failure) -> Action {
    Action::Toast(match command {
        // It has ended by itself meanwhile, which is what was wanted.
        Command::Decline(_) if failure.code == Code::UnknownCall => return Action::None,
        // Of a service that does not answer the engine has said it.
        Command::Claim(_) if failure.code != Code::NameTaken => return Action::None,
        Command::Claim(name) => {
            Toast::new(Tone::Danger, words_of::taken_since(name)).with(lobby::OPEN_SETTINGS, Does::Settings)
        }
        _ => Toast::new(Tone::Danger, text::failure(failure)),
    })
}

/// The username that was ours is somebody else's: it is claimed no more.
pub fn name_gone(command: &Command, failure: &Failure, choices: &Choices) -> Action {
    match command {
        Command::Claim(name) if failure.code == Code::NameTaken && *name == choices.username => {
            Action::Choose(Box::new(Choices { username: String::new(), ..choices.clone() }))
        }
        _ => Action::None,
    }
}

/// The word of a warning, with the way to where something can be done about it.
pub fn warning(warning: &Warning) -> Toast {
    let toast = Toast::new(Tone::Caution, text::warning(warning));
    // What others' devices do is not mended here.
    match way(warning.code).filter(|_| warning.person.is_none()) {
        Some((words, does)) => toast.with(words, does),
        None => toast,
    }
}

/// Where something can be done about a warning, and the word on the button that leads there.
fn way(code: WarningCode) -> Option<(&'static str, Does)> {
    use WarningCode as W;
    match code {
        W::NoCamera | W::NoMicrophone | W::NoSpeaker | W::SourceFailed | W::DeviceChanged => {
            Some((text::SETTINGS, Does::Devices))
        }
        W::NoNetwork | W::DiscoveryFailed => Some((lobby::CHECK_NETWORK, Does::Doctor)),
        W::NameLost => Some((lobby::OPEN_SETTINGS, Does::Settings)),
        W::RendezvousUnreachable
        | W::RendezvousKeyChanged
        | W::WrongVersion
        | W::WrongKey
        | W::RoomFull
        | W::Removed
        | W::Replaced
        | W::BadInput
        | W::UnknownMessage
        | W::Flood
        | W::Forged
        | W::NameCollision
        | W::NameKeyChanged
        | W::VerifiedKeyChanged
        | W::ChatGap
        | W::Undelivered
        | W::DiskFailed
        | W::NoScreen
        | W::Other => None,
    }
}

/// What a toast's button asks of the root.
pub fn perform(does: Does) -> Action {
    match does {
        Does::Command(command) => Action::Engine(command),
        Does::Panel(panel) => Action::ShowPanel(panel),
        Does::Reveal(path) => Action::Reveal(path),
        Does::Settings => Action::Settings(true),
        Does::Devices => Action::Devices,
        Does::Doctor => Action::Doctor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meeting::Person;
    use crate::share::DisplayName;

    fn said(code: WarningCode, person: Option<Person>) -> Option<Toast> {
        let (message, hint) = ("It happened.".to_owned(), "Do this.".to_owned());
        toast(&Notice::Warning(Warning { code, person, message, hint }))
    }

    #[test]
    fn a_warning_leads_to_where_something_can_be_done() {
        let devices = [
            WarningCode::NoCamera,
            WarningCode::NoMicrophone,
            WarningCode::NoSpeaker,
            WarningCode::SourceFailed,
            WarningCode::DeviceChanged,
        ];
        let network = [WarningCode::NoNetwork, WarningCode::DiscoveryFailed];
        // One has a dialog, the other is said by the end of the meeting.
        let silent = [WarningCode::VerifiedKeyChanged, WarningCode::Replaced];
        for code in WarningCode::ALL {
            let Some(toast) = said(*code, None) else {
                assert!(silent.contains(code), "{code}");
                continue;
            };
            // What the engine's hint says of devices is for the command line.
            let hint = if devices[..3].contains(code) { text::DEVICE_HINT } else { "Do this." };
            assert_eq!((toast.tone, toast.words), (Tone::Caution, format!("It happened. {hint}")), "{code}");
            let does = toast.action.map(|(words, does)| {
                assert!(!words.is_empty());
                does
            });
            let expect = if devices.contains(code) {
                Some(Does::Devices)
            } else if network.contains(code) {
                Some(Does::Doctor)
            } else if *code == WarningCode::NameLost {
                Some(Does::Settings)
            } else {
                None
            };
            assert_eq!(does, expect, "{code}");
        }
        let ana = Person { peer: PeerId::from_bytes([1; 32]), name: DisplayName::new("Ana") };
        let hers = said(WarningCode::SourceFailed, Some(ana)).expect("a toast");
        assert_eq!(hers.action, None, "our devices are fine");
        assert!(matches!(perform(Does::Devices), Action::Devices) && matches!(perform(Does::Doctor), Action::Doctor));
    }
}
