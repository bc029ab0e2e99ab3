//! Sans-IO. The body of an audio packet: one encoded frame, and copies of the frames before it.
//!
//! ```text
//! sequence u16 | timestamp u32 | voice 1 bit, level 7 bits | copies 2 bits, duration 6 bits | length u16 of each copy
//! frame n | copy of frame n-1 | copy of frame n-2
//! ```
//!
//! Copies of other frames than the one or two just before are listed; "copies" is 3 then, and instead of the lengths
//!
//! ```text
//! count u8, 1 to 8 | for each copy, the youngest first: how many frames back u8, 1 to 32, and length u16
//! ```
//!
//! All big-endian. The timestamp counts samples at 48 kHz and belongs to the first sample of frame n; copy i starts
//! i durations earlier. The duration counts 2.5 ms, the unit of Opus. The level is in -dBov (RFC 6464). The copies are
//! what makes a lost packet harmless: the next one brings its frame again, at the cost of the frame's bytes and no
//! round trip.
//!
//! A packet without frame n is a pause: from its timestamp on the sender is silent by choice (muted or ended), and the
//! receiver neither waits nor conceals. It still carries copies, so that the last frames before it are as safe as others.

use bytes::{BufMut, Bytes, BytesMut};

use crate::media::MAX_BODY;

/// Most copies of earlier frames in one packet.
pub const MAX_COPIES: usize = 8;
/// Oldest frame that can ride along, in frames before frame n.
pub const MAX_BACK: u8 = 32;
/// In the place of the number of copies: they are listed.
const LISTED: u8 = 3;
/// Samples at 48 kHz of one unit of the duration: 2.5 ms.
pub const DURATION_UNIT: u16 = 120;
/// Largest duration in units: 60 ms, the longest that Opus makes of one frame.
const MAX_DURATION: u8 = 24;
const HEADER: usize = 8;

/// How loud a frame is, and whether it sounds like somebody who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Below full scale, in decibels, 0 to 127.
    below_full: u8,
    /// Somebody speaks.
    pub voice: bool,
}

impl Level {
    /// Digital silence.
    pub const SILENCE: Self = Self { below_full: 127, voice: false };

    /// From decibels below full scale; more than 127 counts as 127.
    pub fn new(below_full: u8, voice: bool) -> Self {
        Self { below_full: below_full.min(127), voice }
    }

    /// Decibels below full scale, 0 to 127.
    pub fn below_full(self) -> u8 {
        self.below_full
    }
}

/// One audio packet. What `parse` gives has non-empty frames and a duration of 2.5 to 60 ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Counts packets.
    pub sequence: u16,
    /// Of the first sample of frame n.
    pub timestamp: u32,
    /// Of frame n.
    pub level: Level,
    /// Samples of each frame in here.
    duration: u16,
    /// Frame n; `None` says that a pause starts at the timestamp.
    pub frame: Option<Bytes>,
    /// How many frames back, rising, and the frame.
    copies: Vec<(u8, Bytes)>,
}

impl Audio {
    /// A packet for a frame of `duration` samples with copies of the frames just before it, n-1 first. Else as
    /// [`Audio::with_copies`].
    pub fn new(
        sequence: u16,
        timestamp: u32,
        level: Level,
        duration: u16,
        frame: Option<Bytes>,
        copies: &[Bytes],
    ) -> Option<Self> {
        let numbered: Vec<(u8, Bytes)> = (1..=MAX_BACK).zip(copies.iter().cloned()).collect();
        Self::with_copies(sequence, timestamp, level, duration, frame, &numbered)
    }

    /// A packet for a frame of `duration` samples with copies of earlier frames: how many frames back each is (rising,
    /// at most [`MAX_BACK`]), and its bytes. Copies that do not fit the packet are left out, the last first, as are empty
    /// ones, ones out of order, and all that follow them. `None` when the frame alone does not fit or is empty, or the
    /// duration is not a multiple of 2.5 ms up to 60 ms.
    pub fn with_copies(
        sequence: u16,
        timestamp: u32,
        level: Level,
        duration: u16,
        frame: Option<Bytes>,
        copies: &[(u8, Bytes)],
    ) -> Option<Self> {
        units(duration)?;
        let alone = HEADER + frame.as_ref().map_or(0, Bytes::len);
        if alone > MAX_BODY || frame.as_ref().is_some_and(Bytes::is_empty) {
            return None;
        }
        // As if they were listed: it is a byte for each and one for all, and never too little.
        let mut size = alone + 1;
        let mut fitting: Vec<(u8, Bytes)> = Vec::with_capacity(copies.len().min(MAX_COPIES));
        for (back, copy) in copies.iter().take(MAX_COPIES) {
            size += 3 + copy.len();
            let older = fitting.last().map_or(0, |(last, _)| *last) < *back && *back <= MAX_BACK;
            if copy.is_empty() || size > MAX_BODY || !older {
                break;
            }
            fitting.push((*back, copy.clone()));
        }
        Some(Self { sequence, timestamp, level, duration, frame, copies: fitting })
    }

    /// Samples at 48 kHz of each frame.
    pub fn duration(&self) -> u16 {
        self.duration
    }

    /// Copies of earlier frames: how many durations before the timestamp each starts, and its bytes.
    pub fn copies(&self) -> impl Iterator<Item = (u8, &Bytes)> {
        self.copies.iter().map(|(back, copy)| (*back, copy))
    }

    /// Writes the body, at most [`MAX_BODY`] bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(MAX_BODY);
        out.put_u16(self.sequence);
        out.put_u32(self.timestamp);
        out.put_u8(self.level.below_full | if self.level.voice { 0x80 } else { 0 });
        let count = u8::try_from(self.copies.len()).unwrap_or(0);
        let listed = is_listed(&self.copies);
        out.put_u8(if listed { LISTED } else { count } << 6 | units(self.duration).unwrap_or(0));
        if listed {
            out.put_u8(count);
        }
        for (back, copy) in &self.copies {
            if listed {
                out.put_u8(*back);
            }
            out.put_u16(u16::try_from(copy.len()).unwrap_or(0));
        }
        for part in self.frame.iter().chain(self.copies.iter().map(|(_, copy)| copy)) {
            out.put_slice(part);
        }
        out.freeze()
    }

    /// Reads a body. `None` when it breaks the format: too short, too long, an empty copy, lengths that do not add up, a
    /// duration of nothing or of more than 60 ms, a list that is empty, too long, out of order or needless.
    pub fn parse(body: &Bytes) -> Option<Self> {
        if body.len() > MAX_BODY {
            return None;
        }
        let head: &[u8; HEADER] = body.first_chunk()?;
        let [s0, s1, t0, t1, t2, t3, level, shape] = *head;
        let units = shape & 0x3f;
        if !(1..=MAX_DURATION).contains(&units) {
            return None;
        }
        let (lengths, start) = lengths(body, shape >> 6)?;
        let frame_end = body.len().checked_sub(lengths.iter().map(|(_, length)| length).sum())?;
        if frame_end < start {
            return None;
        }
        let mut at = frame_end;
        let mut copies = Vec::with_capacity(lengths.len());
        for (back, length) in lengths {
            copies.push((back, body.slice(at..at + length)));
            at += length;
        }
        if shape >> 6 == LISTED && !is_listed(&copies) {
            return None;
        }
        Some(Self {
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            level: Level { below_full: level & 0x7f, voice: level & 0x80 != 0 },
            duration: u16::from(units) * DURATION_UNIT,
            frame: (frame_end > start).then(|| body.slice(start..frame_end)),
            copies,
        })
    }
}

/// Whether copies must be listed: they are not just the one or two frames before.
fn is_listed(copies: &[(u8, Bytes)]) -> bool {
    copies.len() > 2 || !copies.iter().map(|(back, _)| *back).eq((1..=MAX_BACK).take(copies.len()))
}

/// How far back each copy is and its length, and where the frame begins.
fn lengths(body: &[u8], copies: u8) -> Option<(Vec<(u8, usize)>, usize)> {
    let listed = copies == LISTED;
    let count = usize::from(if listed { *body.get(HEADER)? } else { copies });
    if count > MAX_COPIES {
        return None;
    }
    let (mut at, mut last) = (HEADER + usize::from(listed), 0u8);
    let mut lengths = Vec::with_capacity(count);
    for _ in 0..count {
        let back = if listed { *body.get(at)? } else { last + 1 };
        at += usize::from(listed);
        let length = usize::from(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
        at += 2;
        if length == 0 || back <= last || back > MAX_BACK {
            return None;
        }
        lengths.push((back, length));
        last = back;
    }
    Some((lengths, at))
}

fn units(duration: u16) -> Option<u8> {
    let units = u8::try_from(duration / DURATION_UNIT).ok()?;
    (duration.is_multiple_of(DURATION_UNIT) && (1..=MAX_DURATION).contains(&units)).then_some(units)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(length: usize) -> Bytes {
        Bytes::from(vec![7; length])
    }

    #[test]
    fn oldest_copies_give_way_when_the_packet_is_full() {
        let check = |frame: usize, copies: &[usize], expect: Option<usize>| {
            let copies: Vec<Bytes> = copies.iter().map(|n| bytes(*n)).collect();
            let made = Audio::new(1, 2, Level::SILENCE, 480, Some(bytes(frame)), &copies);
            assert_eq!(made.as_ref().map(|p| p.copies().count()), expect, "{frame} {copies:?}");
            assert!(made.is_none_or(|p| p.encode().len() <= MAX_BODY));
        };
        check(80, &[80], Some(1));
        check(80, &[80, 80], Some(2));
        check(80, &[80; 8], Some(8));
        check(80, &[80; 9], Some(8));
        check(200, &[200; 6], Some(4));
        check(600, &[400, 400], Some(1));
        check(1000, &[200], Some(0));
        check(80, &[0, 80], Some(0));
        check(0, &[], None);
        check(MAX_BODY, &[], None);
    }

    #[test]
    fn bytes_on_the_wire_stay_as_they_are() {
        let packet = Audio::new(0x0102, 0x0304_0506, Level::new(30, true), 480, Some(bytes(2)), &[bytes(1)]);
        let wire = packet.expect("fits").encode();
        assert_eq!(&wire[..], [1, 2, 3, 4, 5, 6, 0x80 | 30, 1 << 6 | 4, 0, 1, 7, 7, 7]);
        let listed = [(2, bytes(1)), (6, bytes(2))];
        let packet = Audio::with_copies(1, 2, Level::SILENCE, 480, Some(bytes(1)), &listed).expect("fits").encode();
        assert_eq!(&packet[..], [0, 1, 0, 0, 0, 2, 127, 3 << 6 | 4, 2, 2, 0, 1, 6, 0, 2, 7, 7, 7, 7]);
    }

    #[test]
    fn copies_out_of_order_are_left_out() {
        let check = |backs: &[u8], expect: &[u8]| {
            let copies: Vec<(u8, Bytes)> = backs.iter().map(|back| (*back, bytes(3))).collect();
            let packet = Audio::with_copies(1, 2, Level::SILENCE, 480, Some(bytes(9)), &copies).expect("fits");
            assert_eq!(packet.copies().map(|(back, _)| back).collect::<Vec<u8>>(), expect, "{backs:?}");
            assert_eq!(Audio::parse(&packet.encode()), Some(packet));
        };
        check(&[4], &[4]);
        check(&[2, 1], &[2]);
        check(&[1, 1], &[1]);
        check(&[3, 32, 33], &[3, 32]);
        check(&[0], &[]);
    }

    #[test]
    fn packets_that_break_the_format_are_refused() {
        let check = |body: &[u8]| assert_eq!(Audio::parse(&Bytes::copy_from_slice(body)), None, "{body:?}");
        check(&[]);
        check(&[0; 7]);
        check(&[0; 8]); // no duration
        check(&[0, 0, 0, 0, 0, 0, 0, 25, 1]); // 62.5 ms
        check(&[0, 0, 0, 0, 0, 0, 0, 3 << 6 | 4]); // no list
        check(&[0, 0, 0, 0, 0, 0, 0, 3 << 6 | 4, 0, 9]); // an empty list
        check(&[0, 0, 0, 0, 0, 0, 0, 3 << 6 | 4, 1, 1, 0, 1, 9, 9]); // a list of what needs none
        check(&[0, 0, 0, 0, 0, 0, 0, 3 << 6 | 4, 1, 33, 0, 1, 9, 9]); // too far back
        check(&[0, 0, 0, 0, 0, 0, 0, 3 << 6 | 4, 2, 4, 0, 1, 4, 0, 1, 9, 9, 9]); // twice the same
        check(&[0, 0, 0, 0, 0, 0, 0, 3 << 6 | 4, 9, 4, 0, 1, 9, 9]); // nine copies
        check(&[0, 0, 0, 0, 0, 0, 0, 1 << 6 | 4, 0]); // half a length
        check(&[0, 0, 0, 0, 0, 0, 0, 1 << 6 | 4, 0, 0, 9]); // empty copy
        check(&[0, 0, 0, 0, 0, 0, 0, 1 << 6 | 4, 0, 5, 9]); // longer than the packet
        check(&[4; MAX_BODY + 1]);
    }

    #[test]
    fn pause_carries_the_last_frames() {
        let pause = Audio::new(9, 960, Level::SILENCE, 480, None, &[bytes(3)]).expect("fits");
        assert_eq!(Audio::parse(&pause.encode()), Some(pause));
    }

    proptest! {
        #[test]
        fn packets_read_back(
            sequence: u16, timestamp: u32, below in 0u8..=127, voice: bool, units in 1u16..=24,
            frame in proptest::option::of(1usize..100),
            copies in proptest::collection::btree_map(1u8..=MAX_BACK, 1usize..100, 0..=MAX_COPIES),
        ) {
            let copies: Vec<(u8, Bytes)> = copies.into_iter().map(|(back, n)| (back, bytes(n))).collect();
            let duration = units * DURATION_UNIT;
            let level = Level::new(below, voice);
            let frame = frame.map(bytes);
            let packet = Audio::with_copies(sequence, timestamp, level, duration, frame, &copies).expect("fits");
            prop_assert_eq!(packet.copies().count(), copies.len());
            prop_assert_eq!(Audio::parse(&packet.encode()), Some(packet));
        }

        #[test]
        fn any_bytes_are_refused_or_within_bounds(body in proptest::collection::vec(any::<u8>(), 0..1300)) {
            let body = Bytes::from(body);
            if let Some(packet) = Audio::parse(&body) {
                prop_assert!(packet.copies().all(|(_, copy)| !copy.is_empty()));
                prop_assert!((120..=2880).contains(&packet.duration()));
                prop_assert_eq!(packet.encode(), body);
            }
        }
    }
}
