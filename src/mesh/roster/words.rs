//! Sans-IO. The words between the roster and its shell: what is reported to it, and what it answers.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{Instance, LinkKey, PeerId, RoomId};
use crate::mesh::dialer::Attempt;
use crate::share::DisplayName;
use crate::sighting::Sighting;

/// What a roster needs to know at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// This process.
    pub me: LinkKey,
    /// The room it sits in. Without one nobody is dialed but who is asked for with [`super::Roster::reach`].
    pub room: Option<RoomId>,
    /// Seats of the room, the own one included.
    pub seats: usize,
    /// For the jitter of timers.
    pub seed: u64,
}

/// One live connection, numbered by the shell; unique within the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u64);

impl LinkId {
    /// From the shell's counter.
    pub const fn from_u64(value: u64) -> Self {
        Self(value)
    }
}

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seat {
    /// Both ends sit in the same room.
    Room,
    /// At least one end takes no seat: a file drop, a look around.
    Visitor,
}

/// Who made the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// This side, by that dial.
    Outgoing(Attempt),
    /// The other side.
    Incoming,
}

/// Where a peer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Presence {
    /// Heard of.
    Known,
    /// Being dialed, or about to be.
    Linking,
    /// Seated, and heard within [`super::SUSPECT_AFTER`].
    Linked,
    /// Seated, and silent.
    Suspected,
    /// Was seated.
    Left,
}

/// A connection on which both hellos were read.
#[derive(Debug, Clone)]
pub struct Hello {
    /// The shell's number for it.
    pub link: LinkId,
    /// The proven key and the claimed instance of the other side.
    pub key: LinkKey,
    /// Who dialed.
    pub direction: Direction,
    /// The other side's address, as seen here.
    pub address: SocketAddr,
    /// [`Seat::Room`] only if both sides ask for a seat in the same room.
    pub seat: Seat,
    /// The name it shows.
    pub name: DisplayName,
    /// Where it says that it listens; gossiped, tried by others, never trusted.
    pub listen: Vec<SocketAddr>,
}

/// What becomes of a connection after the hellos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the link. Say so to the other side, then use it.
    Seated,
    /// The other side decides: wait for its word and call [`super::Roster::on_seated`] then.
    Wait,
    /// Say why, and close it.
    Refuse(Refusal),
}

/// Why a connection gets no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Every seat is taken.
    RoomFull,
    /// It asks for another room.
    OtherRoom,
    /// No protocol version in common.
    Version,
    /// A newer instance of the same peer has the seat.
    Replaced,
    /// Another link to the same instance is in use.
    Duplicate,
    /// It was removed from the room.
    Removed,
    /// It is this very process.
    Myself,
    /// Too many connections wait for a decision, or this side is leaving.
    Busy,
}

/// Why a dial gave no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialFailure {
    /// No answer in time, or the system refused to send.
    Unreachable,
    /// Another key answered.
    WrongKey,
    /// The other side said no.
    Refused(Refusal),
}

/// How a link ended without a goodbye. For a reason that the other end gave, see [`CloseReason::as_seen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Timed out, reset, or closed without a reason that matters.
    Lost,
    /// The other side said no, or no longer.
    Refused(Refusal),
}

/// Why a link is closed from this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// Another link to the same instance won.
    Duplicate,
    /// A newer instance took the seat.
    Replaced,
    /// Silent for too long.
    Timeout,
    /// The peer said goodbye.
    Goodbye,
    /// Removed from the room.
    Removed,
    /// The other side did not decide in time.
    Undecided,
}

impl CloseReason {
    /// How the other end reports a link that was closed for this reason.
    pub const fn as_seen(self) -> Closed {
        match self {
            Self::Duplicate => Closed::Refused(Refusal::Duplicate),
            Self::Replaced => Closed::Refused(Refusal::Replaced),
            Self::Removed => Closed::Refused(Refusal::Removed),
            Self::Timeout | Self::Goodbye | Self::Undecided => Closed::Lost,
        }
    }
}

/// Why a peer is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeaveReason {
    /// It said so.
    Goodbye,
    /// Silent for [`super::LEAVE_AFTER`].
    Timeout,
    /// Removed from the room.
    Removed,
}

/// One line of gossip: a peer that the sender is linked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Who.
    pub peer: PeerId,
    /// Which run of it.
    pub instance: Instance,
    /// The name it shows.
    #[serde(default)]
    pub name: Option<DisplayName>,
    /// Where it may be reached.
    #[serde(default)]
    pub addresses: Vec<SocketAddr>,
}

/// What the shell does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Dial this address; report the end with [`super::Roster::on_hello`] or [`super::Roster::on_dial_failed`].
    Dial {
        /// The number to report with.
        attempt: Attempt,
        /// Where.
        address: SocketAddr,
        /// Whose key must answer; without one the key is learned.
        peer: Option<PeerId>,
        /// What to ask for.
        seat: Seat,
    },
    /// This dial is no longer of use; a report about it is ignored.
    Abandon(Attempt),
    /// Close this link.
    Close {
        /// Which.
        link: LinkId,
        /// What to tell the other side.
        reason: CloseReason,
    },
    /// Send these entries over this link.
    Gossip {
        /// Which.
        link: LinkId,
        /// At most [`super::MAX_ENTRIES`].
        entries: Vec<Entry>,
    },
    /// Something new was seen; doubles are already removed.
    Sighted(Sighting),
    /// Ask discovery whether this peer is still there.
    Verify(PeerId),
    /// The roster changed.
    Changed(Change),
}

/// A change that the upper layers care about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A link is up and in use.
    Linked {
        /// Who.
        key: LinkKey,
        /// By which link.
        link: LinkId,
        /// What for.
        seat: Seat,
        /// The older instance of the same peer that lost its seat to this one, without a [`Change::Left`].
        replaced: Option<Instance>,
    },
    /// No packet for [`super::SUSPECT_AFTER`], or the link broke.
    Suspected(LinkKey),
    /// Heard again. `link` may be another one than before: what was in flight on the old one may be lost.
    Recovered {
        /// Who.
        key: LinkKey,
        /// By which link.
        link: LinkId,
        /// Since the last packet before the silence.
        after: Duration,
    },
    /// The other end lost the old link before this one noticed: another link is in use now. What was in flight on the
    /// old one may be lost; people need not hear of it.
    Moved {
        /// Who.
        key: LinkKey,
        /// By which link.
        link: LinkId,
    },
    /// Gone.
    Left {
        /// Who.
        key: LinkKey,
        /// Why.
        reason: LeaveReason,
    },
    /// A visitor's link ended.
    Unlinked(LinkKey),
    /// A peer says that a newer instance of this very identity has the seat.
    Ousted {
        /// Who says so.
        by: PeerId,
    },
}
