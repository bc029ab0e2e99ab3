//! How loud a frame is (RFC 6464), and whether somebody speaks: louder than a floor that follows the quietest of the
//! last seconds, held for 200 ms so that a pause between words is speech too.

use crate::av::packet::audio::Level;
use crate::frame::FRAME_SAMPLES;

/// Speech is so many decibels above the floor, and never quieter than [`QUIETEST`].
const ABOVE: f32 = 9.0;
const QUIETEST: f32 = -55.0;
const LOUDEST_FLOOR: f32 = -40.0;
/// The floor rises so many decibels a frame (3 dB/s) and falls at once.
const RISE: f32 = 0.03;
const HOLD: u32 = 20;

/// Measures one microphone.
#[derive(Debug)]
pub struct Meter {
    floor: f32,
    hold: u32,
}

impl Default for Meter {
    fn default() -> Self {
        Self { floor: -60.0, hold: 0 }
    }
}

impl Meter {
    /// The level of the next frame.
    pub fn measure(&mut self, samples: &[f32; FRAME_SAMPLES]) -> Level {
        let mean = samples.iter().map(|s| s * s).sum::<f32>() / 480.0;
        let loud = 10.0 * mean.max(1e-13).log10();
        self.floor = loud.min(self.floor + RISE).clamp(-127.0, LOUDEST_FLOOR);
        if loud > (self.floor + ABOVE).max(QUIETEST) {
            self.hold = HOLD;
        } else {
            self.hold = self.hold.saturating_sub(1);
        }
        let below = (0u8..127).find(|below| -f32::from(*below) <= loud + 0.5).unwrap_or(127);
        Level::new(below, self.hold > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_decibels_below_full_scale() {
        let check = |sample: f32, expect: u8| {
            assert_eq!(Meter::default().measure(&[sample; FRAME_SAMPLES]).below_full(), expect, "{sample}");
        };
        check(1.0, 0);
        check(0.5, 6);
        check(0.001, 60);
        check(0.0, 127);
    }

    #[test]
    fn speech_is_above_the_floor_and_outlasts_short_pauses() {
        let mut meter = Meter::default();
        for _ in 0..300 {
            meter.measure(&[0.002; FRAME_SAMPLES]);
        }
        assert!(!meter.measure(&[0.002; FRAME_SAMPLES]).voice);
        assert!(meter.measure(&[0.1; FRAME_SAMPLES]).voice);
        assert!(meter.measure(&[0.0; FRAME_SAMPLES]).voice);
        for _ in 0..30 {
            meter.measure(&[0.0; FRAME_SAMPLES]);
        }
        assert!(!meter.measure(&[0.0; FRAME_SAMPLES]).voice);
    }
}
