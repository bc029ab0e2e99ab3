//! What is shared of this machine's screens.

use super::{Media, swap};
use crate::av::Error;
use crate::av::publish::Microphone;
use crate::av::spec::ScreenAudio;
use crate::media::{Bitrate, TrackKind};

impl Media {
    /// What the cap on all pictures leaves one of the tracks: a screen takes two thirds from the camera beside it.
    pub(super) fn share_of(&self, kind: TrackKind) -> Option<Bitrate> {
        let cap = self.config.max_bitrate?;
        let sharing = self.screen.is_some() || kind == TrackKind::Screen;
        let seen = self.camera.as_ref().is_some_and(|camera| camera.info().on) || kind == TrackKind::Camera;
        Some(share(cap, kind, sharing && seen))
    }

    /// What is heard with a shared screen, now and the next time.
    pub fn set_screen_audio(&mut self, audio: ScreenAudio) {
        self.config.screen_audio = audio;
        self.tend_screen_audio();
    }

    /// Why the sound of the shared screen ended by itself, told once. It is off then, until it is wanted again.
    pub fn screen_audio_trouble(&mut self) -> Option<Error> {
        let of_track = self.screen_audio.as_ref().and_then(|(_, track)| track.trouble());
        let trouble = self.screen_audio_refused.take().or(of_track)?;
        self.set_screen_audio(ScreenAudio::Off);
        Some(trouble)
    }

    /// Its sound begins and ends with the screen.
    pub(super) fn tend_screen_audio(&mut self) {
        let wanted = if self.screen.is_some() { self.config.screen_audio } else { ScreenAudio::Off };
        if self.screen_audio.as_ref().map_or(ScreenAudio::Off, |(audio, _)| *audio) == wanted {
            return;
        }
        if let Some((_, old)) = self.screen_audio.take() {
            old.set_on(false);
            swap::close("screen-audio-close", old, Microphone::stop);
        }
        if wanted == ScreenAudio::Off {
            return;
        }
        match Microphone::of_screen(wanted, self.screen_audio_outlets.clone()) {
            Ok(track) => {
                self.tell_loss(&track);
                self.screen_audio = Some((wanted, track));
            }
            Err(error) => self.screen_audio_refused = Some(error),
        }
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
        _ => 1,
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
