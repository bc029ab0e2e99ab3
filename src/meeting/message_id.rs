//! Sans-IO. The id of a chat line: author, the author's instance, conversation, counter.
//!
//! A conversation is the room or one exact set of people (author and recipients together), so everybody who may see
//! one of its lines may see all of them, and the counters 1, 2, 3.. of one author's run have no gap that cannot be
//! filled. A restarted author counts anew under its new instance.

use std::collections::BTreeSet;
use std::fmt;

use crate::id::{Instance, PeerId, RoomId, to_hex};

/// The room, or one exact set of people in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationId([u8; 16]);

impl ConversationId {
    /// The room's own conversation.
    pub fn room(room: RoomId) -> Self {
        Self::digest(room, &BTreeSet::new())
    }

    /// The conversation of exactly `people`, author included.
    pub fn of(room: RoomId, people: &BTreeSet<PeerId>) -> Self {
        Self::digest(room, people)
    }

    fn digest(room: RoomId, people: &BTreeSet<PeerId>) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("lets-meet 2026 conversation id");
        hasher.update(room.as_bytes());
        for peer in people {
            hasher.update(peer.as_bytes());
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(id)
    }

    /// From a received value; every value is valid, an unknown one names nothing.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConversationId({})", to_hex(&self.0[..4]))
    }
}

/// One line of one author. The same on every peer. Displayed as `author-instance-conversation-counter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Who wrote it.
    pub author: PeerId,
    /// In which run.
    pub instance: Instance,
    /// To whom.
    pub conversation: ConversationId,
    /// 1, 2, 3.. without gaps.
    pub counter: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}-{}", self.author, self.instance, self.conversation, self.counter)
    }
}
