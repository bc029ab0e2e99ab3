//! Sans-IO. What an author signs of a line to the room.
//!
//! ```text
//! "lets-meet 2026 room line" 00 | room id (32) | author id (32) | instance u64 | counter u64 | sent at u64
//! | name length u32 | name | text length u32 | text                                       (all big-endian)
//! ```
//!
//! The words at the front keep the signature from serving any other purpose, the room id from serving in another
//! room, instance and counter from being moved or repeated. Name and text are signed as they travel: how they are
//! cleaned before they are shown may differ between versions.

use crate::id::{Instance, PeerId, RoomId};
use crate::meeting::wire;

const DOMAIN: &[u8] = b"lets-meet 2026 room line\0";

/// The bytes to sign or verify.
pub fn signed(room: RoomId, author: PeerId, instance: Instance, line: &wire::Line) -> Vec<u8> {
    let mut out = Vec::with_capacity(DOMAIN.len() + 96 + line.name.len() + line.text.len());
    out.extend_from_slice(DOMAIN);
    out.extend_from_slice(room.as_bytes());
    out.extend_from_slice(author.as_bytes());
    for value in [instance.as_u64(), line.n, line.at] {
        out.extend_from_slice(&value.to_be_bytes());
    }
    for text in [&line.name, &line.text] {
        // Both are checked to be far shorter than 4 GiB.
        out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out
}
