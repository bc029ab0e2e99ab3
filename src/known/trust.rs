//! Sans-IO. How far a key is trusted, and what a person decided about keys: whose words were compared, and which other
//! key was accepted for the name of somebody verified.
//!
//! A verified key is kept with the names and usernames that it bore. Another key that comes under one of them, or under
//! one that cannot be told apart by eye (UTS #39), is [`Trust::Changed`] until its reader decides. Bounds:
//! [`MAX_PEOPLE`] decisions, [`MAX_ALIASES`] names a key. Above, a further decision is refused, for an old one is
//! nothing to forget silently; of names the one after the first goes, and the one that was verified stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::id::{PeerId, Username, fold};
use crate::share::DisplayName;

/// Keys about which something was decided.
pub const MAX_PEOPLE: usize = 4096;
/// Names kept of one key.
pub const MAX_ALIASES: usize = 8;

const HEADER: &str = "lets-meet trust 1";

/// How far a key is trusted, by what was seen of it and what its reader decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Trust {
    /// This key was never linked before this run.
    #[default]
    New,
    /// It was, or it was accepted in place of another.
    Known,
    /// Its safety words were compared.
    Verified,
    /// It comes under a name that a verified key bore, and is another key: nothing of ours goes to it until that is
    /// decided.
    Changed,
}

impl Trust {
    /// The word in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Known => "known",
            Self::Verified => "verified",
            Self::Changed => "changed",
        }
    }
}

/// A name that a key bears.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alias {
    /// What it is shown as.
    Name(DisplayName),
    /// What a rendezvous confirmed.
    Username(Username),
}

impl Alias {
    /// The forms in which it is taken for another one by eye; two names with a form in common look alike. Capitals
    /// count in one of them, since `I` and `l` look alike only as long as they are not folded.
    pub fn looks(&self) -> BTreeSet<String> {
        let (kind, text) = match self {
            Self::Name(name) => ('n', name.as_str()),
            Self::Username(name) => ('u', name.as_str()),
        };
        let skeleton = |text: &str| unicode_security::skeleton(text).collect::<String>();
        let folded = skeleton(&fold(text));
        let capital = skeleton(&fold(&skeleton(text)));
        let close = |look: String| look.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        [folded, capital].map(|look| format!("{kind}{}", close(look))).into()
    }

    /// The name without its kind.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Name(name) => name.as_str(),
            Self::Username(name) => name.as_str(),
        }
    }
}

/// A decision, or what follows from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The words were compared: the key is trusted under these names.
    Verified {
        /// Whose.
        peer: PeerId,
        /// Unix milliseconds.
        at: u64,
        /// What it bears, the name that was verified first.
        aliases: Vec<Alias>,
    },
    /// The key is accepted beside the verified one that bore these names.
    Accepted {
        /// Whose.
        peer: PeerId,
        /// Unix milliseconds.
        at: u64,
        /// What it bears.
        aliases: Vec<Alias>,
    },
    /// A verified key bears another name.
    Bore {
        /// Whose.
        peer: PeerId,
        /// The name.
        alias: Alias,
    },
    /// Nothing is known of the key any more.
    Forgotten {
        /// Whose.
        peer: PeerId,
    },
}

impl Edit {
    /// Whom it is about.
    pub const fn peer(&self) -> PeerId {
        match self {
            Self::Verified { peer, .. } | Self::Accepted { peer, .. } => *peer,
            Self::Bore { peer, .. } | Self::Forgotten { peer } => *peer,
        }
    }
}

/// There is no place for another decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Verified,
    Accepted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    mark: Mark,
    at: u64,
    // At most MAX_ALIASES.
    aliases: Vec<Alias>,
}

/// All decisions of one profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    people: BTreeMap<PeerId, Entry>,
    // By look, who of the verified bore it. Made from `people`.
    looks: BTreeMap<String, BTreeSet<PeerId>>,
}

impl Book {
    /// Nothing was decided yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// True when the words of this key were compared.
    pub fn is_verified(&self, peer: PeerId) -> bool {
        self.verified_at(peer).is_some()
    }

    /// When the words of this key were compared, in Unix milliseconds.
    pub fn verified_at(&self, peer: PeerId) -> Option<u64> {
        self.people.get(&peer).filter(|entry| entry.mark == Mark::Verified).map(|entry| entry.at)
    }

    /// True when something was decided about this key.
    pub fn knows(&self, peer: PeerId) -> bool {
        self.people.contains_key(&peer)
    }

    /// Everybody about whom something was decided.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.people.keys().copied()
    }

    /// The names that are kept of a key, the one that was decided about first.
    pub fn aliases(&self, peer: PeerId) -> &[Alias] {
        self.people.get(&peer).map_or(&[], |entry| &entry.aliases)
    }

    /// The verified key that bore `alias`, or one that looks like it, where `peer` is another key that was neither
    /// verified nor accepted under it.
    pub fn rival(&self, peer: PeerId, alias: &Alias) -> Option<PeerId> {
        if self.looks.is_empty() {
            return None;
        }
        let looks = alias.looks();
        let own = self.people.get(&peer);
        if own.is_some_and(|own| {
            own.mark == Mark::Verified || own.aliases.iter().any(|own| !own.looks().is_disjoint(&looks))
        }) {
            return None;
        }
        looks.iter().filter_map(|look| self.looks.get(look)).flatten().find(|other| **other != peer).copied()
    }

    /// The name of the verified key `verified` that `alias` looks like.
    pub fn likeness(&self, verified: PeerId, alias: &Alias) -> Option<&Alias> {
        let looks = alias.looks();
        self.aliases(verified).iter().find(|own| !own.looks().is_disjoint(&looks))
    }

    /// True when the verified key `peer` bears `alias` from now on, and that is worth an [`Edit::Bore`].
    pub fn is_news(&self, peer: PeerId, alias: &Alias) -> bool {
        self.is_verified(peer) && !self.aliases(peer).contains(alias)
    }

    /// Takes a decision.
    pub fn apply(&mut self, edit: &Edit) -> Result<(), Full> {
        match edit {
            Edit::Verified { peer, at, aliases } => self.decide(*peer, Mark::Verified, *at, aliases)?,
            Edit::Accepted { peer, at, aliases } => self.decide(*peer, Mark::Accepted, *at, aliases)?,
            Edit::Bore { peer, alias } => {
                if let Some(entry) = self.people.get_mut(peer) {
                    bear(entry, alias.clone());
                }
            }
            Edit::Forgotten { peer } => drop(self.people.remove(peer)),
        }
        self.index();
        Ok(())
    }

    fn decide(&mut self, peer: PeerId, mark: Mark, at: u64, aliases: &[Alias]) -> Result<(), Full> {
        if self.people.len() >= MAX_PEOPLE && !self.people.contains_key(&peer) {
            return Err(Full);
        }
        let before = self.people.remove(&peer);
        // To accept a key takes nothing from it that was there before.
        let mark =
            if before.as_ref().is_some_and(|entry| entry.mark == Mark::Verified) { Mark::Verified } else { mark };
        let mut entry = Entry { mark, at, aliases: Vec::new() };
        for alias in aliases.iter().cloned().chain(before.into_iter().flat_map(|entry| entry.aliases)) {
            if entry.aliases.len() < MAX_ALIASES {
                bear(&mut entry, alias);
            }
        }
        self.people.insert(peer, entry);
        Ok(())
    }

    fn index(&mut self) {
        self.looks.clear();
        for (peer, entry) in self.people.iter().filter(|(_, entry)| entry.mark == Mark::Verified) {
            for look in entry.aliases.iter().flat_map(Alias::looks) {
                self.looks.entry(look).or_default().insert(*peer);
            }
        }
    }

    /// As the text of a file: a line that says what it is; then for each key a line with what was decided, when, and
    /// its id, and one line for each of its names.
    pub fn write(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (peer, entry) in &self.people {
            let mark = match entry.mark {
                Mark::Verified => "verified",
                Mark::Accepted => "accepted",
            };
            let _ = writeln!(text, "{mark} {} {peer}", entry.at);
            for alias in &entry.aliases {
                let kind = match alias {
                    Alias::Name(_) => "name",
                    Alias::Username(_) => "username",
                };
                let _ = writeln!(text, "{kind} {}", alias.as_str());
            }
        }
        text
    }

    /// What [`Self::write`] wrote; `None` is anything else.
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != HEADER || !text.ends_with('\n') {
            return None;
        }
        let mut book = Self::new();
        let mut last: Option<PeerId> = None;
        for line in lines {
            let (word, rest) = line.split_once(' ')?;
            let alias = match word {
                "name" => Alias::Name(DisplayName::new(rest)),
                "username" => Alias::Username(Username::new(rest).ok()?),
                "verified" | "accepted" => {
                    let (at, peer) = rest.split_once(' ')?;
                    let mark = if word == "verified" { Mark::Verified } else { Mark::Accepted };
                    let entry = Entry { mark, at: at.parse().ok()?, aliases: Vec::new() };
                    let peer = peer.parse().ok()?;
                    let double = book.people.insert(peer, entry).is_some();
                    if double || book.people.len() > MAX_PEOPLE {
                        return None;
                    }
                    last = Some(peer);
                    continue;
                }
                _ => return None,
            };
            let entry = book.people.get_mut(&last?)?;
            if entry.aliases.len() >= MAX_ALIASES {
                return None;
            }
            entry.aliases.push(alias);
        }
        book.index();
        Some(book)
    }
}

fn bear(entry: &mut Entry, alias: Alias) {
    if entry.aliases.contains(&alias) {
        return;
    }
    // Overflow: the first stays, the one after it goes.
    if entry.aliases.len() >= MAX_ALIASES {
        entry.aliases.remove(1);
    }
    entry.aliases.push(alias);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    fn name(text: &str) -> Alias {
        Alias::Name(DisplayName::new(text))
    }

    fn username(text: &str) -> Alias {
        Alias::Username(Username::new(text).expect("valid"))
    }

    fn verified(n: u8, aliases: &[Alias]) -> Edit {
        Edit::Verified { peer: peer(n), at: u64::from(n), aliases: aliases.to_vec() }
    }

    fn book(edits: &[Edit]) -> Book {
        let mut book = Book::new();
        edits.iter().for_each(|edit| book.apply(edit).expect("room"));
        book
    }

    #[test]
    fn another_key_under_a_verified_name_is_a_rival_however_it_is_written() {
        let book = book(&[verified(1, &[name("Alice Ek"), username("alice")])]);
        // Cyrillic letters, a capital I for an l, spaces.
        for text in
            ["Alice Ek", "ALICE  EK", "\u{410}lice Ek", "AIice Ek", "Al\u{456}ce Ek", "AliceEk", "\u{ff21}lice Ek"]
        {
            assert_eq!(book.rival(peer(2), &name(text)), Some(peer(1)), "{text}");
        }
        for text in ["Alice", "Alice E", "Bob"] {
            assert_eq!(book.rival(peer(2), &name(text)), None, "{text}");
        }
        assert_eq!(book.rival(peer(2), &username("ALICE")), Some(peer(1)));
        assert_eq!(book.rival(peer(2), &name("alice")), None, "a name is no username");
        assert_eq!(book.rival(peer(1), &name("Alice Ek")), None);
    }

    #[test]
    fn who_is_verified_or_accepted_under_a_name_is_no_rival_of_it() {
        let mut book =
            book(&[verified(1, &[name("Alice")]), verified(2, &[name("Bob")]), verified(3, &[name("alice")])]);
        assert_eq!(book.rival(peer(3), &name("Alice")), None);
        book.apply(&Edit::Accepted { peer: peer(4), at: 9, aliases: vec![name("alice")] }).expect("room");
        assert_eq!(book.rival(peer(4), &name("ALICE")), None);
        assert_eq!(book.rival(peer(4), &name("Bob")), Some(peer(2)), "accepted under one name only");
        assert!(book.knows(peer(4)) && !book.is_verified(peer(4)));
        book.apply(&Edit::Forgotten { peer: peer(1) }).expect("room");
        assert_eq!(book.rival(peer(5), &name("Alice")), Some(peer(3)));
        book.apply(&Edit::Forgotten { peer: peer(3) }).expect("room");
        assert_eq!(book.rival(peer(5), &name("Alice")), None);
    }

    #[test]
    fn to_accept_takes_no_verification_away() {
        let book = book(&[
            verified(1, &[name("Alice")]),
            Edit::Accepted { peer: peer(1), at: 7, aliases: vec![name("Alice")] },
        ]);
        assert!(book.is_verified(peer(1)));
    }

    #[test]
    fn names_are_bounded_and_the_verified_one_stays() {
        let mut book = book(&[verified(1, &[name("Alice")])]);
        for n in 0..20 {
            let alias = name(&format!("alias {n}"));
            assert!(book.is_news(peer(1), &alias));
            book.apply(&Edit::Bore { peer: peer(1), alias: alias.clone() }).expect("room");
            assert!(!book.is_news(peer(1), &alias));
        }
        assert_eq!(book.aliases(peer(1)).len(), MAX_ALIASES);
        assert_eq!(book.rival(peer(2), &name("Alice")), Some(peer(1)));
        assert_eq!(book.rival(peer(2), &name("alias 19")), Some(peer(1)));
        assert_eq!(book.rival(peer(2), &name("alias 0")), None);
        // Names of who is not verified are no news.
        assert!(!book.is_news(peer(9), &name("x")));
        book.apply(&Edit::Bore { peer: peer(9), alias: name("x") }).expect("room");
        assert!(!book.knows(peer(9)));
    }

    #[test]
    fn decisions_are_bounded() {
        let mut book = Book::new();
        let id = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            PeerId::from_bytes(bytes)
        };
        // As a file, which is quicker than one decision after another.
        let mut text = format!("{HEADER}\n");
        for n in 0..MAX_PEOPLE {
            let _ = writeln!(text, "verified 1 {}\nname n{n}", id(n));
        }
        book = Book::read(&text).unwrap_or(book);
        assert_eq!(book.peers().count(), MAX_PEOPLE);
        let more = Edit::Verified { peer: id(MAX_PEOPLE), at: 1, aliases: Vec::new() };
        assert_eq!(book.apply(&more), Err(Full));
        assert_eq!(book.apply(&Edit::Forgotten { peer: id(0) }), Ok(()));
        assert_eq!(book.apply(&more), Ok(()));
        let _ = writeln!(text, "verified 1 {}", id(MAX_PEOPLE));
        assert_eq!(Book::read(&text), None, "too many");
        let longest = "\u{1f600}".repeat(64);
        let most = MAX_PEOPLE * (90 + MAX_ALIASES * (longest.len() + 12));
        assert!(most < 16 * 1024 * 1024, "the store reads what it writes");
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is_read() {
        let full = book(&[
            verified(1, &[name("Søren  O'Neil, 2nd"), username("soren")]),
            verified(2, &[]),
            Edit::Accepted { peer: peer(3), at: 5, aliases: vec![name("Søren O'Neil, 2nd")] },
        ]);
        assert_eq!(Book::read(&full.write()), Some(full.clone()));
        assert_eq!(Book::read(&Book::new().write()), Some(Book::new()));
        let id = peer(1);
        let bad = |lines: &str| assert_eq!(Book::read(lines), None, "{lines:?}");
        bad("");
        bad("something else\n");
        bad(&full.write()[..full.write().len() - 1]);
        for line in ["name x", "verified x", &format!("verified x {id}"), &format!("sworn 1 {id}"), "verified 1 12", ""]
        {
            bad(&format!("{HEADER}\n{line}\n"));
        }
        bad(&format!("{HEADER}\nverified 1 {id}\nverified 2 {id}\n"));
        bad(&format!("{HEADER}\nverified 1 {id}\nusername a/b\n"));
        bad(&format!("{HEADER}\nverified 1 {id}\n{}", "name x\n".repeat(MAX_ALIASES + 1)));
    }

    proptest::proptest! {
        #[test]
        fn any_names_survive_the_file(names in proptest::collection::vec(".{0,80}", 0..8)) {
            let aliases: Vec<Alias> = names.iter().map(|text| name(text)).collect();
            let book = book(&[verified(1, &aliases)]);
            proptest::prop_assert_eq!(Book::read(&book.write()), Some(book));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,300}") {
            let _ = Book::read(&text);
            let _ = Book::read(&format!("{HEADER}\n{text}\n"));
        }
    }
}
