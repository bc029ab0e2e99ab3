//! Sans-IO. The closed lists of codes: why a command was refused ([`Code`]) and what degraded ([`WarningCode`]).
//! `docs/protocol.md` lists the same words; scripts rely on them. A code is never reused for something else.

use std::fmt;

use super::event::Person;

/// Why a command did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The line was not a command: not JSON, a field missing or of the wrong type.
    BadRequest,
    /// No such word after `do`.
    UnknownCommand,
    /// The contract knows it, this version does not carry it out.
    NotAvailableYet,
    /// Nobody present matches WHO.
    UnknownPeer,
    /// Several match WHO; candidates are listed in the hint.
    AmbiguousPeer,
    /// The name was used before by a different key.
    NameKeyChanged,
    /// Somebody bears the name of a verified person with another key; nothing goes there until that is decided.
    VerifiedKeyChanged,
    /// WHO names oneself.
    Oneself,
    /// `room:NAME` of another room than this one, or together with people.
    OtherRoom,
    /// More recipients than one line may have.
    TooManyRecipients,
    /// A chat line without a visible character.
    EmptyText,
    /// A chat line over the limit.
    TextTooLong,
    /// More at once than one peer may send.
    TooFast,
    /// No transfer of this id, or it has ended.
    UnknownTransfer,
    /// The transfer is not in a state for this.
    WrongTransferState,
    /// The file is missing, not a plain file, or cannot be read.
    FileUnreadable,
    /// More transfers than may run at once.
    TooManyTransfers,
    /// No source was ever chosen for this track.
    NoSource,
    /// The source or sink cannot be opened.
    SourceFailed,
    /// This build has no media.
    NoMedia,
    /// A value outside its range.
    BadValue,
    /// Not a valid display name or username.
    BadName,
    /// No rendezvous was configured.
    NoRendezvous,
    /// The rendezvous does not answer.
    RendezvousUnreachable,
    /// Somebody else holds the username.
    NameTaken,
    /// The rendezvous asks to wait.
    Limited,
    /// The profile could not be written.
    DiskFailed,
    /// It makes sense in a meeting only, and this is the lobby.
    NotInMeeting,
    /// No call of this id rings.
    UnknownCall,
    /// We are calling somebody already.
    Calling,
    /// Whom we call sits in this meeting.
    AlreadyHere,
    /// The meeting is ending.
    Leaving,
    /// A defect; please report it.
    Internal,
}

impl Code {
    /// All of them, for the pages.
    pub const ALL: &'static [Self] = &[
        Self::BadRequest,
        Self::UnknownCommand,
        Self::NotAvailableYet,
        Self::UnknownPeer,
        Self::AmbiguousPeer,
        Self::NameKeyChanged,
        Self::VerifiedKeyChanged,
        Self::Oneself,
        Self::OtherRoom,
        Self::TooManyRecipients,
        Self::EmptyText,
        Self::TextTooLong,
        Self::TooFast,
        Self::UnknownTransfer,
        Self::WrongTransferState,
        Self::FileUnreadable,
        Self::TooManyTransfers,
        Self::NoSource,
        Self::SourceFailed,
        Self::NoMedia,
        Self::BadValue,
        Self::BadName,
        Self::NoRendezvous,
        Self::RendezvousUnreachable,
        Self::NameTaken,
        Self::Limited,
        Self::DiskFailed,
        Self::NotInMeeting,
        Self::UnknownCall,
        Self::Calling,
        Self::AlreadyHere,
        Self::Leaving,
        Self::Internal,
    ];

    /// The word in `code`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::UnknownCommand => "unknown-command",
            Self::NotAvailableYet => "not-available-yet",
            Self::UnknownPeer => "unknown-peer",
            Self::AmbiguousPeer => "ambiguous-peer",
            Self::NameKeyChanged => "name-key-changed",
            Self::VerifiedKeyChanged => "verified-key-changed",
            Self::Oneself => "oneself",
            Self::OtherRoom => "other-room",
            Self::TooManyRecipients => "too-many-recipients",
            Self::EmptyText => "empty-text",
            Self::TextTooLong => "text-too-long",
            Self::TooFast => "too-fast",
            Self::UnknownTransfer => "unknown-transfer",
            Self::WrongTransferState => "wrong-transfer-state",
            Self::FileUnreadable => "file-unreadable",
            Self::TooManyTransfers => "too-many-transfers",
            Self::NoSource => "no-source",
            Self::SourceFailed => "source-failed",
            Self::NoMedia => "no-media",
            Self::BadValue => "bad-value",
            Self::BadName => "bad-name",
            Self::NoRendezvous => "no-rendezvous",
            Self::RendezvousUnreachable => "rendezvous-unreachable",
            Self::NameTaken => "name-taken",
            Self::Limited => "limited",
            Self::DiskFailed => "disk-failed",
            Self::NotInMeeting => "not-in-meeting",
            Self::UnknownCall => "unknown-call",
            Self::Calling => "calling",
            Self::AlreadyHere => "already-here",
            Self::Leaving => "leaving",
            Self::Internal => "internal",
        }
    }

    /// The exit code of a one-shot command that ends with this, as `cli.md` lists them.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::UnknownPeer => 3,
            Self::NameKeyChanged | Self::VerifiedKeyChanged | Self::NameTaken => 4,
            Self::UnknownTransfer | Self::WrongTransferState | Self::TooManyTransfers => 5,
            Self::SourceFailed | Self::NoMedia => 6,
            Self::NoRendezvous | Self::RendezvousUnreachable | Self::Limited => 3,
            Self::DiskFailed => 8,
            Self::Leaving | Self::Internal => 1,
            _ => 2,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A command that did nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// From the closed list.
    pub code: Code,
    /// One sentence: what happened.
    pub message: String,
    /// One sentence: what to do.
    pub hint: String,
    /// Whom an ambiguous WHO may have meant.
    pub candidates: Vec<Person>,
}

impl Failure {
    /// Puts one together.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: hint.into(), candidates: Vec::new() }
    }

    /// The answer to a word that the contract knows and this version does not carry out.
    pub fn not_available_yet(word: &str) -> Self {
        Self::new(Code::NotAvailableYet, format!("'{word}' is not available yet."), "Update when a version brings it.")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.message, self.hint)
    }
}

impl std::error::Error for Failure {}

macro_rules! warning_codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What degraded.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum WarningCode {
            $($(#[$doc])* $name,)*
        }

        impl WarningCode {
            /// All of them, for the pages.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in `code`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// Reads the word; `None` is no code of the list.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

warning_codes! {
    /// No camera was found; the meeting goes on without.
    NoCamera = "no-camera",
    /// No microphone was found.
    NoMicrophone = "no-microphone",
    /// No speaker was found.
    NoSpeaker = "no-speaker",
    /// No screen can be shared here, or not this one.
    NoScreen = "no-screen",
    /// Another device is used than before: one was lost, the chosen one is back, or the system prefers another.
    DeviceChanged = "device-changed",
    /// No network interface is up; one that appears is taken up.
    NoNetwork = "no-network",
    /// A source or sink ended or failed in mid-call, or a default device could not be opened; with a person: their picture
    /// or voice broke off here.
    SourceFailed = "source-failed",
    /// The rendezvous does not answer; the name is unconfirmed.
    RendezvousUnreachable = "rendezvous-unreachable",
    /// The rendezvous answered with another key; nothing was sent.
    RendezvousKeyChanged = "rendezvous-key-changed",
    /// The claim on the username was lost.
    NameLost = "name-lost",
    /// Discovery on this network does not work.
    DiscoveryFailed = "discovery-failed",
    /// Somebody speaks no version that we speak.
    WrongVersion = "wrong-version",
    /// An address answered with another key than promised.
    WrongKey = "wrong-key",
    /// The room has no seat left, here or there.
    RoomFull = "room-full",
    /// Somebody removed us from the room; its members let us in no more.
    Removed = "removed",
    /// A newer run of the same identity took our seat.
    Replaced = "replaced",
    /// Bytes that are no message or packet came from a peer; they were dropped.
    BadInput = "bad-input",
    /// Messages of kinds from the future came; they were ignored.
    UnknownMessage = "unknown-message",
    /// A peer sends more than it may; the rest is dropped.
    Flood = "flood",
    /// A peer passed on a line that its author did not sign.
    Forged = "forged",
    /// Two runs or people use this name; it is no longer accepted alone as a recipient.
    NameCollision = "name-collision",
    /// A known name came with another key.
    NameKeyChanged = "name-key-changed",
    /// A name that a verified person bore came with another key; nothing of ours goes there until that is decided.
    VerifiedKeyChanged = "verified-key-changed",
    /// Some lines of an author were dropped everywhere before they reached us.
    ChatGap = "chat-gap",
    /// A private line waited too long for its recipient and was given up.
    Undelivered = "undelivered",
    /// Something on disk could not be written; the meeting goes on.
    DiskFailed = "disk-failed",
    /// Anything else; the message says what.
    Other = "other",
}

impl fmt::Display for WarningCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
