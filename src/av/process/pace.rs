//! Sans-IO. Sound between two clocks: a device counts samples by its own crystal, we by the host's clock, and the two
//! differ by up to a few hundred parts in a million. Left alone, a queue between them runs dry or full within minutes.
//!
//! A [`Pacer`] watches how full the queue is and says how many samples more or less than a frame to move now;
//! [`stretch`] brings a block to its new length. At most four samples in 480 are moved (0.8 %, an eighth of a half-tone)
//! and mostly none or one, so that it is not heard.

use crate::frame::FRAME_SAMPLES;

/// Most samples that a frame is made longer or shorter by.
pub const MOST: isize = 4;
/// The level is judged over about so many frames: half a second. Callbacks come in lumps, which are no drift.
const SMOOTH: f32 = 50.0;
/// Samples off the mark that are left alone: 2 ms.
const FINE: f32 = 96.0;
/// Samples off the mark at which the most is done: 10 ms.
const FAR: f32 = 480.0;

/// Keeps the level of a queue.
#[derive(Debug, Clone)]
pub struct Pacer {
    mark: f32,
    level: Option<f32>,
}

impl Pacer {
    /// For a queue that should hold `mark` samples whenever it is looked at.
    pub fn new(mark: usize) -> Self {
        Self { mark: as_float(mark), level: None }
    }

    /// How many samples the queue should hold.
    pub fn set_mark(&mut self, mark: usize) {
        self.mark = as_float(mark);
    }

    /// The queue was emptied, filled or cut: what was learned of its level does not hold.
    pub fn restart(&mut self) {
        self.level = None;
    }

    /// The queue holds `level` samples now, once each 10 ms. Gives the samples to move beyond 480: more than none when
    /// it is too full, less when it is too empty.
    pub fn step(&mut self, level: usize) -> isize {
        let now = as_float(level);
        let before = self.level.unwrap_or(now);
        let smooth = before + (now - before) / SMOOTH;
        self.level = Some(smooth);
        let off = smooth - self.mark;
        let amount = match off.abs() {
            off if off < FINE => 0,
            off if off < FAR => 1,
            _ => MOST,
        };
        if off < 0.0 { -amount } else { amount }
    }
}

/// Queues hold at most a few seconds: such numbers are exact.
fn as_float(samples: usize) -> f32 {
    f32::from(u16::try_from(samples).unwrap_or(u16::MAX))
}

/// How much a queue holds beyond what it must: more at once when it ran dry, less again when it has not for long.
#[derive(Debug, Clone)]
pub struct Margin {
    samples: usize,
    calm: u32,
}

impl Margin {
    /// At first, and at the least: 2.5 ms.
    pub const LEAST: usize = 120;
    /// At the most: 120 ms.
    pub const MOST: usize = 5760;
    /// More after each time that it ran dry: 10 ms.
    const STEP: usize = 480;
    /// Less after each second (in frames) without: 1 ms, from the tenth second on.
    const BACK: usize = 48;

    /// Samples now.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The queue ran dry.
    pub fn on_dry(&mut self) {
        self.samples = (self.samples + Self::STEP).min(Self::MOST);
        self.calm = 0;
    }

    /// It needed so much: what came late was so much.
    pub fn on_late(&mut self, samples: usize) {
        self.samples = self.samples.max(samples.min(Self::MOST));
    }

    /// A frame passed without trouble.
    pub fn on_frame(&mut self) {
        self.calm = self.calm.saturating_add(1);
        if self.calm >= 1000 && self.calm.is_multiple_of(100) {
            self.samples = self.samples.saturating_sub(Self::BACK).max(Self::LEAST);
        }
    }
}

impl Default for Margin {
    fn default() -> Self {
        Self { samples: Self::LEAST, calm: 0 }
    }
}

/// Writes `from` into `to` at the other's length, by straight lines between samples. Lengths differ by at most a few.
pub fn stretch(from: &[f32], to: &mut [f32]) {
    if from.len() == to.len() {
        to.copy_from_slice(from);
        return;
    }
    let (Some(last), false) = (from.len().checked_sub(1), to.is_empty()) else {
        to.fill(0.0);
        return;
    };
    let step = as_float(from.len()) / as_float(to.len());
    for (at, to) in (0u16..).zip(to) {
        let place = (f32::from(at) * step).min(as_float(last));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
        let index = place as usize;
        let part = place - as_float(index);
        let (left, right) = (from[index], from[(index + 1).min(last)]);
        *to = left + (right - left) * part;
    }
}

/// How many samples to take for one frame at this correction.
pub fn length(correction: isize) -> usize {
    FRAME_SAMPLES.saturating_add_signed(correction.clamp(-MOST, MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a queue between a producer of `rate` samples each 10 ms on average, in lumps of `lump`, and a consumer that
    /// takes frames; gives the lowest and highest level of the last half and how often it ran dry.
    fn run(rate: f64, lump: usize, seconds: usize) -> (usize, usize, usize) {
        let mark = FRAME_SAMPLES + lump + Margin::LEAST;
        let (mut pacer, mut level, mut owed, mut dry) = (Pacer::new(mark), mark, 0.0, 0);
        let (mut low, mut high) = (usize::MAX, 0);
        for frame in 0..seconds * 100 {
            owed += rate;
            while owed >= f64::from(u16::try_from(lump).expect("small")) {
                owed -= f64::from(u16::try_from(lump).expect("small"));
                level += lump;
            }
            let wanted = length(pacer.step(level));
            if level < wanted {
                dry += 1;
                continue;
            }
            if frame > seconds * 50 {
                (low, high) = (low.min(level), high.max(level));
            }
            level -= wanted;
        }
        (low, high, dry)
    }

    #[test]
    fn a_device_that_is_too_quick_or_too_slow_never_fills_or_empties_its_queue() {
        // 1000 parts in a million is five times worse than the worst crystal.
        for rate in [480.0, 480.5, 479.5, 480.05, 479.95] {
            for lump in [64, 480, 682, 1024] {
                let (low, high, dry) = run(rate, lump, 600);
                assert_eq!(dry, 0, "{rate} in lumps of {lump}");
                assert!(
                    low >= FRAME_SAMPLES - 4 && high <= FRAME_SAMPLES + 2 * lump + 640,
                    "{rate} {lump}: {low} {high}"
                );
            }
        }
    }

    #[test]
    fn a_margin_rises_at_once_and_falls_slowly() {
        let mut margin = Margin::default();
        margin.on_dry();
        margin.on_late(2000);
        assert_eq!(margin.samples(), 2000);
        for _ in 0..100 {
            margin.on_dry();
        }
        assert_eq!(margin.samples(), Margin::MOST);
        (0..900).for_each(|_| margin.on_frame());
        assert_eq!(margin.samples(), Margin::MOST, "not within ten seconds");
        (0..60_000).for_each(|_| margin.on_frame());
        assert_eq!(margin.samples(), Margin::LEAST);
    }

    #[test]
    fn equal_clocks_are_left_alone() {
        let mut pacer = Pacer::new(960);
        assert!((0..1000).all(|n| pacer.step(if n % 2 == 0 { 1000 } else { 900 }) == 0));
    }

    #[test]
    fn a_stretched_tone_is_still_that_tone() {
        let tone = |i: u16, length: u16| (f32::from(i) / f32::from(length) * 5.0 * std::f32::consts::TAU).sin();
        for length in [476u16, 479, 480, 481, 484] {
            let from: Vec<f32> = (0..length).map(|i| tone(i, length)).collect();
            let mut to = [0.0; FRAME_SAMPLES];
            stretch(&from, &mut to);
            let worst = (0..480u16).zip(to).map(|(i, value)| (value - tone(i, 480)).abs()).fold(0.0, f32::max);
            assert!(worst < 0.07, "{length}: {worst}");
        }
        let mut to = [1.0; 4];
        stretch(&[], &mut to);
        assert_eq!(to, [0.0; 4]);
    }
}
