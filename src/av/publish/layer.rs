//! One layer of a picture track: its encoder, what it may spend, and the packets that it sends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::budget::{Budget, PACKET_OVERHEAD};
use super::gate::Gate;
use super::repairs::Repairs;
use crate::av::codec::{Content, Keyframe, VideoConfig, VideoEncoder, h264};
use crate::av::outlets::Outlets;
use crate::av::packet::header::Layer;
use crate::av::packet::packetizer::Packetizer;
use crate::av::repair::amount::Picture;
use crate::av::repair::keyframe::Maker;
use crate::frame::VideoFrame;
use crate::media::{Bitrate, Codec, Packet, PacketKind, Pictures, Priority, TrackId, View};
use crate::stats;

/// How long the packets of a picture may wait in a link's queue; then it is dropped whole.
#[derive(Debug, Clone, Copy)]
struct Patience {
    picture: Duration,
    /// Worth waiting for: without it nothing is shown.
    keyframe: Duration,
}

impl Patience {
    const fn of(content: Content) -> Self {
        match content {
            // The receiver would show it at most 100 ms late.
            Content::Camera => Self { picture: Duration::from_millis(250), keyframe: Duration::from_millis(600) },
            // A page of text is ten times a face, and late is better than never.
            Content::Screen => Self { picture: Duration::from_millis(500), keyframe: Duration::from_millis(1500) },
        }
    }
}

/// Whether a picture left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// To everybody who watches the layer.
    Yes,
    /// There was no room for it, or it could not be encoded.
    No,
}

/// One encoder and what belongs to its run.
struct Running {
    size: (u16, u16),
    encoder: Box<dyn VideoEncoder>,
    packetizer: Packetizer,
    target: Bitrate,
    /// A picture that others refer to was not sent: only a keyframe goes on.
    broken: bool,
}

/// One layer of a track.
pub struct LayerState {
    track: TrackId,
    layer: Layer,
    /// Who gets it.
    pub view: View,
    content: Content,
    running: Option<Running>,
    maker: Maker,
    /// What it spends.
    pub budget: Budget,
    /// The size that the codec refused, so that it is not tried thirty times a second.
    refused: Option<(u16, u16)>,
    repairs: Arc<Repairs>,
}

impl LayerState {
    /// A layer of `track` for those who watch at `view`; what it sends is kept in `repairs`.
    pub fn new(track: TrackId, layer: Layer, view: View, content: Content, repairs: Arc<Repairs>) -> Self {
        let (running, refused, budget) = (None, None, Budget::new(content));
        Self { track, layer, view, content, running, maker: Maker::default(), budget, refused, repairs }
    }

    /// The size that is encoded; `None` while nothing is.
    pub fn size(&self) -> Option<(u16, u16)> {
        self.running.as_ref().map(|running| running.size)
    }

    /// Frees the encoder.
    pub fn rest(&mut self) {
        self.running = None;
    }

    /// Somebody needs a keyframe.
    pub fn on_request(&mut self) {
        self.maker.on_request();
    }

    /// A keyframe is owed, and may be made now.
    pub fn owes(&self, now: Instant) -> bool {
        self.maker.poll(now)
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
                content: self.content,
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

    /// Encodes and sends one picture of this layer's size, which was so at `captured` (`clock::host_micros`).
    pub fn send(
        &mut self,
        now: Instant,
        picture: &VideoFrame,
        captured: u64,
        fps: u32,
        (outlets, gate): (&Outlets, &Gate),
    ) -> Sent {
        let key = self.maker.poll(now);
        if !key && !self.budget.allows(now) {
            tracing::trace!(layer = self.layer.name(), "no room for a picture");
            return Sent::No;
        }
        let size = (picture.width(), picture.height());
        let Some(running) = self.running(size, fps) else { return Sent::No };
        let force = if key || running.broken { Keyframe::Force } else { Keyframe::Auto };
        let encoded = match running.encoder.encode(picture, force) {
            Ok(Some(encoded)) => encoded,
            Ok(None) => return Sent::No,
            Err(e) => {
                tracing::warn!(layer = self.layer.name(), "{e}");
                self.running = None;
                return Sent::No;
            }
        };
        let Some(packets) = running.packetizer.cut(&encoded, captured) else {
            running.broken |= !encoded.discardable;
            tracing::warn!(layer = self.layer.name(), bytes = encoded.data.len(), "picture too large to send");
            return Sent::No;
        };
        let Some(_pass) = gate.pass() else {
            running.broken |= !encoded.discardable;
            return Sent::No;
        };
        if encoded.key {
            running.broken = false;
            self.maker.on_keyframe(now);
        }
        let (count, bytes) = (packets.bodies.len(), packets.bodies.iter().map(bytes::Bytes::len).sum());
        self.budget.on_sent(now, count, bytes);
        let packet_bits = 8 * (u64::try_from(bytes / count.max(1)).unwrap_or(0) + PACKET_OVERHEAD);
        let shape = Picture { packets: count, packet_bits, key: encoded.key, discardable: encoded.discardable };
        let room = self.budget.room(now);
        let (parity, lossy) = self.repairs.on_sent(now, &packets, shape, room, (outlets, self.view));
        self.budget.on_parity(now, packet_bits * u64::try_from(parity.len()).unwrap_or(0));
        let patience = Patience::of(self.content);
        let expires = now + if encoded.key { patience.keyframe } else { patience.picture };
        let pictures = if encoded.discardable { Pictures::All } else { Pictures::Half };
        let (track, priority, group) = (self.track, Priority::Video, packets.frame);
        for body in packets.bodies {
            let packet = Packet { kind: PacketKind::Video, track, priority, group, expires, body };
            outlets.send(self.view, pictures, &packet);
        }
        for body in parity {
            let packet = Packet { kind: PacketKind::Parity, track, priority, group, expires, body };
            for peer in &lossy {
                outlets.send_to(*peer, pictures, packet.clone());
            }
        }
        Sent::Yes
    }

    /// What it sends; `None` while it does not.
    pub fn sending(&self) -> Option<stats::Sending> {
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
