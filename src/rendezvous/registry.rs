//! Sans-IO.
//! Who holds which name, and who is where: everything the service decides.
//!
//! A name belongs to the key that claimed it first, until its lease ends (30 days after the last renewal) or the owner
//! releases it. Names are the same name when their folded forms are ([`Username::folded`]). A record is taken only
//! from the key that signed it and that TLS proved to be asking, and only with a newer stamp than the one before, so a
//! replay changes nothing.
//!
//! Names must outlive the process, so changing one takes two steps: [`Registry::claim`] and [`Registry::release`]
//! decide and return a [`Change`]; the shell makes it durable and then hands it to [`Registry::apply`]. Presences and
//! rooms live for a minute and in memory only: after a restart their owners publish them again.
//!
//! All times are Unix milliseconds by the service's clock, because leases outlive a boot. Everything is capped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{Instance, LinkKey, PeerId, RoomId, Username};
use crate::rendezvous::record::{Claim, Flaw, Presence, Release};
use crate::rendezvous::wire::{MAX_MEMBERS, MAX_NAMES, MAX_RUNS, Refusal, Refused};

/// Leases and caps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long a name is kept after its owner was last seen. Default 30 days.
    pub name_lease: Duration,
    /// How long a presence is kept. Default 60 s.
    pub presence_lease: Duration,
    /// Names of one key. Default 8: a person has few, and squatting should be work.
    pub names_per_key: usize,
    /// Names in all. Default 100,000, about 60 MB of memory (an estimate).
    pub names: usize,
    /// Presences in all. Default 20,000.
    pub presences: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name_lease: Duration::from_secs(30 * 24 * 3600),
            presence_lease: Duration::from_secs(60),
            names_per_key: 8,
            names: 100_000,
            presences: 20_000,
        }
    }
}

/// A name that somebody holds: what the store keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// As its owner signed it.
    pub claim: Claim,
    /// Until when it is kept.
    pub expires: u64,
}

/// A decided change of the names, to be made durable and then applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Held from now on as the row says, whatever was there before.
    Put {
        /// The key of the table.
        folded: String,
        /// What it holds.
        row: Row,
    },
    /// Held by nobody.
    Remove {
        /// The key of the table.
        folded: String,
    },
}

/// The answer to a claim that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Until when the name is kept.
    pub expires: u64,
    /// What to store first; `None` when this very claim is stored already.
    pub change: Option<Change>,
}

#[derive(Debug)]
struct Kept {
    presence: Presence,
    expires: u64,
}

/// All that the service knows.
#[derive(Debug)]
pub struct Registry {
    config: Config,
    service: PeerId,
    // Capped by `config.names`.
    names: BTreeMap<String, Row>,
    // Which names a key holds, expired ones included until they are swept.
    owned: BTreeMap<PeerId, BTreeSet<String>>,
    // Capped by `config.presences`, and MAX_RUNS for each key.
    presences: BTreeMap<LinkKey, Kept>,
    // Follows `presences`.
    rooms: BTreeMap<RoomId, BTreeSet<LinkKey>>,
}

impl Registry {
    /// The registry of `service`, with the names that its store holds.
    pub fn new(config: Config, service: PeerId, rows: impl IntoIterator<Item = Row>) -> Self {
        let mut registry = Self {
            config,
            service,
            names: BTreeMap::new(),
            owned: BTreeMap::new(),
            presences: BTreeMap::new(),
            rooms: BTreeMap::new(),
        };
        for row in rows {
            registry.apply(Change::Put { folded: row.claim.name.folded(), row });
        }
        registry
    }

    /// The leases and caps.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Decides on a claim by `asker`. A renewal is a claim of one's own name with a newer stamp.
    pub fn claim(&self, now: u64, asker: PeerId, claim: Claim) -> Result<Grant, Refused> {
        let owner = claim.verify(self.service, now).map_err(refusal)?;
        if owner != asker {
            return Err(Refusal::Forged.into());
        }
        let folded = claim.name.folded();
        let mut is_new = true;
        if let Some(row) = self.names.get(&folded) {
            let live = row.expires > now;
            if row.claim.key == claim.key {
                if live && row.claim == claim {
                    return Ok(Grant { expires: row.expires, change: None });
                }
                if claim.stamp <= row.claim.stamp {
                    return Err(Refused { newest: Some(row.claim.stamp), ..Refusal::Stale.into() });
                }
                is_new = !live;
            } else if live {
                return Err(Refusal::Taken.into());
            }
        }
        if is_new && self.names_of(now, asker).count() >= self.config.names_per_key.min(MAX_NAMES) {
            let detail = format!("one key holds at most {} names; release one first", self.config.names_per_key);
            return Err(Refused { detail: Some(detail), ..Refusal::Limited.into() });
        }
        if self.names.len() >= self.config.names && !self.names.contains_key(&folded) {
            return Err(Refusal::Full.into());
        }
        let expires = now.saturating_add(millis(self.config.name_lease).min(claim.lifetime));
        let row = Row { claim, expires };
        Ok(Grant { expires, change: Some(Change::Put { folded, row }) })
    }

    /// Decides on a release by `asker`.
    pub fn release(&self, now: u64, asker: PeerId, release: &Release) -> Result<Change, Refused> {
        let owner = release.verify(self.service, now).map_err(refusal)?;
        if owner != asker {
            return Err(Refusal::Forged.into());
        }
        let folded = release.name.folded();
        let row = self.names.get(&folded).filter(|row| row.expires > now);
        let row = row.filter(|row| row.claim.key == release.key).ok_or(Refusal::Unknown)?;
        if release.stamp <= row.claim.stamp {
            return Err(Refused { newest: Some(row.claim.stamp), ..Refusal::Stale.into() });
        }
        Ok(Change::Remove { folded })
    }

    /// Takes over a change that is durable now.
    pub fn apply(&mut self, change: Change) {
        let (folded, row) = match change {
            Change::Put { folded, row } => (folded, Some(row)),
            Change::Remove { folded } => (folded, None),
        };
        if let Some(old) = self.names.remove(&folded) {
            let owner = old.claim.key.peer_id();
            if let Some(names) = self.owned.get_mut(&owner) {
                names.remove(&folded);
                if names.is_empty() {
                    self.owned.remove(&owner);
                }
            }
        }
        if let Some(row) = row {
            self.owned.entry(row.claim.key.peer_id()).or_default().insert(folded.clone());
            self.names.insert(folded, row);
        }
    }

    /// Who holds `name`, and where its runs are.
    pub fn lookup(&self, now: u64, name: &Username) -> Option<(Row, Vec<Presence>)> {
        let row = self.names.get(&name.folded()).filter(|row| row.expires > now)?;
        let runs = self.runs(row.claim.key.peer_id()).filter(|(_, kept)| kept.expires > now);
        Some((row.clone(), runs.map(|(_, kept)| kept.presence.clone()).take(MAX_RUNS).collect()))
    }

    /// The live claims of one key, in the order of their names.
    pub fn names_of(&self, now: u64, owner: PeerId) -> impl Iterator<Item = &Claim> {
        let names = self.owned.get(&owner).into_iter().flatten();
        names.filter_map(|folded| self.names.get(folded)).filter(move |row| row.expires > now).map(|row| &row.claim)
    }

    /// Keeps a presence of `asker`. Gives until when.
    pub fn publish(&mut self, now: u64, asker: PeerId, presence: Presence) -> Result<u64, Refused> {
        let peer = presence.verify(self.service, now).map_err(refusal)?;
        if peer != asker {
            return Err(Refusal::Forged.into());
        }
        let key = LinkKey { peer, instance: presence.instance };
        match self.presences.get(&key) {
            Some(kept) if kept.presence == presence => return Ok(kept.expires),
            Some(kept) if presence.stamp <= kept.presence.stamp => {
                return Err(Refused { newest: Some(kept.presence.stamp), ..Refusal::Stale.into() });
            }
            Some(_) => {}
            None => self.make_room(now, peer)?,
        }
        self.forget(key);
        for room in &presence.rooms {
            self.rooms.entry(*room).or_default().insert(key);
        }
        let expires = now.saturating_add(millis(self.config.presence_lease).min(presence.lifetime));
        self.presences.insert(key, Kept { presence, expires });
        Ok(expires)
    }

    /// Forgets a run of `asker`; fine if there is none.
    pub fn withdraw(&mut self, asker: PeerId, instance: Instance) {
        self.forget(LinkKey { peer: asker, instance });
    }

    /// Who is in `room`, newest first, at most [`MAX_MEMBERS`], without the runs of `asker`.
    pub fn members(&self, now: u64, asker: PeerId, room: RoomId) -> Vec<Presence> {
        let keys = self.rooms.get(&room).into_iter().flatten().filter(|key| key.peer != asker);
        let mut live: Vec<&Kept> =
            keys.filter_map(|key| self.presences.get(key)).filter(|kept| kept.expires > now).collect();
        live.sort_by_key(|kept| std::cmp::Reverse(kept.expires));
        live.into_iter().take(MAX_MEMBERS).map(|kept| kept.presence.clone()).collect()
    }

    /// Forgets presences that have expired, and says which expired names to remove: at most `most` at a time.
    pub fn sweep(&mut self, now: u64, most: usize) -> Vec<Change> {
        let dead: Vec<LinkKey> = self.presences.iter().filter(|(_, k)| k.expires <= now).map(|(key, _)| *key).collect();
        for key in dead {
            self.forget(key);
        }
        let dead = self.names.iter().filter(|(_, row)| row.expires <= now).take(most);
        dead.map(|(folded, _)| Change::Remove { folded: folded.clone() }).collect()
    }

    /// Names and presences held, expired ones included until they are swept.
    pub fn size(&self) -> (usize, usize) {
        (self.names.len(), self.presences.len())
    }

    fn runs(&self, peer: PeerId) -> impl Iterator<Item = (&LinkKey, &Kept)> {
        let first = LinkKey { peer, instance: Instance::from_u64(0) };
        let last = LinkKey { peer, instance: Instance::from_u64(u64::MAX) };
        self.presences.range(first..=last)
    }

    /// Makes room for one more run of `peer`: its oldest run goes when it has too many.
    fn make_room(&mut self, now: u64, peer: PeerId) -> Result<(), Refused> {
        if self.runs(peer).count() >= MAX_RUNS {
            let oldest = self.runs(peer).min_by_key(|(_, kept)| kept.expires).map(|(key, _)| *key);
            oldest.into_iter().for_each(|key| self.forget(key));
            return Ok(());
        }
        if self.presences.len() >= self.config.presences {
            self.sweep(now, 0);
        }
        if self.presences.len() >= self.config.presences { Err(Refusal::Full.into()) } else { Ok(()) }
    }

    fn forget(&mut self, key: LinkKey) {
        let Some(kept) = self.presences.remove(&key) else { return };
        for room in &kept.presence.rooms {
            if let Some(members) = self.rooms.get_mut(room) {
                members.remove(&key);
                if members.is_empty() {
                    self.rooms.remove(room);
                }
            }
        }
    }
}

fn refusal(flaw: Flaw) -> Refused {
    match flaw {
        Flaw::Signature => Refusal::Forged,
        Flaw::Expired | Flaw::Future => Refusal::Clock,
        Flaw::Limit => Refusal::Malformed,
    }
    .into()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;
    use crate::rendezvous::record::Whereabouts;
    use proptest::prelude::*;

    const NOW: u64 = 1_800_000_000_000;
    const DAY: u64 = 24 * 3600 * 1000;
    const LEASE: u64 = 30 * DAY;

    fn service() -> PeerId {
        PeerId::from_bytes([1; 32])
    }

    fn registry() -> Registry {
        Registry::new(Config::default(), service(), [])
    }

    fn name(text: &str) -> Username {
        Username::new(text).expect("valid")
    }

    fn signed(who: &Identity, text: &str, stamp: u64) -> Claim {
        Claim::sign(who, service(), name(text), stamp, LEASE)
    }

    fn claim(registry: &mut Registry, now: u64, who: &Identity, text: &str) -> Result<u64, Refusal> {
        let grant = registry.claim(now, who.peer_id(), signed(who, text, now)).map_err(|r| r.reason)?;
        grant.change.into_iter().for_each(|change| registry.apply(change));
        Ok(grant.expires)
    }

    fn owner(registry: &Registry, now: u64, text: &str) -> Option<PeerId> {
        registry.lookup(now, &name(text)).map(|(row, _)| row.claim.key.peer_id())
    }

    #[test]
    fn the_first_claim_holds_and_spellings_do_not_matter() {
        let (alice, bob, mut registry) = (Identity::generate(), Identity::generate(), registry());
        assert_eq!(claim(&mut registry, NOW, &alice, "Alice"), Ok(NOW + LEASE));
        for spelling in ["Alice", "alice", "ALICE", "ａｌｉｃｅ"] {
            assert_eq!(claim(&mut registry, NOW + 1, &bob, spelling), Err(Refusal::Taken));
            assert_eq!(owner(&registry, NOW, spelling), Some(alice.peer_id()));
        }
        assert_eq!(owner(&registry, NOW, "alicia"), None);
    }

    #[test]
    fn a_name_is_free_again_thirty_days_after_its_owner_was_last_seen() {
        let (alice, bob, mut registry) = (Identity::generate(), Identity::generate(), registry());
        claim(&mut registry, NOW, &alice, "alice").expect("granted");
        claim(&mut registry, NOW + 20 * DAY, &alice, "alice").expect("renewed");
        assert_eq!(claim(&mut registry, NOW + 50 * DAY - 1, &bob, "alice"), Err(Refusal::Taken));
        assert_eq!(owner(&registry, NOW + 50 * DAY, "alice"), None);
        assert_eq!(claim(&mut registry, NOW + 50 * DAY, &bob, "alice"), Ok(NOW + 80 * DAY));
        assert_eq!(claim(&mut registry, NOW + 51 * DAY, &alice, "alice"), Err(Refusal::Taken));
    }

    #[test]
    fn a_replay_changes_nothing() {
        let (alice, bob, mut registry) = (Identity::generate(), Identity::generate(), registry());
        let first = signed(&alice, "alice", NOW);
        claim(&mut registry, NOW, &alice, "alice").expect("granted");
        // Sent twice because the answer was lost: granted as before, not for longer.
        let again = registry.claim(NOW + DAY, alice.peer_id(), first.clone()).expect("granted");
        assert_eq!(again, Grant { expires: NOW + LEASE, change: None });
        claim(&mut registry, NOW + DAY, &alice, "alice").expect("renewed");
        let stale = registry.claim(NOW + DAY, alice.peer_id(), first.clone()).expect_err("refused");
        assert_eq!((stale.reason, stale.newest), (Refusal::Stale, Some(NOW + DAY)));
        // Somebody else who holds alice's record.
        assert_eq!(registry.claim(NOW, bob.peer_id(), first).expect_err("refused").reason, Refusal::Forged);
        let old = Release::sign(&alice, service(), name("alice"), NOW);
        assert_eq!(registry.release(NOW + DAY, alice.peer_id(), &old).expect_err("refused").reason, Refusal::Stale);
    }

    #[test]
    fn only_the_owner_releases() {
        let (alice, bob, mut registry) = (Identity::generate(), Identity::generate(), registry());
        claim(&mut registry, NOW, &alice, "alice").expect("granted");
        let theft = Release::sign(&bob, service(), name("alice"), NOW + 1);
        assert_eq!(registry.release(NOW + 1, bob.peer_id(), &theft).expect_err("refused").reason, Refusal::Unknown);
        let release = Release::sign(&alice, service(), name("ALICE"), NOW + 1);
        assert_eq!(registry.release(NOW + 1, bob.peer_id(), &release).expect_err("refused").reason, Refusal::Forged);
        let change = registry.release(NOW + 1, alice.peer_id(), &release).expect("released");
        registry.apply(change);
        assert_eq!(claim(&mut registry, NOW + 2, &bob, "alice"), Ok(NOW + 2 + LEASE));
    }

    #[test]
    fn a_key_holds_a_few_names_only() {
        let (alice, mut registry) = (Identity::generate(), registry());
        for n in 0..8 {
            claim(&mut registry, NOW, &alice, &format!("alice{n}")).expect("granted");
        }
        assert_eq!(claim(&mut registry, NOW, &alice, "alice8"), Err(Refusal::Limited));
        assert!(claim(&mut registry, NOW + 1, &alice, "Alice3").is_ok(), "a renewal is no new name");
        assert!(claim(&mut registry, NOW + LEASE + 1, &alice, "alice8").is_ok(), "expired names do not count");
    }

    #[test]
    fn a_full_registry_takes_renewals_only() {
        let mut registry = Registry::new(Config { names: 1, ..Config::default() }, service(), []);
        let (alice, bob) = (Identity::generate(), Identity::generate());
        claim(&mut registry, NOW, &alice, "alice").expect("granted");
        assert_eq!(claim(&mut registry, NOW, &bob, "bob"), Err(Refusal::Full));
        assert!(claim(&mut registry, NOW + 1, &alice, "alice").is_ok());
        let swept = registry.sweep(NOW + 1 + LEASE, 10);
        assert_eq!(swept, [Change::Remove { folded: "alice".to_owned() }]);
        swept.into_iter().for_each(|change| registry.apply(change));
        assert!(claim(&mut registry, NOW + 1 + LEASE, &bob, "bob").is_ok());
    }

    fn presence(who: &Identity, run: u64, room: u8, stamp: u64) -> Presence {
        let says = Whereabouts {
            instance: Instance::from_u64(run),
            name: None,
            addresses: vec!["192.0.2.1:5".parse().expect("address")],
            rooms: vec![RoomId::from_bytes([room; 32])],
        };
        Presence::sign(who, service(), &says, stamp, 60_000)
    }

    #[test]
    fn presences_last_a_minute_and_follow_their_owner_between_rooms() {
        let (alice, bob, mut registry) = (Identity::generate(), Identity::generate(), registry());
        let room = |n: u8| RoomId::from_bytes([n; 32]);
        let there = |registry: &Registry, now, n| registry.members(now, bob.peer_id(), room(n)).len();
        assert_eq!(registry.publish(NOW, alice.peer_id(), presence(&alice, 1, 1, NOW)), Ok(NOW + 60_000));
        assert_eq!(there(&registry, NOW + 59_999, 1), 1);
        assert_eq!(there(&registry, NOW + 60_000, 1), 0);
        assert_eq!(registry.members(NOW, alice.peer_id(), room(1)), [], "not oneself");
        registry.publish(NOW + 1, alice.peer_id(), presence(&alice, 1, 2, NOW + 1)).expect("moved");
        assert_eq!((there(&registry, NOW + 1, 1), there(&registry, NOW + 1, 2)), (0, 1));
        let old = registry.publish(NOW + 2, alice.peer_id(), presence(&alice, 1, 1, NOW)).expect_err("a replay");
        assert_eq!(old.reason, Refusal::Stale);
        let other = registry.publish(NOW + 2, bob.peer_id(), presence(&alice, 1, 1, NOW + 2)).expect_err("not bob's");
        assert_eq!(other.reason, Refusal::Forged);
        registry.withdraw(bob.peer_id(), Instance::from_u64(1));
        assert_eq!(there(&registry, NOW + 2, 2), 1, "bob cannot withdraw alice");
        registry.withdraw(alice.peer_id(), Instance::from_u64(1));
        assert_eq!((there(&registry, NOW + 2, 2), registry.rooms.len()), (0, 0));
    }

    #[test]
    fn presences_are_capped() {
        let mut registry = Registry::new(Config { presences: 6, ..Config::default() }, service(), []);
        let (alice, bob) = (Identity::generate(), Identity::generate());
        for run in 0..10 {
            registry.publish(NOW + run, alice.peer_id(), presence(&alice, run, 1, NOW + run)).expect("newest runs win");
        }
        assert_eq!(registry.size(), (0, MAX_RUNS));
        registry.publish(NOW, bob.peer_id(), presence(&bob, 1, 1, NOW)).expect("fits");
        registry.publish(NOW, bob.peer_id(), presence(&bob, 2, 1, NOW)).expect("fits");
        let full = registry.publish(NOW, bob.peer_id(), presence(&bob, 3, 1, NOW)).expect_err("full");
        assert_eq!(full.reason, Refusal::Full);
        let later = NOW + 70_000;
        registry.publish(later, bob.peer_id(), presence(&bob, 3, 1, later)).expect("the dead make room");
    }

    #[test]
    fn a_lookup_finds_the_runs_of_the_owner() {
        let (alice, bob, mut registry) = (Identity::generate(), Identity::generate(), registry());
        claim(&mut registry, NOW, &alice, "alice").expect("granted");
        registry.publish(NOW, alice.peer_id(), presence(&alice, 1, 1, NOW)).expect("published");
        registry.publish(NOW, bob.peer_id(), presence(&bob, 1, 1, NOW)).expect("published");
        let (row, runs) = registry.lookup(NOW, &name("ALICE")).expect("found");
        assert_eq!(row.claim.name.as_str(), "alice");
        assert_eq!(runs, [presence(&alice, 1, 1, NOW)]);
        assert_eq!(registry.lookup(NOW + 60_000, &name("alice")).expect("found").1, []);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Claim { who: usize, name: usize },
        Release { who: usize, name: usize },
        Replay { which: usize },
        Wait { ms: u64 },
        Sweep,
        Restart,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..3_usize, 0..5_usize).prop_map(|(who, name)| Step::Claim { who, name }),
            2 => (0..3_usize, 0..5_usize).prop_map(|(who, name)| Step::Release { who, name }),
            2 => (0..64_usize).prop_map(|which| Step::Replay { which }),
            2 => (0..20 * DAY).prop_map(|ms| Step::Wait { ms }),
            1 => Just(Step::Sweep),
            1 => Just(Step::Restart),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        // A model that knows only: a name is held by its last successful claimant until its lease ends.
        #[test]
        fn a_folded_name_never_has_two_live_owners(steps in proptest::collection::vec(step(), 1..60)) {
            let people = [Identity::generate(), Identity::generate(), Identity::generate()];
            let spellings = ["alice", "Alice", "ALICE", "bob", "Bob"];
            let mut registry = registry();
            let mut model: BTreeMap<String, (PeerId, u64)> = BTreeMap::new();
            let mut sent: Vec<(PeerId, Claim)> = Vec::new();
            let mut now = NOW;
            for step in steps {
                now += 1;
                model.retain(|_, (_, end)| *end > now);
                match step {
                    Step::Claim { who, name } => {
                        let (who, spelling) = (&people[who], spellings[name]);
                        let held = model.get(&crate::id::fold(spelling)).map(|(owner, _)| *owner);
                        let result = claim(&mut registry, now, who, spelling);
                        prop_assert_eq!(result.is_ok(), held.is_none_or(|owner| owner == who.peer_id()));
                        if let Ok(end) = result {
                            model.insert(crate::id::fold(spelling), (who.peer_id(), end));
                            sent.push((who.peer_id(), signed(who, spelling, now)));
                        }
                    }
                    Step::Release { who, name } => {
                        let (who, spelling) = (&people[who], spellings[name]);
                        let held = model.get(&crate::id::fold(spelling)).map(|(owner, _)| *owner);
                        let release = Release::sign(who, service(), self::name(spelling), now);
                        let result = registry.release(now, who.peer_id(), &release);
                        prop_assert_eq!(result.is_ok(), held == Some(who.peer_id()));
                        if let Ok(change) = result {
                            registry.apply(change);
                            model.remove(&crate::id::fold(spelling));
                        }
                    }
                    Step::Replay { which } => {
                        let Some((asker, claim)) = sent.get(which % sent.len().max(1)) else { continue };
                        let folded = claim.name.folded();
                        let held = model.get(&folded).map(|(owner, _)| *owner);
                        if let Ok(grant) = registry.claim(now, *asker, claim.clone()) {
                            prop_assert!(held.is_none_or(|owner| owner == *asker));
                            model.insert(folded, (*asker, grant.expires));
                            grant.change.into_iter().for_each(|change| registry.apply(change));
                        }
                    }
                    Step::Wait { ms } => now += ms,
                    Step::Sweep => {
                        let changes = registry.sweep(now, 10);
                        changes.into_iter().for_each(|change| registry.apply(change));
                    }
                    Step::Restart => {
                        let rows: Vec<Row> = registry.names.values().cloned().collect();
                        registry = Registry::new(Config::default(), service(), rows);
                    }
                }
                model.retain(|_, (_, end)| *end > now);
                for folded in ["alice", "bob"] {
                    let found = owner(&registry, now, folded);
                    prop_assert_eq!(found, model.get(folded).map(|(owner, _)| *owner));
                    let holders = people.iter().filter(|p| {
                        registry.names_of(now, p.peer_id()).any(|claim| claim.name.folded() == folded)
                    });
                    prop_assert_eq!(holders.count(), usize::from(found.is_some()));
                }
            }
        }
    }
}
