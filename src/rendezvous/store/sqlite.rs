//! The names in a SQLite database.
//!
//! One table, one row a name; the row is the claim as its owner signed it. Write-ahead log, `synchronous = FULL`: a
//! committed change is on the disk. The database is held exclusively, so that two services never share one. It is made
//! in a temporary file and linked into place whole: a file of that name that is empty or no database is therefore
//! damage, not a beginning.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params};

use super::Error;
use crate::framing;
use crate::id::PeerId;
use crate::rendezvous::registry::{Change, Row};

/// Marks the file as ours (`PRAGMA application_id`): "LMrv".
const APPLICATION: i32 = 0x4c4d_7276;
/// The layout of the tables (`PRAGMA user_version`).
const LAYOUT: i32 = 1;
const FIRST_BYTES: &[u8] = b"SQLite format 3\0";

/// An open store.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    database: Connection,
}

impl Store {
    /// Opens the store of `service` at `path`, makes it if there is no such file, and reads all its rows.
    pub fn open(path: &Path, service: PeerId) -> Result<(Self, Vec<Row>), Error> {
        let path = absolute(path)?;
        match fs::metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path, service)?,
            Err(error) => return Err(system(&path, &error)),
        }
        check_head(&path)?;
        let database = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(told(&path))?;
        let mut store = Self { path, database };
        let rows = store.prepare(service)?;
        Ok((store, rows))
    }

    /// Makes `change` durable.
    pub fn apply(&mut self, change: &Change) -> Result<(), Error> {
        self.apply_all(std::slice::from_ref(change))
    }

    /// Makes all of `changes` durable, or none.
    pub fn apply_all(&mut self, changes: &[Change]) -> Result<(), Error> {
        let told = told(&self.path);
        let transaction = self.database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&told)?;
        for change in changes {
            match change {
                Change::Put { folded, row } => {
                    let claim = framing::to_bytes(&row.claim);
                    let expires = i64::try_from(row.expires).unwrap_or(i64::MAX);
                    transaction
                        .execute(
                            "INSERT OR REPLACE INTO names (folded, claim, expires) VALUES (?1, ?2, ?3)",
                            params![folded, &claim[..], expires],
                        )
                        .map_err(&told)?;
                }
                Change::Remove { folded } => {
                    transaction.execute("DELETE FROM names WHERE folded = ?1", [folded]).map_err(&told)?;
                }
            }
        }
        transaction.commit().map_err(&told)
    }

    fn prepare(&mut self, service: PeerId) -> Result<Vec<Row>, Error> {
        let path = self.path.clone();
        let told = told(&path);
        let damaged = |detail: &str| Error::Damaged { path: path.clone(), detail: detail.to_owned() };
        let database = &self.database;
        // A service that was stopped a moment ago may still be closing its file.
        database.busy_timeout(Duration::from_secs(2)).map_err(&told)?;
        if database.is_readonly("main").map_err(&told)? {
            return Err(Error::ReadOnly { path });
        }
        database.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(&told)?;
        let number = |name: &str| database.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(&told);
        if number("application_id")? != APPLICATION {
            return Err(damaged("it is the database of another program"));
        }
        if number("user_version")? > LAYOUT {
            return Err(Error::Newer { path });
        }
        let mode: String =
            database.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(&told)?;
        if mode != "wal" {
            return Err(Error::System { path, detail: format!("its journal is {mode}, not a write-ahead log") });
        }
        database.pragma_update(None, "synchronous", "FULL").map_err(&told)?;
        let health: String = database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(&told)?;
        if health != "ok" {
            return Err(damaged(&health));
        }
        // Takes the write lock, which is then kept, and proves that the disk takes writes.
        database.execute("UPDATE service SET opened = opened + 1", []).map_err(&told)?;
        let owner: Vec<u8> = database.query_row("SELECT id FROM service", [], |row| row.get(0)).map_err(&told)?;
        if owner != service.as_bytes() {
            return Err(Error::OtherService { path, fingerprint: crate::id::to_hex(&owner) });
        }
        let mut statement = database.prepare("SELECT claim, expires FROM names").map_err(&told)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?)));
        let mut all = Vec::new();
        for row in rows.map_err(&told)? {
            let (claim, expires) = row.map_err(&told)?;
            let claim = framing::from_bytes(&claim).map_err(|_| damaged("a row cannot be read"))?;
            all.push(Row { claim, expires: u64::try_from(expires).unwrap_or(0) });
        }
        Ok(all)
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|error| system(path, &error))
}

/// Makes an empty store at `path`, whole or not at all; another process may be first, which is fine.
fn make(path: &Path, service: PeerId) -> Result<(), Error> {
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    fs::create_dir_all(folder).map_err(|error| system(path, &error))?;
    let temporary = folder.join(format!(".rendezvous.{:016x}", rand::random::<u64>()));
    let made = fill(&temporary, service).map_err(told(path)).and_then(|()| {
        match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Not every file system has links; then the last one to rename wins, and both have made the same.
            Err(_) => fs::rename(&temporary, path),
            Ok(()) => Ok(()),
        }
        .map_err(|error| system(path, &error))
    });
    let _ = fs::remove_file(&temporary);
    if made.is_ok() {
        // Not every system can sync a folder.
        let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
    made
}

fn fill(temporary: &Path, service: PeerId) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let database = Connection::open_with_flags(temporary, flags)?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.pragma_update(None, "application_id", APPLICATION)?;
    database.pragma_update(None, "user_version", LAYOUT)?;
    database.execute_batch(
        "BEGIN;
         CREATE TABLE service (id BLOB NOT NULL, opened INTEGER NOT NULL) STRICT;
         CREATE TABLE names (
             folded TEXT PRIMARY KEY NOT NULL,
             claim BLOB NOT NULL,
             expires INTEGER NOT NULL
         ) STRICT, WITHOUT ROWID;
         COMMIT;",
    )?;
    database.execute("INSERT INTO service (id, opened) VALUES (?1, 0)", [&service.as_bytes()[..]])?;
    database.close().map_err(|(_, error)| error)
}

/// SQLite takes an empty file for a new database; here it is a lost one.
fn check_head(path: &Path) -> Result<(), Error> {
    use io::Read as _;
    let mut head = Vec::new();
    let length = FIRST_BYTES.len() as u64;
    let read = fs::File::open(path).and_then(|file| file.take(length).read_to_end(&mut head));
    read.map_err(|error| system(path, &error))?;
    if head == FIRST_BYTES {
        return Ok(());
    }
    let detail = if head.is_empty() { "it is empty" } else { "it is no database" };
    Err(Error::Damaged { path: path.to_owned(), detail: detail.to_owned() })
}

fn system(path: &Path, error: &io::Error) -> Error {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Error::ReadOnly { path },
        _ => Error::System { path, detail: error.to_string() },
    }
}

fn told(path: &Path) -> impl Fn(rusqlite::Error) -> Error + use<> {
    let path = path.to_owned();
    move |error| {
        let (path, detail) = (path.clone(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Damaged { path, detail },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Error::ReadOnly { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy { path },
            _ => Error::System { path, detail },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Username;
    use crate::identity::Identity;
    use crate::rendezvous::record::Claim;

    fn service() -> PeerId {
        PeerId::from_bytes([1; 32])
    }

    fn row(text: &str) -> Row {
        let name = Username::new(text).expect("valid");
        Row { claim: Claim::sign(&Identity::generate(), service(), name, 5, 1000), expires: 77 }
    }

    fn put(row: &Row) -> Change {
        Change::Put { folded: row.claim.name.folded(), row: row.clone() }
    }

    #[test]
    fn rows_are_there_after_a_restart() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("deep/er/names.sqlite");
        let (mut store, rows) = Store::open(&path, service()).expect("made");
        assert_eq!(rows, []);
        let (alice, bob) = (row("alice"), row("Bob"));
        store.apply(&put(&alice)).expect("stored");
        store.apply(&put(&bob)).expect("stored");
        let newer = Row { claim: row("ALICE").claim, expires: 99 };
        store.apply_all(&[put(&newer), Change::Remove { folded: "bob".to_owned() }]).expect("stored");
        drop(store);
        let (_, rows) = Store::open(&path, service()).expect("opened");
        assert_eq!(rows, [newer]);
    }

    #[test]
    fn what_was_committed_is_in_the_files_before_a_clean_close() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("names.sqlite");
        let (mut store, _) = Store::open(&path, service()).expect("made");
        let alice = row("alice");
        store.apply(&put(&alice)).expect("stored");
        // What a kill -9 would leave behind.
        let copy = dir.path().join("copy.sqlite");
        for end in ["", "-wal"] {
            let name = |p: &Path| PathBuf::from(format!("{}{end}", p.display()));
            fs::copy(name(&path), name(&copy)).expect("copied");
        }
        let (_, rows) = Store::open(&copy, service()).expect("opened");
        assert_eq!(rows, [alice]);
        drop(store);
    }

    #[test]
    fn a_damaged_store_is_reported_and_never_replaced() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("names.sqlite");
        let mut broken = FIRST_BYTES.to_vec();
        broken.extend_from_slice(&[0xff; 4096]);
        for content in [Vec::new(), b"these are no names".to_vec(), broken] {
            fs::write(&path, &content).expect("write");
            let error = Store::open(&path, service()).expect_err("refused");
            assert!(matches!(error, Error::Damaged { .. }), "{error}");
            assert_eq!(fs::read(&path).expect("read"), content);
        }
    }

    #[test]
    fn pages_overwritten_in_the_middle_are_noticed() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("names.sqlite");
        let (mut store, _) = Store::open(&path, service()).expect("made");
        let changes: Vec<Change> = (0..200).map(|n| put(&row(&format!("name{n}")))).collect();
        store.apply_all(&changes).expect("stored");
        drop(store);
        let mut bytes = fs::read(&path).expect("read");
        for byte in bytes.iter_mut().skip(8192).take(8192) {
            *byte = 0xa5;
        }
        fs::write(&path, &bytes).expect("write");
        assert!(matches!(Store::open(&path, service()), Err(Error::Damaged { .. })));
        assert_eq!(fs::read(&path).expect("read"), bytes);
    }

    #[test]
    fn a_store_that_cannot_be_made_is_an_error() {
        let dir = tempfile::tempdir().expect("temp dir");
        fs::write(dir.path().join("file"), b"x").expect("write");
        assert!(Store::open(&dir.path().join("file/names.sqlite"), service()).is_err());
        assert!(Store::open(dir.path(), service()).is_err(), "a folder");
    }

    #[test]
    fn a_full_disk_is_an_error_and_changes_nothing() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("names.sqlite");
        let (mut store, _) = Store::open(&path, service()).expect("made");
        let alice = row("alice");
        store.apply(&put(&alice)).expect("stored");
        store.database.pragma_update(None, "max_page_count", 4).expect("set");
        let changes: Vec<Change> = (0..200).map(|n| put(&row(&format!("name{n}")))).collect();
        assert!(matches!(store.apply_all(&changes), Err(Error::System { .. })));
        drop(store);
        assert_eq!(Store::open(&path, service()).expect("opened").1, [alice]);
    }

    #[test]
    fn two_services_do_not_share_a_store() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("names.sqlite");
        let first = Store::open(&path, service()).expect("made");
        assert!(matches!(Store::open(&path, service()), Err(Error::Busy { .. })));
        drop(first);
        let other = Store::open(&path, PeerId::from_bytes([2; 32])).expect_err("refused");
        assert!(
            matches!(&other, Error::OtherService { fingerprint, .. } if *fingerprint == "01".repeat(32)),
            "{other}"
        );
        assert!(Store::open(&path, service()).is_ok());
    }

    #[test]
    fn foreign_and_future_databases_are_left_alone() {
        let dir = tempfile::tempdir().expect("temp dir");
        let foreign = dir.path().join("foreign.sqlite");
        let database = Connection::open(&foreign).expect("made");
        database.execute_batch("CREATE TABLE names (x)").expect("made");
        drop(database);
        assert!(matches!(Store::open(&foreign, service()), Err(Error::Damaged { .. })));
        let future = dir.path().join("future.sqlite");
        drop(Store::open(&future, service()).expect("made"));
        let database = Connection::open(&future).expect("opened");
        database.pragma_update(None, "user_version", LAYOUT + 1).expect("set");
        drop(database);
        assert!(matches!(Store::open(&future, service()), Err(Error::Newer { .. })));
    }
}
