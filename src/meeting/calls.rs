//! Sans-IO. Calling a person: who rings whom, how it ends, and what a stranger can do with it.
//!
//! A call is a `ring` over a link of its own, a visitor's, to one run of the person. The other side takes it, and the
//! caller says `go`: only then both know that it is on, and go to the room that the ring named. So a call that is taken
//! in the moment in which it is taken back is not taken. Who calls each other at once is connected: the ring from a
//! meeting counts, else the one of the lower id. Only into a room that was made for the call, though: nobody is brought
//! into a meeting unasked, so a ring from there rings, and the own call is taken back.
//!
//! - One call rings here at a time, and one is made at a time; who rings meanwhile hears `busy`. Somebody met before
//!   takes the place of a stranger whose call rings, who hears `busy` then.
//! - A call rings for [`Rules::ring_for`]; somebody in sight who cannot be linked within [`LINK_PATIENCE`] does not
//!   answer.
//! - Who is linked and says nothing ([`Rules::silence_unknown`]) cannot be told from who does not answer.
//!
//! Bounds: one call each way, [`MAX_RINGERS`] keys of which it is known how often they rang; of one key
//! [`RINGS`] rings at once and one more each [`RING_EVERY`], of all keys that were never met together [`STRANGERS`] and one each
//! [`STRANGER_EVERY`]. What rings more is not heard. Messages that belong to no call are dropped.

mod ringers;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::framing::{self, Message};
use crate::id::{CallId, Instance, LinkKey, PeerId, RoomName};
use crate::known::trust::Trust;

pub use ringers::{MAX_RINGERS, RING_EVERY, RINGS, STRANGER_EVERY, STRANGERS};
pub use words::{CallEnd, Rules};

use ringers::Ringers;
use words::{connect, unknown};

use super::command::Done;
use super::event::{Direction, Event, Warning};
use super::failure::{Code, Failure, WarningCode};
use super::nearby::Sight;
use super::wire::{self, Ring, RingAnswer, RingEnd};

/// The word in a hello of who can be called.
pub const CAPABILITY: &str = "calls";
/// How long a call rings.
pub const RING_FOR: Duration = Duration::from_secs(45);
/// How long somebody in sight has to be linked.
pub const LINK_PATIENCE: Duration = Duration::from_secs(10);
/// The callee waits so much longer than the caller before it gives a ring up by itself.
const RING_GRACE: Duration = Duration::from_secs(5);
/// How long the caller has to confirm that a taken call is on.
const GO_WITHIN: Duration = Duration::from_secs(5);
/// A link that was made for a call is closed so long after it: last words arrive by then.
const LINGER: Duration = Duration::from_secs(5);
/// Runs of one person that turned out not to take calls.
const MAX_DEAF: usize = 8;
/// Where a call goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The room.
    pub room: RoomName,
    /// It is a meeting that the caller sits in, not a room made for this call.
    pub meeting: bool,
}

/// What a shell has to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Out {
    /// Dial this person without a seat, even where a link to one of these runs is up already.
    Reach {
        /// Who.
        peer: PeerId,
        /// Where.
        addresses: Vec<SocketAddr>,
        /// Runs that do not take calls.
        except: Vec<Instance>,
    },
    /// Send this over exactly this link.
    Send {
        /// Which.
        to: LinkKey,
        /// What.
        message: Message,
    },
    /// The link was made for a call that is over: close it, unless something else uses it.
    Release(LinkKey),
    /// Tell the faces.
    Event(Event),
    /// The answer to an `answer` that [`Calls::answer`] took.
    Answered {
        /// Which call.
        call: CallId,
        /// What became of it.
        result: Result<Done, Failure>,
    },
}

/// A call that rings here.
#[derive(Debug, Clone)]
struct Incoming {
    call: CallId,
    link: LinkKey,
    place: Place,
    until: Instant,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A person decides.
    Rings,
    /// Taken by a person, who waits for the word that it is on.
    Taken,
    /// Taken by itself: it crossed a call of ours to the same person.
    Crossed,
}

/// A call that we make.
#[derive(Debug, Clone)]
struct Outgoing {
    call: CallId,
    peer: PeerId,
    place: Place,
    /// Where it rings.
    link: Option<LinkKey>,
    /// Links that were made for it are closed after it.
    dialed: bool,
    // At most MAX_DEAF.
    deaf: Vec<Instance>,
    link_until: Instant,
    until: Instant,
}

/// What a message about calls was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Carried out, or of no matter.
    Fine,
    /// Not readable.
    Malformed(framing::Error),
    /// More rings than one may send.
    Flood,
}

/// See the module.
#[derive(Debug)]
pub struct Calls {
    me: PeerId,
    rules: Rules,
    rng: StdRng,
    incoming: Option<Incoming>,
    outgoing: Option<Outgoing>,
    /// The call of ours that ended last: who takes it now is told.
    last: Option<(CallId, LinkKey)>,
    // Links over which calls can be made. As many as the mesh lets in.
    links: BTreeSet<LinkKey>,
    ringers: Ringers,
    // A subset of `links`.
    release: BTreeMap<LinkKey, Instant>,
    // Bounded by what one input can cause; drained after each.
    out: VecDeque<Out>,
}

impl Calls {
    /// No call. From `seed`, which nobody else may know, ids and room names are drawn.
    pub fn new(me: PeerId, rules: Rules, seed: [u8; 32]) -> Self {
        Self {
            me,
            rules,
            rng: StdRng::from_seed(seed),
            incoming: None,
            outgoing: None,
            last: None,
            links: BTreeSet::new(),
            ringers: Ringers::default(),
            release: BTreeMap::new(),
            out: VecDeque::new(),
        }
    }

    /// A room for a call from the lobby: fresh, not to be guessed, never announced.
    pub fn fresh_place(&mut self) -> Place {
        Place { room: RoomName::of_call(self.rng.random()), meeting: false }
    }

    /// Whether calls of keys that were never met are heard, from now on.
    pub fn silence_unknown(&mut self, silence: bool) {
        self.rules.silence_unknown = silence;
    }

    /// Rings whom `who` means. Calls go on in `place`.
    pub fn call(&mut self, now: Instant, sight: &Sight, place: Place, who: &str) -> Result<CallId, Failure> {
        let peer = sight.resolve(who)?;
        let name = sight.person(peer).name;
        if let Some(outgoing) = &self.outgoing {
            let message = format!("You are calling {} already.", sight.person(outgoing.peer).name);
            return Err(Failure::new(Code::Calling, message, "Take that call back first, or wait."));
        }
        if self.incoming.as_ref().is_some_and(|incoming| incoming.link.peer == peer) {
            return Err(Failure::new(Code::Calling, format!("{name} is calling you right now."), "Answer that call."));
        }
        sight.allows(peer)?;
        let call = CallId::from_u64(self.rng.random());
        self.outgoing = Some(Outgoing {
            call,
            peer,
            place,
            link: None,
            dialed: false,
            deaf: Vec::new(),
            link_until: now + LINK_PATIENCE,
            until: now + self.rules.ring_for,
        });
        self.seek(now, sight);
        Ok(call)
    }

    // Rings over a link that there is, or looks for one.
    fn seek(&mut self, now: Instant, sight: &Sight) {
        let Some(outgoing) = &mut self.outgoing else { return };
        let (peer, deaf) = (outgoing.peer, &outgoing.deaf);
        let link = self.links.iter().rev().find(|key| key.peer == peer && !deaf.contains(&key.instance)).copied();
        if let Some(link) = link {
            outgoing.link = Some(link);
            // A link that was made for the call before is this one's to close.
            outgoing.dialed |= self.release.remove(&link).is_some();
            let ring = Ring { call: outgoing.call, room: outgoing.place.room.clone(), meeting: outgoing.place.meeting };
            self.out.push_back(Out::Send { to: link, message: Message::new(wire::RING, &ring) });
            return;
        }
        let addresses = if deaf.is_empty() { sight.addresses(peer) } else { sight.addresses_without(peer, deaf) };
        if addresses.is_empty() {
            return self.unreached(now, sight);
        }
        outgoing.dialed = true;
        self.out.push_back(Out::Reach { peer, addresses, except: deaf.clone() });
    }

    // Nobody to ring at.
    fn unreached(&mut self, now: Instant, sight: &Sight) {
        let Some(outgoing) = &self.outgoing else { return };
        let person = sight.person(outgoing.peer);
        let (message, hint) = if outgoing.deaf.is_empty() {
            (format!("{} is in sight but does not answer.", person.name), "Is a firewall in between?")
        } else {
            (format!("{} has nothing open that takes calls.", person.name), "Ask them to open lets-meet.")
        };
        let warning = Warning { code: WarningCode::Other, person: Some(person), message, hint: hint.to_owned() };
        self.out.push_back(Out::Event(Event::Warning(warning)));
        self.end_outgoing(now, sight, CallEnd::Timeout);
    }

    /// Takes a call that rings here; what becomes of it comes as [`Out::Answered`]. One of a key that is held back cannot
    /// be taken: it rings no more, and nothing is said to the caller.
    pub fn answer(&mut self, now: Instant, sight: &Sight, call: CallId) -> Result<(), Failure> {
        let Some(incoming) = self.incoming.as_mut().filter(|i| i.call == call && i.stage == Stage::Rings) else {
            return Err(unknown());
        };
        if let Err(failure) = sight.allows(incoming.link.peer) {
            self.end_incoming(sight, CallEnd::Declined);
            return Err(failure);
        }
        incoming.stage = Stage::Taken;
        incoming.until = now + GO_WITHIN;
        let to = incoming.link;
        self.say_answer(to, call, wire::TAKE);
        // Nobody is in two calls.
        if self.outgoing.is_some() {
            self.hang_up(now, sight);
        }
        Ok(())
    }

    /// Refuses a call that rings here, or takes back the one that rings there.
    pub fn decline(&mut self, now: Instant, sight: &Sight, call: CallId) -> Result<(), Failure> {
        if let Some(incoming) = self.incoming.as_ref().filter(|incoming| incoming.call == call) {
            let to = incoming.link;
            self.ringers.on_declined(now, to.peer);
            self.say_answer(to, call, wire::DECLINE);
            self.end_incoming(sight, CallEnd::Declined);
            return Ok(());
        }
        if self.outgoing.as_ref().is_some_and(|outgoing| outgoing.call == call) {
            self.hang_up(now, sight);
            return Ok(());
        }
        Err(unknown())
    }

    fn hang_up(&mut self, now: Instant, sight: &Sight) {
        self.say_end(wire::CANCELLED);
        self.end_outgoing(now, sight, CallEnd::Cancelled);
    }

    fn say_answer(&mut self, to: LinkKey, call: CallId, word: &str) {
        let message = Message::new(wire::RING_ANSWER, &RingAnswer { call, word: word.to_owned() });
        self.out.push_back(Out::Send { to, message });
    }

    // Tells the one who rings that our call is over, if it rings anywhere.
    fn say_end(&mut self, word: &str) {
        if let Some(Outgoing { call, link: Some(to), .. }) = self.outgoing {
            let message = Message::new(wire::RING_END, &RingEnd { call, word: word.to_owned() });
            self.out.push_back(Out::Send { to, message });
        }
    }

    fn end_outgoing(&mut self, now: Instant, sight: &Sight, reason: CallEnd) {
        let Some(outgoing) = self.outgoing.take() else { return };
        self.ended(sight, outgoing.call, outgoing.peer, Direction::Out, reason, outgoing.place.room);
        if let Some(link) = outgoing.link {
            self.last = Some((outgoing.call, link));
        }
        if outgoing.dialed {
            let made: Vec<LinkKey> = self.links.iter().filter(|key| key.peer == outgoing.peer).copied().collect();
            self.release.extend(made.into_iter().map(|key| (key, now + LINGER)));
        }
    }

    fn end_incoming(&mut self, sight: &Sight, reason: CallEnd) {
        let Some(incoming) = self.incoming.take() else { return };
        let (call, peer, room) = (incoming.call, incoming.link.peer, incoming.place.room);
        if incoming.stage == Stage::Crossed {
            return;
        }
        self.ended(sight, call, peer, Direction::In, reason, room.clone());
        if incoming.stage == Stage::Taken {
            let result = if reason == CallEnd::Answered {
                Ok(Done::Answered { room, connect: connect(sight, peer) })
            } else {
                let message = format!("{} calls no more.", sight.person(peer).name);
                Err(Failure::new(Code::UnknownCall, message, "Call back."))
            };
            self.out.push_back(Out::Answered { call, result });
        }
    }

    fn ended(
        &mut self,
        sight: &Sight,
        call: CallId,
        peer: PeerId,
        direction: Direction,
        reason: CallEnd,
        room: RoomName,
    ) {
        let (person, connect) = (sight.person(peer), connect(sight, peer));
        self.out.push_back(Out::Event(Event::CallEnded { call, person, direction, reason, room, connect }));
    }

    /// A link is up, with a seat or without. `rings`: its hello says that it takes calls.
    pub fn on_linked(&mut self, now: Instant, sight: &Sight, key: LinkKey, rings: bool) {
        if rings {
            self.links.insert(key);
        }
        let Some(outgoing) = self.outgoing.as_mut().filter(|o| o.peer == key.peer && o.link.is_none()) else { return };
        if !rings {
            if outgoing.deaf.len() >= MAX_DEAF {
                return self.unreached(now, sight);
            }
            outgoing.deaf.push(key.instance);
        }
        self.seek(now, sight);
    }

    /// Somebody took a seat in the meeting that we are in: a call of ours to it is answered.
    pub fn on_seated(&mut self, now: Instant, sight: &Sight, peer: PeerId) {
        if self.outgoing.as_ref().is_some_and(|outgoing| outgoing.peer == peer && outgoing.place.meeting) {
            self.say_end(wire::CANCELLED);
            self.end_outgoing(now, sight, CallEnd::Answered);
        }
    }

    /// A link is gone.
    pub fn on_unlinked(&mut self, now: Instant, sight: &Sight, key: LinkKey) {
        self.links.remove(&key);
        self.release.remove(&key);
        self.last = self.last.filter(|(_, link)| *link != key);
        if self.incoming.as_ref().is_some_and(|incoming| incoming.link == key) {
            self.end_incoming(sight, CallEnd::Cancelled);
        }
        // It may have been the network: tried again for a while.
        if let Some(outgoing) = self.outgoing.as_mut().filter(|outgoing| outgoing.link == Some(key)) {
            outgoing.link = None;
            outgoing.link_until = now + LINK_PATIENCE;
            self.seek(now, sight);
        }
    }

    /// A message about calls came. `here` is the room that we sit in.
    pub fn on_message(
        &mut self,
        now: Instant,
        sight: &Sight,
        here: Option<&RoomName>,
        from: LinkKey,
        message: &Message,
    ) -> Heard {
        // Only who has a link can say anything; a caller that does not say that it takes calls is answered all the same.
        self.links.insert(from);
        match message.kind {
            wire::RING => match message.decode() {
                Ok(ring) => return self.on_ring(now, sight, here, from, ring),
                Err(error) => return Heard::Malformed(error),
            },
            wire::RING_ANSWER => match message.decode::<RingAnswer>() {
                Ok(answer) => self.on_answer(now, sight, from, &answer),
                Err(error) => return Heard::Malformed(error),
            },
            wire::RING_END => match message.decode::<RingEnd>() {
                Ok(end) => self.on_end(now, sight, from, &end),
                Err(error) => return Heard::Malformed(error),
            },
            _ => {}
        }
        Heard::Fine
    }

    fn on_ring(
        &mut self,
        now: Instant,
        sight: &Sight,
        here: Option<&RoomName>,
        from: LinkKey,
        Ring { call, room, meeting }: Ring,
    ) -> Heard {
        let trust = sight.trust(from.peer);
        if !self.ringers.may_ring(now, from.peer, trust) {
            return Heard::Flood;
        }
        if self.ringers.is_refused(now, from.peer) {
            self.say_answer(from, call, wire::BUSY);
            return Heard::Fine;
        }
        if self.rules.silence_unknown && matches!(trust, Trust::New | Trust::Changed) {
            return Heard::Fine;
        }
        // Said again over another link.
        if let Some(incoming) = self.incoming.as_mut().filter(|i| i.call == call && i.link.peer == from.peer) {
            incoming.link = from;
            if incoming.stage != Stage::Rings {
                // It was taken over the link that is gone; the word may be gone with it.
                self.say_answer(from, call, wire::TAKE);
            }
            return Heard::Fine;
        }
        // Who was never met does not learn by a ring where we sit.
        let met = matches!(trust, Trust::Known | Trust::Verified);
        if met && here.is_some_and(|here| here.id() == room.id()) {
            self.say_answer(from, call, wire::TAKE);
            return Heard::Fine;
        }
        let calling = self.outgoing.as_ref().is_some_and(|ours| ours.peer != from.peer);
        if calling || !self.makes_way(sight, trust) {
            self.say_answer(from, call, wire::BUSY);
            return Heard::Fine;
        }
        let place = Place { room, meeting };
        let stage = match &self.outgoing {
            None => Stage::Rings,
            // Both call each other: one of the two calls is the call.
            Some(ours) => {
                let ours_counts =
                    if ours.place.meeting == place.meeting { self.me < from.peer } else { ours.place.meeting };
                if ours_counts {
                    return Heard::Fine;
                }
                if place.room.is_call() {
                    self.say_answer(from, call, wire::TAKE);
                    Stage::Crossed
                } else {
                    self.hang_up(now, sight);
                    Stage::Rings
                }
            }
        };
        let until =
            now + if stage == Stage::Rings { self.rules.ring_for.max(RING_FOR) + RING_GRACE } else { GO_WITHIN };
        if stage == Stage::Rings {
            // What it says of itself is all that a person has to go by.
            let trust = sight.trust_by_name(from.peer);
            let (from, room) = (sight.person_apart(from.peer), place.room.clone());
            self.out.push_back(Out::Event(Event::Ring { call, from, trust, room }));
        }
        self.incoming = Some(Incoming { call, link: from, place, until, stage });
        Heard::Fine
    }

    // True when nothing rings here any more that a ring of somebody trusted so far would have to wait for.
    fn makes_way(&mut self, sight: &Sight, trust: Trust) -> bool {
        let Some(ringing) = &self.incoming else { return true };
        let stranger = |trust: Trust| matches!(trust, Trust::New | Trust::Changed);
        let (link, call) = (ringing.link, ringing.call);
        if stranger(trust) || ringing.stage != Stage::Rings || !stranger(sight.trust(link.peer)) {
            return false;
        }
        self.say_answer(link, call, wire::BUSY);
        self.end_incoming(sight, CallEnd::Busy);
        true
    }

    fn on_answer(&mut self, now: Instant, sight: &Sight, from: LinkKey, answer: &RingAnswer) {
        let Some(outgoing) = self.outgoing.as_ref().filter(|o| o.call == answer.call && o.link == Some(from)) else {
            if answer.word == wire::TAKE && self.last == Some((answer.call, from)) {
                self.last = None;
                let end = RingEnd { call: answer.call, word: wire::CANCELLED.to_owned() };
                self.out.push_back(Out::Send { to: from, message: Message::new(wire::RING_END, &end) });
            }
            return;
        };
        let call = outgoing.call;
        let reason = match answer.word.as_str() {
            wire::TAKE => CallEnd::Answered,
            wire::DECLINE => CallEnd::Declined,
            wire::BUSY => CallEnd::Busy,
            // A word from the future: it rings on.
            _ => return,
        };
        if reason == CallEnd::Answered {
            self.say_end(wire::GO);
        }
        self.end_outgoing(now, sight, reason);
        if reason == CallEnd::Answered {
            // It is on: nothing is to be said of it any more, and whatever else rings here has missed us.
            self.last = self.last.filter(|(last, _)| *last != call);
            if let Some(to) = self.incoming.as_ref().map(|incoming| incoming.link)
                && let Some(other) = self.incoming.as_ref().map(|incoming| incoming.call)
            {
                self.say_answer(to, other, wire::BUSY);
                self.end_incoming(sight, CallEnd::Busy);
            }
        }
    }

    fn on_end(&mut self, now: Instant, sight: &Sight, from: LinkKey, end: &RingEnd) {
        let Some(incoming) = self.incoming.as_ref().filter(|i| i.call == end.call && i.link == from) else { return };
        match (end.word.as_str(), incoming.stage) {
            (wire::GO, Stage::Taken) => self.end_incoming(sight, CallEnd::Answered),
            (wire::GO, Stage::Crossed) => {
                // Our own call to the same person is answered by theirs: it goes on in their room.
                let place = incoming.place.clone();
                self.end_incoming(sight, CallEnd::Answered);
                if let Some(outgoing) = self.outgoing.as_mut() {
                    outgoing.place = place;
                    self.end_outgoing(now, sight, CallEnd::Answered);
                    self.last = None;
                }
            }
            (wire::CANCELLED, _) => self.end_incoming(sight, CallEnd::Cancelled),
            (wire::TIMEOUT, _) => self.end_incoming(sight, CallEnd::Timeout),
            _ => {}
        }
    }

    /// A deadline passed. A late or needless call does no harm.
    pub fn on_timeout(&mut self, now: Instant, sight: &Sight) {
        if let Some(incoming) = self.incoming.as_ref().filter(|incoming| incoming.until <= now) {
            let reason = if incoming.stage == Stage::Rings { CallEnd::Timeout } else { CallEnd::Cancelled };
            self.end_incoming(sight, reason);
        }
        if let Some(outgoing) = &self.outgoing {
            if outgoing.until <= now {
                self.say_end(wire::TIMEOUT);
                self.end_outgoing(now, sight, CallEnd::Timeout);
            } else if outgoing.link.is_none() && outgoing.link_until <= now {
                self.unreached(now, sight);
            }
        }
        let due: Vec<LinkKey> = self.release.iter().filter(|(_, at)| **at <= now).map(|(key, _)| *key).collect();
        for key in due {
            self.release.remove(&key);
            let used = self.incoming.as_ref().is_some_and(|incoming| incoming.link == key)
                || self.outgoing.as_ref().is_some_and(|outgoing| outgoing.link == Some(key));
            if !used {
                self.out.push_back(Out::Release(key));
            }
        }
    }

    /// When `on_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let outgoing = self.outgoing.as_ref();
        let link = outgoing.filter(|outgoing| outgoing.link.is_none()).map(|outgoing| outgoing.link_until);
        let incoming = self.incoming.as_ref().map(|incoming| incoming.until);
        let release = self.release.values().min().copied();
        [outgoing.map(|outgoing| outgoing.until), link, incoming, release].into_iter().flatten().min()
    }

    /// What is to be done, one at a time; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Out> {
        self.out.pop_front()
    }
}

#[cfg(test)]
mod tests;
