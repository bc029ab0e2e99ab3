//! What is shared of this machine's screens.

use super::Media;
use crate::av::Error;
use crate::av::publish::{PictureConfig, PictureTrack};
use crate::av::spec;
use crate::engine::pictures::Key;
use crate::media::{Bitrate, TrackKind};
use crate::task;

impl Media {
    /// Begins, changes or ends sharing. Off, nothing of the screen is read any more and the track is gone, unlike a muted
    /// camera; on again, the same display or window is opened anew. A source that fails leaves the one in use.
    pub fn set_screen(&mut self, on: bool, source: Option<spec::Screen>) -> Result<(), Error> {
        let source = source.unwrap_or_else(|| self.config.screen.clone());
        let failed = match &source {
            _ if !on => None,
            spec::Screen::None => Some(Error::NoSource),
            source => match self.open_screen(source) {
                Ok(screen) => {
                    self.close_screen();
                    self.screen = Some(screen);
                    self.pictures.open(Key::own_screen());
                    None
                }
                Err(error) => Some(error),
            },
        };
        if !on {
            self.close_screen();
        }
        if let Some(error) = failed {
            return Err(error);
        }
        self.config.screen = source;
        self.share_out();
        Ok(())
    }

    fn open_screen(&self, source: &spec::Screen) -> Result<PictureTrack, Error> {
        let config = PictureConfig { quality: self.config.quality, max_bitrate: self.share_of(TrackKind::Screen) };
        let shown = self.pictures.screen(Key::own_screen());
        PictureTrack::screen(source, config, self.screen_outlets.clone(), Some(shown))
    }

    /// Ends sharing at once; the thread that reads the screen is waited for elsewhere.
    pub(super) fn close_screen(&mut self) {
        if let Some(screen) = self.screen.take() {
            screen.set_on(false);
            if let Err(error) = task::thread("screen-close", move || screen.stop()) {
                tracing::warn!(%error, "the screen was left to close by itself");
            }
        }
        self.pictures.close(Key::own_screen());
        self.share_out();
    }

    /// What the cap on all pictures leaves one of the tracks: a screen takes two thirds from the camera beside it.
    pub(super) fn share_of(&self, kind: TrackKind) -> Option<Bitrate> {
        let cap = self.config.max_bitrate?;
        let sharing = self.screen.is_some() || kind == TrackKind::Screen;
        let seen = self.camera.as_ref().is_some_and(|camera| camera.info().on) || kind == TrackKind::Camera;
        Some(share(cap, kind, sharing && seen))
    }

    /// Tells both what the cap leaves them now.
    pub(super) fn share_out(&self) {
        if let Some(camera) = &self.camera {
            camera.set_max_bitrate(self.share_of(TrackKind::Camera));
        }
        if let Some(screen) = &self.screen {
            screen.set_max_bitrate(self.share_of(TrackKind::Screen));
        }
    }
}

fn share(cap: Bitrate, kind: TrackKind, both: bool) -> Bitrate {
    let thirds = match kind {
        _ if !both => 3,
        TrackKind::Screen => 2,
        TrackKind::Camera | TrackKind::Microphone => 1,
    };
    Bitrate::from_bps(cap.bps() / 3 * thirds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_shared_between_camera_and_screen() {
        let check = |kind, both, expect| assert_eq!(share(Bitrate::from_bps(3_000_000), kind, both).bps(), expect);
        check(TrackKind::Camera, false, 3_000_000);
        check(TrackKind::Screen, false, 3_000_000);
        check(TrackKind::Camera, true, 1_000_000);
        check(TrackKind::Screen, true, 2_000_000);
    }
}
