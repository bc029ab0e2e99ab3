//! What can go wrong between a source, a codec and a sink, in words for a person. Loss, late packets and bad packets
//! are not errors: they are counted where they happen.

use std::path::PathBuf;

use thiserror::Error;

use crate::av::devices::{Kind, NOT_BUILT};
use crate::av::spec::DeviceChoice;

/// Why a source, a codec or a sink could not be used.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be opened or read. The caller can name another.
    #[error("cannot read {path}: {source}; check the path and its permissions", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not of a kind that can be played. The caller can convert it or name another.
    #[error("cannot play {path}: {reason}", path = path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: &'static str,
    },
    /// A dump or a recording cannot be written. The call can go on without it.
    #[error("cannot write {path}: {source}; choose a folder that exists, is writable and has room", path = path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A codec refused its settings or ran out of memory. The track cannot go on with these settings.
    #[error("the {codec} codec does not work: {reason}; try another size")]
    Codec {
        /// Which codec.
        codec: &'static str,
        /// What it refused.
        reason: &'static str,
    },
    /// The system gave no thread.
    #[error("the system refused a thread: {0}; close other programs and try again")]
    Thread(std::io::Error),
    /// The description says "none": there is nothing to start.
    #[error("no source is chosen; name one, for example testcard")]
    NoSource,
    /// No such device is there now. Another can be chosen, or this one plugged in; where it was only the default, the
    /// meeting goes on without.
    #[error("{}; plug one in, or choose another that lets-meet devices lists", missing(*.kind, .choice))]
    NoDevice {
        /// What was looked for.
        kind: Kind,
        /// Which one.
        choice: DeviceChoice,
    },
    /// The device is there and does not do its work: busy, forbidden, broken, pulled out.
    #[error("the {kind} {name} does not work: {reason}; {hint}")]
    Device {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
        /// What the system said.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// No screen of this machine can be shared: there is no display, or it is of a kind that we do not read. The meeting
    /// goes on without.
    #[error("no screen can be shared here: {reason}; {hint}")]
    NoScreen {
        /// Why.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// What was shared is not there any more, or cannot be read. Another screen can be chosen.
    #[error("{name} is not shared any more: {reason}; share it again, or another that lets-meet devices lists")]
    ScreenEnded {
        /// The display's or window's name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A thread of ours panicked. Its track is gone and can be started again; all else goes on.
    #[error(
        "{what} broke off by a defect of this program; switch it off and on, or join the meeting again, and report it"
    )]
    Crashed {
        /// Which part, as in "the camera".
        what: &'static str,
    },
    /// A part of ours panicked and was made anew: it goes on.
    #[error("{what} was started anew after a defect of this program; if it sounds wrong, switch it off, and report it")]
    Restarted {
        /// Which part, as in "the voice processing".
        what: &'static str,
    },
    /// What programs play cannot be recorded here. The screen is shared without it.
    #[error("the sound of this computer cannot be shared: {reason}; share without it, or start PulseAudio or PipeWire")]
    NoScreenAudio {
        /// Why.
        reason: String,
    },
    /// The feature `devices` was left out of this build.
    #[error("{NOT_BUILT}; build it with the feature devices, or use a test source such as testcard or tone")]
    NoDevices,
}

/// That nothing was found, in words.
fn missing(kind: Kind, choice: &DeviceChoice) -> String {
    let kind = if kind == Kind::Screen { "display" } else { kind.as_str() };
    match choice {
        DeviceChoice::Default => format!("no {kind} was found"),
        DeviceChoice::Index(index) => format!("there is no {kind} number {index}"),
        DeviceChoice::Name(name) | DeviceChoice::Exact(name) => format!("there is no {kind} called '{name}'"),
    }
}
