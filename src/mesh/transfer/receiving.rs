//! Sans-IO. One file on its way in: offered, accepted, fetched, stored.
//!
//! The receiver says what it misses and numbers its attempts. A stream that breaks is asked for again from the last
//! byte that was checked and written, at once after a cut, with growing pauses when it keeps breaking; only progress
//! makes it patient again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::meter::{self, Speed};
use super::tree::Hash;
use super::wire::{Confirm, Done, End, Offer, Reason, Span, Want, Word};
use super::{About, CONFIRM_EVERY, Flow, LINK_WAIT, OFFER_LIFE, Output, Outputs, STALL, What};

/// A stream that was asked for comes within this time, or is asked for again.
const STREAM_WAIT: Duration = Duration::from_secs(4);
/// First pause after a stream broke while the link stands; doubles with each try.
const PAUSE: Duration = Duration::from_millis(250);
/// Tries without a byte of progress before giving up.
const TRIES: u32 = 8;
/// While the disk syncs, the sender hears from us this often.
const STORING_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
enum State {
    Offered { expires: Instant },
    Preparing,
    // Asked for, not here yet.
    Awaited { until: Instant },
    Running,
    Pause { until: Instant },
    // All bytes are here; the disk is at work.
    Storing { next: Instant },
}

#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) about: About,
    pub(super) root: Option<Hash>,
    state: State,
    attempt: u32,
    tries: u32,
    lost_at: Option<Instant>,
    heard: Instant,
    done: u64,
    speed: Speed,
    confirmed: Instant,
}

impl Receiving {
    pub(super) fn new(now: Instant, about: About, root: Option<Hash>) -> Self {
        Self {
            about,
            root,
            state: State::Offered { expires: now + OFFER_LIFE },
            attempt: 0,
            tries: 0,
            lost_at: None,
            heard: now,
            done: 0,
            speed: Speed::default(),
            confirmed: now,
        }
    }

    /// True when `offer` is this one, said again.
    pub(super) fn is(&self, offer: &Offer) -> bool {
        offer.name == self.about.file && offer.size == self.about.size && offer.root == self.root
    }

    /// Bytes that it may still write.
    pub(super) fn missing(&self) -> u64 {
        match self.state {
            State::Offered { .. } => 0,
            _ => self.about.size.saturating_sub(self.done),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Offered { .. })
    }

    pub(super) fn accept(&mut self, reserved: u64, out: &mut Outputs) {
        self.state = State::Preparing;
        out.push(Output::Prepare {
            transfer: self.about.transfer,
            file: self.about.file.clone(),
            size: self.about.size,
            reserved,
        });
    }

    pub(super) fn decline(&mut self, reason: Reason, out: &mut Outputs) -> Flow {
        out.event(&self.about, What::Declined(reason));
        Flow::Answer(Word::Decline(End { id: self.about.transfer, reason }))
    }

    pub(super) fn fail(&mut self, reason: Reason, out: &mut Outputs) -> Flow {
        out.event(&self.about, What::Failed { reason, resumable: false });
        Flow::End
    }

    /// Ends it here and tells the sender.
    pub(super) fn cancel(&mut self, reason: Reason, out: &mut Outputs) -> Flow {
        out.event(&self.about, What::Failed { reason, resumable: false });
        Flow::Answer(Word::Cancel(End { id: self.about.transfer, reason }))
    }

    /// There is room, and a temporary file.
    pub(super) fn on_prepared(&mut self, now: Instant, ready: Result<(), Reason>, out: &mut Outputs) -> Flow {
        if !matches!(self.state, State::Preparing) {
            return Flow::Go;
        }
        if let Err(reason) = ready {
            return self.cancel(reason, out);
        }
        out.event(&self.about, What::Accepted);
        self.heard = now;
        self.want(now, out);
        Flow::Go
    }

    fn want(&mut self, now: Instant, out: &mut Outputs) {
        self.attempt += 1;
        self.state = State::Awaited { until: now + STREAM_WAIT };
        self.speed.restart(now, self.done);
        if self.lost_at.is_some() {
            return;
        }
        // Only whole groups count as done, so it starts at a group or is empty: then the trailer alone is missing.
        let missing = Span { start: self.done, end: self.about.size };
        let spans = if missing.start < missing.end { vec![missing] } else { Vec::new() };
        out.say(self.about.link, &Word::Want(Want { id: self.about.transfer, attempt: self.attempt, spans }));
    }

    pub(super) fn on_linked(&mut self, now: Instant, out: &mut Outputs) {
        let was_lost = self.lost_at.take().is_some();
        self.heard = now;
        match self.state {
            State::Awaited { .. } | State::Pause { .. } => self.want(now, out),
            // A stream of the old link: its end may take long to be noticed.
            State::Running if was_lost => self.want(now, out),
            _ => {}
        }
    }

    pub(super) fn on_unlinked(&mut self, now: Instant) {
        self.lost_at.get_or_insert(now);
    }

    /// A stream came: true when it is the one that was asked for. It starts at the byte that was asked for.
    pub(super) fn on_stream(&mut self, now: Instant, attempt: u32) -> bool {
        let wanted = attempt == self.attempt && matches!(self.state, State::Awaited { .. });
        if wanted {
            self.state = State::Running;
            self.heard = now;
        }
        wanted
    }

    /// `done` bytes are checked and written.
    pub(super) fn on_written(&mut self, now: Instant, done: u64, out: &mut Outputs) {
        if done <= self.done {
            return;
        }
        self.done = done.min(self.about.size);
        self.heard = now;
        self.tries = 0;
        self.speed.on_done(now, self.done);
        // The last one is always said, so that a person sees 100 %.
        if now.duration_since(self.confirmed) >= CONFIRM_EVERY || self.done == self.about.size {
            self.confirm(now, out);
        }
    }

    fn confirm(&mut self, now: Instant, out: &mut Outputs) {
        self.confirmed = now;
        let rate = self.speed.rate();
        out.event(&self.about, What::Progress(meter::progress(self.done, self.about.size, rate)));
        self.say_confirm(rate, out);
    }

    fn say_confirm(&self, rate: u64, out: &mut Outputs) {
        if self.lost_at.is_none() {
            out.say(self.about.link, &Word::Confirm(Confirm { id: self.about.transfer, done: self.done, rate }));
        }
    }

    /// Every byte is here and checked; the disk works.
    pub(super) fn on_storing(&mut self, now: Instant) {
        if matches!(self.state, State::Running) {
            self.state = State::Storing { next: now + STORING_EVERY };
        }
    }

    /// The stream of the current attempt broke.
    pub(super) fn on_broken(&mut self, now: Instant, attempt: u32, out: &mut Outputs) -> Flow {
        if attempt != self.attempt || !matches!(self.state, State::Running | State::Storing { .. }) {
            return Flow::Go;
        }
        self.tries += 1;
        if self.tries > TRIES {
            return self.cancel(Reason::LinkLost, out);
        }
        self.state = State::Pause { until: now + PAUSE * 2_u32.pow(self.tries.min(5) - 1) };
        Flow::Go
    }

    /// It lies in its place, under its name.
    pub(super) fn on_stored(&mut self, path: PathBuf, root: Hash, out: &mut Outputs) -> Flow {
        out.event(&self.about, What::Done { path, blake3: root });
        Flow::Answer(Word::Done(Done { id: self.about.transfer, root }))
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        let lost = self.lost_at.map(|at| at + LINK_WAIT);
        let own = match self.state {
            State::Offered { expires } => Some(expires),
            State::Preparing => None,
            State::Awaited { until } | State::Pause { until } => lost.is_none().then_some(until),
            State::Running => Some(self.heard + STALL),
            State::Storing { next } => return Some(next),
        };
        lost.into_iter().chain(own).min()
    }

    pub(super) fn on_timeout(&mut self, now: Instant, out: &mut Outputs) -> Flow {
        if let State::Storing { next } = &mut self.state {
            // A lost link does not matter any more: the bytes are here.
            if now >= *next {
                *next = now + STORING_EVERY;
                self.say_confirm(self.speed.rate(), out);
            }
            return Flow::Go;
        }
        if self.lost_at.is_some_and(|at| now >= at + LINK_WAIT) {
            return self.fail(Reason::LinkLost, out);
        }
        match self.state {
            State::Offered { expires } if now >= expires => return self.cancel(Reason::Expired, out),
            State::Running if now >= self.heard + STALL => return self.cancel(Reason::Stalled, out),
            State::Awaited { until } if now >= until && self.lost_at.is_none() => {
                self.tries += 1;
                if self.tries > TRIES {
                    return self.cancel(Reason::Stalled, out);
                }
                self.want(now, out);
            }
            State::Pause { until } if now >= until && self.lost_at.is_none() => self.want(now, out),
            _ => {}
        }
        Flow::Go
    }
}
