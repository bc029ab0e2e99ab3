//! The words that mesh and av share, so that neither needs to know the other: tracks, packets, priorities, feedback.
//!
//! av makes a [`Packet`] once and hands it to every subscribed [`Outlet`]; mesh implements `Outlet` for a link and
//! hands each datagram that arrives to the one [`Sink`] that the engine gave it.

mod nack;

use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::PeerId;
pub use nack::{Lost, Nack};

/// Largest datagram with all our headers: what QUIC carries on a path whose MTU search failed (quinn starts at 1162 B
/// and can fall back to it).
pub const MAX_DATAGRAM: usize = 1120;
/// The link header that every datagram starts with: kind, track, transport sequence, send time.
pub const LINK_HEADER: usize = 7;
/// Largest body of a packet.
pub const MAX_BODY: usize = MAX_DATAGRAM - LINK_HEADER;

/// Bits a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bitrate(u64);

impl Bitrate {
    /// From bits a second.
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// In bits a second.
    pub const fn bps(self) -> u64 {
        self.0
    }
}

/// A track of one peer, as the link header carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackId(u8);

impl TrackId {
    /// Messages about the link itself, not about a track.
    pub const LINK: Self = Self(0);
    /// The camera.
    pub const CAMERA: Self = Self(1);
    /// The microphone.
    pub const MICROPHONE: Self = Self(2);
    /// The shared screen.
    pub const SCREEN: Self = Self(3);
    /// What is heard with it.
    pub const SCREEN_AUDIO: Self = Self(4);

    /// From the byte on the wire; every value is valid, unknown ones have no subscriber.
    pub const fn from_u8(value: u8) -> Self {
        Self(value)
    }

    /// The byte on the wire.
    pub const fn as_u8(self) -> u8 {
        self.0
    }
}

/// What a track shows or sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrackKind {
    /// A person's picture.
    Camera,
    /// A person's voice.
    Microphone,
    /// A shared screen or window.
    Screen,
    /// What the sharer's programs play.
    #[serde(rename = "screen-audio")]
    ScreenAudio,
}

impl TrackKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Camera, Self::Microphone, Self::Screen, Self::ScreenAudio];

    /// Heard, not seen.
    pub const fn is_sound(self) -> bool {
        matches!(self, Self::Microphone | Self::ScreenAudio)
    }

    /// The track id that this protocol version gives the kind.
    pub const fn id(self) -> TrackId {
        match self {
            Self::Camera => TrackId::CAMERA,
            Self::Microphone => TrackId::MICROPHONE,
            Self::Screen => TrackId::SCREEN,
            Self::ScreenAudio => TrackId::SCREEN_AUDIO,
        }
    }

    /// The word in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::Screen => "screen",
            Self::ScreenAudio => "screen-audio",
        }
    }
}

/// The codec of a track, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// H.264 constrained baseline, Annex B access units.
    H264,
    /// Opus at 48 kHz.
    Opus,
}

impl Codec {
    /// The name on the wire and in stats.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Opus => "opus",
        }
    }
}

/// What a peer says of a track that it publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackInfo {
    /// Which.
    pub kind: TrackKind,
    /// Media flows; false is mute (the track stays).
    pub on: bool,
    /// Pixels across, of the largest layer; 0 for sound.
    pub width: u16,
    /// Pixels down; 0 for sound.
    pub height: u16,
    /// The codec's name, as received: one we do not know is shown and not decoded.
    pub codec: String,
}

/// The picture size that a receiver asks of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// Nothing: the sender stops sending to this receiver.
    None,
    /// A small tile, 320x180 or less.
    Small,
    /// As large as the sender has it.
    Large,
}

/// How many of a layer's pictures a receiver gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pictures {
    /// Those that others refer to.
    Half,
    /// All.
    All,
}

/// The datagram kinds of protocol version 1. The high bit of the byte on the wire says that an extension block follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketKind {
    /// A piece of an encoded picture.
    Video,
    /// One encoded audio frame, with redundant copies of earlier ones.
    Audio,
    /// Media timestamp and host clock of a track, once a second.
    Clock,
    /// A receiver's words to a track's sender ([`Feedback`]).
    Feedback,
    /// Redundancy over the packets of an encoded picture: some of those that were lost can be computed from it.
    Parity,
}

impl PacketKind {
    /// The byte on the wire, without the extension bit.
    pub const fn as_u8(self) -> u8 {
        match self {
            Self::Video => 1,
            Self::Audio => 2,
            Self::Clock => 3,
            Self::Feedback => 4,
            Self::Parity => 5,
        }
    }

    /// Reads the byte without its extension bit; `None` is a kind from the future, to be counted and dropped.
    pub const fn from_u8(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Video),
            2 => Some(Self::Audio),
            3 => Some(Self::Clock),
            4 => Some(Self::Feedback),
            5 => Some(Self::Parity),
            _ => None,
        }
    }
}

/// The order in which a link sends what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Voice first.
    Audio,
    /// Feedback and clocks: small, and repairs depend on them.
    Feedback,
    /// What a receiver lost and asked for again: it is late already.
    Repair,
    /// Pictures last.
    Video,
}

/// One datagram body on its way to any number of links. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct Packet {
    /// What it is.
    pub kind: PacketKind,
    /// Of which track of ours; for feedback: about which track of the receiver's.
    pub track: TrackId,
    /// How urgent.
    pub priority: Priority,
    /// Packets with the same group (one picture) are dropped together when the first of them is late. Counted per track.
    pub group: u32,
    /// After this moment it is worth nothing and is dropped.
    pub expires: Instant,
    /// At most [`MAX_BODY`] bytes.
    pub body: Bytes,
}

/// One datagram that came in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What it is.
    pub kind: PacketKind,
    /// Of which track of the sender's; for feedback: about which track of ours.
    pub track: TrackId,
    /// The link's transport sequence number.
    pub sequence: u16,
    /// The sender's 24-bit send time, 1/64 ms.
    pub sent: u32,
    /// When it came in.
    pub arrived: Instant,
    /// When it came in, by [`crate::clock::host_micros`].
    pub arrived_host: u64,
    /// What follows the link header and any extension block.
    pub body: Bytes,
}

/// Somewhere packets can be sent: one link. Never blocks; a full queue drops by the link's own rule.
pub trait Outlet: Send + Sync + fmt::Debug {
    /// Queues `packet`.
    fn send(&self, packet: Packet);
}

/// Where a link hands what comes in. Called on a network task: must not block.
pub trait Sink: Send + Sync + fmt::Debug {
    /// Takes one datagram from `peer`.
    fn on_arrival(&self, peer: PeerId, arrival: Arrival);
}

/// How a peer's host clock maps to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockMap {
    /// Nothing is known yet.
    Unknown,
    /// Both read the same clock (one machine): a difference is a latency.
    Same,
    /// `theirs - ours` in microseconds, measured over the link's shortest round trips.
    Estimated {
        /// Microseconds to subtract from their clock to get ours.
        offset_us: i64,
    },
}

impl ClockMap {
    /// A moment of the peer's host clock on ours.
    pub fn to_ours(self, theirs: u64) -> Option<u64> {
        match self {
            Self::Unknown => None,
            Self::Same => Some(theirs),
            Self::Estimated { offset_us } => theirs.checked_add_signed(offset_us.checked_neg()?),
        }
    }
}

/// What a receiver tells the sender of a track, in a datagram of kind [`PacketKind::Feedback`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feedback {
    /// Picture loss indication: send a keyframe (RFC 4585, 6.3.1).
    Pli,
    /// These packets were lost: send them again.
    Nack(Nack),
}

impl Feedback {
    /// Writes the body, at most [`MAX_BODY`] bytes: type byte, then the type's fields.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Pli => Bytes::from_static(&[1]),
            Self::Nack(nack) => nack.encode(3),
        }
    }

    /// Reads a body; `None` is empty, a type from the future, or fields that break a rule.
    pub fn decode(body: &[u8]) -> Option<Self> {
        let (kind, fields) = body.split_first()?;
        match kind {
            1 => Some(Self::Pli),
            3 => Nack::decode(fields).map(Self::Nack),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_kinds_read_back() {
        for kind in [PacketKind::Video, PacketKind::Audio, PacketKind::Clock, PacketKind::Feedback, PacketKind::Parity]
        {
            assert_eq!(PacketKind::from_u8(kind.as_u8()), Some(kind));
        }
        assert_eq!(PacketKind::from_u8(99), None);
        assert_eq!(Feedback::decode(&Feedback::Pli.encode()), Some(Feedback::Pli));
        assert_eq!(Feedback::decode(&[200, 1, 2]), None);
        assert_eq!(Feedback::decode(&[]), None);
    }

    #[test]
    fn clock_map_subtracts_the_offset() {
        assert_eq!(ClockMap::Estimated { offset_us: 30 }.to_ours(100), Some(70));
        assert_eq!(ClockMap::Estimated { offset_us: -30 }.to_ours(100), Some(130));
        assert_eq!(ClockMap::Estimated { offset_us: 200 }.to_ours(100), None);
        assert_eq!(ClockMap::Unknown.to_ours(1), None);
    }
}
