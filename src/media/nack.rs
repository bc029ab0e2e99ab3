//! What a receiver lost of a picture track and asks for again (generic NACK, after RFC 4585, 6.2.1). On the wire, after
//! the type byte:
//!
//! | bytes | field |
//! |---|---|
//! | 2 | stream |
//! | then, for each picture: 4 | frame number, each newer than the one before |
//! | 1 | runs; 0 asks for the whole picture, of which nothing came |
//! | for each run: 2 + 1 | first packet, and how many more follow it |
//!
//! Runs rise and do not touch, so there is one way to write a request, and what breaks a rule is refused.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::MAX_BODY;

/// Packets of a picture are numbered below this.
pub const MAX_INDEX: u16 = 512;
/// Most pictures of one request.
pub const MAX_PICTURES: usize = 64;
/// Frame numbers of one request span less than this.
const MAX_SPAN: u32 = 1024;
/// Type byte and stream.
const HEAD: usize = 3;
/// Bytes of a picture before its runs.
const PICTURE: usize = 5;
/// Bytes of a run.
const RUN: usize = 3;

/// One picture of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The picture's number on the wire.
    pub frame: u32,
    /// First and last packet of each run; empty asks for the whole picture.
    pub runs: Vec<(u16, u16)>,
}

impl Lost {
    /// The packets asked for, of a picture of `count`.
    pub fn packets(&self, count: u16) -> impl Iterator<Item = u16> + '_ {
        let whole = if self.runs.is_empty() { 0..count } else { 0..0 };
        let runs = self.runs.iter().flat_map(move |(first, last)| *first..last.saturating_add(1).min(count));
        whole.chain(runs)
    }
}

/// A request; one that exists can be sent and is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nack {
    stream: u16,
    lost: Vec<Lost>,
}

impl Nack {
    /// Asks for packets of `stream`, given as frame numbers and packet indexes (`None`: the whole picture), from the
    /// oldest on. What does not fit into one datagram is left out: it is asked for again. `None` when nothing is asked.
    pub fn of(stream: u16, wanted: impl IntoIterator<Item = (u32, Option<u16>)>) -> Option<Self> {
        let mut lost: Vec<Lost> = Vec::new();
        let mut room = MAX_BODY - HEAD;
        for (frame, index) in wanted {
            if lost.last().is_none_or(|last| last.frame != frame) {
                if lost.len() == MAX_PICTURES || room < PICTURE + RUN || !fits(lost.first(), lost.last(), frame) {
                    break;
                }
                room -= PICTURE;
                lost.push(Lost { frame, runs: Vec::new() });
            }
            let (Some(picture), Some(index)) = (lost.last_mut(), index.filter(|index| *index < MAX_INDEX)) else {
                continue;
            };
            let full = room < RUN || picture.runs.len() == 255;
            match picture.runs.last_mut() {
                Some((first, last)) if index == *last + 1 && index - *first <= 255 => *last = index,
                Some((_, last)) if index <= *last => {}
                _ if full => break,
                _ => {
                    room -= RUN;
                    picture.runs.push((index, index));
                }
            }
        }
        (!lost.is_empty()).then_some(Self { stream, lost })
    }

    /// The run of an encoder that it is about.
    pub fn stream(&self) -> u16 {
        self.stream
    }

    /// What is asked for.
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// Writes what follows the type byte.
    pub(super) fn encode(&self, kind: u8) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        out.put_u8(kind);
        out.put_u16(self.stream);
        for picture in &self.lost {
            out.put_u32(picture.frame);
            out.put_u8(u8::try_from(picture.runs.len()).unwrap_or(u8::MAX));
            for (first, last) in &picture.runs {
                out.put_u16(*first);
                out.put_u8(u8::try_from(last - first).unwrap_or(u8::MAX));
            }
        }
        out.freeze()
    }

    /// Reads what follows the type byte.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let (stream, mut rest) = body.split_first_chunk::<2>()?;
        let mut lost: Vec<Lost> = Vec::new();
        while let Some((head, left)) = rest.split_first_chunk::<PICTURE>() {
            let [f0, f1, f2, f3, count] = *head;
            let frame = u32::from_be_bytes([f0, f1, f2, f3]);
            let (runs, left) = left.split_at_checked(usize::from(count) * RUN)?;
            rest = left;
            let runs: Vec<(u16, u16)> = runs
                .as_chunks::<RUN>()
                .0
                .iter()
                .map(|[high, low, more]| {
                    let first = u16::from_be_bytes([*high, *low]);
                    (first, first.saturating_add(u16::from(*more)))
                })
                .collect();
            // A run goes on until a gap, or until it is as long as it can be.
            let rise = runs.windows(2).all(|w| w[1].0 > w[0].1 && (w[1].0 > w[0].1 + 1 || w[0].1 - w[0].0 == 255));
            let valid = rise && runs.last().is_none_or(|(_, last)| *last < MAX_INDEX);
            if !valid || lost.len() == MAX_PICTURES || !fits(lost.first(), lost.last(), frame) {
                return None;
            }
            lost.push(Lost { frame, runs });
        }
        (rest.is_empty() && !lost.is_empty() && body.len() < MAX_BODY)
            .then_some(Self { stream: u16::from_be_bytes(*stream), lost })
    }
}

/// True when `frame` may follow.
fn fits(first: Option<&Lost>, last: Option<&Lost>, frame: u32) -> bool {
    let after = last.is_none_or(|last| (1..MAX_SPAN).contains(&frame.wrapping_sub(last.frame)));
    after && first.is_none_or(|first| frame.wrapping_sub(first.frame) < MAX_SPAN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Feedback;
    use super::*;

    fn read_back(nack: &Nack) {
        let body = Feedback::Nack(nack.clone()).encode();
        assert!(body.len() <= MAX_BODY);
        assert_eq!(Feedback::decode(&body), Some(Feedback::Nack(nack.clone())));
    }

    #[test]
    fn bytes_on_the_wire_stay_as_they_are() {
        let wanted = [(0xffff_ffff, Some(1)), (0xffff_ffff, Some(2)), (0xffff_ffff, Some(7)), (0, None)];
        let nack = Nack::of(9, wanted).expect("something");
        let body = Feedback::Nack(nack.clone()).encode();
        assert_eq!(body[..], [3, 0, 9, 255, 255, 255, 255, 2, 0, 1, 1, 0, 7, 0, 0, 0, 0, 0, 0]);
        read_back(&nack);
        assert_eq!(nack.lost()[0].packets(8).collect::<Vec<_>>(), [1, 2, 7]);
        assert_eq!(nack.lost()[0].packets(2).collect::<Vec<_>>(), [1]);
        assert_eq!(nack.lost()[1].packets(3).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn requests_that_break_a_rule_are_refused() {
        let refused = |body: &[u8]| assert_eq!(Feedback::decode(body), None, "{body:?}");
        refused(&[3, 0, 9]);
        refused(&[3, 0, 9, 0, 0, 0, 1]);
        refused(&[3, 0, 9, 0, 0, 0, 1, 1, 0, 1]);
        refused(&[3, 0, 9, 0, 0, 0, 1, 1, 2, 0, 0]);
        refused(&[3, 0, 9, 0, 0, 0, 1, 1, 1, 255, 1]);
        refused(&[3, 0, 9, 0, 0, 0, 1, 2, 0, 1, 0, 0, 2, 0]);
        refused(&[3, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]);
        refused(&[3, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        refused(&[3, 0, 9, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0]);
        assert_eq!(Nack::of(1, []), None);
    }

    proptest! {
        #[test]
        fn what_is_lost_is_asked_for(
            stream: u16,
            start: u32,
            lost in proptest::collection::btree_set((0u32..90, 0u16..600), 1..900),
            whole in proptest::collection::btree_set(0u32..90, 0..20),
        ) {
            let wanted: Vec<(u32, Option<u16>)> = lost
                .iter()
                .filter(|(frame, _)| !whole.contains(frame))
                .map(|(frame, index)| (*frame, Some(*index)))
                .chain(whole.iter().map(|frame| (*frame, None)))
                .collect();
            let mut sorted = wanted;
            sorted.sort();
            let asked = sorted.iter().map(|(frame, index)| (start.wrapping_add(*frame), *index));
            if let Some(nack) = Nack::of(stream, asked) {
                read_back(&nack);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_valid(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let body = [&[3][..], &body].concat();
            if let Some(feedback) = Feedback::decode(&body) {
                prop_assert_eq!(&feedback.encode()[..], &body[..]);
            }
        }
    }
}
