//! Sans-IO. Who is here, and by which link.
//!
//! The roster decides whom to dial, which of two links to one peer stays, when a silent peer is suspected and when it
//! has left. Its shell ([`crate::mesh`]) owns the sockets: it carries out what [`Roster::poll_output`] says, and
//! reports what happened.
//!
//! - **One decider.** Both ends of a pair may dial at once (glare), and a redial runs beside an old link. The lower id
//!   decides which link is *the* link and says so as its first word after the hellos; the other end waits for that
//!   word. So nothing is ever sent on a link that loses. The lower id also dials first, the other after
//!   [`GLARE_GRACE`]; what a person typed is dialed at once.
//! - **A seat is not a connection.** After [`SUSPECT_AFTER`] without a packet, or when the connection breaks, the peer
//!   is suspected and redialed beside the old link, at once and every second, by both ends. The first link to answer
//!   wins. [`LEAVE_AFTER`] the last packet it has left; from then on pauses grow.
//! - **One seat a key.** A newer instance takes the seat of an older one at once, and an instance that lost its seat or
//!   said goodbye is never seated again.
//! - **Everybody links to everybody.** A new link gets the list of all others, and all others get the new peer. One
//!   peer in turn gets the whole list every [`GOSSIP_EVERY`], for what was lost.
//!
//! Bounds, whatever peers send: [`MAX_PEERS`] peers, [`crate::mesh::candidates::MAX_PER_PEER`] addresses each, [`MAX_ENTRIES`]
//! entries of one message, `seats` unproven peers by the word of one peer, [`MAX_VISITORS`] visitors, and the
//! dials of [`crate::mesh::dialer`]. At most one seat a peer, at most `seats` seats with the own one.

mod gossip;
mod judge;
mod ousted;
mod pace;
mod person;
mod visitors;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::bucket::Bucket;
use crate::id::{Instance, LinkKey, PeerId};
use crate::mesh::dialer::{Dialer, Target};
use crate::share::DisplayName;
use crate::sighting::{Sighting, Source};

pub use crate::mesh::dialer::Attempt;
use pace::{Typed, Visit};
use person::{Person, Seated};
pub use words::{
    Change, CloseReason, Closed, Config, DialFailure, Direction, Entry, Hello, LeaveReason, LinkId, Output, Presence,
    Refusal, Seat, Verdict,
};

/// Silence after which a peer is suspected: two keep-alives are missing.
pub const SUSPECT_AFTER: Duration = Duration::from_secs(2);
/// Silence after which a peer has left.
pub const LEAVE_AFTER: Duration = Duration::from_secs(7);
/// Between two redials of a suspected peer.
pub const REDIAL_EVERY: Duration = Duration::from_secs(1);
/// How long the higher id waits for the lower one to dial.
pub const GLARE_GRACE: Duration = Duration::from_millis(700);
/// How long the end that does not decide waits for the word of the other.
pub const DECIDE_WITHIN: Duration = Duration::from_secs(5);
/// Between two whole lists to some peer.
pub const GOSSIP_EVERY: Duration = Duration::from_secs(5);
/// Entries of one gossip message that are looked at; the rest is ignored.
pub const MAX_ENTRIES: usize = 64;
/// Peers known at once. Overflow: the least promising unseated one is forgotten.
pub const MAX_PEERS: usize = 1024;
/// Visitors linked at once. Overflow: refused.
pub const MAX_VISITORS: usize = 32;

#[derive(Debug)]
enum Stage {
    /// The other end decides.
    Waiting { until: Instant },
    /// In use.
    Active,
}

#[derive(Debug)]
struct Link {
    hello: Hello,
    stage: Stage,
    gossip: Bucket,
    renames: Bucket,
}

/// See the module.
#[derive(Debug)]
pub struct Roster {
    config: Config,
    rng: StdRng,
    people: BTreeMap<PeerId, Person>,
    links: BTreeMap<LinkId, Link>,
    visitors: BTreeMap<LinkKey, LinkId>,
    dialer: Dialer,
    typed: BTreeMap<SocketAddr, Typed>,
    visits: BTreeMap<PeerId, Visit>,
    // Drained after each input; one input adds at most a few per seat.
    outputs: VecDeque<Output>,
    next_gossip: Option<Instant>,
    next_expiry: Option<Instant>,
    // At most as many as there are seats.
    ousted_by: BTreeSet<PeerId>,
    other_run: Option<Instance>,
    leaving: bool,
}

impl Roster {
    /// An empty roster.
    pub fn new(config: Config) -> Self {
        Self {
            rng: StdRng::seed_from_u64(config.seed),
            config,
            people: BTreeMap::new(),
            links: BTreeMap::new(),
            visitors: BTreeMap::new(),
            dialer: Dialer::default(),
            typed: BTreeMap::new(),
            visits: BTreeMap::new(),
            outputs: VecDeque::new(),
            next_gossip: None,
            next_expiry: None,
            ousted_by: BTreeSet::new(),
            other_run: None,
            leaving: false,
        }
    }

    /// Somebody was seen, or said goodbye to discovery. Of this very peer only another run is of interest.
    pub fn on_sighting(&mut self, now: Instant, sighting: &Sighting) {
        let Some(peer) = sighting.peer else { return self.on_typed(now, sighting) };
        if peer == self.config.me.peer {
            return self.on_own_sighting(sighting);
        }
        if sighting.gone {
            self.on_gone(peer, sighting);
            return;
        }
        let invited = self.invites(sighting);
        if !self.make_room_for(peer) {
            return;
        }
        let person = self.people.entry(peer).or_default();
        if sighting.instance.is_some_and(|instance| person.is_retired(instance)) {
            return;
        }
        if sighting.source != Source::Gossip {
            person.introducer = None;
        }
        if person.learn(now, sighting) {
            self.outputs.push_back(Output::Sighted(sighting.clone()));
        }
        if !invited || self.leaving || person.removed {
            return;
        }
        person.wanted = true;
        match &person.seated {
            None => self.pursue(now, peer, sighting.source),
            // Another instance than the seated one: the seated one may be dead.
            Some(seated) => {
                let other = sighting.instance.is_some_and(|instance| instance != seated.instance);
                if other && sighting.source != Source::Gossip {
                    self.pursue(now, peer, sighting.source);
                }
            }
        }
    }

    fn on_gone(&mut self, peer: PeerId, sighting: &Sighting) {
        let Some(person) = self.people.get_mut(&peer) else { return };
        if person.unlearn(sighting.source, sighting.instance) {
            self.outputs.push_back(Output::Sighted(sighting.clone()));
        }
        if person.is_idle() && person.candidates.is_empty() {
            self.people.remove(&peer);
            self.dialer.finish(Target::Peer(peer));
        }
    }

    // True if the sighting says that this peer sits in this room, or may.
    fn invites(&self, sighting: &Sighting) -> bool {
        let Some(room) = self.config.room else { return false };
        let silent = sighting.rooms.is_empty() && sighting.source != Source::Mdns;
        sighting.source == Source::Manual || silent || sighting.rooms.iter().any(|name| name.id() == room)
    }

    /// A dial gave no link.
    pub fn on_dial_failed(&mut self, now: Instant, attempt: Attempt, why: DialFailure) {
        let Some((target, address)) = self.dialer.on_failed(now, attempt) else { return };
        match why {
            DialFailure::Unreachable => {}
            DialFailure::WrongKey => match target {
                Target::Peer(peer) => {
                    if let Some(person) = self.people.get_mut(&peer) {
                        person.candidates.remove(address);
                    }
                }
                Target::Visit(peer) => {
                    if let Some(visit) = self.visits.get_mut(&peer) {
                        visit.candidates.remove(address);
                    }
                }
                Target::Address(_) => {}
            },
            DialFailure::Refused(refusal) => match target {
                Target::Peer(peer) => self.on_refused(now, peer, refusal),
                Target::Visit(peer) => {
                    self.visits.remove(&peer);
                    self.dialer.finish(target);
                }
                Target::Address(address) => self.on_typed_refused(address, refusal),
            },
        }
    }

    fn on_refused(&mut self, now: Instant, peer: PeerId, refusal: Refusal) {
        let Some(person) = self.people.get_mut(&peer) else { return };
        match refusal {
            // A slot may come free: ask again, seldom.
            Refusal::RoomFull | Refusal::Busy => person.failures = person.failures.max(3),
            // The other link is the link.
            Refusal::Duplicate => {}
            Refusal::OtherRoom | Refusal::Version | Refusal::Removed | Refusal::Myself | Refusal::Replaced => {
                person.wanted = false;
                person.next = None;
                self.dialer.finish(Target::Peer(peer));
                if refusal == Refusal::Replaced {
                    self.on_replaced(now, peer);
                }
            }
        }
        self.settle(now, peer);
    }

    /// Both hellos were read on a connection.
    pub fn on_hello(&mut self, now: Instant, hello: Hello) -> Verdict {
        if let Direction::Outgoing(attempt) = hello.direction {
            match self.dialer.on_answered(attempt) {
                Some((Target::Address(address), _)) => self.on_typed_answered(now, address, &hello),
                Some(_) => {}
                // Given up meanwhile: another link won.
                None => return Verdict::Refuse(Refusal::Duplicate),
            }
        }
        let verdict = match hello.seat {
            Seat::Visitor => self.judge_visitor(&hello),
            Seat::Room => self.judge(now, &hello),
        };
        let link = hello.link;
        let peer = hello.key.peer;
        match verdict {
            Verdict::Seated => {
                self.links.insert(link, Link::new(now, hello, Stage::Active));
                self.activate(now, link);
            }
            Verdict::Wait => {
                // The own dials go on: the other end may have chosen one of them already.
                self.links.insert(link, Link::new(now, hello, Stage::Waiting { until: now + DECIDE_WITHIN }));
            }
            Verdict::Refuse(refusal) => {
                if refusal == Refusal::RoomFull
                    && let Some(person) = self.people.get_mut(&peer)
                {
                    person.failures = person.failures.max(3);
                }
                self.settle(now, peer);
            }
        }
        verdict
    }

    /// The deciding side took the link that [`Verdict::Wait`] was said about.
    pub fn on_seated(&mut self, now: Instant, link: LinkId) {
        let Some(waiting) = self.links.get_mut(&link) else { return };
        let LinkKey { peer, instance } = waiting.hello.key;
        if matches!(waiting.stage, Stage::Active) {
            return;
        }
        waiting.stage = Stage::Active;
        let person = self.people.get(&peer);
        let seated = person.is_some_and(|person| person.seated.is_some());
        if person.is_some_and(|person| person.removed) {
            return self.drop_link(link, CloseReason::Removed);
        }
        if person.is_some_and(|person| person.is_retired(instance)) {
            return self.drop_link(link, CloseReason::Replaced);
        }
        // Others took the last seat meanwhile.
        if (!seated && self.is_full()) || !self.make_room_for(peer) {
            return self.drop_link(link, CloseReason::Undecided);
        }
        self.activate(now, link);
    }

    fn drop_link(&mut self, link: LinkId, reason: CloseReason) {
        if self.links.remove(&link).is_some() {
            self.outputs.push_back(Output::Close { link, reason });
        }
    }

    // `link` is in `links` as active. It becomes the link of its peer.
    fn activate(&mut self, now: Instant, link: LinkId) {
        let Some(hello) = self.links.get(&link).map(|link| link.hello.clone()) else { return };
        let key = hello.key;
        if hello.seat == Seat::Visitor {
            return self.activate_visitor(key, link);
        }
        self.ousted_by.remove(&key.peer);
        let person = self.people.entry(key.peer).or_default();
        person.candidates.add(now, Source::Gossip, &hello.listen);
        person.candidates.prove(now, hello.address);
        person.name = Some(hello.name);
        person.introducer = None;
        person.wanted = true;
        person.left = false;
        person.failures = 0;
        person.next = None;
        let seated = Seated {
            instance: key.instance,
            link: Some(link),
            since: now,
            heard: now,
            suspected: None,
            address: hello.address,
            listen: hello.listen,
        };
        let old = person.seated.replace(seated);
        let mut replaced = None;
        let mut recovered = None;
        let mut close = None;
        if let Some(old) = old {
            if old.instance == key.instance {
                close = old.link.map(|old| (old, CloseReason::Duplicate));
                recovered = Some((old.suspected.is_some(), now.saturating_duration_since(old.heard)));
            } else {
                person.retire(old.instance);
                close = old.link.map(|old| (old, CloseReason::Replaced));
                replaced = Some(old.instance);
            }
        }
        self.dialer.finish(Target::Peer(key.peer));
        match recovered {
            Some((true, after)) => self.outputs.push_back(Output::Changed(Change::Recovered { key, link, after })),
            Some((false, _)) => self.outputs.push_back(Output::Changed(Change::Moved { key, link })),
            None => {
                let seat = Seat::Room;
                self.outputs.push_back(Output::Changed(Change::Linked { key, link, seat, replaced }));
            }
        }
        if let Some((old, reason)) = close {
            self.drop_link(old, reason);
        }
        self.gossip_about(now, key.peer);
    }

    /// A packet came over this link. Every 100 ms is often enough.
    pub fn on_heard(&mut self, now: Instant, link: LinkId) {
        let Some(seated) = self.seat_of(link) else { return };
        let after = now.saturating_duration_since(seated.heard);
        seated.heard = seated.heard.max(now);
        if seated.suspected.take().is_none() {
            return;
        }
        // The other end recovers too: its redials that are still on the way are not news.
        seated.since = now;
        if let Some(key) = self.links.get(&link).map(|link| link.hello.key) {
            // Dials under way go on at the end that does not decide: the other may have chosen one already.
            if self.config.me.peer < key.peer {
                self.dialer.finish(Target::Peer(key.peer));
            } else {
                self.dialer.calm(Target::Peer(key.peer));
            }
            self.outputs.push_back(Output::Changed(Change::Recovered { key, link, after }));
        }
    }

    // The seat that uses this link.
    fn seat_of(&mut self, link: LinkId) -> Option<&mut Seated> {
        let peer = self.links.get(&link).filter(|l| l.hello.seat == Seat::Room)?.hello.key.peer;
        self.people.get_mut(&peer)?.seated.as_mut().filter(|seated| seated.link == Some(link))
    }

    /// The peer says that it leaves.
    pub fn on_goodbye(&mut self, now: Instant, link: LinkId) {
        let Some(key) = self.links.get(&link).map(|link| link.hello.key) else { return };
        if self.seat_of(link).is_some() {
            self.unseat(now, key.peer, LeaveReason::Goodbye);
        } else {
            self.end_visit(link);
            self.drop_link(link, CloseReason::Goodbye);
        }
    }

    /// The connection ended.
    pub fn on_closed(&mut self, now: Instant, link: LinkId, how: Closed) {
        let active = self.seat_of(link).is_some();
        self.end_visit(link);
        let Some(closed) = self.links.remove(&link) else { return };
        let peer = closed.hello.key.peer;
        if active {
            if how == Closed::Refused(Refusal::Replaced) {
                return self.on_replaced(now, peer);
            }
            if how == Closed::Refused(Refusal::Removed) {
                return self.unseat(now, peer, LeaveReason::Removed);
            }
            if let Some(seated) = self.people.get_mut(&peer).and_then(|person| person.seated.as_mut()) {
                seated.link = None;
            }
            // The link that won is on its way here; should it not come, silence tells.
            if how != Closed::Refused(Refusal::Duplicate) {
                self.suspect(now, peer);
            }
        } else if let (Closed::Refused(refusal), Seat::Room) = (how, closed.hello.seat) {
            self.on_refused(now, peer, refusal);
        } else {
            self.settle(now, peer);
        }
    }

    /// The peer shows another name. False when it does so more often than one may: then it keeps the one before.
    pub fn on_renamed(&mut self, now: Instant, link: LinkId, name: DisplayName) -> bool {
        let seated = self.seat_of(link).is_some();
        let Some(found) = self.links.get_mut(&link) else { return false };
        if !found.renames.take(now) {
            return false;
        }
        let peer = found.hello.key.peer;
        if seated && let Some(person) = self.people.get_mut(&peer) {
            person.name = Some(name);
        }
        true
    }

    /// Takes a peer's seat away, and keeps it away.
    pub fn remove(&mut self, now: Instant, peer: PeerId) {
        if peer == self.config.me.peer || !self.make_room_for(peer) {
            return;
        }
        let person = self.people.entry(peer).or_default();
        person.removed = true;
        person.wanted = false;
        person.next = None;
        self.dialer.finish(Target::Peer(peer));
        self.unseat(now, peer, LeaveReason::Removed);
    }

    // Ends a seat; no-op without one.
    fn unseat(&mut self, now: Instant, peer: PeerId, reason: LeaveReason) {
        let Some(person) = self.people.get_mut(&peer) else { return };
        let Some(seated) = person.seated.take() else { return };
        person.left = true;
        person.failures = 0;
        self.dialer.finish(Target::Peer(peer));
        let close = match reason {
            LeaveReason::Timeout => CloseReason::Timeout,
            LeaveReason::Goodbye => {
                person.retire(seated.instance);
                person.candidates.forget_all();
                // A typed address is tried again: the peer may come back there.
                person.wanted = person.candidates.typed();
                CloseReason::Goodbye
            }
            LeaveReason::Removed => {
                person.wanted = false;
                CloseReason::Removed
            }
        };
        let key = LinkKey { peer, instance: seated.instance };
        self.outputs.push_back(Output::Changed(Change::Left { key, reason }));
        if let Some(link) = seated.link {
            self.drop_link(link, close);
        }
        self.settle(now, peer);
    }

    /// This process leaves: nobody is dialed or seated from now on. Links stay for the goodbyes.
    pub fn leave(&mut self) {
        self.leaving = true;
        let peers: Vec<PeerId> = self.people.keys().copied().collect();
        for peer in peers {
            self.dialer.finish(Target::Peer(peer));
        }
        for peer in std::mem::take(&mut self.visits).into_keys() {
            self.dialer.finish(Target::Visit(peer));
        }
        for address in std::mem::take(&mut self.typed).into_keys() {
            self.dialer.finish(Target::Address(address));
        }
    }

    // Sees to it that there is a place for `peer` in `people`. False when everybody else is seated.
    fn make_room_for(&mut self, peer: PeerId) -> bool {
        if self.people.contains_key(&peer) || self.people.len() < MAX_PEERS {
            return true;
        }
        let worth =
            |person: &Person| (!person.is_rumour(), !person.is_idle(), person.removed, person.candidates.typed());
        let worst = self.people.iter().filter(|(_, person)| person.seated.is_none());
        let Some(worst) = worst.min_by_key(|(_, person)| worth(person)).map(|(peer, _)| *peer) else { return false };
        self.people.remove(&worst);
        self.dialer.finish(Target::Peer(worst));
        true
    }

    /// What to do next; drain it before the next input.
    pub fn poll_output(&mut self, now: Instant) -> Option<Output> {
        if self.outputs.is_empty() {
            self.tick(now);
        }
        self.outputs.pop_front()
    }

    /// Where a peer stands.
    pub fn presence(&self, peer: PeerId) -> Option<Presence> {
        let person = self.people.get(&peer)?;
        let waiting = self.links.values().any(|l| l.hello.key.peer == peer && matches!(l.stage, Stage::Waiting { .. }));
        Some(match &person.seated {
            Some(seated) if seated.suspected.is_some() => Presence::Suspected,
            Some(_) => Presence::Linked,
            None if waiting || self.dialer.busy(Target::Peer(peer)) => Presence::Linking,
            None if person.left => Presence::Left,
            None => Presence::Known,
        })
    }

    /// The link in use to this peer's seat.
    pub fn link(&self, peer: PeerId) -> Option<LinkId> {
        self.people.get(&peer)?.seated.as_ref()?.link
    }

    /// Everybody seated but this process, with the link in use.
    pub fn seated(&self) -> impl Iterator<Item = (LinkKey, Option<LinkId>)> {
        self.people.iter().filter_map(|(peer, person)| {
            let seated = person.seated.as_ref()?;
            Some((LinkKey { peer: *peer, instance: seated.instance }, seated.link))
        })
    }

    /// The instance that has this peer's seat.
    pub fn instance(&self, peer: PeerId) -> Option<Instance> {
        self.people.get(&peer)?.seated.as_ref().map(|seated| seated.instance)
    }

    /// How many peers are known, for statistics and tests.
    pub fn known(&self) -> usize {
        self.people.len()
    }
}

const _: () = assert!(MAX_ENTRIES > 0 && MAX_PEERS > MAX_ENTRIES);

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
