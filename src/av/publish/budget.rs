//! Sans-IO. How many bits a layer may spend: a target for its encoder, and a guard above it.
//!
//! A cap counts what is on the wire, with every header from our own to Ethernet's. The encoder's target leaves room for
//! these and 8 % for its own swings; the guard leaves out a picture when the last second has no room for it. With the
//! margin the guard acts on a run of keyframes, not on ordinary motion: a real clip at 1.5 Mbit/s loses no picture.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::av::codec::Content;
use crate::av::packet::header;
use crate::av::spec::fit;
use crate::media::Bitrate;

/// Bytes on the wire for each packet beside its body: link header 7, QUIC short header, connection id, packet number,
/// frame header and tag 31, UDP 8, IPv6 40, Ethernet 14.
pub const PACKET_OVERHEAD: u64 = 100;
/// The window of the guard.
const WINDOW: Duration = Duration::from_secs(1);
/// Least target: below it a face is a smear.
const MIN_TARGET: u64 = 64_000;

/// The target without a cap, in encoded bits. On a talking head 640x360 at 1.3 Mbit/s measures 44 dB; larger pictures
/// repeat themselves more, so bits grow slower than pixels; 5 Mbit/s is what a link on a local network is taken to
/// carry before it is measured.
pub fn auto(width: u16, height: u16, fps: f64) -> Bitrate {
    let pixels = u32::from(width) * u32::from(height);
    let bps = match pixels {
        0..=57_600 => 450_000,
        57_601..=102_400 => 700_000,
        102_401..=230_400 => 1_300_000,
        230_401..=410_000 => 2_000_000,
        410_001..=921_600 => 3_500_000,
        921_601..=1_440_000 => 4_500_000,
        _ => 5_000_000,
    };
    // Twice the pictures differ half as much.
    Bitrate::from_bps(if fps > 40.0 { bps * 7 / 5 } else { bps })
}

/// The same for a screen. Text of a page needs some 2.5 Mbit at once and then nothing until it changes, so the target is
/// what may be spent while it scrolls.
pub fn auto_screen(width: u16, height: u16) -> Bitrate {
    let pixels = u32::from(width) * u32::from(height);
    Bitrate::from_bps(match pixels {
        0..=102_400 => 1_000_000,
        102_401..=410_000 => 3_000_000,
        410_001..=921_600 => 6_000_000,
        _ => 10_000_000,
    })
}

/// What an encoder's target takes on the wire, the other way round than [`Budget::target`].
pub fn on_wire(target: Bitrate, fps: u32) -> Bitrate {
    let payload = u64::try_from(header::MAX_PAYLOAD).unwrap_or(u64::MAX);
    let overhead = PACKET_OVERHEAD + u64::try_from(header::LENGTH).unwrap_or(0);
    let bits = target.bps() * 100 / 92 * (payload + overhead) / payload;
    Bitrate::from_bps(bits + u64::from(fps) * overhead * 8 / 2 + 1000)
}

/// Least targets for pictures of at most so many pixels: below, a smaller picture looks better. Larger ones: the last.
const NEEDS: [(u32, u64); 4] = [(57_600, 0), (230_400, 250_000), (921_600, 900_000), (u32::MAX, 2_000_000)];
/// The boxes of smaller pictures.
const BOXES: [(u16, u16); 3] = [(1280, 720), (640, 360), (320, 180)];

/// The size to encode a camera of `full` at for this target, when it is `now` encoded: a larger one needs a quarter more
/// than it takes to stay, so that sizes do not flap. The number of pictures stays.
pub fn size_for(full: (u16, u16), now: Option<(u16, u16)>, target: Bitrate) -> (u16, u16) {
    let pixels = |size: (u16, u16)| u32::from(size.0) * u32::from(size.1);
    let smaller = BOXES.into_iter().map(|(width, height)| fit(full.0, full.1, width, height));
    let sizes = std::iter::once(full).chain(smaller.filter(|size| pixels(*size) < pixels(full)));
    let takes = |size: (u16, u16)| {
        let need = NEEDS.iter().find(|(most, _)| pixels(size) <= *most).map_or(0, |(_, need)| *need);
        let larger = now.is_some_and(|now| pixels(size) > pixels(now));
        target.bps() >= if larger { need * 5 / 4 } else { need }
    };
    let mut last = full;
    for size in sizes {
        last = size;
        if takes(size) {
            break;
        }
    }
    last
}

/// What one layer spends.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    content: Content,
    cap: Option<u64>,
    /// What the links carry.
    carried: Option<u64>,
    /// When, and how many bits on the wire, over the window. Bounded by the pictures of a second.
    sent: VecDeque<(Instant, u64)>,
    total: u64,
    /// A usual picture's bits on the wire.
    usual: u64,
}

impl Budget {
    /// Of a layer that shows this.
    pub fn new(content: Content) -> Self {
        Self { content, ..Self::default() }
    }

    /// Sets the cap; `None` lifts it.
    pub fn set_cap(&mut self, cap: Option<Bitrate>) {
        self.cap = cap.map(Bitrate::bps);
    }

    /// Sets what the links carry of this layer, headers included; unlike the cap no guard holds pictures back for it.
    pub fn set_carried(&mut self, carried: Option<Bitrate>) {
        self.carried = carried.map(Bitrate::bps);
    }

    /// The encoder's target for pictures of this size.
    pub fn target(&self, width: u16, height: u16, fps: u32) -> Bitrate {
        let auto = match self.content {
            Content::Camera => auto(width, height, fps.into()),
            Content::Screen => auto_screen(width, height),
        };
        let auto = auto.bps();
        let Some(cap) = self.cap.into_iter().chain(self.carried).min() else { return Bitrate::from_bps(auto) };
        let payload = u64::try_from(header::MAX_PAYLOAD).unwrap_or(u64::MAX);
        let overhead = PACKET_OVERHEAD + u64::try_from(header::LENGTH).unwrap_or(0);
        // The last packet of a picture is on average half of what an even cut would fill: half a packet a picture more.
        let crumbs = u64::from(fps) * overhead * 8 / 2;
        let room = cap.saturating_sub(crumbs) * payload / (payload + overhead);
        Bitrate::from_bps(auto.min(room * 92 / 100).max(MIN_TARGET))
    }

    /// A picture of `packets` packets whose bodies hold `bytes` bytes left.
    pub fn on_sent(&mut self, now: Instant, packets: usize, bytes: usize) {
        let (packets, bytes) = (u64::try_from(packets).unwrap_or(0), u64::try_from(bytes).unwrap_or(0));
        let bits = 8 * (bytes + packets * PACKET_OVERHEAD);
        self.usual = if self.usual == 0 { bits } else { (self.usual * 7 + bits) / 8 };
        self.total += bits;
        self.sent.push_back((now, bits));
        self.expire(now);
    }

    /// True when a picture half as large again as usual has room in the last second.
    pub fn allows(&mut self, now: Instant) -> bool {
        self.expire(now);
        self.cap.is_none_or(|cap| self.sent.is_empty() || self.total + self.usual * 3 / 2 <= cap)
    }

    /// Bits that the cap leaves in this second beside the next picture; `None` without a cap.
    pub fn room(&mut self, now: Instant) -> Option<u64> {
        self.expire(now);
        self.cap.map(|cap| cap.saturating_sub(self.total + self.usual * 3 / 2))
    }

    /// Bits beside those of pictures left for everybody who watches.
    pub fn on_parity(&mut self, now: Instant, bits: u64) {
        self.total += bits;
        self.sent.push_back((now, bits));
    }

    fn expire(&mut self, now: Instant) {
        while let Some((at, bits)) = self.sent.front().copied().filter(|(at, _)| *at + WINDOW <= now) {
            debug_assert!(at <= now);
            self.total -= bits;
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_small_target_makes_a_smaller_picture_and_sizes_do_not_flap() {
        let hd = (1280, 720);
        let size = |now, kbit: u64| size_for(hd, now, Bitrate::from_bps(kbit * 1000));
        assert_eq!(size(None, 2000), hd);
        assert_eq!(size(None, 899), (640, 360));
        assert_eq!(size(Some(hd), 900), hd);
        assert_eq!(size(Some((640, 360)), 1000), (640, 360), "not up by a little");
        assert_eq!(size(Some((640, 360)), 1125), hd);
        assert_eq!(size(Some((640, 360)), 200), (320, 180));
        assert_eq!(size(Some((320, 180)), 10), (320, 180), "never smaller");
        assert_eq!(size_for((160, 90), None, Bitrate::from_bps(1)), (160, 90));
    }

    #[test]
    fn what_a_target_takes_on_the_wire_gives_that_target() {
        for (width, height, fps) in [(320, 180, 30), (640, 360, 30), (1280, 720, 30), (1920, 1080, 60)] {
            let mut budget = Budget::default();
            let whole = budget.target(width, height, fps);
            budget.set_carried(Some(on_wire(whole, fps)));
            assert_eq!(budget.target(width, height, fps), whole);
            budget.set_carried(Some(Bitrate::from_bps(on_wire(whole, fps).bps() / 2)));
            assert!(budget.target(width, height, fps) < whole);
            assert!(budget.allows(crate::clock::now()));
        }
    }

    #[test]
    fn target_leaves_room_for_headers() {
        let mut budget = Budget::default();
        assert_eq!(budget.target(640, 360, 30).bps(), 1_300_000);
        budget.set_cap(Some(Bitrate::from_bps(1_500_000)));
        let target = budget.target(640, 360, 30).bps();
        assert!((1_150_000..1_300_000).contains(&target), "{target}");
        // The same picture in numbers: 30 pictures of this size stay below the cap with all headers.
        let size = target / 8 / 30;
        let packets = size.div_ceil(u64::try_from(header::MAX_PAYLOAD).expect("small"));
        assert!(30 * 8 * (size + packets * (PACKET_OVERHEAD + 20)) <= 1_500_000);
        budget.set_cap(Some(Bitrate::from_bps(1)));
        assert_eq!(budget.target(640, 360, 30).bps(), MIN_TARGET);
    }

    #[test]
    fn auto_grows_with_size() {
        let sizes = [(320, 180), (426, 240), (640, 360), (854, 480), (1280, 720), (1600, 900), (1920, 1080)];
        assert!(sizes.windows(2).all(|w| auto(w[0].0, w[0].1, 30.0) < auto(w[1].0, w[1].1, 30.0)));
        assert!(auto(640, 360, 60.0) > auto(640, 360, 30.0));
    }

    proptest! {
        /// Over every second at most the cap and one picture leave.
        #[test]
        fn the_cap_holds_over_every_second(sizes in proptest::collection::vec(100usize..40_000, 1..200)) {
            let mut budget = Budget::default();
            let cap = 1_500_000;
            budget.set_cap(Some(Bitrate::from_bps(cap)));
            let start = crate::clock::now();
            let mut left: Vec<(Duration, u64)> = Vec::new();
            let largest = u64::try_from(sizes.iter().max().copied().unwrap_or(0) + 40 * 100).expect("small") * 8;
            for (i, size) in (0u32..).zip(sizes) {
                let at = Duration::from_millis(33) * i;
                if budget.allows(start + at) {
                    let packets = size.div_ceil(1000);
                    budget.on_sent(start + at, packets, size);
                    left.push((at, 8 * u64::try_from(size + packets * 100).expect("small")));
                }
                let second: u64 = left.iter().filter(|(t, _)| *t + WINDOW > at).map(|(_, bits)| bits).sum();
                prop_assert!(second <= cap + largest);
            }
        }
    }
}
