//! Sans-IO. Who is meant by what a person typed: WHO of `cli.md`, resolved to a key or to a refusal, never to a guess.
//!
//! The form decides how a text is read, so that nobody can take a name that reads as somebody else's id: 64 hex digits
//! are an id, 8 or more a prefix of one, `name#suffix` (4 or more hex digits) a name and the first digits of its id,
//! `@x` a username, `room:x` a room, all else a display name. A display name alone must belong to exactly one present
//! peer, and no other key may have used it: not now, not earlier in this meeting, not in the known-peers store.
//! Ids, prefixes and suffixes also find peers who were here and are away, where the caller allows it.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{PeerId, RoomName, Username, fold};
use crate::known::names::{Learned, Names};
use crate::share::DisplayName;

use super::event::Person;
use super::failure::{Code, Failure};

/// Fewest digits of an id alone.
const MIN_PREFIX: usize = 8;
/// Fewest digits of an id after a name.
const MIN_SUFFIX: usize = 4;

/// What a text means, by its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Everybody in a room.
    Room(RoomName),
    /// A whole id.
    Id(PeerId),
    /// The first digits of an id, lower case.
    Prefix(String),
    /// A folded display name and the first digits of the id, lower case.
    Handle(String, String),
    /// A username.
    Username(Username),
    /// A folded display name.
    Name(String),
}

fn hex_digits(text: &str) -> Option<String> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

impl Who {
    /// Reads `text`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        if let Some(room) = text.strip_prefix("room:") {
            let bad = |_| Failure::new(Code::BadValue, "That is not a room name.", "Write room: and the room's name.");
            return RoomName::new(room).map(Self::Room).map_err(bad);
        }
        if let Some(name) = text.strip_prefix('@') {
            let bad =
                |_| Failure::new(Code::BadName, "That is not a username.", "A username has 2 to 32 letters or digits.");
            return Username::new(name).map(Self::Username).map_err(bad);
        }
        if let Some(digits) = hex_digits(text).filter(|digits| digits.len() >= MIN_PREFIX) {
            return Ok(digits.parse().map_or(Self::Prefix(digits), Self::Id));
        }
        if let Some((name, suffix)) = text.rsplit_once('#')
            && let Some(digits) = hex_digits(suffix).filter(|digits| (MIN_SUFFIX..=64).contains(&digits.len()))
        {
            return Ok(Self::Handle(fold(name.trim()), digits));
        }
        if text.is_empty() {
            return Err(Failure::new(Code::UnknownPeer, "No name was given.", "Say who: a name, an id, or room:NAME."));
        }
        Ok(Self::Name(fold(text)))
    }
}

/// Whether a peer can be reached now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is here.
    Present,
    /// It was here.
    Away,
}

/// Whom a caller can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only who is here.
    Present,
    /// Also who was here, if named by id.
    Away,
}

#[derive(Debug, Clone)]
struct Known {
    name: DisplayName,
    folded: String,
    username: Option<Username>,
    standing: Standing,
    // Grows with each change of standing.
    since: u64,
}

/// Peers who are away and remembered; above, who left first is forgotten (its name stays among the used ones).
pub const MAX_AWAY: usize = 512;
/// Names of one peer that are remembered as used; a peer that renames itself more often adds nothing.
const MAX_NAMES_EACH: usize = 8;

/// Everybody who may be meant.
#[derive(Debug, Clone)]
pub struct Directory {
    me: Person,
    peers: BTreeMap<PeerId, Known>,
    used: Names,
    renames: BTreeMap<PeerId, usize>,
    clock: u64,
}

impl Directory {
    /// Only oneself, and what was used before.
    pub fn new(me: Person, used: Names) -> Self {
        Self { me, peers: BTreeMap::new(), used, renames: BTreeMap::new(), clock: 0 }
    }

    /// Our own name changed.
    pub fn rename_me(&mut self, name: DisplayName) {
        self.me.name = name;
    }

    /// Oneself.
    pub fn me(&self) -> &Person {
        &self.me
    }

    /// `peer` is here under `name`, proven by a link. [`Learned::New`] when the key never used the name before.
    pub fn arrive(&mut self, peer: PeerId, name: DisplayName) -> Learned {
        self.clock += 1;
        let folded = name.folded();
        let username = self.peers.get(&peer).and_then(|known| known.username.clone());
        let learned = self.learn(peer, &name);
        self.peers.insert(peer, Known { name, folded, username, standing: Standing::Present, since: self.clock });
        learned
    }

    /// `peer` is said to be here under `name` (a sighting): it can be meant, but nothing is learned from that.
    pub fn sight(&mut self, peer: PeerId, name: DisplayName) {
        self.clock += 1;
        let folded = name.folded();
        self.peers.insert(peer, Known { name, folded, username: None, standing: Standing::Present, since: self.clock });
    }

    /// `peer` has another name now.
    pub fn rename(&mut self, peer: PeerId, name: DisplayName) -> Learned {
        let learned = if self.peers.contains_key(&peer) { self.learn(peer, &name) } else { Learned::Known };
        if let Some(known) = self.peers.get_mut(&peer) {
            known.folded = name.folded();
            known.name = name;
        }
        learned
    }

    fn learn(&mut self, peer: PeerId, name: &DisplayName) -> Learned {
        // Overflow: further names of a peer count as collisions only while it bears them.
        if self.used.keys(&name.folded()).any(|key| key == peer) {
            return self.used.record(name, peer);
        }
        if self.renames.len() > 4 * MAX_AWAY {
            self.renames.clear();
        }
        let count = self.renames.entry(peer).or_default();
        if *count >= MAX_NAMES_EACH {
            return Learned::Known;
        }
        *count += 1;
        self.used.record(name, peer)
    }

    /// `peer` is gone.
    pub fn depart(&mut self, peer: PeerId) {
        self.clock += 1;
        if let Some(known) = self.peers.get_mut(&peer) {
            known.standing = Standing::Away;
            known.since = self.clock;
        }
        let away = || self.peers.iter().filter(|(_, known)| known.standing == Standing::Away);
        if away().count() > MAX_AWAY {
            let first = away().min_by_key(|(_, known)| known.since).map(|(peer, _)| *peer);
            first.and_then(|peer| self.peers.remove(&peer));
        }
    }

    /// A rendezvous confirmed `username` of `peer`, or `None`.
    pub fn set_username(&mut self, peer: PeerId, username: Option<Username>) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.username = username;
        }
    }

    /// The confirmed username of `peer`.
    pub fn username(&self, peer: PeerId) -> Option<&Username> {
        self.peers.get(&peer)?.username.as_ref()
    }

    /// `peer` with the name it has or had; a peer never met is shown by its first digits.
    pub fn person(&self, peer: PeerId) -> Person {
        if peer == self.me.peer {
            return self.me.clone();
        }
        let name = self.peers.get(&peer).map(|known| known.name.clone());
        Person { peer, name: name.unwrap_or_else(|| DisplayName::new(&peer.short())) }
    }

    /// True when `peer` is or was here.
    pub fn knows(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer)
    }

    /// Keys other than `peer` that use or used its name.
    pub fn others_named(&self, peer: PeerId, folded: &str) -> BTreeSet<PeerId> {
        let now = self.peers.iter().filter(|(_, known)| known.folded == folded).map(|(other, _)| *other);
        let me = (self.me.name.folded() == folded).then_some(self.me.peer);
        now.chain(self.used.keys(folded)).chain(me).filter(|other| *other != peer).collect()
    }

    /// True when the name of `peer` may be used alone as WHO.
    pub fn name_is_unique(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|known| self.others_named(peer, &known.folded).is_empty())
    }

    /// `name#suffix` with as many digits as tell it apart, at least eight.
    pub fn handle(&self, peer: PeerId) -> String {
        let person = self.person(peer);
        let digits = peer.to_string();
        let others = self.others_named(peer, &person.name.folded());
        let clash = |length: usize| others.iter().any(|other| other.to_string()[..length] == digits[..length]);
        let length = (MIN_PREFIX..64).find(|length| !clash(*length)).unwrap_or(64);
        format!("{}#{}", person.name, &digits[..length])
    }

    /// The key that `text` means. A room is not a key: [`Code::OtherRoom`].
    pub fn resolve(&self, text: &str, reach: Reach) -> Result<PeerId, Failure> {
        let peer = match Who::parse(text)? {
            Who::Room(_) => {
                let message = "A room cannot stand here.";
                return Err(Failure::new(Code::OtherRoom, message, "Name one person, or send to the room alone."));
            }
            Who::Id(id) => self.only(text, reach, |peer, _| peer == id, [id].into())?,
            Who::Prefix(prefix) => {
                let starts = |peer: PeerId| peer.to_string().starts_with(&prefix);
                let used = self.used.all_keys().filter(|peer| starts(*peer)).collect();
                self.only(text, reach, |peer, _| starts(peer), used)?
            }
            Who::Handle(name, suffix) => {
                let starts = |peer: PeerId| peer.to_string().starts_with(&suffix);
                let used = self.used.keys(&name).filter(|peer| starts(*peer)).collect();
                self.only(text, reach, |peer, known| known.folded == name && starts(peer), used)?
            }
            Who::Username(username) => {
                let folded = username.folded();
                let same = |known: &Known| known.username.as_ref().is_some_and(|name| name.folded() == folded);
                self.only(text, Reach::Present, |_, known| same(known), BTreeSet::new())?
            }
            Who::Name(name) => self.named(text, &name)?,
        };
        Ok(peer)
    }

    // The one peer that matches. `used` are keys that match from before: they make it ambiguous, not reachable.
    fn only(
        &self,
        text: &str,
        reach: Reach,
        matches: impl Fn(PeerId, &Known) -> bool,
        used: BTreeSet<PeerId>,
    ) -> Result<PeerId, Failure> {
        let me = Known {
            name: self.me.name.clone(),
            folded: self.me.name.folded(),
            username: None,
            standing: Standing::Present,
            since: 0,
        };
        let mine = matches(self.me.peer, &me).then_some(self.me.peer);
        let found: Vec<PeerId> = self.peers.iter().filter(|(p, k)| matches(**p, k)).map(|(p, _)| *p).collect();
        let reached = |peer: &PeerId| {
            let standing = self.peers.get(peer).map(|known| known.standing);
            standing == Some(Standing::Present) || (standing.is_some() && reach == Reach::Away)
        };
        let all: BTreeSet<PeerId> = found.iter().copied().chain(mine).chain(used).collect();
        match all.iter().next() {
            Some(only) if all.len() == 1 && Some(*only) == mine => Err(oneself()),
            Some(only) if all.len() == 1 && reached(only) => Ok(*only),
            Some(_) if all.len() > 1 => Err(self.ambiguous(text, &all)),
            _ => Err(unknown(text)),
        }
    }

    fn named(&self, text: &str, folded: &str) -> Result<PeerId, Failure> {
        let here = |known: &Known| known.standing == Standing::Present && known.folded == folded;
        let found: BTreeSet<PeerId> = self.peers.iter().filter(|(_, known)| here(known)).map(|(p, _)| *p).collect();
        let mine = self.me.name.folded() == folded;
        let Some(only) = found.first().copied() else {
            return Err(if mine { oneself() } else { unknown(text) });
        };
        if found.len() > 1 || mine {
            return Err(self.ambiguous(text, &found));
        }
        if self.others_named(only, folded).is_empty() {
            return Ok(only);
        }
        let message = format!("The name '{}' was used before by a different key.", self.person(only).name);
        let hint = format!("If you are sure that you mean this person, write {}.", self.handle(only));
        Err(Failure { candidates: vec![self.person(only)], ..Failure::new(Code::NameKeyChanged, message, hint) })
    }

    fn ambiguous(&self, text: &str, found: &BTreeSet<PeerId>) -> Failure {
        let handles: Vec<String> = found.iter().map(|peer| self.handle(*peer)).collect();
        let message = format!("'{}' may mean several people.", shown(text));
        let hint = format!("Say which: {}.", handles.join(", "));
        let candidates = found.iter().map(|peer| self.person(*peer)).collect();
        Failure { candidates, ..Failure::new(Code::AmbiguousPeer, message, hint) }
    }
}

fn shown(text: &str) -> String {
    crate::share::visible(text).chars().take(80).collect()
}

fn unknown(text: &str) -> Failure {
    let message = format!("Nobody here is '{}'.", shown(text));
    Failure::new(Code::UnknownPeer, message, "Check the name, or wait until they are here.")
}

fn oneself() -> Failure {
    Failure::new(Code::Oneself, "That is you.", "Name somebody else.")
}
