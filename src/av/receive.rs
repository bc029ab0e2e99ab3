//! One remote picture track on its way in: packets -> pictures in order -> decoder -> playout -> sink, on one thread.
//!
//! The pure parts decide ([`Intake`], [`Meter`]); this thread owns the decoder, the clock and the sinks. It wakes for a
//! packet or for the next deadline, whichever is first. A corrupted picture is never released: what cannot be decoded
//! exactly is dropped, the last good picture stays, and what lacks is asked for until it comes.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::av::Error;
use crate::av::capture::testcard::{self, Stamp};
use crate::av::codec::{VideoDecoder, h264};
use crate::av::devices::Fate;
use crate::av::dump::Dump;
use crate::av::guard::guard;
use crate::av::meter::{Meter, Released};
use crate::av::packet::clock::Clock;
use crate::av::packet::depacketizer::Frame;
use crate::av::packet::header::Layer;
use crate::av::repair::intake::{Counts, Intake};
use crate::av::repair::nack::Kind;
use crate::av::sync;
use crate::clock;
use crate::frame::{Pool, Screen, VideoFrame};
use crate::id::PeerId;
use crate::media::{Arrival, ClockMap, Feedback, PacketKind, TrackKind};
use crate::slot::{Empty, Ring, Shared};
use crate::{stats, task};

/// How many packets an inbox should hold: 1.5 s of 720p at 5 Mbit/s. Overflow: the oldest is dropped, as if lost.
pub const INBOX: usize = 1024;
/// Decoded pictures that wait for their moment, at most 100 ms. Overflow: the oldest is released at once.
const MAX_DECODED: usize = 8;
/// Packets taken from the inbox before deadlines are looked at again.
const BATCH: usize = 64;
/// After so many pictures without a stamp the sender shows something else than a test card.
const MAX_WITHOUT_STAMP: u32 = 30;
/// So many times the pictures are begun anew after a panic; what breaks us each time is not shown any more.
const MOST_CRASHES: u8 = 3;
/// Latencies outside are not believed.
const MAX_LATENCY_MS: f64 = 10_000.0;

/// Whose pictures, and where they go.
#[derive(Debug, Clone)]
pub struct Config {
    /// The sender.
    pub peer: PeerId,
    /// Camera or screen.
    pub kind: TrackKind,
    /// Writes every released picture to this `.y4m` file; its folder is made when missing.
    pub dump: Option<PathBuf>,
    /// Where released pictures are looked at.
    pub screen: Option<Arc<dyn Screen>>,
}

/// How many test card stamps were read and how many failed their checks, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamps {
    /// Pictures with a valid stamp.
    pub read: u64,
    /// Pictures of a test card whose stamp was damaged.
    pub failed: u64,
}

/// What the handle and the thread share. The lock is held for copies only.
#[derive(Debug)]
struct Figures {
    meter: Meter,
    dropped: u64,
    repairs: Counts,
    stamps: Stamps,
}

/// A running remote picture track. It lives as long as the peer is of interest, across reconnects, restarts of the
/// peer and mutes: keep one for each peer for the whole run, and say [`Video::set_on`] false while there is nothing to
/// show (the decoder is freed then). Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Video {
    inbox: Ring<Arrival>,
    on: Shared<bool>,
    clock: Shared<ClockMap>,
    rtt: Shared<Option<Duration>>,
    figures: Arc<Mutex<Figures>>,
    fate: Fate,
    given_up: Shared<bool>,
    lips: Lips,
    thread: Option<JoinHandle<()>>,
}

/// What lip sync reads and sets.
#[derive(Debug, Clone)]
struct Lips {
    /// From capture by the sender's host clock to the release by ours without what is held, in microseconds, evened out.
    delay: Shared<Option<i64>>,
    /// Pictures are held so much longer than playout says.
    hold: Shared<Duration>,
}

/// Makes the decoders of a track, on its thread. `None`: there is none.
pub type Decoders = Box<dyn Fn() -> Option<Box<dyn VideoDecoder>> + Send>;

impl Video {
    /// Starts the track's thread, on. Packets of kinds Video, Parity and Clock come through `inbox` (see [`INBOX`]);
    /// `feedback` is called from the track's thread with what the sender must hear.
    pub fn start(
        config: Config,
        inbox: Ring<Arrival>,
        clock: Shared<ClockMap>,
        feedback: Box<dyn Fn(Feedback) + Send>,
    ) -> Result<Self, Error> {
        let decoders: Decoders = Box::new(|| h264::Decoder::new().ok().map(|decoder| Box::new(decoder) as _));
        Self::start_with(config, inbox, clock, feedback, decoders)
    }

    /// The same with other decoders.
    pub fn start_with(
        config: Config,
        inbox: Ring<Arrival>,
        clock: Shared<ClockMap>,
        feedback: Box<dyn Fn(Feedback) + Send>,
        decoders: Decoders,
    ) -> Result<Self, Error> {
        let now = clock::now();
        let meter = if config.kind == TrackKind::Screen { Meter::of_screen(now) } else { Meter::new(now) };
        let figures = Figures { meter, dropped: 0, repairs: Counts::default(), stamps: Stamps::default() };
        let figures = Arc::new(Mutex::new(figures));
        let (on, given_up, fate) = (Shared::new(true), Shared::new(false), Fate::default());
        let rtt = Shared::new(None);
        let lips = Lips { delay: Shared::new(None), hold: Shared::new(Duration::ZERO) };
        let dump = config.dump.map(Dump::start).transpose()?;
        let what = if config.kind == TrackKind::Screen { "screen" } else { "video" };
        let name = format!("{what}-{}", config.peer.short());
        let run = {
            let (inbox, on, clock, screen) = (inbox.clone(), on.clone(), clock.clone(), config.screen);
            let (figures, fate, given_up) = (Arc::clone(&figures), fate.clone(), given_up.clone());
            let rtt = rtt.clone();
            let lips = lips.clone();
            // Made on its thread, which the decoder never leaves.
            move || {
                let mut receiver = Receiver {
                    inbox,
                    on,
                    clock,
                    rtt,
                    figures,
                    screen,
                    feedback,
                    lips,
                    dump,
                    intake: Intake::new(now),
                    decoders,
                    decoder: None,
                    pace: Pace::new(clock::now()),
                    decoded: VecDeque::new(),
                    pool: Pool::new(MAX_DECODED),
                    last_stamp: None,
                    without_stamp: 0,
                };
                let mut crashes = 0;
                while let Err(error) = receiver.watched(crashes) {
                    crashes += 1;
                    given_up.set(crashes > MOST_CRASHES);
                    fate.set(error);
                    if crashes > MOST_CRASHES {
                        break;
                    }
                }
                receiver.finish();
            }
        };
        let thread = task::thread(&name, run).map_err(Error::Thread)?;
        Ok(Self { inbox, on, clock, rtt, figures, fate, given_up, lips, thread: Some(thread) })
    }

    /// From capture by the sender's host clock to the release by ours without what is held, in microseconds; for
    /// [`crate::av::sync`]. `None` while nothing is shown.
    pub fn delay(&self) -> Option<i64> {
        self.lips.delay.get()
    }

    /// Holds pictures so much longer, at most [`crate::av::sync::MOST`], from the next one on.
    pub fn hold(&self, hold: Duration) {
        self.lips.hold.set(hold.min(sync::MOST));
    }

    /// That the pictures broke off by a defect, each time once. They begin anew with the next keyframe, which is asked
    /// for, until [`Video::is_given_up`].
    pub fn trouble(&self) -> Option<Error> {
        self.fate.take()
    }

    /// They broke off too often: nothing is shown any more.
    pub fn is_given_up(&self) -> bool {
        self.given_up.get()
    }

    /// The figures of `cli.md`: totals since the start, all else since the previous call.
    pub fn stats(&self) -> stats::Video {
        let clock = self.clock.get();
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = figures.dropped;
        figures.meter.read(clock::now(), dropped, clock)
    }

    /// The round trip of the link that the pictures come over, which decides how long repair is waited for. Say it about
    /// once a second.
    pub fn set_rtt(&self, rtt: Duration) {
        self.rtt.set(Some(rtt));
    }

    /// What was lost and repaired, since the start.
    pub fn repairs(&self) -> Counts {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).repairs
    }

    /// Test card stamps read and failed.
    pub fn stamps(&self) -> Stamps {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).stamps
    }

    /// False while the sender is muted or nobody watches: nothing is decoded, nothing is asked for, no freeze counts.
    pub fn set_on(&self, on: bool) {
        if self.on.get() == on {
            return;
        }
        self.on.set(on);
        // The thread sees it within half a second; the figures at once.
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        if on {
            figures.meter.resume();
        } else {
            figures.meter.pause(clock::now());
        }
    }

    /// Ends the track, writes what is left of the dump, and waits for its threads. Closes the inbox.
    pub fn stop(mut self) {
        self.inbox.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a video thread panicked");
        }
    }
}

impl Drop for Video {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// A picture that waits for its moment.
struct Decoded {
    at: Instant,
    picture: VideoFrame,
    layer: Layer,
    stamp: Option<Stamp>,
    decode_latency_ms: Option<f64>,
}

/// How many pictures are decoded a second at most: twice the fastest honest track, and room for the burst after a stall.
const MOST_PICTURES: u32 = 150;

/// Keeps a sender of a thousand tiny pictures a second from taking the processor that others' pictures need.
struct Pace {
    second: Instant,
    pictures: u32,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { second: now, pictures: 0 }
    }

    fn admits(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.second) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
        self.pictures = self.pictures.saturating_add(1);
        self.pictures <= MOST_PICTURES
    }
}

struct Receiver {
    inbox: Ring<Arrival>,
    on: Shared<bool>,
    clock: Shared<ClockMap>,
    rtt: Shared<Option<Duration>>,
    figures: Arc<Mutex<Figures>>,
    screen: Option<Arc<dyn Screen>>,
    feedback: Box<dyn Fn(Feedback) + Send>,
    lips: Lips,
    dump: Option<Dump>,
    intake: Intake,
    /// The decoder and the stream that it was made for.
    decoder: Option<(u64, Box<dyn VideoDecoder>)>,
    decoders: Decoders,
    pace: Pace,
    decoded: VecDeque<Decoded>,
    pool: Pool,
    last_stamp: Option<Stamp>,
    /// Pictures since `last_stamp`.
    without_stamp: u32,
}

impl Receiver {
    /// Runs to the end of the inbox, or to a panic; after one it begins anew.
    fn watched(&mut self, crashes: u8) -> Result<(), Error> {
        guard("a remote picture", || {
            if crashes > 0 {
                self.reset();
            }
            self.run();
            Ok(())
        })
    }

    fn run(&mut self) {
        let mut was_on = true;
        loop {
            let now = clock::now();
            let deadline = [self.intake.poll_timeout(), self.decoded.front().map(|d| d.at)];
            // Half a second at most, so that a mute is seen.
            let deadline = deadline.into_iter().flatten().min().unwrap_or(now + Duration::from_millis(500));
            let first = match self.inbox.recv_until(deadline.min(now + Duration::from_millis(500))) {
                Ok(arrival) => Some(arrival),
                Err(Empty::Timeout) => None,
                Err(Empty::Closed) => break,
            };
            let on = self.on.get();
            if on != was_on {
                self.reset();
                was_on = on;
            }
            if !on {
                continue;
            }
            if let Some(rtt) = self.rtt.get() {
                self.intake.set_rtt(rtt);
            }
            let mut next = first;
            for _ in 0..BATCH {
                let Some(arrival) = next else { break };
                self.on_arrival(&arrival);
                next = self.inbox.try_recv();
            }
            // The batch may end before the inbox does.
            if let Some(arrival) = next {
                self.on_arrival(&arrival);
            }
            // What is missing is asked for before a decoder takes its time.
            self.tell();
            self.decode();
            self.release(clock::now());
            self.tell();
        }
    }

    fn tell(&mut self) {
        while let Some(word) = self.intake.poll_feedback(clock::now()) {
            (self.feedback)(word);
        }
    }

    /// Writes what is left.
    fn finish(&mut self) {
        if let Some(dump) = self.dump.take() {
            dump.stop();
        }
    }

    fn reset(&mut self) {
        self.intake.reset();
        self.decoder = None;
        self.decoded.clear();
        self.last_stamp = None;
        self.lips.delay.set(None);
    }

    fn on_arrival(&mut self, arrival: &Arrival) {
        match arrival.kind {
            PacketKind::Video => {
                self.intake.on_packet(clock::now(), arrival.sequence, Kind::Data, &arrival.body);
            }
            PacketKind::Parity => {
                self.intake.on_packet(clock::now(), arrival.sequence, Kind::Parity, &arrival.body);
            }
            // Pictures carry their capture time by the host clock, so the pair is only checked.
            PacketKind::Clock => tracing::trace!(clock = ?Clock::parse(&arrival.body), "clock of a picture track"),
            PacketKind::Audio | PacketKind::Feedback => {}
        }
    }

    fn decode(&mut self) {
        // Nothing is given up for what may have come while others were decoded.
        let now = clock::now();
        while let Some(frame) = self.intake.poll_decode(now) {
            if !self.pace.admits(clock::now()) {
                self.intake.on_undecodable();
                self.decoder = None;
                continue;
            }
            match self.decode_one(&frame) {
                Ok(Some(picture)) => self.on_decoded(&frame, picture),
                Ok(None) => tracing::trace!("an encoded picture held none"),
                Err(reason) => {
                    tracing::debug!(frame = frame.number, reason, "picture not decodable");
                    self.intake.on_undecodable();
                    self.decoder = None;
                }
            }
        }
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        (figures.dropped, figures.repairs) = (self.intake.dropped(), self.intake.counts());
    }

    fn decode_one(&mut self, frame: &Frame) -> Result<Option<VideoFrame>, &'static str> {
        // A new stream may have another size: a fresh decoder owes it nothing of the old one.
        if self.decoder.as_ref().is_none_or(|(generation, _)| *generation != frame.generation) {
            if !frame.key {
                return Err("the decoder needs a keyframe");
            }
            let decoder = (self.decoders)().ok_or("no decoder")?;
            self.decoder = Some((frame.generation, decoder));
        }
        let (_, decoder) = self.decoder.as_mut().ok_or("no decoder")?;
        decoder.decode(&frame.data, &self.pool).map_err(|_| "bad bytes")
    }

    fn on_decoded(&mut self, frame: &Frame, mut picture: VideoFrame) {
        let now = clock::now();
        picture.captured = self.clock.get().to_ours(frame.captured).unwrap_or(0);
        let stamp = self.read_stamp(&picture);
        let decode_latency_ms = self.latency_ms(&picture, stamp);
        let at = self.intake.release_at(now, frame.captured);
        self.lips.measure(clock::host_micros(), at.saturating_duration_since(now), frame.captured);
        let at = at + self.lips.hold.get();
        if self.decoded.len() == MAX_DECODED {
            self.release_first(now);
        }
        self.decoded.push_back(Decoded { at, picture, layer: frame.layer, stamp, decode_latency_ms });
    }

    fn release(&mut self, now: Instant) {
        while self.decoded.front().is_some_and(|decoded| decoded.at <= now) {
            self.release_first(now);
        }
    }

    fn release_first(&mut self, now: Instant) {
        let Some(Decoded { picture, layer, stamp, decode_latency_ms, .. }) = self.decoded.pop_front() else { return };
        let (width, height) = (picture.width(), picture.height());
        let latency_ms = self.latency_ms(&picture, stamp);
        let released = Released { width, height, layer, latency_ms, decode_latency_ms };
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).meter.on_release(now, released);
        let picture = Arc::new(picture);
        if let Some(dump) = &mut self.dump {
            dump.write(Arc::clone(&picture));
        }
        if let Some(screen) = &self.screen {
            screen.show(&picture);
        }
    }

    /// The stamp of a test card. One whose time does not fit is none: it is a picture that looks like a stamp, or its
    /// maker's wall clock differs.
    fn read_stamp(&mut self, picture: &VideoFrame) -> Option<Stamp> {
        let (width, height) = (picture.width(), picture.height());
        let stamp = testcard::read(picture.planes().0, width, height)
            .filter(|stamp| age_ms(stamp).is_some())
            .filter(|stamp| self.last_stamp.is_none_or(|last| stamp.unix_micros > last.unix_micros));
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        match stamp {
            Some(_) => figures.stamps.read += 1,
            None => figures.stamps.failed += u64::from(self.last_stamp.is_some()),
        }
        drop(figures);
        self.without_stamp = if stamp.is_some() { 0 } else { self.without_stamp.saturating_add(1) };
        if stamp.is_some() || self.without_stamp > MAX_WITHOUT_STAMP {
            self.last_stamp = stamp;
        }
        stamp
    }

    /// Milliseconds since `picture` was captured: by its stamp where both read one wall clock (or nothing better is
    /// known), else by its capture time on our clock.
    fn latency_ms(&self, picture: &VideoFrame, stamp: Option<Stamp>) -> Option<f64> {
        let estimated = matches!(self.clock.get(), ClockMap::Estimated { .. });
        if let Some(stamp) = stamp.filter(|_| !estimated) {
            return age_ms(&stamp);
        }
        if picture.captured == 0 {
            return None;
        }
        between(picture.captured, clock::host_micros())
    }
}

impl Lips {
    /// A picture that was `captured` will be released in `wait` from `now`.
    fn measure(&self, now: u64, wait: Duration, captured: u64) {
        let micros = |n: u128| i64::try_from(n).ok();
        let released = micros(u128::from(now) + wait.as_micros());
        let Some((released, captured)) = released.zip(micros(u128::from(captured))) else { return };
        let delay = released - captured;
        // An eighth of the way, unless it is a new clock.
        let even = self.delay.get().filter(|old| old.abs_diff(delay) < 2_000_000);
        self.delay.set(Some(even.map_or(delay, |old| old + (delay - old) / 8)));
    }
}

fn age_ms(stamp: &Stamp) -> Option<f64> {
    between(stamp.unix_micros, clock::unix_micros())
}

/// Milliseconds from one moment to a later one of the same clock, when they are believable.
fn between(from: u64, to: u64) -> Option<f64> {
    let micros = u32::try_from(to.checked_sub(from)?).ok()?;
    Some(f64::from(micros) / 1000.0).filter(|ms| *ms <= MAX_LATENCY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_pictures_is_not_decoded() {
        let start = clock::now();
        let mut pace = Pace::new(start);
        let admitted = (0..1000).filter(|_| pace.admits(start)).count();
        assert_eq!(admitted, 150);
        assert!(pace.admits(start + Duration::from_secs(1)), "a new second begins");
    }
}
