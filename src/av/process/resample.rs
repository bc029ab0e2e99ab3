//! Any sample rate to 48 kHz, at once and without drift: the ratio is exact (rubato's FFT resampler).

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use crate::av::Error;
use crate::frame::SAMPLE_RATE;

/// Samples of one block, about: 20 ms. Longer blocks filter more sharply, and a file has no latency to lose.
const BLOCK: usize = 1024;

/// Brings one channel from a fixed rate to another, mostly 48 kHz.
pub struct Resampler {
    inner: Fft<f32>,
    out: Vec<f32>,
    /// Samples still to be left out: the filter's delay.
    delay: usize,
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler").field("needed", &self.needed()).finish_non_exhaustive()
    }
}

impl Resampler {
    /// From `rate` samples a second.
    pub fn new(rate: u32) -> Result<Self, Error> {
        Self::between(rate, SAMPLE_RATE, BLOCK)
    }

    /// From one rate to another, in blocks of about `block` samples, which are its latency.
    pub fn between(from: u32, to: u32, block: usize) -> Result<Self, Error> {
        let refused = |reason| Error::Codec { codec: "resampler", reason };
        let from = usize::try_from(from).map_err(|_| refused("the rate is too high"))?;
        let to = usize::try_from(to).map_err(|_| refused("the rate is too high"))?;
        let inner = Fft::new(from, to, block, 1, FixedSync::Both).map_err(|_| refused("the rate is not supported"))?;
        let (out, delay) = (vec![0.0; inner.output_frames_max()], inner.output_delay());
        Ok(Self { inner, out, delay })
    }

    /// Samples that one [`Resampler::process`] takes.
    pub fn needed(&self) -> usize {
        self.inner.input_frames_next()
    }

    /// Takes exactly [`Resampler::needed`] samples and adds what comes of them to `out`.
    pub fn process(&mut self, input: &[f32], out: &mut Vec<f32>) {
        let room = self.out.len();
        let Ok(from) = InterleavedSlice::new(input, 1, input.len()) else { return };
        let Ok(mut to) = InterleavedSlice::new_mut(&mut self.out, 1, room) else { return };
        // Refuses only buffers that are too short, and these are not: it then gives silence of the right length.
        let made = self.inner.process_into_buffer(&from, &mut to, None).map_or(0, |(_, made)| made);
        let skipped = self.delay.min(made);
        self.delay -= skipped;
        out.extend_from_slice(&self.out[skipped..made]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_and_pitch_are_kept_from_every_common_rate() {
        for rate in [8_000u16, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 47_999, 9_973] {
            let mut resampler = Resampler::new(u32::from(rate)).expect("supported");
            let (mut out, mut at) = (Vec::new(), 0u32);
            while out.len() < 96_000 {
                let input: Vec<f32> = (0..resampler.needed())
                    .map(|_| {
                        let phase = u16::try_from(at * 440 % u32::from(rate)).expect("small");
                        at = (at + 1) % u32::from(rate);
                        (f32::from(phase) * std::f32::consts::TAU / f32::from(rate)).sin()
                    })
                    .collect();
                resampler.process(&input, &mut out);
            }
            // After the first 100 ms: the same a second later (no drift), as loud, and where it should be within the
            // fraction of a sample of the file that the filter's delay is rounded by.
            let drift =
                out[4800..9600].iter().zip(&out[52_800..57_600]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(drift < 0.01, "{rate}: {drift}");
            let loud = out[4800..52_800].iter().map(|s| s * s).sum::<f32>() / 48_000.0;
            assert!((loud - 0.5).abs() < 0.01, "{rate}: {loud}");
            let wrong = out[4800..9600].iter().zip(4800u32..).map(|(sample, i)| {
                let phase = u16::try_from(i * 440 % 48_000).expect("small");
                (sample - (f32::from(phase) * std::f32::consts::TAU / 48_000.0).sin()).abs()
            });
            let worst = wrong.fold(0.0, f32::max);
            assert!(worst < 0.2, "{rate}: {worst}");
        }
    }
}
