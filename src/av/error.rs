//! What can go wrong between a source, a codec and a sink, in words for a person. Loss, late packets and bad packets
//! are not errors: they are counted where they happen.

use std::path::PathBuf;

use thiserror::Error;

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
}
