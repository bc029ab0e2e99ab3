//! What a person typed or pasted to get into a meeting: a link, a code, an address or the name of a room.

use std::net::SocketAddr;
use std::str::FromStr;

use super::{Invite, MAX_LINK, ParseError, SHORT_DIGITS, is_link};
use crate::endpoint;
use crate::id::{PeerId, RoomName};

/// One line of text, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// A whole link.
    Link(Invite),
    /// `ROOM#digits`: somebody in sight whose id begins with these digits is in that room.
    Short {
        /// The room.
        room: RoomName,
        /// The first digits of the inviter's id, lower case, eight or more.
        digits: String,
    },
    /// `ADDR[:PORT][#PEERID]`: somebody is there.
    Address {
        /// Where.
        address: SocketAddr,
        /// Who must answer.
        peer: Option<PeerId>,
    },
    /// The name of a room.
    Room(RoomName),
}

impl FromStr for Typed {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let text = text.trim();
        if text.len() > MAX_LINK {
            return Err(ParseError::TooLong);
        }
        if is_link(text) {
            return text.parse().map(Self::Link);
        }
        // A link of something else is no room.
        if text.contains("://") {
            return Err(ParseError::Scheme);
        }
        if let Some((place, digits)) = text.rsplit_once('#')
            && (SHORT_DIGITS..=64).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        {
            let peer = digits.parse::<PeerId>().ok();
            if let (Some(peer), Ok(address)) = (peer, endpoint::parse_address(place)) {
                return Ok(Self::Address { address, peer: Some(peer) });
            }
            let room = RoomName::new(place).map_err(|_| ParseError::Room)?;
            return Ok(Self::Short { room, digits: digits.to_ascii_lowercase() });
        }
        // Taken for the name of a room it would open a new one, where nobody comes.
        if let Some((_, digits)) = text.rsplit_once('#')
            && (4..SHORT_DIGITS).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        {
            return Err(ParseError::ShortCode);
        }
        if let Ok(address) = endpoint::parse_address(text) {
            return Ok(Self::Address { address, peer: None });
        }
        RoomName::new(text).map(Self::Room).map_err(|_| ParseError::Room)
    }
}
