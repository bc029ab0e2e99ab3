//! Sans-IO. The sender's side of asking again: keeps what one layer sent in the last half second, and decides which of the
//! packets that a receiver asks for it gets.
//!
//! A receiver is not trusted to ask for what it lost. Whatever it asks, it gets no packet twice within most of a round
//! trip, and over any second no more than a share of what the layer sent meanwhile: a fifth, more when much is lost, three
//! fifths at most. What is refused is counted.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::id::PeerId;
use crate::media::Nack;

/// How long packets are kept: a receiver's longest wait on a path of 200 ms.
pub const KEPT: Duration = Duration::from_millis(500);
/// Most bytes kept. Overflow: the oldest picture is forgotten.
const MAX_BYTES: usize = 4 << 20;
/// Receivers whose requests are remembered. Overflow: the one that asked least lately is forgotten.
const MAX_RECEIVERS: usize = 64;
/// The window of the budget.
const WINDOW: Duration = Duration::from_secs(1);
/// Shares of the layer's own bits that one receiver may have again, in percent.
const SHARE: std::ops::RangeInclusive<u64> = 20..=60;
/// What a small layer may spend all the same in a second: a few packets.
const LEAST_BITS: u64 = 80_000;
/// A link on which another round of asking takes so long that the first answer must do.
const FAR: Duration = Duration::from_millis(100);
/// Loss at which one copy is not sure enough.
const MUCH: f64 = 0.15;
/// Most copies of a packet at once.
const MAX_COPIES: u8 = 3;
/// Bits of a packet beside its body.
const OVERHEAD: u64 = 8 * 100;

/// One picture that was sent.
#[derive(Debug, Clone)]
struct Kept {
    at: Instant,
    stream: u16,
    frame: u32,
    bodies: Vec<Bytes>,
}

/// A packet that is sent once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Its picture's number on the wire.
    pub frame: u32,
    /// The packet as it was.
    pub body: Bytes,
    /// So many of it. One that was asked for before was lost twice, so a single one would not be sure enough.
    pub copies: u8,
}

/// Sums over the last second.
#[derive(Debug, Clone, Default)]
struct Second {
    entries: VecDeque<(Instant, u64)>,
    total: u64,
}

impl Second {
    fn add(&mut self, now: Instant, value: u64) {
        self.entries.push_back((now, value));
        self.total += value;
    }

    fn total(&mut self, now: Instant) -> u64 {
        while let Some((at, value)) = self.entries.front().copied().filter(|(at, _)| now >= *at + WINDOW) {
            debug_assert!(at <= now);
            self.total -= value;
            self.entries.pop_front();
        }
        self.total
    }
}

#[derive(Debug, Default)]
struct Receiver {
    /// Bits sent again.
    spent: Second,
    /// Bits asked for, each packet once: what it says that it lost.
    lost: Second,
    /// When a packet was sent again, and how often.
    given: BTreeMap<(u16, u32, u16), (Instant, u8)>,
    last: Option<Instant>,
}

/// What one layer sent, and who got what of it again.
#[derive(Debug, Default)]
pub struct Resend {
    // Overflow: the oldest is forgotten.
    kept: VecDeque<Kept>,
    bytes: usize,
    /// Bits that the layer sent.
    sent: Second,
    receivers: BTreeMap<PeerId, Receiver>,
    refused: u64,
}

fn bits(body: &Bytes) -> u64 {
    8 * u64::try_from(body.len()).unwrap_or(u64::MAX / 16) + OVERHEAD
}

impl Resend {
    /// Keeps a picture that leaves at `now`.
    pub fn on_sent(&mut self, now: Instant, stream: u16, frame: u32, bodies: &[Bytes]) {
        self.sent.total(now);
        self.sent.add(now, bodies.iter().map(bits).sum());
        self.bytes += bodies.iter().map(Bytes::len).sum::<usize>();
        self.kept.push_back(Kept { at: now, stream, frame, bodies: bodies.to_vec() });
        self.forget(now);
    }

    /// True when this layer sent `stream` lately.
    pub fn knows(&self, stream: u16) -> bool {
        self.kept.back().is_some_and(|newest| newest.stream == stream)
            || self.kept.iter().any(|kept| kept.stream == stream)
    }

    /// What `peer` gets of what it asks for. `rtt` and `loss` (0 to 1) are those of its link; `room`: bits that the layer
    /// has left in this second under a cap.
    pub fn on_nack(
        &mut self,
        now: Instant,
        peer: PeerId,
        nack: &Nack,
        rtt: Duration,
        (loss, room): (f64, Option<u64>),
    ) -> Vec<Again> {
        self.forget(now);
        let sent = self.sent.total(now);
        if self.receivers.len() >= MAX_RECEIVERS && !self.receivers.contains_key(&peer) {
            let idle = self.receivers.iter().min_by_key(|(_, receiver)| receiver.last).map(|(peer, _)| *peer);
            idle.and_then(|peer| self.receivers.remove(&peer));
        }
        let receiver = self.receivers.entry(peer).or_default();
        receiver.last = Some(now);
        let oldest = self.kept.front().map(|kept| kept.at);
        receiver.given.retain(|_, (at, _)| oldest.is_some_and(|oldest| *at >= oldest));
        let (spacing, mut again) = (rtt * 4 / 5, Vec::new());
        for lost in nack.lost() {
            let picture = self.kept.iter().find(|kept| kept.stream == nack.stream() && kept.frame == lost.frame);
            let Some(picture) = picture else {
                self.refused += 1;
                continue;
            };
            let count = u16::try_from(picture.bodies.len()).unwrap_or(u16::MAX);
            for index in lost.packets(count) {
                let Some(body) = picture.bodies.get(usize::from(index)) else { continue };
                let key = (picture.stream, picture.frame, index);
                let given = receiver.given.get(&key).copied();
                if given.is_some_and(|(at, _)| now < at + spacing) {
                    // A repeated request: the first one was served.
                    continue;
                }
                if given.is_none() {
                    receiver.lost.add(now, bits(body));
                }
                let allowed = allowance(sent, receiver.lost.total(now), loss, room);
                let spent = receiver.spent.total(now);
                let left = allowed.saturating_sub(spent) / bits(body).max(1);
                // Only while there is plenty left for what is lost again.
                let first = if (rtt > FAR || loss >= MUCH) && spent < allowed * 2 / 3 { 2 } else { 1 };
                let times = given.map_or(first, |(_, times)| times.saturating_add(1)).min(MAX_COPIES);
                let copies = u8::try_from(left).unwrap_or(u8::MAX).min(times);
                if copies == 0 {
                    self.refused += 1;
                    continue;
                }
                receiver.spent.add(now, bits(body) * u64::from(copies));
                receiver.given.insert(key, (now, times));
                again.push(Again { frame: picture.frame, body: body.clone(), copies });
            }
        }
        again
    }

    /// Pictures and packets that were asked for in vain since the start: forgotten, never sent, or beyond the budget.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn forget(&mut self, now: Instant) {
        while let Some(kept) = self.kept.front().filter(|kept| self.bytes > MAX_BYTES || now >= kept.at + KEPT) {
            self.bytes -= kept.bodies.iter().map(Bytes::len).sum::<usize>();
            self.kept.pop_front();
        }
    }
}

/// Bits that a receiver may have again in a second in which the layer sent `sent` and it asked for `lost` of them.
fn allowance(sent: u64, lost: u64, loss: f64, room: Option<u64>) -> u64 {
    let measured = (0..=100u32).find(|percent| f64::from(*percent) >= loss * 100.0).unwrap_or(100);
    let asked = (lost * 100).checked_div(sent).unwrap_or(0);
    let share = (2 * u64::from(measured).max(asked)).clamp(*SHARE.start(), *SHARE.end());
    let bits = (sent / 100 * share).max(LEAST_BITS);
    room.map_or(bits, |room| bits.min(room.max(LEAST_BITS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(40);
    const PEER: PeerId = PeerId::from_bytes([1; 32]);

    fn bodies(count: u8) -> Vec<Bytes> {
        (0..count).map(|i| Bytes::from(vec![i; 1000])).collect()
    }

    fn nack(frame: u32, indexes: &[u16]) -> Nack {
        Nack::of(7, indexes.iter().map(|index| (frame, Some(*index)))).expect("something")
    }

    fn ask(resend: &mut Resend, now: Instant, nack: &Nack) -> Vec<(u8, u8)> {
        resend.on_nack(now, PEER, nack, RTT, (0.0, None)).iter().map(|one| (one.body[0], one.copies)).collect()
    }

    /// A second of pictures; gives the moment of the last.
    fn play(resend: &mut Resend, start: Instant, frames: std::ops::Range<u32>) -> Instant {
        let mut now = start;
        for frame in frames {
            now += Duration::from_millis(33);
            resend.on_sent(now, 7, frame, &bodies(5));
        }
        now
    }

    #[test]
    fn lost_packets_are_sent_again_and_twice_when_they_are_lost_again() {
        let mut resend = Resend::default();
        let now = play(&mut resend, crate::clock::now(), 0..30);
        assert_eq!(ask(&mut resend, now, &nack(29, &[1, 3])), [(1, 1), (3, 1)]);
        assert_eq!(ask(&mut resend, now + RTT / 2, &nack(29, &[1, 3, 4])), [(4, 1)]);
        assert_eq!(ask(&mut resend, now + RTT, &nack(29, &[3])), [(3, 2)]);
        assert_eq!(resend.refused(), 0);
        let whole = Nack::of(7, [(28, None)]).expect("something");
        assert_eq!(ask(&mut resend, now + RTT, &whole).len(), 5);
        // Another receiver has its own account.
        assert_eq!(resend.on_nack(now, PeerId::from_bytes([2; 32]), &nack(29, &[1]), RTT, (0.0, None)).len(), 1);
    }

    #[test]
    fn what_never_was_or_is_long_ago_is_refused() {
        let mut resend = Resend::default();
        let now = play(&mut resend, crate::clock::now(), 0..30);
        assert!(ask(&mut resend, now, &nack(30, &[0])).is_empty());
        assert!(ask(&mut resend, now, &nack(2, &[0])).is_empty());
        assert_eq!(resend.refused(), 2);
        assert!(ask(&mut resend, now, &nack(29, &[5, 511])).is_empty());
        assert!(resend.knows(7) && !resend.knows(8));
    }

    #[test]
    fn a_flood_of_requests_costs_the_budget_and_no_more() {
        let mut resend = Resend::default();
        let start = play(&mut resend, crate::clock::now(), 0..30);
        let (mut spent, mut sent) = (0, 0);
        for step in 0..1000u32 {
            let now = start + Duration::from_millis(1) * step;
            if step % 33 == 0 {
                resend.on_sent(now, 7, 30 + step / 33, &bodies(5));
                sent += 5;
            }
            let all = Nack::of(7, (16 + step / 33..31 + step / 33).map(|frame| (frame, None))).expect("something");
            let again = resend.on_nack(now, PEER, &all, Duration::ZERO, (0.0, None));
            spent += again.iter().map(|one| u32::from(one.copies)).sum::<u32>();
        }
        assert!(spent <= sent * 65 / 100, "{spent} of {sent}");
        assert!(resend.refused() > 1000);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut resend = Resend::default();
        let now = crate::clock::now();
        for frame in 0..100 {
            resend.on_sent(now, 7, frame, &bodies(200));
            assert!(resend.bytes <= MAX_BYTES);
        }
        for n in 0..200 {
            resend.on_nack(now, PeerId::from_bytes([n; 32]), &nack(99, &[0]), RTT, (0.0, None));
        }
        assert!(resend.receivers.len() <= MAX_RECEIVERS);
        resend.on_sent(now + KEPT, 7, 100, &bodies(1));
        assert_eq!((resend.kept.len(), resend.bytes), (1, 1000));
    }
}
