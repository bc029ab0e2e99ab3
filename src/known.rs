//! The known-peers store of a profile: which key used which display name, in the file `known-peers`, and what was
//! decided about keys, in the file `trust`; in the file `volumes` how loud they are played.
//!
//! Only what a link has proven is written, and no word of any conversation. The first file is text: a line that says what it
//! is, then one line for each name (milliseconds since 1970 when it was last used, its keys, the name), the name that
//! was used longest ago first. Several processes may share a profile: who writes takes the lock beside the file, reads
//! what others wrote meanwhile, and renames a whole new file into place, so that a reader needs no lock and a power
//! cut leaves the old file or the new one.
//!
//! A damaged file is reported and never replaced: forgetting who bore which name, or who is verified, would let
//! somebody else bear it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::id::PeerId;
use crate::identity::{create_private_dir, private_file};
use crate::share::DisplayName;

use self::names::{Learned, Names};
use self::trust::{Book, Edit, Full};
use self::volumes::Volumes;

pub mod names;
pub mod trust;
pub mod volumes;
pub mod words;

const FILE: &str = "known-peers";
const TRUST_FILE: &str = "trust";
const VOLUMES_FILE: &str = "volumes";
// For all files.
const LOCK_FILE: &str = "known-peers.lock";
const HEADER: &str = "lets-meet known peers 1";
/// Longest file that is read: the caps of [`Names`] and [`Book`] with the longest names stay below it.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The store cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// The file or its folder cannot be read or written; check permissions and space.
    #[error("the known peers in {path} cannot be read or written: {source}", path = path.display())]
    Storage {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file holds something else; move it away to start with nobody known.
    #[error("the file {path} is damaged; restore it, or move it away to start with nobody known", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// No place for another decision; forget somebody first.
    #[error("more people cannot be trusted; forget some with lets-meet trust forget")]
    Full,
}

/// The store of one profile. Cloning gives another handle to the same file.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    // Folded names of before this session.
    before: Arc<BTreeSet<String>>,
}

impl Store {
    /// The store in the profile folder `dir`. Nothing is made before something is to be remembered.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let mut store = Self { dir: dir.to_owned(), before: Arc::default() };
        store.before = Arc::new(store.names()?.folded().map(str::to_owned).collect());
        Ok(store)
    }

    /// What is known now.
    pub fn names(&self) -> Result<Names, Error> {
        let mut names = self.load(FILE, read)?.unwrap_or_default();
        names.mark_earlier(|folded| self.before.contains(folded));
        Ok(names)
    }

    /// What was decided about keys.
    pub fn trust(&self) -> Result<Book, Error> {
        Ok(self.load(TRUST_FILE, Book::read)?.unwrap_or_default())
    }

    /// How loud keys are played.
    pub fn volumes(&self) -> Result<Volumes, Error> {
        Ok(self.load(VOLUMES_FILE, Volumes::read)?.unwrap_or_default())
    }

    /// Writes down how loud these are played. Blocks on the disk for a moment.
    pub fn choose_volumes(&self, chosen: &BTreeMap<PeerId, f32>) -> Result<(), Error> {
        let _lock = self.lock()?;
        let mut volumes = self.volumes()?;
        let before = volumes.clone();
        for (peer, volume) in chosen {
            volumes.choose(*peer, *volume);
        }
        if volumes == before { Ok(()) } else { self.replace(VOLUMES_FILE, &volumes.write()) }
    }

    fn load<T>(&self, file: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Error> {
        let path = self.dir.join(file);
        let failed = |source| Error::Storage { path: path.clone(), source };
        let damaged = || Error::Damaged { path: path.clone() };
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut text = String::new();
        match file.take(MAX_FILE + 1).read_to_string(&mut text) {
            Ok(_) if text.len() as u64 > MAX_FILE => Err(damaged()),
            Ok(_) => read(&text).map(Some).ok_or_else(damaged),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(damaged()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes down that `peer` was linked under `name` at `unix_ms`. Blocks on the disk for a moment.
    pub fn remember(&self, peer: PeerId, name: &DisplayName, unix_ms: u64) -> Result<(), Error> {
        let _lock = self.lock()?;
        let mut names = self.names()?;
        if names.record_at(name, peer, unix_ms) == Learned::Known {
            return Ok(());
        }
        self.replace(FILE, &write(&names))
    }

    /// Writes a decision down; to forget a key forgets its names as well. Blocks on the disk for a moment.
    pub fn decide(&self, edit: &Edit) -> Result<(), Error> {
        let _lock = self.lock()?;
        // Both are read before either is written: a damaged one changes nothing.
        let (mut names, mut book) = (self.names()?, self.trust()?);
        let before = book.clone();
        book.apply(edit).map_err(|Full| Error::Full)?;
        if let Edit::Forgotten { peer } = edit
            && names.forget(*peer)
        {
            self.replace(FILE, &write(&names))?;
        }
        if let Edit::Forgotten { peer } = edit
            && let Ok(mut volumes) = self.volumes()
            && volumes.forget(*peer)
        {
            self.replace(VOLUMES_FILE, &volumes.write())?;
        }
        if book == before { Ok(()) } else { self.replace(TRUST_FILE, &book.write()) }
    }

    // Held until it is dropped.
    fn lock(&self) -> Result<fs::File, Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Storage { path, source }
        };
        create_private_dir(&self.dir).map_err(failed(&self.dir))?;
        let path = self.dir.join(LOCK_FILE);
        let lock = private_file(fs::OpenOptions::new().create(true).truncate(false), &path).map_err(failed(&path))?;
        lock.lock().map_err(failed(&path))?;
        Ok(lock)
    }

    fn replace(&self, file: &str, text: &str) -> Result<(), Error> {
        let (path, temporary) = (self.dir.join(file), self.dir.join(format!(".{file}.{:016x}", rand::random::<u64>())));
        let written = (|| {
            let mut file = private_file(fs::OpenOptions::new().create_new(true), &temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written.map_err(|source| Error::Storage { path, source })
    }
}

fn write(names: &Names) -> String {
    let mut text = format!("{HEADER}\n");
    for (name, last, keys) in names.by_age() {
        let keys: Vec<String> = keys.iter().map(PeerId::to_string).collect();
        let _ = writeln!(text, "{last} {} {name}", keys.join(","));
    }
    text
}

fn read(text: &str) -> Option<Names> {
    let mut lines = text.lines();
    if lines.next()? != HEADER || !text.ends_with('\n') {
        return None;
    }
    let mut names = Names::new();
    for line in lines {
        let (last, rest) = line.split_once(' ')?;
        let (keys, name) = rest.split_once(' ')?;
        for key in keys.split(',') {
            names.record_at(&DisplayName::new(name), key.parse().ok()?, last.parse().ok()?);
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    fn name(text: &str) -> DisplayName {
        DisplayName::new(text)
    }

    #[test]
    fn what_is_remembered_is_read_back() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::open(&dir.path().join("new")).expect("opened");
        assert!(store.names().expect("read").is_empty());
        assert!(!dir.path().join("new").exists(), "reading makes nothing");
        for (n, text) in [(1, "Bob"), (2, "Søren  O'Neil, 2nd"), (3, "bob")] {
            store.remember(peer(n), &name(text), 1000 + u64::from(n)).expect("written");
        }
        let names = Store::open(&dir.path().join("new")).expect("opened").names().expect("read");
        assert_eq!(names.keys("bob").collect::<Vec<_>>(), [peer(1), peer(3)]);
        assert_eq!(names.keys(&name("Søren  O'Neil, 2nd").folded()).collect::<Vec<_>>(), [peer(2)]);
        assert_eq!(write(&names), write(&read(&write(&names)).expect("reads its own")));
    }

    #[test]
    fn several_processes_lose_nothing() {
        let dir = tempfile::tempdir().expect("temp dir");
        let threads: Vec<_> = (0..4_u8)
            .map(|n| {
                let store = Store::open(dir.path()).expect("opened");
                let work = move || {
                    for i in 0..10_u8 {
                        store.remember(peer(n * 10 + i), &name(&format!("n{n}-{i}")), 5).expect("written");
                    }
                };
                crate::task::thread("known-test", work).expect("spawned")
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(Store::open(dir.path()).expect("opened").names().expect("read").len(), 40);
        let files = fs::read_dir(dir.path()).expect("dir").count();
        assert_eq!(files, 2, "only the file and its lock");
    }

    #[test]
    fn decisions_are_written_kept_and_forgotten_with_the_names() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::open(dir.path()).expect("opened");
        assert_eq!(store.trust().expect("read"), Book::new());
        store.remember(peer(1), &name("Bob"), 5).expect("written");
        store.remember(peer(2), &name("Bob"), 6).expect("written");
        let verified = Edit::Verified { peer: peer(1), at: 7, aliases: vec![trust::Alias::Name(name("Bob"))] };
        store.decide(&verified).expect("written");
        let again = Store::open(dir.path()).expect("opened");
        assert_eq!(again.trust().expect("read").verified_at(peer(1)), Some(7));
        again.decide(&Edit::Forgotten { peer: peer(1) }).expect("written");
        assert_eq!(store.trust().expect("read"), Book::new());
        assert_eq!(store.names().expect("read").keys("bob").collect::<Vec<_>>(), [peer(2)]);
        again.decide(&Edit::Forgotten { peer: peer(2) }).expect("written");
        assert!(store.names().expect("read").is_empty());
        assert_eq!(fs::read_dir(dir.path()).expect("dir").count(), 3, "two files and their lock");
    }

    #[test]
    fn volumes_are_kept_by_key_and_forgotten_with_it() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::open(dir.path()).expect("opened");
        store.choose_volumes(&BTreeMap::from([(peer(1), 0.5), (peer(2), 0.0)])).expect("written");
        store.choose_volumes(&BTreeMap::from([(peer(3), 1.5)])).expect("written");
        store.decide(&Edit::Forgotten { peer: peer(2) }).expect("written");
        let volumes = Store::open(dir.path()).expect("opened").volumes().expect("read");
        assert_eq!(volumes.iter().collect::<Vec<_>>(), [(peer(1), 0.5), (peer(3), 1.5)]);
        fs::write(dir.path().join(VOLUMES_FILE), "rubbish").expect("written");
        assert!(matches!(store.choose_volumes(&BTreeMap::from([(peer(1), 1.5)])), Err(Error::Damaged { .. })));
        assert_eq!(fs::read(dir.path().join(VOLUMES_FILE)).expect("read"), b"rubbish", "never replaced");
    }

    #[test]
    fn decisions_of_several_processes_are_all_kept() {
        let dir = tempfile::tempdir().expect("temp dir");
        let threads: Vec<_> = (0..4_u8)
            .map(|n| {
                let store = Store::open(dir.path()).expect("opened");
                let work = move || {
                    for i in 0..10_u8 {
                        let aliases = Vec::new();
                        store.decide(&Edit::Verified { peer: peer(n * 10 + i), at: 1, aliases }).expect("written");
                    }
                };
                crate::task::thread("known-test", work).expect("spawned")
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(Store::open(dir.path()).expect("opened").trust().expect("read").peers().count(), 40);
    }

    #[test]
    fn damaged_decisions_are_reported_and_stay_and_the_names_with_them() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::open(dir.path()).expect("opened");
        store.remember(peer(1), &name("Bob"), 5).expect("written");
        fs::write(dir.path().join(TRUST_FILE), "lets-meet trust 1\nverified").expect("written");
        assert!(matches!(store.trust(), Err(Error::Damaged { .. })));
        assert!(matches!(store.decide(&Edit::Forgotten { peer: peer(1) }), Err(Error::Damaged { .. })));
        assert_eq!(store.names().expect("read").len(), 1);
        assert_eq!(fs::read_to_string(dir.path().join(TRUST_FILE)).expect("read"), "lets-meet trust 1\nverified");
    }

    #[test]
    fn a_damaged_file_is_reported_and_stays() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join(FILE);
        let cut = format!("{HEADER}\n5 {} Bob", peer(1));
        for bad in ["", "something else\n", &cut, &format!("{HEADER}\n5 xyz Bob\n"), &format!("{HEADER}\n\n")] {
            fs::write(&path, bad).expect("written");
            assert!(matches!(Store::open(dir.path()), Err(Error::Damaged { .. })), "{bad:?}");
            let store = Store { dir: dir.path().to_owned(), before: Arc::default() };
            assert!(store.remember(peer(2), &name("x"), 1).is_err());
            assert_eq!(fs::read_to_string(&path).expect("read"), bad);
        }
    }
}
