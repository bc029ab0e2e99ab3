//! Sans-IO. When a microphone that is on has nothing to say, so that nothing is sent (discontinuous transmission).
//!
//! Silence is what nobody would hear: quieter than 60 dB below full scale for 200 ms after the end of a voice, which is itself held for 200 ms. The
//! first frame that is louder is sent, with the one before it, so that a syllable is whole. Noise that can be heard is
//! sent as it is: nothing has to be made up for it at the other end, and a room does not go on and off.

use crate::av::packet::audio::Level;

/// Decibels below full scale from which on nobody hears it.
const UNHEARD: u8 = 60;
/// Frames of 10 ms: shorter pauses are part of speech.
const PATIENCE: u32 = 20;

/// What is done with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It is sent.
    Sent,
    /// It is not.
    Silent,
}

/// Watches one microphone.
#[derive(Debug, Default)]
pub struct Silence {
    quiet: u32,
}

impl Silence {
    /// Says what to do with the next frame, by its level.
    pub fn on_level(&mut self, level: Level) -> Worth {
        let quiet = level.below_full() >= UNHEARD && !level.voice;
        self.quiet = if quiet { self.quiet.saturating_add(1) } else { 0 };
        if self.quiet > PATIENCE { Worth::Silent } else { Worth::Sent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_long_and_ends_at_once() {
        let mut silence = Silence::default();
        let quiet = Level::new(70, false);
        for frame in 1..200 {
            let expect = if frame > PATIENCE { Worth::Silent } else { Worth::Sent };
            assert_eq!(silence.on_level(quiet), expect, "{frame}");
        }
        assert_eq!(silence.on_level(Level::new(59, false)), Worth::Sent);
        assert_eq!(silence.on_level(quiet), Worth::Sent);
    }

    #[test]
    fn noise_that_is_heard_and_the_end_of_a_voice_are_sent() {
        let mut silence = Silence::default();
        for level in [Level::new(59, false), Level::new(70, true)] {
            assert!((0..200).all(|_| silence.on_level(level) == Worth::Sent), "{level:?}");
        }
    }
}
