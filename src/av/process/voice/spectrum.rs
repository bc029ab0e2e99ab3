//! Sans-IO. The spectrum of the last 64 ms of a sound, every 20 ms: bins of 15.6 Hz up to 8 kHz, in decibels below a
//! sine at full scale. For finding whistles, not for changing sound.

use crate::frame::FRAME_SAMPLES;

/// Samples at 16 kHz that are looked at: 64 ms.
const LENGTH: usize = 1024;
/// One of three samples is kept.
const EVERY: usize = 3;
/// Taps of the filter before that.
const TAPS: usize = 48;
/// Frames between two spectra.
const HOP: u32 = 2;
/// Bins of a spectrum.
pub const BINS: usize = LENGTH / 2;
/// Hertz from bin to bin.
pub const WIDTH: f32 = 15.625;
/// What is quieter than this is written as this.
pub const QUIETEST: f32 = -120.0;

/// Decibels of each bin.
pub type Levels = [f32; BINS];

/// Takes a sound frame by frame.
#[derive(Debug)]
pub struct Spectrum {
    taps: [f32; TAPS],
    /// What the filter still needs, then the frame.
    raw: Vec<f32>,
    /// At 16 kHz, oldest first.
    thin: Vec<f32>,
    window: Vec<f32>,
    turns: Vec<(f32, f32)>,
    work: Vec<(f32, f32)>,
    levels: Box<Levels>,
    frames: u32,
}

/// Small counts are exact.
pub fn float(n: usize) -> f32 {
    f32::from(u16::try_from(n).unwrap_or(u16::MAX))
}

impl Default for Spectrum {
    fn default() -> Self {
        use std::f32::consts::{PI, TAU};
        let mut taps = [0.0; TAPS];
        for (n, tap) in taps.iter_mut().enumerate() {
            // A sinc that ends at 7.2 kHz, under a Hamming window.
            let x = (float(n) - float(TAPS - 1) / 2.0) * PI * 0.3;
            let hamming = 0.54 - 0.46 * (TAU * float(n) / float(TAPS - 1)).cos();
            *tap = 0.3 * x.sin() / x * hamming;
        }
        let window = (0..LENGTH).map(|n| 0.5 - 0.5 * (TAU * float(n) / float(LENGTH)).cos()).collect();
        let turns = (0..LENGTH / 2).map(|n| (-TAU * float(n) / float(LENGTH)).sin_cos()).map(|(s, c)| (c, s)).collect();
        Self {
            taps,
            raw: vec![0.0; TAPS],
            thin: vec![0.0; LENGTH],
            window,
            turns,
            work: vec![(0.0, 0.0); LENGTH],
            levels: Box::new([QUIETEST; BINS]),
            frames: 0,
        }
    }
}

impl Spectrum {
    /// Takes the next 10 ms; every second time there is a new spectrum.
    pub fn hear(&mut self, samples: &[f32; FRAME_SAMPLES]) -> Option<&Levels> {
        self.raw.extend_from_slice(samples);
        let thinned = FRAME_SAMPLES / EVERY;
        self.thin.drain(..thinned);
        for n in 0..thinned {
            let part = self.raw.get(n * EVERY..n * EVERY + TAPS).unwrap_or_default();
            self.thin.push(part.iter().zip(&self.taps).map(|(s, tap)| s * tap).sum());
        }
        self.raw.drain(..FRAME_SAMPLES);
        self.frames = self.frames.wrapping_add(1);
        if !self.frames.is_multiple_of(HOP) {
            return None;
        }
        self.transform();
        Some(&self.levels)
    }

    /// The newest one.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// A fast Fourier transform (Cooley and Tukey, radix 2).
    fn transform(&mut self) {
        for (n, (sample, window)) in self.thin.iter().zip(&self.window).enumerate() {
            let reversed = n.reverse_bits() >> (usize::BITS - LENGTH.trailing_zeros());
            self.work[reversed] = (sample * window, 0.0);
        }
        let mut half = 1;
        while half < LENGTH {
            let step = LENGTH / 2 / half;
            for start in (0..LENGTH).step_by(2 * half) {
                for n in 0..half {
                    let (c, s) = self.turns[n * step];
                    let (a, b) = (self.work[start + n], self.work[start + n + half]);
                    let turned = (b.0 * c - b.1 * s, b.0 * s + b.1 * c);
                    self.work[start + n] = (a.0 + turned.0, a.1 + turned.1);
                    self.work[start + n + half] = (a.0 - turned.0, a.1 - turned.1);
                }
            }
            half *= 2;
        }
        // A sine at full scale gives a quarter of the length under this window.
        let full = float(LENGTH / 4).powi(2);
        for (level, (re, im)) in self.levels.iter_mut().zip(&self.work) {
            *level = (10.0 * ((re * re + im * im) / full).max(1e-30).log10()).max(QUIETEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hertz: f32) -> Spectrum {
        let mut spectrum = Spectrum::default();
        for frame in 0..20 {
            let samples = std::array::from_fn(|n| {
                0.5 * (std::f32::consts::TAU * hertz * float(frame * FRAME_SAMPLES + n) / 48_000.0).sin()
            });
            spectrum.hear(&samples);
        }
        spectrum
    }

    #[test]
    fn a_sine_is_one_peak_at_its_place_and_level() {
        for bin in [20usize, 64, 200, 400] {
            let spectrum = of(float(bin) * WIDTH);
            let levels = spectrum.levels();
            assert!((levels[bin] + 6.0).abs() < 1.0, "{bin}: {}", levels[bin]);
            assert!(levels.iter().enumerate().all(|(n, level)| n.abs_diff(bin) < 3 || *level < -60.0), "{bin}");
        }
    }

    #[test]
    fn what_is_above_its_range_does_not_show() {
        assert!(of(10_000.0).levels().iter().all(|level| *level < -45.0));
    }
}
