//! Sans-IO. The transport report: which of a link's datagrams arrived, and when, told to who sent them.
//!
//! It is the body of a datagram of kind feedback on track [`TrackId::LINK`](crate::media::TrackId::LINK), in the spirit of
//! RFC 8888. Arrival times are in quarters of a millisecond of the receiver's own clock, so only differences mean
//! anything. Bytes: type (2), the first number (16 bits), the reference time (32 bits), then what became of each number
//! from the first on: 0 to 223 arrived so many ticks after the arrival before it (the first: after the reference), 224
//! did not arrive, 225 arrived after a difference in the next 16 bits (signed), 226 did not arrive nor did the next
//! 1 to 255, as many as the next byte says. Numbers are told again when one of them came late, so a report may correct
//! another.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::media::{MAX_BODY, PacketKind};
use crate::mesh::bandwidth::per_second;

/// The first byte of a report's body, among the types of [`crate::media::Feedback`].
pub const TYPE: u8 = 2;
/// The first byte of padding: bytes that only measure the path. Nobody reads on.
pub const PADDING: u8 = 4;
/// Numbers in one report, at most: 50 ms of 90 Mbit/s.
pub const MAX_NUMBERS: usize = 512;
/// Type, first number, reference time.
const HEAD: usize = 7;
const LOST: u8 = 224;
const LONG: u8 = 225;
const RUN: u8 = 226;
/// How often a report is due.
const EVERY: Duration = Duration::from_millis(50);
/// The same for more than [`FAST`].
const EVERY_FAST: Duration = Duration::from_millis(25);
/// Bits a second.
const FAST: f64 = 4e6;
/// Arrivals remembered, in numbers behind the highest.
const KEPT: i64 = 1024;

/// What a receiver says of consecutive datagrams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The number of the first.
    pub first: u16,
    /// When each arrived, in quarters of a millisecond (wraps); `None` did not, so far. 1 to [`MAX_NUMBERS`], the last
    /// one arrived.
    pub arrivals: Vec<Option<u32>>,
}

impl Report {
    /// Writes the body: at most [`MAX_BODY`] bytes. What does not fit is left out at the end; the second value is how many
    /// numbers are in it.
    pub fn encode(&self) -> (Bytes, usize) {
        let mut out = BytesMut::with_capacity(MAX_BODY);
        let mut last = self.arrivals.iter().flatten().next().copied().unwrap_or(0);
        out.put_u8(TYPE);
        out.put_u16(self.first);
        out.put_u32(last);
        let mut written = 0;
        let mut lost: u16 = 0;
        for (index, arrival) in self.arrivals.iter().take(MAX_NUMBERS).enumerate() {
            let Some(arrival) = *arrival else {
                lost += 1;
                continue;
            };
            let delta = arrival.wrapping_sub(last).cast_signed();
            let mut piece = BytesMut::new();
            while lost > 0 {
                let run = lost.min(256);
                if run == 1 {
                    piece.put_u8(LOST);
                } else {
                    piece.put_slice(&[RUN, u8::try_from(run - 1).unwrap_or(u8::MAX)]);
                }
                lost -= run;
            }
            match u8::try_from(delta) {
                Ok(short) if short < LOST => piece.put_u8(short),
                _ => {
                    // What is further apart is told as the furthest; nothing is learned from such a pause.
                    let long = i16::try_from(delta).unwrap_or(if delta < 0 { i16::MIN } else { i16::MAX });
                    piece.put_u8(LONG);
                    piece.put_i16(long);
                }
            }
            if out.len() + piece.len() > MAX_BODY {
                break;
            }
            out.put_slice(&piece);
            last = arrival;
            written = index + 1;
        }
        (out.freeze(), written)
    }

    /// Reads a body. `None`: of another type, cut off, or nothing that [`Report::encode`] writes.
    pub fn decode(body: &[u8]) -> Option<Self> {
        let (head, mut rest) = body.split_first_chunk::<HEAD>()?;
        let [TYPE, f0, f1, t0, t1, t2, t3] = *head else { return None };
        let mut last = u32::from_be_bytes([t0, t1, t2, t3]);
        let mut arrivals = Vec::new();
        while let Some((&what, after)) = rest.split_first() {
            rest = after;
            match what {
                LOST => arrivals.push(None),
                RUN => {
                    let (&more, after) = rest.split_first()?;
                    rest = after;
                    if more == 0 {
                        return None;
                    }
                    arrivals.resize(arrivals.len() + usize::from(more) + 1, None);
                }
                LONG => {
                    let (delta, after) = rest.split_first_chunk::<2>()?;
                    rest = after;
                    last = last.wrapping_add_signed(i16::from_be_bytes(*delta).into());
                    arrivals.push(Some(last));
                }
                short if short < LOST => {
                    last = last.wrapping_add(short.into());
                    arrivals.push(Some(last));
                }
                _ => return None,
            }
            if arrivals.len() > MAX_NUMBERS {
                return None;
            }
        }
        let sound = matches!(arrivals.last(), Some(Some(_)));
        sound.then_some(Self { first: u16::from_be_bytes([f0, f1]), arrivals })
    }
}

/// The nearest number to `near` with these low 16 bits.
pub(super) fn unwrap(near: i64, low: u16) -> i64 {
    near + (i64::from(low) - (near & 0xffff) + 0x8000).rem_euclid(0x1_0000) - 0x8000
}

/// Keeps what arrived and makes reports of it.
#[derive(Debug, Default)]
pub struct Recorder {
    highest: Option<i64>,
    /// Arrivals not told yet begin here.
    untold: Option<i64>,
    /// The first number that no report has covered.
    next: i64,
    arrived: BTreeMap<i64, u32>,
    told: Option<Instant>,
    bytes: u64,
}

impl Recorder {
    /// A datagram arrived at `micros` of our host clock.
    pub fn on_arrival(&mut self, sequence: u16, micros: u64, bytes: usize) {
        let number = self.highest.map_or(i64::from(sequence), |highest| unwrap(highest, sequence));
        let highest = *self.highest.insert(self.highest.map_or(number, |highest| highest.max(number)));
        if self.arrived.is_empty() {
            self.next = number;
        }
        if number <= highest - KEPT {
            return;
        }
        let ticks = u32::try_from((u128::from(micros) / 250) & u128::from(u32::MAX)).unwrap_or(0);
        if self.arrived.insert(number, ticks).is_none() {
            self.untold = Some(self.untold.map_or(number, |first| first.min(number)));
            self.bytes += bytes as u64;
        }
        while let Some(first) = self.arrived.first_entry().filter(|first| *first.key() <= highest - KEPT) {
            first.remove();
        }
    }

    /// The report, when one is due. Ask whenever a datagram of `kind` arrived: feedback alone is not answered, or two peers
    /// would never be quiet.
    pub fn poll(&mut self, now: Instant, kind: PacketKind) -> Option<Bytes> {
        let (untold, highest) = (self.untold?, self.highest?);
        let since = self.told.map_or(EVERY, |told| now.saturating_duration_since(told));
        let fast = per_second(self.bytes, since.max(EVERY_FAST)) > FAST;
        if kind == PacketKind::Feedback || since < if fast { EVERY_FAST } else { EVERY } {
            return None;
        }
        // Back to what came late, and on over what has not come at all.
        let first = untold.min(self.next).max(highest - KEPT + 1);
        // A hole that fills a whole report is left out; its sender sees that by the silence.
        let (arrived, _) = self.arrived.range(first..).next()?;
        let whole = i64::try_from(MAX_NUMBERS).unwrap_or(i64::MAX);
        let first = if *arrived >= first + whole { *arrived } else { first };
        let end = (first + whole - 1).min(highest);
        let mut arrivals: Vec<_> = (first..=end).map(|number| self.arrived.get(&number).copied()).collect();
        while arrivals.last().is_some_and(Option::is_none) {
            arrivals.pop();
        }
        let low = u16::try_from(first & 0xffff).unwrap_or(0);
        let (body, written) = Report { first: low, arrivals }.encode();
        let after = first + i64::try_from(written).unwrap_or(0);
        self.next = self.next.max(after);
        self.untold = self.arrived.range(after..).next().map(|(number, _)| *number);
        (self.told, self.bytes) = (Some(now), 0);
        (written > 0).then_some(body)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Instant {
        crate::clock::now()
    }

    #[test]
    fn what_arrived_is_told_with_its_times_and_what_did_not_as_missing() {
        let (start, mut recorder) = (now(), Recorder::default());
        for n in (0_u16..100).filter(|n| n % 10 != 5) {
            recorder.on_arrival(65_500_u16.wrapping_add(n), u64::from(n) * 500, 200);
        }
        let body = recorder.poll(start, PacketKind::Audio).expect("due");
        let report = Report::decode(&body).expect("ours");
        assert_eq!((report.first, report.arrivals.len()), (65_500, 100));
        assert_eq!(report.arrivals[5], None);
        assert_eq!(report.arrivals[7], Some(14));
        assert_eq!(recorder.poll(start + EVERY, PacketKind::Audio), None, "all is told");
    }

    #[test]
    fn reports_come_at_their_pace_and_never_for_feedback_alone() {
        let (start, mut recorder) = (now(), Recorder::default());
        recorder.on_arrival(0, 0, 100);
        assert_eq!(recorder.poll(start, PacketKind::Feedback), None);
        assert!(recorder.poll(start, PacketKind::Video).is_some());
        recorder.on_arrival(1, 20_000, 100);
        assert_eq!(recorder.poll(start + EVERY / 2, PacketKind::Video), None);
        assert!(recorder.poll(start + EVERY, PacketKind::Video).is_some());
        for n in 2..100 {
            recorder.on_arrival(n, 70_000, 1100);
        }
        assert!(recorder.poll(start + EVERY + EVERY_FAST, PacketKind::Video).is_some(), "more often when much comes");
    }

    #[test]
    fn what_came_late_is_told_again() {
        let (start, mut recorder) = (now(), Recorder::default());
        recorder.on_arrival(10, 0, 100);
        recorder.on_arrival(12, 1000, 100);
        recorder.poll(start, PacketKind::Audio).expect("due");
        recorder.on_arrival(11, 3000, 100);
        let report = Report::decode(&recorder.poll(start + EVERY, PacketKind::Audio).expect("due")).expect("ours");
        assert_eq!((report.first, report.arrivals), (11, vec![Some(12), Some(4)]));
    }

    #[test]
    fn a_long_pause_and_a_flood_stay_within_a_datagram() {
        let (start, mut recorder) = (now(), Recorder::default());
        for n in 0..5000_u32 {
            let low = u16::try_from(n & 0xffff).expect("masked");
            // Each half a minute after the other: three bytes each.
            recorder.on_arrival(low, u64::from(n) * 30_000_000, 1100);
        }
        let mut told = 0;
        for n in 0..10 {
            let Some(body) = recorder.poll(start + EVERY * n, PacketKind::Video) else { break };
            assert!(body.len() <= MAX_BODY);
            told += Report::decode(&body).expect("ours").arrivals.len();
        }
        assert_eq!(told, 1024);
    }

    #[test]
    fn nonsense_is_refused() {
        for body in [&[][..], &[2, 0, 0, 0, 0, 0, 0], &[2, 0, 0, 0, 0, 0, 0, 224], &[1, 0, 0, 0, 0, 0, 0, 1]] {
            assert_eq!(Report::decode(body), None, "{body:?}");
        }
        assert_eq!(Report::decode(&[2, 0, 0, 0, 0, 0, 0, 225, 1]), None);
        assert_eq!(Report::decode(&[2, 0, 0, 0, 0, 0, 0, 226, 0, 1]), None);
        assert_eq!(Report::decode(&[2, 0, 0, 0, 0, 0, 0, 255]), None);
        assert_eq!(Report::decode(&[[2, 0, 0, 0, 0, 0, 0].as_slice(), &[0; 600]].concat()), None);
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(bytes in proptest::collection::vec(0_u8.., 0..1200)) {
            if let Some(report) = Report::decode(&bytes) {
                prop_assert!(report.arrivals.len() <= MAX_NUMBERS);
            }
        }

        #[test]
        fn what_is_written_is_read(first in 0_u16.., start in 0_u32.., steps in proptest::collection::vec(proptest::option::of(-8000_i32..8000), 0..300)) {
            let mut last = start;
            let mut arrivals = vec![Some(start)];
            for step in steps {
                arrivals.push(step.map(|step| { last = last.wrapping_add_signed(step); last }));
            }
            arrivals.push(Some(last));
            let report = Report { first, arrivals };
            let (body, written) = report.encode();
            prop_assert!(body.len() <= MAX_BODY);
            let read = Report::decode(&body).expect("ours");
            prop_assert_eq!(&read.arrivals[..], &report.arrivals[..written]);
        }

        #[test]
        fn any_arrivals_are_reported_within_bounds(all in proptest::collection::vec((0_u16.., 0_u64..1 << 40), 1..400)) {
            let (start, mut recorder) = (now(), Recorder::default());
            for (n, (sequence, micros)) in all.into_iter().enumerate() {
                recorder.on_arrival(sequence, micros, 100);
                let at = start + Duration::from_millis(n as u64 * 10);
                if let Some(body) = recorder.poll(at, PacketKind::Audio) {
                    prop_assert!(body.len() <= MAX_BODY && Report::decode(&body).is_some());
                }
            }
        }
    }
}
