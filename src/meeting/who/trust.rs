//! Sans-IO. How far each key of the directory is trusted, whose name it bears, and what may be decided about it. A
//! meeting and a lobby ask the same questions here.

use std::collections::BTreeSet;

use crate::id::PeerId;
use crate::known::trust::{Alias, Book, Edit, MAX_ALIASES, Trust};
use crate::known::words::Words;
use crate::meeting::command::{Answer, Command, Done, Work};
use crate::meeting::event::Person;
use crate::meeting::failure::{Code, Failure};
use crate::meeting::state::KnownPerson;
use crate::share::DisplayName;

use super::{Directory, Reach, Who, oneself, shown};

/// What two names have to do with each other: one is borne by a key, the other was verified of another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likeness {
    /// The name of who is not verified.
    pub borne: Alias,
    /// The key that was verified.
    pub verified: PeerId,
    /// The name that it was verified under, or bore since.
    pub as_verified: Alias,
}

impl Directory {
    /// With what was decided in earlier runs.
    #[must_use]
    pub fn with_trust(mut self, book: Book) -> Self {
        self.book = book;
        self
    }

    /// How far the key of `peer` is trusted.
    pub fn trust(&self, peer: PeerId) -> Trust {
        self.trust_with(peer, self.likeness(peer).is_some())
    }

    /// How far the key of `peer` is trusted when it says that it is called `name`.
    pub fn trust_as(&self, peer: PeerId, name: &DisplayName) -> Trust {
        let other = self.book.rival(peer, &Alias::Name(name.clone())).is_some();
        self.trust_with(peer, other || self.likeness(peer).is_some())
    }

    /// The same, where it vouches for the name that `peer` bears: a key that is known, under another name, is
    /// [`Trust::New`].
    pub fn trust_by_name(&self, peer: PeerId) -> Trust {
        let trust = self.trust(peer);
        let Some(known) = self.peers.get(&peer).filter(|_| trust == Trust::Known) else { return trust };
        let decided = |alias: &Alias| matches!(alias, Alias::Name(name) if name.folded() == known.folded);
        let familiar = self.earlier_names.contains(&(peer, known.folded.clone()));
        if familiar || self.book.aliases(peer).iter().any(decided) { trust } else { Trust::New }
    }

    fn trust_with(&self, peer: PeerId, changed: bool) -> Trust {
        if self.book.is_verified(peer) {
            Trust::Verified
        } else if changed {
            Trust::Changed
        } else if self.earlier.contains(&peer) || self.book.knows(peer) {
            Trust::Known
        } else {
            Trust::New
        }
    }

    /// What `peer` bears now, and what it bore in this run that made it [`Trust::Changed`]: another name does not undo
    /// that.
    fn borne(&self, peer: PeerId) -> Vec<Alias> {
        let Some(known) = self.peers.get(&peer) else { return Vec::new() };
        let now = [Some(Alias::Name(known.name.clone())), known.username.clone().map(Alias::Username)];
        let now = now.into_iter().flatten().filter(|alias| !known.bore.contains(alias));
        now.chain(known.bore.iter().cloned()).collect()
    }

    /// Whose name `peer` bears without being that key, if it is trusted no better.
    pub fn likeness(&self, peer: PeerId) -> Option<Likeness> {
        self.borne(peer).into_iter().find_map(|borne| {
            let verified = self.book.rival(peer, &borne)?;
            let as_verified = self.book.likeness(verified, &borne)?.clone();
            Some(Likeness { borne, verified, as_verified })
        })
    }

    /// Remembers what `peer` bears if it is the name of somebody verified: proven by a link, so that nobody else can
    /// bring this upon it.
    pub(super) fn mark_borne(&mut self, peer: PeerId) {
        let borne: Vec<Alias> =
            self.borne(peer).into_iter().filter(|alias| self.book.rival(peer, alias).is_some()).collect();
        if let Some(known) = self.peers.get_mut(&peer) {
            // Overflow: one is enough to hold it back.
            known.bore = borne.into_iter().take(MAX_ALIASES).collect();
        }
    }

    /// Refuses to send anything to a key that bears the name of somebody verified.
    pub fn allows(&self, peer: PeerId) -> Result<(), Failure> {
        if self.trust(peer) != Trust::Changed {
            return Ok(());
        }
        let (message, _) = self.warning(peer);
        let hint = format!("Nothing was sent. If you are sure who that is, verify or accept {}.", self.handle(peer));
        let candidates = vec![self.person(peer)];
        Err(Failure { candidates, ..Failure::new(Code::VerifiedKeyChanged, message, hint) })
    }

    /// What is said of a key that bears the name of somebody verified: a sentence and a hint.
    pub fn warning(&self, peer: PeerId) -> (String, String) {
        let name = self.person(peer).name;
        let message = match self.likeness(peer) {
            Some(Likeness { borne, as_verified, .. }) if borne.as_str() != as_verified.as_str() => {
                let (borne, verified) = (borne.as_str(), as_verified.as_str());
                format!("'{borne}' looks like '{verified}', whom you verified, and has another key.")
            }
            Some(Likeness { borne, .. }) => {
                format!("'{}' has another key than the one that you verified.", borne.as_str())
            }
            None => format!("'{name}' has another key than the one that you verified."),
        };
        let handle = self.handle(peer);
        let hint = format!(
            "Nothing of yours goes to {handle} until you verify or accept this key; what you say to the room others may pass on."
        );
        (message, hint)
    }

    /// The verified `peer` bears a name that nobody else bore: it is kept with the others.
    pub fn news(&self, peer: PeerId) -> Option<Edit> {
        let known = self.peers.get(&peer)?;
        let alone = self.others_named(peer, &known.name).is_empty();
        let name = Some(Alias::Name(known.name.clone())).filter(|_| alone);
        let username = known.username.clone().map(Alias::Username);
        let alias = [name, username].into_iter().flatten().find(|alias| self.book.is_news(peer, alias))?;
        Some(Edit::Bore { peer, alias })
    }

    /// Takes a decision that is written down.
    pub fn decide(&mut self, edit: &Edit) {
        // There was place for it in the file.
        let _ = self.book.apply(edit);
        if let Edit::Forgotten { peer } = edit {
            self.used.forget(*peer);
            self.earlier.remove(peer);
        }
    }

    /// When the words of `peer` were compared, in Unix milliseconds.
    pub fn verified_at(&self, peer: PeerId) -> Option<u64> {
        self.book.verified_at(peer)
    }

    /// The words to compare with `peer`: made anew, which takes some 20 ms.
    pub fn words(&self, peer: PeerId) -> Words {
        Words::between(self.me.peer, peer)
    }

    // All keys that are known by name or by a decision.
    fn known_keys(&self) -> BTreeSet<PeerId> {
        let keys: BTreeSet<PeerId> = self.used.all_keys().chain(self.book.peers()).collect();
        keys.into_iter().filter(|key| *key != self.me.peer).collect()
    }

    // The name to show of a known key: what it bears, else what it bore last, else what it was decided about under.
    fn known_name(&self, peer: PeerId) -> DisplayName {
        if let Some(known) = self.peers.get(&peer) {
            return known.name.clone();
        }
        let names = self.used.by_age();
        let last = names.iter().rev().find(|(_, _, keys)| keys.contains(&peer)).map(|(name, ..)| *name);
        let decided = || self.book.aliases(peer).first().map(Alias::as_str);
        DisplayName::new(last.or_else(decided).unwrap_or(&peer.short()))
    }

    /// Everybody whose key is known, by name.
    pub fn known_people(&self) -> Vec<KnownPerson> {
        let names = self.used.by_age();
        // The newest name of each key; names are sorted by age.
        let shown: std::collections::BTreeMap<PeerId, &str> =
            names.iter().flat_map(|(name, _, keys)| keys.iter().map(move |key| (*key, *name))).collect();
        let known = |peer: PeerId| {
            let here = self.peers.get(&peer).map(|known| known.name.clone());
            let name = here.or_else(|| shown.get(&peer).map(|name| DisplayName::new(name)));
            let person = Person { peer, name: name.unwrap_or_else(|| self.known_name(peer)) };
            let (handle, trust) = (self.handle_of(&person), self.trust_as(peer, &person.name));
            KnownPerson { person, handle, trust, verified_ms: self.book.verified_at(peer) }
        };
        let mut people: Vec<KnownPerson> = self.known_keys().into_iter().map(known).collect();
        people.sort_by_cached_key(|known| (known.person.name.folded(), known.person.peer));
        people
    }

    /// The key that `text` means among those who are or were here, else among all who are known.
    pub fn resolve_known(&self, text: &str) -> Result<PeerId, Failure> {
        let here = self.resolve(text, Reach::Away);
        if here.as_ref().map_err(|failure| failure.code) != Err(Code::UnknownPeer) {
            return here;
        }
        let bears = |peer: PeerId, folded: &str| {
            let decided = |alias: &Alias| matches!(alias, Alias::Name(name) if name.folded() == folded);
            self.used.keys(folded).any(|key| key == peer) || self.book.aliases(peer).iter().any(decided)
        };
        let starts = |peer: PeerId, digits: &str| peer.to_string().starts_with(digits);
        let who = Who::parse(text)?;
        let means = |peer: PeerId| match &who {
            Who::Room(_) => false,
            Who::Id(id) => *id == peer,
            Who::Prefix(prefix) => starts(peer, prefix),
            Who::Handle(name, suffix) => starts(peer, suffix) && bears(peer, name),
            Who::Username(name) => {
                let same = |alias: &Alias| matches!(alias, Alias::Username(own) if own.folded() == name.folded());
                self.book.aliases(peer).iter().any(same)
            }
            Who::Name(name) => bears(peer, name),
        };
        let found: BTreeSet<PeerId> = self.known_keys().into_iter().filter(|peer| means(*peer)).collect();
        match found.first() {
            Some(only) if found.len() == 1 => Ok(*only),
            Some(_) => {
                let people: Vec<Person> =
                    found.iter().map(|peer| Person { peer: *peer, name: self.known_name(*peer) }).collect();
                Err(self.ambiguous(text, people))
            }
            None => {
                let message = format!("Nobody known is '{}'.", shown(text));
                Err(Failure::new(Code::UnknownPeer, message, "Check the name; whoever you meet is known."))
            }
        }
    }

    /// Answers the commands about trust, at once; `None` is another command. [`Work::Decide`] is to be written down, then
    /// given to [`Self::decide`].
    pub fn on_command(&self, wall_ms: u64, command: &Command) -> Option<Result<Answer, Failure>> {
        Some(match command {
            Command::Words { peer } => self.known(peer).map(|peer| Answer::Work(Work::Words(peer))),
            Command::KnownPeople => Ok(Answer::Done(Done::KnownPeople(self.known_people()))),
            Command::Verify { peer } => self.known(peer).map(|peer| {
                let edit = Edit::Verified { peer, at: wall_ms, aliases: self.aliases(peer) };
                Answer::Work(Work::Decide(edit))
            }),
            Command::TrustChanged { peer } => self.known(peer).and_then(|peer| {
                let name = self.known_name(peer);
                if self.trust_as(peer, &name) != Trust::Changed {
                    let message = format!("There is nothing to decide about '{name}'.");
                    return Err(Failure::new(Code::BadValue, message, "Only a changed key is accepted."));
                }
                let mut aliases = self.borne(peer);
                if aliases.is_empty() {
                    aliases.push(Alias::Name(name));
                }
                let edit = Edit::Accepted { peer, at: wall_ms, aliases };
                Ok(Answer::Work(Work::Decide(edit)))
            }),
            Command::Forget { peer } => {
                self.known(peer).map(|peer| Answer::Work(Work::Decide(Edit::Forgotten { peer })))
            }
            _ => return None,
        })
    }

    fn known(&self, text: &str) -> Result<PeerId, Failure> {
        let peer = self.resolve_known(text)?;
        if peer == self.me.peer { Err(oneself()) } else { Ok(peer) }
    }

    // What a key is verified under: its name first, then what it alone bore earlier.
    fn aliases(&self, peer: PeerId) -> Vec<Alias> {
        let mut aliases = vec![Alias::Name(self.known_name(peer))];
        aliases.extend(self.borne(peer));
        let names = self.used.by_age();
        let alone = names.iter().rev().filter(|(_, _, keys)| *keys == [peer]);
        aliases.extend(alone.map(|(name, ..)| Alias::Name(DisplayName::new(name))));
        let mut seen = BTreeSet::new();
        aliases.retain(|alias| seen.insert(alias.clone()));
        aliases.truncate(MAX_ALIASES);
        aliases
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known::names::Names;

    fn peer(start: &str) -> PeerId {
        format!("{start:0<64}").parse().expect("hex")
    }

    fn name(text: &str) -> DisplayName {
        DisplayName::new(text)
    }

    /// Bob was verified, Cid is known; another key was called Bob, long ago.
    fn directory() -> Directory {
        let mut names = Names::new();
        names.record(&name("Bob"), peer("bbbbbbbb1"));
        names.record(&name("Bob"), peer("bbbbbbbb2"));
        names.record(&name("Cid"), peer("cccccccc"));
        let mut book = Book::new();
        let aliases = vec![Alias::Name(name("Bob"))];
        book.apply(&Edit::Verified { peer: peer("bbbbbbbb1"), at: 1, aliases }).expect("room");
        Directory::new(Person { peer: peer("aaaa"), name: name("Ann") }, names).with_trust(book)
    }

    #[test]
    fn who_is_not_here_is_found_among_the_known() {
        let directory = directory();
        let result = |text: &str| directory.resolve_known(text).map_err(|failure| failure.code);
        assert_eq!(result("cid"), Ok(peer("cccccccc")));
        assert_eq!(result("cccccccc"), Ok(peer("cccccccc")));
        assert_eq!(result("bob"), Err(Code::AmbiguousPeer));
        assert_eq!(result("bob#bbbbbbbb1"), Ok(peer("bbbbbbbb1")));
        assert_eq!(result("bbbbbbbb"), Err(Code::AmbiguousPeer));
        assert_eq!(result(&peer("bbbbbbbb2").to_string()), Ok(peer("bbbbbbbb2")));
        assert_eq!(result(&peer("dddddddd").to_string()), Err(Code::UnknownPeer));
        assert_eq!(result("@cid"), Err(Code::UnknownPeer));
        assert_eq!(result("ann"), Err(Code::Oneself));
        let failure = directory.resolve_known("bob").expect_err("two");
        assert!(failure.hint.contains("Bob#bbbbbbbb1") && failure.hint.contains("Bob#bbbbbbbb2"), "{}", failure.hint);
    }

    #[test]
    fn a_claimed_name_is_judged_and_brings_nothing_upon_the_key() {
        let mut directory = directory();
        directory.sight(peer("dddd"), name("Bob"));
        assert_eq!(directory.trust(peer("dddd")), Trust::Changed);
        assert_eq!(directory.allows(peer("dddd")).map_err(|failure| failure.code), Err(Code::VerifiedKeyChanged));
        directory.sight(peer("dddd"), name("Dan"));
        assert_eq!(directory.trust(peer("dddd")), Trust::New);
        assert_eq!(directory.trust_as(peer("dddd"), &name("BOB")), Trust::Changed);
        assert_eq!(directory.trust_as(peer("cccccccc"), &name("Cid")), Trust::Known);
        // Proven by a link it stays.
        directory.arrive(peer("dddd"), name("Bob"));
        directory.rename(peer("dddd"), name("Dan"));
        assert_eq!(directory.trust(peer("dddd")), Trust::Changed);
    }

    #[test]
    fn a_known_key_is_not_known_under_a_name_that_it_never_bore() {
        let mut directory = directory();
        directory.arrive(peer("cccccccc"), name("CID"));
        assert_eq!(directory.trust_by_name(peer("cccccccc")), Trust::Known);
        directory.rename(peer("cccccccc"), name("Ada"));
        assert_eq!(directory.trust_by_name(peer("cccccccc")), Trust::New);
        assert_eq!(directory.trust(peer("cccccccc")), Trust::Known, "the key is");
        directory.arrive(peer("bbbbbbbb1"), name("Rob"));
        assert_eq!(directory.trust_by_name(peer("bbbbbbbb1")), Trust::Verified);
        directory.arrive(peer("bbbbbbbb2"), name("Bob"));
        assert_eq!(directory.trust_by_name(peer("bbbbbbbb2")), Trust::Changed);
    }

    #[test]
    fn the_words_of_a_warning_say_what_looks_alike() {
        let mut directory = directory();
        directory.arrive(peer("dddd"), name("Bob"));
        let (message, hint) = directory.warning(peer("dddd"));
        assert_eq!(message, "'Bob' has another key than the one that you verified.");
        assert!(hint.contains("Bob#dddd0000"), "{hint}");
        directory.arrive(peer("eeee"), name("B\u{43e}b"));
        let (message, _) = directory.warning(peer("eeee"));
        assert_eq!(message, "'B\u{43e}b' looks like 'Bob', whom you verified, and has another key.");
    }

    #[test]
    fn a_key_is_verified_under_the_names_that_it_alone_bore() {
        let mut directory = directory();
        directory.arrive(peer("bbbbbbbb2"), name("Bernd"));
        let command = Command::Verify { peer: "bernd".into() };
        let Some(Ok(Answer::Work(Work::Decide(edit)))) = directory.on_command(5, &command) else {
            panic!("no decision")
        };
        let aliases = vec![Alias::Name(name("Bernd"))];
        assert_eq!(edit, Edit::Verified { peer: peer("bbbbbbbb2"), at: 5, aliases });
        directory.decide(&edit);
        assert_eq!(directory.trust(peer("bbbbbbbb2")), Trust::Verified);
        directory.decide(&Edit::Forgotten { peer: peer("bbbbbbbb2") });
        assert_eq!(directory.trust(peer("bbbbbbbb2")), Trust::New);
        assert!(directory.on_command(5, &Command::State).is_none());
    }
}
