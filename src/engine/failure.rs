//! Shells' errors as answers to a command.

use crate::av::devices::Kind;
use crate::media::TrackKind;
use crate::meeting::{Code, Failure, Person, Warning, WarningCode};

/// A source or sink that failed.
#[cfg(feature = "media")]
pub fn media(error: &crate::av::Error) -> Failure {
    let code = match error {
        crate::av::Error::NoSource => Code::NoSource,
        _ => Code::SourceFailed,
    };
    let text = error.to_string();
    let (message, hint) = text.split_once("; ").unwrap_or((text.as_str(), ""));
    Failure::new(code, sentence(message), sentence(hint))
}

/// A source or sink that is not there, or ended by itself, while the meeting goes on.
#[cfg(feature = "media")]
pub fn trouble(kind: Kind, error: &crate::av::Error) -> Warning {
    let code = match (error, kind) {
        (crate::av::Error::NoDevice { .. }, Kind::Camera) => WarningCode::NoCamera,
        (crate::av::Error::NoDevice { .. }, Kind::Microphone) => WarningCode::NoMicrophone,
        (crate::av::Error::NoDevice { .. }, Kind::Speaker) => WarningCode::NoSpeaker,
        (crate::av::Error::NoDevice { .. } | crate::av::Error::NoScreen { .. }, Kind::Screen) => WarningCode::NoScreen,
        _ => WarningCode::SourceFailed,
    };
    let Failure { message, hint, .. } = media(error);
    Warning { code, person: None, message, hint }
}

/// This build has no media, so nothing of it fails.
#[cfg(not(feature = "media"))]
pub fn trouble(_: Kind, error: &super::media::Missing) -> Warning {
    let Failure { message, hint, .. } = media(error);
    Warning { code: WarningCode::SourceFailed, person: None, message, hint }
}

/// A camera or microphone that cannot be switched; without a source ever chosen, that is what is said.
#[cfg(feature = "media")]
pub fn source(error: &crate::av::Error, what: &str) -> Failure {
    if matches!(error, crate::av::Error::NoSource) {
        let hint = "Choose a source for it first, at the start or with this command's \"source\".";
        return Failure::new(Code::NoSource, format!("There is no {what} in this run."), hint);
    }
    media(error)
}

/// This build has no media.
#[cfg(not(feature = "media"))]
pub fn source(error: &super::media::Missing, _what: &str) -> Failure {
    media(error)
}

/// This build has no media.
#[cfg(not(feature = "media"))]
pub fn media(_: &super::media::Missing) -> Failure {
    Failure::new(Code::NoMedia, "This build has no pictures and no sound.", "Build with the feature media.")
}

/// Why a meeting does not start with these sources and sinks. A file that cannot be written is the disk's fault.
#[cfg(feature = "media")]
pub fn start(error: &crate::av::Error) -> super::Error {
    match error {
        crate::av::Error::Write { .. } => super::Error::State(error.to_string()),
        _ => super::Error::Media(error.to_string()),
    }
}

/// This build has no media.
#[cfg(not(feature = "media"))]
pub fn start(error: &super::media::Missing) -> super::Error {
    super::Error::Media(error.to_string())
}

/// The picture or the voice of somebody broke off here by a defect. It is tried again a few times by itself.
pub fn crashed(person: Person, kind: TrackKind) -> Warning {
    let (what, switch) = match kind {
        TrackKind::Camera => ("picture", "camera"),
        TrackKind::Screen => ("shared screen", "other side's screen"),
        TrackKind::ScreenAudio => ("shared sound", "other side's screen"),
        TrackKind::Microphone => ("voice", "microphone"),
    };
    let name = &person.name;
    let message = format!("The {what} of {name} broke off by a defect of this program.");
    let hint =
        format!("It is tried again by itself. If it stays away, ask {name} to join again; the {switch} is fine.");
    Warning { code: WarningCode::SourceFailed, person: Some(person), message, hint }
}

/// What draws the pictures in the window broke off by a defect. It has gone on by itself.
pub fn painter() -> Warning {
    let message = "Pictures in the window stopped by a defect of this program and were started again.".to_owned();
    let hint = "If one stays away, ask for that camera to be switched off and on, and report it.".to_owned();
    Warning { code: WarningCode::Other, person: None, message, hint }
}

/// What to do about a warning of the mesh.
pub const fn hint(code: WarningCode) -> &'static str {
    match code {
        WarningCode::RoomFull => "Ask somebody to leave, or join another meeting; it is tried again by itself.",
        WarningCode::Removed => "Ask somebody in the room why; its members let this key in no more.",
        WarningCode::Replaced => "The meeting goes on there.",
        _ => "",
    }
}

/// With a capital first letter and a full stop.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let dot = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{dot}", first.to_uppercase(), chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PeerId;
    use crate::share::DisplayName;

    #[test]
    fn what_crashed_is_told_with_the_name_of_the_person() {
        let ana = Person { peer: PeerId::from_bytes([1; 32]), name: DisplayName::new("Ana") };
        for (kind, what) in [(TrackKind::Camera, "picture"), (TrackKind::Microphone, "voice")] {
            let warning = crashed(ana.clone(), kind);
            assert_eq!((warning.code, warning.person.as_ref()), (WarningCode::SourceFailed, Some(&ana)));
            assert!(warning.message.contains("Ana") && warning.message.contains(what), "{warning:?}");
            assert!(!warning.hint.is_empty());
        }
    }

    #[cfg(feature = "media")]
    #[test]
    fn a_crash_of_a_track_of_ours_is_a_failed_source() {
        let warning = trouble(Kind::Camera, &crate::av::Error::Crashed { what: "the camera" });
        assert_eq!((warning.code, warning.person), (WarningCode::SourceFailed, None));
        assert_eq!(warning.message, "The camera broke off by a defect of this program.");
        assert!(warning.hint.starts_with("Switch it off and on"), "{}", warning.hint);
    }

    #[test]
    fn a_seat_that_is_not_ours_has_a_hint() {
        for code in [WarningCode::RoomFull, WarningCode::Removed, WarningCode::Replaced] {
            assert!(hint(code).ends_with('.'), "{code}");
        }
    }

    #[test]
    fn sentences_have_a_beginning_and_an_end() {
        assert_eq!(super::sentence("cannot read x"), "Cannot read x.");
        assert_eq!(super::sentence(""), "");
        assert_eq!(super::sentence("Done."), "Done.");
    }
}
