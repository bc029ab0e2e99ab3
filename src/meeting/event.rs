//! Sans-IO. What a meeting reports to its faces. Data only: the command line turns it into JSON lines, the window into
//! pictures. Field by field it is what `cli.md` promises of `join`.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::id::{CallId, PeerId, RoomName, TransferId};
use crate::known::trust::Trust;
use crate::media::TrackInfo;
use crate::share::{ChatText, DisplayName, Emoji, FileName};
use crate::sighting::Source;
use crate::stats::Stats;

use super::calls::CallEnd;
use super::failure::WarningCode;
use super::message_id::MessageId;
use super::nearby::Nearby;

/// A key with the name it goes by now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// Who.
    pub peer: PeerId,
    /// The name to show beside the key; proves nothing.
    pub name: DisplayName,
}

/// To whom a line went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Everybody in the room, now or later.
    Room,
    /// Exactly these, by key, sorted, without the author.
    People(Vec<Person>),
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The socket is bound, we are announced, commands are read. The engine makes this one.
    Ready {
        /// Oneself.
        me: Person,
        /// The room.
        room: RoomName,
        /// Concrete addresses, no wildcards.
        listen: Vec<SocketAddr>,
    },
    /// The lobby is entered: the socket is bound, we are announced, commands are read. The engine makes this one.
    Lobby {
        /// Oneself.
        me: Person,
        /// Concrete addresses, no wildcards.
        listen: Vec<SocketAddr>,
    },
    /// Who and what is in sight has changed: all of it, at most four times a second.
    Nearby(Nearby),
    /// Somebody calls us, until [`Event::CallEnded`].
    Ring {
        /// Which call.
        call: CallId,
        /// Who calls; the key is proven. Digits of it stand behind a name that others have or had.
        from: Person,
        /// How far this key is trusted under this name.
        trust: Trust,
        /// Where the call is to go on.
        room: RoomName,
    },
    /// A call, to us or by us, rings no more.
    CallEnded {
        /// Which call.
        call: CallId,
        /// The other side.
        person: Person,
        /// `In`: it rang here. `Out`: we called.
        direction: Direction,
        /// Why.
        reason: CallEnd,
        /// Where the call goes on: [`CallEnd::Answered`] in the lobby means to go there now.
        room: RoomName,
        /// Where the other side may be reached.
        connect: Vec<(SocketAddr, Option<PeerId>)>,
    },
    /// Somebody may be reached. The engine makes this one.
    Sighted {
        /// Who, when the source says so.
        peer: Option<PeerId>,
        /// The name it announces.
        name: Option<DisplayName>,
        /// Where.
        addresses: Vec<SocketAddr>,
        /// Who said so.
        source: Source,
    },
    /// A participant's link is up.
    Joined(Person),
    /// How far a participant's key is trusted: said after each `joined`, and when it changes.
    Trust {
        /// Who.
        person: Person,
        /// How far.
        trust: Trust,
    },
    /// A participant is gone.
    Left {
        /// Who.
        person: Person,
        /// Why.
        reason: LeftReason,
    },
    /// Nothing was heard of a participant for a while.
    Reconnecting {
        /// Who.
        person: Person,
        /// Milliseconds since the last packet.
        after_ms: u64,
    },
    /// It is back.
    Reconnected {
        /// Who.
        person: Person,
        /// Milliseconds that it was away.
        after_ms: u64,
    },
    /// A line from somebody else.
    Chat {
        /// Its id.
        id: MessageId,
        /// The author.
        from: Person,
        /// What was said.
        text: ChatText,
        /// To whom.
        to: Audience,
        /// Unix milliseconds by the author's clock: a claim.
        sent_at: u64,
        /// It came by sync, not live.
        late: bool,
    },
    /// Who has confirmed one of our lines, all of them so far.
    Delivered {
        /// Our line.
        id: MessageId,
        /// Sorted by key.
        to: Vec<Person>,
    },
    /// A transfer changed.
    File(FileEvent),
    /// A participant's track appeared, changed or was muted.
    Track {
        /// Whose.
        person: Person,
        /// The track now.
        info: TrackInfo,
    },
    /// A participant goes by another name now.
    Renamed(Person),
    /// Somebody raised or lowered a hand, oneself included; leaving lowers it.
    Hand {
        /// Who.
        person: Person,
        /// Raised.
        up: bool,
        /// All raised hands now, the first to be raised first, oneself included.
        order: Vec<Person>,
    },
    /// Somebody else reacts: to be shown for a moment.
    Reaction {
        /// Who.
        person: Person,
        /// With what.
        emoji: Emoji,
    },
    /// The figures of the last second. The engine makes this one.
    Stats(Box<Stats>),
    /// Something degraded; the meeting goes on.
    Warning(Warning),
}

impl Event {
    /// The word in `event`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ready { .. } => "ready",
            Self::Lobby { .. } => "lobby",
            Self::Nearby(_) => "nearby",
            Self::Ring { .. } => "ring",
            Self::CallEnded { .. } => "call-ended",
            Self::Sighted { .. } => "sighted",
            Self::Joined(_) => "joined",
            Self::Trust { .. } => "trust",
            Self::Left { .. } => "left",
            Self::Reconnecting { .. } => "reconnecting",
            Self::Reconnected { .. } => "reconnected",
            Self::Chat { .. } => "chat",
            Self::Delivered { .. } => "delivered",
            Self::File(file) => file.stage.name(),
            Self::Track { .. } => "track",
            Self::Renamed(_) => "renamed",
            Self::Hand { .. } => "hand",
            Self::Reaction { .. } => "reaction",
            Self::Stats(_) => "stats",
            Self::Warning(_) => "warning",
        }
    }
}

/// Why a participant is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftReason {
    /// It said goodbye.
    Goodbye,
    /// Nothing was heard of it for too long.
    Timeout,
    /// It was removed.
    Removed,
}

impl LeftReason {
    /// The word in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Goodbye => "goodbye",
            Self::Timeout => "timeout",
            Self::Removed => "removed",
        }
    }
}

/// Which way a file goes, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// To us.
    In,
    /// From us.
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

/// News of one transfer.
#[derive(Debug, Clone, PartialEq)]
pub struct FileEvent {
    /// Which; one a recipient.
    pub transfer: TransferId,
    /// The other side.
    pub person: Person,
    /// Which way.
    pub direction: Direction,
    /// The file's name, safe to show.
    pub file: FileName,
    /// Bytes.
    pub size: u64,
    /// What happened.
    pub stage: FileStage,
}

/// How far a transfer is.
#[derive(Debug, Clone, PartialEq)]
pub enum FileStage {
    /// Offered: to us, or by us.
    Offer,
    /// Accepted.
    Accepted,
    /// Declined.
    Declined,
    /// Bytes moved.
    Progress {
        /// Bytes so far.
        done: u64,
        /// Bytes a second; `None` is not known yet.
        rate: Option<u64>,
        /// Milliseconds left; `None` is not known yet.
        eta_ms: Option<u64>,
    },
    /// Complete and checked.
    Done {
        /// Where it lies (ours for outgoing files).
        path: PathBuf,
        /// Of the whole content; `None` for a folder.
        blake3: Option<[u8; 32]>,
    },
    /// Ended without the whole file.
    Failed {
        /// From the closed list that the transfer machine keeps.
        reason: &'static str,
        /// It can be taken up again.
        resumable: bool,
    },
}

impl FileStage {
    /// The word in `event`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Offer => "file-offer",
            Self::Accepted => "file-accepted",
            Self::Declined => "file-declined",
            Self::Progress { .. } => "file-progress",
            Self::Done { .. } => "file-done",
            Self::Failed { .. } => "file-failed",
        }
    }

    /// Nothing more will be heard of the transfer.
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Declined | Self::Done { .. } | Self::Failed { .. })
    }
}

/// Something degraded; the meeting goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// From the closed list.
    pub code: WarningCode,
    /// About whom, if about somebody.
    pub person: Option<Person>,
    /// One sentence: what happened.
    pub message: String,
    /// One sentence: what to do. Empty when there is nothing to do.
    pub hint: String,
}

impl Warning {
    /// A camera, microphone or speaker of this run is not there or ended: its setting is off now.
    pub fn is_about_own_devices(&self) -> bool {
        use WarningCode::{NoCamera, NoMicrophone, NoScreen, NoSpeaker, SourceFailed};
        self.person.is_none() && matches!(self.code, NoCamera | NoMicrophone | NoScreen | NoSpeaker | SourceFailed)
    }
}
