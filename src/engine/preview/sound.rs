//! Sounds to try with: a microphone is recorded and judged, what was recorded and two notes are played. Each blocks until
//! it is over, opens its device first and has closed it when it returns. What was recorded is kept in memory only.
//!
//! Whoever watches is told each 10 ms what is done ([`Step`]), and ends it by a break: within those 10 ms and what the
//! device takes to be closed.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::av::capture::sound;
use crate::av::loudness::Loudness;
use crate::av::packet::audio::Level;
use crate::av::{playback, spec};
use crate::clock;
use crate::engine::failure;
use crate::meeting::{Code, Failure};

/// How long the notes are.
const NOTES: Duration = Duration::from_secs(1);

/// What a trial is at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// The microphone is recorded.
    Recording {
        /// For so long from now on.
        left: Duration,
        /// How loud it is, 0 (silent) to 1 (full scale), linear in decibels; falls slowly.
        loudness: f32,
        /// The loudest sample of these 10 ms, in decibels of full scale, not below -90.
        peak_db: f32,
    },
    /// What was recorded, or the notes, are played.
    Playing,
}

/// Is told what is done, and says whether to go on.
pub type Watch<'a> = dyn FnMut(Step) -> ControlFlow<()> + 'a;

/// What was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    samples: Vec<f32>,
    /// The name of the microphone, where it is a device.
    pub device: Option<String>,
}

impl Recorded {
    /// What was heard.
    pub fn heard(&self) -> Heard {
        Heard::of(&self.samples)
    }
}

/// What was heard of a microphone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heard {
    /// The loudest sample, in decibels of full scale, not below -90.
    pub peak_db: f32,
    /// How loud it was on the whole, likewise: -3 below the peak for a steady tone.
    pub level_db: f32,
}

impl Heard {
    fn of(samples: &[f32]) -> Self {
        let power: f64 = samples.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum();
        let count = u32::try_from(samples.len().max(1)).map_or(f64::from(u32::MAX), f64::from);
        #[expect(clippy::cast_possible_truncation, reason = "a level of some digits")]
        let level = (power / count).sqrt() as f32;
        Self { peak_db: decibels(peak(samples)), level_db: decibels(level) }
    }

    /// In words: what it was like, and what to do; the second is empty where all is well.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self.peak_db {
            db if db <= -70.0 => (
                "nothing was heard",
                "Check that it is not muted, here or by a switch of its own, and that it is the right one.",
            ),
            db if db < -40.0 => ("it is very quiet", "Come nearer, or raise its level in the system's settings."),
            db if db < -0.5 => ("it is well heard", ""),
            _ => ("it is too loud and distorted", "Go further away, or lower its level in the system's settings."),
        }
    }
}

fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()))
}

fn decibels(value: f32) -> f32 {
    (20.0 * value.max(1e-9).log10()).max(-90.0)
}

/// Records `microphone` for so long; after a break of `watch` what there is until then.
pub fn record(microphone: &spec::Microphone, length: Duration, watch: &mut Watch<'_>) -> Result<Recorded, Failure> {
    if *microphone == spec::Microphone::None {
        return Err(none("microphone"));
    }
    let loudness = Loudness::new();
    let mut heard = |frame: u64, samples: &[f32; crate::frame::FRAME_SAMPLES]| {
        let (now, level) = (clock::now(), Heard::of(samples));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 90")]
        loudness.hear(now, Level::new((-level.level_db).max(0.0) as u8, false));
        let left = length.saturating_sub(Duration::from_millis(10).saturating_mul(u32::try_from(frame).unwrap_or(0)));
        watch(Step::Recording { left, loudness: loudness.read(now).0, peak_db: level.peak_db })
    };
    let recording = sound::record(microphone, length, &mut heard).map_err(|error| failure::media(&error))?;
    Ok(Recorded { samples: recording.samples, device: recording.device })
}

/// Plays what was recorded to `speaker`. Gives the name of the speaker, where it is a device.
pub fn play_back(
    recorded: &Recorded,
    speaker: &spec::Speaker,
    watch: &mut Watch<'_>,
) -> Result<Option<String>, Failure> {
    if *speaker == spec::Speaker::None {
        return Err(none("speaker"));
    }
    playback::play(speaker, &recorded.samples, &mut || watch(Step::Playing)).map_err(|error| failure::media(&error))
}

/// Plays two notes, which takes a second. Gives the name of the speaker, where it is a device.
pub fn play_notes(speaker: &spec::Speaker, watch: &mut Watch<'_>) -> Result<Option<String>, Failure> {
    if *speaker == spec::Speaker::None {
        return Err(none("speaker"));
    }
    playback::play_notes(speaker, NOTES, &mut || watch(Step::Playing)).map_err(|error| failure::media(&error))
}

fn none(what: &str) -> Failure {
    Failure::new(Code::NoSource, format!("No {what} is chosen."), format!("Choose a {what} first, then try again."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::spec::{Microphone, Speaker};

    fn on(_: Step) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Samples of a file that are no silence.
    fn loud(path: &std::path::Path) -> usize {
        let mut reader = hound::WavReader::open(path).expect("a file");
        reader.samples::<i16>().filter(|sample| sample.as_ref().is_ok_and(|s| s.abs() > 2000)).count()
    }

    #[test]
    fn what_is_recorded_is_judged_and_played() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("again.wav");
        let (length, mut steps) = (Duration::from_millis(200), Vec::new());
        let recorded = record(&Microphone::Tone, length, &mut |step| {
            steps.push(step);
            on(step)
        });
        let recorded = recorded.expect("recorded");
        let heard = recorded.heard();
        assert!((heard.peak_db + 12.0).abs() < 0.5 && (heard.level_db + 15.0).abs() < 0.5, "{heard:?}");
        assert_eq!((heard.words(), steps.len()), (("it is well heard", ""), 20));
        for (n, step) in (0..).zip(&steps) {
            let Step::Recording { left, loudness, peak_db } = *step else { panic!("{step:?}") };
            assert_eq!(left, length - Duration::from_millis(10) * n);
            assert!((loudness - 0.75).abs() < 0.05 && (peak_db + 12.0).abs() < 0.5, "{step:?}");
        }
        play_back(&recorded, &Speaker::Wav(path.clone()), &mut on).expect("played");
        assert!(loud(&path) > 5_000);
        for (peak, words) in [(0.0, "nothing"), (0.001, "quiet"), (0.5, "well"), (1.0, "too loud")] {
            let heard = Heard::of(&[0.0, peak]);
            assert!(heard.words().0.contains(words), "{heard:?}");
        }
    }

    #[test]
    fn the_notes_are_heard_in_a_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notes.wav");
        play_notes(&Speaker::Wav(path.clone()), &mut on).expect("played");
        assert!(loud(&path) > 5_000);
    }

    #[test]
    fn a_break_ends_it_within_10_ms_of_sound() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("short.wav");
        let after = |frames: usize| {
            let mut told = 0;
            move |_: Step| {
                told += 1;
                if told > frames { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        };
        let long = Duration::from_secs(3_600);
        let recorded = record(&Microphone::Tone, long, &mut after(5)).expect("what there is until then");
        assert_eq!(recorded.samples.len(), 5 * crate::frame::FRAME_SAMPLES);
        play_back(&recorded, &Speaker::Wav(path.clone()), &mut after(2)).expect("played");
        let samples = hound::WavReader::open(&path).expect("a file").duration();
        assert_eq!(samples as usize, 2 * crate::frame::FRAME_SAMPLES);
        // A microphone without sound is waited for, and let go of likewise.
        let silent = dir.path().join("silent.wav");
        play_notes(&Speaker::Wav(silent.clone()), &mut after(0)).expect("nothing is played");
        assert_eq!(hound::WavReader::open(&silent).expect("a file").duration(), 0);
    }

    #[test]
    fn what_is_not_chosen_is_said_with_what_to_do() {
        let recorded = Recorded { samples: vec![0.0; 480], device: None };
        let failures = [
            record(&Microphone::None, Duration::ZERO, &mut on).expect_err("none"),
            play_back(&recorded, &Speaker::None, &mut on).expect_err("none"),
            play_notes(&Speaker::None, &mut on).expect_err("none"),
        ];
        for failure in failures {
            assert!(failure.message.contains("is chosen") && failure.hint.starts_with("Choose"), "{failure:?}");
        }
    }
}
