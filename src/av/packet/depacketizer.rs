//! Sans-IO. Puts pictures together from packets that come in any order, twice, or not at all, from a sender that may
//! lie. It decides nothing about decoding or time: complete pictures go to [`crate::av::jitter::Video`].
//!
//! One stream (one encoder run of one layer) is followed at a time. Another one takes over only with a keyframe, and
//! never goes back behind what was seen of it: so a restart or a layer switch is taken up at once, and stragglers of
//! the old stream do no harm.
//!
//! Memory: at most [`MAX_OPEN`] unfinished pictures and [`MAX_PARTS`] packets. Overflow: the oldest unfinished picture
//! is given up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::header::{Header, LENGTH, Layer};
use super::sequence::{Extender, newer};

/// Most unfinished pictures.
pub const MAX_OPEN: usize = 32;
/// Most packets of unfinished pictures: about 2.3 MB.
pub const MAX_PARTS: usize = 2048;
/// Finished pictures remembered, to tell duplicates.
const MAX_DONE: usize = 64;
/// Earlier streams remembered.
const MAX_RETIRED: usize = 4;

/// One complete encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Counts the streams followed, from 1; numbers of different streams do not compare.
    pub generation: u64,
    /// The picture's number, without wrap.
    pub number: u64,
    /// It stands alone.
    pub key: bool,
    /// No other picture refers to it.
    pub discardable: bool,
    /// Its temporal layer.
    pub temporal: u8,
    /// Its layer.
    pub layer: Layer,
    /// How many numbers back the picture is that it refers to; 0 for a keyframe.
    pub reference: u8,
    /// Capture time in microseconds of the sender's host clock.
    pub captured: u64,
    /// The codec's bytes.
    pub data: Vec<u8>,
}

/// What became of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Kept until its picture is complete.
    Kept,
    /// It completed this picture.
    Complete(Box<Frame>),
    /// A duplicate, or of a picture that is done or given up.
    Late,
    /// Of a stream that we do not follow and cannot start with: a keyframe is needed.
    Stray,
    /// It breaks the format.
    Malformed,
}

#[derive(Debug)]
struct Open {
    header: Header,
    parts: Vec<Option<Bytes>>,
    have: usize,
}

type StreamKey = (u16, Layer);

/// The state of one track.
#[derive(Debug, Default)]
pub struct Depacketizer {
    stream: Option<StreamKey>,
    generation: u64,
    numbers: Extender,
    open: BTreeMap<u64, Open>,
    parts: usize,
    done: BTreeSet<u64>,
    /// Numbers below are over.
    floor: u64,
    retired: VecDeque<(StreamKey, u32)>,
    /// The newest number of the stream, as on the wire.
    newest: u32,
}

impl Depacketizer {
    /// Follows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the body of one packet.
    pub fn on_packet(&mut self, body: &Bytes) -> Outcome {
        let Some((header, _)) = Header::parse(body) else { return Outcome::Malformed };
        let key = (header.stream, header.layer);
        if self.stream != Some(key) {
            if self.retired.iter().any(|(old, newest)| *old == key && !newer(header.frame, *newest)) {
                return Outcome::Late;
            }
            if !header.key {
                return Outcome::Stray;
            }
            self.follow(key, header.frame);
        }
        let number = self.numbers.extend(header.frame);
        if number < self.floor || self.done.contains(&number) {
            return Outcome::Late;
        }
        if newer(header.frame, self.newest) {
            self.newest = header.frame;
        }
        let open = self.open.entry(number).or_insert_with(|| Open {
            header,
            parts: vec![None; usize::from(header.count)],
            have: 0,
        });
        if !open.header.same_picture(&header) {
            return Outcome::Malformed;
        }
        let part = &mut open.parts[usize::from(header.index)];
        if part.is_some() {
            return Outcome::Late;
        }
        *part = Some(body.slice(LENGTH..));
        open.have += 1;
        self.parts += 1;
        if open.have == open.parts.len() {
            return self.finish(number);
        }
        while self.open.len() > MAX_OPEN || self.parts > MAX_PARTS {
            self.give_up_oldest();
        }
        Outcome::Kept
    }

    /// Forgets every unfinished picture and the stream; the next keyframe starts anew.
    pub fn reset(&mut self) {
        self.retire();
    }

    /// Unfinished pictures.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    fn retire(&mut self) {
        if let Some(old) = self.stream.take() {
            self.retired.retain(|(key, _)| *key != old);
            self.retired.push_back((old, self.newest));
            if self.retired.len() > MAX_RETIRED {
                self.retired.pop_front();
            }
        }
        self.numbers = Extender::default();
        self.open.clear();
        self.parts = 0;
        self.done.clear();
        self.floor = 0;
    }

    fn follow(&mut self, key: StreamKey, frame: u32) {
        self.retire();
        self.stream = Some(key);
        self.generation += 1;
        self.newest = frame;
    }

    fn finish(&mut self, number: u64) -> Outcome {
        let Some(open) = self.open.remove(&number) else { return Outcome::Late };
        self.parts -= open.have;
        self.done.insert(number);
        if self.done.len() > MAX_DONE
            && let Some(oldest) = self.done.pop_first()
        {
            self.floor = self.floor.max(oldest + 1);
            while self.open.first_key_value().is_some_and(|(number, _)| *number < self.floor) {
                self.give_up_oldest();
            }
        }
        let size = open.parts.iter().flatten().map(Bytes::len).sum();
        let mut data = Vec::with_capacity(size);
        for part in open.parts.iter().flatten() {
            data.extend_from_slice(part);
        }
        let Header { key, discardable, temporal, layer, reference, captured, .. } = open.header;
        let generation = self.generation;
        let frame = Frame { generation, number, key, discardable, temporal, layer, reference, captured, data };
        Outcome::Complete(Box::new(frame))
    }

    fn give_up_oldest(&mut self) {
        if let Some((number, open)) = self.open.pop_first() {
            self.parts -= open.have;
            self.floor = self.floor.max(number + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::EncodedPicture;
    use super::super::packetizer::Packetizer;
    use super::*;

    fn picture(size: usize, key: bool) -> EncodedPicture {
        let data = (0..=250u8).cycle().take(size).collect();
        EncodedPicture { data, key, temporal: 0, discardable: false }
    }

    /// The packets of one keyframe and `count - 1` deltas.
    fn stream(id: u16, first: u32, sizes: &[usize]) -> Vec<Vec<Bytes>> {
        let mut packetizer = Packetizer::new(id, Layer::Main, first);
        sizes
            .iter()
            .enumerate()
            .map(|(i, size)| packetizer.cut(&picture(*size, i == 0), 5).expect("cut").bodies)
            .collect()
    }

    fn complete(outcome: Outcome) -> Option<Frame> {
        match outcome {
            Outcome::Complete(frame) => Some(*frame),
            _ => None,
        }
    }

    #[test]
    fn pictures_come_out_whole_over_the_wrap() {
        let mut depacketizer = Depacketizer::new();
        let packets = stream(1, u32::MAX, &[5000, 100, 3000]);
        let frames: Vec<_> = packets.iter().flatten().filter_map(|p| complete(depacketizer.on_packet(p))).collect();
        assert_eq!(frames.iter().map(|f| f.data.len()).collect::<Vec<_>>(), [5000, 100, 3000]);
        assert!(frames.windows(2).all(|w| w[1].number == w[0].number + 1 && w[1].reference == 1));
        assert_eq!(depacketizer.open(), 0);
    }

    #[test]
    fn a_new_stream_takes_over_with_its_keyframe_only() {
        let mut depacketizer = Depacketizer::new();
        let (old, new) = (stream(1, 900, &[10, 10, 10, 10]), stream(2, 0, &[10, 10, 10]));
        assert_eq!(depacketizer.on_packet(&old[1][0]), Outcome::Stray);
        let first = complete(depacketizer.on_packet(&old[0][0])).expect("whole");
        assert!(complete(depacketizer.on_packet(&old[1][0])).is_some());
        assert!(complete(depacketizer.on_packet(&old[2][0])).is_some());
        assert_eq!(depacketizer.on_packet(&new[1][0]), Outcome::Stray);
        let second = complete(depacketizer.on_packet(&new[0][0])).expect("whole");
        assert!(second.generation > first.generation);
        // Stragglers and repeats of the old stream change nothing.
        assert_eq!(depacketizer.on_packet(&old[0][0]), Outcome::Late);
        assert_eq!(depacketizer.on_packet(&old[2][0]), Outcome::Late);
        assert!(complete(depacketizer.on_packet(&new[1][0])).is_some());
    }

    #[test]
    fn packets_that_contradict_each_other_are_malformed() {
        let mut depacketizer = Depacketizer::new();
        let packets = stream(1, 0, &[5000]);
        assert_eq!(depacketizer.on_packet(&packets[0][0]), Outcome::Kept);
        let mut other = packets[0][1].to_vec();
        other[9] = 200;
        assert_eq!(depacketizer.on_packet(&other.into()), Outcome::Malformed);
        assert_eq!(depacketizer.on_packet(&Bytes::new()), Outcome::Malformed);
        assert_eq!(depacketizer.on_packet(&packets[0][0]), Outcome::Late);
    }

    #[test]
    fn unfinished_pictures_are_bounded() {
        let mut depacketizer = Depacketizer::new();
        for packets in stream(1, 0, &[500_000; 100]) {
            for packet in &packets[1..] {
                depacketizer.on_packet(packet);
                assert!(depacketizer.open.len() <= MAX_OPEN && depacketizer.parts <= MAX_PARTS);
            }
        }
        let held: usize = depacketizer.open.values().map(|open| open.have).sum();
        assert_eq!(held, depacketizer.parts);
    }

    proptest! {
        #[test]
        fn order_and_doubles_do_not_matter(
            sizes in proptest::collection::vec(1usize..6000, 1..12),
            swaps in proptest::collection::vec((0usize..100, 0usize..100), 0..60),
            doubles in proptest::collection::vec(0usize..100, 0..20),
            first: u32,
        ) {
            let pictures = stream(1, first, &sizes);
            let mut packets: Vec<Bytes> = pictures.iter().flatten().cloned().collect();
            for double in doubles {
                packets.push(packets[double % packets.len()].clone());
            }
            let count = packets.len();
            for (a, b) in swaps {
                packets.swap(a % count, b % count);
            }
            // The stream starts with a packet of its keyframe.
            let start = packets.iter().position(|p| Header::parse(p).expect("valid").0.key).expect("a keyframe");
            packets.swap(0, start);
            let mut depacketizer = Depacketizer::new();
            let mut got: Vec<_> = packets.iter().filter_map(|p| complete(depacketizer.on_packet(p))).collect();
            got.sort_by_key(|frame| frame.number);
            prop_assert_eq!(got.iter().map(|f| f.data.len()).collect::<Vec<_>>(), sizes);
            prop_assert!(got.windows(2).all(|w| w[1].number == w[0].number + 1));
        }

        #[test]
        fn any_packets_are_taken_within_bounds(
            headers in proptest::collection::vec((0u16..3, 0u32..90, 0u16..600, 0u16..600, any::<u8>(), 0u8..3), 1..400),
        ) {
            let mut depacketizer = Depacketizer::new();
            for (stream, frame, index, count, flags, reference) in headers {
                let mut body = stream.to_be_bytes().to_vec();
                body.extend(frame.to_be_bytes());
                body.extend(index.to_be_bytes());
                body.extend(count.to_be_bytes());
                body.extend([flags, reference, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
                depacketizer.on_packet(&body.into());
                prop_assert!(depacketizer.open.len() <= MAX_OPEN && depacketizer.parts <= MAX_PARTS);
                prop_assert!(depacketizer.done.len() <= MAX_DONE && depacketizer.retired.len() <= MAX_RETIRED);
            }
        }
    }
}
