//! Sans-IO. The roster's timers: when a round of dials starts, when silence becomes suspicion, and suspicion the end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::id::{LinkKey, PeerId};
use crate::mesh::candidates::{Candidates, usable};
use crate::mesh::dialer::{Step, Target, Urgency, backoff};
use crate::sighting::{Sighting, Source};

use super::{
    Change, CloseReason, GLARE_GRACE, Hello, LEAVE_AFTER, LeaveReason, LinkId, Output, REDIAL_EVERY, Refusal, Roster,
    SUSPECT_AFTER, Seat, Stage,
};

/// Rounds for a peer that only other peers spoke of.
const RUMOUR_ROUNDS: u32 = 3;
/// Addresses of such a peer dialed in one round.
const RUMOUR_ADDRESSES: usize = 3;
/// Rounds for a visit.
const VISIT_ROUNDS: u32 = 4;
/// Addresses typed without a peer id. Overflow: ignored.
const MAX_TYPED: usize = 32;
/// Between two sweeps of old candidates.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// An address that a person typed without a peer id, until somebody answers there.
#[derive(Debug, Default)]
pub(super) struct Typed {
    failures: u32,
    next: Option<Instant>,
}

/// A peer to be visited.
#[derive(Debug)]
pub(super) struct Visit {
    pub candidates: Candidates,
    pub failures: u32,
    pub next: Option<Instant>,
}

impl Visit {
    pub fn new(candidates: Candidates) -> Self {
        Self { candidates, failures: 0, next: None }
    }
}

impl Roster {
    /// A sighting without a peer id: whoever answers there.
    pub(super) fn on_typed(&mut self, now: Instant, sighting: &Sighting) {
        if self.leaving || sighting.gone {
            return;
        }
        let mut new = false;
        for address in sighting.addresses.iter().copied().filter_map(usable) {
            if self.typed.len() < MAX_TYPED && !self.typed.contains_key(&address) {
                new = true;
                self.typed.insert(address, Typed { failures: 0, next: Some(now) });
            }
        }
        if new {
            self.outputs.push_back(Output::Sighted(sighting.clone()));
        }
    }

    /// Somebody answered at a typed address: from now on it is an address of that peer.
    pub(super) fn on_typed_answered(&mut self, now: Instant, address: SocketAddr, hello: &Hello) {
        self.typed.remove(&address);
        self.dialer.finish(Target::Address(address));
        let peer = hello.key.peer;
        if peer != self.config.me.peer && hello.seat == Seat::Room && self.make_room_for(peer) {
            let person = self.people.entry(peer).or_default();
            person.candidates.add(now, Source::Manual, &[address]);
            person.wanted = !person.removed;
        }
    }

    /// Whoever lives there said no. Asked again, seldom; not at all if it is this process or speaks another version.
    pub(super) fn on_typed_refused(&mut self, address: SocketAddr, refusal: Refusal) {
        if let Refusal::Myself | Refusal::Version | Refusal::Replaced = refusal {
            self.typed.remove(&address);
            self.dialer.finish(Target::Address(address));
        } else if let Some(typed) = self.typed.get_mut(&address) {
            typed.failures = typed.failures.max(3);
        }
    }

    /// Plans the first round for a peer that was just seen.
    pub(super) fn pursue(&mut self, now: Instant, peer: PeerId, source: Source) {
        let lower = self.config.me.peer < peer;
        let at = if lower || source == Source::Manual { now } else { now + GLARE_GRACE };
        let Some(person) = self.people.get_mut(&peer) else { return };
        if self.dialer.extend(Target::Peer(peer), &person.candidates.ordered()) {
            return;
        }
        // A new word shortens a long pause, but does not take the grace from the other end.
        person.next = Some(person.next.map_or(at, |next| next.min(at)));
    }

    /// Sees to it that a wanted peer without a seat has a next round.
    pub(super) fn settle(&mut self, now: Instant, peer: PeerId) {
        let waiting = self.links.values().any(|l| l.hello.key.peer == peer && matches!(l.stage, Stage::Waiting { .. }));
        let busy = waiting || self.leaving || self.dialer.busy(Target::Peer(peer));
        let Some(person) = self.people.get_mut(&peer) else { return };
        if person.wanted && !busy && person.seated.is_none() && person.next.is_none() {
            person.next = Some(now + backoff(&mut self.rng, person.failures));
        }
    }

    /// A seated peer fell silent, or its connection broke.
    pub(super) fn suspect(&mut self, now: Instant, peer: PeerId) {
        let Some(seated) = self.people.get_mut(&peer).and_then(|person| person.seated.as_mut()) else { return };
        if seated.suspected.is_some() {
            return;
        }
        seated.suspected = Some(now);
        let key = LinkKey { peer, instance: seated.instance };
        self.outputs.push_back(Output::Changed(Change::Suspected(key)));
        self.outputs.push_back(Output::Verify(peer));
        self.redial(now, peer);
    }

    fn redial(&mut self, now: Instant, peer: PeerId) {
        if self.leaving {
            return;
        }
        if let Some(person) = self.people.get(&peer) {
            self.dialer.start(now, Target::Peer(peer), person.candidates.ordered(), Urgency::Urgent);
        }
    }

    /// Whatever is due.
    pub(super) fn tick(&mut self, now: Instant) {
        self.tick_links(now);
        self.tick_seats(now);
        self.tick_rounds(now);
        if self.next_gossip.is_some_and(|at| at <= now) {
            self.gossip_again(now);
        }
        if self.next_expiry.is_none_or(|at| at <= now) {
            self.next_expiry = Some(now + EXPIRE_EVERY);
            self.expire(now);
        }
        while let Some(step) = self.dialer.poll(now) {
            match step {
                Step::Dial(attempt, target, address) => {
                    let (peer, seat) = match target {
                        Target::Peer(peer) => (Some(peer), Seat::Room),
                        Target::Visit(peer) => (Some(peer), Seat::Visitor),
                        Target::Address(_) if self.config.room.is_some() => (None, Seat::Room),
                        Target::Address(_) => (None, Seat::Visitor),
                    };
                    self.outputs.push_back(Output::Dial { attempt, address, peer, seat });
                }
                Step::Abandon(attempt) => self.outputs.push_back(Output::Abandon(attempt)),
                Step::Exhausted(target) => self.on_exhausted(now, target),
            }
        }
    }

    fn tick_links(&mut self, now: Instant) {
        let late = |stage: &Stage| matches!(stage, Stage::Waiting { until } if *until <= now);
        let overdue: Vec<(LinkId, PeerId)> =
            self.links.iter().filter(|(_, l)| late(&l.stage)).map(|(id, l)| (*id, l.hello.key.peer)).collect();
        for (link, peer) in overdue {
            self.drop_link(link, CloseReason::Undecided);
            self.settle(now, peer);
        }
    }

    fn tick_seats(&mut self, now: Instant) {
        let mut silent = Vec::new();
        for (peer, person) in &self.people {
            let Some(seated) = &person.seated else { continue };
            if seated.heard + LEAVE_AFTER <= now {
                silent.push((*peer, LEAVE_AFTER));
            } else if seated.suspected.is_none() && seated.heard + SUSPECT_AFTER <= now {
                silent.push((*peer, SUSPECT_AFTER));
            } else if seated.suspected.is_some_and(|at| at + REDIAL_EVERY <= now) {
                silent.push((*peer, REDIAL_EVERY));
            }
        }
        for (peer, what) in silent {
            if what == LEAVE_AFTER {
                // A very late poll finds nobody suspected yet; the order of words holds all the same.
                self.suspect(now, peer);
                self.unseat(now, peer, LeaveReason::Timeout);
            } else if what == SUSPECT_AFTER {
                self.suspect(now, peer);
            } else {
                if let Some(seated) = self.people.get_mut(&peer).and_then(|person| person.seated.as_mut()) {
                    seated.suspected = Some(now);
                }
                self.redial(now, peer);
            }
        }
    }

    fn tick_rounds(&mut self, now: Instant) {
        if self.leaving {
            return;
        }
        let due = |next: Option<Instant>| next.is_some_and(|at| at <= now);
        for (peer, person) in &mut self.people {
            if !due(person.next) {
                continue;
            }
            person.next = None;
            let mut addresses = person.candidates.ordered();
            let rumour = person.candidates.rumoured();
            if rumour {
                addresses.truncate(RUMOUR_ADDRESSES);
            }
            let urgency = if rumour { Urgency::Rumour } else { Urgency::Normal };
            self.dialer.start(now, Target::Peer(*peer), addresses, urgency);
        }
        for (address, typed) in self.typed.iter_mut().filter(|(_, typed)| due(typed.next)) {
            typed.next = None;
            self.dialer.start(now, Target::Address(*address), vec![*address], Urgency::Normal);
        }
        for (peer, visit) in self.visits.iter_mut().filter(|(_, visit)| due(visit.next)) {
            visit.next = None;
            self.dialer.start(now, Target::Visit(*peer), visit.candidates.ordered(), Urgency::Normal);
        }
        self.visits.retain(|_, visit| visit.next.is_some() || !visit.candidates.is_empty());
    }

    fn on_exhausted(&mut self, now: Instant, target: Target) {
        match target {
            Target::Peer(peer) => {
                let Some(person) = self.people.get_mut(&peer) else { return };
                person.failures = person.failures.saturating_add(1);
                if person.is_rumour() && person.failures >= RUMOUR_ROUNDS {
                    self.people.remove(&peer);
                    return;
                }
                self.settle(now, peer);
            }
            Target::Address(address) => {
                if let Some(typed) = self.typed.get_mut(&address) {
                    // A person waits for this one: it never becomes rare.
                    typed.next = Some(now + backoff(&mut self.rng, typed.failures.min(2)));
                    typed.failures = typed.failures.saturating_add(1);
                }
            }
            Target::Visit(peer) => {
                let Some(visit) = self.visits.get_mut(&peer) else { return };
                visit.failures += 1;
                if visit.failures >= VISIT_ROUNDS {
                    self.visits.remove(&peer);
                } else {
                    visit.next = Some(now + backoff(&mut self.rng, 0));
                }
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        for person in self.people.values_mut() {
            person.candidates.expire(now);
            if person.candidates.is_empty() && person.seated.is_none() {
                person.wanted = false;
                person.next = None;
            }
        }
    }

    /// When to call [`Roster::poll_output`] again without an input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let mut first: Option<Instant> = None;
        let mut by = |at: Option<Instant>| first = [first, at].into_iter().flatten().min();
        for person in self.people.values() {
            by(person.next.filter(|_| !self.leaving));
            if let Some(seated) = &person.seated {
                let step = seated.suspected.map_or(seated.heard + SUSPECT_AFTER, |at| at + REDIAL_EVERY);
                by(Some(step.min(seated.heard + LEAVE_AFTER)));
            }
        }
        for link in self.links.values() {
            if let Stage::Waiting { until } = link.stage {
                by(Some(until));
            }
        }
        self.typed.values().for_each(|typed| by(typed.next));
        self.visits.values().for_each(|visit| by(visit.next));
        by(self.next_gossip);
        by(self.next_expiry);
        by(self.dialer.poll_timeout());
        first
    }
}
