//! Sans-IO. Who is meant by what a person typed: WHO of `cli.md`, resolved to a key or to a refusal, never to a guess.
//!
//! The form decides how a text is read, so that nobody can take a name that reads as somebody else's id: 64 hex digits
//! are an id, 8 or more a prefix of one, `name#suffix` (4 or more hex digits) a name and the first digits of its id,
//! `@x` a username, `room:x` a room, all else a display name. A display name alone must belong to exactly one present
//! peer, and no other key may have used it: not now, not earlier in this meeting, not in the known-peers store.
//! Ids, prefixes and suffixes also find peers who were here and are away, where the caller allows it.

mod trust;

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{PeerId, RoomName, Username, fold};
use crate::known::names::{Learned, Names};
use crate::known::trust::{Alias, Book};
use crate::share::DisplayName;

use super::event::Person;
use super::failure::{Code, Failure};

pub use trust::Likeness;

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

/// The forms in which a name is taken for another by eye, hashed: many names are compared often. A name that has one form
/// has it twice. Two that fall together cost no more than digits behind a name.
type Looks = [u64; 2];

#[derive(Debug, Clone)]
struct Known {
    name: DisplayName,
    folded: String,
    looks: Looks,
    username: Option<Username>,
    // Names of somebody verified that it bore under a link in this run. At most `MAX_ALIASES`.
    bore: Vec<Alias>,
    standing: Standing,
    // Grows with each change of standing.
    since: u64,
}

/// Peers who are away and remembered; above, who left first is forgotten (its name stays among the used ones).
pub const MAX_AWAY: usize = 512;
/// Looks of names used before, with the names, that are kept. Overflow: made anew of the names that are remembered, which
/// are half as many at most.
const MAX_LOOKS: usize = 4 * crate::known::names::MAX_NAMES;
/// Names of one peer that are remembered as used; a peer that renames itself more often adds nothing.
const MAX_NAMES_EACH: usize = 3;

/// Everybody who may be meant.
#[derive(Debug, Clone)]
pub struct Directory {
    me: Person,
    peers: BTreeMap<PeerId, Known>,
    used: Names,
    // What names in `used` look like, and their folded forms. Names that were forgotten may stand here for a while.
    looks: BTreeSet<(u64, String)>,
    book: Book,
    // Keys known before this run, and their names folded.
    earlier: BTreeSet<PeerId>,
    earlier_names: BTreeSet<(PeerId, String)>,
    renames: BTreeMap<PeerId, usize>,
    clock: u64,
}

impl Directory {
    /// Only oneself, and what was used before.
    pub fn new(me: Person, used: Names) -> Self {
        let (earlier, book) = (used.all_keys().collect(), Book::new());
        let names = |folded: &str| used.keys(folded).map(|key| (key, folded.to_owned())).collect::<Vec<_>>();
        let earlier_names = used.folded().flat_map(names).collect();
        let (peers, renames, looks) = (BTreeMap::new(), BTreeMap::new(), looks_of(&used));
        Self { me, peers, used, looks, book, earlier, earlier_names, renames, clock: 0 }
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
        let (username, bore) = self.kept(peer);
        let (learned, looks) = (self.learn(peer, &name), looks(&name));
        let (standing, since) = (Standing::Present, self.clock);
        self.peers.insert(peer, Known { name, folded, looks, username, bore, standing, since });
        self.mark_borne(peer);
        learned
    }

    /// `peer` is said to be here under `name` (a sighting): it can be meant, but nothing is learned from that.
    pub fn sight(&mut self, peer: PeerId, name: DisplayName) {
        self.clock += 1;
        let folded = name.folded();
        let (username, bore) = self.kept(peer);
        let (looks, standing) = (looks(&name), Standing::Present);
        self.peers.insert(peer, Known { name, folded, looks, username, bore, standing, since: self.clock });
    }

    fn kept(&self, peer: PeerId) -> (Option<Username>, Vec<Alias>) {
        self.peers.get(&peer).map(|known| (known.username.clone(), known.bore.clone())).unwrap_or_default()
    }

    /// True when `peer` is here or said to be here.
    pub fn is_present(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|known| known.standing == Standing::Present)
    }

    /// `peer` has another name now.
    pub fn rename(&mut self, peer: PeerId, name: DisplayName) -> Learned {
        let learned = if self.peers.contains_key(&peer) { self.learn(peer, &name) } else { Learned::Known };
        if let Some(known) = self.peers.get_mut(&peer) {
            (known.folded, known.looks) = (name.folded(), looks(&name));
            known.name = name;
        }
        self.mark_borne(peer);
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
        if self.looks.len() >= MAX_LOOKS {
            self.looks = looks_of(&self.used);
        }
        self.looks.extend(looks(name).into_iter().map(|look| (look, name.folded())));
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
        self.mark_borne(peer);
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

    /// Keys other than `peer` that use or used its name, or one that is taken for it by eye.
    pub fn others_named(&self, peer: PeerId, name: &DisplayName) -> BTreeSet<PeerId> {
        let known = self.peers.get(&peer).filter(|known| known.name == *name);
        let looks = known.map_or_else(|| looks(name), |known| known.looks);
        let alike = |other: &Looks| other.iter().any(|look| looks.contains(look));
        let now = self.peers.iter().filter(|(_, known)| alike(&known.looks)).map(|(other, _)| *other);
        let me = alike(&self::looks(&self.me.name)).then_some(self.me.peer);
        let from = |look: u64| self.looks.range((look, String::new())..).take_while(move |(other, _)| *other == look);
        let used = looks.into_iter().flat_map(from).flat_map(|(_, folded)| self.used.keys(folded));
        now.chain(used).chain(me).filter(|other| *other != peer).collect()
    }

    /// True when the name of `peer` may be used alone as WHO.
    pub fn name_is_unique(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|known| self.others_named(peer, &known.name).is_empty())
    }

    /// `peer` with the name it has or had; where others have or had it too, with the first digits of its id.
    pub fn person_apart(&self, peer: PeerId) -> Person {
        let person = self.person(peer);
        if self.others_named(peer, &person.name).is_empty() {
            return person;
        }
        Person { name: person.name.with_digits(&peer.short()), peer }
    }

    /// `name#suffix` with as many digits as tell it apart, at least eight.
    pub fn handle(&self, peer: PeerId) -> String {
        self.handle_of(&self.person(peer))
    }

    fn handle_of(&self, person: &Person) -> String {
        let digits = person.peer.to_string();
        let others = self.others_named(person.peer, &person.name);
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
            looks: Looks::default(),
            username: None,
            bore: Vec::new(),
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
            Some(_) if all.len() > 1 => Err(self.ambiguous(text, self.people(&all))),
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
            return Err(self.ambiguous(text, self.people(&found)));
        }
        if self.others_named(only, &self.person(only).name).is_empty() {
            return Ok(only);
        }
        let message = format!("The name '{}' was used before by a different key.", self.person(only).name);
        let hint = format!("If you are sure that you mean this person, write {}.", self.handle(only));
        Err(Failure { candidates: vec![self.person(only)], ..Failure::new(Code::NameKeyChanged, message, hint) })
    }

    fn people(&self, peers: &BTreeSet<PeerId>) -> Vec<Person> {
        peers.iter().map(|peer| self.person(*peer)).collect()
    }

    fn ambiguous(&self, text: &str, candidates: Vec<Person>) -> Failure {
        let handles: Vec<String> = candidates.iter().map(|person| self.handle_of(person)).collect();
        let message = format!("'{}' may mean several people.", shown(text));
        let hint = format!("Say which: {}.", handles.join(", "));
        Failure { candidates, ..Failure::new(Code::AmbiguousPeer, message, hint) }
    }
}

fn looks(name: &DisplayName) -> Looks {
    let forms = Alias::Name(name.clone()).looks();
    let hash = |form: Option<&String>| {
        let hash = blake3::hash(form.map_or(&[][..], |form| form.as_bytes()));
        hash.as_bytes().first_chunk().map_or(0, |start| u64::from_le_bytes(*start))
    };
    [hash(forms.first()), hash(forms.last())]
}

fn looks_of(used: &Names) -> BTreeSet<(u64, String)> {
    let name = |shown: &str| {
        let name = DisplayName::new(shown);
        let folded = name.folded();
        looks(&name).into_iter().map(move |look| (look, folded.clone())).collect::<Vec<_>>()
    };
    used.by_age().into_iter().flat_map(|(shown, ..)| name(shown)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An id that starts with these hex digits.
    fn peer(start: &str) -> PeerId {
        format!("{start:0<64}").parse().expect("hex")
    }

    fn name(text: &str) -> DisplayName {
        DisplayName::new(text)
    }

    fn directory() -> Directory {
        Directory::new(Person { peer: peer("ffff"), name: name("Ann") }, Names::new())
    }

    fn result(directory: &Directory, text: &str) -> Result<PeerId, Code> {
        directory.resolve(text, Reach::Present).map_err(|failure| failure.code)
    }

    #[test]
    fn the_form_decides_how_a_text_is_read() {
        let check = |text: &str, expect: Option<Who>| assert_eq!(Who::parse(text).ok(), expect, "{text}");
        let id = "ab".repeat(32);
        check(&id.to_uppercase(), Some(Who::Id(PeerId::from_bytes([0xab; 32]))));
        check("ABCDEF01", Some(Who::Prefix("abcdef01".into())));
        check("abcdef0", Some(Who::Name("abcdef0".into())));
        check("Bob#12AB", Some(Who::Handle("bob".into(), "12ab".into())));
        check("Bob #12ab", Some(Who::Handle("bob".into(), "12ab".into())));
        check("C#", Some(Who::Name("c#".into())));
        check("Bob#12", Some(Who::Name("bob#12".into())));
        check("@Bob", Username::new("bob").ok().map(|_| Who::Username(Username::new("Bob").expect("valid"))));
        check("@", None);
        check("room:Stand-up", RoomName::new("Stand-up").ok().map(Who::Room));
        check("room:", None);
        check(" ", None);
        check(" ＢＯＢ ", Some(Who::Name("bob".into())));
    }

    #[test]
    fn each_form_finds_exactly_one() {
        let mut directory = directory();
        let (bob, cid) = (peer("0123456789"), peer("0123456700"));
        directory.arrive(bob, name("Bob"));
        directory.arrive(cid, name("Cid"));
        directory.set_username(cid, Username::new("Cidney").ok());
        let check = |text: &str, expect| assert_eq!(result(&directory, text), expect, "{text}");
        check(&bob.to_string(), Ok(bob));
        check("0123456789", Ok(bob));
        check("01234567", Err(Code::AmbiguousPeer));
        check("01234568", Err(Code::UnknownPeer));
        check("bob#0123", Ok(bob));
        check("bob#0124", Err(Code::UnknownPeer));
        check("cid#0123456700", Ok(cid));
        check("@CIDNEY", Ok(cid));
        check("@bob", Err(Code::UnknownPeer));
        check("BOB", Ok(bob));
        check("bo", Err(Code::UnknownPeer));
        check("ann", Err(Code::Oneself));
        check(&peer("ffff").to_string(), Err(Code::Oneself));
        check("room:x", Err(Code::OtherRoom));
        assert_eq!(directory.handle(bob), "Bob#01234567");
    }

    #[test]
    fn a_name_that_collides_now_earlier_or_in_the_store_is_not_enough() {
        let (first, second) = (peer("aaaa"), peer("bbbb"));
        let mut directory = directory();
        directory.arrive(first, name("Bob"));
        directory.arrive(second, name("bob"));
        assert_eq!(result(&directory, "Bob"), Err(Code::AmbiguousPeer));
        assert_eq!(result(&directory, "Bob#aaaa"), Ok(first));
        directory.depart(first);
        assert_eq!(result(&directory, "Bob"), Err(Code::NameKeyChanged));
        directory.rename(second, name("Robert"));
        assert_eq!(result(&directory, "Bob"), Err(Code::UnknownPeer));
        directory.arrive(first, name("Bob"));
        assert_eq!(result(&directory, "Bob"), Err(Code::NameKeyChanged), "another key bore it in this meeting");
        assert_eq!(result(&directory, "Robert"), Ok(second));
        assert!(directory.name_is_unique(second) && !directory.name_is_unique(first));

        let mut store = Names::new();
        store.record(&name("BOB"), peer("cccc"));
        let mut directory = Directory::new(Person { peer: peer("ffff"), name: name("Ann") }, store);
        directory.arrive(first, name("Bob"));
        assert_eq!(result(&directory, "bob"), Err(Code::NameKeyChanged));
        directory.arrive(peer("cccc"), name("Bob"));
        assert_eq!(result(&directory, "bob#cccc"), Ok(peer("cccc")));
    }

    #[test]
    fn the_key_that_always_bore_a_name_is_found_by_it() {
        let mut store = Names::new();
        store.record(&name("Bob"), peer("aaaa"));
        let mut directory = Directory::new(Person { peer: peer("ffff"), name: name("Ann") }, store);
        assert_eq!(directory.arrive(peer("aaaa"), name("Bob")), Learned::Known);
        assert_eq!(result(&directory, "bob"), Ok(peer("aaaa")));
        assert_eq!(directory.arrive(peer("aaaa"), name("Bobby")), Learned::New);
        assert_eq!(result(&directory, "bobby"), Ok(peer("aaaa")));
    }

    #[test]
    fn names_that_look_alike_are_told_apart_by_digits() {
        let mut store = Names::new();
        store.record(&name("Paul"), peer("cccc"));
        let mut directory = Directory::new(Person { peer: peer("ffff"), name: name("Ann") }, store);
        directory.arrive(peer("aaaa"), name("Bob"));
        assert!(directory.name_is_unique(peer("aaaa")));
        assert_eq!(directory.person_apart(peer("aaaa")).name.as_str(), "Bob");
        directory.sight(peer("bbbb"), name("B\u{43e}b"));
        assert!(!directory.name_is_unique(peer("aaaa")) && !directory.name_is_unique(peer("bbbb")));
        assert_eq!(directory.person_apart(peer("bbbb")).name.as_str(), "B\u{43e}b#bbbb0000");
        // Of an earlier run, and our own.
        for (start, text) in [("dddd", "P\u{430}ul"), ("eeee", "\u{410}nn")] {
            directory.arrive(peer(start), name(text));
            assert!(!directory.name_is_unique(peer(start)), "{text}");
        }
    }

    #[test]
    fn the_looks_of_many_names_are_bounded() {
        let mut directory = directory();
        for n in 0..3 * crate::known::names::MAX_NAMES {
            directory.arrive(peer(&format!("{n:08x}")), name(&format!("I{n}")));
            directory.depart(peer(&format!("{n:08x}")));
        }
        assert!(directory.looks.len() <= MAX_LOOKS + 2);
    }

    #[test]
    fn somebody_with_our_own_name_is_not_meant_by_it() {
        let mut directory = directory();
        directory.arrive(peer("aaaa"), name("ANN"));
        assert_eq!(result(&directory, "Ann"), Err(Code::AmbiguousPeer));
        assert_eq!(result(&directory, "Ann#aaaa"), Ok(peer("aaaa")));
    }

    #[test]
    fn nobody_can_take_a_name_that_reads_as_an_id() {
        let mut directory = directory();
        directory.arrive(peer("bbbb"), name("0123456789"));
        directory.arrive(peer("cccc"), name("Bob#aaaa"));
        directory.arrive(peer("dddd"), name("@bob"));
        for text in ["0123456789", "Bob#aaaa", "@bob"] {
            assert_eq!(result(&directory, text), Err(Code::UnknownPeer), "{text}");
        }
    }

    #[test]
    fn an_id_of_somebody_who_left_is_reached_only_where_waiting_is_meant() {
        let mut directory = directory();
        directory.arrive(peer("aaaa0000"), name("Bob"));
        directory.depart(peer("aaaa0000"));
        for text in [peer("aaaa0000").to_string().as_str(), "aaaa0000", "bob#aaaa"] {
            assert_eq!(result(&directory, text), Err(Code::UnknownPeer), "{text}");
            assert_eq!(directory.resolve(text, Reach::Away).ok(), Some(peer("aaaa0000")), "{text}");
        }
        assert!(directory.resolve("bob", Reach::Away).is_err());
        assert!(directory.resolve(&peer("dddd").to_string(), Reach::Away).is_err());
    }

    #[test]
    fn a_prefix_that_a_known_key_shares_is_ambiguous() {
        let mut store = Names::new();
        store.record(&name("Bob"), peer("aaaabbbbcccc"));
        let mut directory = Directory::new(Person { peer: peer("ffff"), name: name("Ann") }, store);
        directory.arrive(peer("aaaabbbbdddd"), name("Eve"));
        assert_eq!(result(&directory, "aaaabbbb"), Err(Code::AmbiguousPeer));
        assert_eq!(result(&directory, "aaaabbbbd"), Ok(peer("aaaabbbbdddd")));
    }

    #[test]
    fn who_comes_and_goes_under_many_names_is_bounded() {
        let mut directory = directory();
        for n in 0..2000_u32 {
            let one = peer(&format!("{n:08x}"));
            directory.arrive(one, name(&format!("n{n}")));
            directory.depart(one);
        }
        assert_eq!(directory.peers.len(), MAX_AWAY);
        directory.arrive(peer("aaaa"), name("x"));
        for n in 0..100 {
            directory.rename(peer("aaaa"), name(&format!("alias {n}")));
        }
        assert_eq!(directory.used.keys("alias 99").count(), 0);
        assert_eq!(result(&directory, "alias 99"), Ok(peer("aaaa")));
    }
}
