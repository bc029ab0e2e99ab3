//! Trials that a person asks the doctor for: the microphone is recorded and played back, the camera is opened for a
//! picture. Nothing is kept.

use std::time::Duration;

use super::doctor::Check;
use super::preview::record_and_play;
use crate::av::capture::{self, Source};
use crate::av::spec::{self, DeviceChoice};
use crate::clock;
use crate::slot::Shared;

/// How long is recorded.
pub const LENGTH: Duration = Duration::from_secs(3);
/// How long pictures are counted.
const COUNTED: Duration = Duration::from_secs(1);
/// How long the first picture may take.
const FIRST: Duration = Duration::from_secs(5);

/// Records the default microphone, plays it to the default speaker, and says what was heard. Takes six seconds.
pub fn sound() -> Check {
    let (microphone, speaker) =
        (spec::Microphone::Device(DeviceChoice::Default), spec::Speaker::Device(DeviceChoice::Default));
    match record_and_play(&microphone, &speaker, LENGTH, &Shared::new(false)) {
        // Nobody stops it.
        Ok(None) => Check::bad("sound", "it was stopped", "Try again."),
        Ok(Some(heard)) => {
            let (words, hint) = heard.words();
            let (peak, level) = (heard.peak_db, heard.level_db);
            let detail = format!("{words}: peak {peak:.0} dB, level {level:.0} dB; it was played back");
            if hint.is_empty() { Check::good("sound", detail) } else { Check::bad("sound", detail, hint) }
        }
        Err(failure) => Check::bad("sound", failure.message, failure.hint),
    }
}

/// Opens the default camera, waits for a picture and counts those of a second.
pub fn camera() -> Check {
    look(&spec::Camera::Device(DeviceChoice::Default))
}

fn look(camera: &spec::Camera) -> Check {
    let wrong = |error: &crate::av::Error| {
        let failure = super::failure::media(error);
        Check::bad("camera", failure.message, failure.hint)
    };
    let mut source = match capture::open(camera, spec::Quality::Auto) {
        Ok(Source::Live(source)) => source,
        Ok(Source::Paced(_)) => return Check::good("camera", "a test source needs no check"),
        Err(error) => return wrong(&error),
    };
    let name = source.device().map_or_else(String::new, |device| format!("{}: ", device.name));
    let (format, start) = (source.format(), clock::now());
    let (mut first, mut count) = (None, 0u32);
    loop {
        match source.next(true, Duration::from_millis(50)) {
            Ok(Some(_)) if first.is_none() => first = Some(clock::now()),
            Ok(Some(_)) => count += 1,
            Ok(None) => {}
            Err(error) => return wrong(&error),
        }
        match first {
            Some(first) if first.elapsed() >= COUNTED => break,
            None if start.elapsed() >= FIRST => {
                let hint = "Unplug it and plug it in again.";
                return Check::bad("camera", format!("{name}it opens and gives no picture."), hint);
            }
            _ => {}
        }
    }
    let after = first.map_or(0, |first| first.saturating_duration_since(start).as_millis());
    let (width, height, rate) = (format.width, format.height, format.fps());
    let detail =
        format!("{name}{width}x{height}, {rate:.0} pictures a second ({count} came), the first after {after} ms");
    Check::good("camera", detail)
}

#[cfg(all(test, not(feature = "devices")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_devices_says_so() {
        assert!(!camera().ok && !sound().ok);
    }
}
