//! Sans-IO. What two peers say about a file, and how its bytes are laid out on a stream.
//!
//! Messages (kinds 128 to 159, CBOR maps with text keys) go over the link's ordered stream. The bytes go over a
//! unidirectional stream of their own, one for each attempt:
//!
//! ```text
//! head:    u64 transfer | u32 attempt
//! group:   u64 offset | u32 length, 1 to 256 KiB | 32 bytes BLAKE3 chaining value | the bytes
//! trailer: u64 size   | u32 0                     | 32 bytes BLAKE3 of the whole file
//! ```
//!
//! All integers are big-endian. A group's value stands ahead of its bytes, so a flipped byte is caught before it
//! reaches the file. A reason that we do not know (a newer peer) is shown as `failed`.

use serde::{Deserialize, Serialize};

use super::tree::{GROUP, Hash};
use crate::framing::Message;
use crate::id::TransferId;
use crate::share::FileName;

/// Sender to receiver: there is a file. Said again after a cut, so the receiver must take it as the same offer.
pub const OFFER: u16 = 128;
/// Receiver to sender: send these spans, on a new stream with this attempt number. The first one is the acceptance.
pub const WANT: u16 = 129;
/// Receiver to sender: no.
pub const DECLINE: u16 = 130;
/// Either side: it is over.
pub const CANCEL: u16 = 131;
/// Receiver to sender, a few times a second: so much is on disk, at this rate.
pub const CONFIRM: u16 = 132;
/// Receiver to sender: stored, with this root.
pub const DONE: u16 = 133;

/// Bytes of a stream's head.
pub const HEAD: usize = 12;
/// Bytes ahead of each group's bytes.
pub const GROUP_HEAD: usize = 44;
/// Spans of one [`Want`]; more are an error. This version asks for one.
pub const MAX_SPANS: usize = 64;

/// Why a transfer did not succeed. The closed list behind `reason` in events; kebab-case text on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The other person said no.
    Declined,
    /// The other side takes no files in this run.
    NotAccepting,
    /// Too many open offers between the two.
    TooManyOffers,
    /// Stopped by this side.
    Cancelled,
    /// Stopped by the other side.
    CancelledByPeer,
    /// Nobody answered the offer in time.
    Expired,
    /// The link was lost and did not come back in time.
    LinkLost,
    /// No byte moved for too long.
    Stalled,
    /// The receiver's disk has not enough room.
    NoSpace,
    /// The receiver cannot write the file.
    DiskError,
    /// The sender cannot read the file.
    Unreadable,
    /// The file changed or shrank while it was sent.
    FileChanged,
    /// What arrived is not what was sent.
    HashMismatch,
    /// The other side broke the rules of the protocol: wrong sizes, more bytes than promised.
    Protocol,
    /// Something else, said by a newer version.
    Failed,
}

const REASONS: [(Reason, &str); 15] = [
    (Reason::Declined, "declined"),
    (Reason::NotAccepting, "not-accepting"),
    (Reason::TooManyOffers, "too-many-offers"),
    (Reason::Cancelled, "cancelled"),
    (Reason::CancelledByPeer, "cancelled-by-peer"),
    (Reason::Expired, "expired"),
    (Reason::LinkLost, "link-lost"),
    (Reason::Stalled, "stalled"),
    (Reason::NoSpace, "no-space"),
    (Reason::DiskError, "disk-error"),
    (Reason::Unreadable, "unreadable"),
    (Reason::FileChanged, "file-changed"),
    (Reason::HashMismatch, "hash-mismatch"),
    (Reason::Protocol, "protocol"),
    (Reason::Failed, "failed"),
];

impl Reason {
    /// The word in events and on the wire.
    pub fn as_str(self) -> &'static str {
        REASONS.iter().find(|(reason, _)| *reason == self).map_or("failed", |(_, name)| name)
    }

    /// Reads the word; an unknown one is [`Reason::Failed`].
    pub fn parse(name: &str) -> Self {
        REASONS.iter().find(|(_, known)| *known == name).map_or(Self::Failed, |(reason, _)| *reason)
    }

    /// The same thing, told by the side that it happened to.
    pub fn seen_from_afar(self) -> Self {
        if self == Self::Cancelled { Self::CancelledByPeer } else { self }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::parse(&name))
    }
}

/// Bytes from `start` up to `end`, not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First byte, a multiple of [`GROUP`].
    pub start: u64,
    /// One past the last byte: a multiple of [`GROUP`], or the file's size.
    pub end: u64,
}

/// Body of [`OFFER`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Which transfer.
    pub id: TransferId,
    /// The file's name, made safe while it is parsed.
    pub name: FileName,
    /// Its bytes.
    pub size: u64,
    /// Its BLAKE3, when the sender knows it already.
    #[serde(default, with = "serde_bytes", skip_serializing_if = "Option::is_none")]
    pub root: Option<Hash>,
}

/// Body of [`WANT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// Which transfer.
    pub id: TransferId,
    /// Counts up from 1; a stream of an earlier attempt is of no use any more.
    pub attempt: u32,
    /// What is missing, ascending. Empty for a file of 0 bytes.
    pub spans: Vec<Span>,
}

impl Want {
    /// True when the spans are groups of a file of `size` bytes, ascending, and not too many.
    pub fn fits(&self, size: u64) -> bool {
        let edge = |at: u64| at.is_multiple_of(GROUP) || at == size;
        let span = |s: &Span| s.start < s.end && s.end <= size && s.start.is_multiple_of(GROUP) && edge(s.end);
        self.spans.len() <= MAX_SPANS
            && self.spans.iter().all(span)
            && self.spans.windows(2).all(|pair| pair[0].end <= pair[1].start)
    }
}

/// Body of [`DECLINE`] and [`CANCEL`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Which transfer.
    pub id: TransferId,
    /// Why.
    pub reason: Reason,
}

/// Body of [`CONFIRM`]. Both sides show these figures, so they agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    /// Which transfer.
    pub id: TransferId,
    /// Bytes checked and written.
    pub done: u64,
    /// Bytes a second, as the receiver measures.
    pub rate: u64,
}

/// Body of [`DONE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Which transfer.
    pub id: TransferId,
    /// BLAKE3 of what was stored.
    #[serde(with = "serde_bytes")]
    pub root: Hash,
}

/// Any message about transfers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// [`OFFER`].
    Offer(Offer),
    /// [`WANT`].
    Want(Want),
    /// [`DECLINE`].
    Decline(End),
    /// [`CANCEL`].
    Cancel(End),
    /// [`CONFIRM`].
    Confirm(Confirm),
    /// [`DONE`].
    Done(Done),
}

impl Word {
    /// Writes it.
    pub fn message(&self) -> Message {
        match self {
            Self::Offer(body) => Message::new(OFFER, body),
            Self::Want(body) => Message::new(WANT, body),
            Self::Decline(body) => Message::new(DECLINE, body),
            Self::Cancel(body) => Message::new(CANCEL, body),
            Self::Confirm(body) => Message::new(CONFIRM, body),
            Self::Done(body) => Message::new(DONE, body),
        }
    }

    /// Reads it; `None` is a kind from the future or a body that cannot be read, both ignored.
    pub fn read(message: &Message) -> Option<Self> {
        match message.kind {
            OFFER => message.decode().ok().map(Self::Offer),
            WANT => message.decode().ok().map(Self::Want),
            DECLINE => message.decode().ok().map(Self::Decline),
            CANCEL => message.decode().ok().map(Self::Cancel),
            CONFIRM => message.decode().ok().map(Self::Confirm),
            DONE => message.decode().ok().map(Self::Done),
            _ => None,
        }
    }
}

/// The first bytes of a file stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which transfer.
    pub id: TransferId,
    /// Which attempt.
    pub attempt: u32,
}

impl Head {
    /// Writes it.
    pub fn encode(self) -> [u8; HEAD] {
        let mut out = [0; HEAD];
        out[..8].copy_from_slice(&self.id.as_u64().to_be_bytes());
        out[8..].copy_from_slice(&self.attempt.to_be_bytes());
        out
    }

    /// Reads it; every value is valid.
    pub fn decode(bytes: [u8; HEAD]) -> Self {
        let [i0, i1, i2, i3, i4, i5, i6, i7, a0, a1, a2, a3] = bytes;
        let id = TransferId::from_u64(u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]));
        Self { id, attempt: u32::from_be_bytes([a0, a1, a2, a3]) }
    }
}

/// What stands ahead of a group's bytes; with length 0 it is the trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupHead {
    /// Where the group starts in the file; the file's size in the trailer.
    pub offset: u64,
    /// Bytes that follow.
    pub length: u32,
    /// The group's chaining value; the file's root in the trailer.
    pub hash: Hash,
}

/// What a [`GroupHead`] announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// So many bytes of a group.
    Group(usize),
    /// The end: the head's hash is the root.
    Trailer,
}

impl GroupHead {
    /// Writes it.
    pub fn encode(&self) -> [u8; GROUP_HEAD] {
        let mut out = [0; GROUP_HEAD];
        out[..8].copy_from_slice(&self.offset.to_be_bytes());
        out[8..12].copy_from_slice(&self.length.to_be_bytes());
        out[12..].copy_from_slice(&self.hash);
        out
    }

    /// Reads it; what it says is to be checked by [`Self::next`].
    pub fn decode(bytes: &[u8; GROUP_HEAD]) -> Self {
        let mut offset = [0; 8];
        let mut length = [0; 4];
        let mut hash = [0; 32];
        offset.copy_from_slice(&bytes[..8]);
        length.copy_from_slice(&bytes[8..12]);
        hash.copy_from_slice(&bytes[12..]);
        Self { offset: u64::from_be_bytes(offset), length: u32::from_be_bytes(length), hash }
    }

    /// What must follow, in a file of `size` bytes; `None` when no such group exists.
    pub fn next(&self, size: u64) -> Option<Next> {
        if self.length == 0 {
            return (self.offset == size).then_some(Next::Trailer);
        }
        let whole = size.checked_sub(self.offset)?.min(GROUP);
        let fits = self.offset.is_multiple_of(GROUP) && u64::from(self.length) == whole;
        fits.then(|| usize::try_from(self.length).ok().map(Next::Group)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_reads_back() {
        let id = TransferId::from_u64(u64::MAX);
        let words = [
            Word::Offer(Offer { id, name: FileName::new("a.txt"), size: 1 << 40, root: None }),
            Word::Offer(Offer { id, name: FileName::new("a.txt"), size: 0, root: Some([7; 32]) }),
            Word::Want(Want { id, attempt: 3, spans: vec![Span { start: 0, end: 5 }] }),
            Word::Decline(End { id, reason: Reason::Declined }),
            Word::Cancel(End { id, reason: Reason::FileChanged }),
            Word::Confirm(Confirm { id, done: 1, rate: 2 }),
            Word::Done(Done { id, root: [9; 32] }),
        ];
        for word in words {
            assert_eq!(Word::read(&word.message()), Some(word));
        }
        assert_eq!(Word::read(&Message::new(159, &0)), None);
        assert_eq!(Word::read(&Message::new(OFFER, &0)), None);
    }

    #[test]
    fn a_hostile_name_is_safe_once_it_is_parsed() {
        #[derive(Serialize)]
        struct Raw {
            id: u64,
            name: &'static str,
            size: u64,
            color: &'static str,
        }
        let read = |name| Word::read(&Message::new(OFFER, &Raw { id: 1, name, size: 1, color: "from the future" }));
        let Some(Word::Offer(offer)) = read("../../x") else { panic!("an offer") };
        assert_eq!(offer.name.as_str(), "x");
        let Some(Word::Offer(offer)) = read("/etc/passwd") else { panic!("an offer") };
        assert_eq!(offer.name.as_str(), "passwd");
    }

    #[test]
    fn every_reason_has_a_word_and_unknown_words_a_reason() {
        for (reason, name) in REASONS {
            assert_eq!((reason.as_str(), Reason::parse(name)), (name, reason));
        }
        assert_eq!(Reason::parse("sun-flare"), Reason::Failed);
    }

    #[test]
    fn groups_that_do_not_exist_are_refused() {
        let size = 2 * GROUP + 10;
        let next = |offset, length| GroupHead { offset, length, hash: [0; 32] }.next(size);
        let group = u32::try_from(GROUP).expect("small");
        assert_eq!(next(0, group), Some(Next::Group(super::super::tree::GROUP_BYTES)));
        assert_eq!(next(2 * GROUP, 10), Some(Next::Group(10)));
        assert_eq!(next(size, 0), Some(Next::Trailer));
        for (offset, length) in [(0, 10), (1, group), (2 * GROUP, 11), (3 * GROUP, 1), (0, 0), (size, 1), (u64::MAX, 1)]
        {
            assert_eq!(next(offset, length), None, "{offset} {length}");
        }
    }

    #[test]
    fn wants_outside_the_file_are_refused() {
        let fits = |spans: &[(u64, u64)]| {
            let spans = spans.iter().map(|&(start, end)| Span { start, end }).collect();
            Want { id: TransferId::from_u64(1), attempt: 1, spans }.fits(GROUP + 10)
        };
        assert!(fits(&[]) && fits(&[(0, GROUP + 10)]) && fits(&[(0, GROUP), (GROUP, GROUP + 10)]));
        for bad in
            [&[(1, GROUP)][..], &[(0, 5)], &[(0, GROUP + 11)], &[(GROUP, GROUP)], &[(GROUP, GROUP + 10), (0, GROUP)]]
        {
            assert!(!fits(bad), "{bad:?}");
        }
        assert!(!fits(&[(0, GROUP); 65]));
    }

    proptest::proptest! {
        #[test]
        fn any_head_reads_without_a_panic(bytes in proptest::array::uniform32(0_u8..), size: u64) {
            let mut head = [0; GROUP_HEAD];
            head[..32].copy_from_slice(&bytes);
            let head = GroupHead::decode(&head);
            let _ = head.next(size);
            let stream = Head { id: TransferId::from_u64(size), attempt: head.length };
            proptest::prop_assert_eq!(Head::decode(stream.encode()), stream);
        }
    }
}
