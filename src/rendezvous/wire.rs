//! Sans-IO.
//! What a peer and a rendezvous say to one another.
//!
//! One question, one answer: each question travels on a bidirectional stream of its own as one framed message
//! ([`crate::framing`]), the answer comes back on it as another, and both sides close it. A question that the service
//! does not know is answered with [`Refusal`] `unknown-question`, so that a newer peer can go on without it. Unknown
//! map keys are ignored.
//!
//! | kind | question | answer |
//! |---|---|---|
//! | 192 | hello | 208 terms: leases, the address this peer is seen at, the names its key holds |
//! | 193 | claim (also renews) | 209 granted |
//! | 194 | release | 210 released |
//! | 195 | look up a name | 211 found |
//! | 196 | publish a presence (also renews) | 212 published |
//! | 197 | withdraw a presence | 213 withdrawn |
//! | 198 | who is in a room | 214 members |
//! | | any | 223 refused |
//!
//! Who asks is what TLS proved; no message repeats it.

use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::framing::{self, Message};
use crate::id::{Instance, RoomId, Username};
use crate::rendezvous::record::{Claim, Presence, Release};

/// The version in hello and terms. Later versions only add.
pub const VERSION: u16 = 1;
/// Longest question: a presence with all its addresses has about 1.5 KiB.
pub const MAX_QUESTION: usize = 4 * 1024;
/// Longest answer: a room with [`MAX_MEMBERS`] full presences.
pub const MAX_ANSWER: usize = 128 * 1024;
/// Presences in one answer; a meeting has at most 50 seats.
pub const MAX_MEMBERS: usize = 64;
/// Runs of one peer in the answer to a look-up.
pub const MAX_RUNS: usize = 4;
/// Names that terms list of one key.
pub const MAX_NAMES: usize = 32;
/// Longest sentence in a refusal that is kept.
const MAX_DETAIL: usize = 200;

/// Bytes that are no message of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// Not a framed message, or a body that does not fit its kind.
    #[error(transparent)]
    Framing(#[from] framing::Error),
    /// A whole message was expected, and more or less came.
    #[error("not exactly one message")]
    NotOne,
    /// A list over its limit.
    #[error("a list over its limit")]
    TooMany,
    /// A kind that this version does not know.
    #[error("a message of the unknown kind {0}")]
    UnknownKind(u16),
}

/// What a peer asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// The first one on a connection.
    Hello(Hello),
    /// Take or renew a name.
    Claim(Claim),
    /// Give a name back.
    Release(Release),
    /// Who holds this name?
    Lookup(Lookup),
    /// Here I am.
    Publish(Presence),
    /// This run is gone.
    Withdraw(Withdraw),
    /// Who is there?
    Room(Room),
}

/// What the service answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To hello.
    Terms(Terms),
    /// To a claim.
    Granted(Granted),
    /// To a release.
    Released,
    /// To a look-up.
    Found(Found),
    /// To a presence.
    Published(Published),
    /// To a withdrawal.
    Withdrawn,
    /// To a question for a room.
    Members(Members),
    /// To anything.
    Refused(Refused),
}

/// See [`Question::Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The newest version this peer speaks.
    pub version: u16,
}

/// See [`Question::Lookup`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// Any spelling.
    pub name: Username,
}

/// See [`Question::Withdraw`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdraw {
    /// Which run of the peer that asks.
    pub instance: Instance,
}

/// See [`Question::Room`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Which.
    pub room: RoomId,
}

/// See [`Answer::Terms`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The newest version the service speaks.
    pub version: u16,
    /// How long a name is kept after it was claimed or renewed, in milliseconds.
    pub name_lease: u64,
    /// How long a presence is kept, in milliseconds.
    pub presence_lease: u64,
    /// The address that this connection is seen to come from.
    pub observed: Option<Text>,
    /// The claims of this peer's key, at most [`MAX_NAMES`].
    #[serde(default)]
    pub names: Vec<Claim>,
}

/// See [`Answer::Granted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Until when, in Unix milliseconds by the service's clock.
    pub expires: u64,
}

/// See [`Answer::Found`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// As the owner signed it.
    pub claim: Claim,
    /// Until when the service keeps it.
    pub expires: u64,
    /// Where the owner's runs are, as it signed that; at most [`MAX_RUNS`].
    #[serde(default)]
    pub presences: Vec<Presence>,
}

/// See [`Answer::Published`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The address that this connection is seen to come from now.
    pub observed: Option<Text>,
}

/// See [`Answer::Members`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// As their owners signed them; at most [`MAX_MEMBERS`].
    pub presences: Vec<Presence>,
}

/// An observed address as text. Parsed where it is used, since a wrong one must not spoil the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// The text of `address`, without IPv6 clothes.
    pub fn new(address: SocketAddr) -> Self {
        Self(SocketAddr::new(address.ip().to_canonical(), address.port()).to_string())
    }

    /// The address, if it is one.
    pub fn parse(&self) -> Option<SocketAddr> {
        if self.0.len() > 64 { None } else { self.0.parse().ok() }
    }
}

/// Why the service says no. Closed list: `docs/protocol.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Another key holds the name.
    Taken,
    /// Nobody holds the name, or not the one who asks.
    Unknown,
    /// Too much from this key or this address: wait.
    Limited,
    /// The service holds as much as it can.
    Full,
    /// Older than what the service has.
    Stale,
    /// Signed by another key than the one that asks, or not rightly signed.
    Forged,
    /// A clock is wrong by more than a day.
    Clock,
    /// The service cannot store it.
    Store,
    /// A question that cannot be read.
    Malformed,
    /// A question that this version does not know.
    UnknownQuestion,
    /// A reason from the future.
    #[serde(other)]
    Other,
}

/// See [`Answer::Refused`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why.
    pub reason: Refusal,
    /// For `limited`: when to ask again, in milliseconds.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// For `stale`: the newest stamp that the service has.
    #[serde(default)]
    pub newest: Option<u64>,
    /// A sentence for people, if there is more to say.
    #[serde(default)]
    pub detail: Option<String>,
}

impl From<Refusal> for Refused {
    fn from(reason: Refusal) -> Self {
        Self { reason, retry_after: None, newest: None, detail: None }
    }
}

impl Question {
    /// As it travels.
    pub fn message(&self) -> Message {
        match self {
            Self::Hello(body) => Message::new(192, body),
            Self::Claim(body) => Message::new(193, body),
            Self::Release(body) => Message::new(194, body),
            Self::Lookup(body) => Message::new(195, body),
            Self::Publish(body) => Message::new(196, body),
            Self::Withdraw(body) => Message::new(197, body),
            Self::Room(body) => Message::new(198, body),
        }
    }

    /// Reads all the bytes of a question's stream.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let message = one(bytes, MAX_QUESTION)?;
        Ok(match message.kind {
            192 => Self::Hello(message.decode()?),
            193 => Self::Claim(message.decode()?),
            194 => Self::Release(message.decode()?),
            195 => Self::Lookup(message.decode()?),
            196 => Self::Publish(presence(message.decode()?)?),
            197 => Self::Withdraw(message.decode()?),
            198 => Self::Room(message.decode()?),
            kind => return Err(Error::UnknownKind(kind)),
        })
    }
}

impl Answer {
    /// As it travels.
    pub fn message(&self) -> Message {
        match self {
            Self::Terms(body) => Message::new(208, body),
            Self::Granted(body) => Message::new(209, body),
            Self::Released => Message::new(210, &Empty {}),
            Self::Found(body) => Message::new(211, body),
            Self::Published(body) => Message::new(212, body),
            Self::Withdrawn => Message::new(213, &Empty {}),
            Self::Members(body) => Message::new(214, body),
            Self::Refused(body) => Message::new(223, body),
        }
    }

    /// Reads all the bytes of an answer's stream. What it holds is still to be verified.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let message = one(bytes, MAX_ANSWER)?;
        Ok(match message.kind {
            208 => {
                let terms: Terms = message.decode()?;
                at_most(MAX_NAMES, &terms.names)?;
                Self::Terms(terms)
            }
            209 => Self::Granted(message.decode()?),
            210 => empty(&message, Self::Released)?,
            211 => {
                let found: Found = message.decode()?;
                at_most(MAX_RUNS, &found.presences)?;
                Self::Found(found)
            }
            212 => Self::Published(message.decode()?),
            213 => empty(&message, Self::Withdrawn)?,
            214 => {
                let members: Members = message.decode()?;
                at_most(MAX_MEMBERS, &members.presences)?;
                Self::Members(members)
            }
            223 => {
                let mut refused: Refused = message.decode()?;
                refused.detail = refused.detail.map(|d| crate::share::visible(&d).chars().take(MAX_DETAIL).collect());
                Self::Refused(refused)
            }
            kind => return Err(Error::UnknownKind(kind)),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Empty {}

fn empty<T>(message: &Message, answer: T) -> Result<T, Error> {
    decode_as::<Empty>(message).map(|_| answer)
}

fn decode_as<T: DeserializeOwned>(message: &Message) -> Result<T, Error> {
    Ok(message.decode()?)
}

fn presence(record: Presence) -> Result<Presence, Error> {
    at_most(crate::sighting::MAX_ADDRESSES, &record.addresses)?;
    at_most(crate::sighting::MAX_ROOMS, &record.rooms)?;
    Ok(record)
}

fn at_most<T>(limit: usize, list: &[T]) -> Result<(), Error> {
    if list.len() > limit { Err(Error::TooMany) } else { Ok(()) }
}

/// Exactly one framed message of at most `limit` bytes.
fn one(bytes: &[u8], limit: usize) -> Result<Message, Error> {
    if bytes.len() > limit {
        return Err(framing::Error::TooLong(bytes.len() as u64).into());
    }
    let mut decoder = framing::Decoder::new();
    decoder.push(bytes);
    let message = decoder.poll()?.ok_or(Error::NotOne)?;
    if message.encode().len() == bytes.len() { Ok(message) } else { Err(Error::NotOne) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{PeerId, from_hex, to_hex};
    use crate::identity::PublicKey;
    use proptest::prelude::*;

    const GOLDEN: &str = include_str!("../../tests/data/rendezvous-1.txt");
    const STAMP: u64 = 1_800_000_000_000;

    fn golden(name: &str) -> Vec<u8> {
        let line = GOLDEN.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).expect("in the file");
        from_hex(line).expect("hex")
    }

    fn question(name: &str) -> Question {
        Question::decode(&golden(name)).expect("decodes")
    }

    fn answer(name: &str) -> Answer {
        Answer::decode(&golden(name)).expect("decodes")
    }

    #[test]
    fn every_message_of_version_one_has_its_bytes() {
        for line in GOLDEN.lines().filter(|line| !line.starts_with('#') && !line.starts_with("future")) {
            let (name, hex) = line.split_once(' ').expect("two words");
            let bytes = from_hex(hex).expect("hex");
            let again = match Question::decode(&bytes) {
                Ok(question) => question.message(),
                Err(Error::UnknownKind(_)) => Answer::decode(&bytes).expect("an answer").message(),
                Err(error) => panic!("{name}: {error}"),
            };
            assert_eq!(to_hex(&again.encode()), hex, "{name}");
        }
    }

    #[test]
    fn signatures_made_elsewhere_hold() {
        let service = PeerId::from_bytes([0x51; 32]);
        let Question::Claim(claim) = question("claim") else { panic!("a claim") };
        let owner = claim.verify(service, STAMP).expect("signed");
        assert_eq!((claim.name.as_str(), owner), ("Alice", claim.key.peer_id()));
        let Question::Release(release) = question("release") else { panic!("a release") };
        assert_eq!(release.verify(service, STAMP), Ok(owner));
        let Question::Publish(presence) = question("publish") else { panic!("a presence") };
        assert_eq!(presence.verify(service, STAMP), Ok(owner));
        let Answer::Found(found) = answer("found") else { panic!("found") };
        assert_eq!((found.claim, found.presences), (claim, vec![presence]));
    }

    #[test]
    fn messages_from_the_future_are_understood_as_far_as_they_can_be() {
        assert_eq!(question("future-hello"), Question::Hello(Hello { version: 2 }));
        assert_eq!(answer("future-refusal"), Answer::Refused(Refusal::Other.into()));
        assert_eq!(Question::decode(&golden("future-kind")), Err(Error::UnknownKind(207)));
        assert_eq!(Answer::decode(&golden("future-kind")), Err(Error::UnknownKind(207)));
    }

    #[test]
    fn lists_and_lengths_over_their_limits_are_refused() {
        let Question::Publish(presence) = question("publish") else { panic!("a presence") };
        let many = |length| vec![presence.addresses[0]; length];
        let full = Presence { addresses: many(16), ..presence.clone() };
        assert!(Question::decode(&Question::Publish(full).message().encode()).is_ok());
        let over = Presence { addresses: many(17), ..presence.clone() };
        let over = Question::decode(&Question::Publish(over).message().encode());
        assert_eq!(over, Err(Error::TooMany));
        let members = Answer::Members(Members { presences: vec![presence; MAX_MEMBERS + 1] });
        assert_eq!(Answer::decode(&members.message().encode()), Err(Error::TooMany));
        assert!(Question::decode(&vec![0; MAX_QUESTION + 1]).is_err());
        assert!(Question::decode(&(1_u32 << 30).to_be_bytes()).is_err());
        let mut two = golden("hello");
        two.extend(golden("hello"));
        assert_eq!(Question::decode(&two), Err(Error::NotOne));
        assert_eq!(Question::decode(&golden("hello")[..5]), Err(Error::NotOne));
    }

    #[test]
    fn the_longest_honest_messages_fit() {
        let Question::Publish(presence) = question("publish") else { panic!("a presence") };
        let address = "[2001:db8:1111:2222:3333:4444:5555:6666]:48190".to_owned();
        let address = crate::rendezvous::record::Address::try_from(address).expect("valid");
        let full = Presence {
            key: PublicKey::from_bytes([1; 32]),
            name: Some(crate::share::DisplayName::new(&"語".repeat(64))),
            addresses: vec![address; crate::sighting::MAX_ADDRESSES],
            rooms: vec![RoomId::from_bytes([2; 32]); crate::sighting::MAX_ROOMS],
            ..presence
        };
        assert!(Question::Publish(full.clone()).message().encode().len() <= MAX_QUESTION);
        let members = Answer::Members(Members { presences: vec![full; MAX_MEMBERS] });
        assert!(members.message().encode().len() <= MAX_ANSWER);
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 190_u16..230) {
            let framed = Message { kind, body: bytes.clone().into() }.encode();
            for bytes in [&bytes[..], &framed] {
                let _ = (Question::decode(bytes), Answer::decode(bytes));
            }
        }

        #[test]
        fn golden_bytes_changed_anywhere_never_panic(at in 0_usize..10_000, to in any::<u8>(), line in 0_usize..19) {
            let hex = GOLDEN.lines().filter(|line| !line.starts_with('#')).nth(line).expect("line");
            let mut bytes = from_hex(hex.split_once(' ').expect("two words").1).expect("hex");
            let at = at % bytes.len();
            bytes[at] = to;
            let service = PeerId::from_bytes([0x51; 32]);
            if let Ok(Question::Claim(claim)) = Question::decode(&bytes) {
                let _ = claim.verify(service, STAMP);
            }
            if let Ok(Answer::Found(found)) = Answer::decode(&bytes) {
                for presence in found.presences {
                    let _ = presence.verify(service, STAMP);
                }
            }
        }
    }
}
