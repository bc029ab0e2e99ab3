//! What the profile remembers of rendezvous services, in `rendezvous.cbor`.
//!
//! Three things. **Pins**: the key that answered at a place (host and port) the first time; another key there later is
//! refused. **Own names**: what this identity claimed and released at each service, with the stamps, so that a service
//! that lost its newest data (an old copy of its store) is put right by the next renewal. **Seen records**: the stamp
//! of each looked-up claim, so that a service cannot hand out an older one than it did before.
//!
//! The file is read anew for each question and written whole (temporary file, sync, rename) under a lock file, so
//! several processes may use one profile. A file that cannot be read is reported and never replaced: starting over
//! would forget the pins without a word. All methods block on the disk for a moment: call them off the async threads.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::framing;
use crate::id::{PeerId, Username};
use crate::rendezvous::record::{CLOCK_SLACK_MS, Claim};

const FILE: &str = "rendezvous.cbor";
const LOCK: &str = "rendezvous.lock";
/// Longest file that is read: all caps below, filled, need a tenth.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// Places and services remembered; a place more than that is refused rather than another forgotten.
const MAX_PLACES: usize = 256;
/// Own names remembered at one service, released ones included; the oldest released ones go first.
const MAX_OWN: usize = 64;
/// Looked-up names remembered at one service; the one with the oldest stamp goes first.
const MAX_SEEN: usize = 1024;

/// Why the memory is of no use.
#[derive(Debug, Error)]
pub enum Error {
    /// Cannot be read or written: free the disk or choose another `--profile`.
    #[error("what is known of rendezvous services in {path} cannot be read or written: {source}")]
    Storage {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not what this program wrote: restore it from a copy, or move it away and check fingerprints anew.
    #[error("{path} is damaged; restore it from a copy, or move it away and compare the services' fingerprints anew")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// More places than are remembered.
    #[error("{path} remembers {MAX_PLACES} rendezvous services already; move it away to start over")]
    Full {
        /// The file.
        path: PathBuf,
    },
}

/// A name of this identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// The name, as claimed.
    pub name: Username,
    /// The newest stamp signed for it.
    pub stamp: u64,
    /// False once it was given back.
    pub held: bool,
}

/// Whether a looked-up record may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As new as any seen before, or newer.
    Fresh,
    /// Older than one that the service gave before.
    Stale,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    pins: BTreeMap<String, PeerId>,
    services: BTreeMap<PeerId, Service>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Service {
    #[serde(default)]
    own: BTreeMap<String, Own>,
    #[serde(default)]
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    peer: PeerId,
    stamp: u64,
}

/// The memory of one profile.
#[derive(Debug, Clone)]
pub struct Pins {
    dir: PathBuf,
}

impl Pins {
    /// The memory of the profile in `dir`, which exists.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The key that is pinned for `place`.
    pub fn pinned(&self, place: &str) -> Result<Option<PeerId>, Error> {
        Ok(self.read()?.pins.get(place).copied())
    }

    /// Pins `key` for `place` unless one is pinned already. Gives the key that is pinned now: another process may have
    /// been first.
    pub fn pin(&self, place: &str, key: PeerId) -> Result<PeerId, Error> {
        self.change(|memory| {
            if let Some(pinned) = memory.pins.get(place) {
                return Ok((*pinned, Write::No));
            }
            if memory.pins.len() >= MAX_PLACES {
                return Err(Error::Full { path: self.dir.join(FILE) });
            }
            memory.pins.insert(place.to_owned(), key);
            Ok((key, Write::Yes))
        })
    }

    /// Pins `key` for `place`, whatever was pinned: a person typed its fingerprint, and it answered.
    pub fn repin(&self, place: &str, key: PeerId) -> Result<(), Error> {
        self.change(|memory| {
            if memory.pins.get(place) == Some(&key) {
                return Ok(((), Write::No));
            }
            if memory.pins.len() >= MAX_PLACES && !memory.pins.contains_key(place) {
                return Err(Error::Full { path: self.dir.join(FILE) });
            }
            memory.pins.insert(place.to_owned(), key);
            Ok(((), Write::Yes))
        })
    }

    /// The names that this identity claimed or gave back at `service`.
    pub fn own(&self, service: PeerId) -> Result<Vec<Own>, Error> {
        Ok(self.read()?.services.remove(&service).map_or(Vec::new(), |known| known.own.into_values().collect()))
    }

    /// Keeps what became of an own name; an older stamp than the one kept is ignored.
    pub fn keep_own(&self, service: PeerId, own: &Own) -> Result<(), Error> {
        self.change(|memory| {
            let names = &mut Self::service(memory, service).own;
            let folded = own.name.folded();
            if names.get(&folded).is_some_and(|kept| kept.stamp >= own.stamp) {
                return Ok(((), Write::No));
            }
            names.insert(folded, own.clone());
            while names.len() > MAX_OWN {
                let oldest = names.iter().min_by_key(|(_, kept)| (kept.held, kept.stamp)).map(|(name, _)| name.clone());
                oldest.and_then(|name| names.remove(&name));
            }
            Ok(((), Write::Yes))
        })
    }

    /// Forgets an own name: somebody else holds it.
    pub fn forget_own(&self, service: PeerId, name: &Username) -> Result<(), Error> {
        self.change(|memory| {
            let removed = Self::service(memory, service).own.remove(&name.folded());
            Ok(((), if removed.is_some() { Write::Yes } else { Write::No }))
        })
    }

    /// Compares a verified claim with what was seen before, and remembers it when it is fresh. Stamps of different
    /// owners come from different clocks, so between owners only more than [`CLOCK_SLACK_MS`] counts as older.
    pub fn saw(&self, service: PeerId, claim: &Claim) -> Result<Freshness, Error> {
        let new = Seen { peer: claim.key.peer_id(), stamp: claim.stamp };
        let judge = |seen: Option<&Seen>| match seen {
            Some(seen) if seen.peer == new.peer && new.stamp < seen.stamp => Freshness::Stale,
            Some(seen) if seen.peer != new.peer && new.stamp.saturating_add(CLOCK_SLACK_MS) < seen.stamp => {
                Freshness::Stale
            }
            _ => Freshness::Fresh,
        };
        self.change(|memory| {
            let names = &mut Self::service(memory, service).seen;
            let folded = claim.name.folded();
            let verdict = judge(names.get(&folded));
            if verdict == Freshness::Stale || names.get(&folded) == Some(&new) {
                return Ok((verdict, Write::No));
            }
            names.insert(folded, new.clone());
            while names.len() > MAX_SEEN {
                let oldest = names.iter().min_by_key(|(_, kept)| kept.stamp).map(|(name, _)| name.clone());
                oldest.and_then(|name| names.remove(&name));
            }
            Ok((verdict, Write::Yes))
        })
    }

    // A service more than MAX_PLACES takes the place of another: what is lost is comfort, not a pin.
    fn service(memory: &mut Memory, service: PeerId) -> &mut Service {
        if memory.services.len() >= MAX_PLACES && !memory.services.contains_key(&service) {
            let empty = memory.services.iter().min_by_key(|(_, known)| known.own.len()).map(|(id, _)| *id);
            empty.and_then(|id| memory.services.remove(&id));
        }
        memory.services.entry(service).or_default()
    }

    fn failed(&self) -> impl Fn(io::Error) -> Error + '_ {
        |source| Error::Storage { path: self.dir.join(FILE), source }
    }

    fn read(&self) -> Result<Memory, Error> {
        let path = self.dir.join(FILE);
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Memory::default()),
            Err(error) => return Err(self.failed()(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut bytes).map_err(self.failed())?;
        framing::from_bytes(&bytes).map_err(|_| Error::Damaged { path })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Memory) -> Result<(T, Write), Error>) -> Result<T, Error> {
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(self.dir.join(LOCK));
        let lock = lock.map_err(self.failed())?;
        lock.lock().map_err(self.failed())?;
        let mut memory = self.read()?;
        let (result, write) = change(&mut memory)?;
        if write == Write::Yes {
            self.write(&framing::to_bytes(&memory)).map_err(self.failed())?;
        }
        Ok(result)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.dir.join(format!(".{FILE}.{:016x}", rand::random::<u64>()));
        let written = (|| {
            let mut file = fs::OpenOptions::new().create_new(true).write(true).open(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, self.dir.join(FILE))
        })();
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

#[derive(PartialEq, Eq)]
enum Write {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn name(text: &str) -> Username {
        Username::new(text).expect("valid")
    }

    fn key(byte: u8) -> PeerId {
        PeerId::from_bytes([byte; 32])
    }

    #[test]
    fn the_first_key_at_a_place_stays() {
        let dir = tempfile::tempdir().expect("temp dir");
        let pins = Pins::new(dir.path());
        assert_eq!(pins.pinned("a:1").expect("read"), None);
        assert_eq!(pins.pin("a:1", key(1)).expect("pinned"), key(1));
        assert_eq!(pins.pin("a:1", key(2)).expect("kept"), key(1));
        assert_eq!(Pins::new(dir.path()).pinned("a:1").expect("read"), Some(key(1)));
        assert_eq!(pins.pinned("a:2").expect("read"), None);
        pins.repin("a:1", key(3)).expect("typed by a person");
        assert_eq!(pins.pin("a:1", key(1)).expect("kept"), key(3));
    }

    #[test]
    fn processes_that_pin_at_once_agree() {
        let dir = tempfile::tempdir().expect("temp dir");
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let pins = Pins::new(dir.path());
                crate::task::thread("pin", move || pins.pin("a:1", key(n)).expect("pinned")).expect("thread")
            })
            .collect();
        let pinned: Vec<PeerId> = threads.into_iter().map(|t| t.join().expect("no panic")).collect();
        assert!(pinned.iter().all(|p| *p == pinned[0]), "{pinned:?}");
        let files: Vec<_> = fs::read_dir(dir.path()).expect("dir").map(|e| e.expect("entry").file_name()).collect();
        assert_eq!(files.len(), 2, "no temporary file stays: {files:?}");
    }

    #[test]
    fn a_damaged_memory_is_reported_and_never_replaced() {
        let dir = tempfile::tempdir().expect("temp dir");
        fs::write(dir.path().join(FILE), b"\xffgarbage").expect("write");
        let pins = Pins::new(dir.path());
        assert!(matches!(pins.pinned("a:1"), Err(Error::Damaged { .. })));
        assert!(matches!(pins.pin("a:1", key(1)), Err(Error::Damaged { .. })));
        assert_eq!(fs::read(dir.path().join(FILE)).expect("read"), b"\xffgarbage");
    }

    #[test]
    fn own_names_keep_their_newest_stamp() {
        let dir = tempfile::tempdir().expect("temp dir");
        let pins = Pins::new(dir.path());
        let own = |text: &str, stamp, held| Own { name: name(text), stamp, held };
        pins.keep_own(key(1), &own("Alice", 10, true)).expect("kept");
        pins.keep_own(key(1), &own("alice", 20, false)).expect("kept");
        pins.keep_own(key(1), &own("alice", 15, true)).expect("ignored");
        assert_eq!(pins.own(key(1)).expect("read"), [own("alice", 20, false)]);
        assert_eq!(pins.own(key(2)).expect("read"), []);
        pins.forget_own(key(1), &name("ALICE")).expect("forgotten");
        assert_eq!(pins.own(key(1)).expect("read"), []);
        for n in 0..MAX_OWN as u64 + 5 {
            pins.keep_own(key(1), &own(&format!("n{n}"), n + 1, n != 40)).expect("kept");
        }
        let names = pins.own(key(1)).expect("read");
        assert_eq!(names.len(), MAX_OWN);
        assert!(names.iter().all(|n| n.held), "the released one went first");
    }

    #[test]
    fn an_older_record_than_seen_before_is_stale() {
        let dir = tempfile::tempdir().expect("temp dir");
        let pins = Pins::new(dir.path());
        let (alice, bob) = (Identity::generate(), Identity::generate());
        let day = CLOCK_SLACK_MS;
        let claim = |who: &Identity, stamp| Claim::sign(who, key(1), name("alice"), stamp, 1000);
        let saw = |who, stamp| pins.saw(key(1), &claim(who, stamp)).expect("stored");
        assert_eq!(saw(&alice, 5 * day), Freshness::Fresh);
        assert_eq!(saw(&alice, 5 * day), Freshness::Fresh);
        assert_eq!(saw(&alice, 5 * day - 1), Freshness::Stale);
        assert_eq!(saw(&bob, 4 * day), Freshness::Fresh, "another owner, another clock");
        assert_eq!(saw(&bob, 9 * day), Freshness::Fresh);
        assert_eq!(saw(&alice, 5 * day), Freshness::Stale, "the one before");
        assert_eq!(pins.saw(key(2), &claim(&alice, 1)).expect("stored"), Freshness::Fresh, "another service");
    }
}
