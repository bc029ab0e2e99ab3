//! The own camera and microphone before a meeting: pictures for a tile, a level for a meter, and a sound to try the
//! speaker with. Nothing is encoded or sent.

use std::time::Duration;

use super::failure;
use super::levels::{Level, Levels};
use super::pictures::{Key, Pictures};
use crate::av::devices::Kind;
use crate::av::outlets::Outlets;
use crate::av::playback;
use crate::av::publish::{Microphone, PictureConfig, PictureTrack};
use crate::av::{Error, spec};
use crate::meeting::{Failure, Warning};
use crate::slot::Shared;

/// A camera and a microphone that only oneself sees and hears of. Dropping it closes both; that and starting it may
/// block for a second and more: do both where that is allowed, and before a meeting opens the same camera.
#[derive(Debug)]
pub struct Preview {
    camera: Option<PictureTrack>,
    microphone: Option<Microphone>,
    pictures: Pictures,
    levels: Levels,
    troubles: Vec<Warning>,
}

impl Preview {
    /// Opens what was asked for. What cannot be opened is left out and told by [`Preview::troubles`].
    pub fn start(camera: Option<spec::Camera>, microphone: Option<spec::Microphone>) -> Self {
        let (pictures, levels, mut troubles) = (Pictures::new(), Levels::new(), Vec::new());
        let camera = camera.filter(|camera| *camera != spec::Camera::None).and_then(|source| {
            let screen = Some(pictures.screen(Key::own()));
            let camera = PictureTrack::camera(&source, PictureConfig::default(), Outlets::new(), screen);
            camera
                .inspect(|_| pictures.open(Key::own()))
                .map_err(|e| troubles.push(failure::trouble(Kind::Camera, &e)))
                .ok()
        });
        let mut preview = Self { camera, microphone: None, pictures, levels, troubles };
        if let Some(source) = microphone {
            preview.hear(&source);
        }
        preview
    }

    /// The own picture is under [`Key::own`].
    pub fn pictures(&self) -> Pictures {
        self.pictures.clone()
    }

    /// How loud the microphone is, 0 to 1.
    pub fn level(&self) -> f32 {
        let Level { loudness, .. } = self.levels.of(None);
        if self.microphone.is_some() { loudness } else { 0.0 }
    }

    /// What could not be opened, or ended since the last call. Ask now and then.
    pub fn troubles(&mut self) -> Vec<Warning> {
        if let Some(error) = self.camera.as_ref().and_then(PictureTrack::trouble) {
            self.camera = None;
            self.pictures.close(Key::own());
            self.troubles.push(failure::trouble(Kind::Camera, &error));
        }
        if let Some(error) = self.microphone.as_ref().and_then(Microphone::trouble) {
            self.microphone = None;
            self.troubles.push(failure::trouble(Kind::Microphone, &error));
        }
        if self.pictures.crashes() > 0 {
            self.troubles.push(failure::painter());
        }
        std::mem::take(&mut self.troubles)
    }

    /// Closes the microphone and waits until it is free; the camera stays as it is. True when one was open.
    pub fn release_microphone(&mut self) -> bool {
        self.microphone.take().map(Microphone::stop).is_some()
    }

    /// Opens a microphone again. What cannot be opened is told by [`Preview::troubles`].
    pub fn hear(&mut self, source: &spec::Microphone) {
        self.release_microphone();
        if *source == spec::Microphone::None {
            return;
        }
        match Microphone::start(source, Outlets::new(), self.levels.own()) {
            Ok(microphone) => self.microphone = Some(microphone),
            Err(error) => self.troubles.push(failure::trouble(Kind::Microphone, &error)),
        }
    }

    /// Closes both and waits until the devices are free for a meeting, two seconds at the most.
    pub fn stop(mut self) {
        self.close();
    }

    fn close(&mut self) {
        if let Some(camera) = self.camera.take() {
            camera.stop();
        }
        self.release_microphone();
        self.pictures.close(Key::own());
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        self.close();
    }
}

/// Plays two notes, which takes a second, and returns when they are over. For any sink but `none`.
pub fn play_test_sound(speaker: &spec::Speaker) -> Result<(), Failure> {
    if *speaker == spec::Speaker::None {
        return Err(failure::source(&Error::NoSource, "speaker"));
    }
    playback::play_notes(speaker, Duration::from_secs(1)).map_err(|error| failure::media(&error))
}

/// What was heard of a microphone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heard {
    /// The loudest sample, in decibels of full scale, not below -90.
    pub peak_db: f32,
    /// How loud it was on the whole, likewise.
    pub level_db: f32,
}

impl Heard {
    fn of(samples: &[f32]) -> Self {
        let decibels = |value: f32| (20.0 * value.max(1e-9).log10()).max(-90.0);
        let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        let power: f64 = samples.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum();
        let count = u32::try_from(samples.len().max(1)).map_or(f64::from(u32::MAX), f64::from);
        #[expect(clippy::cast_possible_truncation, reason = "a level of some digits")]
        let level = (power / count).sqrt() as f32;
        Self { peak_db: decibels(peak), level_db: decibels(level) }
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

/// Records from `microphone` for so long, then plays it to `speaker`, and returns when that is over. What was recorded is
/// kept in memory only, and forgotten. The microphone is closed before it is played. `None` when `stop` became true
/// meanwhile: both devices are closed soon after.
pub fn record_and_play(
    microphone: &spec::Microphone,
    speaker: &spec::Speaker,
    length: Duration,
    stop: &Shared<bool>,
) -> Result<Option<Heard>, Failure> {
    if *microphone == spec::Microphone::None {
        return Err(failure::source(&Error::NoSource, "microphone"));
    }
    let samples =
        crate::av::capture::sound::record(microphone, length, stop).map_err(|error| failure::media(&error))?;
    let heard = Heard::of(&samples);
    if *speaker != spec::Speaker::None && !stop.get() {
        playback::play(speaker, &samples, stop).map_err(|error| failure::media(&error))?;
    }
    Ok(Some(heard).filter(|_| !stop.get()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::meeting::WarningCode;

    fn until(what: &str, mut fact: impl FnMut() -> bool) {
        let deadline = clock::now() + Duration::from_secs(10);
        while !fact() {
            assert!(clock::now() < deadline, "{what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_preview_shows_the_camera_and_hears_the_microphone() {
        let camera = spec::Camera::TestCard { width: 64, height: 36, fps: 60 };
        let mut preview = Preview::start(Some(camera), Some(spec::Microphone::Tone));
        let viewer = preview.pictures().view(Key::own());
        until("a picture", || preview.pictures().latest(Key::own()).is_some());
        until("a level", || preview.level() > 0.3);
        assert_eq!(preview.troubles(), Vec::new());
        preview.pictures().break_off();
        assert_eq!(preview.troubles(), [failure::painter()], "what draws it was started again");
        assert_eq!(preview.troubles(), Vec::new());
        let pictures = preview.pictures();
        drop(viewer);
        preview.stop();
        assert!(pictures.latest(Key::own()).is_none());
    }

    #[test]
    fn what_is_not_there_is_told_and_the_other_still_works() {
        let gone = spec::Camera::File("no-such-file.y4m".into());
        let mut preview = Preview::start(Some(gone), Some(spec::Microphone::Tone));
        let troubles = preview.troubles();
        assert!(matches!(troubles.as_slice(), [Warning { code: WarningCode::SourceFailed, .. }]), "{troubles:?}");
        until("a level", || preview.level() > 0.3);
        assert!(Preview::start(None, None).troubles().is_empty());
    }

    #[test]
    fn what_is_recorded_is_played_and_judged() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("again.wav");
        let speaker = spec::Speaker::Wav(path.clone());
        let stop = Shared::new(false);
        let heard = record_and_play(&spec::Microphone::Tone, &speaker, Duration::from_millis(200), &stop);
        let heard = heard.expect("no failure").expect("not stopped");
        assert!((heard.peak_db + 12.0).abs() < 0.5 && (heard.level_db + 15.0).abs() < 0.5, "{heard:?}");
        assert_eq!(heard.words(), ("it is well heard", ""));
        let mut reader = hound::WavReader::open(&path).expect("a file");
        let loud = reader.samples::<i16>().filter(|sample| sample.as_ref().is_ok_and(|s| s.abs() > 2000)).count();
        assert!(loud > 5_000, "{loud}");
        assert!(record_and_play(&spec::Microphone::None, &speaker, Duration::ZERO, &stop).is_err());
        stop.set(true);
        let (start, long) = (clock::now(), Duration::from_secs(60));
        assert_eq!(record_and_play(&spec::Microphone::Tone, &speaker, long, &stop), Ok(None));
        assert!(start.elapsed() < long / 6, "it ends when it is told to");
        for (peak, words) in [(0.0, "nothing"), (0.001, "quiet"), (0.5, "well"), (1.0, "too loud")] {
            let heard = Heard::of(&[0.0, peak]);
            assert!(heard.words().0.contains(words), "{heard:?}");
        }
    }

    #[test]
    fn the_test_sound_is_heard_in_a_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notes.wav");
        play_test_sound(&spec::Speaker::Wav(path.clone())).expect("played");
        let mut reader = hound::WavReader::open(&path).expect("a file");
        let loud = reader.samples::<i16>().filter(|sample| sample.as_ref().is_ok_and(|s| s.abs() > 2000)).count();
        assert!(loud > 5_000, "{loud}");
        assert!(play_test_sound(&spec::Speaker::None).is_err());
    }
}
