//! Sans-IO. One file on its way out: waiting for its turn, offered, then sent as the receiver asks.
//!
//! The receiver leads: each of its wants names what is missing and opens a new attempt, so after a cut the sender has
//! nothing to remember but its hash tree. It only says its offer again, which a receiver that lost our words (or whose
//! last answer was lost) answers with where it stands.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::tree::Hash;
use super::wire::{Confirm, End, Offer, Reason, Want, Word};
use super::{ASK_AGAIN, About, Flow, LINK_WAIT, OFFER_LIFE, Output, Outputs, STALL, What, meter};

/// The receiver lets an offer expire first, so that both sides say the same.
const GRACE: Duration = Duration::from_secs(15);

#[derive(Debug)]
enum State {
    // Not said yet: the receiver has enough open offers of ours.
    Queued,
    Offered { expires: Instant },
    // `sent` is our root once a whole stream was written, `told` the receiver's once it says that it is done: either
    // may be known first.
    Active { attempt: u32, sent: Option<Hash>, told: Option<Hash> },
}

#[derive(Debug)]
pub(super) struct Sending {
    pub(super) about: About,
    path: PathBuf,
    root: Option<Hash>,
    state: State,
    lost_at: Option<Instant>,
    // The last sign that the receiver is at it, and the last time we said the offer.
    heard: Instant,
    said: Instant,
    done: u64,
}

impl Sending {
    pub(super) fn new(now: Instant, about: About, path: PathBuf, root: Option<Hash>) -> Self {
        let state = State::Queued;
        Self { about, path, root, state, lost_at: None, heard: now, said: now, done: 0 }
    }

    pub(super) fn is_queued(&self) -> bool {
        matches!(self.state, State::Queued)
    }

    fn say_offer(&mut self, now: Instant, out: &mut Outputs) {
        self.said = now;
        let offer =
            Offer { id: self.about.transfer, name: self.about.file.clone(), size: self.about.size, root: self.root };
        out.say(self.about.link, &Word::Offer(offer));
    }

    /// Its turn has come.
    pub(super) fn start(&mut self, now: Instant, out: &mut Outputs) {
        self.state = State::Offered { expires: now + OFFER_LIFE + GRACE };
        out.event(&self.about, What::Offered);
        self.say_offer(now, out);
    }

    pub(super) fn fail(&mut self, reason: Reason, out: &mut Outputs) -> Flow {
        out.event(&self.about, What::Failed { reason, resumable: false });
        Flow::End
    }

    /// Ends it here and tells the receiver.
    pub(super) fn cancel(&mut self, reason: Reason, out: &mut Outputs) -> Flow {
        if !self.is_queued() {
            out.say(self.about.link, &Word::Cancel(End { id: self.about.transfer, reason }));
        }
        self.fail(reason, out)
    }

    pub(super) fn on_linked(&mut self, now: Instant, out: &mut Outputs) {
        self.lost_at = None;
        self.heard = now;
        if !self.is_queued() {
            self.say_offer(now, out);
        }
    }

    pub(super) fn on_unlinked(&mut self, now: Instant) {
        self.lost_at.get_or_insert(now);
    }

    pub(super) fn on_want(&mut self, now: Instant, want: Want, out: &mut Outputs) -> Flow {
        if !want.fits(self.about.size) {
            return self.cancel(Reason::Protocol, out);
        }
        let last = match self.state {
            State::Queued => return Flow::Go,
            State::Offered { .. } => {
                out.event(&self.about, What::Accepted);
                0
            }
            State::Active { attempt, .. } => attempt,
        };
        // A want that was overtaken by a newer one.
        if want.attempt <= last {
            return Flow::Go;
        }
        self.heard = now;
        self.state = State::Active { attempt: want.attempt, sent: None, told: None };
        out.push(Output::Open {
            transfer: self.about.transfer,
            link: self.about.link,
            attempt: want.attempt,
            spans: want.spans,
        });
        Flow::Go
    }

    pub(super) fn on_decline(&mut self, reason: Reason, out: &mut Outputs) -> Flow {
        match (&self.state, reason) {
            (State::Queued, _) => Flow::Go,
            (State::Offered { .. }, Reason::Declined | Reason::NotAccepting | Reason::TooManyOffers) => {
                out.event(&self.about, What::Declined(reason));
                Flow::End
            }
            _ => self.fail(reason.seen_from_afar(), out),
        }
    }

    pub(super) fn on_confirm(&mut self, now: Instant, confirm: &Confirm, out: &mut Outputs) -> Flow {
        if !matches!(self.state, State::Active { .. }) {
            return Flow::Go;
        }
        if confirm.done > self.about.size {
            return self.cancel(Reason::Protocol, out);
        }
        self.heard = now;
        self.done = self.done.max(confirm.done);
        out.event(&self.about, What::Progress(meter::progress(self.done, self.about.size, confirm.rate)));
        Flow::Go
    }

    pub(super) fn on_done(&mut self, root: Hash, out: &mut Outputs) -> Flow {
        // Done before it was accepted, or before we sent a byte of it, is waited out: our own root decides.
        if let State::Active { told, .. } = &mut self.state {
            *told = Some(root);
        }
        self.settle(out)
    }

    /// The stream of `attempt` was written to its end, or broke.
    pub(super) fn on_sent(&mut self, attempt: u32, root: Hash, out: &mut Outputs) -> Flow {
        match &mut self.state {
            State::Active { attempt: current, sent, .. } if *current == attempt => *sent = Some(root),
            _ => return Flow::Go,
        }
        self.settle(out)
    }

    fn settle(&mut self, out: &mut Outputs) -> Flow {
        let State::Active { sent: Some(sent), told: Some(told), .. } = self.state else { return Flow::Go };
        if sent != told {
            return self.fail(Reason::HashMismatch, out);
        }
        out.event(&self.about, What::Done { path: self.path.clone(), blake3: sent });
        Flow::End
    }

    fn ask_again_at(&self) -> Instant {
        self.said.max(self.heard) + ASK_AGAIN
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        if let Some(lost) = self.lost_at {
            return Some(lost + LINK_WAIT);
        }
        match self.state {
            State::Queued => None,
            State::Offered { expires } => Some(expires.min(self.ask_again_at())),
            State::Active { .. } => Some((self.heard + STALL).min(self.ask_again_at())),
        }
    }

    pub(super) fn on_timeout(&mut self, now: Instant, out: &mut Outputs) -> Flow {
        if let Some(lost) = self.lost_at {
            return if now >= lost + LINK_WAIT { self.fail(Reason::LinkLost, out) } else { Flow::Go };
        }
        match self.state {
            State::Offered { expires } if now >= expires => return self.cancel(Reason::Expired, out),
            State::Active { .. } if now >= self.heard + STALL => return self.cancel(Reason::Stalled, out),
            State::Queued => return Flow::Go,
            _ => {}
        }
        if now >= self.ask_again_at() {
            self.say_offer(now, out);
        }
        Flow::Go
    }
}
