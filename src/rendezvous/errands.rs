//! Sans-IO.
//! What a peer has to do at its rendezvous, and when.
//!
//! Three kinds of errand: keep names (claim, renew, give back again what the service forgot was given back), keep a
//! presence published, ask who is in the rooms. [`Errands::poll`] gives the next one that is due while there is a
//! connection; the shell runs it and reports. Nothing is lost by a lost connection: what is due waits for the next.
//!
//! A new connection is also where a service with an old copy of its store is put right: the profile knows what was
//! claimed and released last ([`Own`]), the service's terms say what it knows, and the difference becomes errands.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::id::{Instance, LinkKey, PeerId, RoomId, RoomName, Username};
use crate::rendezvous::lease::{self, Backoff, Lease};
use crate::rendezvous::pin::Own;
use crate::rendezvous::record::{Claim, Presence, Whereabouts};
use crate::share::DisplayName;
use crate::sighting::{MAX_ROOMS, Sighting, Source};

/// How often a room is asked for while this peer is in it (guess: a newcomer dials at once anyway).
const ROOM_INTERVAL: Duration = Duration::from_secs(5);
/// Names kept at once; the service allows fewer.
const MAX_HELD: usize = 32;

/// What this peer wants others to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// This run.
    pub instance: Instance,
    /// The display name; none to stay unnamed.
    pub name: Option<DisplayName>,
    /// Where this peer listens. The address that the service sees is added.
    pub addresses: Vec<SocketAddr>,
    /// The rooms to be found in, and to look for others in; at most [`MAX_ROOMS`].
    pub rooms: Vec<RoomName>,
}

/// One thing to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// Claim or renew this name, with this stamp.
    Claim(Username, u64),
    /// Give this name back, with this stamp.
    Release(Username, u64),
    /// Publish the presence, with this stamp.
    Publish(Whereabouts, u64),
    /// Ask who is in this room.
    Ask(RoomId),
}

#[derive(Debug)]
struct Held {
    name: Username,
    lease: Lease,
    stamp: Option<u64>,
}

/// The whole list.
#[derive(Debug)]
pub struct Errands {
    seed: u64,
    connected: bool,
    // Capped by MAX_HELD.
    names: BTreeMap<String, Held>,
    // Filled at each connection, from at most MAX_OWN remembered names.
    releases: VecDeque<(Username, u64)>,
    announcement: Option<Announcement>,
    observed: Option<SocketAddr>,
    presence: Lease,
    presence_stamp: Option<u64>,
    room_due: BTreeMap<RoomId, Instant>,
    room_pause: Backoff,
    // Who was there at the last look, capped by MAX_ROOMS * MAX_MEMBERS.
    members: BTreeMap<RoomId, BTreeSet<LinkKey>>,
}

impl Errands {
    /// Nothing to do yet.
    pub fn new(now: Instant, seed: u64) -> Self {
        let mut presence = Lease::new(now, seed);
        presence.on_lost();
        Self {
            seed,
            connected: false,
            names: BTreeMap::new(),
            releases: VecDeque::new(),
            announcement: None,
            observed: None,
            presence,
            presence_stamp: None,
            room_due: BTreeMap::new(),
            // Never doubles: used for its jitter.
            room_pause: Backoff::new(ROOM_INTERVAL, ROOM_INTERVAL, seed),
            members: BTreeMap::new(),
        }
    }

    /// Connected anew. `listed` are this peer's verified claims as the service knows them, `own` what the profile
    /// remembers; `unix` is in milliseconds.
    pub fn on_connected(
        &mut self,
        now: Instant,
        unix: u64,
        observed: Option<SocketAddr>,
        listed: &[Claim],
        own: &[Own],
    ) {
        self.connected = true;
        self.observed = observed;
        self.releases.clear();
        let remembered = |name: &Username| own.iter().find(|o| o.name.folded() == name.folded());
        for claim in listed {
            match remembered(&claim.name) {
                Some(own) if !own.held && own.stamp > claim.stamp => {
                    self.releases.push_back((claim.name.clone(), lease::next_stamp(unix, Some(own.stamp))));
                }
                own => {
                    let newest = own.map_or(claim.stamp, |own| own.stamp.max(claim.stamp));
                    let behind = newest > claim.stamp;
                    let due = behind || lease::is_worth_renewing(claim.stamp, claim.lifetime, unix);
                    let half = Duration::from_millis(claim.lifetime);
                    let held = self.held(now, &claim.name, Some(newest));
                    match held {
                        Some(held) if due => held.lease.on_changed(now),
                        Some(held) => held.lease.on_granted(now, half),
                        None => {}
                    }
                }
            }
        }
        let is_listed = |name: &Username| listed.iter().any(|claim| claim.name.folded() == name.folded());
        for own in own.iter().filter(|own| own.held && !is_listed(&own.name)) {
            if let Some(held) = self.held(now, &own.name, Some(own.stamp)) {
                held.lease.on_changed(now);
            }
        }
        for held in self.names.values_mut().filter(|held| !is_listed(&held.name)) {
            held.lease.on_changed(now);
        }
        if self.announcement.is_some() {
            self.presence.on_changed(now);
        }
        self.room_due.values_mut().for_each(|due| *due = now);
    }

    /// The connection is gone; nothing is due until the next.
    pub fn on_disconnected(&mut self) {
        self.connected = false;
    }

    /// Keep this name from now on, claiming it if need be.
    pub fn hold(&mut self, now: Instant, name: &Username) {
        if let Some(held) = self.held(now, name, None) {
            held.name = name.clone();
            held.lease.on_changed(now);
        }
    }

    /// Stop keeping this name.
    pub fn let_go(&mut self, name: &Username) {
        self.names.remove(&name.folded());
    }

    /// Publish this from now on; `None` stops.
    pub fn announce(&mut self, now: Instant, announcement: Option<Announcement>) {
        let rooms = announcement.iter().flat_map(|a| a.rooms.iter().take(MAX_ROOMS)).map(RoomName::id);
        let rooms: BTreeSet<RoomId> = rooms.collect();
        self.room_due.retain(|room, _| rooms.contains(room));
        self.members.retain(|room, _| rooms.contains(room));
        for room in rooms {
            self.room_due.entry(room).or_insert(now);
        }
        match announcement {
            Some(_) => self.presence.on_changed(now),
            None => self.presence.on_lost(),
        }
        self.announcement = announcement;
    }

    /// The next thing that is due; to be reported by the `on_` functions before the next poll.
    pub fn poll(&mut self, now: Instant, unix: u64) -> Option<Errand> {
        if !self.connected {
            return None;
        }
        if let Some((name, stamp)) = self.releases.pop_front() {
            return Some(Errand::Release(name, stamp));
        }
        if self.presence.is_due(now)
            && let Some(announcement) = &self.announcement
        {
            let stamp = lease::next_stamp(unix, self.presence_stamp);
            self.presence_stamp = Some(stamp);
            return Some(Errand::Publish(whereabouts(announcement, self.observed), stamp));
        }
        if let Some(held) = self.names.values_mut().find(|held| held.lease.is_due(now)) {
            let stamp = lease::next_stamp(unix, held.stamp);
            held.stamp = Some(stamp);
            return Some(Errand::Claim(held.name.clone(), stamp));
        }
        let room = self.room_due.iter().find(|(_, due)| **due <= now).map(|(room, _)| *room)?;
        // Asked again after the interval, whatever becomes of this one.
        let pause = self.room_pause.pause();
        self.room_due.insert(room, now + pause);
        Some(Errand::Ask(room))
    }

    /// When [`poll`](Self::poll) has something next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.connected {
            return None;
        }
        let names = self.names.values().filter_map(|held| held.lease.poll_timeout());
        names.chain(self.presence.poll_timeout()).chain(self.room_due.values().copied()).min()
    }

    /// A claim was granted for `lifetime`.
    pub fn on_granted(&mut self, now: Instant, name: &Username, stamp: u64, lifetime: Duration) {
        if let Some(held) = self.held(now, name, Some(stamp)) {
            held.name = name.clone();
            held.lease.on_granted(now, lifetime);
        }
    }

    /// A claim came to nothing: tried again, not before `after`. `newest` is the stamp that the service knows, if it
    /// said that ours is older.
    pub fn on_claim_failed(&mut self, now: Instant, name: &Username, after: Duration, newest: Option<u64>) {
        if let Some(held) = self.names.get_mut(&name.folded()) {
            held.stamp = held.stamp.max(newest);
            held.lease.on_failed(now, after);
        }
    }

    /// The presence is published for `lifetime`; `observed` is the address seen now. A new one is published at once.
    pub fn on_published(&mut self, now: Instant, lifetime: Duration, observed: Option<SocketAddr>) {
        self.presence.on_granted(now, lifetime);
        if observed.is_some() && observed != self.observed {
            self.observed = observed;
            self.presence.on_changed(now);
        }
    }

    /// Publishing came to nothing: tried again, not before `after`.
    pub fn on_publish_failed(&mut self, now: Instant, after: Duration, newest: Option<u64>) {
        self.presence_stamp = self.presence_stamp.max(newest);
        self.presence.on_failed(now, after);
    }

    /// Who is in `room`: verified records. Gives what to tell the mesh, those who have gone included.
    pub fn on_members(&mut self, room: RoomId, me: PeerId, presences: &[Presence], local: Local) -> Vec<Sighting> {
        let name = self.announcement.iter().flat_map(|a| &a.rooms).find(|name| name.id() == room).cloned();
        let Some(name) = name else { return Vec::new() };
        let others: Vec<&Presence> =
            presences.iter().filter(|p| p.key.peer_id() != me && p.rooms.contains(&room)).collect();
        let key = |p: &Presence| LinkKey { peer: p.key.peer_id(), instance: p.instance };
        let now: BTreeSet<LinkKey> = others.iter().map(|p| key(p)).collect();
        let before = self.members.insert(room, now.clone()).unwrap_or_default();
        let here = others.iter().map(|p| Sighting { rooms: vec![name.clone()], ..sighting(p, local) });
        let gone = before.difference(&now).map(|key| Sighting {
            peer: Some(key.peer),
            instance: Some(key.instance),
            name: None,
            addresses: Vec::new(),
            rooms: Vec::new(),
            source: Source::Rendezvous,
            gone: true,
        });
        here.chain(gone).collect()
    }

    fn held(&mut self, now: Instant, name: &Username, stamp: Option<u64>) -> Option<&mut Held> {
        let folded = name.folded();
        if self.names.len() >= MAX_HELD && !self.names.contains_key(&folded) {
            return None;
        }
        let seed = self.seed.wrapping_add(self.names.len() as u64 + 1);
        let fresh = || Held { name: name.clone(), lease: Lease::new(now, seed), stamp: None };
        let held = self.names.entry(folded).or_insert_with(fresh);
        held.stamp = held.stamp.max(stamp);
        Some(held)
    }
}

/// Whether addresses of this machine itself mean anything: only when the service is on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// The service is on this machine.
    Here,
    /// It is elsewhere.
    Elsewhere,
}

/// A verified presence as a sighting, without rooms.
pub fn sighting(presence: &Presence, local: Local) -> Sighting {
    let usable = presence.addresses.iter().filter(|a| local == Local::Here || !a.is_loopback());
    Sighting {
        peer: Some(presence.key.peer_id()),
        instance: Some(presence.instance),
        name: presence.name.clone(),
        addresses: usable.map(|a| a.get()).collect(),
        rooms: Vec::new(),
        source: Source::Rendezvous,
        gone: false,
    }
}

fn whereabouts(announcement: &Announcement, observed: Option<SocketAddr>) -> Whereabouts {
    let mut addresses = announcement.addresses.clone();
    // First of all the one that is known to work for somebody outside.
    addresses.retain(|address| Some(*address) != observed);
    addresses.splice(0..0, observed);
    Whereabouts {
        instance: announcement.instance,
        name: announcement.name.clone(),
        addresses,
        rooms: announcement.rooms.iter().map(RoomName::id).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    const UNIX: u64 = 1_800_000_000_000;
    const DAY: u64 = 24 * 3600 * 1000;
    const LEASE: u64 = 30 * DAY;

    fn name(text: &str) -> Username {
        Username::new(text).expect("valid")
    }

    fn claim(text: &str, stamp: u64) -> Claim {
        Claim::sign(&Identity::generate(), PeerId::from_bytes([1; 32]), name(text), stamp, LEASE)
    }

    fn own(text: &str, stamp: u64, held: bool) -> Own {
        Own { name: name(text), stamp, held }
    }

    fn errands() -> (Instant, Errands) {
        let now = crate::clock::now();
        (now, Errands::new(now, 1))
    }

    #[test]
    fn nothing_is_due_without_a_connection() {
        let (now, mut errands) = errands();
        errands.hold(now, &name("alice"));
        assert_eq!((errands.poll(now, UNIX), errands.poll_timeout()), (None, None));
        errands.on_connected(now, UNIX, None, &[], &[]);
        assert_eq!(errands.poll(now, UNIX), Some(Errand::Claim(name("alice"), UNIX)));
        errands.on_granted(now, &name("alice"), UNIX, Duration::from_millis(LEASE));
        assert_eq!(errands.poll(now, UNIX), None);
        errands.on_disconnected();
        assert_eq!(errands.poll_timeout(), None);
    }

    #[test]
    fn a_name_is_renewed_at_half_life_with_a_newer_stamp() {
        let (now, mut errands) = errands();
        errands.on_connected(now, UNIX, None, &[claim("alice", UNIX)], &[]);
        assert_eq!(errands.poll(now, UNIX), None, "it was renewed a moment ago");
        let due = errands.poll_timeout().expect("due once");
        assert!(due > now + Duration::from_secs(13 * 86400) && due < now + Duration::from_secs(17 * 86400));
        // The clock went back meanwhile.
        assert_eq!(errands.poll(due, UNIX - DAY), Some(Errand::Claim(name("alice"), UNIX + 1)));
    }

    #[test]
    fn an_owner_that_comes_back_after_a_day_renews_at_once() {
        let (now, mut errands) = errands();
        errands.on_connected(now, UNIX, None, &[claim("alice", UNIX - DAY)], &[own("alice", UNIX - DAY, true)]);
        assert_eq!(errands.poll(now, UNIX), Some(Errand::Claim(name("alice"), UNIX)));
    }

    #[test]
    fn a_service_that_lost_its_newest_data_is_put_right() {
        let (now, mut errands) = errands();
        let listed = [claim("given-back", UNIX - 500), claim("older", UNIX - 500)];
        let own = [own("given-back", UNIX - 400, false), own("older", UNIX - 400, true), own("lost", UNIX - 400, true)];
        errands.on_connected(now, UNIX, None, &listed, &own);
        assert_eq!(errands.poll(now, UNIX), Some(Errand::Release(name("given-back"), UNIX)));
        let mut claimed = BTreeSet::new();
        while let Some(errand) = errands.poll(now, UNIX) {
            let Errand::Claim(name, stamp) = errand else { panic!("{errand:?}") };
            errands.on_granted(now, &name, stamp, Duration::from_millis(LEASE));
            claimed.insert(name.to_string());
        }
        assert_eq!(claimed.into_iter().collect::<Vec<_>>(), ["lost", "older"]);
    }

    #[test]
    fn a_failed_renewal_is_tried_again_and_a_lost_name_is_not() {
        let (now, mut errands) = errands();
        errands.hold(now, &name("alice"));
        errands.on_connected(now, UNIX, None, &[], &[]);
        assert!(errands.poll(now, UNIX).is_some());
        errands.on_claim_failed(now, &name("alice"), Duration::from_secs(7), Some(UNIX + 50));
        assert_eq!(errands.poll(now + Duration::from_secs(6), UNIX), None);
        let later = now + Duration::from_secs(7);
        assert_eq!(errands.poll(later, UNIX), Some(Errand::Claim(name("alice"), UNIX + 51)));
        errands.let_go(&name("ALICE"));
        assert_eq!(errands.poll(later, UNIX), None);
    }

    fn announcement(room: &str) -> Announcement {
        Announcement {
            instance: Instance::from_u64(1),
            name: None,
            addresses: vec!["10.0.0.1:5".parse().expect("address")],
            rooms: vec![RoomName::new(room).expect("valid")],
        }
    }

    #[test]
    fn a_presence_is_renewed_and_follows_the_observed_address() {
        let (now, mut errands) = errands();
        let seen: SocketAddr = "192.0.2.1:9".parse().expect("address");
        errands.on_connected(now, UNIX, Some(seen), &[], &[]);
        errands.announce(now, Some(announcement("standup")));
        let Some(Errand::Publish(says, first)) = errands.poll(now, UNIX) else { panic!("publish first") };
        assert_eq!(says.addresses, [seen, "10.0.0.1:5".parse().expect("address")]);
        errands.on_published(now, Duration::from_secs(60), Some(seen));
        assert_eq!(errands.poll(now, UNIX), Some(Errand::Ask(RoomName::new("STANDUP").expect("valid").id())));
        assert_eq!(errands.poll(now, UNIX), None);
        // At half life, before it ends.
        let (at, published) = loop {
            let at = errands.poll_timeout().expect("always something");
            match errands.poll(at, UNIX).expect("due") {
                Errand::Publish(_, stamp) => break (at, stamp),
                other => assert!(matches!(other, Errand::Ask(_))),
            }
        };
        assert!(at - now >= Duration::from_secs(25) && at - now <= Duration::from_secs(35));
        assert!(published > first);
        let moved: SocketAddr = "192.0.2.77:9".parse().expect("address");
        errands.on_published(at, Duration::from_secs(60), Some(moved));
        let Some(Errand::Publish(says, _)) = errands.poll(at, UNIX) else { panic!("publish the new address") };
        assert_eq!(says.addresses[0], moved);
        errands.announce(at, None);
        assert_eq!(errands.poll(at + Duration::from_secs(600), UNIX), None);
    }

    #[test]
    fn members_become_sightings_and_those_who_go_are_told() {
        let (now, mut errands) = errands();
        let (me, service) = (PeerId::from_bytes([7; 32]), PeerId::from_bytes([1; 32]));
        errands.announce(now, Some(announcement("standup")));
        let room = RoomName::new("standup").expect("valid").id();
        let bob = Identity::generate();
        let says = Whereabouts {
            instance: Instance::from_u64(3),
            name: Some(DisplayName::new("Bob")),
            addresses: ["127.0.0.1:4", "192.0.2.3:4"].map(|a| a.parse().expect("address")).to_vec(),
            rooms: vec![room],
        };
        let presence = Presence::sign(&bob, service, &says, UNIX, 60_000);
        let sighted = errands.on_members(room, me, std::slice::from_ref(&presence), Local::Elsewhere);
        assert_eq!(sighted.len(), 1);
        assert_eq!(sighted[0].peer, Some(bob.peer_id()));
        assert_eq!(sighted[0].addresses, ["192.0.2.3:4".parse().expect("address")], "no loopback from afar");
        assert_eq!((sighted[0].source, sighted[0].rooms.len()), (Source::Rendezvous, 1));
        let here = errands.on_members(room, me, &[presence], Local::Here);
        assert_eq!(here[0].addresses.len(), 2);
        let gone = errands.on_members(room, me, &[], Local::Here);
        assert!(gone.len() == 1 && gone[0].gone && gone[0].instance == Some(Instance::from_u64(3)));
        assert_eq!(errands.on_members(room, me, &[], Local::Here), []);
        assert_eq!(errands.on_members(RoomId::from_bytes([9; 32]), me, &[], Local::Here), [], "a room not asked for");
    }
}
