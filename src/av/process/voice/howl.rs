//! Sans-IO. Against howling between two machines in one room: one plays what the other's microphone hears, which hears it
//! again, louder each time round. Echo cancellation does not know it, since the sound comes from another machine's speaker.
//!
//! A loop is a narrow line in the spectrum that stands alone (a voice and an instrument have harmonics) and grows while all
//! around it does not. It must have grown over each quarter of some window from 0.4 to 3.2 s, since a loop of any delay and
//! gain takes a time of its own; what only sounds loud, or begins, is left alone. A line that the own speaker plays too is
//! believed sooner, and what fills all of the range for a quarter of a second is believed too. It is answered by a notch at its frequency, and everything is made quieter for a moment, more each time,
//! until nothing grows any more; both go away again ([`NOTCH_FRAMES`], [`BACK`]).

use super::spectrum::{BINS, Levels, QUIETEST, Spectrum, WIDTH, float};
use crate::frame::FRAME_SAMPLES;

/// Lines are looked for from here (312 Hz: below are the deepest tones of voices, and small speakers play nothing) ...
const LOWEST: usize = 20;
/// ... to here (6.9 kHz).
const HIGHEST: usize = 440;
/// Spectra that are remembered, 20 ms apart: 3.2 s.
const MEMORY: usize = 160;
/// Windows over which growth is looked for, in spectra.
const WINDOWS: [usize; 4] = [20, 40, 80, 160];
/// A line quieter than this (dB) is of no interest yet.
const AUDIBLE: f32 = -50.0;
/// It stands so far (dB) above what is beside it.
const SHARP: f32 = 15.0;
/// What is at its harmonics is so far (dB) below it, and so far what stands out there too.
const ALONE: f32 = 12.0;
const ALONE_BY_FAR: f32 = 26.0;
/// What stands out is so far (dB) above what is beside it.
const OUT: f32 = 8.0;
/// Growth over the window (dB), and from each quarter of it to the next.
const GROWN: f32 = 9.0;
const STEP: f32 = 1.0;
/// So much more (dB) than what is beside it.
const APART: f32 = 6.0;
/// A line must stand for so many spectra, or fewer if the speaker plays it too.
const PATIENT: u32 = 7;
const SURE: u32 = 4;

/// Louder than this (mean square over a frame: -7 dB of full scale) for so many frames in a row is no voice, whatever it
/// is: a loop of much gain is there before its line stands alone.
const OVERLOAD: f32 = 0.2;
const OVERLOAD_FRAMES: u32 = 25;

/// Most notches. Overflow: the oldest is lifted.
const NOTCHES: usize = 6;
/// A notch is there for so many frames: 30 s.
const NOTCH_FRAMES: u32 = 3000;
/// How narrow it is: frequency by width.
const NOTCH_Q: f32 = 8.0;
/// Everything is turned down by so much (dB) when a loop is found ...
const DUCK: f32 = -40.0;
/// ... and comes back by so much a frame: 40 dB in 0.8 s.
const RISE: f32 = 0.5;
/// After each loop it comes back to so much less (dB; twice that for one that filled all of the range), at most to the
/// last ...
const LESS: f32 = -4.0;
const LEAST: f32 = -30.0;
/// ... and that goes away by so much a frame (0.5 dB a second).
const BACK: f32 = 0.005;

/// A filter that takes one frequency away (direct form II, transposed).
#[derive(Debug, Clone)]
struct Notch {
    hertz: f32,
    frames: u32,
    b0: f32,
    b1: f32,
    a2: f32,
    state: (f32, f32),
}

impl Notch {
    /// R. Bristow-Johnson's notch.
    fn new(hertz: f32) -> Self {
        let (sin, cos) = (std::f32::consts::TAU * hertz / 48_000.0).sin_cos();
        let alpha = sin / (2.0 * NOTCH_Q);
        let a0 = 1.0 + alpha;
        Self { hertz, frames: 0, b0: 1.0 / a0, b1: -2.0 * cos / a0, a2: (1.0 - alpha) / a0, state: (0.0, 0.0) }
    }

    fn filter(&mut self, samples: &mut [f32; FRAME_SAMPLES]) {
        for sample in samples {
            let x = *sample;
            let y = self.b0 * x + self.state.0;
            self.state.0 = self.b1 * (x - y) + self.state.1;
            self.state.1 = self.b0 * x - self.a2 * y;
            *sample = y;
        }
    }
}

/// Watches one microphone.
#[derive(Debug)]
pub struct Guard {
    heard: Spectrum,
    played: Spectrum,
    /// The last spectra, one after the other; `at` is the next to be overwritten.
    memory: Vec<Levels>,
    at: usize,
    known: usize,
    /// The line of the last spectrum, and for how many it stands.
    line: Option<(usize, u32)>,
    /// Frames in a row that were too loud for a voice.
    overload: u32,
    notches: Vec<Notch>,
    /// Decibels now, and where they go back to.
    gain: f32,
    rest: f32,
    found: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            heard: Spectrum::default(),
            played: Spectrum::default(),
            memory: vec![[QUIETEST; BINS]; MEMORY],
            at: 0,
            known: 0,
            line: None,
            overload: 0,
            notches: Vec::with_capacity(NOTCHES),
            gain: 0.0,
            rest: 0.0,
            found: 0,
        }
    }
}

impl Guard {
    /// Takes the next 10 ms that the own speaker plays.
    pub fn on_playout(&mut self, samples: &[f32; FRAME_SAMPLES]) {
        self.played.hear(samples);
    }

    /// Takes the next 10 ms of the microphone, and leaves in it what may be sent.
    pub fn process(&mut self, samples: &mut [f32; FRAME_SAMPLES]) {
        let power = samples.iter().map(|s| s * s).sum::<f32>() / float(FRAME_SAMPLES);
        self.overload = if power > OVERLOAD { self.overload + 1 } else { 0 };
        if let Some(levels) = self.heard.hear(samples) {
            if let (Some(slot), levels) = (self.memory.get_mut(self.at), *levels) {
                *slot = levels;
            }
            self.at = (self.at + 1) % MEMORY;
            self.known = (self.known + 1).min(MEMORY);
            let (line, loudest) = self.look();
            let full = self.overload >= OVERLOAD_FRAMES;
            if let Some(hertz) = line.or(loudest.filter(|_| full)) {
                self.answer(hertz, if full { 2.0 * LESS } else { LESS });
            }
        }
        self.notches.retain_mut(|notch| {
            notch.frames += 1;
            notch.frames < NOTCH_FRAMES
        });
        for notch in &mut self.notches {
            notch.filter(samples);
        }
        self.turn_down(samples);
    }

    /// Loops that were found so far.
    pub fn found(&self) -> u32 {
        self.found
    }

    /// Nothing is done to the sound now.
    pub fn is_idle(&self) -> bool {
        self.notches.is_empty() && self.gain >= 0.0
    }

    fn answer(&mut self, hertz: f32, less: f32) {
        self.found = self.found.saturating_add(1);
        tracing::debug!(hertz, found = self.found, "a feedback loop is stopped");
        self.notches.retain(|notch| (notch.hertz / hertz - 1.0).abs() > 0.03);
        if self.notches.len() >= NOTCHES {
            self.notches.remove(0);
        }
        self.notches.push(Notch::new(hertz));
        self.gain = self.gain.min(DUCK);
        self.rest = (self.rest + less).max(LEAST);
        // What grew before the answer says nothing of what it did.
        (self.known, self.line, self.overload) = (0, None, 0);
    }

    fn turn_down(&mut self, samples: &mut [f32; FRAME_SAMPLES]) {
        if self.gain >= 0.0 {
            return;
        }
        self.rest = (self.rest + BACK).min(0.0);
        let next = if self.gain < self.rest { (self.gain + RISE).min(self.rest) } else { self.rest };
        let factor = |db: f32| 10f32.powf(db / 20.0);
        let (mut factor_now, end) = (factor(self.gain), factor(next));
        let step = (end - factor_now) / float(FRAME_SAMPLES);
        for sample in samples {
            factor_now += step;
            *sample *= factor_now;
        }
        self.gain = next;
    }

    /// The frequency of a loop in the newest spectrum, and that of its loudest line.
    fn look(&mut self) -> (Option<f32>, Option<f32>) {
        let Some(newest) = self.past(0) else { return (None, None) };
        let loudest = (LOWEST..HIGHEST).max_by(|a, b| newest[*a].total_cmp(&newest[*b]));
        let bin = loudest.unwrap_or(LOWEST);
        let stands = stands_alone(newest, bin);
        let hertz = peak(newest, bin);
        let since = match self.line {
            _ if !stands => 0,
            Some((before, since)) if before.abs_diff(bin) <= 1 => since + 1,
            _ => 1,
        };
        self.line = Some((bin, since));
        let played = self.played.levels();
        let also_played = (bin - 1..=bin + 1).any(|bin| played[bin] > AUDIBLE && is_sharp(played, bin));
        let patience = if also_played { SURE } else { PATIENT };
        let grows = since >= patience && WINDOWS.iter().any(|window| self.has_grown(bin, *window));
        (grows.then_some(hertz), Some(hertz))
    }

    /// The spectrum so many before the newest.
    fn past(&self, back: usize) -> Option<&Levels> {
        (back < self.known).then(|| self.memory.get((self.at + 2 * MEMORY - 1 - back) % MEMORY)).flatten()
    }

    /// The line grew from quarter to quarter, and what is beside it did not as much.
    fn has_grown(&self, bin: usize, window: usize) -> bool {
        let quarter = window / 4;
        let mut line = [QUIETEST; 4];
        let mut beside = [0.0; 4];
        for (n, (line, beside)) in line.iter_mut().zip(&mut beside).enumerate() {
            for back in (3 - n) * quarter..(4 - n) * quarter {
                let Some(levels) = self.past(back) else { return false };
                *line = (bin - 1..=bin + 1).map(|bin| levels[bin]).fold(*line, f32::max);
                *beside += around(levels, bin) / float(quarter);
            }
        }
        let grown = line[3] - line[0];
        grown >= GROWN && line.windows(2).all(|w| w[1] >= w[0] + STEP) && grown >= beside[3] - beside[0] + APART
    }
}

/// The mean (dB) of what is beside a line, 125 to 500 Hz away: the harmonics of a voice are in it.
fn around(levels: &Levels, bin: usize) -> f32 {
    let (mut sum, mut count) = (0.0, 0u16);
    for distance in 8..=32 {
        for beside in [bin.checked_sub(distance), Some(bin + distance)].into_iter().flatten() {
            if let Some(level) = levels.get(beside).filter(|_| beside >= 2) {
                sum += level;
                count += 1;
            }
        }
    }
    sum / f32::from(count.max(1))
}

fn is_sharp(levels: &Levels, bin: usize) -> bool {
    levels[bin] >= around(levels, bin) + SHARP
}

/// A loud line without others in a whole ratio, as voices and instruments have them.
fn stands_alone(levels: &Levels, bin: usize) -> bool {
    if levels[bin] < AUDIBLE || !is_sharp(levels, bin) {
        return false;
    }
    let hertz = peak(levels, bin) / WIDTH;
    let ratios = [1.0 / 3.0, 0.5, 2.0 / 3.0, 1.5, 2.0, 3.0];
    ratios.iter().all(|ratio| {
        let at = (hertz * ratio).round();
        let place = (2..BINS - 2).find(|bin| (float(*bin) - at).abs() < 0.5);
        // Beside the line itself its own foot would be taken for another.
        let place = place.filter(|place| place.abs_diff(bin) > 8);
        place.is_none_or(|place| {
            let loud = (place - 1..=place + 1).map(|other| levels[other]).fold(QUIETEST, f32::max);
            let out = loud > around(levels, place) + OUT;
            loud < levels[bin] - if out { ALONE_BY_FAR } else { ALONE }
        })
    })
}

/// Where the line is, in hertz: between bins, by a parabola.
fn peak(levels: &Levels, bin: usize) -> f32 {
    let (left, middle, right) = (levels[bin - 1], levels[bin], levels[bin + 1]);
    let bend = left - 2.0 * middle + right;
    let off = if bend < -1e-3 { (0.5 * (left - right) / bend).clamp(-0.5, 0.5) } else { 0.0 };
    (float(bin) + off) * WIDTH
}

#[cfg(test)]
mod tests;
