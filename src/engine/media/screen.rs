//! What is shared of this machine's screens.

use super::Media;
use crate::media::{Bitrate, TrackKind};

impl Media {
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
