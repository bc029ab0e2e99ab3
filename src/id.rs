//! Identifiers. Each has a private field and one validating constructor, so a value that exists is valid.
//!
//! A [`PeerId`] is the identity: the SHA-256 of the key's SubjectPublicKeyInfo. Names are claims about it. An
//! [`Instance`] tells two runs of one identity apart. Names that people type compare after NFKC and case folding
//! ([`fold`]).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Writes bytes as lower-case hex.
pub fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// Reads hex of either case; `None` for an odd length or another character.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// NFKC and full case folding, the form in which names compare (UAX #15, UAX #31).
pub fn fold(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    caseless::default_case_fold_str(&text.nfkc().collect::<String>()).nfkc().collect()
}

/// True for marks that are drawn over or under the letter before (General_Category M).
pub fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// Text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Not 64 hex digits.
    #[error("a peer id is 64 hex digits")]
    PeerId,
    /// Not 16 hex digits.
    #[error("a transfer id is 16 hex digits")]
    TransferId,
    /// Not 16 hex digits.
    #[error("a call id is 16 hex digits")]
    CallId,
    /// Empty, too long, or with characters that cannot be shown.
    #[error("a room name is 1 to 64 characters without control characters")]
    RoomName,
    /// Outside the username rules.
    #[error("a username is 2 to 32 letters, digits, '.', '_' or '-', of one script")]
    Username,
}

/// The identity of a peer: SHA-256 of its key's SubjectPublicKeyInfo (RFC 5280, 4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// From the digest itself.
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight digits, for logs and for `name#suffix`.
    pub fn short(&self) -> String {
        to_hex(&self.0[..4])
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({})", self.short())
    }
}

impl FromStr for PeerId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let bytes = from_hex(text).ok_or(ParseError::PeerId)?;
        bytes.try_into().map(Self).map_err(|_| ParseError::PeerId)
    }
}

/// In readable formats (JSON) 64 hex digits, in binary ones (CBOR) 32 bytes.
impl Serialize for PeerId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_bytes(&self.0) }
    }
}

impl<'de> Deserialize<'de> for PeerId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
            <[u8; 32]>::try_from(bytes.as_slice()).map(Self).map_err(|_| D::Error::custom("a peer id is 32 bytes"))
        }
    }
}

/// One run of a process under an identity: random, drawn at start, never stored. A newer run replaces an older one,
/// and "newer" is told by when its link was made, never by the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instance(u64);

impl Instance {
    /// Draws one.
    pub fn draw() -> Self {
        Self(rand::random())
    }

    /// From a stored or received value; every value is valid.
    pub const fn from_u64(value: u64) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One run of one peer: the key under which links are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkKey {
    /// Who.
    pub peer: PeerId,
    /// Which run.
    pub instance: Instance,
}

/// The name of a room, as first typed; 1 to 64 characters, trimmed, no control or direction characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomName(String);

/// What the room name of a call begins with; a secret in hex follows.
const CALL_ROOM: &str = "call-";

impl RoomName {
    /// Checks and keeps `text`, trimmed.
    pub fn new(text: &str) -> Result<Self, ParseError> {
        let clean = crate::share::visible(text);
        let ok = clean == text.trim() && (1..=64).contains(&clean.chars().count());
        if ok { Ok(Self(clean)) } else { Err(ParseError::RoomName) }
    }

    /// The name to show.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The room of a call: found by nobody who was not told its name, and never announced.
    pub fn of_call(secret: [u8; 16]) -> Self {
        Self(format!("{CALL_ROOM}{}", to_hex(&secret)))
    }

    /// True for a name of the form that [`Self::of_call`] makes.
    pub fn is_call(&self) -> bool {
        let secret = self.0.strip_prefix(CALL_ROOM);
        secret.is_some_and(|secret| secret.len() == 32 && secret.bytes().all(|c| c.is_ascii_hexdigit()))
    }

    /// The id that all spellings of this name share.
    pub fn id(&self) -> RoomId {
        RoomId(blake3::derive_key("lets-meet 2026 room id", fold(&self.0).as_bytes()))
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RoomName {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        Self::new(&text)
    }
}

impl From<RoomName> for String {
    fn from(name: RoomName) -> Self {
        name.0
    }
}

/// A room: the hash of its folded name, never of a passphrase.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoomId(#[serde(with = "serde_bytes")] [u8; 32]);

impl RoomId {
    /// From a received value; every value is valid.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomId({})", to_hex(&self.0[..4]))
    }
}

/// A number of 64 bits that is drawn by one side and written as 16 hex digits.
macro_rules! drawn_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Draws one.
            pub fn draw() -> Self {
                Self(rand::random())
            }

            /// From a received value; every value is valid.
            pub const fn from_u64(value: u64) -> Self {
                Self(value)
            }

            /// The value.
            pub const fn as_u64(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                if text.len() != 16 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
                    return Err(ParseError::$name);
                }
                u64::from_str_radix(text, 16).map(Self).map_err(|_| ParseError::$name)
            }
        }

        /// In readable formats 16 hex digits, in binary ones an integer.
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_u64(self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::Error as _;
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
                } else {
                    u64::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

drawn_id! {
    /// One file on its way to one recipient. Drawn by the sender; unique together with the sender.
    TransferId
}

drawn_id! {
    /// One person ringing another. Drawn by the caller; unique together with the caller.
    CallId
}

/// A unique name at a rendezvous: 2 to 32 letters, digits, `.`, `_`, `-` after NFKC, of one script (UTS #39).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

impl Username {
    /// Checks `text` (a leading `@` is dropped) and keeps its NFKC form.
    pub fn new(text: &str) -> Result<Self, ParseError> {
        use unicode_normalization::UnicodeNormalization;
        use unicode_security::MixedScript;
        let text = text.strip_prefix('@').unwrap_or(text);
        if text.len() > 256 {
            return Err(ParseError::Username);
        }
        let name: String = text.nfkc().collect();
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
        let ok = (2..=32).contains(&name.chars().count())
            && name.chars().all(allowed)
            && name.chars().any(char::is_alphanumeric)
            && name.as_str().is_single_script();
        if ok { Ok(Self(name)) } else { Err(ParseError::Username) }
    }

    /// The name to show, without `@`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two usernames are the same name.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Username {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        Self::new(&text)
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_id_reads_back_what_it_writes() {
        let id = PeerId::from_bytes([0xab; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.short(), "abababab");
        assert_eq!("xyz".parse::<PeerId>(), Err(ParseError::PeerId));
        assert_eq!("é".repeat(32).parse::<PeerId>(), Err(ParseError::PeerId));
    }

    #[test]
    fn transfer_ids_are_sixteen_digits() {
        assert_eq!("00000000000000ff".parse(), Ok(TransferId::from_u64(255)));
        for bad in ["", "ff", "+0000000000000ff", "00000000000000fg"] {
            assert_eq!(bad.parse::<TransferId>(), Err(ParseError::TransferId), "{bad}");
        }
    }

    #[test]
    fn the_room_of_a_call_is_known_by_its_form() {
        let room = RoomName::of_call([0xab; 16]);
        assert_eq!(RoomName::new(room.as_str()), Ok(room.clone()));
        assert!(room.is_call());
        for other in ["call-", "call-abc", "call", "caller-00000000000000000000000000000000"] {
            assert!(!RoomName::new(other).expect("valid").is_call(), "{other}");
        }
    }

    #[test]
    fn room_spellings_share_an_id() {
        let id = |text: &str| RoomName::new(text).expect("valid").id();
        assert_eq!(id("Stand-Up"), id(" stand-up"));
        assert_eq!(id("ﬁsh"), id("FISH"));
        assert_ne!(id("a"), id("b"));
        for bad in ["", "  ", "a\u{7}b", "a\u{202e}b"] {
            assert!(RoomName::new(bad).is_err(), "{bad:?}");
        }
        assert!(RoomName::new(&"x".repeat(65)).is_err());
    }

    #[test]
    fn usernames_follow_the_rules() {
        for good in ["al", "Alice", "a.b_c-d", "åsa", "@bob", "иван"] {
            assert!(Username::new(good).is_ok(), "{good}");
        }
        // The last one mixes Latin and Cyrillic.
        for bad in ["a", "a b", "", "--", "a/b", "x\u{202e}y", &"x".repeat(33), "p\u{430}ypal"] {
            assert!(Username::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Username::new("Alice").expect("valid").folded(), Username::new("aLICE").expect("valid").folded());
    }
}
