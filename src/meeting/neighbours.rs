//! Sans-IO. Who is around the meeting without a seat in it: sightings, visitors, and calls from and to them.

use std::net::SocketAddr;
use std::time::Instant;

use crate::framing::Message;
use crate::id::{Instance, LinkKey, PeerId, Username};
use crate::share::DisplayName;
use crate::sighting::Sighting;

use super::calls::{self, Heard, Place};
use super::command::{Answer, Command, Done, Work};
use super::failure::{Code, Failure, WarningCode};
use super::nearby::Nearby;
use super::{Meeting, Output};

impl Meeting {
    /// Discovery says that somebody is there, or no longer.
    pub fn on_sighting(&mut self, sighting: Sighting) {
        self.sight.on_sighting(sighting);
    }

    /// A rendezvous says whose this username is, and where that may be.
    pub fn on_found(&mut self, now: Instant, peer: PeerId, username: Username, addresses: Vec<SocketAddr>) {
        self.sight.on_username(peer, username.clone(), addresses);
        self.on_username(now, peer, Some(username));
    }

    /// A rendezvous confirmed our own username, or we lost it.
    pub fn on_own_username(&mut self, username: Option<Username>) {
        self.username = username;
    }

    /// Somebody is linked without a seat. `rings`: its hello says that it takes calls.
    pub fn on_neighbour(&mut self, now: Instant, key: LinkKey, name: DisplayName, address: SocketAddr, rings: bool) {
        if self.has_seat(key) {
            return;
        }
        self.sight.on_linked(key, name, Some(address));
        self.calls.on_linked(now, &self.sight, key, rings);
        self.drain_calls(now);
    }

    /// Such a link is gone.
    pub fn on_neighbour_left(&mut self, now: Instant, key: LinkKey) {
        if !self.has_seat(key) {
            self.unseen(now, key);
        }
    }

    /// The links to somebody, with a seat or without.
    pub fn links_of(&self, peer: PeerId) -> Vec<LinkKey> {
        self.sight.links_of(peer).collect()
    }

    fn has_seat(&self, key: LinkKey) -> bool {
        self.people.seat(key.peer).is_some_and(|seat| seat.instance == key.instance)
    }

    fn unseen(&mut self, now: Instant, key: LinkKey) {
        self.sight.on_unlinked(key);
        self.calls.on_unlinked(now, &self.sight, key);
        self.drain_calls(now);
    }

    // A seat was taken; `before` is the run that had it, if one had.
    pub(super) fn seen_seated(&mut self, now: Instant, key: LinkKey, before: Option<Instance>) {
        if let Some(instance) = before.filter(|before| *before != key.instance) {
            self.unseen(now, LinkKey { instance, ..key });
        }
        let name = self.person(key.peer).name;
        self.sight.on_linked(key, name, None);
        self.calls.on_seated(now, &self.sight, key.peer);
        self.drain_calls(now);
    }

    // A seat is free.
    pub(super) fn seen_left(&mut self, now: Instant, peer: PeerId, instance: Instance) {
        self.unseen(now, LinkKey { peer, instance });
    }

    pub(super) fn call_command(&mut self, now: Instant, command: &Command) -> Result<Answer, Failure> {
        let result = match command {
            Command::Call { who } => self.call(now, who),
            Command::Answer(call) => {
                self.calls.answer(now, &self.sight, *call).map(|()| Answer::Work(Work::Answer(*call)))
            }
            Command::Decline(call) => self.calls.decline(now, &self.sight, *call).map(|()| Answer::Done(Done::Ok)),
            _ => Err(Failure::new(Code::Internal, "This is no command about calls.", "")),
        };
        self.drain_calls(now);
        result
    }

    fn call(&mut self, now: Instant, who: &str) -> Result<Answer, Failure> {
        let peer = self.sight.resolve(who)?;
        if self.people.seat(peer).is_some() {
            let message = format!("{} is in this meeting.", self.person(peer).name);
            return Err(Failure::new(Code::AlreadyHere, message, "Talk to them here."));
        }
        let place = Place { room: self.room.clone(), meeting: true };
        self.calls.call(now, &self.sight, place, &peer.to_string()).map(|call| Answer::Done(Done::Calling(call)))
    }

    pub(super) fn on_call_message(&mut self, now: Instant, from: LinkKey, message: &Message) {
        match self.calls.on_message(now, &self.sight, Some(&self.room), from, message) {
            Heard::Fine => {}
            Heard::Malformed(error) => self.bad_input(now, from.peer, &error.to_string()),
            Heard::Flood => {
                let message = "Somebody rings more often than one may; that is not heard.".to_owned();
                self.warn(now, WarningCode::Flood, from.peer, message, String::new());
            }
        }
        self.drain_calls(now);
    }

    pub(super) fn drain_calls(&mut self, _now: Instant) {
        while let Some(out) = self.calls.poll_output() {
            match out {
                calls::Out::Release(key) if self.has_seat(key) || self.shares.runs_with(key.peer) => {}
                out => self.out.push_back(out.into()),
            }
        }
    }

    /// Who and what is in sight, when that is to be told.
    pub fn poll_nearby(&mut self, now: Instant) -> Option<Nearby> {
        self.sight.poll(now)
    }
}

impl From<calls::Out> for Output {
    fn from(out: calls::Out) -> Self {
        match out {
            calls::Out::Reach { peer, addresses, except } => Self::Reach { peer, addresses, except },
            calls::Out::Send { to, message } => Self::SendTo { to, message },
            calls::Out::Release(key) => Self::Dismiss(key),
            calls::Out::Event(event) => Self::Event(event),
            calls::Out::Answered { call, result } => Self::Answered { call, result },
        }
    }
}
