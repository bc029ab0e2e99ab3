//! The local microphone track. (Skeleton: the signatures hold, the body comes.)

use crate::av::Error;
use crate::av::outlets::Outlets;
use crate::av::spec;
use crate::media::{Codec, TrackInfo, TrackKind};
use crate::slot::Shared;
use crate::stats;

/// A running microphone track. Dropping it stops it too.
#[derive(Debug)]
pub struct Microphone {
    on: Shared<bool>,
    _outlets: Outlets,
}

impl Microphone {
    /// Opens the source and starts the track, on. Errors tell what is wrong with the source. Sound goes to everybody in
    /// `outlets` whose view is not `None`: subscribe listeners with [`crate::media::View::Large`].
    pub fn start(spec: &spec::Microphone, outlets: Outlets) -> Result<Self, Error> {
        match spec {
            spec::Microphone::None => Err(Error::NoSource),
            _ => Ok(Self { on: Shared::new(true), _outlets: outlets }),
        }
    }

    /// What is announced to the others; changes with [`Microphone::set_on`].
    pub fn info(&self) -> TrackInfo {
        let codec = Codec::Opus.name().to_owned();
        TrackInfo { kind: TrackKind::Microphone, on: self.on.get(), width: 0, height: 0, codec }
    }

    /// Mutes (receivers are told, nothing is encoded) or goes on. Time goes on either way.
    pub fn set_on(&self, on: bool) {
        self.on.set(on);
    }

    /// Tells the worst loss of the links that carry this track, 0 to 1: above 2 % each packet carries two earlier
    /// frames instead of one.
    pub fn set_loss(&self, _loss: f64) {}

    /// What is sent to a listener; `None` while muted.
    pub fn sending(&self) -> Option<stats::Sending> {
        None
    }

    /// Ends the track and waits for its thread (at most a few frames).
    pub fn stop(self) {}
}
