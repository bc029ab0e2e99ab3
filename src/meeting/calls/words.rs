//! Sans-IO. The words about calls that faces use.

use std::net::SocketAddr;
use std::time::Duration;

use super::RING_FOR;
use crate::id::PeerId;
use crate::meeting::failure::{Code, Failure};
use crate::meeting::nearby::Sight;

/// Why a call rings no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallEnd {
    /// Taken.
    Answered,
    /// Refused by a person.
    Declined,
    /// The other side has a call that rings already.
    Busy,
    /// Nobody answered in time, or the other side cannot be reached.
    Timeout,
    /// The caller took it back, or is gone.
    Cancelled,
}

impl CallEnd {
    /// The word in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Declined => "declined",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a person chose about calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Calls from keys that were never met do not ring here; the caller sees that nobody answers.
    pub silence_unknown: bool,
    /// How long a call of ours rings.
    pub ring_for: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self { silence_unknown: false, ring_for: RING_FOR }
    }
}

/// What is answered about a call that rings no more.
pub(super) fn unknown() -> Failure {
    Failure::new(Code::UnknownCall, "This call rings no more.", "Call back.")
}

/// Where somebody may be reached, for the way to a room.
pub(super) fn connect(sight: &Sight, peer: PeerId) -> Vec<(SocketAddr, Option<PeerId>)> {
    sight.addresses(peer).into_iter().map(|address| (address, Some(peer))).collect()
}
