//! Where an incoming file lands: a temporary file in the download folder, then its place.
//!
//! The temporary file is locked while it is written, so that another process of ours can tell a dead run's leftovers
//! from a file in use. It gets its name by a hard link, which fails when the name is taken: nothing is ever
//! overwritten, also not by two drops of one name at one moment. File systems without hard links get an empty file
//! first, created only if it is new, and the temporary one is renamed over it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::space;
use crate::mesh::transfer::{Expected, Hash, Reason, Tree, group_hash};
use crate::share::FileName;

const PREFIX: &str = ".lets-meet-";
const SUFFIX: &str = ".part";
/// Left free on the disk: other programs need some too (guess).
const MARGIN: u64 = 16 * 1024 * 1024;
/// Numbers tried for a name that is taken.
const MAX_NUMBER: u32 = 9_999;
/// Leftovers removed at one start.
const MAX_LEFTOVERS: usize = 1_000;

fn reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Reason::NoSpace,
        _ => Reason::DiskError,
    }
}

/// A temporary file, removed when it is dropped.
#[derive(Debug)]
struct Temp {
    path: PathBuf,
    file: File,
}

impl Temp {
    fn create(folder: &Path) -> io::Result<Self> {
        for _ in 0..8 {
            let path = folder.join(format!("{PREFIX}{:016x}{SUFFIX}", rand::random::<u64>()));
            let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            // Some file systems have no locks; their leftovers are never removed.
            let _ = file.try_lock();
            // Between the two lines above, another process may have taken it for a leftover.
            if path.try_exists()? {
                return Ok(Self { path, file });
            }
        }
        Err(io::Error::other("no temporary file could be kept"))
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Gone already if it was renamed.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A file on its way in. It lives over all attempts; dropped before it is stored, nothing of it stays.
#[derive(Debug)]
pub struct Landing {
    temp: Temp,
    folder: PathBuf,
    name: FileName,
    tree: Tree,
    written: u64,
    stored: Option<PathBuf>,
    called_off: Arc<AtomicBool>,
}

impl Landing {
    /// Makes the folder if need be, looks for room for `size` bytes beside `reserved` ones, and opens a temporary
    /// file. Once `called_off` is set the file is not stored any more. Blocks on the disk.
    pub fn prepare(
        folder: &Path,
        name: FileName,
        size: u64,
        reserved: u64,
        called_off: Arc<AtomicBool>,
    ) -> Result<Self, Reason> {
        std::fs::create_dir_all(folder).map_err(|error| reason(&error))?;
        let needed = size.saturating_add(reserved).saturating_add(MARGIN);
        // Where the system does not tell, the first write that fails does.
        if space::available(folder).is_some_and(|available| available < needed) {
            return Err(Reason::NoSpace);
        }
        let temp = Temp::create(folder).map_err(|error| reason(&error))?;
        Ok(Self { temp, folder: folder.to_owned(), name, tree: Tree::new(), written: 0, stored: None, called_off })
    }

    /// Bytes checked and written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Checks a group and writes it, unless an earlier attempt wrote it before.
    pub(super) fn write(&mut self, offset: u64, hash: Hash, bytes: &[u8]) -> Result<(), Reason> {
        if offset > self.written {
            return Err(Reason::Protocol);
        }
        if offset < self.written {
            return Ok(());
        }
        if group_hash(offset, bytes) != hash {
            return Err(Reason::HashMismatch);
        }
        self.temp.file.write_all(bytes).map_err(|error| reason(&error))?;
        self.tree.push(hash, bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Checks that all is here, and that it is what was sent.
    pub(super) fn check(&self, expected: Expected, root: Hash) -> Result<(), Reason> {
        if self.written != expected.size {
            return Err(Reason::Protocol);
        }
        let promised = expected.root.is_none_or(|promised| promised == root);
        if promised && self.tree.root() == root { Ok(()) } else { Err(Reason::HashMismatch) }
    }

    /// Syncs the file and gives it its name, numbered if the name is taken. Once for all attempts.
    pub(super) fn store(&mut self) -> Result<PathBuf, Reason> {
        if let Some(path) = &self.stored {
            return Ok(path.clone());
        }
        self.temp.file.sync_all().map_err(|error| reason(&error))?;
        if self.called_off.load(Ordering::Acquire) {
            return Err(Reason::Cancelled);
        }
        let path = self.place().map_err(|error| reason(&error))?;
        self.stored = Some(path.clone());
        // The name is as durable as the bytes; a system that cannot sync a folder does so by itself.
        if let Ok(folder) = File::open(&self.folder) {
            let _ = folder.sync_all();
        }
        Ok(path)
    }

    fn place(&self) -> io::Result<PathBuf> {
        let taken = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
        let names = (0..=MAX_NUMBER).map(|n| if n == 0 { self.name.to_string() } else { self.name.numbered(n) });
        for name in names {
            let path = self.folder.join(name);
            match std::fs::hard_link(&self.temp.path, &path) {
                Ok(()) => {
                    let _ = std::fs::remove_file(&self.temp.path);
                    return Ok(path);
                }
                Err(error) if taken(&error) => continue,
                Err(_) => {}
            }
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => {}
                Err(error) if taken(&error) => continue,
                Err(error) => return Err(error),
            }
            return match std::fs::rename(&self.temp.path, &path) {
                Ok(()) => Ok(path),
                Err(error) => {
                    let _ = std::fs::remove_file(&path);
                    Err(error)
                }
            };
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }
}

/// Removes temporary files of runs that are dead: surely ours by their names, and locked by nobody. Blocks on the
/// disk. Gives how many.
pub fn remove_leftovers(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let ours = entries.flatten().filter(|entry| {
        entry.file_name().to_str().is_some_and(is_temp_name) && entry.file_type().is_ok_and(|kind| kind.is_file())
    });
    let removed = ours.take(MAX_LEFTOVERS).filter(|entry| {
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { return false };
        // The lock is held until it is removed: nobody starts to use it in between.
        file.try_lock().is_ok() && std::fs::remove_file(entry.path()).is_ok()
    });
    removed.count()
}

fn is_temp_name(name: &str) -> bool {
    let middle = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    middle.is_some_and(|hex| hex.len() == 16 && hex.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landing(folder: &Path, name: &str) -> Landing {
        Landing::prepare(folder, FileName::new(name), 5, 0, Arc::default()).expect("room")
    }

    fn store(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let mut landing = landing(folder, name);
        landing.write(0, group_hash(0, bytes), bytes).expect("written");
        landing.store().expect("stored")
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_taken_name_is_numbered_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.txt"), b"mine").expect("written");
        let first = store(folder.path(), "a.txt", b"one");
        let second = store(folder.path(), "a.txt", b"two");
        assert_eq!(names(folder.path()), ["a-1.txt", "a-2.txt", "a.txt"]);
        assert_eq!(std::fs::read(folder.path().join("a.txt")).expect("there"), b"mine");
        assert_eq!(std::fs::read(first).expect("there"), b"one");
        assert_eq!(std::fs::read(second).expect("there"), b"two");
    }

    #[test]
    fn what_was_not_stored_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut landing = landing(folder.path(), "a.txt");
        landing.write(0, group_hash(0, b"12345"), b"12345").expect("written");
        assert_eq!(names(folder.path()).len(), 1);
        drop(landing);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_called_off_file_is_not_stored() {
        let folder = tempfile::tempdir().expect("a folder");
        let called_off = Arc::new(AtomicBool::new(false));
        let mut landing =
            Landing::prepare(folder.path(), FileName::new("a"), 0, 0, Arc::clone(&called_off)).expect("room");
        called_off.store(true, Ordering::Release);
        assert_eq!(landing.store(), Err(Reason::Cancelled));
        drop(landing);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_flipped_byte_never_reaches_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut landing = landing(folder.path(), "a.txt");
        assert_eq!(landing.write(0, group_hash(0, b"12345"), b"12344"), Err(Reason::HashMismatch));
        assert_eq!(std::fs::metadata(&landing.temp.path).expect("there").len(), 0);
    }

    #[test]
    fn more_than_the_disk_holds_is_refused_before_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let prepare =
            |size, reserved| Landing::prepare(folder.path(), FileName::new("a"), size, reserved, Arc::default());
        assert!(prepare(1, 0).is_ok());
        assert_eq!(prepare(1 << 60, 0).err(), Some(Reason::NoSpace));
        assert_eq!(prepare(1, u64::MAX).err(), Some(Reason::NoSpace));
    }

    #[test]
    fn only_leftovers_of_dead_runs_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let live = landing(folder.path(), "a.txt");
        let dead = folder.path().join(format!("{PREFIX}0123456789abcdef{SUFFIX}"));
        std::fs::write(&dead, b"half").expect("written");
        let theirs = [".lets-meet-notes.part", ".lets-meet-0123456789abcdef.part.txt", "a.part"];
        for name in theirs {
            std::fs::write(folder.path().join(name), b"theirs").expect("written");
        }
        assert_eq!(remove_leftovers(folder.path()), 1);
        assert!(live.temp.path.exists() && !dead.exists());
        assert!(theirs.iter().all(|name| folder.path().join(name).exists()));
    }
}
