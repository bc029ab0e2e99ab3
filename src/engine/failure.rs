//! Shells' errors as answers to a command.

use crate::av::devices::Kind;
use crate::meeting::{Code, Failure, Warning, WarningCode};

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

/// With a capital first letter and a full stop.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let dot = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{dot}", first.to_uppercase(), chars.as_str())
}

#[cfg(test)]
mod tests {
    #[test]
    fn sentences_have_a_beginning_and_an_end() {
        assert_eq!(super::sentence("cannot read x"), "Cannot read x.");
        assert_eq!(super::sentence(""), "");
        assert_eq!(super::sentence("Done."), "Done.");
    }
}
