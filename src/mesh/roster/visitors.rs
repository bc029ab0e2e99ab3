//! Sans-IO. Links without a seat: a file drop, a call.

use std::net::SocketAddr;
use std::time::Instant;

use crate::id::{Instance, LinkKey, PeerId};
use crate::mesh::dialer::Target;
use crate::sighting::Source;

use super::{Change, CloseReason, Direction, LinkId, MAX_VISITORS, Output, Roster, Seat, Visit};

impl Roster {
    /// Dials this peer without a seat, e.g. for a drop. Gives up after a few rounds; call again to try again. A visitor's
    /// link to it is enough, unless it is to one of the runs in `except`: then only these addresses are tried.
    pub fn reach(&mut self, now: Instant, peer: PeerId, addresses: &[SocketAddr], except: &[Instance]) {
        let known = self.people.get(&peer).filter(|_| except.is_empty());
        let known = known.map(|person| person.candidates.clone()).unwrap_or_default();
        let linked = self.visitors.keys().any(|key| key.peer == peer && !except.contains(&key.instance));
        if self.leaving || linked || (!self.visits.contains_key(&peer) && self.visits.len() >= MAX_VISITORS) {
            return;
        }
        let visit = self.visits.entry(peer).or_insert_with(|| Visit::new(known));
        visit.candidates.add(now, Source::Manual, addresses);
        visit.failures = 0;
        if !self.dialer.extend(Target::Visit(peer), addresses) {
            visit.next = Some(now);
        }
    }

    // Two who dial each other at once both keep the connection that the lower id made; else the newer one counts. What
    // waits to be sent goes on over it.
    pub(super) fn activate_visitor(&mut self, key: LinkKey, link: LinkId) {
        self.visits.remove(&key.peer);
        let incoming = self.links.get(&link).is_some_and(|link| link.hello.direction == Direction::Incoming);
        if incoming && self.config.me.peer < key.peer {
            // The other end may keep our dial that is on the way already.
            self.dialer.calm(Target::Visit(key.peer));
        } else {
            self.dialer.finish(Target::Visit(key.peer));
        }
        let Some(old) = self.visitors.get(&key).copied() else {
            self.visitors.insert(key, link);
            let (seat, replaced) = (Seat::Visitor, None);
            self.outputs.push_back(Output::Changed(Change::Linked { key, link, seat, replaced }));
            return;
        };
        let lower_made = |link: LinkId| {
            let incoming = self.links.get(&link).is_none_or(|link| link.hello.direction == Direction::Incoming);
            incoming == (key.peer < self.config.me.peer)
        };
        if lower_made(old) && !lower_made(link) {
            return self.drop_link(link, CloseReason::Duplicate);
        }
        self.visitors.insert(key, link);
        self.outputs.push_back(Output::Changed(Change::Moved { key, link }));
        self.drop_link(old, CloseReason::Duplicate);
    }

    /// A visitor's link is of no use any more.
    pub fn release(&mut self, key: LinkKey) {
        if let Some(link) = self.visitors.get(&key).copied() {
            self.end_visit(link);
            self.drop_link(link, CloseReason::Goodbye);
        }
    }

    pub(super) fn end_visit(&mut self, link: LinkId) {
        let Some(key) = self.links.get(&link).map(|link| link.hello.key) else { return };
        if self.visitors.get(&key) == Some(&link) {
            self.visitors.remove(&key);
            self.outputs.push_back(Output::Changed(Change::Unlinked(key)));
        }
    }
}
