//! Sans-IO. One remote picture track from packets to pictures for the decoder: puts pictures together, asks again for what
//! is missing, keeps the order, asks for a keyframe when nothing else helps, and says when a picture is shown. The thread
//! around it ([`crate::av::receive`]) owns the clock, the decoder and the sinks.
//!
//! How long is waited follows from the round trip: a base picture is worth 2.5 of it and at least 250 ms, since a keyframe
//! takes the same way and is ten times as large. A picture that nobody refers to is worth a wait until the one after it is
//! due, or one round of repair where that is short.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::keyframe::Asker;
use super::nack::{Kind, Missing, Patience, Useful};
use crate::av::jitter::order::{Order, WAIT};
use crate::av::jitter::video::Playout;
use crate::av::packet::depacketizer::{Depacketizer, Frame, Outcome};
use crate::av::packet::header::Header;
use crate::media::Feedback;

/// Least wait for a picture that others refer to.
const LEAST_HARD: Duration = Duration::from_millis(250);
/// Longest round of repair that is waited for when nobody refers to the picture.
const MOST_SOFT: Duration = Duration::from_millis(75);
/// The round trip of a link that has not told one.
const USUAL_RTT: Duration = Duration::from_millis(50);
/// A round trip beyond is not believed.
const MAX_RTT: Duration = Duration::from_secs(1);

/// What happened to a track's packets since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Packets asked for again, each time.
    pub asked: u64,
    /// Packets that came after they were asked for.
    pub repaired: u64,
    /// Pictures that parity completed.
    pub recovered: u64,
    /// Keyframes asked for, each time.
    pub keyframes: u64,
    /// Packets that broke the format.
    pub malformed: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Intake {
    rtt: Duration,
    depacketizer: Depacketizer,
    missing: Missing,
    order: Order,
    playout: Playout,
    asker: Asker,
    generation: u64,
    /// The newest keyframe that is not whole, and when its first packet came.
    key: Option<(u64, Instant)>,
    keyframes: u64,
}

impl Intake {
    /// Waits for a first keyframe; `origin` is any moment.
    pub fn new(origin: Instant) -> Self {
        let patience = Self::patience(USUAL_RTT, Duration::ZERO);
        Self {
            rtt: USUAL_RTT,
            depacketizer: Depacketizer::new(),
            missing: Missing::new(patience),
            order: Order::new(patience.hard),
            playout: Playout::new(origin),
            asker: Asker::default(),
            generation: 0,
            key: None,
            keyframes: 0,
        }
    }

    /// The link's round trip; say it about once a second.
    pub fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt.min(MAX_RTT);
        self.order.set_hard(Self::patience(self.rtt, Duration::ZERO).hard);
    }

    /// `slack`: how long a picture waits for its moment once it is whole.
    fn patience(rtt: Duration, slack: Duration) -> Patience {
        let hard = LEAST_HARD.max(rtt * 5 / 2);
        let round = rtt * 13 / 10 + WAIT;
        let round = if round <= MOST_SOFT { round } else { WAIT };
        Patience { rtt, soft: round.max(slack).min(hard), hard }
    }

    /// Takes the body of a packet that came at `now` with the link's `sequence`.
    pub fn on_packet(&mut self, now: Instant, sequence: u16, kind: Kind, body: &Bytes) {
        let outcome = match kind {
            Kind::Data => self.depacketizer.on_packet(body),
            Kind::Parity => self.depacketizer.on_parity(body),
        };
        if self.generation != self.depacketizer.generation() {
            self.generation = self.depacketizer.generation();
            self.missing.reset();
            self.key = None;
        }
        match &outcome {
            Outcome::Malformed => {
                tracing::trace!("malformed video packet");
                return;
            }
            // What a stream left behind when another took over.
            Outcome::Stray => return self.order.on_stray(),
            Outcome::Kept | Outcome::Late | Outcome::Complete(_) => {}
        }
        let Some((header, number)) = self.place(body) else { return };
        if outcome == Outcome::Kept && header.key && self.key.is_none_or(|(newest, _)| newest < number) {
            self.key = Some((number, now));
        }
        if self.missing.on_packet(now, sequence, number, &header, kind) {
            self.order.on_stray();
        }
        if let Outcome::Complete(frame) = outcome {
            self.on_complete(now, frame);
        }
    }

    fn place(&self, body: &[u8]) -> Option<(Header, u64)> {
        let (header, _) = Header::parse(body)?;
        Some((header, self.depacketizer.number(&header)?))
    }

    fn on_complete(&mut self, now: Instant, frame: Box<Frame>) {
        self.missing.on_complete(frame.number);
        let replaced = |number| number == frame.number || (frame.key && number < frame.number);
        self.key = self.key.filter(|(number, _)| !replaced(*number));
        self.playout.on_complete(now, frame.captured);
        let due = self.playout.due(now, frame.captured);
        let patience = Self::patience(self.rtt, due.saturating_duration_since(now));
        self.missing.set_patience(patience);
        // What the sender leaves out on purpose never comes.
        let wait = if self.missing.leaves_out() { Duration::ZERO } else { patience.soft };
        self.order.on_frame(now, now + wait, frame);
    }

    /// The next picture for the decoder.
    pub fn poll_decode(&mut self, now: Instant) -> Option<Box<Frame>> {
        self.key = self.key.filter(|(number, since)| {
            now < *since + LEAST_HARD.max(self.rtt * 5 / 2) && self.order.last().is_none_or(|last| *number > last)
        });
        self.order.set_coming(self.key.map(|(number, _)| number));
        let frame = self.order.poll_decode(now);
        if let Some(last) = self.order.last() {
            self.missing.pass(last);
        }
        frame
    }

    /// The decoder failed on the picture that it was given last.
    pub fn on_undecodable(&mut self) {
        self.order.on_undecodable();
    }

    /// When the picture captured at `captured` (microseconds of the sender's clock) and decoded at `now` is released.
    pub fn release_at(&mut self, now: Instant, captured: u64) -> Instant {
        self.playout.release_at(now, captured)
    }

    /// What the sender must hear now; ask until there is nothing.
    pub fn poll_feedback(&mut self, now: Instant) -> Option<Feedback> {
        if self.asker.poll(now, self.order.needs_keyframe()) {
            tracing::debug!("asks for a keyframe");
            self.keyframes += 1;
            return Some(Feedback::Pli);
        }
        let useful = match (self.order.is_broken(), self.key) {
            (false, _) => Useful::All,
            (true, Some((number, _))) => Useful::From(number),
            (true, None) => Useful::Unknown,
        };
        self.missing.poll(now, useful).map(Feedback::Nack)
    }

    /// When to poll again although nothing came.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let times = [self.order.poll_timeout(), self.asker.poll_timeout(), self.missing.poll_timeout()];
        let key = self.key.map(|(_, since)| since + LEAST_HARD.max(self.rtt * 5 / 2));
        times.into_iter().flatten().chain(key).min()
    }

    /// Forgets what is under way: the next picture must be a keyframe, and nothing is missed until a packet says so.
    pub fn reset(&mut self) {
        self.depacketizer.reset();
        self.order.reset();
        self.missing.reset();
        self.asker = Asker::default();
        self.key = None;
    }

    /// Pictures that were sent and never given, and those that the decoder refused, since the first keyframe.
    pub fn dropped(&self) -> u64 {
        self.order.dropped()
    }

    /// See [`Counts`].
    pub fn counts(&self) -> Counts {
        let (asked, repaired) = self.missing.counts();
        let (recovered, malformed) = (self.depacketizer.recovered(), self.depacketizer.malformed());
        Counts { asked, repaired, recovered, keyframes: self.keyframes, malformed }
    }
}
