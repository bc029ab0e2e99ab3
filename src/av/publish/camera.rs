//! The local camera track: a capture thread, and an encoder thread that makes each wanted layer once for all receivers.
//!
//! Layers: main (the camera's size within the quality) for [`View::Large`], tile (320x180) for [`View::Small`]. A layer
//! that nobody watches is not encoded and its encoder is freed with the next picture. Both have two temporal layers:
//! every second picture is discardable, so half of all losses cost one picture and no keyframe. (Three would need the
//! receiver to decode over gaps in H.264's frame numbers; two cost 0.2 dB.)

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::budget::Budget;
use crate::av::capture::{self, Format, camera::Capture};
use crate::av::codec::{Keyframe, VideoConfig, VideoEncoder, h264};
use crate::av::devices::{Device, Fate};
use crate::av::guard::watch;
use crate::av::outlets::Outlets;
use crate::av::packet::clock::Clock;
use crate::av::packet::header::Layer;
use crate::av::packet::packetizer::Packetizer;
use crate::av::process::scale::Scaler;
use crate::av::repair::keyframe::Maker;
use crate::av::spec::{self, Quality};
use crate::av::{Error, spec::fit};
use crate::clock;
use crate::frame::{Pool, Screen, VideoFrame};
use crate::id::PeerId;
use crate::media::{Bitrate, Codec, Feedback, Packet, PacketKind, Priority, TrackId, TrackInfo, TrackKind, View};
use crate::slot::{Empty, Shared, Slot};
use crate::{stats, task};

/// A picture that waited longer in a link's queue is dropped whole: the receiver would show it at most 100 ms late.
const EXPIRES: Duration = Duration::from_millis(250);
/// A keyframe is worth waiting for: without it nothing is shown.
const KEYFRAME_EXPIRES: Duration = Duration::from_millis(600);
/// How often the clock packet goes out.
const CLOCK_EVERY: Duration = Duration::from_secs(1);
/// The box of the tile layer.
const TILE: (u16, u16) = (320, 180);

/// What a camera track may send.
#[derive(Debug, Clone, Copy, Default)]
pub struct CameraConfig {
    /// The cap on its size.
    pub quality: Quality,
    /// The cap on what is sent to each peer, headers included; `None` chooses by size.
    pub max_bitrate: Option<Bitrate>,
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    on: bool,
    config: CameraConfig,
}

/// What the handle and the encoder thread share.
#[derive(Debug)]
struct Track {
    settings: Shared<Settings>,
    outlets: Outlets,
    /// Where oneself looks at it.
    screen: Option<Arc<dyn Screen>>,
    /// Keyframes owed, main and tile.
    owed: [AtomicBool; 2],
    /// What is sent, main and tile.
    sending: [Shared<Option<stats::Sending>>; 2],
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

/// A running camera track. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Camera {
    track: Arc<Track>,
    format: Format,
    capture: Option<Capture>,
    encoder: Option<JoinHandle<()>>,
    /// Of the encoder thread.
    fate: Fate,
}

impl Camera {
    /// Opens the source and starts the track, on. Errors tell what is wrong with the source. `screen` gets every picture
    /// as it is captured.
    pub fn start(
        spec: &spec::Camera,
        config: CameraConfig,
        outlets: Outlets,
        screen: Option<Arc<dyn Screen>>,
    ) -> Result<Self, Error> {
        let source = capture::open(spec)?;
        let format = source.format();
        let track = Arc::new(Track {
            settings: Shared::new(Settings { on: true, config }),
            outlets,
            screen,
            owed: Default::default(),
            sending: Default::default(),
        });
        // Overflow: the newest picture replaces the one that waits, so an encoder that is too slow skips pictures and
        // adds no delay.
        let slot = Slot::new();
        let fate = Fate::default();
        let encoder = {
            let (track, slot, fate) = (Arc::clone(&track), slot.clone(), fate.clone());
            let encode = move || {
                watch("the encoder of the camera", &fate, || {
                    EncoderThread::new(track, format).run(&slot);
                    Ok(())
                });
            };
            task::thread("video-encode", encode).map_err(Error::Thread)?
        };
        let wanted = {
            let track = Arc::clone(&track);
            move || track.wanted()
        };
        let capture = Capture::start(source, slot.clone(), wanted).inspect_err(|_| slot.close())?;
        Ok(Self { track, format, capture: Some(capture), encoder: Some(encoder), fate })
    }

    /// Why the source or the encoder ended by itself, told once; `None` while both run.
    pub fn trouble(&self) -> Option<Error> {
        self.capture.as_ref().and_then(Capture::trouble).or_else(|| self.fate.take())
    }

    /// Which device gives its pictures, if one does.
    pub fn device(&self) -> Option<&Device> {
        self.capture.as_ref()?.device()
    }

    /// What is announced to the others; changes with [`Camera::set_on`] and [`Camera::set_quality`].
    pub fn info(&self) -> TrackInfo {
        let Settings { on, config } = self.track.settings.get();
        let (width, height) = config.quality.fit(self.format.width, self.format.height);
        TrackInfo { kind: TrackKind::Camera, on, width, height, codec: Codec::H264.name().to_owned() }
    }

    /// Mutes (nothing is captured, encoded or sent) or goes on with a keyframe.
    pub fn set_on(&self, on: bool) {
        let settings = self.track.settings.get();
        self.track.settings.set(Settings { on, ..settings });
    }

    /// Changes the cap on the size, from the next picture on.
    pub fn set_quality(&self, quality: Quality) {
        let settings = self.track.settings.get();
        self.track.settings.set(Settings { config: CameraConfig { quality, ..settings.config }, ..settings });
    }

    /// Changes the cap on the rate, from the next picture on.
    pub fn set_max_bitrate(&self, max_bitrate: Option<Bitrate>) {
        let settings = self.track.settings.get();
        self.track.settings.set(Settings { config: CameraConfig { max_bitrate, ..settings.config }, ..settings });
    }

    /// Takes a receiver's word about this track.
    pub fn on_feedback(&self, from: PeerId, feedback: Feedback) {
        match feedback {
            Feedback::Pli => self.request_keyframe(self.track.outlets.view_of(from).unwrap_or(View::None)),
        }
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

/// One layer's encoder and what belongs to its run.
struct Running {
    size: (u16, u16),
    encoder: Box<dyn VideoEncoder>,
    packetizer: Packetizer,
    target: Bitrate,
    /// A picture that others refer to was not sent: only a keyframe goes on.
    broken: bool,
}

struct LayerState {
    layer: Layer,
    view: View,
    running: Option<Running>,
    maker: Maker,
    budget: Budget,
    /// The size that the codec refused, so that it is not tried thirty times a second.
    refused: Option<(u16, u16)>,
}

impl LayerState {
    fn new(layer: Layer, view: View) -> Self {
        let (running, refused) = (None, None);
        Self { layer, view, running, maker: Maker::default(), budget: Budget::default(), refused }
    }

    /// The encoder for `size`, made when there is none or of another size.
    fn running(&mut self, size: (u16, u16), fps: u32) -> Option<&mut Running> {
        let target = self.budget.target(size.0, size.1, fps);
        if self.refused == Some(size) {
            return None;
        }
        if self.running.as_ref().is_none_or(|running| running.size != size) {
            let fps = fps.clamp(1, 120);
            let config = VideoConfig {
                width: size.0,
                height: size.1,
                fps: u16::try_from(fps).map_or(30.0, f32::from),
                bitrate: target,
                temporal_layers: 2,
            };
            match h264::Encoder::new(config) {
                Ok(encoder) => {
                    tracing::debug!(layer = self.layer.name(), ?config, "encoder started");
                    // Numbers start anywhere, so that no link confuses them with another encoder's.
                    let packetizer = Packetizer::new(rand::random(), self.layer, rand::random());
                    let encoder = Box::new(encoder);
                    self.running = Some(Running { size, encoder, packetizer, target, broken: false });
                }
                Err(e) => {
                    tracing::warn!(layer = self.layer.name(), "{e}");
                    self.running = None;
                    self.refused = Some(size);
                }
            }
        }
        let running = self.running.as_mut()?;
        if running.target != target {
            running.encoder.set_bitrate(target);
            running.target = target;
        }
        Some(running)
    }

    /// Encodes and sends one picture of this layer's size.
    fn send(&mut self, now: Instant, picture: &VideoFrame, fps: u32, outlets: &Outlets) {
        let key = self.maker.poll(now);
        if !key && !self.budget.allows(now) {
            tracing::trace!(layer = self.layer.name(), "no room for a picture");
            return;
        }
        let size = (picture.width(), picture.height());
        let Some(running) = self.running(size, fps) else { return };
        let force = if key || running.broken { Keyframe::Force } else { Keyframe::Auto };
        let encoded = match running.encoder.encode(picture, force) {
            Ok(Some(encoded)) => encoded,
            Ok(None) => return,
            Err(e) => {
                tracing::warn!(layer = self.layer.name(), "{e}");
                self.running = None;
                return;
            }
        };
        let Some(packets) = running.packetizer.cut(&encoded, picture.captured) else {
            running.broken |= !encoded.discardable;
            tracing::warn!(layer = self.layer.name(), bytes = encoded.data.len(), "picture too large to send");
            return;
        };
        if encoded.key {
            running.broken = false;
            self.maker.on_keyframe(now);
        }
        let bytes = packets.bodies.iter().map(bytes::Bytes::len).sum();
        self.budget.on_sent(now, packets.bodies.len(), bytes);
        let expires = now + if encoded.key { KEYFRAME_EXPIRES } else { EXPIRES };
        for body in packets.bodies {
            let packet = Packet {
                kind: PacketKind::Video,
                track: TrackId::CAMERA,
                priority: Priority::Video,
                group: packets.frame,
                expires,
                body,
            };
            outlets.send(self.view, &packet);
        }
    }

    fn sending(&self) -> Option<stats::Sending> {
        let running = self.running.as_ref()?;
        Some(stats::Sending {
            target_bps: Some(running.target.bps()),
            layer: Some(self.layer.name().to_owned()),
            width: Some(running.size.0),
            height: Some(running.size.1),
            codec: Some(Codec::H264.name().to_owned()),
        })
    }
}

struct EncoderThread {
    track: Arc<Track>,
    format: Format,
    /// Pictures a second, rounded up.
    fps: u32,
    layers: [LayerState; 2],
    scaler: [Scaler; 2],
    pool: Pool,
    next_clock: Instant,
}

impl EncoderThread {
    fn new(track: Arc<Track>, format: Format) -> Self {
        Self {
            track,
            format,
            fps: format.rate.0.div_ceil(format.rate.1),
            layers: [LayerState::new(Layer::Main, View::Large), LayerState::new(Layer::Tile, View::Small)],
            scaler: [Scaler::new(), Scaler::new()],
            pool: Pool::new(2),
            next_clock: clock::now(),
        }
    }

    fn run(mut self, slot: &Slot<VideoFrame>) {
        loop {
            match slot.recv_timeout(Duration::from_millis(500)) {
                Ok(picture) => self.on_picture(&Arc::new(picture)),
                // Nothing is captured: nobody watches, or the track is muted.
                Err(Empty::Timeout) if !self.track.wanted() => self.rest(),
                Err(Empty::Timeout) => {}
                Err(Empty::Closed) => return self.rest(),
            }
        }
    }

    /// Frees all encoders.
    fn rest(&mut self) {
        for (layer, sending) in self.layers.iter_mut().zip(&self.track.sending) {
            layer.running = None;
            sending.set(None);
        }
    }

    fn on_picture(&mut self, picture: &Arc<VideoFrame>) {
        let Settings { on, config } = self.track.settings.get();
        if !on {
            return self.rest();
        }
        if let Some(screen) = &self.track.screen {
            screen.show(picture);
        }
        let main = config.quality.fit(self.format.width, self.format.height);
        let sizes = [main, fit(main.0, main.1, TILE.0, TILE.1)];
        let now = clock::now();
        if now >= self.next_clock {
            self.next_clock = now + CLOCK_EVERY;
            self.send_clock(now, picture.captured);
        }
        for (index, layer) in self.layers.iter_mut().enumerate() {
            if !self.track.outlets.wants(layer.view) {
                layer.running = None;
                self.track.sending[index].set(None);
                continue;
            }
            layer.budget.set_cap(config.max_bitrate);
            if self.track.owed[index].swap(false, Ordering::Relaxed) {
                layer.maker.on_request();
            }
            let size = sizes[index];
            if size == (picture.width(), picture.height()) {
                layer.send(clock::now(), picture, self.fps, &self.track.outlets);
            } else {
                let scaled = self.scaler[index].scale(picture, size.0, size.1, &self.pool);
                layer.send(clock::now(), &scaled, self.fps, &self.track.outlets);
            }
            self.track.sending[index].set(layer.sending());
        }
    }

    /// Media time of a picture track is the host clock itself, so the pair says so; sound has its own unit.
    fn send_clock(&self, now: Instant, captured: u64) {
        let packet = Packet {
            kind: PacketKind::Clock,
            track: TrackId::CAMERA,
            priority: Priority::Feedback,
            group: 0,
            expires: now + CLOCK_EVERY,
            body: Clock { timestamp: captured, host_micros: captured }.encode(),
        };
        self.track.outlets.send_all(&packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks whoever shows it a picture.
    #[derive(Debug)]
    struct Broken;

    impl Screen for Broken {
        fn watched(&self) -> bool {
            true
        }

        fn show(&self, _picture: &Arc<VideoFrame>) {
            panic!("as a codec may")
        }
    }

    #[test]
    fn an_encoder_that_panics_is_a_trouble_of_its_camera() {
        let card = spec::Camera::TestCard { width: 64, height: 36, fps: 60 };
        let screen = Some(Arc::new(Broken) as Arc<dyn Screen>);
        let camera = Camera::start(&card, CameraConfig::default(), Outlets::new(), screen).expect("started");
        let deadline = clock::now() + Duration::from_secs(10);
        let trouble = loop {
            if let Some(trouble) = camera.trouble() {
                break trouble;
            }
            assert!(clock::now() < deadline, "it is told");
            std::thread::yield_now();
        };
        assert!(matches!(trouble, Error::Crashed { what: "the encoder of the camera" }), "{trouble}");
        assert!(camera.trouble().is_none(), "told once");
        camera.stop();
    }
}
