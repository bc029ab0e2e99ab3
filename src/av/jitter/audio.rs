//! Sans-IO. The jitter buffer of one remote sound track. It is pulled by playout and never pushes: every 10 ms playout
//! says when the next samples are due and is told what to play.
//!
//! Playout is a fixed delay behind the fastest packet: the sample of media time T is due at T + base + D, where base
//! comes from [`Delay`] and D is at least the 95th percentile of relative delay plus one frame, and long enough for the
//! copies of lost frames ([`Mend`]). A frame that is not there
//! when it is due is concealed and its place in time is gone: a late packet is dropped, and sound stays aligned with
//! what was spoken. So a stall costs what it swallowed and nothing after it.
//!
//! D itself is changed only for a reason. It is set once, after [`WARM_UP`] of arrivals. It rises at once, to the target, when
//! the percentile passes it: when one packet in twenty comes too late. It falls only when it was more than [`HOLD`] too long for half a minute: 10 ms a
//! second. From [`FAR`] above it falls at once, by 15 % of time, and from [`SKIP`] above in one skip. Samples are added and removed by whoever holds them
//! (`stretch`); this buffer says when.
//!
//! Frames come in their own packet and again as copies in later ones; the place of a lost packet is filled by its copy. A
//! pause (mute) is neither waited for nor concealed. A sender that starts anew is known by two packets in a row that
//! are seconds away from the old time line.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::av::jitter::delay::{Delay, micros};
use crate::av::jitter::mend::Mend;
use crate::av::packet::audio::{Audio as Packet, Level};

/// Arrivals are watched this long before the first sample is played: a join is the busiest moment of a call, and what is
/// chosen here stays.
pub const WARM_UP: Duration = Duration::from_millis(250);
/// Shortest target: on a quiet LAN threads and network take 1 to 5 ms; a copy needs 10 more.
const FLOOR_US: i64 = 15_000;
/// Longest delay while fewer packets than [`SURE`] came, or for less than [`SURE_US`]: no more than what is left alone later, so that a rough start moves
/// nothing afterwards.
const FIRST_MOST_US: i64 = 35_000;
/// Five seconds of packets, or the few of a pause that was longer.
const SURE: usize = 500;
const SURE_US: i64 = 15_000_000;
/// How often it is asked how long copies take.
const REFRESH_US: i64 = 100_000;
/// So long before its frame is due a copy should be here (microseconds).
const BEFORE_DUE_US: i64 = 1_000;
/// Below this a copy of a lost packet comes too late: it is a frame younger.
const LEAST_US: i64 = 11_000;
/// Longest delay of all.
const MOST_US: i64 = 1_000_000;
/// Excess over the target that is left alone (microseconds). An excess costs delay once; a change is heard.
pub const HOLD: i64 = 30_000;
/// An excess below [`FAR`] is taken back only after it lasted this long (microseconds): what was needed a moment ago may be
/// needed again, and each change of the delay moves the sound in time.
const PATIENCE_US: i64 = 30_000_000;
/// Excess from which time is compressed by up to 15 % (microseconds).
pub const FAR: i64 = 60_000;
/// Excess from which playout skips (microseconds).
pub const SKIP: i64 = 400_000;
/// Falling goes on until this excess.
const SETTLED_US: i64 = 10_000;
/// Distance from the old time line of a sender that started anew.
const JUMP_US: i64 = 3_000_000;
/// Most frames held, 3 s of 10 ms. Overflow: the new frame is refused; playout frees places at its own pace.
const MOST_FRAMES: usize = 300;
/// Samples that are played at a time. Also the most that are taken out at once: the longest period of `stretch`.
const PERIOD: u32 = 480;

/// What to play next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing is due: not started. Silence of this many samples that counts as nothing.
    Idle(u16),
    /// The sender pauses: silence of this many samples.
    Pause(u16),
    /// This frame of that many samples; `repaired` when only a copy of it came.
    Frame {
        /// What to decode.
        payload: Bytes,
        /// Samples.
        duration: u16,
        /// Its own packet did not come.
        repaired: bool,
    },
    /// Make up this many samples; `empty` when not even a later frame waits.
    Conceal {
        /// Samples.
        duration: u16,
        /// The buffer holds nothing.
        empty: bool,
    },
}

/// What to do about the delay before the next samples are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjust {
    /// Nothing.
    Keep,
    /// Put a period in: the delay is too short.
    Lengthen,
    /// Take up to this many samples out: the delay is too long.
    Shorten(u32),
    /// Throw away what is decoded; this buffer already skipped ahead.
    Skip,
}

/// What a packet was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Something new.
    New,
    /// Nothing that could still be played.
    Late,
    /// Far from the time line; believed when the next one agrees.
    Strange,
    /// The sender started anew; all before is forgotten.
    Restart,
}

#[derive(Debug)]
struct Held {
    payload: Bytes,
    copy: bool,
}

/// The buffer of one track.
#[derive(Debug)]
pub struct Audio {
    epoch: Instant,
    delay: Delay,
    mend: Mend,
    // What copies need, and when it was asked.
    wait: (i64, i64),
    // By unwrapped timestamp.
    frames: BTreeMap<i64, Held>,
    newest: Option<i64>,
    strange: Option<(u16, u32)>,
    first_arrival: Option<i64>,
    // Timestamp of the next frame to hand out, once started.
    next: Option<i64>,
    pause: Option<i64>,
    duration: u16,
    level: Level,
    rising: bool,
    falling: bool,
    // Since when the delay is more than HOLD too long.
    long_since: Option<i64>,
    // Samples that may be taken out, times 100.
    allowance: u32,
    // The next missing frame is concealed without moving on.
    waiting: bool,
}

/// Microseconds of `samples` at 48 kHz.
pub fn to_micros(samples: i64) -> i64 {
    samples.saturating_mul(125) / 6
}

fn to_samples(micros: i64) -> i64 {
    micros.saturating_mul(6) / 125
}

/// The timestamp on the wire of an unwrapped one.
pub fn wrapped(timestamp: i64) -> u32 {
    u32::try_from(timestamp.rem_euclid(1 << 32)).unwrap_or(0)
}

impl Audio {
    /// An empty buffer. `epoch` is any moment near now.
    pub fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            delay: Delay::new(epoch),
            mend: Mend::default(),
            wait: (0, i64::MIN),
            frames: BTreeMap::new(),
            newest: None,
            strange: None,
            first_arrival: None,
            next: None,
            pause: None,
            duration: 480,
            level: Level::SILENCE,
            rising: false,
            falling: false,
            long_since: None,
            allowance: 0,
            waiting: false,
        }
    }

    /// Takes a packet that came at `arrived`.
    pub fn on_packet(&mut self, arrived: Instant, packet: &Packet) -> Heard {
        let arrival = micros(self.epoch, arrived);
        let mut timestamp = self.unwrap(packet.timestamp);
        let mut heard = Heard::Late;
        if self.newest.is_some() && (arrival - to_micros(timestamp) - self.delay.base()).abs() > JUMP_US {
            if !self.follows_strange(packet) {
                self.strange = Some((packet.sequence, packet.timestamp));
                return Heard::Strange;
            }
            *self = Self::new(self.epoch);
            timestamp = i64::from(packet.timestamp);
            heard = Heard::Restart;
        }
        self.strange = None;
        self.first_arrival.get_or_insert(arrival);
        self.delay.on_arrival(arrived, to_micros(timestamp));
        if self.newest.is_none_or(|newest| timestamp > newest) {
            self.newest = Some(timestamp);
            self.duration = packet.duration();
            self.level = packet.level;
        }
        let mut new = false;
        match &packet.frame {
            Some(frame) => {
                self.mend.on_frame(timestamp);
                new |= self.hold(timestamp, frame, false);
            }
            None => self.on_pause(timestamp),
        }
        for (back, copy) in packet.copies() {
            let earlier = timestamp - i64::from(back) * i64::from(packet.duration());
            self.mend.on_copy(earlier, arrival, arrival - to_micros(earlier));
            new |= self.hold(earlier, copy, true);
        }
        if arrival.saturating_sub(self.wait.1) >= REFRESH_US {
            self.wait = (self.mend.wait(arrival, self.delay.base(), self.delay.count()), arrival);
        }
        if new && heard == Heard::Late { Heard::New } else { heard }
    }

    fn unwrap(&self, timestamp: u32) -> i64 {
        match self.newest {
            Some(newest) => newest + i64::from(timestamp.wrapping_sub(wrapped(newest)).cast_signed()),
            None => i64::from(timestamp),
        }
    }

    fn follows_strange(&self, packet: &Packet) -> bool {
        self.strange.is_some_and(|(sequence, timestamp)| {
            let ahead = packet.sequence.wrapping_sub(sequence);
            let samples = u32::from(packet.duration()) * u32::from(ahead);
            (1..=8).contains(&ahead) && packet.timestamp.wrapping_sub(timestamp) == samples
        })
    }

    /// Keeps a frame that can still be played. True when it was not there.
    fn hold(&mut self, timestamp: i64, payload: &Bytes, copy: bool) -> bool {
        if self.next.is_some_and(|next| timestamp < next) {
            return false;
        }
        if let Some(held) = self.frames.get_mut(&timestamp) {
            // A copy may be coarser.
            if held.copy && !copy {
                *held = Held { payload: payload.clone(), copy };
            }
            return false;
        }
        if self.frames.len() >= MOST_FRAMES {
            return false;
        }
        self.frames.insert(timestamp, Held { payload: payload.clone(), copy });
        true
    }

    fn on_pause(&mut self, timestamp: i64) {
        // One that was overtaken by the sound after it says nothing.
        if self.pause.is_none() && self.frames.last_key_value().is_none_or(|(last, _)| *last < timestamp) {
            self.pause = Some(timestamp);
        }
    }

    /// How long playout should be behind the fastest packet, in microseconds.
    pub fn target(&self) -> i64 {
        let uneven = self.spread() + to_micros(i64::from(self.duration));
        uneven.max(self.wait.0 + BEFORE_DUE_US).clamp(FLOOR_US, MOST_US)
    }

    /// The percentile, as far as it can be believed.
    fn spread(&self) -> i64 {
        let sure = self.delay.count() >= SURE || self.delay.known() >= SURE_US;
        let most = if !sure { FIRST_MOST_US } else { MOST_US };
        self.delay.percentile().min(most - to_micros(i64::from(self.duration)))
    }

    /// How long it would be behind if `decoded` samples waited and the first of them were due at `due`. `None` before the start.
    pub fn current(&self, due: Instant, decoded: u32) -> Option<i64> {
        let front = self.next? - i64::from(decoded);
        Some(micros(self.epoch, due) - to_micros(front) - self.delay.base())
    }

    /// How long after the fastest packet the next frame is needed: what is decoded ahead shortens the wait for it.
    fn slack(&self, due: Instant, decoded: u32) -> Option<i64> {
        Some(self.current(due, decoded)? - to_micros(i64::from(decoded % PERIOD)))
    }

    /// Says whether to change the delay, once for each 10 ms that are played. `decoded` samples already wait to be played.
    pub fn adjust(&mut self, due: Instant, decoded: u32) -> Adjust {
        self.waiting = false;
        if self.next.is_none() {
            self.start(due);
        }
        let Some(slack) = self.slack(due, decoded) else { return Adjust::Keep };
        let excess = slack - self.target();
        self.rising = slack < self.spread().max(self.wait.0).max(LEAST_US) || (self.rising && excess < 0);
        if self.rising {
            self.falling = false;
            self.waiting = true;
            return Adjust::Lengthen;
        }
        if excess > SKIP {
            self.skip(due);
            return Adjust::Skip;
        }
        let now = micros(self.epoch, due);
        let since = if excess > HOLD { *self.long_since.get_or_insert(now) } else { now };
        if excess <= HOLD {
            self.long_since = None;
        }
        self.falling = excess > FAR || now - since > PATIENCE_US || (self.falling && excess > SETTLED_US);
        if !self.falling {
            self.allowance = 0;
            return Adjust::Keep;
        }
        let percent = if excess > FAR { 15 } else { 1 };
        self.allowance = (self.allowance + PERIOD * percent).min(PERIOD * 100);
        let most = u32::try_from(to_samples(excess)).unwrap_or(0).min(PERIOD);
        if self.allowance >= PERIOD * 100 { Adjust::Shorten(most) } else { Adjust::Keep }
    }

    /// So many samples were taken out after [`Adjust::Shorten`].
    pub fn on_shortened(&mut self, samples: u32) {
        self.allowance = self.allowance.saturating_sub(samples * 100);
    }

    fn start(&mut self, due: Instant) {
        // Somebody who begins with a pause is waited for by the same clock.
        let oldest = self.frames.first_key_value().map(|(oldest, _)| *oldest).or(self.pause);
        let (Some(first), Some(oldest)) = (self.first_arrival, oldest) else { return };
        let now = micros(self.epoch, due);
        if now - first < i64::try_from(WARM_UP.as_micros()).unwrap_or(0) {
            return;
        }
        let wanted = to_samples(now - self.delay.base() - self.target());
        if wanted >= oldest {
            self.play_from(oldest, wanted);
        }
    }

    fn skip(&mut self, due: Instant) {
        let wanted = to_samples(micros(self.epoch, due) - self.delay.base() - self.target());
        if let Some(next) = self.next.filter(|next| wanted > *next) {
            self.play_from(next, wanted);
        }
    }

    /// Goes on with the last frame at or before `wanted` on the grid of frames through `grid`.
    fn play_from(&mut self, grid: i64, wanted: i64) {
        let next = wanted - (wanted - grid).rem_euclid(i64::from(self.duration));
        self.next = Some(next);
        self.frames = self.frames.split_off(&next);
    }

    /// What to play next. Moves on by what it gives, unless a missing frame may still come because the delay is rising.
    pub fn pull(&mut self) -> Step {
        let duration = self.duration;
        let Some(next) = self.next else { return Step::Idle(duration) };
        let end = next + i64::from(duration);
        match self.frames.first_entry().filter(|entry| *entry.key() < end) {
            Some(entry) => {
                let (timestamp, held) = entry.remove_entry();
                self.next = Some(timestamp + i64::from(duration));
                if self.pause.is_some_and(|from| timestamp >= from) {
                    self.pause = None;
                }
                Step::Frame { payload: held.payload, duration, repaired: held.copy }
            }
            None if self.pause.is_some_and(|from| next >= from) => {
                self.next = Some(end);
                Step::Pause(duration)
            }
            None => {
                if !self.waiting {
                    self.next = Some(end);
                }
                Step::Conceal { duration, empty: self.frames.is_empty() }
            }
        }
    }

    /// True when the next frame can be had at once.
    pub fn ready(&self) -> bool {
        let end = self.next.map(|next| next + i64::from(self.duration));
        self.frames.first_key_value().is_some_and(|(first, _)| end.is_some_and(|end| *first < end))
    }

    /// Timestamp of the first of `decoded` samples that wait to be played.
    pub fn front(&self, decoded: u32) -> Option<i64> {
        self.next.map(|next| next - i64::from(decoded))
    }

    /// Samples from the next one to be decoded to the end of the newest frame; 0 when it runs dry.
    pub fn buffered(&self) -> u32 {
        let end = self.frames.last_key_value().map(|(last, _)| last + i64::from(self.duration));
        end.zip(self.next).map_or(0, |(end, next)| u32::try_from(end - next).unwrap_or(0))
    }

    /// The level of the newest packet.
    pub fn level(&self) -> Level {
        self.level
    }
}
