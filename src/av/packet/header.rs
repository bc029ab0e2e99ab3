//! Sans-IO. What stands before the bytes of an encoded picture in each of its packets. 20 bytes, big-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 2 | stream: drawn for each run of an encoder, so that a restarted sender or another layer is never taken for an old one |
//! | 4 | frame number, rises by one a picture, wraps |
//! | 2 | index of this packet in its picture |
//! | 2 | packets of this picture, 1 to 512 |
//! | 1 | flags: 1 key, 2 discardable, bits 2-3 temporal layer, bits 4-5 layer (0 main, 1 tile) |
//! | 1 | reference: the picture refers to that many numbers back; 0 exactly for a keyframe |
//! | 8 | capture time, microseconds of the sender's host clock |
//!
//! The reference makes loss a matter of arithmetic: a receiver knows without the codec what can still be decoded.

use bytes::{BufMut, BytesMut};

use crate::media::MAX_BODY;

/// Bytes of the header.
pub const LENGTH: usize = 20;
/// Most bytes of a picture in one packet.
pub const MAX_PAYLOAD: usize = MAX_BODY - LENGTH;
/// Most packets of a picture; a larger picture is not sent.
pub const MAX_PACKETS: u16 = 512;

/// One rung of a video track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// As large as the sender has it.
    Main,
    /// 320x180 or less.
    Tile,
}

impl Layer {
    /// The word in stats.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Tile => "tile",
        }
    }
}

/// The header of one video packet; a value that exists is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The run of an encoder.
    pub stream: u16,
    /// The picture's number.
    pub frame: u32,
    /// This packet's place, below `count`.
    pub index: u16,
    /// Packets of the picture, 1 to [`MAX_PACKETS`].
    pub count: u16,
    /// The picture stands alone.
    pub key: bool,
    /// No other picture refers to it.
    pub discardable: bool,
    /// Its temporal layer, 0 to 3.
    pub temporal: u8,
    /// Its layer.
    pub layer: Layer,
    /// How many numbers back the picture is that it refers to; 0 exactly for a keyframe.
    pub reference: u8,
    /// Capture time in microseconds of the sender's host clock.
    pub captured: u64,
}

impl Header {
    /// Writes it.
    pub fn write(&self, out: &mut BytesMut) {
        let layer = match self.layer {
            Layer::Main => 0,
            Layer::Tile => 1,
        };
        out.put_u16(self.stream);
        out.put_u32(self.frame);
        out.put_u16(self.index);
        out.put_u16(self.count);
        out.put_u8(u8::from(self.key) | u8::from(self.discardable) << 1 | (self.temporal & 3) << 2 | layer << 4);
        out.put_u8(self.reference);
        out.put_u64(self.captured);
    }

    /// Reads a packet's body: the header and the bytes after it. `None` for anything that breaks a rule: too short,
    /// no bytes, a count of 0 or too many, an index beyond the count, an unknown layer, a keyframe that refers to
    /// something or a delta that does not.
    pub fn parse(body: &[u8]) -> Option<(Self, &[u8])> {
        let (head, payload) = body.split_first_chunk::<LENGTH>()?;
        let [s0, s1, f0, f1, f2, f3, i0, i1, c0, c1, flags, reference, time @ ..] = *head;
        let header = Self {
            stream: u16::from_be_bytes([s0, s1]),
            frame: u32::from_be_bytes([f0, f1, f2, f3]),
            index: u16::from_be_bytes([i0, i1]),
            count: u16::from_be_bytes([c0, c1]),
            key: flags & 1 != 0,
            discardable: flags & 2 != 0,
            temporal: flags >> 2 & 3,
            layer: match flags >> 4 & 3 {
                0 => Layer::Main,
                1 => Layer::Tile,
                _ => return None,
            },
            reference,
            captured: u64::from_be_bytes(time),
        };
        let valid = header.count <= MAX_PACKETS
            && header.index < header.count
            && header.key == (header.reference == 0)
            && !(header.key && header.discardable)
            && !payload.is_empty()
            && payload.len() <= MAX_PAYLOAD;
        valid.then_some((header, payload))
    }

    /// True when both are of one picture.
    pub fn same_picture(&self, other: &Self) -> bool {
        Self { index: 0, ..*self } == Self { index: 0, ..*other }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A delta that refers to the picture before it.
    pub(crate) const DELTA: Header = Header {
        stream: 7,
        frame: 0x0102_0304,
        index: 1,
        count: 3,
        key: false,
        discardable: true,
        temporal: 1,
        layer: Layer::Tile,
        reference: 1,
        captured: 0x1122_3344_5566_7788,
    };

    fn bytes(header: &Header) -> Vec<u8> {
        let mut out = BytesMut::new();
        header.write(&mut out);
        out.put_u8(0xaa);
        out.to_vec()
    }

    #[test]
    fn bytes_on_the_wire_stay_as_they_are() {
        let expect = [0, 7, 1, 2, 3, 4, 0, 1, 0, 3, 0b01_0110, 1, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0xaa];
        assert_eq!(bytes(&DELTA), expect);
        assert_eq!(Header::parse(&expect), Some((DELTA, &[0xaa][..])));
    }

    #[test]
    fn packets_that_break_a_rule_are_refused() {
        let refused = |header: Header| assert_eq!(Header::parse(&bytes(&header)), None, "{header:?}");
        refused(Header { count: 0, index: 0, ..DELTA });
        refused(Header { index: 3, ..DELTA });
        refused(Header { count: MAX_PACKETS + 1, ..DELTA });
        refused(Header { reference: 0, ..DELTA });
        refused(Header { key: true, discardable: false, ..DELTA });
        refused(Header { key: true, reference: 0, ..DELTA });
        let good = bytes(&DELTA);
        assert_eq!(Header::parse(&good[..LENGTH]), None);
        assert_eq!(Header::parse(&good[..5]), None);
        assert_eq!(Header::parse(&[good.as_slice(), &[0; MAX_PAYLOAD]].concat()), None);
        let mut unknown_layer = good;
        unknown_layer[10] |= 0b10_0000;
        assert_eq!(Header::parse(&unknown_layer), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_valid(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some((header, payload)) = Header::parse(&body) {
                prop_assert!(header.index < header.count && header.count <= MAX_PACKETS && !payload.is_empty());
            }
        }
    }
}
