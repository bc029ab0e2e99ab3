//! The media half of the engine: starts and stops tracks, wires senders to receivers, collects their figures. Once a
//! track is wired, its packets pass neither this file nor the engine's loop.
//!
//! Calls here may block for tens of milliseconds (starting a codec thread); the engine makes them from a place where
//! that is allowed. What takes longer is opened elsewhere and swapped in (`media/swap.rs`).

mod swap;

mod screen;
mod shown;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use super::levels::Levels;
use super::pictures::{Key, Pictures};
use super::router::Router;
use crate::av::Error;
use crate::av::capture::{self, CallOff};
use crate::av::devices::{Bell, Device, Kind};
use crate::av::outlets::Outlets;
use crate::av::playback::{self, Output, Playback};
use crate::av::publish::{Microphone, PictureTrack};
use crate::av::receive::Video;
use crate::av::spec::{self, DeviceChoice, Quality};
use crate::av::sync::Sync;
use crate::id::PeerId;
use crate::media::{self, Bitrate, ClockMap, Codec, Feedback, Pictures as Part, TrackId, TrackInfo, TrackKind, View};
use crate::slot::Shared;
use crate::stats;
pub use swap::{Opened, Plan, Step, cause, is_of_device, name_in};

/// Why a source or sink does not work.
pub use crate::av::Error as Trouble;

/// What the tracks start with.
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
    /// The microphone starts off: it is opened, and nothing of it leaves until it is switched on.
    pub muted: bool,
    /// How the microphone is processed.
    pub voice: spec::voice::Wish,
    /// Rate cap of all pictures to one peer, headers included.
    pub max_bitrate: Option<Bitrate>,
    /// Folder for remote pictures.
    pub dump_video: Option<PathBuf>,
    /// Folder for remote voices.
    pub dump_audio: Option<PathBuf>,
    /// A chosen device that is not there is told and does not end the start; nothing takes its place, so that what is shown
    /// as off is off. Without it only the default devices may lack.
    pub lenient: bool,
}

/// Peers that left and whose queues, threads and figures are kept for their return. Beyond it the one that left first is
/// forgotten: keys cost nothing, so somebody could come and go under thousands of them.
const MOST_AWAY: usize = 64;

/// One link, for feedback on its way back.
type Outlet = Arc<dyn media::Outlet>;

#[derive(Debug)]
struct Remote {
    clock: Shared<ClockMap>,
    outlet: Shared<Option<Outlet>>,
    /// Its camera.
    video: Option<Video>,
    /// Its screen.
    screen: Option<Video>,
    /// Its voice and the sound of its screen, as far as they have a place in the mix.
    sounds: BTreeMap<TrackKind, Heard>,
    /// Of its camera with its voice.
    sync: Sync,
}

/// A sound track that has a place in the mix.
#[derive(Debug)]
struct Heard {
    /// It sounds.
    on: bool,
}

/// All tracks of this process.
#[derive(Debug)]
pub struct Media {
    config: Config,
    router: Arc<Router>,
    camera: Option<PictureTrack>,
    camera_outlets: Outlets,
    screen: Option<PictureTrack>,
    screen_outlets: Outlets,
    /// Of the last screen that was to be opened.
    asking: CallOff,
    /// What was to be shared at the start, of which a person is asked first.
    asked_first: bool,
    /// What is heard with the screen, as it was wanted.
    screen_audio: Option<(spec::ScreenAudio, Microphone)>,
    screen_audio_outlets: Outlets,
    /// Why it could not begin.
    screen_audio_refused: Option<Error>,
    microphone: Option<Microphone>,
    microphone_outlets: Outlets,
    /// Of the worst link, as it was last told.
    loss: f64,
    playback: Playback,
    speaker_on: bool,
    /// Nothing is open where a speaker was chosen; one is opened when it is switched on.
    speaker_lost: bool,
    speaker_device: Option<Device>,
    /// What was asked for at the start and is not there.
    missing: Vec<(Kind, Error)>,
    remotes: BTreeMap<PeerId, Remote>,
    /// Those of them who left, first to leave first. At most [`MOST_AWAY`].
    away: VecDeque<PeerId>,
    /// What each peer asked of our tracks; applied whenever its link changes.
    wanted: BTreeMap<(PeerId, TrackKind), View>,
    /// Where what is received is looked at.
    pictures: Pictures,
    levels: Levels,
    /// Rung when one of our sources or sinks ends by itself.
    bell: Bell,
}

impl Media {
    /// Starts playback and the configured sources. Errors name the source or sink that failed; a default device that
    /// cannot be used is none ([`Media::troubles`] tells it). Real devices may take seconds.
    pub fn start(config: Config, router: Arc<Router>, (pictures, levels): (Pictures, Levels)) -> Result<Self, Error> {
        let mut missing = Vec::new();
        let output = match Output::open(&config.speaker) {
            Err(error)
                if (config.lenient || config.speaker == spec::Speaker::Device(DeviceChoice::Default))
                    && is_bearable(&error) =>
            {
                missing.push((Kind::Speaker, error));
                Output::none()
            }
            result => result?,
        };
        let (speaker_lost, speaker_device) = (!missing.is_empty(), output.device().cloned());
        let sink = playback::Config { speaker: config.speaker.clone(), dump: config.dump_audio.clone() };
        let playback = Playback::start_to(output, sink)?;
        let mut media = Self {
            router,
            camera: None,
            camera_outlets: Outlets::new(),
            screen: None,
            screen_outlets: Outlets::new(),
            asking: CallOff::default(),
            asked_first: false,
            screen_audio: None,
            screen_audio_outlets: Outlets::new(),
            screen_audio_refused: None,
            microphone: None,
            microphone_outlets: Outlets::new(),
            loss: 0.0,
            playback,
            speaker_on: !speaker_lost,
            speaker_lost,
            speaker_device,
            missing,
            remotes: BTreeMap::new(),
            away: VecDeque::new(),
            wanted: BTreeMap::new(),
            pictures,
            levels,
            bell: Bell::new(),
            config,
        };
        media.playback.ring(&media.bell);
        if let Some(dir) = &media.config.dump_video {
            std::fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.clone(), source })?;
        }
        if media.config.camera != spec::Camera::None {
            let result = media.plan_camera(media.config.camera.clone()).carry_out();
            let default = media.config.camera == spec::Camera::Device(DeviceChoice::Default);
            media.bear(Kind::Camera, default, true, result)?;
        }
        if media.config.microphone != spec::Microphone::None {
            let result = media.plan_microphone(media.config.microphone.clone()).carry_out();
            let default = media.config.microphone == spec::Microphone::Device(DeviceChoice::Default);
            let on = !media.config.muted;
            media.bear(Kind::Microphone, default, on, result)?;
        }
        if capture::asks(&media.config.screen) {
            media.asked_first = true;
        } else if media.config.screen != spec::Screen::None {
            let result = media.plan_screen(media.config.screen.clone()).carry_out();
            let default = media.config.screen == spec::Screen::Display(None);
            media.bear(Kind::Screen, default, true, result)?;
        }
        Ok(media)
    }

    /// Rung when there are [`Media::troubles`].
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// A device that may lack ([`Config::lenient`], or the default one) is told later; anything else ends the start.
    fn bear(&mut self, kind: Kind, default: bool, on: bool, result: Result<Opened, Error>) -> Result<(), Error> {
        match result {
            Err(error) if (default || self.config.lenient) && is_bearable(&error) => self.missing.push((kind, error)),
            result => self.install(result?, on),
        }
        Ok(())
    }

    /// Whose picture or voice broke off by a defect since the last call. It is tried again by itself; a picture that broke
    /// off too often is shown no more. Ask once a second.
    pub fn crashes(&mut self) -> Vec<(PeerId, TrackKind)> {
        let mut found = BTreeSet::new();
        for (peer, remote) in &self.remotes {
            for (kind, video) in remote.pictures() {
                if video.trouble().is_some() {
                    found.insert((*peer, kind));
                    if video.is_given_up() {
                        self.pictures.close(Key { peer: Some(*peer), kind });
                    }
                }
            }
        }
        while let Some(key) = self.playback.crashed() {
            found.insert(key);
        }
        found.into_iter().collect()
    }

    /// Whether the pictures in the window broke off by a defect since the last call. They go on by themselves.
    pub fn painter_crashed(&self) -> bool {
        self.pictures.crashes() > 0
    }

    /// Whether a screen is to be shared from the start and its person to be asked first: nothing waits for the answer. Once.
    pub fn asks_first(&mut self) -> bool {
        std::mem::take(&mut self.asked_first)
    }

    /// What we publish now.
    pub fn tracks(&self) -> Vec<TrackInfo> {
        let camera = self.camera.as_ref().map(PictureTrack::info);
        let microphone = self.microphone.as_ref().map(Microphone::info);
        let screen = self.screen.as_ref().map(PictureTrack::info);
        let screen_audio = self.screen_audio.as_ref().map(|(_, track)| track.info());
        camera.into_iter().chain(microphone).chain(screen).chain(screen_audio).collect()
    }

    /// Caps the camera's size. The real camera that is open and would better be opened anew for it comes back.
    pub fn set_quality(&mut self, quality: Quality) -> Option<spec::Camera> {
        let before = std::mem::replace(&mut self.config.quality, quality);
        let camera = self.camera.as_ref()?;
        camera.set_quality(quality);
        let another = before.of_camera() != quality.of_camera() && camera.info().on && camera.device().is_some();
        another.then(|| self.config.camera.clone())
    }

    /// Processes the microphone in another way from its next frame on.
    pub fn set_voice(&mut self, wish: spec::voice::Wish) {
        self.config.voice = wish;
        if let Some(microphone) = &self.microphone {
            microphone.set_voice(wish.of(&self.config.microphone));
        }
    }

    /// That the voice processing broke since the last call; it goes on. Ask once a second.
    pub fn voice_trouble(&self) -> Option<Error> {
        self.microphone.as_ref().and_then(Microphone::processing_trouble)
    }

    /// Tells the microphone how lossy the worst of its links is: more copies of its frames ride along.
    pub fn set_loss(&mut self, loss: f64) {
        self.loss = loss;
        for sound in self.microphone.iter().chain(self.screen_audio.as_ref().map(|(_, track)| track)) {
            self.tell_loss(sound);
        }
    }

    fn tell_loss(&self, sound: &Microphone) {
        sound.set_loss(self.loss);
        // What is lost towards us in one go is the best guess of what is on the way back.
        sound.set_outage(self.playback.outage());
    }

    /// Brings everybody's lips and voice together. Ask once a second.
    pub fn keep_in_step(&mut self) {
        for (peer, remote) in &mut self.remotes {
            let Some(video) = &remote.video else { continue };
            let speaks = remote.sounds.get(&TrackKind::Microphone).is_some_and(|sound| sound.on);
            let sound = self.playback.delay((*peer, TrackKind::Microphone)).filter(|_| speaks);
            video.hold(remote.sync.hold(sound, video.delay()));
        }
    }

    /// Sets how loud a peer is played.
    pub fn set_volume(&self, peer: PeerId, volume: f32) {
        self.playback.set_volume(peer, volume);
    }

    /// A peer's link is up, or another link took its place. `clock` is the same for a peer over all its links.
    pub fn on_link(&mut self, peer: PeerId, outlet: Outlet, clock: Shared<ClockMap>) {
        self.away.retain(|away| *away != peer);
        match self.remotes.get_mut(&peer) {
            Some(remote) => remote.outlet.set(Some(outlet)),
            None => {
                let remote = Remote {
                    clock,
                    outlet: Shared::new(Some(outlet)),
                    video: None,
                    screen: None,
                    sounds: BTreeMap::new(),
                    sync: Sync::default(),
                };
                self.remotes.insert(peer, remote);
            }
        }
        for kind in TrackKind::ALL {
            self.apply(peer, kind);
        }
    }

    /// A peer is gone. Its figures stay until the end.
    pub fn on_left(&mut self, peer: PeerId) {
        self.camera_outlets.remove(peer);
        self.repair_none(peer);
        self.microphone_outlets.remove(peer);
        self.screen_outlets.remove(peer);
        self.screen_audio_outlets.remove(peer);
        self.wanted.retain(|(who, _), _| *who != peer);
        if let Some(remote) = self.remotes.get_mut(&peer) {
            remote.outlet.set(None);
            for (kind, video) in remote.pictures() {
                video.set_on(false);
                self.pictures.close(Key { peer: Some(peer), kind });
            }
            self.levels.close(peer);
            // Silence after a peer has left is not concealment. Its files and totals wait for it.
            for (kind, _) in std::mem::take(&mut remote.sounds) {
                self.playback.remove((peer, kind));
            }
            self.away.push_back(peer);
        }
        while self.away.len() > MOST_AWAY {
            let Some(forgotten) = self.away.pop_front() else { break };
            // Dropping the remote ends its thread without waiting for it.
            self.remotes.remove(&forgotten);
            self.router.close(forgotten);
        }
    }

    /// A peer asks for one of our tracks at a size.
    pub fn on_wanted(&mut self, peer: PeerId, kind: TrackKind, view: View) {
        self.wanted.insert((peer, kind), view);
        self.apply(peer, kind);
    }

    fn apply(&self, peer: PeerId, kind: TrackKind) {
        let Some(view) = self.wanted.get(&(peer, kind)).copied() else { return };
        let Some(outlet) = self.remotes.get(&peer).and_then(|remote| remote.outlet.get()) else { return };
        match kind {
            TrackKind::Camera => {
                let owed = self.camera_outlets.set(peer, view, outlet);
                if let Some(camera) = self.camera.as_ref().filter(|_| owed) {
                    camera.request_keyframe(view);
                }
            }
            // Sound has one size.
            TrackKind::Microphone | TrackKind::ScreenAudio => {
                let view = if view == View::None { View::None } else { View::Large };
                let voice = kind == TrackKind::Microphone;
                let outlets = if voice { &self.microphone_outlets } else { &self.screen_audio_outlets };
                outlets.set(peer, view, outlet);
            }
            TrackKind::Screen => {
                let owed = self.screen_outlets.set(peer, view, outlet);
                if let Some(screen) = self.screen.as_ref().filter(|_| owed) {
                    screen.request_keyframe(view);
                }
            }
        }
    }

    /// What the layers of one of our picture tracks take at most, headers included; `None` when it does not run.
    pub fn takes(&self, kind: TrackKind) -> Option<(Bitrate, Bitrate)> {
        self.picture_track(kind).map(PictureTrack::takes)
    }

    fn picture_track(&self, kind: TrackKind) -> Option<&PictureTrack> {
        match kind {
            TrackKind::Camera => self.camera.as_ref(),
            TrackKind::Screen => self.screen.as_ref(),
            TrackKind::Microphone | TrackKind::ScreenAudio => None,
        }
    }

    /// The size that a peer looks at of one of our tracks.
    pub fn looks(&self, peer: PeerId, kind: TrackKind) -> View {
        self.wanted.get(&(peer, kind)).copied().unwrap_or(View::None)
    }

    /// What the links carry of the layers of one of our picture tracks.
    pub fn set_targets(&self, kind: TrackKind, main: Bitrate, tile: Bitrate) {
        if let Some(track) = self.picture_track(kind) {
            track.set_targets(Some(main), Some(tile));
        }
    }

    /// What a peer's link carries of one of our picture tracks.
    pub fn grant(&self, peer: PeerId, kind: TrackKind, view: View, pictures: Part) {
        let outlets = if kind == TrackKind::Screen { &self.screen_outlets } else { &self.camera_outlets };
        if let Some(view) = outlets.grant(peer, view, pictures)
            && let Some(track) = self.picture_track(kind)
        {
            track.request_keyframe(view);
        }
    }

    /// A peer's track appeared, changed or was muted; `view` is what we ask of it.
    pub fn on_track(&mut self, peer: PeerId, info: &TrackInfo, view: View) -> Result<(), Error> {
        let Some(remote) = self.remotes.get_mut(&peer) else { return Ok(()) };
        if ![Codec::H264.name(), Codec::Opus.name()].contains(&info.codec.as_str()) {
            return Ok(());
        }
        let kind = info.kind;
        if !kind.is_sound() {
            return self.show(peer, info, view);
        }
        let sound = remote.sounds.entry(kind).or_insert_with(|| {
            let inbox = self.router.open(peer, kind.id());
            self.playback.add((peer, kind), inbox, remote.clock.clone());
            Heard { on: false }
        });
        sound.on = info.on;
        if kind == TrackKind::Microphone
            && let Some(loudness) = self.playback.loudness((peer, kind))
        {
            self.levels.open(peer, loudness);
        }
        self.playback.set_muted((peer, kind), !(info.on && self.speaker_on));
        Ok(())
    }

    /// A peer's track is gone, or the peer is. Its figures stay.
    pub fn on_track_gone(&mut self, peer: PeerId, kind: TrackKind) {
        let Some(remote) = self.remotes.get_mut(&peer) else { return };
        match kind {
            TrackKind::Camera | TrackKind::Screen => self.hide(peer, kind),
            TrackKind::Microphone | TrackKind::ScreenAudio => {
                if kind == TrackKind::Microphone {
                    self.levels.close(peer);
                }
                if let Some(sound) = remote.sounds.get_mut(&kind) {
                    sound.on = false;
                    self.playback.set_muted((peer, kind), true);
                }
            }
        }
    }

    /// A receiver says something of one of our tracks.
    pub fn on_feedback(&self, peer: PeerId, track: TrackId, feedback: Feedback) {
        let of = match track {
            TrackId::CAMERA => &self.camera,
            TrackId::SCREEN => &self.screen,
            _ => return,
        };
        if let Some(track) = of {
            track.on_feedback(peer, feedback);
        }
    }

    /// What is received from `peer` and sent to it.
    pub fn stats(&self, peer: PeerId) -> stats::Peer {
        let remote = self.remotes.get(&peer);
        let video = remote.and_then(|remote| remote.video.as_ref()).map(Video::stats);
        let screen = remote.and_then(|remote| remote.screen.as_ref()).map(Video::stats);
        let view = |outlets: &Outlets| outlets.view_of(peer).unwrap_or(View::None);
        let sending = stats::SendingTracks {
            video: self.camera.as_ref().and_then(|camera| camera.sending(view(&self.camera_outlets))),
            audio: self.microphone_outlets.view_of(peer).and(self.microphone.as_ref()).and_then(Microphone::sending),
            screen: self.screen.as_ref().and_then(|screen| screen.sending(view(&self.screen_outlets))),
        };
        let sound = |kind| self.playback.stats((peer, kind));
        let (audio, screen_audio) = (sound(TrackKind::Microphone), sound(TrackKind::ScreenAudio));
        stats::Peer { video, screen, audio, screen_audio, sending, ..stats::Peer::default() }
    }

    /// Ends all threads; files that are being written are whole afterwards.
    pub fn stop(mut self) {
        self.asking.call_off();
        if let Some(camera) = self.camera.take() {
            camera.stop();
        }
        if let Some(screen) = self.screen.take() {
            screen.stop();
        }
        for sound in self.microphone.take().into_iter().chain(self.screen_audio.take().map(|(_, track)| track)) {
            sound.stop();
        }
        for (peer, remote) in std::mem::take(&mut self.remotes) {
            for video in [remote.video, remote.screen].into_iter().flatten() {
                video.stop();
            }
            self.router.close(peer);
        }
        self.playback.stop();
    }
}

/// A meeting can start without the device that fails like this.
fn is_bearable(error: &Error) -> bool {
    matches!(error, Error::NoDevice { .. } | Error::Device { .. } | Error::NoScreen { .. } | Error::ScreenEnded { .. })
}

#[cfg(all(test, feature = "devices"))]
mod tests {
    use super::*;
    use crate::engine::failure;
    use crate::engine::sources::Switch;
    use crate::meeting::WarningCode;

    /// Devices that were chosen by names that nothing has.
    fn chosen(lenient: bool) -> Config {
        let gone = || DeviceChoice::Name("there is no such device anywhere".to_owned());
        Config {
            camera: spec::Camera::Device(gone()),
            microphone: spec::Microphone::Device(gone()),
            screen: spec::Screen::None,
            muted: false,
            screen_audio: spec::ScreenAudio::Off,
            voice: spec::voice::Wish::default(),
            speaker: spec::Speaker::Device(gone()),
            quality: Quality::default(),
            max_bitrate: None,
            dump_video: None,
            dump_audio: None,
            lenient,
        }
    }

    fn start(config: Config) -> Result<Media, Error> {
        Media::start(config, Arc::default(), (Pictures::new(), Levels::new()))
    }

    #[test]
    fn chosen_devices_that_are_missing_are_off_with_a_warning_where_that_is_borne() {
        let mut media = start(chosen(true)).expect("it starts without");
        assert_eq!(media.tracks(), [], "nothing takes their place");
        assert!(!media.speaker_on && media.speaker_lost);
        let troubles: Vec<_> =
            media.missing().iter().map(|(kind, error)| (*kind, failure::trouble(*kind, error).code)).collect();
        let expect = [
            (Kind::Speaker, WarningCode::NoSpeaker),
            (Kind::Camera, WarningCode::NoCamera),
            (Kind::Microphone, WarningCode::NoMicrophone),
        ];
        assert_eq!(troubles, expect);
        assert!(media.missing().is_empty(), "told once");
        // To switch one on is to look for the chosen one again, and for no other.
        let switches = [
            Switch::Camera { on: true, source: None },
            Switch::Microphone { on: true, source: None },
            Switch::Speaker { on: true, sink: None },
        ];
        for switch in switches {
            let Step::Open(plan) = media.begin(&switch, None) else { panic!("{switch:?} opens nothing") };
            let result = plan.carry_out();
            assert!(matches!(result, Err(Error::NoDevice { .. })), "{switch:?}: {result:?}");
        }
        assert_eq!(media.tracks(), []);
        media.stop();
    }

    #[test]
    fn what_was_opened_gets_the_settings_of_now() {
        let mut media = start(Config {
            camera: spec::Camera::None,
            microphone: spec::Microphone::None,
            speaker: spec::Speaker::None,
            max_bitrate: Some(crate::media::Bitrate::from_bps(3_000_000)),
            ..chosen(false)
        })
        .expect("started");
        let card = spec::Camera::TestCard { width: 1280, height: 720, fps: 30 };
        let camera = media.plan_camera(card).carry_out().expect("a camera");
        let microphone = media.plan_microphone(spec::Microphone::Tone).carry_out().expect("a microphone");
        // While they open a person changes this and that, and a link gets worse.
        assert!(media.set_quality(Quality::P240).is_none());
        let voice = spec::voice::Voice::ON;
        media.set_voice(spec::voice::Wish { voice, sources: spec::voice::Sources::All });
        media.set_loss(0.25);
        media.install(camera, true);
        media.install(microphone, false);
        let sizes: Vec<(bool, u16, u16)> =
            media.tracks().iter().map(|track| (track.on, track.width, track.height)).collect();
        assert_eq!(sizes, [(true, 426, 240), (false, 0, 0)]);
        let told = media.microphone.as_ref().map(Microphone::told);
        assert_eq!(told, Some((voice, 2_500)));
        media.stop();
    }

    #[test]
    fn a_chosen_device_that_is_missing_ends_the_start_elsewhere() {
        let all = chosen(false);
        let none = Config {
            camera: spec::Camera::None,
            microphone: spec::Microphone::None,
            speaker: spec::Speaker::None,
            ..all.clone()
        };
        for config in [
            Config { camera: all.camera, ..none.clone() },
            Config { microphone: all.microphone, ..none.clone() },
            Config { speaker: all.speaker, ..none.clone() },
        ] {
            assert!(matches!(start(config.clone()), Err(Error::NoDevice { .. })), "{config:?}");
        }
        start(none).expect("without any it starts").stop();
    }

    #[test]
    fn what_fails_otherwise_ends_the_start_also_where_missing_devices_are_borne() {
        let camera = spec::Camera::File("no-such-file.y4m".into());
        let result = start(Config { camera, ..chosen(true) });
        assert!(matches!(result, Err(Error::Read { .. })), "{:?}", result.err());
    }
}
