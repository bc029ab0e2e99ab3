//! Sans-IO. Who is in sight on the network: people and open meetings, as announced by themselves and as proven by
//! links. The same in the lobby and in a meeting; a face gets it as whole snapshots.
//!
//! Bounds: [`MAX_SEEN`] people, [`MAX_RUNS`] announcements of each, [`sighting::MAX_ADDRESSES`] addresses and
//! [`sighting::MAX_ROOMS`] rooms of each announcement, [`MAX_MEETING_ADDRESSES`] addresses of a meeting; snapshots at
//! most every [`TELL_EVERY`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::id::{Instance, LinkKey, PeerId, RoomId, RoomName, Username};
use crate::known::names::{Learned, Names};
use crate::known::trust::{Book, Edit, Trust};
use crate::share::DisplayName;
use crate::sighting::{self, Sighting, Source};

use super::command::{Answer, Command};
use super::event::Person;
use super::failure::{Code, Failure};
use super::who::{Directory, Reach, Who};

/// People kept; more are ignored.
pub const MAX_SEEN: usize = 1024;
/// Announcements of one peer that are kept. Overflow: the oldest is forgotten.
pub const MAX_RUNS: usize = 8;
/// Addresses of one meeting; more are left out.
pub const MAX_MEETING_ADDRESSES: usize = 128;
/// Least time between two snapshots.
pub const TELL_EVERY: Duration = Duration::from_millis(250);

/// Everybody and everything in sight, oneself left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nearby {
    /// Sorted by name.
    pub people: Vec<NearbyPerson>,
    /// Sorted by name.
    pub meetings: Vec<NearbyMeeting>,
}

/// Somebody in sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearbyPerson {
    /// Who; the name is a claim until a link proved it.
    pub person: Person,
    /// The shortest `name#suffix` that is accepted as WHO.
    pub handle: String,
    /// How far its key is trusted under this name: one that is known by another is new.
    pub trust: Trust,
    /// The open meetings that it announces.
    pub rooms: Vec<RoomName>,
    /// Where it may be reached, proven addresses first.
    pub addresses: Vec<SocketAddr>,
}

/// An open meeting in sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearbyMeeting {
    /// Its name.
    pub room: RoomName,
    /// Who announces it, sorted by name.
    pub people: Vec<Person>,
    /// Where these may be reached.
    pub addresses: Vec<(SocketAddr, PeerId)>,
}

/// What one source says of one run.
#[derive(Debug, Clone)]
struct Run {
    addresses: Vec<SocketAddr>,
    rooms: Vec<RoomName>,
    // Grows with each sighting.
    at: u64,
}

/// The machine behind [`Nearby`]: sightings and links go in, snapshots come out.
#[derive(Debug, Clone)]
pub struct Sight {
    directory: Directory,
    // At most MAX_SEEN, with MAX_RUNS each.
    seen: BTreeMap<PeerId, BTreeMap<(Source, Option<Instance>), Run>>,
    // As many as the mesh lets in.
    links: BTreeMap<LinkKey, Option<SocketAddr>>,
    count: u64,
    changed: bool,
    told_at: Option<Instant>,
    told: Nearby,
}

impl Sight {
    /// Nobody yet. `known` are the names of earlier runs, `book` what was decided in them.
    pub fn new(me: Person, known: Names, book: Book) -> Self {
        Self {
            directory: Directory::new(me, known).with_trust(book),
            seen: BTreeMap::new(),
            links: BTreeMap::new(),
            count: 0,
            changed: false,
            told_at: None,
            told: Nearby::default(),
        }
    }

    /// Oneself.
    pub fn me(&self) -> &Person {
        self.directory.me()
    }

    /// Our own name changed.
    pub fn rename_me(&mut self, name: DisplayName) {
        self.directory.rename_me(name);
    }

    /// Somebody is announced, or no longer.
    pub fn on_sighting(&mut self, sighting: Sighting) {
        // What was typed or is the word of a third announces nobody.
        if matches!(sighting.source, Source::Manual | Source::Gossip) {
            return;
        }
        let Some(peer) = sighting.peer.filter(|peer| *peer != self.me().peer) else { return };
        let key = (sighting.source, sighting.instance);
        if sighting.gone {
            let Some(runs) = self.seen.get_mut(&peer) else { return };
            runs.retain(|run, _| run.0 != key.0 || (key.1.is_some() && run.1 != key.1));
            if runs.is_empty() {
                self.seen.remove(&peer);
                if !self.is_linked(peer) {
                    self.directory.depart(peer);
                }
            }
            self.changed = true;
            return;
        }
        if self.seen.len() >= MAX_SEEN && !self.seen.contains_key(&peer) {
            return;
        }
        self.count += 1;
        let run = Run {
            addresses: sighting.addresses.into_iter().take(sighting::MAX_ADDRESSES).collect(),
            rooms: sighting.rooms.into_iter().take(sighting::MAX_ROOMS).collect(),
            at: self.count,
        };
        let runs = self.seen.entry(peer).or_default();
        runs.insert(key, run);
        if runs.len() > MAX_RUNS
            && let Some(oldest) = runs.iter().min_by_key(|(_, run)| run.at).map(|(key, _)| *key)
        {
            runs.remove(&oldest);
        }
        let linked = self.is_linked(peer);
        match sighting.name {
            Some(name) if !linked => self.directory.sight(peer, name),
            None if !self.directory.is_present(peer) => {
                let name = self.directory.person(peer).name;
                self.directory.sight(peer, name);
            }
            _ => {}
        }
        self.changed = true;
    }

    /// A link is up, which proves the key, the name it goes by and, where that is known here, the address.
    /// [`Learned::New`] when the key never used this name before.
    pub fn on_linked(&mut self, key: LinkKey, name: DisplayName, address: Option<SocketAddr>) -> Learned {
        self.links.insert(key, address);
        self.changed = true;
        self.directory.arrive(key.peer, name)
    }

    /// A link is gone.
    pub fn on_unlinked(&mut self, key: LinkKey) {
        if self.links.remove(&key).is_some() {
            self.changed = true;
            // Whoever is announced can still be meant.
            if !self.is_linked(key.peer) && !self.seen.contains_key(&key.peer) {
                self.directory.depart(key.peer);
            }
        }
    }

    /// Somebody linked took another name.
    pub fn on_renamed(&mut self, peer: PeerId, name: DisplayName) {
        self.directory.rename(peer, name);
        self.changed = true;
    }

    /// A rendezvous says that this username is that of `peer`, who may be reached there.
    pub fn on_username(&mut self, peer: PeerId, username: Username, addresses: Vec<SocketAddr>) {
        if peer == self.me().peer {
            return;
        }
        let name = (!self.directory.knows(peer)).then(|| DisplayName::new(username.as_str()));
        self.on_sighting(Sighting {
            peer: Some(peer),
            instance: None,
            name,
            addresses,
            rooms: Vec::new(),
            source: Source::Rendezvous,
            gone: false,
        });
        self.directory.set_username(peer, Some(username));
    }

    /// True when a link to `peer` is up.
    pub fn is_linked(&self, peer: PeerId) -> bool {
        self.links_of(peer).next().is_some()
    }

    /// The links to `peer`.
    pub fn links_of(&self, peer: PeerId) -> impl Iterator<Item = LinkKey> + '_ {
        let key = |instance| LinkKey { peer, instance: Instance::from_u64(instance) };
        self.links.range(key(0)..=key(u64::MAX)).map(|(key, _)| *key)
    }

    /// `peer` with the name it goes by.
    pub fn person(&self, peer: PeerId) -> Person {
        self.directory.person(peer)
    }

    /// Where `peer` may be reached, proven addresses first.
    pub fn addresses(&self, peer: PeerId) -> Vec<SocketAddr> {
        let mut list: Vec<SocketAddr> = self.links_of(peer).filter_map(|key| *self.links.get(&key)?).collect();
        let mut runs: Vec<&Run> = self.seen.get(&peer).into_iter().flat_map(BTreeMap::values).collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.at));
        list.extend(runs.into_iter().flat_map(|run| run.addresses.iter().copied()));
        distinct(list)
    }

    /// Where the runs of `peer` other than these are announced.
    pub fn addresses_without(&self, peer: PeerId, runs: &[Instance]) -> Vec<SocketAddr> {
        let known: Vec<SocketAddr> = self
            .links_of(peer)
            .filter(|key| runs.contains(&key.instance))
            .filter_map(|key| *self.links.get(&key)?)
            .collect();
        let seen = self.seen.get(&peer).into_iter().flatten();
        let others = seen.filter(|((_, instance), _)| !instance.is_some_and(|instance| runs.contains(&instance)));
        let list = others.flat_map(|(_, run)| run.addresses.iter().copied()).filter(|a| !known.contains(a));
        distinct(list.collect())
    }

    /// The open meetings that `peer` announces.
    pub fn rooms(&self, peer: PeerId) -> Vec<RoomName> {
        let mut rooms: Vec<RoomName> = Vec::new();
        for room in self.seen.get(&peer).into_iter().flatten().flat_map(|(_, run)| &run.rooms) {
            if !rooms.iter().any(|other| other.id() == room.id()) {
                rooms.push(room.clone());
            }
        }
        rooms
    }

    /// How far the key of `peer` is trusted.
    pub fn trust(&self, peer: PeerId) -> Trust {
        self.directory.trust(peer)
    }

    /// The same, where it vouches for the name that `peer` bears.
    pub fn trust_by_name(&self, peer: PeerId) -> Trust {
        self.directory.trust_by_name(peer)
    }

    /// `peer` with the name it goes by, and with digits of its key where others have or had that name.
    pub fn person_apart(&self, peer: PeerId) -> Person {
        self.directory.person_apart(peer)
    }

    /// Refuses what would go to a key that bears the name of somebody verified.
    pub fn allows(&self, peer: PeerId) -> Result<(), Failure> {
        self.directory.allows(peer)
    }

    /// What is said of such a key: a sentence and a hint.
    pub fn warning(&self, peer: PeerId) -> (String, String) {
        self.directory.warning(peer)
    }

    /// A decision about a key was written down.
    pub fn on_decided(&mut self, edit: &Edit) {
        self.directory.decide(edit);
        self.changed = true;
    }

    /// Answers the commands about trust; `None` is another command.
    pub fn trust_command(&self, wall_ms: u64, command: &Command) -> Option<Result<Answer, Failure>> {
        self.directory.on_command(wall_ms, command)
    }

    /// The one person that `who` means.
    pub fn resolve(&self, who: &str) -> Result<PeerId, Failure> {
        self.directory.resolve(who, Reach::Present)
    }

    /// Everybody whom `who` means; `room:NAME` is everybody who announces it.
    pub fn resolve_all(&self, who: &str) -> Result<Vec<Person>, Failure> {
        let Who::Room(room) = Who::parse(who)? else {
            return self.resolve(who).map(|peer| vec![self.person(peer)]);
        };
        let inside = |peer: &&PeerId| self.rooms(**peer).iter().any(|other| other.id() == room.id());
        let people: Vec<Person> = self.seen.keys().filter(inside).map(|peer| self.person(*peer)).collect();
        if people.is_empty() {
            let message = format!("Nobody in sight is in the meeting {room}.");
            return Err(Failure::new(Code::UnknownPeer, message, "Check its name with lets-meet nearby."));
        }
        Ok(people)
    }

    /// Everything in sight now.
    pub fn snapshot(&self) -> Nearby {
        let linked = self.links.keys().map(|key| key.peer).filter(|peer| !self.seen.contains_key(peer));
        let mut peers: Vec<(String, PeerId)> =
            self.seen.keys().copied().chain(linked).map(|peer| (self.person(peer).name.folded(), peer)).collect();
        peers.sort();
        peers.dedup();
        let mut meetings: BTreeMap<RoomId, NearbyMeeting> = BTreeMap::new();
        let mut people = Vec::with_capacity(peers.len());
        for (_, peer) in peers {
            let person = self.person(peer);
            for run in self.seen.get(&peer).into_iter().flat_map(BTreeMap::values) {
                for room in &run.rooms {
                    let meeting = meetings.entry(room.id()).or_insert_with(|| NearbyMeeting {
                        room: room.clone(),
                        people: Vec::new(),
                        addresses: Vec::new(),
                    });
                    if meeting.people.last() != Some(&person) {
                        meeting.people.push(person.clone());
                    }
                    for address in &run.addresses {
                        if meeting.addresses.len() < MAX_MEETING_ADDRESSES
                            && !meeting.addresses.contains(&(*address, peer))
                        {
                            meeting.addresses.push((*address, peer));
                        }
                    }
                }
            }
            people.push(NearbyPerson {
                handle: self.directory.handle(peer),
                trust: self.directory.trust_by_name(peer),
                rooms: self.rooms(peer),
                addresses: self.addresses(peer),
                person,
            });
        }
        let mut meetings: Vec<NearbyMeeting> = meetings.into_values().collect();
        meetings.sort_by_cached_key(|meeting| crate::id::fold(meeting.room.as_str()));
        Nearby { people, meetings }
    }

    /// A snapshot, if something changed and it is time for one.
    pub fn poll(&mut self, now: Instant) -> Option<Nearby> {
        if !self.changed || self.told_at.is_some_and(|at| at + TELL_EVERY > now) {
            return None;
        }
        self.changed = false;
        self.told_at = Some(now);
        let snapshot = self.snapshot();
        (snapshot != self.told).then(|| {
            self.told = snapshot.clone();
            snapshot
        })
    }

    /// When [`Self::poll`] wants to be called, if something waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.told_at.filter(|_| self.changed).map(|at| at + TELL_EVERY)
    }
}

fn distinct(list: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut out: Vec<SocketAddr> = Vec::new();
    for address in list {
        if !out.contains(&address) && out.len() < sighting::MAX_ADDRESSES {
            out.push(address);
        }
    }
    out
}
