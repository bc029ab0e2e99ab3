//! Sources and sinks that are opened beside the engine's loop, and put in place of others when they are open.
//!
//! [`Media::begin`] does at once what takes no time (a mute, nothing in place of something) and plans the rest; a plan is
//! carried out where blocking is allowed; [`Media::install`] swaps. What was there before is closed by a thread of its
//! own. Whoever calls keeps the order: one plan of a kind at a time.

use super::{Media, is_bearable};
use crate::av::Error;
use crate::av::capture::CallOff;
use crate::av::devices::{Device, Kind};
use crate::av::playback::Output;
use crate::av::process::voice::Processing;
use crate::av::publish::{Microphone, PictureConfig, PictureTrack};
use crate::av::spec::{self, DeviceChoice};
use crate::engine::care::Cause;
use crate::engine::pictures::Key;
use crate::engine::sources::Switch;
use crate::media::TrackKind;
use crate::task;

/// Something that is open and not used yet. Dropping it closes it, which may take a second.
#[derive(Debug)]
pub enum Opened {
    /// A camera track, off.
    Camera(PictureTrack),
    /// A microphone track, off, and what it was opened for.
    Microphone(Microphone, spec::Microphone),
    /// A sink.
    Speaker(Output),
    /// A shared screen.
    Screen(PictureTrack),
}

impl Opened {
    /// Closes it, which may take a second.
    pub fn close(self) {}

    /// Which device it is, if it is one.
    pub fn device(&self) -> Option<&Device> {
        match self {
            Self::Camera(camera) => camera.device(),
            Self::Microphone(microphone, _) => microphone.device(),
            Self::Speaker(output) => output.device(),
            Self::Screen(_) => None,
        }
    }
}

/// How to open something.
pub struct Plan(Box<dyn FnOnce() -> Result<Opened, Error> + Send>);

impl Plan {
    /// Opens it. May block for seconds.
    pub fn carry_out(self) -> Result<Opened, Error> {
        (self.0)()
    }
}

/// What a switch needs.
pub enum Step {
    /// It is done.
    Done(Result<(), Error>),
    /// This is to be opened first.
    Open(Plan),
}

/// Closes beside the caller.
pub(super) fn close<T: Send + 'static>(name: &'static str, what: T, stop: impl FnOnce(T) + Send + 'static) {
    if let Err(error) = task::thread(name, move || stop(what)) {
        tracing::warn!(%error, "what was open was left to close by itself");
    }
}

/// Why a device is lost, for those who look for another.
pub fn cause(error: &Error) -> Cause {
    match error {
        Error::NoDevice { .. } => Cause::Gone,
        Error::Device { reason, .. } if reason == "it was unplugged" => Cause::Gone,
        Error::Device { reason, .. } => Cause::Fails(reason.clone()),
        other => Cause::Fails(other.to_string().split("; ").next().unwrap_or_default().to_owned()),
    }
}

/// The name of the device that an error is about; empty where it names none.
pub fn name_in(error: &Error) -> &str {
    match error {
        Error::Device { name, .. } => name,
        _ => "",
    }
}

/// True for what may be mended by another device or another time.
pub fn is_of_device(error: &Error) -> bool {
    is_bearable(error)
}

impl Media {
    /// Begins what a person asked for. `instead` is what to open where the chosen device is to be opened and is not there.
    /// Nothing of the configuration is changed until it is done.
    pub fn begin(&mut self, switch: &Switch, instead: Option<DeviceChoice>) -> Step {
        match switch {
            Switch::Camera { on, source } => self.begin_camera(*on, source.as_ref(), instead),
            Switch::Microphone { on, source } => self.begin_microphone(*on, source.as_ref(), instead),
            Switch::Speaker { on, sink } => self.begin_speaker(*on, sink.as_ref(), instead),
            Switch::Screen { on, source } => self.begin_screen(*on, source.as_ref()),
        }
    }

    fn begin_camera(&mut self, on: bool, source: Option<&spec::Camera>, instead: Option<DeviceChoice>) -> Step {
        match source {
            Some(spec::Camera::None) => {
                self.close(Kind::Camera);
                self.config.camera = spec::Camera::None;
            }
            Some(source) => {
                let real = matches!(source, spec::Camera::Device(_));
                // It can be the same one, which opens once.
                if real && (!on || matches!(self.config.camera, spec::Camera::Device(_))) {
                    self.close(Kind::Camera);
                }
                if !real || on {
                    return Step::Open(self.plan_camera(source.clone()));
                }
                self.config.camera = source.clone();
            }
            None => match (&self.camera, &self.config.camera) {
                (Some(camera), _) => camera.set_on(on),
                (None, spec::Camera::Device(choice)) if on => {
                    let choice = instead.unwrap_or_else(|| choice.clone());
                    return Step::Open(self.plan_camera(spec::Camera::Device(choice)));
                }
                (None, spec::Camera::Device(_)) => {}
                (None, _) => return Step::Done(Err(Error::NoSource)),
            },
        }
        self.show_own(on);
        Step::Done(Ok(()))
    }

    fn begin_microphone(&mut self, on: bool, source: Option<&spec::Microphone>, instead: Option<DeviceChoice>) -> Step {
        match source {
            Some(spec::Microphone::None) => {
                self.close(Kind::Microphone);
                self.config.microphone = spec::Microphone::None;
            }
            Some(source) => return Step::Open(self.plan_microphone(source.clone())),
            None => match (&self.microphone, &self.config.microphone) {
                (Some(microphone), _) => microphone.set_on(on),
                (None, spec::Microphone::Device(choice)) if on => {
                    let choice = instead.unwrap_or_else(|| choice.clone());
                    return Step::Open(self.plan_microphone(spec::Microphone::Device(choice)));
                }
                (None, spec::Microphone::Device(_)) => {}
                (None, _) => return Step::Done(Err(Error::NoSource)),
            },
        }
        Step::Done(Ok(()))
    }

    fn begin_speaker(&mut self, on: bool, sink: Option<&spec::Speaker>, instead: Option<DeviceChoice>) -> Step {
        let lost = || match (&self.config.speaker, instead) {
            (spec::Speaker::Device(_), Some(choice)) => spec::Speaker::Device(choice),
            (speaker, _) => speaker.clone(),
        };
        if let Some(sink) = sink.cloned().or_else(|| (on && self.speaker_lost).then(lost)) {
            return Step::Open(Plan(Box::new(move || Ok(Opened::Speaker(Output::open(&sink)?)))));
        }
        self.hush(!on);
        Step::Done(Ok(()))
    }

    /// Off, nothing of the screen is read any more and the track is gone, unlike a muted camera; on again, the same display
    /// or window is opened anew. A source that fails leaves the one in use.
    fn begin_screen(&mut self, on: bool, source: Option<&spec::Screen>) -> Step {
        if !on {
            self.close(Kind::Screen);
            return Step::Done(Ok(()));
        }
        match source.unwrap_or(&self.config.screen) {
            spec::Screen::None => Step::Done(Err(Error::NoSource)),
            source => Step::Open(self.plan_screen(source.clone())),
        }
    }

    /// A plan to open this device in place of what is open. A camera that is open is closed, since a device opens once.
    pub fn replace(&mut self, kind: Kind, choice: DeviceChoice) -> Plan {
        match kind {
            Kind::Camera => {
                self.close(Kind::Camera);
                self.plan_camera(spec::Camera::Device(choice))
            }
            Kind::Microphone => self.plan_microphone(spec::Microphone::Device(choice)),
            Kind::Speaker => {
                let sink = spec::Speaker::Device(choice);
                Plan(Box::new(move || Ok(Opened::Speaker(Output::open(&sink)?))))
            }
            // Nobody cares for a screen that is lost but its person.
            Kind::Screen => Plan(Box::new(|| Err(Error::NoSource))),
        }
    }

    /// How this camera is opened. It is off until it has its place.
    pub(super) fn plan_camera(&self, source: spec::Camera) -> Plan {
        let (quality, max_bitrate) = (self.config.quality, self.share_of(TrackKind::Camera));
        let config = PictureConfig { quality, max_bitrate, muted: true };
        let (outlets, screen) = (self.camera_outlets.clone(), self.pictures.screen(Key::own()));
        Plan(Box::new(move || Ok(Opened::Camera(PictureTrack::camera(&source, config, outlets, Some(screen))?))))
    }

    /// How this screen is opened. It is off until it has its place. On Wayland its person is asked, which may take minutes.
    pub(super) fn plan_screen(&mut self, source: spec::Screen) -> Plan {
        self.asking = CallOff::default();
        let call_off = self.asking.clone();
        let (quality, max_bitrate) = (self.config.quality, self.share_of(TrackKind::Screen));
        let config = PictureConfig { quality, max_bitrate, muted: true };
        let (outlets, shown) = (self.screen_outlets.clone(), self.pictures.screen(Key::own_screen()));
        Plan(Box::new(move || {
            Ok(Opened::Screen(PictureTrack::screen(&source, &call_off, config, outlets, Some(shown))?))
        }))
    }

    /// How this microphone is opened. It is off until it has its place.
    pub(super) fn plan_microphone(&self, source: spec::Microphone) -> Plan {
        let (outlets, own) = (self.microphone_outlets.clone(), self.levels.own());
        let processing = Processing { voice: self.config.voice.of(&source), reference: self.playback.reference() };
        Plan(Box::new(move || {
            let microphone = Microphone::start_processed(&source, &processing, outlets, own)?;
            Ok(Opened::Microphone(microphone, source))
        }))
    }

    /// Puts it in the place of what is open, on or off.
    pub fn install(&mut self, opened: Opened, on: bool) {
        match opened {
            Opened::Camera(camera) => {
                if let Some(old) = self.camera.take() {
                    old.set_on(false);
                    close("camera-close", old, PictureTrack::stop);
                }
                // As it was chosen by now: to open it may have taken seconds.
                camera.set_quality(self.config.quality);
                camera.set_on(on);
                camera.ring(&self.bell);
                self.camera = Some(camera);
                self.show_own(on);
                self.share_out();
            }
            Opened::Screen(screen) if on => {
                self.close(Kind::Screen);
                screen.set_on(true);
                screen.ring(&self.bell);
                self.screen = Some(screen);
                self.pictures.open(Key::own_screen());
                self.share_out();
                self.tend_screen_audio();
            }
            // Nobody wants it any more.
            Opened::Screen(screen) => close("screen-close", screen, PictureTrack::stop),
            Opened::Microphone(microphone, source) => {
                if let Some(old) = self.microphone.take() {
                    old.set_on(false);
                    close("mic-close", old, Microphone::stop);
                }
                microphone.set_voice(self.config.voice.of(&source));
                self.tell_loss(&microphone);
                microphone.set_on(on);
                microphone.ring(&self.bell);
                self.microphone = Some(microphone);
            }
            Opened::Speaker(output) => {
                self.speaker_device = output.device().cloned();
                self.playback.play_to(output);
                self.playback.ring(&self.bell);
                self.speaker_lost = false;
                self.hush(!on);
            }
        }
    }

    /// What a person chose is in use from now on.
    pub fn keep(&mut self, switch: &Switch) {
        match switch {
            Switch::Camera { source: Some(source), .. } => self.config.camera = source.clone(),
            Switch::Microphone { source: Some(source), .. } => self.config.microphone = source.clone(),
            Switch::Speaker { sink: Some(sink), .. } => self.config.speaker = sink.clone(),
            Switch::Screen { source: Some(source), .. } => self.config.screen = source.clone(),
            Switch::Camera { .. } | Switch::Microphone { .. } | Switch::Speaker { .. } | Switch::Screen { .. } => {}
        }
    }

    /// Which device was chosen, if it is one.
    pub fn wish(&self, kind: Kind) -> Option<DeviceChoice> {
        match (kind, &self.config) {
            (Kind::Camera, super::Config { camera: spec::Camera::Device(choice), .. })
            | (Kind::Microphone, super::Config { microphone: spec::Microphone::Device(choice), .. })
            | (Kind::Speaker, super::Config { speaker: spec::Speaker::Device(choice), .. }) => Some(choice.clone()),
            _ => None,
        }
    }

    /// Which device is open.
    pub fn device(&self, kind: Kind) -> Option<Device> {
        match kind {
            Kind::Camera => self.camera.as_ref()?.device().cloned(),
            Kind::Microphone => self.microphone.as_ref()?.device().cloned(),
            Kind::Speaker => self.speaker_device.clone(),
            Kind::Screen => None,
        }
    }

    /// Nothing of this kind is sent or played from now on: a person switched it off while something else is being opened
    /// for it.
    pub fn silence(&mut self, kind: Kind) {
        match kind {
            Kind::Camera => {
                if let Some(camera) = &self.camera {
                    camera.set_on(false);
                }
                self.pictures.close(Key::own());
            }
            Kind::Microphone => {
                if let Some(microphone) = &self.microphone {
                    microphone.set_on(false);
                }
            }
            Kind::Speaker => self.hush(true),
            Kind::Screen => {
                // Its person may still be asked what to share.
                self.asking.call_off();
                self.close(Kind::Screen);
            }
        }
    }

    /// Ends the track of this kind at once. The device itself may take a second, which is waited for elsewhere: whoever
    /// opens it again waits until it is free.
    pub fn close(&mut self, kind: Kind) {
        match kind {
            Kind::Camera => {
                if let Some(camera) = self.camera.take() {
                    camera.set_on(false);
                    close("camera-close", camera, PictureTrack::stop);
                }
                self.pictures.close(Key::own());
                self.share_out();
            }
            Kind::Screen => {
                if let Some(screen) = self.screen.take() {
                    screen.set_on(false);
                    close("screen-close", screen, PictureTrack::stop);
                }
                self.pictures.close(Key::own_screen());
                self.share_out();
                self.tend_screen_audio();
            }
            Kind::Microphone => {
                if let Some(microphone) = self.microphone.take() {
                    microphone.set_on(false);
                    close("mic-close", microphone, Microphone::stop);
                }
            }
            Kind::Speaker => {
                self.playback.play_to(Output::none());
                (self.speaker_lost, self.speaker_device) = (true, None);
            }
        }
    }

    /// What ended by itself since the last call, with its track gone.
    pub fn troubles(&mut self) -> Vec<(Kind, Error)> {
        let mut found = Vec::new();
        found.extend(self.camera.as_ref().and_then(PictureTrack::trouble).map(|error| (Kind::Camera, error)));
        found.extend(self.microphone.as_ref().and_then(Microphone::trouble).map(|error| (Kind::Microphone, error)));
        found.extend(self.screen.as_ref().and_then(PictureTrack::trouble).map(|error| (Kind::Screen, error)));
        found.extend(self.playback.trouble().map(|error| (Kind::Speaker, error)));
        for (kind, _) in &found {
            self.close(*kind);
        }
        found
    }

    /// What was asked for at the start and is not open. Once.
    pub fn missing(&mut self) -> Vec<(Kind, Error)> {
        std::mem::take(&mut self.missing)
    }

    fn show_own(&self, on: bool) {
        self.share_out();
        match &self.camera {
            Some(_) if on => self.pictures.open(Key::own()),
            _ => self.pictures.close(Key::own()),
        }
    }

    /// Silences everybody, or nobody.
    fn hush(&mut self, silent: bool) {
        self.speaker_on = !silent;
        for (peer, remote) in &self.remotes {
            for (kind, sound) in &remote.sounds {
                self.playback.set_muted((*peer, *kind), !(self.speaker_on && sound.on));
            }
        }
    }
}
