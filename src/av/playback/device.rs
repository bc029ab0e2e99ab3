//! A real speaker as a sink of the mix: the playback thread fills a ring every 10 ms, the device's callback empties it.
//!
//! The ring holds half a lump of the callback, a frame and 5 ms, and more after the callback found it dry ([`Margin`]). A [`Pacer`] keeps it there against the difference of the clocks. Frames that come in a burst, after the thread
//! was held up, are left out instead of being heard late.

use crate::av::Error;
use crate::av::devices::sound::{End, Line};
use crate::av::devices::{Fate, Kind};
use crate::av::process::pace::{self, Margin, Pacer};
use crate::av::process::resample::Resampler;
use crate::av::process::voice::Reference;
use crate::av::spec::DeviceChoice;
use crate::clock;
use crate::frame::{FRAME_SAMPLES, SAMPLE_RATE};
use crate::slot::Slot;

/// So far beyond the mark frames are left out: 50 ms.
const FAR: usize = 2400;
/// Samples of a block when resampling: 5 ms.
const BLOCK: usize = 240;

/// The callback's end.
#[derive(Debug)]
pub struct Output(rtrb::Consumer<f32>);

/// A ring of a second at `rate` samples a second, at both ends.
pub fn ring(rate: u32) -> (rtrb::Producer<f32>, Output) {
    let (producer, consumer) = rtrb::RingBuffer::new(usize::try_from(rate).unwrap_or(48_000));
    (producer, Output(consumer))
}

impl End for Output {
    fn give(&mut self, _sample: f32) -> bool {
        false
    }

    fn take(&mut self) -> Option<f32> {
        self.0.pop().ok()
    }
}

/// What the mark is made of.
#[derive(Debug)]
struct Gauge {
    pacer: Pacer,
    margin: Margin,
    /// Leaving out frames until the level is near the mark.
    cutting: bool,
}

impl Default for Gauge {
    fn default() -> Self {
        Self { pacer: Pacer::new(FRAME_SAMPLES), margin: Margin::default(), cutting: false }
    }
}

impl Gauge {
    fn mark(&self, lump: usize) -> usize {
        lump / 2 + FRAME_SAMPLES + Margin::LEAST + self.margin.samples()
    }

    /// How many samples the next frame should become, with `level` samples in the ring; `None`: leave it out.
    fn next(&mut self, lump: usize, level: usize, ran_dry: u32) -> Option<usize> {
        if ran_dry > 0 {
            self.margin.on_dry();
            self.pacer.restart();
            tracing::debug!(lump, level, margin = self.margin.samples(), "the speaker ran dry");
        } else {
            self.margin.on_frame();
        }
        let mark = self.mark(lump);
        self.pacer.set_mark(mark);
        self.cutting = if self.cutting { level > mark + FRAME_SAMPLES } else { level > mark + lump + FAR };
        if self.cutting {
            self.pacer.restart();
            return None;
        }
        Some(pace::length(-self.pacer.step(level)))
    }
}

/// An open speaker.
#[derive(Debug)]
pub struct Sink {
    line: Line,
    /// Each new stream brings a new ring.
    rings: Slot<rtrb::Producer<f32>>,
    ring: Option<rtrb::Producer<f32>>,
    resampler: Option<Resampler>,
    gauge: Gauge,
    raw: Vec<f32>,
    made: Vec<f32>,
}

impl Sink {
    /// Opens the speaker that `choice` means.
    pub fn open(choice: &DeviceChoice) -> Result<Self, Error> {
        let rings = Slot::new();
        let fresh = rings.clone();
        let line = Line::open(Kind::Speaker, choice, move |rate| {
            let (producer, output) = ring(rate);
            fresh.put(producer);
            output
        })?;
        let resampler = match line.rate() {
            SAMPLE_RATE => None,
            rate => Some(Resampler::between(SAMPLE_RATE, rate, BLOCK)?),
        };
        let (raw, made) = (Vec::with_capacity(4096), Vec::with_capacity(16_384));
        Ok(Self { line, rings, ring: None, resampler, gauge: Gauge::default(), raw, made })
    }

    /// Where its end will be told.
    pub fn fate(&self) -> Fate {
        self.line.fate()
    }

    /// Which device it is.
    pub fn device(&self) -> &crate::av::devices::Device {
        self.line.device()
    }

    /// Plays the next 10 ms, or leaves them out. Never waits. What the device gets is told to `reference`.
    pub fn play(&mut self, mix: &[f32; FRAME_SAMPLES], reference: &Reference) {
        let pulse = self.line.pulse();
        let lump = pulse.lump();
        // In samples at our rate.
        let rate = usize::try_from(self.line.rate() / 1000).unwrap_or(48).max(1);
        let missed = pulse.missed();
        let mut ran_dry = u32::from(missed > 0);
        let per_frame = usize::try_from(self.line.rate() / 100).unwrap_or(FRAME_SAMPLES).max(1);
        reference.put_silence(missed * FRAME_SAMPLES / per_frame);
        if let Some(mut ring) = self.rings.take() {
            // A new stream asks for more at once than later, and what it did not find before now is no fault.
            ran_dry = 0;
            let silence = self.gauge.mark(lump) + lump / 2;
            for _ in 0..silence {
                let _ = ring.push(0.0);
            }
            reference.put_silence(silence * FRAME_SAMPLES / per_frame);
            self.gauge.pacer.restart();
            self.ring = Some(ring);
        }
        let Some(ring) = self.ring.as_mut() else { return };
        let held = ring.buffer().capacity() - ring.slots();
        let held = held * 48 / rate;
        let Some(length) = self.gauge.next(lump, held, ran_dry) else { return };
        // Longer than any frame.
        let mut block = [0.0; FRAME_SAMPLES + 16];
        let Some(block) = block.get_mut(..length) else { return };
        pace::stretch(mix, block);
        match &mut self.resampler {
            None => {
                let _ = ring.push_partial_slice(block);
            }
            Some(resampler) => {
                self.raw.extend_from_slice(block);
                let mut used = 0;
                while let Some(block) = self.raw.get(used..used + resampler.needed()) {
                    used += block.len();
                    resampler.process(block, &mut self.made);
                }
                self.raw.drain(..used);
                let _ = ring.push_partial_slice(&self.made);
                self.made.clear();
            }
        }
        // The system holds about two callbacks beyond the ring.
        let ahead = u64::try_from(held + length + 2 * lump).unwrap_or(0) * 125 / 6;
        reference.put(block, clock::host_micros() + ahead);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that takes `lump` samples at a time, at `rate` samples each 10 ms; gives its highest level at the end.
    fn run(rate: f32, lump: usize, held_up_at: usize) -> (usize, u32) {
        let (mut gauge, mut level, mut owed, mut dry) = (Gauge::default(), 0, 0.0, 0);
        level += gauge.mark(lump) + lump / 2;
        let (mut high, mut total_dry) = (0, 0);
        for tick in 0..20_000 {
            // A thread that was held up for 300 ms pushes all that it owes at once.
            let frames = match tick {
                t if t == held_up_at + 30 => 31,
                t if (held_up_at..held_up_at + 30).contains(&t) => 0,
                _ => 1,
            };
            for _ in 0..frames {
                if let Some(length) = gauge.next(lump, level, std::mem::take(&mut dry)) {
                    level += length;
                }
            }
            owed += rate;
            while owed >= f32::from(u16::try_from(lump).expect("small")) {
                owed -= f32::from(u16::try_from(lump).expect("small"));
                if level < lump {
                    dry += 1;
                    total_dry += 1;
                }
                level = level.saturating_sub(lump);
            }
            if tick > 10_000 {
                high = high.max(level);
            }
        }
        (high, total_dry)
    }

    #[test]
    fn the_ring_neither_runs_dry_nor_grows_by_other_clocks() {
        for rate in [480.0, 480.3, 479.7] {
            for lump in [240, 480, 682, 960] {
                let (high, dry) = run(rate, lump, usize::MAX / 2);
                assert_eq!(dry, 0, "{rate} {lump}");
                assert!(high < lump + 3 * FRAME_SAMPLES, "{rate} {lump}: {high}");
            }
        }
    }

    #[test]
    fn sound_is_not_late_after_the_thread_was_held_up() {
        let (high, dry) = run(480.0, 480, 5000);
        assert!(dry > 0 && high < 480 + FAR + 2 * FRAME_SAMPLES + Margin::MOST, "{dry} {high}");
    }
}
