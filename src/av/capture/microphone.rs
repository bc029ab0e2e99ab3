//! A real microphone as a source of sound: its callback fills a ring, the microphone thread empties it every 10 ms.
//!
//! The queue between the two holds a lump of the callback, a frame and 2.5 ms, so that a callback that comes late is
//! not heard; when one comes later than that, it holds as much more ([`Margin`]). A [`Pacer`] keeps it there against the
//! difference of the clocks. A device that is not at 48 kHz is resampled here, not in the callback.

use std::collections::VecDeque;

use crate::av::Error;
use crate::av::capture::sound::Sound;
use crate::av::devices::sound::{End, Line};
use crate::av::devices::{Fate, Kind};
use crate::av::process::pace::{self, Margin, Pacer};
use crate::av::process::resample::Resampler;
use crate::av::spec::DeviceChoice;
use crate::clock;
use crate::frame::{FRAME_SAMPLES, SAMPLE_RATE};
use crate::slot::Slot;

/// So far beyond the mark the queue is cut: the thread was held up, and old sound is worth nothing.
const FAR: usize = 4800;
/// No sample is taken for louder: 18 dB over full scale.
const LOUDEST: f32 = 8.0;
/// A reader is held up for at most so many frames, as its thread leaves out more.
const MOST_LATE: u64 = 100;
/// Samples of a block when resampling: 5 ms, which is the price in latency.
const BLOCK: usize = 256;

/// The callback's end. Overflow: what is new is lost; a second of old sound is thrown away by the reader.
#[derive(Debug)]
pub struct Input(rtrb::Producer<f32>);

/// A ring of a second at `rate` samples a second, at both ends.
pub fn ring(rate: u32) -> (Input, rtrb::Consumer<f32>) {
    let (producer, consumer) = rtrb::RingBuffer::new(usize::try_from(rate).unwrap_or(48_000));
    (Input(producer), consumer)
}

impl End for Input {
    fn give(&mut self, sample: f32) -> bool {
        self.0.push(sample).is_ok()
    }

    fn take(&mut self) -> Option<f32> {
        None
    }
}

/// An open microphone.
#[derive(Debug)]
pub struct Device {
    line: Line,
    /// Each new stream brings a new ring.
    rings: Slot<rtrb::Consumer<f32>>,
    ring: Option<rtrb::Consumer<f32>>,
    resampler: Option<Resampler>,
    queue: Queue,
    raw: Vec<f32>,
    made: Vec<f32>,
}

impl Device {
    /// Opens the microphone that `choice` means.
    pub fn open(choice: &DeviceChoice) -> Result<Self, Error> {
        let rings = Slot::new();
        let fresh = rings.clone();
        let line = Line::open(Kind::Microphone, choice, move |rate| {
            let (input, consumer) = ring(rate);
            fresh.put(consumer);
            input
        })?;
        let resampler = match line.rate() {
            SAMPLE_RATE => None,
            rate => Some(Resampler::between(rate, SAMPLE_RATE, BLOCK)?),
        };
        let (raw, made) = (Vec::with_capacity(48_000), Vec::with_capacity(48_000));
        Ok(Self { line, rings, ring: None, resampler, queue: Queue::default(), raw, made })
    }

    /// Takes what the callback brought.
    fn pull(&mut self) {
        if let Some(ring) = self.rings.take() {
            self.ring = Some(ring);
            self.queue.clear();
            self.raw.clear();
        }
        let Some(ring) = &mut self.ring else { return };
        let Ok(chunk) = ring.read_chunk(ring.slots()) else { return };
        let (first, second) = chunk.as_slices();
        match &mut self.resampler {
            None => {
                self.queue.extend(first);
                self.queue.extend(second);
            }
            Some(resampler) => {
                self.raw.extend(first.iter().chain(second).copied().map(sound));
                let mut used = 0;
                while let Some(block) = self.raw.get(used..used + resampler.needed()) {
                    used += block.len();
                    resampler.process(block, &mut self.made);
                }
                self.raw.drain(..used);
                self.queue.samples.extend(self.made.drain(..));
            }
        }
        chunk.commit_all();
    }
}

impl Sound for Device {
    fn read(&mut self, wall: u64, out: &mut [f32; FRAME_SAMPLES]) {
        self.pull();
        // Whole frames that were due since this one was.
        let late = clock::unix_micros().saturating_sub(wall) / 10_000;
        let late = usize::try_from(late.saturating_sub(1).min(MOST_LATE)).unwrap_or(0);
        self.queue.take(self.line.pulse().lump(), late * FRAME_SAMPLES, out);
    }

    fn delay(&self) -> u64 {
        // Half a lump was in the device on average.
        let samples = self.queue.waits() + self.line.pulse().lump() / 2;
        u64::try_from(samples).unwrap_or(0) * 125 / 6
    }

    fn slipped(&mut self) -> isize {
        std::mem::take(&mut self.queue.slipped)
    }

    fn fate(&self) -> Option<Fate> {
        Some(self.line.fate())
    }

    fn device(&self) -> Option<&crate::av::devices::Device> {
        Some(self.line.device())
    }
}

/// Samples between a callback and the thread that reads them.
#[derive(Debug)]
pub struct Queue {
    samples: VecDeque<f32>,
    pacer: Pacer,
    margin: Margin,
    /// Full enough to be read from.
    primed: bool,
    /// It was read from before, and what comes now is late.
    late: bool,
    /// Samples of silence that were put in, less those that were left out, since that was asked.
    slipped: isize,
}

impl Default for Queue {
    fn default() -> Self {
        let samples = VecDeque::with_capacity(96_000);
        Self {
            samples,
            pacer: Pacer::new(FRAME_SAMPLES),
            margin: Margin::default(),
            primed: false,
            late: false,
            slipped: 0,
        }
    }
}

/// A driver or another program may give anything.
const fn sound(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-LOUDEST, LOUDEST) } else { 0.0 }
}

impl Queue {
    /// Takes what the callback brought. What is no number is silence: it would stay in every filter that it goes through.
    pub fn extend(&mut self, samples: &[f32]) {
        self.samples.extend(samples.iter().copied().map(sound));
    }

    /// Samples that wait.
    pub fn waits(&self) -> usize {
        self.samples.len()
    }

    fn clear(&mut self) {
        self.samples.clear();
        (self.primed, self.late) = (false, false);
    }

    fn silence(&mut self, out: &mut [f32; FRAME_SAMPLES]) {
        out.fill(0.0);
        // Before its first sound nothing can be late.
        if self.late {
            self.slipped = self.slipped.saturating_add_unsigned(FRAME_SAMPLES);
        }
    }

    /// The next 10 ms, silence where there are none. A reader that was held up takes `late` samples more at once: they are
    /// not too much.
    pub fn take(&mut self, lump: usize, late: usize, out: &mut [f32; FRAME_SAMPLES]) {
        // A lump more or less is there when its moment slips past that of a frame.
        let least = FRAME_SAMPLES + lump;
        let mark = least + self.margin.samples();
        self.pacer.set_mark(mark);
        if self.samples.len() > mark + late + lump + FAR {
            let beyond = self.samples.len() - mark - late;
            tracing::debug!(beyond, "old sound is left out");
            self.samples.drain(..beyond);
            self.slipped = self.slipped.saturating_sub_unsigned(beyond);
            self.pacer.restart();
        }
        if !self.primed && self.samples.len() >= mark {
            self.primed = true;
            self.pacer.restart();
            if self.late {
                // Nothing of it is lost, and what comes as late again will not be missed.
                self.margin.on_late(self.samples.len().saturating_sub(least + late));
            } else {
                // The lump that made it enough may have brought far more, of which nothing was heard yet.
                self.samples.drain(..self.samples.len().saturating_sub(mark + late));
            }
        }
        if !self.primed {
            self.silence(out);
            return;
        }
        let wanted = pace::length(self.pacer.step(self.samples.len().saturating_sub(late)));
        if self.samples.len() < wanted {
            (self.primed, self.late) = (false, true);
            self.margin.on_dry();
            let (held, margin) = (self.samples.len(), self.margin.samples());
            tracing::debug!(lump, held, margin, "a queue of sound ran dry");
            self.silence(out);
            return;
        }
        self.margin.on_frame();
        // Longer than any frame.
        let mut block = [0.0; FRAME_SAMPLES + 16];
        let Some(block) = block.get_mut(..wanted) else { return };
        for (to, sample) in block.iter_mut().zip(self.samples.drain(..wanted)) {
            *to = sample;
        }
        pace::stretch(block, out);
        // So many samples of it were not in the device's.
        self.slipped = self.slipped.saturating_add_unsigned(FRAME_SAMPLES).saturating_sub_unsigned(wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ramps, so that a lost or doubled sample shows.
    fn feed(queue: &mut Queue, next: &mut f32, samples: usize) {
        for _ in 0..samples {
            queue.samples.push_back(*next);
            *next += 1.0;
        }
    }

    #[test]
    fn what_is_no_number_is_silence() {
        let mut queue = Queue::default();
        queue.extend(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5, 1e30]);
        assert_eq!(queue.samples, [0.0, 0.0, 0.0, 0.5, LOUDEST]);
    }

    #[test]
    fn sound_starts_when_there_is_enough_and_then_nothing_is_lost() {
        let (mut queue, mut next, mut out) = (Queue::default(), 1.0, [0.0; FRAME_SAMPLES]);
        let mut heard = Vec::new();
        for _ in 0..100 {
            feed(&mut queue, &mut next, 480);
            queue.take(480, 0, &mut out);
            heard.extend(out);
        }
        let sounding: Vec<f32> = heard.into_iter().skip_while(|s| *s == 0.0).collect();
        assert!(sounding.len() >= 97 * 480, "{}", sounding.len());
        assert!((1.0..=480.0).contains(&sounding[0]), "{}", sounding[0]);
        assert!(sounding.windows(2).all(|w| (w[1] - w[0] - 1.0).abs() < 0.1), "without seams");
    }

    #[test]
    fn a_queue_that_ran_dry_waits_and_becomes_longer() {
        let (mut queue, mut next, mut out) = (Queue::default(), 1.0, [0.0; FRAME_SAMPLES]);
        feed(&mut queue, &mut next, 2000);
        for _ in 0..8 {
            queue.take(480, 0, &mut out);
        }
        assert!(!queue.primed && queue.margin.samples() > Margin::LEAST && out == [0.0; FRAME_SAMPLES]);
        // It begins with its mark, 1080 samples, which are two frames: the six after them were silence.
        assert_eq!(queue.slipped, 6 * 480);
        // What comes 60 ms late comes all at once; nothing of it is lost, and the next time it is not missed.
        let held = queue.samples.len();
        feed(&mut queue, &mut next, 6 * 480);
        queue.take(480, 0, &mut out);
        assert!(queue.primed && queue.samples.len() + 490 > held + 6 * 480);
        assert!(queue.margin.samples() >= 4 * 480, "{}", queue.margin.samples());
    }

    #[test]
    fn old_sound_is_cut_after_a_stop() {
        let (mut queue, mut next, mut out) = (Queue::default(), 1.0, [0.0; FRAME_SAMPLES]);
        feed(&mut queue, &mut next, 48_000);
        queue.take(480, 0, &mut out);
        assert!(queue.samples.len() < 1000, "{}", queue.samples.len());
        assert!(out[0] > 46_000.0);
    }

    #[test]
    fn a_reader_that_was_held_up_gets_all_of_it_as_it_was() {
        let (mut queue, mut next, mut out) = (Queue::default(), 1.0, [0.0; FRAME_SAMPLES]);
        let mut heard = Vec::new();
        feed(&mut queue, &mut next, 1080);
        for _ in 0..10 {
            feed(&mut queue, &mut next, 300 * 48);
            for late in (0..30).rev() {
                queue.take(480, late * FRAME_SAMPLES, &mut out);
                heard.extend(out);
            }
        }
        let sounding: Vec<f32> = heard.into_iter().skip_while(|s| *s == 0.0).collect();
        assert!(sounding.len() >= 290 * 480, "{}", sounding.len());
        assert!(sounding.windows(2).all(|w| (w[1] - w[0] - 1.0).abs() < 0.01), "without seams, and not stretched");
    }
}
