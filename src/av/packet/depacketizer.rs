//! Sans-IO. Puts pictures together from packets that come in any order, twice, or not at all, from a sender that may
//! lie. It decides nothing about decoding or time: complete pictures go to [`crate::av::jitter::Video`].
//!
//! One stream (one encoder run of one layer) is followed at a time. Another one takes over only with a keyframe, and
//! never goes back behind what was seen of it: so a restart or a layer switch is taken up at once, and stragglers of
//! the old stream do no harm.
//!
//! Packets that were lost are computed from parity packets once enough of both are there.
//!
//! Memory: at most [`MAX_OPEN`] unfinished pictures and [`MAX_PARTS`] packets. Overflow: the oldest unfinished picture
//! is given up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::header::{Header, LENGTH, Layer};
use super::packetizer::PARITY_HEAD;
use super::sequence::{Extender, newer};
use crate::av::repair::parity;

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
    /// Redundancy by number, and the picture's packets that are as long as each of them: all of one length.
    parity: BTreeMap<u16, Bytes>,
    longer: u16,
}

impl Open {
    /// Packets held.
    fn held(&self) -> usize {
        self.have + self.parity.len()
    }

    /// The bytes of each packet, when parity tells them.
    fn sizes(&self) -> Option<(usize, usize)> {
        Some((self.parity.first_key_value()?.1.len(), usize::from(self.longer)))
    }

    /// Computes what lacks, if enough is there. Parity that contradicts the packets is dropped; gives how many were.
    fn recover(&mut self) -> u64 {
        let Some((length, longer)) = self.sizes().filter(|_| self.held() >= self.parts.len()) else { return 0 };
        let size = |index| if index < longer { length } else { length - 1 };
        let true_size = |(index, part): (usize, &Option<Bytes>)| part.as_ref().is_none_or(|it| it.len() == size(index));
        if !self.parts.iter().enumerate().all(true_size) {
            return u64::try_from(std::mem::take(&mut self.parity).len()).unwrap_or(0);
        }
        let given = self.parity.iter().map(|(number, bytes)| (*number, bytes));
        if parity::recover(&mut self.parts, given, length, size) {
            self.have = self.parts.len();
            self.parity.clear();
        }
        0
    }
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
    malformed: u64,
    recovered: u64,
}

impl Depacketizer {
    /// Follows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the body of one packet.
    pub fn on_packet(&mut self, body: &Bytes) -> Outcome {
        let outcome = match Header::parse(body) {
            Some((header, _)) => self.place(header, |open| {
                let part = &mut open.parts[usize::from(header.index)];
                if part.is_some() {
                    return Some(Outcome::Late);
                }
                *part = Some(body.slice(LENGTH..));
                open.have += 1;
                None
            }),
            None => Outcome::Malformed,
        };
        self.malformed += u64::from(outcome == Outcome::Malformed);
        outcome
    }

    /// Takes the body of one parity packet.
    pub fn on_parity(&mut self, body: &Bytes) -> Outcome {
        let outcome = match parse_parity(body) {
            Some((header, longer)) => self.place(header, |open| {
                let bytes = body.slice(LENGTH + PARITY_HEAD..);
                let agrees = open.sizes().is_none_or(|sizes| sizes == (bytes.len(), usize::from(longer)));
                if !agrees {
                    return Some(Outcome::Malformed);
                }
                open.longer = longer;
                open.parity.insert(header.index, bytes).map(|_| Outcome::Late)
            }),
            None => Outcome::Malformed,
        };
        self.malformed += u64::from(outcome == Outcome::Malformed);
        outcome
    }

    /// Finds the picture of a packet, has it put there (`None`: it is new), and sees whether the picture is whole now.
    fn place(&mut self, header: Header, put: impl FnOnce(&mut Open) -> Option<Outcome>) -> Outcome {
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
            parity: BTreeMap::new(),
            longer: 0,
        });
        if !open.header.same_picture(&header) {
            return Outcome::Malformed;
        }
        if let Some(outcome) = put(open) {
            return outcome;
        }
        self.parts += 1;
        let (before, was_whole) = (open.held(), open.have == open.parts.len());
        self.malformed += open.recover();
        // While packets are computed and parity goes, `parts` counts what is held.
        self.parts = self.parts + open.held() - before;
        if open.have == open.parts.len() {
            self.recovered += u64::from(!was_whole);
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

    /// Gives up unfinished pictures with numbers below `number`.
    pub fn forget_below(&mut self, number: u64) {
        while self.open.first_key_value().is_some_and(|(oldest, _)| *oldest < number) {
            self.give_up_oldest();
        }
        self.floor = self.floor.max(number);
    }

    /// The number without wrap of a packet's picture; `None` when its stream is not followed.
    pub fn number(&self, header: &Header) -> Option<u64> {
        (self.stream == Some((header.stream, header.layer))).then(|| self.numbers.peek(header.frame))
    }

    /// Counts the streams followed.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Packets that broke the format, since the start.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Pictures that parity completed, since the start.
    pub fn recovered(&self) -> u64 {
        self.recovered
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
        self.parts -= open.held();
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
            self.parts -= open.held();
            self.floor = self.floor.max(number + 1);
        }
    }
}

/// A parity packet: the header of its picture with its own number as index, and how many of the picture's packets are as
/// long as its redundancy. `None` for anything that breaks a rule.
fn parse_parity(body: &[u8]) -> Option<(Header, u16)> {
    let (header, payload) = Header::parse(body)?;
    let (longer, redundancy) = payload.split_first_chunk::<PARITY_HEAD>()?;
    let longer = u16::from_be_bytes(*longer);
    // No packet is empty.
    let least = if longer == header.count { 1 } else { 2 };
    ((1..=header.count).contains(&longer) && redundancy.len() >= least).then_some((header, longer))
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
        let held: usize = depacketizer.open.values().map(Open::held).sum();
        assert_eq!(held, depacketizer.parts);
    }

    /// A keyframe and a delta with their parity.
    fn with_parity(sizes: [usize; 2], parity: usize) -> [(Vec<Bytes>, Vec<Bytes>); 2] {
        let mut packetizer = Packetizer::new(1, Layer::Main, 7);
        sizes.map(|size| {
            let packets = packetizer.cut(&picture(size, size == sizes[0]), 5).expect("cut");
            let parity = packets.parity(parity);
            (packets.bodies, parity)
        })
    }

    #[test]
    fn parity_completes_a_picture_of_which_packets_were_lost() {
        let [(key, key_parity), (delta, delta_parity)] = with_parity([5000, 3001], 2);
        let mut depacketizer = Depacketizer::new();
        // Two of five lost, the parity in front.
        assert_eq!(depacketizer.on_parity(&key_parity[1]), Outcome::Kept);
        assert_eq!(depacketizer.on_parity(&key_parity[0]), Outcome::Kept);
        let rest = [&key[4], &key[0], &key[2]];
        let whole = rest.into_iter().filter_map(|body| complete(depacketizer.on_packet(body))).last().expect("whole");
        assert_eq!((whole.data, depacketizer.recovered()), (picture(5000, true).data, 1));
        // One lost of three, and the last to come is parity.
        assert_eq!(depacketizer.on_packet(&delta[0]), Outcome::Kept);
        assert_eq!(depacketizer.on_packet(&delta[1]), Outcome::Kept);
        let whole = complete(depacketizer.on_parity(&delta_parity[1])).expect("whole");
        assert_eq!(whole.data, picture(3001, false).data);
        assert_eq!(depacketizer.on_parity(&delta_parity[0]), Outcome::Late);
        assert_eq!((depacketizer.parts, depacketizer.open(), depacketizer.malformed()), (0, 0, 0));
    }

    #[test]
    fn parity_that_lies_is_dropped_and_the_picture_still_comes_together() {
        let [(key, parity), _] = with_parity([5000, 10], 3);
        let mut depacketizer = Depacketizer::new();
        let lie = |at: usize, value: u8| {
            let mut body = parity[0].to_vec();
            body[at] = value;
            Bytes::from(body)
        };
        // No packet as long as it, more than there are, another count, no redundancy.
        for body in [lie(21, 0), lie(21, 6), lie(9, 0), parity[0].slice(..LENGTH + PARITY_HEAD)] {
            assert_eq!(depacketizer.on_parity(&body), Outcome::Malformed);
        }
        // Sizes that contradict the packets, found once it matters.
        assert_eq!(depacketizer.on_parity(&parity[1].slice(..500)), Outcome::Kept);
        assert_eq!(depacketizer.on_parity(&parity[0]), Outcome::Malformed);
        let whole: Vec<_> = key.iter().filter_map(|body| complete(depacketizer.on_packet(body))).collect();
        assert_eq!(whole[0].data, picture(5000, true).data);
        assert_eq!((depacketizer.malformed(), depacketizer.parts), (6, 0));
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
                body.extend([flags, reference, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
                if flags & 0x80 == 0 {
                    depacketizer.on_packet(&body.into());
                } else {
                    depacketizer.on_parity(&body.into());
                }
                let held: usize = depacketizer.open.values().map(Open::held).sum();
                prop_assert_eq!(held, depacketizer.parts);
                prop_assert!(depacketizer.open.len() <= MAX_OPEN && depacketizer.parts <= MAX_PARTS);
                prop_assert!(depacketizer.done.len() <= MAX_DONE && depacketizer.retired.len() <= MAX_RETIRED);
            }
        }
    }
}
