//! Trials that a person asks the doctor for: the microphone is recorded and played back, a test sound is played, the
//! camera is opened for pictures. Each ends within a bounded time, whatever the device does, and nothing is kept.

use std::ops::ControlFlow;
use std::time::Duration;

use super::doctor::Check;
use super::preview::sound::{self, Heard, Watch};
use crate::av::capture::{self, Source};
use crate::av::spec;
use crate::clock;

/// How long is recorded.
pub const LENGTH: Duration = Duration::from_secs(3);
/// How long pictures are counted.
const COUNTED: Duration = Duration::from_secs(1);
/// How long the first picture may take.
const FIRST: Duration = Duration::from_secs(5);

/// What a recording came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Listened {
    /// The name of the microphone, where it is a device.
    pub device: Option<String>,
    /// How loud it was.
    pub heard: Heard,
    /// It was played back.
    pub played: bool,
}

/// Records for `length`, plays it back where there is a speaker, and says what was heard (check `sound`). Takes twice that
/// and what the devices need to open. `watch` is told meanwhile.
pub fn sound(
    microphone: &spec::Microphone,
    speaker: &spec::Speaker,
    length: Duration,
    watch: &mut Watch<'_>,
) -> (Check, Option<Listened>) {
    let recorded = match sound::record(microphone, length, watch) {
        Ok(recorded) => recorded,
        Err(failure) => return (Check::bad("sound", failure.message, failure.hint), None),
    };
    let played = match speaker {
        spec::Speaker::None => Ok(false),
        speaker => sound::play_back(&recorded, speaker, watch).map(|_| true),
    };
    let (heard, device) = (recorded.heard(), recorded.device);
    let (words, hint) = heard.words();
    let name = device.as_ref().map_or_else(String::new, |name| format!("{name}: "));
    let detail = format!("{name}{words}: peak {:.0} dB, level {:.0} dB", heard.peak_db, heard.level_db);
    let listened = Listened { device, heard, played: matches!(played, Ok(true)) };
    let check = match played {
        Err(failure) => {
            let what = if hint.is_empty() { failure.hint } else { format!("{hint} {}", failure.hint) };
            Check::bad("sound", format!("{detail}; it was not played back. {}", failure.message), what)
        }
        Ok(played) => {
            let played = if played { "it was played back" } else { "it was not played back, as was chosen" };
            let detail = format!("{detail}; {played}");
            if hint.is_empty() { Check::good("sound", detail) } else { Check::bad("sound", detail, hint) }
        }
    };
    (check, Some(listened))
}

/// Plays the test sound (check `speaker`). Takes a second.
pub fn speaker(speaker: &spec::Speaker) -> Check {
    match sound::play_notes(speaker, &mut |_| ControlFlow::Continue(())) {
        Ok(device) => {
            let on = device.map_or_else(String::new, |name| format!(" on {name}"));
            let hint = "If you did not hear two notes, turn it up, or choose another with --speaker NAME.";
            Check { hint: Some(hint.to_owned()), ..Check::good("speaker", format!("the test sound was played{on}")) }
        }
        Err(failure) => Check::bad("speaker", failure.message, failure.hint),
    }
}

/// What a camera gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its name.
    pub device: String,
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// Pictures a second, as it says.
    pub rate: f64,
    /// Pictures that came in the second after the first one.
    pub pictures: u32,
    /// How long the first one took after the camera was open, milliseconds.
    pub first_ms: u64,
}

impl Seen {
    fn check(&self) -> Check {
        let Self { device, width, height, rate, pictures, first_ms } = self;
        let detail = format!(
            "{device}: {width}x{height}, {rate:.0} pictures a second ({pictures} came), the first after {first_ms} ms"
        );
        let hint = (f64::from(*pictures) < rate / 2.0).then(|| {
            "It gives far fewer pictures than it says: give it more light, and close programs that keep this machine busy."
                .to_owned()
        });
        Check { hint, ..Check::good("camera", detail) }
    }
}

/// Opens it, waits for a picture and counts those of a second (check `camera`). Takes seconds, eleven at the most.
pub fn camera(camera: &spec::Camera) -> (Check, Option<Seen>) {
    let wrong = |error: &crate::av::Error| {
        let failure = super::failure::media(error);
        (Check::bad("camera", failure.message, failure.hint), None)
    };
    let mut source = match capture::open(camera, spec::Quality::Auto) {
        Ok(Source::Live(source)) => source,
        Ok(Source::Paced(_)) => return (Check::good("camera", "a test source needs no check"), None),
        Err(error) => return wrong(&error),
    };
    let device = source.device().map_or_else(|| "the camera".to_owned(), |device| device.name.clone());
    let (format, start) = (source.format(), clock::now());
    let (mut first, mut pictures) = (None, 0u32);
    loop {
        match source.next(true, Duration::from_millis(50)) {
            Ok(Some(_)) if first.is_none() => first = Some(clock::now()),
            Ok(Some(_)) => pictures += 1,
            Ok(None) => {}
            Err(error) => return wrong(&error),
        }
        match first {
            Some(first) if first.elapsed() >= COUNTED => break,
            None if start.elapsed() >= FIRST => {
                let hint = "Unplug it and plug it in again.";
                return (Check::bad("camera", format!("{device}: it opens and gives no picture."), hint), None);
            }
            _ => {}
        }
    }
    let first = first.map_or(0, |first| first.saturating_duration_since(start).as_millis());
    let seen = Seen {
        device,
        width: format.width,
        height: format.height,
        rate: format.fps(),
        pictures,
        first_ms: u64::try_from(first).unwrap_or(u64::MAX),
    };
    (seen.check(), Some(seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(_: sound::Step) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[test]
    fn what_was_heard_is_told_with_its_figures_and_played_where_that_was_chosen() {
        let dir = tempfile::tempdir().expect("a folder");
        let (tone, length) = (spec::Microphone::Tone, Duration::from_millis(100));
        let file = spec::Speaker::Wav(dir.path().join("again.wav"));
        for (speaker, words) in [(&file, "it was played back"), (&spec::Speaker::None, "it was not played back, as")] {
            let (check, listened) = sound(&tone, speaker, length, &mut on);
            let listened = listened.expect("it was heard");
            assert!(check.ok && check.hint.is_none() && check.detail.contains(words), "{check:?}");
            assert!(check.detail.contains("peak -12 dB, level -15 dB"), "{check:?}");
            assert_eq!((listened.played, listened.device), (*speaker != spec::Speaker::None, None));
        }
        let check = self::speaker(&file);
        assert!(check.ok && check.hint.is_some_and(|hint| hint.contains("--speaker")));
    }

    #[test]
    fn a_speaker_that_fails_takes_nothing_from_what_was_heard() {
        let nowhere = spec::Speaker::Wav("/proc/nothing/here.wav".into());
        let (check, listened) = sound(&spec::Microphone::Tone, &nowhere, Duration::from_millis(50), &mut on);
        assert!(!check.ok && check.detail.contains("it is well heard") && check.detail.contains("Cannot write"));
        assert!(check.hint.is_some_and(|hint| hint.ends_with('.')) && listened.is_some_and(|heard| !heard.played));
        assert!(!speaker(&nowhere).ok);
    }

    #[test]
    fn a_camera_that_gives_far_less_than_it_says_is_told_why() {
        let seen =
            |pictures| Seen { device: "Desk".to_owned(), width: 640, height: 360, rate: 30.0, pictures, first_ms: 120 };
        let check = seen(29).check();
        assert_eq!(check.detail, "Desk: 640x360, 30 pictures a second (29 came), the first after 120 ms");
        assert!(check.ok && check.hint.is_none());
        assert!(seen(14).check().hint.is_some_and(|hint| hint.contains("light")));
    }

    #[cfg(not(feature = "devices"))]
    #[test]
    fn a_build_without_devices_says_so() {
        use crate::av::spec::DeviceChoice::Default;
        let (microphone, speaker) = (spec::Microphone::Device(Default), spec::Speaker::Device(Default));
        assert!(!camera(&spec::Camera::Device(Default)).0.ok);
        assert!(!sound(&microphone, &speaker, LENGTH, &mut on).0.ok && !self::speaker(&speaker).ok);
    }
}
