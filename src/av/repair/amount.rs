//! Sans-IO. How much parity a picture is given: as much as leaves few incomplete ([`Aim`]), where parity serves at all and as
//! far as the bits are there. Made once, for the worst of the receivers that lose something, and sent to those only.
//!
//! What is lost is first taken to be independent. Receivers tell when that was wrong, as in bursts: each picture that is
//! asked for again gives those that follow a little more parity, and each that leaves takes back so much that both are even
//! when the aim is met.
//!
//! Asking again costs nothing until something is lost, and a round trip then. Parity costs bits always and no time. So it
//! is for links that lose more than 1 %, and there for round trips of more than 100 ms, or when the link has room to spare.

use std::time::{Duration, Instant};

use crate::media::Bitrate;

/// Loss below which nothing is worth doing beforehand.
const LEAST_LOSS: f64 = 0.01;
/// A round trip that shows.
const FAR: Duration = Duration::from_millis(100);
/// Parity packets more for each picture that was asked for again.
const STEP: f64 = 0.5;
/// Most of them. The largest burst that is answered beforehand.
const MOST_MORE: f64 = 8.0;
/// On a far link without known room, this share of the pictures' own rate is spent, in percent.
const FAR_SHARE: u64 = 20;
/// Spare bits that nobody used are there for so long.
const HOARD: Duration = Duration::from_millis(250);

/// What is known of the link to one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Conditions {
    /// Share of packets that do not arrive, 0 to 1.
    pub loss: f64,
    /// The round trip.
    pub rtt: Duration,
    /// What the link carries beside all that is sent now.
    pub spare: Bitrate,
}

impl Conditions {
    /// Parity serves this receiver.
    pub fn serves(&self) -> bool {
        self.loss > LEAST_LOSS && (self.rtt > FAR || self.spare.bps() > 0)
    }
}

/// Share of pictures that may stay incomplete, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aim {
    /// Of those that stand alone: all waits for them, and they are many packets.
    pub key: f64,
    /// Of those that others refer to.
    pub referred: f64,
    /// Of those that no other refers to.
    pub discardable: f64,
}

impl Aim {
    /// From the simulation `what_parity_buys`.
    pub const USUAL: Self = Self { key: 0.002, referred: 0.005, discardable: 0.02 };
}

impl Default for Aim {
    fn default() -> Self {
        Self::USUAL
    }
}

/// One picture, before it leaves.
#[derive(Debug, Clone, Copy)]
pub struct Picture {
    /// Its packets.
    pub packets: usize,
    /// Bits of one of them on the wire.
    pub packet_bits: u64,
    /// It stands alone.
    pub key: bool,
    /// No other refers to it.
    pub discardable: bool,
}

/// What one layer has spent on parity.
#[derive(Debug, Clone, Default)]
pub struct Amount {
    aim: Aim,
    /// Parity packets beyond what independent losses need.
    more: f64,
    /// The newest picture that was asked for again, and its stream.
    asked: Option<(u16, u32)>,
    /// Bits that may be spent.
    purse: u64,
    filled: Option<Instant>,
    /// Bits of pictures since `filled`.
    sent: u64,
}

impl Amount {
    /// With another aim than the usual one.
    #[cfg(test)]
    pub fn aiming(aim: Aim) -> Self {
        Self { aim, ..Self::default() }
    }

    /// A receiver that parity serves had to ask for picture `frame` of `stream`, which was sent.
    pub fn on_asked(&mut self, stream: u16, frame: u32) {
        let newer = |(before, newest): (u16, u32)| before != stream || frame.wrapping_sub(newest).cast_signed() > 0;
        if self.asked.is_none_or(newer) {
            self.asked = Some((stream, frame));
            self.more = (self.more + STEP).min(MOST_MORE);
        }
    }

    /// How many parity packets `picture` gets, which leaves at `now`; `all` are the conditions of those who watch it.
    pub fn plan(&mut self, now: Instant, picture: Picture, all: impl Iterator<Item = Conditions>) -> usize {
        let served: Vec<Conditions> = all.filter(Conditions::serves).collect();
        let loss = served.iter().map(|one| one.loss).fold(0.0, f64::max);
        let spare = served.iter().map(|one| one.spare.bps()).min();
        let far = served.iter().any(|one| one.rtt > FAR);
        self.fill(now, spare.unwrap_or(0), far);
        let packets = u64::try_from(picture.packets).unwrap_or(u64::MAX);
        self.sent = self.sent.saturating_add(packets.saturating_mul(picture.packet_bits));
        if spare.is_none() {
            self.more = 0.0;
            return 0;
        }
        let residual = match picture {
            Picture { key: true, .. } => self.aim.key,
            Picture { discardable: true, .. } => self.aim.discardable,
            _ => self.aim.referred,
        };
        let mut count = needed(picture.packets, loss.min(0.5), residual) + whole(self.more);
        self.more = (self.more - STEP * residual).max(0.0);
        let afford = usize::try_from(self.purse / picture.packet_bits.max(1)).unwrap_or(usize::MAX);
        count = count.min(afford).min(picture.packets);
        self.purse -= u64::try_from(count).unwrap_or(0) * picture.packet_bits;
        count
    }

    fn fill(&mut self, now: Instant, spare: u64, far: bool) {
        let passed = self.filled.map_or(Duration::ZERO, |filled| now.saturating_duration_since(filled));
        self.filled = Some(now);
        let gained = spare.saturating_mul(u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)) / 1_000_000;
        let own = if far { self.sent * FAR_SHARE / 100 } else { 0 };
        self.sent = 0;
        let hoard = spare.saturating_mul(u64::try_from(HOARD.as_micros()).unwrap_or(0)) / 1_000_000;
        // On a far link one large picture's share is kept.
        let most = hoard.max(if far { 64_000 } else { 0 });
        self.purse = self.purse.saturating_add(gained.max(own)).min(most);
    }
}

/// Least parity packets for which, of `packets` and themselves, more than they can replace are lost with a probability of
/// at most `residual`. Losses are taken as independent.
fn needed(packets: usize, loss: f64, residual: f64) -> usize {
    for parity in 0..packets {
        let all = packets + parity;
        // Binomial: the probabilities of 0, 1, .. lost, summed up to what parity can replace.
        let (mut term, mut enough) = ((1.0 - loss).powi(i32::try_from(all).unwrap_or(i32::MAX)), 0.0);
        for lost in 0..=parity {
            enough += term;
            term *= ratio(all - lost, lost + 1) * loss / (1.0 - loss);
        }
        if 1.0 - enough <= residual {
            return parity;
        }
    }
    packets
}

/// Whole packets in `more`, which is 0 to [`MOST_MORE`].
fn whole(more: f64) -> usize {
    (1..=8u32).rev().find(|n| f64::from(*n) <= more).map_or(0, |n| usize::try_from(n).unwrap_or(0))
}

fn ratio(a: usize, b: usize) -> f64 {
    let float = |n| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    float(a) / float(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELTA: Picture = Picture { packets: 5, packet_bits: 9000, key: false, discardable: false };

    fn conditions(loss: f64, rtt_ms: u64, spare: u64) -> Conditions {
        Conditions { loss, rtt: Duration::from_millis(rtt_ms), spare: Bitrate::from_bps(spare) }
    }

    /// Parity packets of a second of pictures.
    fn second(picture: Picture, all: &[Conditions]) -> usize {
        let (start, mut amount) = (crate::clock::now(), Amount::default());
        (0..30).map(|i| amount.plan(start + Duration::from_millis(33) * i, picture, all.iter().copied())).sum()
    }

    #[test]
    fn as_much_as_the_loss_needs() {
        assert_eq!(needed(5, 0.05, 0.01), 2);
        assert_eq!(needed(5, 0.20, 0.01), 5);
        assert_eq!(needed(1, 0.05, 0.01), 1);
        assert_eq!(needed(40, 0.05, 0.01), 6);
        assert_eq!(needed(512, 0.0, 0.01), 0);
    }

    #[test]
    fn parity_is_for_links_that_lose_and_are_far_or_have_room() {
        let rich = 10_000_000;
        assert_eq!(second(DELTA, &[conditions(0.005, 200, rich)]), 0);
        assert_eq!(second(DELTA, &[conditions(0.05, 40, 0)]), 0);
        assert_eq!(second(DELTA, &[]), 0);
        assert!((55..=60).contains(&second(DELTA, &[conditions(0.05, 40, rich)])));
        // A fifth of the 150 packets.
        assert!((25..=30).contains(&second(DELTA, &[conditions(0.05, 200, 0)])));
        // The worst receiver that loses decides, also with others beside it.
        let worst = second(DELTA, &[conditions(0.0, 1, 0), conditions(0.02, 40, rich), conditions(0.2, 40, rich)]);
        assert!((140..=150).contains(&worst), "{worst}");
    }

    #[test]
    fn small_pictures_have_one_each_and_keyframes_the_most() {
        let small = Picture { packets: 1, ..DELTA };
        assert!((28..=30).contains(&second(small, &[conditions(0.1, 40, 10_000_000)])));
        let rich = [conditions(0.1, 40, 50_000_000)];
        let start = crate::clock::now();
        let of = |picture| {
            let mut amount = Amount::default();
            amount.plan(start, picture, rich.into_iter());
            amount.plan(start + HOARD, picture, rich.into_iter())
        };
        let delta = Picture { packets: 20, ..DELTA };
        let others = (of(delta), of(Picture { discardable: true, ..delta }));
        assert!(of(Picture { key: true, ..delta }) > others.0 && others.0 > others.1, "{others:?}");
    }

    #[test]
    fn what_is_asked_for_again_gives_more_until_it_is_not() {
        let rich = [conditions(0.05, 40, 10_000_000)];
        let (start, mut amount) = (crate::clock::now(), Amount::default());
        let mut now = start;
        let mut plan = |amount: &mut Amount| {
            now += Duration::from_millis(33);
            amount.plan(now, DELTA, rich.into_iter())
        };
        plan(&mut amount);
        let before = plan(&mut amount);
        // The same picture again, and older ones, tell nothing new.
        for frame in [7, 7, 9, 8, 7, 12, 15] {
            amount.on_asked(1, frame);
        }
        assert_eq!(plan(&mut amount), before + 2);
        (0..60).for_each(|frame| amount.on_asked(2, frame));
        assert_eq!(plan(&mut amount), DELTA.packets, "never more than the picture itself");
        let pictures = (0..5000).take_while(|_| plan(&mut amount) > before).count();
        assert!((1000..4000).contains(&pictures), "{pictures}");
        amount.on_asked(2, 100);
        amount.plan(now, DELTA, [conditions(0.0, 40, 10_000_000)].into_iter());
        assert_eq!(amount.more, 0.0, "nobody loses anything");
    }

    #[test]
    fn no_more_than_the_spare_bits() {
        for spare in [50_000, 200_000] {
            let spent = second(DELTA, &[conditions(0.2, 40, spare)]) * 9000;
            assert!(spent <= usize::try_from(spare).expect("small"), "{spent}");
            assert!(spent * 10 >= usize::try_from(spare).expect("small") * 6, "{spent}");
        }
    }
}
