//! Generated speech for the demo: a buzz at a voice's pitch through three resonances that move between vowels
//! (Klatt 1980, cascade formants), in syllables with pauses. It is no language, but codecs and ears take it for a voice.

use std::f32::consts::TAU;
use std::io::Write as _;
use std::path::Path;

use crate::frame::SAMPLE_RATE;

/// First three formants of some vowels, in Hz (Peterson and Barney 1952, adult averages).
const VOWELS: [[f32; 3]; 6] = [
    [730.0, 1090.0, 2440.0],
    [270.0, 2290.0, 3010.0],
    [300.0, 870.0, 2240.0],
    [530.0, 1840.0, 2480.0],
    [570.0, 840.0, 2410.0],
    [660.0, 1720.0, 2410.0],
];
const BANDWIDTHS: [f32; 3] = [80.0, 100.0, 140.0];
const RATE: f32 = 48_000.0;

/// A two-pole resonance with unit gain at 0 Hz.
#[derive(Default)]
struct Resonance {
    y1: f32,
    y2: f32,
}

impl Resonance {
    fn next(&mut self, x: f32, frequency: f32, bandwidth: f32) -> f32 {
        let r = (-std::f32::consts::PI * bandwidth / RATE).exp();
        let b = 2.0 * r * (TAU * frequency / RATE).cos();
        let c = -r * r;
        let y = (1.0 - b - c) * x + b * self.y1 + c * self.y2;
        self.y2 = self.y1;
        self.y1 = y;
        y
    }
}

/// `seconds` of a voice of about `pitch` Hz; `seed` chooses the syllables.
pub fn speak(seconds: u16, pitch: f32, seed: u32) -> Vec<i16> {
    let total = usize::from(seconds) * usize::try_from(SAMPLE_RATE).unwrap_or(48_000);
    let mut out: Vec<f32> = Vec::with_capacity(total);
    let mut random = seed.wrapping_mul(2_654_435_761) | 1;
    let mut draw = |n: u32| {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random % n
    };
    let mut formants = VOWELS[0];
    let mut filters: [Resonance; 3] = Default::default();
    let mut phase = 0.0_f32;
    while out.len() < total {
        let vowel = VOWELS[draw(6) as usize];
        let length = 6_000 + draw(7_000);
        let pause = if draw(5) == 0 { 12_000 } else { 1_200 };
        let tune = pitch * (0.9 + f32::from(u8::try_from(draw(20)).unwrap_or(0)) / 100.0);
        for i in 0..length + pause {
            let at = f32::from(u16::try_from(i).unwrap_or(u16::MAX)) / f32::from(u16::try_from(length).unwrap_or(1));
            let loud = if at < 1.0 { (std::f32::consts::PI * at).sin().powf(0.6) } else { 0.0 };
            for (formant, goal) in formants.iter_mut().zip(vowel) {
                *formant += (goal - *formant) * 0.001;
            }
            phase += tune * (1.0 - 0.1 * at.min(1.0)) / RATE;
            phase -= phase.floor();
            // A falling saw is rich in harmonics, like the glottis.
            let mut sample = (0.5 - phase) * loud;
            for ((filter, formant), bandwidth) in filters.iter_mut().zip(formants).zip(BANDWIDTHS) {
                sample = filter.next(sample, formant, bandwidth);
            }
            out.push(sample);
        }
    }
    out.truncate(total);
    let peak = out.iter().fold(1e-6_f32, |peak, v| peak.max(v.abs()));
    #[expect(clippy::cast_possible_truncation, reason = "scaled into the range of i16")]
    out.into_iter().map(|v| (v / peak * 16_000.0) as i16).collect()
}

/// Writes `samples` as a 16-bit mono WAV file (RIFF WAVE, PCM).
pub fn write_wav(path: &Path, samples: &[i16]) -> std::io::Result<()> {
    let bytes = u32::try_from(samples.len() * 2).map_err(std::io::Error::other)?;
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    file.write_all(b"RIFF")?;
    file.write_all(&(36 + bytes).to_le_bytes())?;
    file.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x01\0")?;
    file.write_all(&SAMPLE_RATE.to_le_bytes())?;
    file.write_all(&(SAMPLE_RATE * 2).to_le_bytes())?;
    file.write_all(b"\x02\0\x10\0data")?;
    file.write_all(&bytes.to_le_bytes())?;
    for sample in samples {
        file.write_all(&sample.to_le_bytes())?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_is_loud_enough_and_never_clips() {
        let voice = speak(2, 120.0, 7);
        assert_eq!(voice.len(), 96_000);
        let peak = voice.iter().map(|v| v.unsigned_abs()).max();
        assert!(peak.is_some_and(|p| (12_000..=16_000).contains(&p)), "{peak:?}");
    }
}
