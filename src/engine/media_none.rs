//! The media half of the engine in a build without the feature `media`: no tracks of our own, others' tracks are
//! known and not received. Same calls as `media.rs`.

use std::sync::Arc;

use thiserror::Error;

use super::care::Cause;
use super::levels::Levels;
use super::pictures::Pictures;
use super::router::Router;
use super::sources::Switch;
use crate::av::devices::{Bell, Device, Kind};
use crate::av::spec::{self, DeviceChoice, Quality};
use crate::id::PeerId;
use crate::media::{self, ClockMap, Feedback, TrackId, TrackInfo, TrackKind, View};
use crate::slot::Shared;
use crate::stats;

/// This build has no codecs.
#[derive(Debug, Error)]
#[error("this build has no pictures and no sound; build it with the feature media")]
pub struct Missing;

/// Why a source or sink does not work.
pub use Missing as Trouble;

/// Nothing is ever opened.
#[derive(Debug)]
pub enum Opened {}

impl Opened {
    /// Nothing is open.
    pub fn close(self) {
        match self {}
    }

    /// None.
    pub fn device(&self) -> Option<&Device> {
        match *self {}
    }
}

/// Nothing to carry out.
pub struct Plan;

impl Plan {
    /// Fails.
    pub fn carry_out(self) -> Result<Opened, Missing> {
        Err(Missing)
    }
}

/// What a switch needs: nothing that could be had.
#[expect(dead_code, reason = "the same words as with media")]
pub enum Step {
    /// It is done.
    Done(Result<(), Missing>),
    /// This is to be opened first.
    Open(Plan),
}

/// Never a device's fault.
pub fn cause(missing: &Missing) -> Cause {
    Cause::Fails(missing.to_string())
}

/// None.
pub fn name_in(_: &Missing) -> &str {
    ""
}

/// Never.
pub fn is_of_device(_: &Missing) -> bool {
    false
}

/// What the tracks start with: anything but `none` is refused.
#[derive(Debug, Clone)]
pub struct Config {
    /// Camera source.
    pub camera: spec::Camera,
    /// Microphone source.
    pub microphone: spec::Microphone,
    /// Speaker sink.
    pub speaker: spec::Speaker,
    /// What is shared.
    pub screen: spec::Screen,
    /// What is heard with it.
    pub screen_audio: spec::ScreenAudio,
    /// Picture cap.
    pub quality: Quality,
    /// Without media there is nothing to mute.
    pub muted: bool,
    /// How the microphone is processed.
    pub voice: spec::voice::Wish,
    /// Rate cap of the camera, headers included.
    pub max_bitrate: Option<media::Bitrate>,
    /// Folder for remote pictures.
    pub dump_video: Option<std::path::PathBuf>,
    /// Folder for remote voices.
    pub dump_audio: Option<std::path::PathBuf>,
    /// Without media there is nothing to bear.
    pub lenient: bool,
}

/// No tracks.
#[derive(Debug)]
pub struct Media;

#[expect(clippy::unused_self, reason = "the same calls as with media")]
impl Media {
    /// Fails when a source, sink or dump was asked for.
    pub fn start(config: Config, _router: Arc<Router>, _shown: (Pictures, Levels)) -> Result<Self, Missing> {
        let wanted = config.camera != spec::Camera::None
            || config.microphone != spec::Microphone::None
            || config.speaker != spec::Speaker::None
            || config.screen != spec::Screen::None
            || config.dump_video.is_some()
            || config.dump_audio.is_some();
        if wanted { Err(Missing) } else { Ok(Self) }
    }

    /// Never rung.
    pub fn bell(&self) -> Bell {
        Bell::new()
    }

    /// Nothing can end.
    pub fn troubles(&mut self) -> Vec<(Kind, Missing)> {
        Vec::new()
    }

    /// Nothing is received that could break.
    pub fn crashes(&mut self) -> Vec<(PeerId, TrackKind)> {
        Vec::new()
    }

    /// Nothing is painted.
    pub fn painter_crashed(&self) -> bool {
        false
    }

    /// Nothing to hear, as long as nothing is shared.
    pub fn set_screen_audio(&mut self, _audio: spec::ScreenAudio) {}

    /// Nothing ends.
    pub fn screen_audio_trouble(&mut self) -> Option<Missing> {
        None
    }

    /// Nothing is shared.
    pub fn asks_first(&mut self) -> bool {
        false
    }

    /// None.
    pub fn tracks(&self) -> Vec<TrackInfo> {
        Vec::new()
    }

    /// Fails.
    pub fn begin(&mut self, _switch: &Switch, _instead: Option<DeviceChoice>) -> Step {
        Step::Done(Err(Missing))
    }

    /// Never asked for: there is no wish.
    pub fn replace(&mut self, _kind: Kind, _choice: DeviceChoice) -> Plan {
        Plan
    }

    /// Nothing is ever open.
    pub fn install(&mut self, opened: Opened, _on: bool) {
        match opened {}
    }

    /// Nothing is ever chosen.
    pub fn keep(&mut self, _switch: &Switch) {}

    /// None.
    pub fn wish(&self, _kind: Kind) -> Option<DeviceChoice> {
        None
    }

    /// None.
    pub fn device(&self, _kind: Kind) -> Option<Device> {
        None
    }

    /// Nothing is open.
    pub fn close(&mut self, _kind: Kind) {}

    /// Nothing is sent.
    pub fn silence(&mut self, _kind: Kind) {}

    /// Nothing was asked for.
    pub fn missing(&mut self) -> Vec<(Kind, Missing)> {
        Vec::new()
    }

    /// Nothing to cap.
    pub fn set_quality(&mut self, _quality: Quality) -> Option<spec::Camera> {
        None
    }

    /// Nothing to process.
    pub fn set_voice(&mut self, _wish: spec::voice::Wish) {}

    /// Nothing breaks.
    pub fn voice_trouble(&self) -> Option<Missing> {
        None
    }

    /// Nothing to repeat.
    pub fn set_loss(&mut self, _loss: f64) {}

    /// Nothing to repair.
    pub fn set_link(&self, _peer: PeerId, _link: &stats::Link) {}

    /// Nothing to bring together.
    pub fn keep_in_step(&mut self) {}

    /// Nothing to hear.
    pub fn set_volume(&self, _peer: PeerId, _volume: f32) {}

    /// Nothing to wire.
    pub fn on_link(&mut self, _peer: PeerId, _outlet: Arc<dyn media::Outlet>, _clock: Shared<ClockMap>) {}

    /// Nothing to end.
    pub fn on_left(&mut self, _peer: PeerId) {}

    /// Nothing to send.
    pub fn on_wanted(&mut self, _peer: PeerId, _kind: TrackKind, _view: View) {}

    /// Nothing runs.
    pub fn takes(&self, _kind: TrackKind) -> Option<(media::Bitrate, media::Bitrate)> {
        None
    }

    /// Nobody looks.
    pub fn looks(&self, _peer: PeerId, _kind: TrackKind) -> View {
        View::None
    }

    /// Nothing to steer.
    pub fn set_targets(&self, _kind: TrackKind, _main: media::Bitrate, _tile: media::Bitrate) {}

    /// Nothing to grant.
    pub fn grant(&self, _peer: PeerId, _kind: TrackKind, _view: View, _pictures: media::Pictures) {}

    /// Nothing is received.
    pub fn on_track(&mut self, _peer: PeerId, _info: &TrackInfo, _view: View) -> Result<(), Missing> {
        Ok(())
    }

    /// Nothing ends.
    pub fn on_track_gone(&mut self, _peer: PeerId, _kind: TrackKind) {}

    /// Nothing is sent that could be complained of.
    pub fn on_feedback(&self, _peer: PeerId, _track: TrackId, _feedback: Feedback) {}

    /// No figures.
    pub fn stats(&self, _peer: PeerId) -> stats::Peer {
        stats::Peer::default()
    }

    /// Nothing to end.
    pub fn stop(self) {}
}
