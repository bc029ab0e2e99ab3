//! How loud somebody is right now, for a ring around a tile and a meter: written by the thread that has the sound every
//! few milliseconds, read by a window thirty times a second. What is read follows the sound up at once and falls
//! slowly, and a voice is held over the gaps between words, so that nothing flickers.

use std::time::{Duration, Instant};

use crate::av::packet::audio::Level;
use crate::slot::Shared;

/// A voice that fell silent still counts as one for so long.
const HOLD: Duration = Duration::from_millis(300);
/// What is this far below full scale, or further, is drawn as nothing.
const RANGE_DB: f32 = 60.0;
/// From full to nothing in 0.7 s.
const FALL_A_SECOND: f32 = 1.5;

#[derive(Debug, Clone, Copy)]
struct Heard {
    at: Instant,
    loudness: f32,
    voice: Option<Instant>,
}

impl Heard {
    fn loudness(&self, now: Instant) -> f32 {
        let fallen = now.saturating_duration_since(self.at).as_secs_f32() * FALL_A_SECOND;
        (self.loudness - fallen).max(0.0)
    }
}

/// The loudness of one track. Cloning gives another handle to the same.
#[derive(Debug, Clone, Default)]
pub struct Loudness(Shared<Option<Heard>>);

impl Loudness {
    /// Nothing heard yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the level of a frame that was just heard.
    pub fn hear(&self, now: Instant, level: Level) {
        let before = self.0.get();
        let fresh = 1.0 - f32::from(level.below_full()) / RANGE_DB;
        let loudness = fresh.max(before.map_or(0.0, |heard| heard.loudness(now)));
        let voice = if level.voice { Some(now) } else { before.and_then(|heard| heard.voice) };
        self.0.set(Some(Heard { at: now, loudness, voice }));
    }

    /// Muted or ended: silent at once.
    pub fn hush(&self) {
        self.0.set(None);
    }

    /// Loudness at `now`, 0 to 1, and whether somebody speaks.
    pub fn read(&self, now: Instant) -> (f32, bool) {
        let Some(heard) = self.0.get() else { return (0.0, false) };
        let speaking = heard.voice.is_some_and(|at| now.saturating_duration_since(at) < HOLD);
        (heard.loudness(now), speaking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn loudness_rises_at_once_and_falls_slowly() {
        let (loudness, start) = (Loudness::new(), crate::clock::now());
        assert_eq!(loudness.read(start), (0.0, false));
        loudness.hear(start, Level::new(30, false));
        assert!((loudness.read(start).0 - 0.5).abs() < 0.01);
        loudness.hear(start + MS(100), Level::SILENCE);
        assert!((loudness.read(start + MS(100)).0 - 0.35).abs() < 0.01);
        assert!(loudness.read(start + MS(500)).0.abs() < f32::EPSILON, "without frames it falls too");
        loudness.hear(start + MS(600), Level::new(0, true));
        assert!((loudness.read(start + MS(600)).0 - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_voice_outlasts_the_gap_between_words() {
        let (loudness, start) = (Loudness::new(), crate::clock::now());
        loudness.hear(start, Level::new(20, true));
        loudness.hear(start + MS(200), Level::new(60, false));
        assert!(loudness.read(start + MS(250)).1);
        assert!(!loudness.read(start + MS(300)).1);
        loudness.hear(start + MS(310), Level::new(20, true));
        loudness.hush();
        assert_eq!(loudness.read(start + MS(310)), (0.0, false));
    }
}
