//! The known-peers store of a profile: which key used which display name, in the file `known-peers`.
//!
//! Only what a link has proven is written, and no word of any conversation. The file is text: a line that says what it
//! is, then one line for each name (milliseconds since 1970 when it was last used, its keys, the name), the name that
//! was used longest ago first. Several processes may share a profile: who writes takes the lock beside the file, reads
//! what others wrote meanwhile, and renames a whole new file into place, so that a reader needs no lock and a power
//! cut leaves the old file or the new one.
//!
//! A damaged file is reported and never replaced: forgetting who bore which name would let somebody else bear it.

use std::collections::BTreeSet;
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

pub mod names;
pub mod trust;
pub mod words;

const FILE: &str = "known-peers";
const LOCK_FILE: &str = "known-peers.lock";
const HEADER: &str = "lets-meet known peers 1";
/// Longest file that is read: the caps of [`Names`] with the longest names stay below it.
const MAX_FILE: u64 = 8 * 1024 * 1024;

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
        let path = self.dir.join(FILE);
        let failed = |source| Error::Storage { path: path.clone(), source };
        let damaged = || Error::Damaged { path: path.clone() };
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Names::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut text = String::new();
        match file.take(MAX_FILE + 1).read_to_string(&mut text) {
            Ok(_) if text.len() as u64 > MAX_FILE => Err(damaged()),
            Ok(_) => {
                let mut names = read(&text).ok_or_else(damaged)?;
                names.mark_earlier(|folded| self.before.contains(folded));
                Ok(names)
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(damaged()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes down that `peer` was linked under `name` at `unix_ms`. Blocks on the disk for a moment.
    pub fn remember(&self, peer: PeerId, name: &DisplayName, unix_ms: u64) -> Result<(), Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Storage { path, source }
        };
        create_private_dir(&self.dir).map_err(failed(&self.dir))?;
        let lock_path = self.dir.join(LOCK_FILE);
        let lock = private_file(fs::OpenOptions::new().create(true).truncate(false), &lock_path);
        let lock = lock.map_err(failed(&lock_path))?;
        lock.lock().map_err(failed(&lock_path))?;
        let mut names = self.names()?;
        if names.record_at(name, peer, unix_ms) == Learned::Known {
            return Ok(());
        }
        let path = self.dir.join(FILE);
        self.replace(&path, &write(&names)).map_err(failed(&path))
    }

    fn replace(&self, path: &Path, text: &str) -> io::Result<()> {
        let temporary = self.dir.join(format!(".{FILE}.{:016x}", rand::random::<u64>()));
        let written = (|| {
            let mut file = private_file(fs::OpenOptions::new().create_new(true), &temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
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
