//! What of a microphone's sound becomes packets: encoded frames with copies of earlier ones (`redundancy`), and pauses
//! while it is muted or silent (`silence`). Decides frame by frame and sends nothing itself: the thread around it does
//! (`microphone`), and tests in virtual time.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::av::Error;
use crate::av::codec::opus::Encoder;
use crate::av::packet::audio::{Audio as Packet, Level};
use crate::av::publish::redundancy::{FURTHEST, Redundancy};
use crate::av::publish::silence::{Silence, Worth};
use crate::frame::FRAME_SAMPLES;
use crate::media::Bitrate;

/// 480 samples, as timestamps count.
const FRAME_TICKS: u16 = 480;
/// Frames between two reminders of a pause, for those who come later: also what is left to know the path by.
const REMIND: u64 = 40;
/// Pause packets at once, against loss.
const PAUSES: u64 = 3;

/// Whether the person wants to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Yes.
    On,
    /// No: not a sample of it leaves.
    Muted,
}

/// The state of one track.
#[derive(Debug)]
pub struct Sender {
    encoder: Encoder,
    encoded: Vec<u8>,
    first_timestamp: u32,
    sequence: u16,
    /// Frame n-1, then frame n-2, and so on. Emptied by a gap.
    history: Vec<Bytes>,
    redundancy: Redundancy,
    silence: Silence,
    /// The newest frame that was not worth sending.
    unsent: Option<[f32; FRAME_SAMPLES]>,
    /// Frames since the track paused.
    paused: Option<u64>,
}

impl Sender {
    /// A track that begins with this sequence number and timestamp: random ones, so that listeners know a track that
    /// begins anew from one that goes on.
    pub fn new(bitrate: Bitrate, sequence: u16, first_timestamp: u32, now: Instant) -> Result<Self, Error> {
        Ok(Self {
            encoder: Encoder::new(bitrate)?,
            encoded: Vec::new(),
            first_timestamp,
            sequence,
            history: Vec::new(),
            redundancy: Redundancy::new(now),
            silence: Silence::default(),
            unsent: None,
            paused: None,
        })
    }

    /// Samples by which the decoder's output lags behind what was encoded at the same place.
    pub fn lookahead(&self) -> u16 {
        self.encoder.lookahead()
    }

    /// The timestamp of frame `frame`.
    pub fn timestamp(&self, frame: u64) -> u32 {
        let ticks = u32::try_from(frame * u64::from(FRAME_TICKS) % (1 << 32)).unwrap_or(0);
        self.first_timestamp.wrapping_add(ticks)
    }

    /// What was measured of the worst path, as [`Redundancy::on_path`] takes it.
    pub fn on_path(&mut self, now: Instant, loss: f64, outage: Duration) {
        self.redundancy.on_path(now, loss, outage);
    }

    /// The next frame is not the one after the last: time was left out, or nobody listened.
    pub fn on_gap(&mut self) {
        self.history.clear();
        self.unsent = None;
    }

    /// Takes frame `frame` of `level`; gives the packet to send, if one is due.
    pub fn frame(
        &mut self,
        frame: u64,
        level: Level,
        samples: &[f32; FRAME_SAMPLES],
        wish: Wish,
    ) -> Result<Option<Packet>, Error> {
        let worth = self.silence.on_level(level);
        if wish == Wish::Muted || worth == Worth::Silent {
            let pause = self.pause(frame);
            // What was said while muted is sent to nobody.
            self.unsent = (wish == Wish::On).then_some(*samples);
            return Ok(pause);
        }
        self.paused = None;
        let before = self.unsent.take();
        if let Some(before) = &before {
            let payload = self.encode(before)?;
            self.history.insert(0, payload);
        }
        let payload = self.encode(samples)?;
        let packet = match before {
            Some(_) => self.packet(frame, level, Some(payload.clone()), 1..=1),
            None => self.packet(frame, level, Some(payload.clone()), self.redundancy.backs()),
        };
        self.history.insert(0, payload);
        self.history.truncate(usize::from(FURTHEST));
        Ok(packet)
    }

    /// What says that the track ended before frame `frame`.
    pub fn end(&mut self, frame: u64) -> impl Iterator<Item = Packet> {
        self.paused = None;
        (0..PAUSES).filter_map(move |_| self.pause(frame))
    }

    /// Says that nothing comes: a few times at once, then now and then.
    fn pause(&mut self, frame: u64) -> Option<Packet> {
        let since = self.paused.map_or(0, |since| since + 1);
        self.paused = Some(since);
        let packet = (since < PAUSES || since.is_multiple_of(REMIND))
            .then(|| self.packet(frame, Level::SILENCE, None, 1..=2.max(self.redundancy.reach())));
        self.history.clear();
        packet.flatten()
    }

    fn encode(&mut self, samples: &[f32; FRAME_SAMPLES]) -> Result<Bytes, Error> {
        self.encoder.encode(samples, &mut self.encoded)?;
        Ok(Bytes::copy_from_slice(&self.encoded))
    }

    fn packet(
        &mut self,
        frame: u64,
        level: Level,
        payload: Option<Bytes>,
        backs: impl Iterator<Item = u8>,
    ) -> Option<Packet> {
        let earlier = |back: u8| Some((back, self.history.get(usize::from(back).checked_sub(1)?)?.clone()));
        let copies: Vec<(u8, Bytes)> = backs.filter_map(earlier).collect();
        // The encoder's frames are at most 500 bytes: they fit.
        let timestamp = self.timestamp(frame);
        let packet = Packet::with_copies(self.sequence, timestamp, level, FRAME_TICKS, payload, &copies)?;
        self.sequence = self.sequence.wrapping_add(1);
        Some(packet)
    }
}
