//! Sans-IO. The body of an audio packet: one encoded frame, and copies of the frames before it.
//!
//! ```text
//! sequence u16 | timestamp u32 | voice 1 bit, level 7 bits | copies 2 bits, duration 6 bits | length u16 of each copy
//! frame n | copy of frame n-1 | copy of frame n-2
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
pub const MAX_COPIES: usize = 2;
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
    /// Frame n-1, then frame n-2.
    copies: Vec<Bytes>,
}

impl Audio {
    /// A packet for a frame of `duration` samples. Copies (n-1 first) that do not fit the packet are left out, the
    /// oldest first, as are empty ones and all that follow them. `None` when the frame alone does not fit or is empty,
    /// or the duration is not a multiple of 2.5 ms up to 60 ms.
    pub fn new(
        sequence: u16,
        timestamp: u32,
        level: Level,
        duration: u16,
        frame: Option<Bytes>,
        copies: &[Bytes],
    ) -> Option<Self> {
        units(duration)?;
        let mut size = HEADER + frame.as_ref().map_or(0, Bytes::len);
        if size > MAX_BODY || frame.as_ref().is_some_and(Bytes::is_empty) {
            return None;
        }
        let mut fitting = Vec::with_capacity(copies.len().min(MAX_COPIES));
        for copy in copies.iter().take(MAX_COPIES) {
            size += 2 + copy.len();
            if copy.is_empty() || size > MAX_BODY {
                break;
            }
            fitting.push(copy.clone());
        }
        Some(Self { sequence, timestamp, level, duration, frame, copies: fitting })
    }

    /// Samples at 48 kHz of each frame.
    pub fn duration(&self) -> u16 {
        self.duration
    }

    /// Copies of earlier frames: how many durations before the timestamp each starts, and its bytes.
    pub fn copies(&self) -> impl Iterator<Item = (u8, &Bytes)> {
        (1u8..).zip(&self.copies)
    }

    /// Writes the body, at most [`MAX_BODY`] bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(MAX_BODY);
        out.put_u16(self.sequence);
        out.put_u32(self.timestamp);
        out.put_u8(self.level.below_full | if self.level.voice { 0x80 } else { 0 });
        let copies = u8::try_from(self.copies.len()).unwrap_or(0);
        out.put_u8(copies << 6 | units(self.duration).unwrap_or(0));
        for copy in &self.copies {
            out.put_u16(u16::try_from(copy.len()).unwrap_or(0));
        }
        for part in self.frame.iter().chain(&self.copies) {
            out.put_slice(part);
        }
        out.freeze()
    }

    /// Reads a body. `None` when it breaks the format: too short, too long, an empty copy, lengths that do not add up, a
    /// duration of nothing or of more than 60 ms, three copies.
    pub fn parse(body: &Bytes) -> Option<Self> {
        if body.len() > MAX_BODY {
            return None;
        }
        let head: &[u8; HEADER] = body.first_chunk()?;
        let [s0, s1, t0, t1, t2, t3, level, shape] = *head;
        let (copies, units) = (usize::from(shape >> 6), shape & 0x3f);
        if copies > MAX_COPIES || !(1..=MAX_DURATION).contains(&units) {
            return None;
        }
        let mut lengths = [0usize; MAX_COPIES];
        for (i, length) in lengths.iter_mut().take(copies).enumerate() {
            let at = HEADER + 2 * i;
            *length = usize::from(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
            if *length == 0 {
                return None;
            }
        }
        let start = HEADER + 2 * copies;
        let frame_end = body.len().checked_sub(lengths.iter().sum())?;
        if frame_end < start {
            return None;
        }
        let mut at = frame_end;
        let mut parts = Vec::with_capacity(copies);
        for length in lengths.into_iter().take(copies) {
            parts.push(body.slice(at..at + length));
            at += length;
        }
        Some(Self {
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            level: Level { below_full: level & 0x7f, voice: level & 0x80 != 0 },
            duration: u16::from(units) * DURATION_UNIT,
            frame: (frame_end > start).then(|| body.slice(start..frame_end)),
            copies: parts,
        })
    }
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
        check(80, &[80, 80, 80], Some(2));
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
    }

    #[test]
    fn packets_that_break_the_format_are_refused() {
        let check = |body: &[u8]| assert_eq!(Audio::parse(&Bytes::copy_from_slice(body)), None, "{body:?}");
        check(&[]);
        check(&[0; 7]);
        check(&[0; 8]); // no duration
        check(&[0, 0, 0, 0, 0, 0, 0, 25, 1]); // 62.5 ms
        check(&[0, 0, 0, 0, 0, 0, 0, 3 << 6 | 4, 0, 1, 0, 1, 0, 1, 9, 9, 9, 9]); // three copies
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
            frame in proptest::option::of(1usize..200), copies in proptest::collection::vec(1usize..200, 0..=2),
        ) {
            let copies: Vec<Bytes> = copies.into_iter().map(bytes).collect();
            let duration = units * DURATION_UNIT;
            let level = Level::new(below, voice);
            let packet = Audio::new(sequence, timestamp, level, duration, frame.map(bytes), &copies).expect("fits");
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
