//! One window a profile: a second start, or an opened link, is handed over to the window that runs.
//!
//! The window holds a lock in the profile and listens on a local socket beside it, readable by its owner only. The lock
//! says who is the window: the system lets go of it when the process ends, however it ends, so a socket that a killed
//! window left is taken over by the next. A message is one short line, checked whole before it is handed on; a link in
//! it is one that [`Invite`](crate::invite::Invite) reads. Whoever may open the socket is the same person, but may
//! still be a broken program: what it sends is bounded in length and in time.
//!
//! Where the system has no such sockets there is no handover ([`Error::NotHere`]): a second start opens a second window.

use std::time::Duration;

use thiserror::Error;

use crate::invite::{Invite, MAX_LINK};

#[cfg(not(unix))]
#[path = "handover/nowhere.rs"]
mod system;
#[cfg(unix)]
#[path = "handover/unix.rs"]
mod system;

pub use system::{Listener, listen, send};

/// How a message begins: a later version may say more.
const WORD: &str = "lets-meet 1 ";
/// Longest message, with its line break.
const MAX_MESSAGE: usize = WORD.len() + 5 + MAX_LINK + 1;
/// How long a message or an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Messages that wait for the window. Overflow: the oldest is dropped.
const WAITING: usize = 16;

/// What a second start asks of the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Come to the front.
    Raise,
    /// Come to the front and show this link; the window asks before it joins.
    Open(String),
}

/// Why nothing was handed over, or nobody can listen.
#[derive(Debug, Error)]
pub enum Error {
    /// A window runs on this profile.
    #[error("a window is open already")]
    Taken,
    /// No window runs on this profile.
    #[error("no window is open")]
    Nobody,
    /// A window runs and does not take it.
    #[error("the open window does not answer; close it and try again")]
    Silent,
    /// This is no link.
    #[error("this is no letsmeet:// link")]
    NoLink,
    /// There is no handover on this system.
    #[error("windows cannot hand over to one another on this system")]
    NotHere,
    /// The profile or the system refuses.
    #[error("the socket of the window cannot be used: {0}")]
    System(#[from] std::io::Error),
}

impl Message {
    /// Reads a whole message with its line break; `None` is anything else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let line = bytes.strip_suffix(b"\n").filter(|_| bytes.len() <= MAX_MESSAGE)?;
        match std::str::from_utf8(line).ok()?.strip_prefix(WORD)? {
            "raise" => Some(Self::Raise),
            words => {
                let link = words.strip_prefix("open ")?;
                // Only what is a link already: nothing around it, and written as we write it.
                let invite = link.parse::<Invite>().ok()?;
                Some(Self::Open(invite.to_string()))
            }
        }
    }

    /// As it is sent.
    fn line(&self) -> Result<String, Error> {
        match self {
            Self::Raise => Ok(format!("{WORD}raise\n")),
            Self::Open(link) => {
                let invite = link.parse::<Invite>().map_err(|_| Error::NoLink)?;
                Ok(format!("{WORD}open {invite}\n"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_checked_line() {
        let link = format!("letsmeet://join?room=r&by={}", "ab".repeat(32));
        for message in [Message::Raise, Message::Open(link.clone())] {
            let line = message.line().expect("valid");
            assert_eq!(Message::read(line.as_bytes()), Some(message));
        }
        assert!(matches!(Message::Open("x".into()).line(), Err(Error::NoLink)));
        for bad in [
            "",
            "\n",
            "raise\n",
            "lets-meet 1 raise",
            "lets-meet 1 raise\n\n",
            "lets-meet 1 raise \n",
            "lets-meet 2 raise\n",
            "lets-meet 1 open \n",
            "lets-meet 1 open https://example.org\n",
            &format!("lets-meet 1 open {link}&room=s\n"),
            &format!("lets-meet 1 open {link}\nlets-meet 1 raise\n"),
            &format!("lets-meet 1 open {}\n", "x".repeat(100_000)),
        ] {
            assert_eq!(Message::read(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(Message::read(b"lets-meet 1 raise\xff\n"), None);
    }
}
