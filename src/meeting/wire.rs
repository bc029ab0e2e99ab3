//! Sans-IO. The meeting's messages: one CBOR map each, see `docs/protocol.md`.
//!
//! | kind | message | says |
//! |---|---|---|
//! | 64 | [`Lines`] | consecutive lines of one author's run in one conversation |
//! | 65 | [`Have`] | what the sender has: a greeting on link up, else confirmations and gossip |
//! | 66 | [`Want`] | asks for somebody's lines to the room |
//! | 72 | [`Tracks`] | all tracks that the sender publishes |
//! | 73 | [`Views`] | how the sender wants the receiver's pictures |
//! | 74 | [`Hand`] | how the sender's hand is |
//! | 75 | [`Reaction`] | an emoji, for a moment |
//! | 80 | [`Ring`] | the sender calls the receiver |
//! | 81 | [`RingAnswer`] | what the receiver of a ring says to it |
//! | 82 | [`RingEnd`] | the ring is over: the call is on, or not |
//!
//! Kinds 64 to 71 count as chat traffic. Unknown kinds are counted and ignored, unknown keys skipped, unknown words in
//! lists skipped; a key is never reused. Everything here is still unproven: `chat` and `tracks` check what it means.

use serde::{Deserialize, Serialize};

use crate::id::{CallId, Instance, PeerId, RoomName};
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
/// Kind of [`Hand`].
pub const HAND: u16 = 74;
/// Kind of [`Reaction`].
pub const REACTION: u16 = 75;
/// Kind of [`Ring`].
pub const RING: u16 = 80;
/// Kind of [`RingAnswer`].
pub const RING_ANSWER: u16 = 81;
/// Kind of [`RingEnd`].
pub const RING_END: u16 = 82;
/// The kinds about calls: also from peers without a seat.
pub const CALL_KINDS: std::ops::RangeInclusive<u16> = RING..=RING_END;

/// [`RingAnswer::word`]: the call is taken, or the receiver is in its room already.
pub const TAKE: &str = "take";
/// [`RingAnswer::word`]: no.
pub const DECLINE: &str = "decline";
/// [`RingAnswer::word`]: another call rings there.
pub const BUSY: &str = "busy";
/// [`RingEnd::word`]: to `take`: the call is on.
pub const GO: &str = "go";
/// [`RingEnd::word`]: the caller took it back.
pub const CANCELLED: &str = "cancelled";
/// [`RingEnd::word`]: it rang for as long as it may.
pub const TIMEOUT: &str = "timeout";

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

/// How the sender's hand is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hand {
    /// Grows with each change; an older one is ignored.
    pub revision: u64,
    /// Its turn, from 1; absent when the hand is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u64>,
}

/// An emoji, for a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// What is shown; [`crate::share::Emoji`] checks it.
    pub emoji: String,
}

/// The sender calls the receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    /// Which call; drawn by the caller.
    pub call: CallId,
    /// Where it goes on.
    pub room: RoomName,
    /// The caller sits in that room already.
    #[serde(default, skip_serializing_if = "is_false")]
    pub meeting: bool,
}

/// What the receiver of a ring says to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingAnswer {
    /// Which call.
    pub call: CallId,
    /// `take`, `decline`, `busy`.
    pub word: String,
}

/// The ring is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingEnd {
    /// Which call.
    pub call: CallId,
    /// `go`, `cancelled`, `timeout`.
    pub word: String,
}

fn kind(word: &str) -> Option<TrackKind> {
    TrackKind::ALL.into_iter().find(|kind| kind.name() == word)
}

/// The word for a picture size.
pub const fn view_name(view: View) -> &'static str {
    match view {
        View::None => "none",
        View::Small => "small",
        View::Large => "large",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::Message;
    use crate::id::{from_hex, to_hex};

    const GOLDEN: &str = include_str!("../../tests/data/meeting-1.txt");

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    fn room_lines() -> Lines {
        let line = |n, text: &str| Line {
            n,
            at: 1_760_000_000_000 + n,
            name: "Ann".into(),
            text: text.into(),
            signature: Some(Signature::from_bytes([7; 64])),
        };
        Lines {
            author: peer(1),
            instance: Instance::from_u64(0x0123_4567_89ab_cdef),
            key: Some(PublicKey::from_bytes([3; 32])),
            people: None,
            base: 1,
            late: true,
            lines: vec![line(4, "héllo"), line(5, "two\nlines")],
        }
    }

    fn private_lines() -> Lines {
        let line = Line { n: 1, at: 0, name: String::new(), text: "psst".into(), signature: None };
        let people = Some(vec![peer(1), peer(2)]);
        Lines { key: None, people, late: false, lines: vec![line], ..room_lines() }
    }

    fn have() -> Have {
        let instance = Instance::from_u64(9);
        let entry = Entry { author: peer(1), instance, conversation: [5; 16], base: 2, next: 300 };
        Have { full: true, more: false, ask: true, entries: vec![entry] }
    }

    fn tracks() -> Tracks {
        let camera = Track { kind: "camera".into(), on: true, width: 1280, height: 720, codec: "h264".into() };
        let microphone = Track { kind: "microphone".into(), on: false, width: 0, height: 0, codec: "opus".into() };
        Tracks { revision: 3, tracks: vec![camera, microphone] }
    }

    fn views() -> Views {
        let wanted = [(TrackKind::Camera, View::Small), (TrackKind::Screen, View::None)];
        Views { revision: 2, views: wanted.map(|(kind, view)| Wanted::of(kind, view)).to_vec() }
    }

    fn hand() -> Hand {
        Hand { revision: 5, turn: Some(3) }
    }

    fn reaction() -> Reaction {
        Reaction { emoji: "🎉".into() }
    }

    const CALL: CallId = CallId::from_u64(0x0123_4567_89ab_cdef);

    fn ring() -> Ring {
        Ring { call: CALL, room: RoomName::new("Stand-up").expect("valid"), meeting: true }
    }

    fn now() -> Vec<(&'static str, Message)> {
        let want = Want { author: peer(1), instance: Instance::from_u64(9), from: 17 };
        vec![
            ("room-lines", Message::new(LINES, &room_lines())),
            ("private-lines", Message::new(LINES, &private_lines())),
            ("have", Message::new(HAVE, &have())),
            ("want", Message::new(WANT, &want)),
            ("tracks", Message::new(TRACKS, &tracks())),
            ("views", Message::new(VIEWS, &views())),
            ("hand", Message::new(HAND, &hand())),
            ("hand-down", Message::new(HAND, &Hand { revision: 6, turn: None })),
            ("reaction", Message::new(REACTION, &reaction())),
            ("ring", Message::new(RING, &ring())),
            ("ring-answer", Message::new(RING_ANSWER, &RingAnswer { call: CALL, word: TAKE.into() })),
            ("ring-end", Message::new(RING_END, &RingEnd { call: CALL, word: GO.into() })),
        ]
    }

    // What a later version may send: keys, kinds and words that we do not know.
    fn future() -> Vec<(&'static str, Message)> {
        #[derive(Serialize)]
        struct More<T> {
            #[serde(flatten)]
            now: T,
            reactions: Vec<(u8, &'static str)>,
        }
        let more = |now| More { now, reactions: vec![(1, "x")] };
        let mut lines = room_lines();
        lines.lines.truncate(1);
        let track = |kind: &str| Track { kind: kind.into(), on: true, width: 1, height: 2, codec: "av9".into() };
        let wanted = |kind: &str, view: &str| Wanted { kind: kind.into(), view: view.into() };
        let tracks = Tracks { revision: 1, tracks: vec![track("hologram"), track("camera")] };
        let views = vec![wanted("camera", "huge"), wanted("smell", "small"), wanted("screen", "small")];
        vec![
            ("future-lines", Message::new(LINES, &more(lines))),
            ("future-tracks", Message::new(TRACKS, &tracks)),
            ("future-views", Message::new(VIEWS, &Views { revision: 1, views })),
            ("future-kind", Message::new(99, &"whatever")),
        ]
    }

    #[test]
    fn the_bytes_on_the_wire_stay_what_they_are() {
        let text: String = now()
            .into_iter()
            .chain(future())
            .map(|(name, message)| format!("{name} {} {}\n", message.kind, to_hex(&message.body)))
            .collect();
        assert!(text == GOLDEN, "these are the bytes now; if that is wanted, it is a new version:\n{text}");
    }

    fn golden(name: &str) -> Message {
        let line = GOLDEN.lines().find(|line| line.starts_with(&format!("{name} "))).expect("in the file");
        let words: Vec<&str> = line.split(' ').collect();
        Message { kind: words[1].parse().expect("a kind"), body: from_hex(words[2]).expect("hex").into() }
    }

    #[test]
    fn golden_bytes_are_read() {
        assert_eq!(golden("room-lines").decode(), Ok(room_lines()));
        assert_eq!(golden("private-lines").decode(), Ok(private_lines()));
        assert_eq!(golden("have").decode(), Ok(have()));
        assert_eq!(golden("tracks").decode(), Ok(tracks()));
        assert_eq!(golden("views").decode(), Ok(views()));
        assert_eq!(golden("hand").decode(), Ok(hand()));
        assert_eq!(golden("reaction").decode(), Ok(reaction()));
        assert_eq!(golden("ring").decode(), Ok(ring()));
    }

    #[test]
    fn a_message_from_the_future_is_read_as_far_as_it_is_known() {
        let lines: Lines = golden("future-lines").decode().expect("unknown keys are skipped");
        assert_eq!(lines.lines[0].text, "héllo");
        let tracks: Tracks = golden("future-tracks").decode().expect("unknown kinds are words");
        let known: Vec<TrackKind> = tracks.tracks.iter().filter_map(Track::info).map(|info| info.kind).collect();
        assert_eq!(known, [TrackKind::Camera]);
        let views: Views = golden("future-views").decode().expect("unknown sizes are words");
        let known: Vec<_> = views.views.iter().filter_map(Wanted::read).collect();
        assert_eq!(known, [(TrackKind::Screen, View::Small)]);
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_read_or_refused(kind in 64_u16..76, body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let message = Message { kind, body: body.into() };
            let _ = (message.decode::<Lines>(), message.decode::<Have>(), message.decode::<Want>());
            let _ = (message.decode::<Tracks>(), message.decode::<Views>());
            let _ = (message.decode::<Hand>(), message.decode::<Reaction>());
            let _ = (message.decode::<Ring>(), message.decode::<RingAnswer>(), message.decode::<RingEnd>());
        }
    }
}
