//! Sans-IO. Adds voices together. Real-time: no allocation, no lock, no system call.
//!
//! One voice below four fifths of full scale passes through untouched. What is louder, alone or together, is bent
//! smoothly towards full scale instead of being cut off.

use crate::frame::FRAME_SAMPLES;

/// Where bending starts.
const KNEE: f32 = 0.8;

/// Ten milliseconds of everybody.
#[derive(Debug)]
pub struct Mixer {
    sum: [f32; FRAME_SAMPLES],
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

impl Mixer {
    /// Silence.
    pub const fn new() -> Self {
        Self { sum: [0.0; FRAME_SAMPLES] }
    }

    /// Starts the next 10 ms.
    pub fn clear(&mut self) {
        self.sum.fill(0.0);
    }

    /// Adds one voice.
    pub fn add(&mut self, voice: &[f32; FRAME_SAMPLES]) {
        for (sum, sample) in self.sum.iter_mut().zip(voice) {
            *sum += sample;
        }
    }

    /// The mix, between -1 and 1.
    #[cfg(feature = "devices")]
    pub fn samples(&self, out: &mut [f32; FRAME_SAMPLES]) {
        for (out, sample) in out.iter_mut().zip(&self.sum) {
            *out = soft(*sample);
        }
    }

    /// The mix as 16-bit samples.
    pub fn finish(&self, out: &mut [i16; FRAME_SAMPLES]) {
        for (out, sample) in out.iter_mut().zip(&self.sum) {
            *out = to_16_bit(soft(*sample));
        }
    }
}

/// Scales a voice, gliding from one volume to the next over the frame so that a change makes no click.
pub fn scale(voice: &mut [f32; FRAME_SAMPLES], from: f32, to: f32) {
    if (from, to) == (1.0, 1.0) {
        return;
    }
    let step = (to - from) / 480.0;
    let mut gain = from;
    for sample in voice {
        gain += step;
        *sample *= gain;
    }
}

/// One voice alone as 16-bit samples.
pub fn to_block(voice: &[f32; FRAME_SAMPLES], out: &mut [i16; FRAME_SAMPLES]) {
    for (out, sample) in out.iter_mut().zip(voice) {
        *out = to_16_bit(*sample);
    }
}

/// Bends what is beyond the knee towards full scale.
fn soft(sample: f32) -> f32 {
    let beyond = sample.abs() - KNEE;
    if beyond <= 0.0 {
        return sample;
    }
    (KNEE + (1.0 - KNEE) * (beyond / (1.0 - KNEE)).tanh()).copysign(sample)
}

/// One sample as 16 bits; what is beyond full scale is cut off, and what is no number is silence.
fn to_16_bit(sample: f32) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, and turns NaN into 0")]
    let value = (sample * 32_767.0).round() as i16;
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_voice_passes_untouched() {
        let voice: [f32; FRAME_SAMPLES] = std::array::from_fn(|i| if i % 2 == 0 { 0.5 } else { -0.79 });
        let (mut mixer, mut out) = (Mixer::new(), [0; FRAME_SAMPLES]);
        mixer.add(&voice);
        mixer.finish(&mut out);
        assert_eq!((out[0], out[1]), (16_384, -25_886));
    }

    #[test]
    fn loud_voices_never_wrap_and_keep_their_order() {
        let (mut mixer, mut out) = (Mixer::new(), [0; FRAME_SAMPLES]);
        let mut before = 0;
        for _ in 0..20 {
            mixer.add(&[0.1; FRAME_SAMPLES]);
            mixer.finish(&mut out);
            assert!(out[0] >= before);
            before = out[0];
        }
        assert!(before > 32_000);
        assert!((soft(-2.0) + soft(2.0)).abs() < f32::EPSILON);
    }

    #[test]
    fn volume_glides() {
        let mut voice = [1.0; FRAME_SAMPLES];
        scale(&mut voice, 1.0, 0.0);
        assert!(voice[0] > 0.99 && voice[479].abs() < 0.001);
        assert!(voice.windows(2).all(|w| w[0] > w[1]));
    }

    #[test]
    fn what_is_no_number_is_silence() {
        assert_eq!(to_16_bit(f32::NAN), 0);
        assert_eq!(to_16_bit(9.0), i16::MAX);
        assert_eq!(to_16_bit(-9.0), i16::MIN);
    }
}
