//! Sans-IO. Cuts encoded pictures into packets of even size, so that no packet of a picture is much more likely to be
//! lost than another and the last is not a crumb.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::header::{Header, LENGTH, Layer, MAX_PACKETS, MAX_PAYLOAD};
use crate::av::repair::parity;

/// Most bytes of a picture in one packet, so that its parity with two bytes more fits too.
const CUT: usize = MAX_PAYLOAD - PARITY_HEAD;
/// Bytes between the header and the redundancy in a parity packet: how many packets of the picture are as long as it.
/// The others are a byte shorter.
pub const PARITY_HEAD: usize = 2;

/// One encoded picture, of any codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedPicture {
    /// The codec's bytes.
    pub data: Vec<u8>,
    /// It can be decoded alone.
    pub key: bool,
    /// Its temporal layer, 0 is the base.
    pub temporal: u8,
    /// No later picture refers to it.
    pub discardable: bool,
}

/// One picture's packets.
#[derive(Debug, Clone)]
pub struct Packets {
    /// The run of the encoder.
    pub stream: u16,
    /// The picture's number on the wire.
    pub frame: u32,
    /// Bodies, in order; they share one allocation.
    pub bodies: Vec<Bytes>,
    header: Header,
}

impl Packets {
    /// The bodies of `count` parity packets, at most as many as there are packets: the picture's header with the number
    /// of the parity packet as index, how many packets are as long as the longest, and the redundancy.
    pub fn parity(&self, count: usize) -> Vec<Bytes> {
        let parts: Vec<&[u8]> = self.bodies.iter().map(|body| body.get(LENGTH..).unwrap_or_default()).collect();
        let longest = parts.first().map_or(0, |part| part.len());
        let longer = parts.iter().take_while(|part| part.len() == longest).count();
        (0..self.header.count)
            .take(count)
            .map(|index| {
                let mut out = BytesMut::with_capacity(LENGTH + PARITY_HEAD + longest);
                Header { index, ..self.header }.write(&mut out);
                out.put_u16(u16::try_from(longer).unwrap_or(u16::MAX));
                out.extend_from_slice(&parity::encode(&parts, usize::from(index)));
                out.freeze()
            })
            .collect()
    }
}

/// Numbers and cuts the pictures of one encoder run.
#[derive(Debug, Clone)]
pub struct Packetizer {
    stream: u16,
    layer: Layer,
    next: u32,
    /// The newest picture that others may refer to.
    referred: u32,
}

impl Packetizer {
    /// For a new encoder: `stream` is drawn at random, `first` is the first picture's number.
    pub fn new(stream: u16, layer: Layer, first: u32) -> Self {
        Self { stream, layer, next: first, referred: first }
    }

    /// Cuts `picture`, captured at `captured` by the host clock. `None` when it is empty, larger than
    /// [`MAX_PACKETS`] packets or refers too far back: it is not sent, and the next one must be a keyframe unless it
    /// was discardable.
    pub fn cut(&mut self, picture: &EncodedPicture, captured: u64) -> Option<Packets> {
        let size = picture.data.len();
        let count = u16::try_from(size.div_ceil(CUT)).ok().filter(|count| (1..=MAX_PACKETS).contains(count))?;
        let frame = self.next;
        let reference = if picture.key { 0 } else { u8::try_from(frame.wrapping_sub(self.referred)).ok()?.max(1) };
        self.next = self.next.wrapping_add(1);
        if !picture.discardable {
            self.referred = frame;
        }
        let mut header = Header {
            stream: self.stream,
            frame,
            index: 0,
            count,
            key: picture.key,
            discardable: picture.discardable && !picture.key,
            temporal: picture.temporal.min(3),
            layer: self.layer,
            reference,
            captured,
        };
        let mut buffer = BytesMut::with_capacity(size + usize::from(count) * LENGTH);
        let mut rest = picture.data.as_slice();
        let bodies = (0..count)
            .map(|index| {
                // The first `size % count` packets are one byte longer.
                let (part, left) = rest.split_at(rest.len().div_ceil(usize::from(count - index)));
                rest = left;
                header.index = index;
                header.write(&mut buffer);
                buffer.extend_from_slice(part);
                buffer.split().freeze()
            })
            .collect();
        Some(Packets { stream: self.stream, frame, bodies, header })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picture(size: usize, key: bool, discardable: bool) -> EncodedPicture {
        let data = (0..size).map(|i| u8::try_from(i % 251).expect("small")).collect();
        EncodedPicture { data, key, temporal: u8::from(discardable), discardable }
    }

    #[test]
    fn references_name_the_last_picture_that_others_may_use() {
        let mut packetizer = Packetizer::new(1, Layer::Main, u32::MAX);
        let mut reference = |key, discardable| {
            let packets = packetizer.cut(&picture(10, key, discardable), 0).expect("cut");
            Header::parse(&packets.bodies[0]).expect("valid").0.reference
        };
        assert_eq!(reference(true, false), 0);
        assert_eq!(reference(false, true), 1);
        assert_eq!(reference(false, false), 2);
        assert_eq!(reference(false, false), 1);
        assert_eq!(reference(false, true), 1);
        assert_eq!(reference(false, true), 2);
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let mut packetizer = Packetizer::new(1, Layer::Main, 0);
        assert!(packetizer.cut(&picture(0, true, false), 0).is_none());
        assert!(packetizer.cut(&picture(CUT * usize::from(MAX_PACKETS) + 1, true, false), 0).is_none());
        assert_eq!(packetizer.cut(&picture(CUT * usize::from(MAX_PACKETS), true, false), 0).map(|p| p.frame), Some(0));
    }

    proptest! {
        #[test]
        fn packets_are_even_and_hold_the_picture(size in 1usize..30_000) {
            let picture = picture(size, true, false);
            let packets = Packetizer::new(9, Layer::Tile, 4).cut(&picture, 77).expect("cut");
            let parts: Vec<_> = packets.bodies.iter().map(|body| Header::parse(body).expect("valid")).collect();
            prop_assert_eq!(parts.len(), size.div_ceil(CUT));
            let (least, most) = (parts.iter().map(|p| p.1.len()).min(), parts.iter().map(|p| p.1.len()).max());
            prop_assert!(most.expect("some") - least.expect("some") <= 1);
            prop_assert_eq!(parts.iter().flat_map(|p| p.1).copied().collect::<Vec<u8>>(), picture.data);
        }
    }
}
