//! The local camera track. (Skeleton: the signatures hold, the body comes.)

use crate::av::Error;
use crate::av::outlets::Outlets;
use crate::av::spec::{self, Quality};
use crate::id::PeerId;
use crate::media::{Bitrate, Codec, Feedback, TrackInfo, TrackKind, View};
use crate::slot::Shared;
use crate::stats;

/// What a camera track may send.
#[derive(Debug, Clone, Copy, Default)]
pub struct CameraConfig {
    /// The cap on its size.
    pub quality: Quality,
    /// The cap on what is sent to each peer, headers included; `None` chooses by size.
    pub max_bitrate: Option<Bitrate>,
}

/// A running camera track. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Camera {
    on: Shared<bool>,
    _outlets: Outlets,
}

impl Camera {
    /// Opens the source and starts the track, on. Errors tell what is wrong with the source.
    pub fn start(spec: &spec::Camera, config: CameraConfig, outlets: Outlets) -> Result<Self, Error> {
        let _ = config;
        match spec {
            spec::Camera::None => Err(Error::NoSource),
            _ => Ok(Self { on: Shared::new(true), _outlets: outlets }),
        }
    }

    /// What is announced to the others; changes with [`Camera::set_on`] and [`Camera::set_quality`].
    pub fn info(&self) -> TrackInfo {
        let codec = Codec::H264.name().to_owned();
        TrackInfo { kind: TrackKind::Camera, on: self.on.get(), width: 640, height: 360, codec }
    }

    /// Mutes (nothing is encoded or sent) or goes on with a keyframe.
    pub fn set_on(&self, on: bool) {
        self.on.set(on);
    }

    /// Changes the cap on the size.
    pub fn set_quality(&self, _quality: Quality) {}

    /// Changes the cap on the rate.
    pub fn set_max_bitrate(&self, _cap: Option<Bitrate>) {}

    /// Takes a receiver's word about this track.
    pub fn on_feedback(&self, _from: PeerId, _feedback: Feedback) {}

    /// Owes a keyframe to those who watch this size: call it whenever [`Outlets::set`] returns true.
    pub fn request_keyframe(&self, _view: View) {}

    /// What is sent to somebody who watches this size; `None` when nothing is.
    pub fn sending(&self, _view: View) -> Option<stats::Sending> {
        None
    }

    /// Ends the track and waits for its threads.
    pub fn stop(self) {}
}
