//! Sans-IO. What a link measures about what arrives: loss by the transport sequence, jitter by the send times, and how
//! the peer's host clock maps to ours.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::ClockMap;

/// Loss and jitter of one direction, as its receiver sees it.
#[derive(Debug, Default)]
pub struct Reception {
    /// The highest sequence number, unwrapped; `None` before the first packet.
    highest: Option<i64>,
    /// `highest` at the last report.
    reported: i64,
    received: i64,
    /// 1/64 ms, times 16, as in RFC 3550, A.8.
    jitter: f64,
    last_transit: Option<i64>,
}

impl Reception {
    /// A datagram arrived. `sent` is its 24-bit send time, `arrived` ours in the same unit and width.
    pub fn on_arrival(&mut self, sequence: u16, sent: u32, arrived: u32) {
        let number = match self.highest {
            None => {
                let first = i64::from(sequence);
                self.reported = first - 1;
                first
            }
            Some(highest) => {
                // The nearest number with these low 16 bits.
                let delta = i64::from(sequence) - (highest & 0xffff);
                highest + (delta + 0x8000).rem_euclid(0x1_0000) - 0x8000
            }
        };
        self.highest = Some(self.highest.map_or(number, |highest| highest.max(number)));
        self.received += 1;
        let transit = i64::from(arrived) - i64::from(sent);
        if let Some(last) = self.last_transit {
            // Both clocks wrap at 24 bits.
            let difference = ((transit - last + 0x80_0000).rem_euclid(0x100_0000) - 0x80_0000).unsigned_abs();
            // One leap of seconds is a pause of the sender's clock, not jitter.
            let difference = f64::from(u32::try_from(difference).unwrap_or(u32::MAX)).min(64_000.0);
            self.jitter += (difference - self.jitter) / 16.0;
        }
        self.last_transit = Some(transit);
    }

    /// The share of packets lost since the last call, 0 to 1; `None` when none were due.
    pub fn take_loss(&mut self) -> Option<f64> {
        let highest = self.highest?;
        let expected = highest - self.reported;
        let received = std::mem::take(&mut self.received);
        self.reported = highest;
        let share = |n: i64| f64::from(i32::try_from(n).unwrap_or(i32::MAX));
        // Late ones of the time before count here as well: never below nothing lost.
        (expected > 0).then(|| (share(expected - received) / share(expected)).clamp(0.0, 1.0))
    }

    /// Interarrival jitter in milliseconds (RFC 3550, 6.4.1); `None` before the second packet.
    pub fn jitter_ms(&self) -> Option<f64> {
        self.last_transit.map(|_| self.jitter / 64.0)
    }
}

/// How long a measured round trip counts: clocks drift by some 10 us a second.
const CLOCK_WINDOW: usize = 60;

/// The offset of the peer's clock by the shortest round trip of the last minute (RFC 5905, 10).
#[derive(Debug, Default)]
pub struct ClockEstimate {
    samples: VecDeque<(u64, i64)>,
}

impl ClockEstimate {
    /// A ping sent at `sent` was answered by a peer whose clock showed `theirs`, and the answer came at `now`; all in
    /// microseconds.
    pub fn on_pong(&mut self, sent: u64, theirs: u64, now: u64) {
        let Some(round_trip) = now.checked_sub(sent) else { return };
        if round_trip > 10_000_000 {
            return;
        }
        let ours = sent + round_trip / 2;
        let Ok(offset) = i64::try_from(i128::from(theirs) - i128::from(ours)) else { return };
        if self.samples.len() >= CLOCK_WINDOW {
            self.samples.pop_front();
        }
        self.samples.push_back((round_trip, offset));
    }

    /// What is known now.
    pub fn map(&self) -> ClockMap {
        match self.samples.iter().min_by_key(|(round_trip, _)| *round_trip) {
            Some((_, offset)) => ClockMap::Estimated { offset_us: *offset },
            None => ClockMap::Unknown,
        }
    }

    /// The shortest round trip of the last minute.
    pub fn round_trip(&self) -> Option<Duration> {
        self.samples.iter().map(|(round_trip, _)| Duration::from_micros(*round_trip)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(reception: &mut Reception, sequences: impl IntoIterator<Item = u16>) {
        for sequence in sequences {
            let time = u32::from(sequence) * 640;
            reception.on_arrival(sequence, time & 0xff_ffff, time & 0xff_ffff);
        }
    }

    #[test]
    fn loss_is_the_share_that_did_not_come() {
        let mut reception = Reception::default();
        assert_eq!(reception.take_loss(), None);
        arrive(&mut reception, (0..100).filter(|n| n % 10 != 5));
        assert_eq!(reception.take_loss(), Some(0.1));
        assert_eq!(reception.take_loss(), None);
        arrive(&mut reception, [102, 100, 101]);
        assert_eq!(reception.take_loss(), Some(0.0));
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut reception = Reception::default();
        arrive(&mut reception, (65_500..=65_535).chain(0..64));
        assert_eq!(reception.take_loss(), Some(0.0));
        arrive(&mut reception, [65_535]);
        assert_eq!(reception.take_loss(), None, "an old one is no leap forward");
    }

    #[test]
    fn an_even_stream_has_no_jitter_and_an_uneven_one_has() {
        let mut even = Reception::default();
        arrive(&mut even, 0..200);
        assert_eq!(even.jitter_ms(), Some(0.0));
        let mut uneven = Reception::default();
        for n in 0..500_u32 {
            let sent = (n * 1280) & 0xff_ffff;
            // Every other packet is 4 ms late.
            uneven.on_arrival(u16::try_from(n).expect("small"), sent, (sent + (n % 2) * 256) & 0xff_ffff);
        }
        let jitter = uneven.jitter_ms().expect("known");
        assert!((3.9..4.1).contains(&jitter), "{jitter}");
    }

    #[test]
    fn the_shortest_round_trip_tells_the_clock() {
        let mut clock = ClockEstimate::default();
        assert_eq!(clock.map(), ClockMap::Unknown);
        clock.on_pong(1_000, 501_900, 3_000);
        clock.on_pong(10_000, 510_100, 10_200);
        clock.on_pong(20_000, 529_000, 29_000);
        assert_eq!(clock.map(), ClockMap::Estimated { offset_us: 500_000 });
        assert_eq!(clock.round_trip(), Some(Duration::from_micros(200)));
        clock.on_pong(50, 0, 40);
        clock.on_pong(0, u64::MAX, 1);
        assert_eq!(clock.round_trip(), Some(Duration::from_micros(200)), "nonsense is ignored");
    }

    proptest::proptest! {
        #[test]
        fn any_arrivals_give_sane_figures(all in proptest::collection::vec((0_u16.., 0_u32..1 << 24, 0_u32..1 << 24), 0..200)) {
            let mut reception = Reception::default();
            for (sequence, sent, arrived) in all {
                reception.on_arrival(sequence, sent, arrived);
            }
            proptest::prop_assert!(reception.take_loss().is_none_or(|loss| (0.0..=1.0).contains(&loss)));
            proptest::prop_assert!(reception.jitter_ms().is_none_or(|jitter| (0.0..=1000.0).contains(&jitter)));
        }
    }
}
