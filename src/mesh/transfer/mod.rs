//! Sans-IO. File transfers: who offered what to whom, and what comes next.
//!
//! [`Transfers`] holds every transfer of this process, both ways, one for each recipient. It decides; the shell
//! (`drops`) moves the bytes. The receiver leads a transfer: it accepts by saying which spans it wants, confirms what
//! it has written, and asks again after a cut. So a lost link, a swapped link and (later) a resume or several sources
//! are one thing: another want.
//!
//! Both sides show the receiver's figures (`wire::Confirm`), so percent and rate agree by construction.
//!
//! Everything a peer can grow is capped: open offers for each link, offers in ten seconds, transfers in all. What goes
//! beyond is declined without a word to the person, and one warning a minute says so. Transfers are bound to a link
//! key (peer and instance): another run of the same peer knows nothing of them.

mod meter;
mod receiving;
mod sending;
mod tree;
mod wire;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use meter::{PIECE, Pace};
pub use tree::{GROUP, GROUP_BYTES, Hash, Tree, group_hash};
pub use wire::{
    Confirm, Done, End, GROUP_HEAD, GroupHead, HEAD, Head, Next, OFFER, Offer, Reason, Span, WANT, Want, Word,
};
pub use words::{About, Accept, Direction, Event, Expected, Fault, Output, Refused, What};

use crate::framing::Message;
use crate::id::{LinkKey, TransferId};
use crate::share::FileName;
use receiving::Receiving;
use sending::Sending;

/// The message kinds of this module.
pub const KINDS: std::ops::RangeInclusive<u16> = 128..=159;

/// An offer that nobody answers is over after this time (issue 2: ten minutes).
const OFFER_LIFE: Duration = Duration::from_secs(600);
/// How long a transfer outlives its link: a cut of 5 s must not end it, a person who left should not hold it.
const LINK_WAIT: Duration = Duration::from_secs(30);
/// Longest time without a byte while the link stands.
const STALL: Duration = Duration::from_secs(120);
/// A sender that hears nothing says its offer again.
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// Between two confirmations, and so between two progress events on either side.
const CONFIRM_EVERY: Duration = Duration::from_millis(250);

/// Transfers that we keep open with one link before the next waits its turn. Half of what a receiver takes.
const OPEN_OUT: usize = 16;
/// Transfers that one link may keep open with us.
const OPEN_IN: usize = 32;
/// Transfers in each direction, in all.
const MAX_TRANSFERS: usize = 256;
/// Of these, the ones that visitors leave to peers with a seat: keys cost nothing, and eight of them could take all.
const SEATED_SHARE: usize = 64;
/// Offers that one link may make in [`OFFER_WINDOW`].
const MAX_OFFERS: u32 = 512;
const OFFER_WINDOW: Duration = Duration::from_secs(10);
/// Between two warnings about one link.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// Final words kept, to be said again to a sender that did not hear them.
const MAX_ANSWERS: usize = 256;
/// Links whose offers are counted.
const MAX_LINKS: usize = 1024;

/// What becomes of one transfer after an input.
#[derive(Debug)]
enum Flow {
    Go,
    End,
    // Over, and these are our last words, kept to be said again.
    Answer(Word),
}

#[derive(Debug, Default)]
struct Outputs(VecDeque<Output>);

impl Outputs {
    fn push(&mut self, output: Output) {
        self.0.push_back(output);
    }

    fn say(&mut self, to: LinkKey, word: &Word) {
        self.push(Output::Send { to, message: word.message() });
    }

    fn event(&mut self, about: &About, what: What) {
        self.push(Output::Event(Event::File { about: about.clone(), what }));
    }
}

/// How many offers a link made lately.
#[derive(Debug, Default)]
struct Offers {
    window: Option<Instant>,
    count: u32,
    warned: Option<Instant>,
}

/// Every transfer of this process.
#[derive(Debug, Default)]
pub struct Transfers {
    accept: Accept,
    linked: BTreeSet<LinkKey>,
    // The linked ones without a seat.
    visitors: BTreeSet<LinkKey>,
    // At most MAX_TRANSFERS each; an id is in one of the two only.
    outgoing: BTreeMap<TransferId, Sending>,
    incoming: BTreeMap<TransferId, Receiving>,
    // At most MAX_ANSWERS; the oldest is forgotten.
    answers: VecDeque<(LinkKey, TransferId, Word)>,
    // At most MAX_LINKS; emptied when full, which forgives but never grows.
    offers: BTreeMap<LinkKey, Offers>,
    out: Outputs,
}

impl Transfers {
    /// None yet.
    pub fn new(accept: Accept) -> Self {
        Self { accept, ..Self::default() }
    }

    /// What to do with offers from now on.
    pub fn set_accept(&mut self, accept: Accept) {
        self.accept = accept;
    }

    /// The next thing to do; drain before the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.0.pop_front()
    }

    /// Offers a file. It waits its turn when the recipient has enough open offers of ours.
    pub fn offer(
        &mut self,
        now: Instant,
        transfer: TransferId,
        link: LinkKey,
        file: FileName,
        size: u64,
        path: PathBuf,
    ) -> Result<(), Refused> {
        if !self.linked.contains(&link) {
            return Err(Refused::NotLinked);
        }
        let taken = self.outgoing.contains_key(&transfer) || self.incoming.contains_key(&transfer);
        if taken || self.outgoing.len() >= MAX_TRANSFERS {
            return Err(Refused::TooMany);
        }
        let about = About { transfer, link, direction: Direction::Out, file, size };
        self.outgoing.insert(transfer, Sending::new(now, about, path, None));
        self.start_queued(now, link);
        Ok(())
    }

    fn start_queued(&mut self, now: Instant, link: LinkKey) {
        if !self.linked.contains(&link) {
            return;
        }
        let open = self.outgoing.values().filter(|s| s.about.link == link && !s.is_queued()).count();
        let queued = self.outgoing.values_mut().filter(|s| s.about.link == link && s.is_queued());
        for sending in queued.take(OPEN_OUT.saturating_sub(open)) {
            sending.start(now, &mut self.out);
        }
    }

    /// Takes an offered file.
    pub fn accept(&mut self, transfer: TransferId) -> Result<(), Refused> {
        let reserved = self.incoming.values().map(Receiving::missing).fold(0, u64::saturating_add);
        let receiving = self.incoming.get_mut(&transfer).ok_or(Refused::Unknown)?;
        if !receiving.is_waiting() {
            return Err(Refused::Answered);
        }
        receiving.accept(reserved, &mut self.out);
        Ok(())
    }

    /// Declines an offered file.
    pub fn decline(&mut self, transfer: TransferId) -> Result<(), Refused> {
        let receiving = self.incoming.get_mut(&transfer).ok_or(Refused::Unknown)?;
        if !receiving.is_waiting() {
            return Err(Refused::Answered);
        }
        let flow = receiving.decline(Reason::Declined, &mut self.out);
        self.after_incoming(transfer, flow);
        Ok(())
    }

    /// Stops a transfer of either direction.
    pub fn cancel(&mut self, now: Instant, transfer: TransferId) -> Result<(), Refused> {
        if let Some(sending) = self.outgoing.get_mut(&transfer) {
            let flow = sending.cancel(Reason::Cancelled, &mut self.out);
            self.after_outgoing(now, transfer, flow);
            return Ok(());
        }
        let receiving = self.incoming.get_mut(&transfer).ok_or(Refused::Unknown)?;
        let flow = receiving.cancel(Reason::Cancelled, &mut self.out);
        self.after_incoming(transfer, flow);
        Ok(())
    }

    /// Stops everything, before the process ends.
    pub fn cancel_all(&mut self, now: Instant) {
        for transfer in self.outgoing.keys().chain(self.incoming.keys()).copied().collect::<Vec<_>>() {
            let _ = self.cancel(now, transfer);
        }
    }

    fn after_outgoing(&mut self, now: Instant, transfer: TransferId, flow: Flow) {
        if matches!(flow, Flow::Go) {
            return;
        }
        let Some(sending) = self.outgoing.remove(&transfer) else { return };
        self.out.push(Output::Close { transfer });
        self.start_queued(now, sending.about.link);
    }

    fn after_incoming(&mut self, transfer: TransferId, flow: Flow) {
        if matches!(flow, Flow::Go) {
            return;
        }
        let Some(receiving) = self.incoming.remove(&transfer) else { return };
        self.out.push(Output::Close { transfer });
        if let Flow::Answer(word) = flow {
            let link = receiving.about.link;
            self.out.say(link, &word);
            if self.answers.len() >= MAX_ANSWERS {
                self.answers.pop_front();
            }
            self.answers.push_back((link, transfer, word));
        }
    }

    /// The link of a visitor stands, see [`on_linked`](Self::on_linked). Its offers leave room for those of others.
    pub fn on_visitor(&mut self, now: Instant, link: LinkKey) {
        self.on_linked(now, link);
        self.visitors.insert(link);
    }

    /// A link stands: new, recovered, or in place of another one of the same run.
    pub fn on_linked(&mut self, now: Instant, link: LinkKey) {
        self.linked.insert(link);
        self.visitors.remove(&link);
        for sending in self.outgoing.values_mut().filter(|s| s.about.link == link) {
            sending.on_linked(now, &mut self.out);
        }
        for receiving in self.incoming.values_mut().filter(|r| r.about.link == link) {
            receiving.on_linked(now, &mut self.out);
        }
        self.start_queued(now, link);
    }

    /// A link is gone. Its transfers wait [`LINK_WAIT`] for it.
    pub fn on_unlinked(&mut self, now: Instant, link: LinkKey) {
        self.linked.remove(&link);
        self.visitors.remove(&link);
        self.offers.remove(&link);
        self.outgoing.values_mut().filter(|s| s.about.link == link).for_each(|s| s.on_unlinked(now));
        self.incoming.values_mut().filter(|r| r.about.link == link).for_each(|r| r.on_unlinked(now));
    }

    /// A link stands, and nothing may go to it any more: its transfers end with a last word, and no other starts before
    /// [`Self::on_linked`].
    pub fn on_withheld(&mut self, now: Instant, link: LinkKey) {
        let outgoing = self.outgoing.iter().filter(|(_, sending)| sending.about.link == link);
        let incoming = self.incoming.iter().filter(|(_, receiving)| receiving.about.link == link);
        let ended: Vec<TransferId> = outgoing.map(|(id, _)| *id).chain(incoming.map(|(id, _)| *id)).collect();
        self.on_unlinked(now, link);
        for transfer in ended {
            let _ = self.cancel(now, transfer);
        }
    }

    /// A message of our [`KINDS`] came. What cannot be read, or is about an unknown transfer, is ignored.
    pub fn on_message(&mut self, now: Instant, from: LinkKey, message: &Message) {
        match Word::read(message) {
            Some(Word::Offer(offer)) => self.on_offer(now, from, offer),
            Some(Word::Want(want)) => {
                let id = want.id;
                if self.sending(from, id).is_none() {
                    // So that its receiver does not wait for a stream that never comes.
                    let end = wire::End { id, reason: Reason::Failed };
                    self.out.say(from, &Word::Cancel(end));
                }
                self.with_sending(now, from, id, |sending, out| sending.on_want(now, want, out));
            }
            Some(Word::Decline(end)) => {
                self.with_sending(now, from, end.id, |sending, out| sending.on_decline(end.reason, out));
            }
            Some(Word::Cancel(end)) => {
                let reason = end.reason.seen_from_afar();
                self.with_sending(now, from, end.id, |sending, out| sending.fail(reason, out));
                self.with_receiving(from, end.id, |receiving, out| receiving.fail(reason, out));
            }
            Some(Word::Confirm(confirm)) => {
                self.with_sending(now, from, confirm.id, |sending, out| sending.on_confirm(now, &confirm, out));
            }
            Some(Word::Done(done)) => {
                self.with_sending(now, from, done.id, |sending, out| sending.on_done(done.root, out));
            }
            None => {}
        }
    }

    fn sending(&mut self, link: LinkKey, id: TransferId) -> Option<&mut Sending> {
        self.outgoing.get_mut(&id).filter(|sending| sending.about.link == link)
    }

    fn with_sending(
        &mut self,
        now: Instant,
        link: LinkKey,
        id: TransferId,
        f: impl FnOnce(&mut Sending, &mut Outputs) -> Flow,
    ) {
        if let Some(sending) = self.outgoing.get_mut(&id).filter(|s| s.about.link == link) {
            let flow = f(sending, &mut self.out);
            self.after_outgoing(now, id, flow);
        }
    }

    fn with_receiving(&mut self, link: LinkKey, id: TransferId, f: impl FnOnce(&mut Receiving, &mut Outputs) -> Flow) {
        if let Some(receiving) = self.incoming.get_mut(&id).filter(|r| r.about.link == link) {
            let flow = f(receiving, &mut self.out);
            self.after_incoming(id, flow);
        }
    }

    fn on_offer(&mut self, now: Instant, from: LinkKey, offer: Offer) {
        let id = offer.id;
        // Said again after a cut: our state answers by itself, or our last word is said again.
        if let Some(receiving) = self.incoming.get(&id)
            && receiving.about.link == from
            && receiving.is(&offer)
        {
            return;
        }
        if let Some((_, _, word)) = self.answers.iter().find(|(link, known, _)| (*link, *known) == (from, id)) {
            self.out.say(from, word);
            return;
        }
        if !self.has_room_for(now, from, id) {
            self.out.say(from, &Word::Decline(wire::End { id, reason: Reason::TooManyOffers }));
            return;
        }
        let about = About { transfer: id, link: from, direction: Direction::In, file: offer.name, size: offer.size };
        self.out.event(&about, What::Offered);
        self.incoming.insert(id, Receiving::new(now, about, offer.root));
        match self.accept {
            Accept::Ask => {}
            Accept::All => {
                let _ = self.accept(id);
            }
            Accept::None => self.with_receiving(from, id, |r, out| r.decline(Reason::NotAccepting, out)),
        }
    }

    fn has_room_for(&mut self, now: Instant, from: LinkKey, id: TransferId) -> bool {
        let open = self.incoming.values().filter(|r| r.about.link == from).count();
        let most = if self.visitors.contains(&from) { MAX_TRANSFERS - SEATED_SHARE } else { MAX_TRANSFERS };
        let taken = self.incoming.contains_key(&id) || self.outgoing.contains_key(&id);
        if self.offers.len() >= MAX_LINKS && !self.offers.contains_key(&from) {
            self.offers.clear();
        }
        let offers = self.offers.entry(from).or_default();
        if offers.window.is_none_or(|start| now.duration_since(start) >= OFFER_WINDOW) {
            (offers.window, offers.count) = (Some(now), 0);
        }
        offers.count = offers.count.saturating_add(1);
        let ok = !taken && open < OPEN_IN && self.incoming.len() < most && offers.count <= MAX_OFFERS;
        if !ok && offers.warned.is_none_or(|at| now.duration_since(at) >= WARN_EVERY) {
            offers.warned = Some(now);
            let detail = "too many files offered at once; the rest is declined".to_owned();
            self.out.push(Output::Event(Event::Warning { code: "flood", peer: from.peer, detail }));
        }
        ok
    }

    /// The shell looked for room and made the temporary file, or could not.
    pub fn on_prepared(&mut self, now: Instant, transfer: TransferId, ready: Result<(), Reason>) {
        if let Some(receiving) = self.incoming.get_mut(&transfer) {
            let flow = receiving.on_prepared(now, ready, &mut self.out);
            self.after_incoming(transfer, flow);
        }
    }

    /// A file stream came. What to expect on it, or `None`: nobody asked for it, reset it.
    pub fn on_stream(&mut self, now: Instant, from: LinkKey, head: Head) -> Option<Expected> {
        let receiving = self.incoming.get_mut(&head.id).filter(|r| r.about.link == from)?;
        let wanted = receiving.on_stream(now, head.attempt);
        wanted.then_some(Expected { size: receiving.about.size, root: receiving.root })
    }

    /// `done` bytes of an incoming file are checked and written.
    pub fn on_written(&mut self, now: Instant, transfer: TransferId, done: u64) {
        if let Some(receiving) = self.incoming.get_mut(&transfer) {
            receiving.on_written(now, done, &mut self.out);
        }
    }

    /// All bytes of an incoming file are here; the disk syncs.
    pub fn on_storing(&mut self, now: Instant, transfer: TransferId) {
        if let Some(receiving) = self.incoming.get_mut(&transfer) {
            receiving.on_storing(now);
        }
    }

    /// An incoming stream ended: stored under a name with its root, or not.
    pub fn on_received(
        &mut self,
        now: Instant,
        transfer: TransferId,
        attempt: u32,
        end: Result<(PathBuf, Hash), Fault>,
    ) {
        let Some(receiving) = self.incoming.get_mut(&transfer) else { return };
        let flow = match end {
            Ok((path, root)) => receiving.on_stored(path, root, &mut self.out),
            Err(Fault::Broken) => receiving.on_broken(now, attempt, &mut self.out),
            Err(Fault::Over(reason)) => receiving.cancel(reason, &mut self.out),
        };
        self.after_incoming(transfer, flow);
    }

    /// An outgoing stream ended: written whole, with the file's root, or not.
    pub fn on_sent(&mut self, now: Instant, transfer: TransferId, attempt: u32, end: Result<Hash, Fault>) {
        let Some(sending) = self.outgoing.get_mut(&transfer) else { return };
        let flow = match end {
            Ok(root) => sending.on_sent(attempt, root, &mut self.out),
            // The receiver asks again.
            Err(Fault::Broken) => Flow::Go,
            Err(Fault::Over(reason)) => sending.cancel(reason, &mut self.out),
        };
        self.after_outgoing(now, transfer, flow);
    }

    /// When [`Self::on_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let outgoing = self.outgoing.values().filter_map(Sending::timeout);
        outgoing.chain(self.incoming.values().filter_map(Receiving::timeout)).min()
    }

    /// Does what is due. Too early and too late are both safe.
    pub fn on_timeout(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let ids: Vec<_> = self.outgoing.iter().filter(|(_, s)| due(s.timeout())).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(sending) = self.outgoing.get_mut(&id) {
                let flow = sending.on_timeout(now, &mut self.out);
                self.after_outgoing(now, id, flow);
            }
        }
        let ids: Vec<_> = self.incoming.iter().filter(|(_, r)| due(r.timeout())).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(receiving) = self.incoming.get_mut(&id) {
                let flow = receiving.on_timeout(now, &mut self.out);
                self.after_incoming(id, flow);
            }
        }
    }
}
