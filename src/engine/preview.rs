//! The own camera and microphone before a meeting: pictures for a tile, a level for a meter, and sounds to try microphone
//! and speaker with ([`sound`]). Nothing is encoded or sent.

pub mod sound;

use super::failure;
use super::levels::{Level, Levels};
use super::pictures::{Key, Pictures};
use crate::av::devices::Kind;
use crate::av::outlets::Outlets;
use crate::av::publish::{Microphone, PictureConfig, PictureTrack};
use crate::av::spec;
use crate::meeting::Warning;

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
        let microphone = microphone.filter(|microphone| *microphone != spec::Microphone::None).and_then(|source| {
            let microphone = Microphone::start(&source, Outlets::new(), levels.own());
            microphone.map_err(|e| troubles.push(failure::trouble(Kind::Microphone, &e))).ok()
        });
        Self { camera, microphone, pictures, levels, troubles }
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

    /// Closes both and waits until the devices are free for a meeting, two seconds at the most.
    pub fn stop(mut self) {
        self.close();
    }

    fn close(&mut self) {
        if let Some(camera) = self.camera.take() {
            camera.stop();
        }
        if let Some(microphone) = self.microphone.take() {
            microphone.stop();
        }
        self.pictures.close(Key::own());
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
}
