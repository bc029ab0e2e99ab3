//! Sans-IO. Keeps the reference beside the microphone when the microphone's queue slips: silence that was put in there, or
//! old sound that was left out, moves the echo by as many samples, and so the reference is moved too. The canceller needs
//! to learn nothing anew.

use std::collections::VecDeque;

use super::Frame;
use crate::frame::FRAME_SAMPLES;

/// Most samples that wait: a second. Overflow: a longer slip is cut to it, and the canceller finds the rest by itself.
const MOST: usize = 48_000;

/// What the speaker plays, on its last stretch.
#[derive(Debug)]
pub struct Align {
    waiting: VecDeque<f32>,
    /// Samples that are still to be left out.
    owed: usize,
}

impl Default for Align {
    fn default() -> Self {
        Self { waiting: VecDeque::with_capacity(MOST + FRAME_SAMPLES), owed: 0 }
    }
}

impl Align {
    /// From here on the microphone is so many samples later; negative: earlier.
    pub fn slip(&mut self, samples: isize) {
        let count = samples.unsigned_abs().min(MOST);
        if samples > 0 {
            let paid = count.min(self.owed);
            self.owed -= paid;
            let room = MOST.saturating_sub(self.waiting.len());
            self.waiting.extend(std::iter::repeat_n(0.0, (count - paid).min(room)));
        } else {
            self.owed = (self.owed + count).min(MOST);
        }
    }

    /// Takes what is played next.
    pub fn push(&mut self, frame: &Frame) {
        let left_out = self.owed.min(FRAME_SAMPLES);
        self.owed -= left_out;
        let room = (MOST + FRAME_SAMPLES).saturating_sub(self.waiting.len());
        self.waiting.extend(frame.iter().skip(left_out).take(room));
    }

    /// The next frame for the canceller, if there is a whole one.
    pub fn pop(&mut self, frame: &mut Frame) -> bool {
        if self.waiting.len() < FRAME_SAMPLES {
            return false;
        }
        for (to, sample) in frame.iter_mut().zip(self.waiting.drain(..FRAME_SAMPLES)) {
            *to = sample;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_moves_what_comes_after_it_by_as_many_samples() {
        let (mut align, mut out, mut heard) = (Align::default(), [0.0; FRAME_SAMPLES], Vec::new());
        for n in 0..10u16 {
            match n {
                3 => align.slip(700),
                6 => align.slip(-300),
                7 => align.slip(-400),
                _ => {}
            }
            align.push(&[f32::from(n) + 1.0; FRAME_SAMPLES]);
            while align.pop(&mut out) {
                heard.extend(out);
            }
        }
        let at = |value: f32| heard.iter().position(|s| s.to_bits() == value.to_bits());
        assert_eq!(at(3.0), Some(960), "as it was");
        assert_eq!(at(4.0), Some(1440 + 700), "later");
        assert_eq!(at(9.0), Some(8 * 480), "as it was again");
    }

    #[test]
    fn no_slip_is_too_long() {
        let (mut align, mut out) = (Align::default(), [0.0; FRAME_SAMPLES]);
        align.slip(isize::MAX);
        align.slip(isize::MAX);
        align.push(&[1.0; FRAME_SAMPLES]);
        let mut frames = 0;
        while align.pop(&mut out) {
            frames += 1;
        }
        assert_eq!(frames, 101);
        align.slip(isize::MIN);
        align.slip(isize::MIN);
        for _ in 0..101 {
            align.push(&[1.0; FRAME_SAMPLES]);
        }
        assert!(align.pop(&mut out) && !align.pop(&mut out));
    }
}
