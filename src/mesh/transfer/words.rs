//! Sans-IO. The words between the transfers, the shell that moves their bytes, and the person.

use std::path::PathBuf;

use thiserror::Error;

use super::tree::Hash;
use super::wire::{Reason, Span};
use crate::framing::Message;
use crate::id::{LinkKey, PeerId, TransferId};
use crate::share::{FileName, Progress};

/// What to do with an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accept {
    /// A person decides.
    #[default]
    Ask,
    /// Take everything in this run.
    All,
    /// Decline everything.
    None,
}

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// To us.
    In,
    /// To the peer.
    Out,
}

impl Direction {
    /// The word in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// What every event of a transfer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Which; the same on both sides.
    pub transfer: TransferId,
    /// With whom.
    pub link: LinkKey,
    /// Which way.
    pub direction: Direction,
    /// The file's name, as the receiver may show and store it.
    pub file: FileName,
    /// Its bytes.
    pub size: u64,
}

/// What happened to a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The offer was made (out) or has come (in).
    Offered,
    /// It starts.
    Accepted,
    /// The receiver does not take it. The transfer is over.
    Declined(Reason),
    /// So far.
    Progress(Progress),
    /// Stored and checked by both sides. The transfer is over.
    Done {
        /// Where it lies on this side: stored (in), read from (out).
        path: PathBuf,
        /// The file's BLAKE3.
        blake3: Hash,
    },
    /// The transfer is over.
    Failed {
        /// Why.
        reason: Reason,
        /// It can be taken up later.
        resumable: bool,
    },
}

/// News for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Of one transfer.
    File {
        /// Which.
        about: About,
        /// What happened.
        what: What,
    },
    /// Something odd that a person or a log should see once.
    Warning {
        /// From the closed list.
        code: &'static str,
        /// By whom.
        peer: PeerId,
        /// In words.
        detail: String,
    },
}

/// What the shell is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send over the link's ordered stream.
    Send {
        /// To whom.
        to: LinkKey,
        /// What.
        message: Message,
    },
    /// Report.
    Event(Event),
    /// Send these spans of an outgoing file on a new stream; a stream of an earlier attempt is reset.
    Open {
        /// Which file.
        transfer: TransferId,
        /// To whom.
        link: LinkKey,
        /// For the stream's head.
        attempt: u32,
        /// Which bytes.
        spans: Vec<Span>,
    },
    /// Look for room and make a temporary file, then call [`Transfers::on_prepared`](super::Transfers::on_prepared).
    Prepare {
        /// Which.
        transfer: TransferId,
        /// Its name.
        file: FileName,
        /// Its bytes.
        size: u64,
        /// Bytes promised to other transfers that are under way.
        reserved: u64,
    },
    /// It is over: stop what runs for it, remove its temporary file.
    Close {
        /// Which.
        transfer: TransferId,
    },
}

/// Why a command about a transfer was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// No such transfer; it may have ended.
    #[error("there is no such transfer; it may be over")]
    Unknown,
    /// It was answered before.
    #[error("this offer was answered before")]
    Answered,
    /// No link to the recipient.
    #[error("there is no link to that person now; try again when they are back")]
    NotLinked,
    /// As many as this process takes.
    #[error("too many files are on their way; wait until some are done")]
    TooMany,
}

/// What a stream that was asked for must carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The file's bytes.
    pub size: u64,
    /// The root that the offer promised, if it did.
    pub root: Option<Hash>,
}

/// How a stream ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// The stream or its link broke; another attempt may do better.
    #[error("the stream broke")]
    Broken,
    /// No attempt can do better.
    #[error("{0}")]
    Over(Reason),
}
