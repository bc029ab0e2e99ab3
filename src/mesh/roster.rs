//! Sans-IO. Who is here, and by which link.
//!
//! The roster decides whom to dial, which of two links to one peer stays, when a silent peer is suspected and when it
//! has left. Its shell ([`crate::mesh`]) owns the sockets: it carries out what [`Roster::poll_output`] says, and reports
//! what happened.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::id::{Instance, LinkKey, PeerId, RoomId};
use crate::share::DisplayName;
use crate::sighting::Sighting;

/// Silence after which a peer is suspected: two keep-alives are missing.
pub const SUSPECT_AFTER: Duration = Duration::from_secs(2);
/// Silence after which a peer has left.
pub const LEAVE_AFTER: Duration = Duration::from_secs(7);
/// How long the higher id waits for the lower one to dial.
pub const GLARE_GRACE: Duration = Duration::from_millis(700);
/// Entries of one gossip message that are looked at; the rest is ignored.
pub const MAX_ENTRIES: usize = 64;

/// What a roster needs to know at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// This process.
    pub me: LinkKey,
    /// The room it sits in. Without one nobody is dialed but who is asked for with [`Roster::reach`].
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

/// One dial of one address, numbered by the dialer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(u64);

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
    /// Seated, and heard within [`SUSPECT_AFTER`].
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
    /// The other side decides: wait for its word and call [`Roster::on_seated`] then.
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

/// How a link ended without a goodbye.
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

/// Why a peer is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeaveReason {
    /// It said so.
    Goodbye,
    /// Silent for [`LEAVE_AFTER`].
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
    /// Dial this address; report the end with [`Roster::on_hello`] or [`Roster::on_dial_failed`].
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
        /// At most [`MAX_ENTRIES`].
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
    /// No packet for [`SUSPECT_AFTER`], or the link broke.
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

/// See the module.
#[derive(Debug)]
pub struct Roster {}

impl Roster {
    /// An empty roster.
    pub fn new(config: Config) -> Self {
        let _ = config;
        Self {}
    }

    /// Somebody was seen, or said goodbye to discovery.
    pub fn on_sighting(&mut self, now: Instant, sighting: &Sighting) {
        let _ = (now, sighting);
    }

    /// Dial this peer without a seat, e.g. for a drop. Gives up after some rounds; call again to try again.
    pub fn reach(&mut self, now: Instant, peer: PeerId, addresses: &[SocketAddr]) {
        let _ = (now, peer, addresses);
    }

    /// A dial gave no link.
    pub fn on_dial_failed(&mut self, now: Instant, attempt: Attempt, why: DialFailure) {
        let _ = (now, attempt, why);
    }

    /// Both hellos were read on a connection.
    pub fn on_hello(&mut self, now: Instant, hello: Hello) -> Verdict {
        let _ = (now, hello);
        Verdict::Seated
    }

    /// The deciding side took the link that [`Verdict::Wait`] was said about.
    pub fn on_seated(&mut self, now: Instant, link: LinkId) {
        let _ = (now, link);
    }

    /// A packet came over this link. Every 100 ms is often enough.
    pub fn on_heard(&mut self, now: Instant, link: LinkId) {
        let _ = (now, link);
    }

    /// The peer says that it leaves.
    pub fn on_goodbye(&mut self, now: Instant, link: LinkId) {
        let _ = (now, link);
    }

    /// The connection ended.
    pub fn on_closed(&mut self, now: Instant, link: LinkId, how: Closed) {
        let _ = (now, link, how);
    }

    /// Gossip came over this link.
    pub fn on_gossip(&mut self, now: Instant, link: LinkId, entries: &[Entry]) {
        let _ = (now, link, entries);
    }

    /// The peer shows another name.
    pub fn on_renamed(&mut self, link: LinkId, name: DisplayName) {
        let _ = (link, name);
    }

    /// Takes a peer's seat away.
    pub fn remove(&mut self, now: Instant, peer: PeerId) {
        let _ = (now, peer);
    }

    /// This process leaves: nobody is dialed or seated from now on. Links stay for the goodbyes.
    pub fn leave(&mut self) {}

    /// What to do next; drain it before the next input.
    pub fn poll_output(&mut self, now: Instant) -> Option<Output> {
        let _ = now;
        None
    }

    /// When to call [`Roster::poll_output`] again without an input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Where a peer stands.
    pub fn presence(&self, peer: PeerId) -> Option<Presence> {
        let _ = peer;
        None
    }

    /// The link in use to this peer's seat.
    pub fn link(&self, peer: PeerId) -> Option<LinkId> {
        let _ = peer;
        None
    }
}
