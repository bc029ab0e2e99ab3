//! Sans-IO. What two peers say to each other, byte by byte: the mesh's control messages (kinds 1 to 63, CBOR maps with
//! text keys, see [`crate::framing`]) and the link header of datagrams.
//!
//! Nothing here is trusted: lists are cut to their caps, names are cleaned, lengths are checked. Kinds and keys from
//! the future are skipped. A field is never reused; `docs/protocol.md` and the golden bytes in `tests/data` follow
//! every change.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::framing::{self, Message};
use crate::id::{Instance, PeerId, RoomId};
use crate::media::LINK_HEADER;
use crate::mesh::roster::{self, Refusal};
use crate::share::DisplayName;
use crate::sighting::MAX_ADDRESSES;

/// The protocol versions spoken here, best first.
pub const VERSIONS: [u16; 1] = [1];
/// The first byte of a stream that carries a file.
pub const STREAM_FILE: u8 = 1;
/// Kinds below are the mesh's own; from here on they are handed up undecoded.
pub const FIRST_UPPER_KIND: u16 = 64;
/// Capabilities kept of one hello.
pub const MAX_CAPABILITIES: usize = 32;
/// Characters kept of one capability.
const MAX_CAPABILITY: usize = 32;

/// The numbers of the mesh's messages.
pub mod kind {
    /// [`super::Hello`].
    pub const HELLO: u16 = 1;
    /// [`super::Control::Refuse`].
    pub const REFUSE: u16 = 2;
    /// [`super::Control::Seated`].
    pub const SEATED: u16 = 3;
    /// [`super::Control::Goodbye`].
    pub const GOODBYE: u16 = 4;
    /// [`super::Control::Gossip`].
    pub const GOSSIP: u16 = 5;
    /// [`super::Ping`].
    pub const PING: u16 = 6;
    /// [`super::Pong`].
    pub const PONG: u16 = 7;
    /// [`super::Control::Rename`].
    pub const RENAME: u16 = 8;
    /// [`super::Control::Resume`].
    pub const RESUME: u16 = 9;
    /// [`super::Control::Confirm`].
    pub const CONFIRM: u16 = 10;
}

/// An address on the wire: 4 or 16 bytes of IP, then the port, big-endian. Scopes stay at home: they mean nothing on
/// another machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let port = self.0.port().to_be_bytes();
        match self.0.ip() {
            IpAddr::V4(ip) => serializer.serialize_bytes(&[&ip.octets()[..], &port].concat()),
            IpAddr::V6(ip) => serializer.serialize_bytes(&[&ip.octets()[..], &port].concat()),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        let (ip, port) = bytes.split_last_chunk::<2>().ok_or_else(|| D::Error::custom("a short address"))?;
        let ip = if let Ok(v4) = <[u8; 4]>::try_from(ip) {
            IpAddr::from(v4)
        } else if let Ok(v6) = <[u8; 16]>::try_from(ip) {
            IpAddr::from(v6)
        } else {
            return Err(D::Error::custom("an address is 6 or 18 bytes"));
        };
        Ok(Self(SocketAddr::new(ip.to_canonical(), u16::from_be_bytes(*port))))
    }
}

/// The first message of each side on the control stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Protocol versions spoken, best first.
    #[serde(rename = "v")]
    pub versions: Vec<u16>,
    /// This run.
    pub instance: Instance,
    /// The name to show.
    pub name: DisplayName,
    /// Words for what this peer can do; unknown ones are ignored.
    #[serde(rename = "caps", default)]
    pub capabilities: Vec<String>,
    /// The room this peer sits in, said only to somebody who may sit there too.
    #[serde(default)]
    pub room: Option<RoomId>,
    /// It wants a seat at the other side's table, or offers one; false is a visitor.
    #[serde(default)]
    pub seat: bool,
    /// Where it listens.
    #[serde(default)]
    pub listen: Vec<Address>,
    /// [`crate::clock::host_clock_id`].
    #[serde(default, with = "serde_bytes")]
    pub clock: Option<[u8; 16]>,
    /// How often this run has forgotten its messages to and from the other one, because that had left: when it
    /// changes, numbering starts again (see [`super::outbox`]).
    #[serde(rename = "gen", default)]
    pub generation: u32,
}

impl Hello {
    fn limited(mut self) -> Self {
        self.versions.truncate(16);
        self.capabilities.truncate(MAX_CAPABILITIES);
        for word in &mut self.capabilities {
            *word = crate::share::visible(word).chars().take(MAX_CAPABILITY).collect();
        }
        self.listen.truncate(MAX_ADDRESSES);
        self
    }
}

/// Asks for a [`Pong`] at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// The asker's host clock, microseconds; comes back unchanged.
    pub t: u64,
}

/// Answers a [`Ping`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// From the ping.
    pub t: u64,
    /// The answerer's host clock, microseconds.
    pub host: u64,
}

/// A control message of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Who I am and what I want.
    Hello(Hello),
    /// No, and why. The sender closes the connection.
    Refuse(Refusal),
    /// The link is taken: the lower id, who decides, says so first.
    Seated,
    /// The sender leaves.
    Goodbye,
    /// Peers that the sender is linked to.
    Gossip(Vec<roster::Entry>),
    /// Clock and round trip.
    Ping(Ping),
    /// Its answer.
    Pong(Pong),
    /// The sender shows another name.
    Rename(DisplayName),
    /// The next message of kind 64 or above on this stream has this number; the rest count on from it.
    Resume(u64),
    /// All messages below this number have arrived.
    Confirm(u64),
    /// From the future: counted and skipped.
    Unknown(u16),
}

#[derive(Serialize, Deserialize)]
struct RefuseBody {
    code: String,
}

#[derive(Serialize, Deserialize)]
struct Empty {}

#[derive(Serialize, Deserialize)]
struct RenameBody {
    name: DisplayName,
}

#[derive(Serialize, Deserialize)]
struct NumberBody {
    n: u64,
}

#[derive(Serialize, Deserialize)]
struct GossipBody {
    peers: Vec<GossipEntry>,
}

#[derive(Serialize, Deserialize)]
struct GossipEntry {
    id: PeerId,
    instance: Instance,
    #[serde(default)]
    name: Option<DisplayName>,
    #[serde(rename = "at", default)]
    addresses: Vec<Address>,
}

impl Control {
    /// The message on the wire.
    pub fn encode(&self) -> Message {
        match self {
            Self::Hello(hello) => Message::new(kind::HELLO, hello),
            Self::Refuse(refusal) => {
                Message::new(kind::REFUSE, &RefuseBody { code: refusal_code(*refusal).to_owned() })
            }
            Self::Seated => Message::new(kind::SEATED, &Empty {}),
            Self::Goodbye => Message::new(kind::GOODBYE, &Empty {}),
            Self::Gossip(entries) => Message::new(kind::GOSSIP, &gossip_body(entries)),
            Self::Ping(ping) => Message::new(kind::PING, ping),
            Self::Pong(pong) => Message::new(kind::PONG, pong),
            Self::Rename(name) => Message::new(kind::RENAME, &RenameBody { name: name.clone() }),
            Self::Resume(n) => Message::new(kind::RESUME, &NumberBody { n: *n }),
            Self::Confirm(n) => Message::new(kind::CONFIRM, &NumberBody { n: *n }),
            Self::Unknown(kind) => Message::new(*kind, &Empty {}),
        }
    }

    /// Reads a message of a kind below [`FIRST_UPPER_KIND`].
    pub fn decode(message: &Message) -> Result<Self, framing::Error> {
        Ok(match message.kind {
            kind::HELLO => Self::Hello(message.decode::<Hello>()?.limited()),
            kind::REFUSE => Self::Refuse(refusal_from(&message.decode::<RefuseBody>()?.code)),
            kind::SEATED => Self::Seated,
            kind::GOODBYE => Self::Goodbye,
            kind::GOSSIP => Self::Gossip(gossip_entries(message.decode()?)),
            kind::PING => Self::Ping(message.decode()?),
            kind::PONG => Self::Pong(message.decode()?),
            kind::RENAME => Self::Rename(message.decode::<RenameBody>()?.name),
            kind::RESUME => Self::Resume(number(message)?),
            kind::CONFIRM => Self::Confirm(number(message)?),
            other => Self::Unknown(other),
        })
    }
}

/// Message numbers start at 0 and count single messages: one this high is a lie, and could not be counted on.
const MAX_NUMBER: u64 = 1 << 62;

fn number(message: &Message) -> Result<u64, framing::Error> {
    let NumberBody { n } = message.decode()?;
    if n < MAX_NUMBER { Ok(n) } else { Err(framing::Error::Body("a number out of range".to_owned())) }
}

fn gossip_body(entries: &[roster::Entry]) -> GossipBody {
    let peers = entries.iter().take(roster::MAX_ENTRIES).map(|entry| GossipEntry {
        id: entry.peer,
        instance: entry.instance,
        name: entry.name.clone(),
        addresses: entry.addresses.iter().take(MAX_ADDRESSES).map(|a| Address(*a)).collect(),
    });
    GossipBody { peers: peers.collect() }
}

/// The message is bounded by its length; of what is in it the roster looks at [`roster::MAX_ENTRIES`].
fn gossip_entries(body: GossipBody) -> Vec<roster::Entry> {
    let entries = body.peers.into_iter().take(roster::MAX_ENTRIES).map(|entry| roster::Entry {
        peer: entry.id,
        instance: entry.instance,
        name: entry.name,
        addresses: entry.addresses.into_iter().take(MAX_ADDRESSES).map(|a| a.0).collect(),
    });
    entries.collect()
}

const REFUSALS: [(Refusal, &str); 8] = [
    (Refusal::RoomFull, "room-full"),
    (Refusal::OtherRoom, "other-room"),
    (Refusal::Version, "version"),
    (Refusal::Replaced, "replaced"),
    (Refusal::Duplicate, "duplicate"),
    (Refusal::Removed, "removed"),
    (Refusal::Myself, "myself"),
    (Refusal::Busy, "busy"),
];

/// The word of a refusal on the wire and in warnings.
pub fn refusal_code(refusal: Refusal) -> &'static str {
    REFUSALS.iter().find(|(known, _)| *known == refusal).map_or("busy", |(_, code)| code)
}

/// Reads that word; one from the future is as good as "busy".
pub fn refusal_from(code: &str) -> Refusal {
    REFUSALS.iter().find(|(_, known)| *known == code).map_or(Refusal::Busy, |(refusal, _)| *refusal)
}

/// Reads the body of a control message of this kind (for fuzzing, beside [`Control::decode`]).
pub fn read_control(kind: u16, body: &[u8]) -> Result<Control, framing::Error> {
    Control::decode(&Message { kind, body: bytes::Bytes::copy_from_slice(body) })
}

/// Reads a datagram: its header, and its body behind any extension block. `None` is too short.
pub fn read_datagram(datagram: &[u8]) -> Option<(Header, &[u8])> {
    let (header, body) = Header::decode(datagram)?;
    Some((header, datagram.get(body..)?))
}

/// The header of every datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// [`crate::media::PacketKind`], or one from the future.
    pub kind: u8,
    /// The sender's track, or ours for feedback.
    pub track: u8,
    /// Counts every datagram of the link, and wraps.
    pub sequence: u16,
    /// When it was sent, 24 bits of 1/64 ms.
    pub sent: u32,
}

/// The bit of the kind byte that says that an extension block follows.
const EXTENSION: u8 = 0x80;

/// The 24-bit send time of a moment of the host clock.
pub fn send_time(host_micros: u64) -> u32 {
    // 64 ticks a millisecond.
    u32::try_from((u128::from(host_micros) * 64 / 1000) & 0xff_ffff).expect("24 bits")
}

impl Header {
    /// The bytes before the body.
    pub fn encode(&self) -> [u8; LINK_HEADER] {
        let [s0, s1] = self.sequence.to_be_bytes();
        let [_, t0, t1, t2] = self.sent.to_be_bytes();
        [self.kind & !EXTENSION, self.track, s0, s1, t0, t1, t2]
    }

    /// Reads the header and skips an extension block; gives also where the body starts. `None` is too short.
    pub fn decode(datagram: &[u8]) -> Option<(Self, usize)> {
        let [kind, track, s0, s1, t0, t1, t2] = *datagram.first_chunk::<LINK_HEADER>()?;
        let header = Self {
            kind: kind & !EXTENSION,
            track,
            sequence: u16::from_be_bytes([s0, s1]),
            sent: u32::from_be_bytes([0, t0, t1, t2]),
        };
        if kind & EXTENSION == 0 {
            return Some((header, LINK_HEADER));
        }
        // Length of what follows it, at least the type byte.
        let length = usize::from(*datagram.get(LINK_HEADER)?);
        let body = LINK_HEADER + 1 + length;
        (length >= 1 && body <= datagram.len()).then_some((header, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<(&'static str, Control)> {
        let address = |text: &str| text.parse().expect("an address");
        let hello = Hello {
            versions: vec![1],
            instance: Instance::from_u64(0x0102_0304_0506_0708),
            name: DisplayName::new("Ann"),
            capabilities: vec!["chat".to_owned()],
            room: Some(crate::id::RoomName::new("tea").expect("valid").id()),
            seat: true,
            listen: vec![Address(address("192.0.2.1:48190")), Address(address("[2001:db8::1]:48191"))],
            clock: Some([7; 16]),
            generation: 2,
        };
        let entry = roster::Entry {
            peer: PeerId::from_bytes([9; 32]),
            instance: Instance::from_u64(5),
            name: Some(DisplayName::new("Bo")),
            addresses: vec![address("192.0.2.2:48190")],
        };
        vec![
            ("hello", Control::Hello(hello)),
            ("refuse", Control::Refuse(Refusal::RoomFull)),
            ("seated", Control::Seated),
            ("goodbye", Control::Goodbye),
            ("gossip", Control::Gossip(vec![entry])),
            ("ping", Control::Ping(Ping { t: 1_000_000 })),
            ("pong", Control::Pong(Pong { t: 1_000_000, host: 2_000_000 })),
            ("rename", Control::Rename(DisplayName::new("Anna"))),
            ("resume", Control::Resume(41)),
            ("confirm", Control::Confirm(42)),
        ]
    }

    fn golden(name: &str) -> Vec<u8> {
        let lines = include_str!("../../tests/data/mesh-v1.txt").lines();
        let mut found = lines.filter_map(|line| line.split_once(' ')).filter(|(key, _)| *key == name);
        let (_, hex) = found.next().unwrap_or_else(|| panic!("no line {name} in tests/data/mesh-v1.txt"));
        crate::id::from_hex(hex).expect("hex")
    }

    fn read_golden(name: &str) -> Control {
        let mut decoder = framing::Decoder::new();
        decoder.push(&golden(name));
        Control::decode(&decoder.poll().expect("valid").expect("whole")).expect("readable")
    }

    #[test]
    fn messages_are_written_as_version_1_fixed_them() {
        for (name, control) in samples() {
            let bytes = control.encode().encode();
            assert_eq!(crate::id::to_hex(&bytes), crate::id::to_hex(&golden(name)), "{name}");
            assert_eq!(read_golden(name), control, "{name}");
        }
    }

    #[test]
    fn messages_from_the_future_are_read_as_far_as_they_are_known() {
        // A hello with versions, capabilities and keys of tomorrow.
        let Control::Hello(hello) = read_golden("future-hello") else { panic!("no hello") };
        assert_eq!((hello.versions, hello.name.as_str()), (vec![3, 1], "Ann"));
        assert_eq!(hello.capabilities, ["chat", "telepathy"]);
        // A refusal for a reason of tomorrow, and a kind of tomorrow.
        assert_eq!(read_golden("future-refuse"), Control::Refuse(Refusal::Busy));
        assert_eq!(read_golden("future-kind"), Control::Unknown(60));
        // A datagram of tomorrow, with an extension block.
        let datagram = golden("future-datagram");
        let (header, body) = read_datagram(&datagram).expect("readable");
        assert_eq!((header.kind, header.sequence, body), (100, 7, &b"body"[..]));
    }

    #[test]
    fn numbers_that_cannot_be_counted_on_are_refused() {
        for control in [Control::Resume(u64::MAX), Control::Confirm(MAX_NUMBER)] {
            assert!(Control::decode(&control.encode()).is_err());
        }
    }

    #[test]
    fn the_datagram_header_is_as_version_1_fixed_it() {
        let header = Header { kind: 2, track: 2, sequence: 0x1234, sent: 0x56_789a };
        assert_eq!(header.encode(), *golden("datagram"));
    }

    #[test]
    fn names_from_the_wire_are_clean_and_lists_are_cut() {
        let mut hello = samples().remove(0).1;
        if let Control::Hello(hello) = &mut hello {
            hello.capabilities = vec!["x\u{202e}".repeat(99); 99];
            hello.listen = vec![hello.listen[0]; 99];
            hello.versions = vec![1; 99];
        }
        let Control::Hello(read) = Control::decode(&hello.encode()).expect("readable") else { panic!("no hello") };
        assert_eq!((read.capabilities.len(), read.listen.len(), read.versions.len()), (32, 16, 16));
        assert_eq!(read.capabilities[0], "x".repeat(32));
        let entry = roster::Entry {
            peer: PeerId::from_bytes([9; 32]),
            instance: Instance::from_u64(5),
            name: None,
            addresses: vec![],
        };
        let many = Control::Gossip(vec![entry; 64]);
        assert_eq!(Control::decode(&many.encode()), Ok(many));
    }

    #[test]
    fn headers_read_back() {
        let header = Header { kind: 2, track: 3, sequence: 0xfffe, sent: 0xab_cdef };
        let bytes = header.encode();
        assert_eq!(bytes, [2, 3, 0xff, 0xfe, 0xab, 0xcd, 0xef]);
        assert_eq!(Header::decode(&bytes), Some((header, LINK_HEADER)));
        assert_eq!(Header::decode(&bytes[..6]), None);
    }

    #[test]
    fn an_extension_block_is_skipped() {
        let header = Header { kind: 1, track: 1, sequence: 5, sent: 6 };
        let mut bytes = header.encode().to_vec();
        bytes[0] |= EXTENSION;
        assert_eq!(Header::decode(&bytes), None, "no length");
        bytes.extend([3, 77, 1, 2, 9, 9]);
        assert_eq!(Header::decode(&bytes), Some((header, LINK_HEADER + 4)));
        bytes[LINK_HEADER] = 0;
        assert_eq!(Header::decode(&bytes), None, "no type");
        bytes[LINK_HEADER] = 200;
        assert_eq!(Header::decode(&bytes), None, "longer than the datagram");
    }

    #[test]
    fn send_time_wraps_at_24_bits() {
        assert_eq!(send_time(1_000), 64);
        assert_eq!(send_time(262_144_000), 0);
        assert!(send_time(u64::MAX) <= 0xff_ffff);
    }

    #[test]
    fn refusal_words_read_back() {
        for (refusal, code) in REFUSALS {
            assert_eq!(refusal_from(code), refusal);
            assert_eq!(refusal_code(refusal), code);
        }
        assert_eq!(refusal_from("from the future"), Refusal::Busy);
    }

    proptest::proptest! {
        #[test]
        fn any_datagram_is_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..1500)) {
            if let Some((_, body)) = Header::decode(&bytes) {
                proptest::prop_assert!(body <= bytes.len());
            }
        }

        #[test]
        fn any_body_is_read_or_refused(kind in 0_u16..16, bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = Control::decode(&Message { kind, body: bytes.into() });
        }
    }
}
