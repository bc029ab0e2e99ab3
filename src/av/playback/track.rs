//! One remote sound track on its way to the mixer: what came in goes to the jitter buffer, what is due comes out as
//! 10 ms of samples. Holds the decoder and the few samples that are decoded ahead, lengthens and shortens them when the
//! jitter buffer says so, and counts.
//!
//! Lives on the playback thread; only [`Figures`] is shared.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::av::Error;
use crate::av::codec::opus::{Decoder, MAX_SAMPLES};
use crate::av::jitter::audio::{self as jitter, Adjust, Heard, Step};
use crate::av::jitter::outage::Outage;
use crate::av::jitter::stretch;
use crate::av::loudness::Loudness;
use crate::av::packet::audio::Audio as Packet;
use crate::av::packet::clock::Clock;
use crate::frame::FRAME_SAMPLES;
use crate::media::{Arrival, ClockMap, PacketKind};
use crate::slot::{Ring, Shared};
use crate::stats::{self, Latency, LatencyKind};

/// Made-up sound is at full level this long, then fades, then is silence: what is guessed longer is noise.
const CONCEAL_FULL: u32 = 3;
const CONCEAL_END: u32 = 9;
/// After so many tries without a good place to lengthen, a made-up frame is put in.
const LENGTHEN_TRIES: u32 = 5;
/// Most latencies kept between two readings: 10 s. Overflow: the oldest is forgotten.
const MOST_LATENCIES: usize = 1000;
/// Samples over which sound comes back after silence.
const FADE_IN: usize = 120;

/// What a track counted. Totals are in samples.
#[derive(Debug, Default)]
pub struct Figures {
    played: u64,
    concealed: u64,
    repaired: u64,
    underruns: u64,
    late: u64,
    refused: u64,
    buffer: Option<u32>,
    latencies: std::collections::VecDeque<f64>,
    kind: Option<LatencyKind>,
    /// Packets that are usually lost in one go; 0 when none are.
    pub outage: u16,
    /// From capture by the sender's host clock to where it is played by ours, in microseconds.
    pub delay: Option<i64>,
    /// How loud it is as it comes in.
    pub loudness: Loudness,
}

impl Figures {
    /// The figures of `cli.md`; the interval's part starts anew.
    pub fn read(&mut self) -> stats::Audio {
        let ms = |samples: u64| samples / 48;
        let latencies: Vec<f64> = self.latencies.drain(..).collect();
        let latency_ms = Latency::of(&latencies);
        stats::Audio {
            played_ms: ms(self.played),
            concealed_ms: ms(self.concealed),
            repaired_ms: ms(self.repaired),
            underruns: self.underruns,
            buffer_ms: self.buffer.map(|samples| f64::from(samples) / 48.0),
            latency_kind: self.kind.filter(|_| latency_ms.is_some()),
            latency_ms,
        }
    }

    /// Milliseconds played.
    #[cfg(test)]
    pub fn played_ms(&self) -> u64 {
        self.played / 48
    }

    fn latency(&mut self, ms: f64) {
        if self.latencies.len() >= MOST_LATENCIES {
            self.latencies.pop_front();
        }
        self.latencies.push_back(ms);
    }
}

/// One remote track.
#[derive(Debug)]
pub struct Track {
    inbox: Ring<Arrival>,
    map: Shared<ClockMap>,
    figures: Arc<Mutex<Figures>>,
    loudness: Loudness,
    jitter: jitter::Audio,
    outage: Outage,
    decoder: Decoder,
    scratch: Box<[f32; MAX_SAMPLES]>,
    // Decoded and not yet played.
    ahead: Vec<f32>,
    // The end of what was played, oldest first.
    past: Vec<f32>,
    clock: Option<Clock>,
    // Frames made up since the last real one.
    run: u32,
    silent: bool,
    tries: u32,
    muted: bool,
}

/// Samples as the jitter buffer counts them.
fn count(samples: usize) -> u32 {
    u32::try_from(samples).unwrap_or(u32::MAX)
}

impl Track {
    /// The same track from its start, with all that it counted.
    pub fn anew(self, now: Instant) -> Result<Self, Error> {
        Self::new(now, self.inbox, self.map, self.figures)
    }

    /// A track whose packets come through `inbox`.
    pub fn new(
        now: Instant,
        inbox: Ring<Arrival>,
        map: Shared<ClockMap>,
        figures: Arc<Mutex<Figures>>,
    ) -> Result<Self, Error> {
        let loudness = figures.lock().unwrap_or_else(PoisonError::into_inner).loudness.clone();
        Ok(Self {
            inbox,
            map,
            figures,
            loudness,
            jitter: jitter::Audio::new(now),
            outage: Outage::default(),
            decoder: Decoder::new()?,
            scratch: Box::new([0.0; MAX_SAMPLES]),
            ahead: Vec::with_capacity(4 * MAX_SAMPLES),
            past: vec![0.0; stretch::LENGTHEN_NEEDS],
            clock: None,
            run: 0,
            silent: true,
            tries: 0,
            muted: false,
        })
    }

    /// Takes the packets from another queue from now on, and another clock (a new link).
    pub fn follow(&mut self, inbox: Ring<Arrival>, map: Shared<ClockMap>) {
        self.inbox = inbox;
        self.map = map;
    }

    /// Nobody is to be heard: a pause of it is not played.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Takes in what came.
    pub fn receive(&mut self) {
        let mut late = 0;
        let mut refused = 0;
        while let Some(arrival) = self.inbox.try_recv() {
            match arrival.kind {
                PacketKind::Clock => match Clock::parse(&arrival.body) {
                    Some(clock) => self.clock = Some(clock),
                    None => refused += 1,
                },
                PacketKind::Audio => match Packet::parse(&arrival.body) {
                    Some(packet) => {
                        let heard = self.jitter.on_packet(arrival.arrived, &packet);
                        if heard != Heard::Strange {
                            self.outage.on_packet(packet.sequence);
                        }
                        match heard {
                            Heard::New if packet.frame.is_some() => self.loudness.hear(arrival.arrived, packet.level),
                            Heard::New => self.loudness.hush(),
                            Heard::Late => late += u64::from(packet.frame.is_some()),
                            Heard::Strange => refused += 1,
                            Heard::Restart => {
                                tracing::debug!("a remote microphone started anew");
                                self.ahead.clear();
                                self.run = 0;
                            }
                        }
                    }
                    None => refused += 1,
                },
                PacketKind::Video | PacketKind::Feedback | PacketKind::Parity => refused += 1,
            }
        }
        if late + refused > 0 {
            let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
            figures.late += late;
            figures.refused += refused;
        }
    }

    /// Writes the 10 ms that are due at `due` (at `due_host` by our host clock). False when they are silence.
    pub fn pull(&mut self, due: Instant, due_host: u64, out: &mut [f32; FRAME_SAMPLES]) -> bool {
        let mut tally = Tally::default();
        let shorten = match self.jitter.adjust(due, count(self.ahead.len())) {
            Adjust::Keep => 0,
            Adjust::Lengthen => {
                self.lengthen(&mut tally);
                0
            }
            Adjust::Shorten(most) => most,
            Adjust::Skip => {
                tracing::debug!("a sound track is far behind and skips");
                self.ahead.clear();
                0
            }
        };
        if shorten > 0 {
            self.shorten(shorten, &mut tally);
        }
        let front = self.jitter.front(count(self.ahead.len()));
        while self.ahead.len() < FRAME_SAMPLES {
            self.step(&mut tally);
        }
        for (to, from) in out.iter_mut().zip(self.ahead.drain(..FRAME_SAMPLES)) {
            *to = from;
        }
        self.past.extend_from_slice(out);
        self.past.drain(..FRAME_SAMPLES);
        self.count(&tally, front, due_host);
        tally.sounding || !self.silent
    }

    fn count(&self, tally: &Tally, front: Option<i64>, due_host: u64) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.played += tally.played;
        figures.concealed += tally.concealed;
        figures.repaired += tally.repaired;
        figures.underruns += tally.underruns;
        let buffered = self.jitter.buffered() + count(self.ahead.len());
        figures.buffer = front.map(|_| buffered);
        figures.outage = self.outage.packets();
        if !tally.heard {
            return;
        }
        let Some(captured) = front.and_then(|front| captured(self.clock?, front)) else { return };
        figures.delay = i64::try_from(due_host).ok().zip(i64::try_from(captured).ok()).map(|(due, then)| due - then);
        let Some((latency, kind)) = latency(self.map.get(), captured, due_host) else { return };
        figures.latency(latency);
        figures.kind = Some(kind);
    }

    /// Decodes or makes up the next frame.
    fn step(&mut self, tally: &mut Tally) {
        match self.jitter.pull() {
            Step::Idle(duration) => self.idle(usize::from(duration)),
            Step::Pause(duration) => {
                self.idle(usize::from(duration));
                // Silence is what there is to hear of somebody who may speak, and it has its time.
                if !self.muted {
                    tally.played += u64::from(duration);
                    tally.heard = true;
                }
            }
            Step::Frame { payload, duration, repaired } => {
                let samples = usize::from(duration);
                let Some(made) = self.decoder.decode(&payload, &mut self.scratch) else {
                    self.conceal(samples, tally);
                    return;
                };
                // A frame of another length than it said must not move the time line.
                if made < samples {
                    self.scratch[made..samples].fill(0.0);
                }
                if self.silent {
                    fade(&mut self.scratch[..FADE_IN.min(samples)], 0.0, 1.0);
                }
                self.ahead.extend_from_slice(&self.scratch[..samples]);
                self.run = 0;
                self.silent = false;
                tally.played += u64::from(duration);
                tally.heard = true;
                tally.sounding = true;
                if repaired {
                    tally.repaired += u64::from(duration);
                }
            }
            Step::Conceal { duration, empty } => {
                if empty && self.run == 0 {
                    tally.underruns += 1;
                }
                self.conceal(usize::from(duration), tally);
            }
        }
    }

    fn idle(&mut self, samples: usize) {
        if self.silent {
            self.ahead.resize(self.ahead.len() + samples, 0.0);
            return;
        }
        // The sender stopped in the middle of a sound: let it end softly.
        self.decoder.conceal(samples, &mut self.scratch);
        fade(&mut self.scratch[..samples], 1.0, 0.0);
        self.ahead.extend_from_slice(&self.scratch[..samples]);
        self.silent = true;
        self.run = 0;
    }

    fn conceal(&mut self, samples: usize, tally: &mut Tally) {
        let ramp = |run: u32| {
            let left = f32::from(u16::try_from(CONCEAL_END.saturating_sub(run)).unwrap_or(0));
            (left / f32::from(u16::try_from(CONCEAL_END - CONCEAL_FULL).unwrap_or(1))).min(1.0)
        };
        if self.silent {
            self.scratch[..samples].fill(0.0);
        } else {
            self.decoder.conceal(samples, &mut self.scratch);
            fade(&mut self.scratch[..samples], ramp(self.run), ramp(self.run + 1));
        }
        self.ahead.extend_from_slice(&self.scratch[..samples]);
        self.run = self.run.saturating_add(1);
        self.silent |= self.run >= CONCEAL_END;
        tally.sounding |= !self.silent;
        let samples = u64::try_from(samples).unwrap_or(0);
        tally.played += samples;
        tally.concealed += samples;
    }

    /// Puts a period in front of what is played next, or after several tries a made-up frame.
    fn lengthen(&mut self, tally: &mut Tally) {
        if self.ahead.len() < FRAME_SAMPLES && !self.jitter.ready() {
            // Nothing there: the jitter buffer holds its place while the missing frame is made up.
            return;
        }
        while self.ahead.len() < FRAME_SAMPLES {
            self.step(tally);
        }
        let put = stretch::lengthen(&self.past, &mut self.ahead);
        self.tries = if put > 0 { 0 } else { self.tries + 1 };
        if self.tries >= LENGTHEN_TRIES {
            self.tries = 0;
            self.decoder.conceal(FRAME_SAMPLES, &mut self.scratch);
            fade(&mut self.scratch[..FRAME_SAMPLES], 1.0, 0.7);
            self.ahead.splice(..0, self.scratch[..FRAME_SAMPLES].iter().copied());
            tally.concealed += FRAME_SAMPLES as u64;
        }
    }

    fn shorten(&mut self, most: u32, tally: &mut Tally) {
        while self.ahead.len() < stretch::SHORTEN_NEEDS {
            if !self.jitter.ready() {
                return;
            }
            self.step(tally);
        }
        let taken = stretch::shorten(&mut self.ahead, usize::try_from(most).unwrap_or(0));
        self.jitter.on_shortened(count(taken));
    }
}

/// What one pull did, in samples.
#[derive(Debug, Default)]
struct Tally {
    played: u64,
    concealed: u64,
    repaired: u64,
    underruns: u64,
    heard: bool,
    sounding: bool,
}

/// Scales `samples` linearly from `from` to `to`.
fn fade(samples: &mut [f32], from: f32, to: f32) {
    if from >= 1.0 && to >= 1.0 {
        return;
    }
    let length = f32::from(u16::try_from(samples.len().max(1)).unwrap_or(u16::MAX));
    let mut at = 0.0;
    for sample in samples {
        *sample *= from + (to - from) * at / length;
        at += 1.0;
    }
}

/// When the sample at `front` was captured, by the sender's host clock.
fn captured(clock: Clock, front: i64) -> Option<u64> {
    let clock_at = jitter::wrapped(i64::try_from(clock.timestamp % (1 << 32)).ok()?);
    let after = jitter::wrapped(front).wrapping_sub(clock_at).cast_signed();
    clock.host_micros.checked_add_signed(jitter::to_micros(i64::from(after)))
}

/// Milliseconds from `captured`, by the sender's host clock, to `due_host` by ours.
fn latency(map: ClockMap, captured: u64, due_host: u64) -> Option<(f64, LatencyKind)> {
    let kind = match map {
        ClockMap::Unknown => return None,
        ClockMap::Same => LatencyKind::SameClock,
        ClockMap::Estimated { .. } => LatencyKind::Estimated,
    };
    let captured = map.to_ours(captured)?;
    let late = i64::try_from(due_host).ok()?.checked_sub(i64::try_from(captured).ok()?)?;
    // More than 10 s is not known, by the contract; less than that fits an i32 and is exact as f64.
    let late = i32::try_from(late).ok()?;
    Some((f64::from(late) / 1000.0, kind))
}
