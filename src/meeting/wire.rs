//! Sans-IO. The meeting's messages: one CBOR map each, see `docs/protocol.md`.
//!
//! | kind | message | says |
//! |---|---|---|
//! | 64 | [`Lines`] | consecutive lines of one author's run in one conversation |
//! | 65 | [`Have`] | what the sender has: a greeting on link up, else confirmations and gossip |
//! | 66 | [`Want`] | asks for somebody's lines to the room |
//! | 72 | [`Tracks`] | all tracks that the sender publishes |
//! | 73 | [`Views`] | how the sender wants the receiver's pictures |
//!
//! Kinds 64 to 71 count as chat traffic. Unknown kinds are counted and ignored, unknown keys skipped, unknown words in
//! lists skipped; a key is never reused. Everything here is still unproven: `chat` and `tracks` check what it means.

use serde::{Deserialize, Serialize};

use crate::id::{Instance, PeerId};
use crate::identity::{PublicKey, Signature};
use crate::media::{TrackInfo, TrackKind, View};

/// Kind of [`Lines`].
pub const LINES: u16 = 64;
/// Kind of [`Have`].
pub const HAVE: u16 = 65;
/// Kind of [`Want`].
pub const WANT: u16 = 66;
/// Kind of [`Tracks`].
pub const TRACKS: u16 = 72;
/// Kind of [`Views`].
pub const VIEWS: u16 = 73;

/// Most entries of one [`Have`]; more go into further messages.
pub const MAX_ENTRIES: usize = 256;
/// Most lines of one [`Lines`].
pub const MAX_LINES: usize = 64;
/// Most bytes of text that one [`Lines`] is filled with; one line may be longer than this alone never is.
pub const MAX_PAGE: usize = 48 * 1024;
/// Most people of one private conversation, author included.
pub const MAX_PEOPLE: usize = 64;
/// Longest name beside a line, in bytes.
pub const MAX_NAME: usize = 512;
/// Largest counter; far beyond what anybody writes, far below overflow.
pub const MAX_COUNTER: u64 = 1 << 48;

fn is_false(value: &bool) -> bool {
    !value
}

/// Consecutive lines of one author's run in one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Who wrote them.
    pub author: PeerId,
    /// In which run.
    pub instance: Instance,
    /// The author's key, with lines to the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
    /// Everybody of a private conversation, author included, sorted; absent for the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<Vec<PeerId>>,
    /// The sender has nothing below this counter (any more).
    pub base: u64,
    /// They come by sync, not live.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late: bool,
    /// Counters ascend by one.
    pub lines: Vec<Line>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Counter, from 1.
    pub n: u64,
    /// Unix milliseconds by the author's clock.
    pub at: u64,
    /// The author's display name then, with lines to the room.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What was said.
    pub text: String,
    /// With lines to the room, over [`super::chat::line::signed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// What the sender has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Have {
    /// Everything, in one or several messages: what is not mentioned is not there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub full: bool,
    /// With `full`: another message of the same greeting follows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
    /// The receiver is to answer with its own full one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ask: bool,
    /// One for each author's run in a conversation.
    pub entries: Vec<Entry>,
}

/// What the sender has of one author's run in one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Who wrote it.
    pub author: PeerId,
    /// In which run.
    pub instance: Instance,
    /// Of what conversation.
    #[serde(with = "serde_bytes")]
    pub conversation: [u8; 16],
    /// The lowest counter that the sender can pass on.
    pub base: u64,
    /// The lowest counter that the sender has not seen: all below are confirmed.
    pub next: u64,
}

/// Asks for somebody's lines to the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// Who wrote them.
    pub author: PeerId,
    /// In which run.
    pub instance: Instance,
    /// From this counter on.
    pub from: u64,
}

/// All tracks that the sender publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracks {
    /// Grows with each change; an older one is ignored.
    pub revision: u64,
    /// The tracks.
    pub tracks: Vec<Track>,
}

/// One track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// `camera`, `microphone`, `screen`.
    pub kind: String,
    /// Media flows; false is mute.
    pub on: bool,
    /// Pixels across of the largest layer; 0 for sound.
    #[serde(default)]
    pub width: u16,
    /// Pixels down.
    #[serde(default)]
    pub height: u16,
    /// The codec's name.
    pub codec: String,
}

impl Track {
    /// As said on the wire.
    pub fn of(info: &TrackInfo) -> Self {
        Self {
            kind: info.kind.name().to_owned(),
            on: info.on,
            width: info.width,
            height: info.height,
            codec: info.codec.clone(),
        }
    }

    /// Checked; `None` is a kind from the future.
    pub fn info(&self) -> Option<TrackInfo> {
        let codec = crate::share::visible(&self.codec).chars().take(32).collect();
        Some(TrackInfo { kind: kind(&self.kind)?, on: self.on, width: self.width, height: self.height, codec })
    }
}

/// How the sender wants the receiver's pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Views {
    /// Grows with each change; an older one is ignored.
    pub revision: u64,
    /// By track; a track that is not mentioned is not wanted.
    pub views: Vec<Wanted>,
}

/// One wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// `camera`, `microphone`, `screen`.
    pub kind: String,
    /// `none`, `small`, `large`.
    pub view: String,
}

impl Wanted {
    /// As said on the wire.
    pub fn of(kind: TrackKind, view: View) -> Self {
        Self { kind: kind.name().to_owned(), view: view_name(view).to_owned() }
    }

    /// Checked; `None` is a kind or size from the future.
    pub fn read(&self) -> Option<(TrackKind, View)> {
        let view = [View::None, View::Small, View::Large].into_iter().find(|view| view_name(*view) == self.view)?;
        Some((kind(&self.kind)?, view))
    }
}

fn kind(word: &str) -> Option<TrackKind> {
    [TrackKind::Camera, TrackKind::Microphone, TrackKind::Screen].into_iter().find(|kind| kind.name() == word)
}

/// The word for a picture size.
pub const fn view_name(view: View) -> &'static str {
    match view {
        View::None => "none",
        View::Small => "small",
        View::Large => "large",
    }
}
