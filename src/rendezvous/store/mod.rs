//! Where a rendezvous keeps its names. Presences and rooms live for a minute and are not kept.
//!
//! A store gives all its rows once, at the start, and then takes [`Change`]s; when [`sqlite::Store::apply`] returns,
//! the change survives a power cut. A store that cannot be read or written is an error that ends the service with a
//! sentence; it is never replaced by an empty one, because that would give every name away.

use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

pub mod sqlite;

/// Where the store is: `sqlite:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite database in this file; made if there is none.
    Sqlite(PathBuf),
}

/// Text that is no [`Location`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseError {
    /// No such kind of store.
    #[error("a store is written as sqlite:PATH")]
    Unknown,
    /// A kind that a later version brings.
    #[error("a store in PostgreSQL is not available yet; use sqlite:PATH")]
    NotYet,
}

impl FromStr for Location {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", _)) => Err(ParseError::NotYet),
            _ => Err(ParseError::Unknown),
        }
    }
}

/// A store that cannot be used. All of these end the service.
#[derive(Debug, Error)]
pub enum Error {
    /// Not a database, or a broken one: restore it from a copy.
    #[error("the store {path} is damaged ({detail}); restore it from a copy, or move it away to start with no names")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// It cannot be written: change its permissions or the mount.
    #[error("the store {path} is read-only; make it and its folder writable")]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("the store {path} is in use by another rendezvous; stop that one or choose another --store")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Made for another service key: its records are signed for that one and worth nothing here.
    #[error(
        "the store {path} belongs to the rendezvous with the fingerprint {fingerprint}; use that service's profile"
    )]
    OtherService {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        fingerprint: String,
    },
    /// Written by a newer version.
    #[error("the store {path} was written by a newer version; update this program")]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// The disk fails or is full, or there is no such folder.
    #[error("the store {path} cannot be used: {detail}")]
    System {
        /// The file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read() {
        assert_eq!("sqlite:/a/b.db".parse(), Ok(Location::Sqlite("/a/b.db".into())));
        assert_eq!("sqlite:b:c".parse(), Ok(Location::Sqlite("b:c".into())));
        assert_eq!("postgres://x".parse::<Location>(), Err(ParseError::NotYet));
        for bad in ["sqlite:", "/a/b.db", "", "mysql:x"] {
            assert_eq!(bad.parse::<Location>(), Err(ParseError::Unknown), "{bad}");
        }
    }
}
