//! A local picture track, camera or screen: a capture thread, and an encoder thread that makes each wanted layer once for
//! all receivers.
//!
//! Layers: main (the camera's size within the quality; a screen's own size, so that its text is not scaled) for [`View::Large`], tile (320x180) for [`View::Small`]. A layer
//! that nobody watches is not encoded and its encoder is freed with the next picture. Both have two temporal layers:
//! every second picture is discardable, so half of all losses cost one picture and no keyframe. (Three would need the
//! receiver to decode over gaps in H.264's frame numbers; two cost 0.2 dB.)
//!
//! A screen that stands still gives no pictures: its last one is kept here, and encoded again for who joins or lost
//! something, and now and then for whoever did not notice ([`Repeat`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::budget::{self, on_wire, size_for};
use super::gate::Gate;
use super::layer::{LayerState, Sent};
use super::repairs::Repairs;
use super::repeat::Repeat;
use crate::av::capture::camera::{Capture, Name};
use crate::av::capture::{self, CallOff, Source};
use crate::av::codec::Content;
use crate::av::devices::{Bell, Device, Fate};
use crate::av::guard::watch;
use crate::av::outlets::Outlets;
use crate::av::packet::clock::Clock;
use crate::av::packet::header::Layer;
use crate::av::process::scale::Scaler;
use crate::av::repair::amount::Conditions;
use crate::av::spec::{self, Quality};
use crate::av::{Error, spec::fit};
use crate::clock;
use crate::frame::{Pool, Screen, VideoFrame};
use crate::id::PeerId;
use crate::media::{Bitrate, Codec, Feedback, Packet, PacketKind, Priority, TrackInfo, TrackKind, View};
use crate::slot::{Empty, Shared, Slot};
use crate::{stats, task};

/// How often the clock packet goes out.
const CLOCK_EVERY: Duration = Duration::from_secs(1);
/// The box of the tile layer.
const TILE: (u16, u16) = (320, 180);
/// How long a wish for a keyframe of a picture that stands still may wait to be seen.
const LOOK: Duration = Duration::from_millis(30);

/// Which track it is, and what follows.
#[derive(Debug, Clone, Copy)]
struct Which {
    kind: TrackKind,
    content: Content,
    capture: Name,
    encoder: Name,
}

const CAMERA: Which = Which {
    kind: TrackKind::Camera,
    content: Content::Camera,
    capture: Name { thread: "camera", words: "the camera" },
    encoder: Name { thread: "video-encode", words: "the encoder of the camera" },
};

const SCREEN: Which = Which {
    kind: TrackKind::Screen,
    content: Content::Screen,
    capture: Name { thread: "screen", words: "the shared screen" },
    encoder: Name { thread: "screen-encode", words: "the encoder of the shared screen" },
};

/// What a picture track may send.
#[derive(Debug, Clone, Copy, Default)]
pub struct PictureConfig {
    /// The cap on a camera's size. A screen is as large as it is, within what decoders take.
    pub quality: Quality,
    /// It starts off.
    pub muted: bool,
    /// The cap on what is sent to each peer, headers included; `None` chooses by size.
    pub max_bitrate: Option<Bitrate>,
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    on: bool,
    config: PictureConfig,
    /// What the links carry of main and tile, headers included.
    carried: [Option<Bitrate>; 2],
}

/// What the handle and the encoder thread share.
#[derive(Debug)]
struct Track {
    settings: Shared<Settings>,
    /// Nothing passes from when it is off.
    gate: Gate,
    outlets: Outlets,
    /// Where oneself looks at it.
    screen: Option<Arc<dyn Screen>>,
    /// Keyframes owed, main and tile.
    owed: [AtomicBool; 2],
    /// What was sent and may be asked for again, main and tile.
    repairs: [Arc<Repairs>; 2],
    /// What is sent, main and tile.
    sending: [Shared<Option<stats::Sending>>; 2],
    /// Of the source's pictures.
    size: Shared<(u16, u16)>,
    /// Pictures a second, rounded up.
    fps: u32,
}

impl Track {
    fn wanted(&self) -> bool {
        let seen = self.outlets.wants(View::Large) || self.outlets.wants(View::Small);
        self.settings.get().on && (seen || self.screen.as_ref().is_some_and(|screen| screen.watched()))
    }
}

/// Which of the two layers a view watches.
fn layer_index(view: View) -> Option<usize> {
    match view {
        View::Large => Some(0),
        View::Small => Some(1),
        View::None => None,
    }
}

/// A running picture track. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct PictureTrack {
    which: Which,
    track: Arc<Track>,
    capture: Option<Capture>,
    encoder: Option<JoinHandle<()>>,
    /// Of the encoder thread.
    fate: Fate,
}

impl PictureTrack {
    /// Opens a camera and starts its track, on. Errors tell what is wrong with the source. `screen` gets every picture
    /// as it is captured.
    pub fn camera(
        spec: &spec::Camera,
        config: PictureConfig,
        outlets: Outlets,
        screen: Option<Arc<dyn Screen>>,
    ) -> Result<Self, Error> {
        Self::start(CAMERA, capture::open(spec, config.quality)?, config, outlets, screen)
    }

    /// The same of a display or window that is shared. Where its person is asked first, that can be called off.
    pub fn screen(
        spec: &spec::Screen,
        call_off: &CallOff,
        config: PictureConfig,
        outlets: Outlets,
        screen: Option<Arc<dyn Screen>>,
    ) -> Result<Self, Error> {
        Self::start(SCREEN, capture::open_screen(spec, call_off)?, config, outlets, screen)
    }

    fn start(
        which: Which,
        source: Source,
        config: PictureConfig,
        outlets: Outlets,
        screen: Option<Arc<dyn Screen>>,
    ) -> Result<Self, Error> {
        let format = source.format();
        let track = Arc::new(Track {
            settings: Shared::new(Settings { on: !config.muted, config, carried: [None; 2] }),
            gate: Gate::new(!config.muted),
            outlets,
            screen,
            owed: Default::default(),
            repairs: Default::default(),
            sending: Default::default(),
            size: Shared::new((format.width, format.height)),
            fps: format.rate.0.div_ceil(format.rate.1),
        });
        // Overflow: the newest picture replaces the one that waits, so an encoder that is too slow skips pictures and
        // adds no delay.
        let slot = Slot::new();
        let fate = Fate::default();
        let encoder = {
            let (track, slot, fate) = (Arc::clone(&track), slot.clone(), fate.clone());
            let encode = move || {
                watch(which.encoder.words, &fate, || {
                    EncoderThread::new(which, track).run(&slot);
                    Ok(())
                });
            };
            task::thread(which.encoder.thread, encode).map_err(Error::Thread)?
        };
        let wanted = {
            let track = Arc::clone(&track);
            move || track.wanted()
        };
        let capture = Capture::start(which.capture, source, slot.clone(), wanted).inspect_err(|_| slot.close())?;
        Ok(Self { which, track, capture: Some(capture), encoder: Some(encoder), fate })
    }

    /// Why the source or the encoder ended by itself, told once; `None` while both run.
    pub fn trouble(&self) -> Option<Error> {
        self.capture.as_ref().and_then(Capture::trouble).or_else(|| self.fate.take())
    }

    /// Rings `bell` when there is a [`PictureTrack::trouble`].
    pub fn ring(&self, bell: &Bell) {
        if let Some(capture) = &self.capture {
            capture.ring(bell);
        }
        self.fate.ring(bell);
    }

    /// Which device gives its pictures, if one does.
    pub fn device(&self) -> Option<&Device> {
        self.capture.as_ref()?.device()
    }

    /// What is announced to the others; changes with [`PictureTrack::set_on`], [`PictureTrack::set_quality`] and the size
    /// of a screen.
    pub fn info(&self) -> TrackInfo {
        let Settings { on, config, .. } = self.track.settings.get();
        let (width, height) = main_size(self.which.content, config, self.track.size.get());
        TrackInfo { kind: self.which.kind, on, width, height, codec: Codec::H264.name().to_owned() }
    }

    /// Mutes (nothing is captured, encoded or sent) or goes on with a keyframe. When it returns nothing of a muted one is
    /// on its way to the links any more: what takes its place may send under the same track.
    pub fn set_on(&self, on: bool) {
        self.track.gate.set(on);
        let settings = self.track.settings.get();
        self.track.settings.set(Settings { on, ..settings });
    }

    /// Changes the cap on the size, from the next picture on.
    pub fn set_quality(&self, quality: Quality) {
        let settings = self.track.settings.get();
        self.track.settings.set(Settings { config: PictureConfig { quality, ..settings.config }, ..settings });
    }

    /// Changes the cap on the rate, from the next picture on.
    pub fn set_max_bitrate(&self, max_bitrate: Option<Bitrate>) {
        let settings = self.track.settings.get();
        self.track.settings.set(Settings { config: PictureConfig { max_bitrate, ..settings.config }, ..settings });
    }

    /// What the links carry of its two layers, headers included; `None` is no limit. From the next picture on.
    pub fn set_targets(&self, main: Option<Bitrate>, tile: Option<Bitrate>) {
        let settings = self.track.settings.get();
        if settings.carried != [main, tile] {
            self.track.settings.set(Settings { carried: [main, tile], ..settings });
        }
    }

    /// What its two layers take at most, headers included.
    pub fn takes(&self) -> (Bitrate, Bitrate) {
        let Settings { config, .. } = self.track.settings.get();
        let main = main_size(self.which.content, config, self.track.size.get());
        let tile = fit(main.0, main.1, TILE.0, TILE.1);
        let fps = self.track.fps;
        let takes = |content, (width, height): (u16, u16)| {
            let auto = match content {
                Content::Camera => budget::auto(width, height, fps.into()),
                Content::Screen => budget::auto_screen(width, height),
            };
            let whole = on_wire(auto, fps);
            config.max_bitrate.map_or(whole, |cap| cap.min(whole))
        };
        (takes(self.which.content, main), takes(Content::Camera, tile))
    }

    /// Takes a receiver's word about this track.
    pub fn on_feedback(&self, from: PeerId, feedback: Feedback) {
        match feedback {
            Feedback::Pli => self.request_keyframe(self.track.outlets.view_of(from).unwrap_or(View::None)),
            Feedback::Nack(nack) => {
                let (now, id, outlets) = (clock::now(), self.which.kind.id(), &self.track.outlets);
                // Also of a layer that it watched a moment ago.
                let _ = self.track.repairs.iter().any(|layer| layer.on_nack(now, id, from, &nack, outlets));
            }
        }
    }

    /// What the link to a receiver is like, which decides how much is repaired; `None` forgets it. Say it about once a
    /// second.
    pub fn set_link(&self, peer: PeerId, conditions: Option<Conditions>) {
        for layer in &self.track.repairs {
            layer.set_link(peer, conditions);
        }
    }

    /// Packets and pictures that receivers asked for again in vain, since the start.
    pub fn refused(&self) -> u64 {
        self.track.repairs.iter().map(|layer| layer.refused()).sum()
    }

    /// Owes a keyframe to those who watch this size: call it whenever [`Outlets::set`] returns true.
    pub fn request_keyframe(&self, view: View) {
        if let Some(index) = layer_index(view) {
            self.track.owed[index].store(true, Ordering::Relaxed);
        }
    }

    /// What is sent to somebody who watches this size; `None` when nothing is.
    pub fn sending(&self, view: View) -> Option<stats::Sending> {
        self.track.sending[layer_index(view)?].get()
    }

    /// Ends the track and waits for its threads.
    pub fn stop(mut self) {
        // The end of capture closes the slot, which ends the encoder thread.
        if let Some(capture) = self.capture.take() {
            capture.stop();
        }
        if let Some(encoder) = self.encoder.take()
            && encoder.join().is_err()
        {
            tracing::error!("the encoder thread panicked");
        }
    }
}

/// The size of the main layer for pictures of `size`.
fn main_size(content: Content, config: PictureConfig, size: (u16, u16)) -> (u16, u16) {
    match content {
        Content::Camera => config.quality.fit(size.0, size.1),
        Content::Screen => spec::Screen::fit(size.0, size.1),
    }
}

struct EncoderThread {
    which: Which,
    track: Arc<Track>,
    layers: [LayerState; 2],
    scaler: [Scaler; 2],
    pool: Pool,
    next_clock: Instant,
    /// Of a screen: what it shows until something changes.
    last: Option<Arc<VideoFrame>>,
    repeat: Repeat,
}

impl EncoderThread {
    fn new(which: Which, track: Arc<Track>) -> Self {
        let id = which.kind.id();
        // A tile is read at a glance: nobody reads text in it.
        let [main, tile] = track.repairs.clone();
        let main = LayerState::new(id, Layer::Main, View::Large, which.content, main);
        let tile = LayerState::new(id, Layer::Tile, View::Small, Content::Camera, tile);
        Self {
            which,
            track,
            layers: [main, tile],
            scaler: [Scaler::new(), Scaler::new()],
            pool: Pool::new(2),
            next_clock: clock::now(),
            last: None,
            repeat: Repeat::default(),
        }
    }

    fn run(mut self, slot: &Slot<VideoFrame>) {
        loop {
            let wait = if self.last.is_some() { LOOK } else { Duration::from_millis(500) };
            match slot.recv_timeout(wait) {
                Ok(picture) => {
                    let (picture, captured) = (Arc::new(picture), clock::host_micros());
                    let captured = if picture.captured == 0 { captured } else { picture.captured };
                    if self.which.content == Content::Screen {
                        self.last = Some(Arc::clone(&picture));
                    }
                    if let Some(screen) = &self.track.screen {
                        screen.show(&picture);
                    }
                    let sent = self.on_picture(&picture, captured);
                    self.repeat.on_picture(clock::now(), sent);
                }
                // Nothing is captured: nobody watches, or the track is muted.
                Err(Empty::Timeout) if !self.track.wanted() => self.rest(),
                Err(Empty::Timeout) => self.again(),
                Err(Empty::Closed) => return self.rest(),
            }
        }
    }

    /// Frees all encoders. What a screen shows may be something else when it is watched again.
    fn rest(&mut self) {
        self.last = None;
        for (layer, sending) in self.layers.iter_mut().zip(&self.track.sending) {
            layer.rest();
            sending.set(None);
        }
    }

    /// The picture that stands still once more, if it is time or somebody waits for it.
    fn again(&mut self) {
        let Some(last) = self.last.clone() else { return };
        let now = clock::now();
        let owed = self.layers.iter().zip(&self.track.owed).any(|(layer, owed)| {
            self.track.outlets.wants(layer.view) && (layer.owes(now) || owed.load(Ordering::Relaxed))
        });
        if self.repeat.poll(now, owed) {
            // It shows what is on the screen at this moment.
            let sent = self.on_picture(&last, clock::host_micros());
            self.repeat.on_repeated(clock::now(), sent);
        }
    }

    /// Encodes a picture in each layer that is wanted; `captured` is when it was so.
    fn on_picture(&mut self, picture: &Arc<VideoFrame>, captured: u64) -> Sent {
        let Settings { on, config, carried } = self.track.settings.get();
        if !on {
            self.rest();
            return Sent::Yes;
        }
        let size = (picture.width(), picture.height());
        self.track.size.set(size);
        let main = main_size(self.which.content, config, size);
        let tile = fit(main.0, main.1, TILE.0, TILE.1);
        for (layer, carried) in self.layers.iter_mut().zip(carried) {
            layer.budget.set_cap(config.max_bitrate);
            layer.budget.set_carried(carried);
        }
        // A smaller picture rather than a smear. Text must not be scaled.
        let main = if self.which.content == Content::Camera && carried[0].is_some() {
            let target = self.layers[0].budget.target(main.0, main.1, self.track.fps);
            size_for(main, self.layers[0].size(), target)
        } else {
            main
        };
        let sizes = [main, tile];
        let now = clock::now();
        if now >= self.next_clock {
            self.next_clock = now + CLOCK_EVERY;
            self.send_clock(now, captured);
        }
        let mut all = Sent::Yes;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            if !self.track.outlets.wants(layer.view) {
                layer.rest();
                self.track.sending[index].set(None);
                continue;
            }
            if self.track.owed[index].swap(false, Ordering::Relaxed) {
                layer.on_request();
            }
            let size = sizes[index];
            let outlets = &self.track.outlets;
            let sent = if size == (picture.width(), picture.height()) {
                layer.send(clock::now(), picture, captured, self.track.fps, (outlets, &self.track.gate))
            } else {
                let scaled = self.scaler[index].scale(picture, size.0, size.1, &self.pool);
                layer.send(clock::now(), &scaled, captured, self.track.fps, (outlets, &self.track.gate))
            };
            if sent == Sent::No {
                all = Sent::No;
            }
            self.track.sending[index].set(layer.sending());
        }
        all
    }

    /// Media time of a picture track is the host clock itself, so the pair says so; sound has its own unit.
    fn send_clock(&self, now: Instant, captured: u64) {
        let packet = Packet {
            kind: PacketKind::Clock,
            track: self.which.kind.id(),
            priority: Priority::Feedback,
            group: 0,
            expires: now + CLOCK_EVERY,
            body: Clock { timestamp: captured, host_micros: captured }.encode(),
        };
        if let Some(_pass) = self.track.gate.pass() {
            self.track.outlets.send_all(&packet);
        }
    }
}

#[cfg(test)]
mod tests;
