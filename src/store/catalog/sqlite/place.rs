//! Where `catalog.db` lies: made whole or not at all, judged before it is opened, never made again by mistake.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::engine::Role;
use super::super::{CatalogError, Connection, Fault, migrate};
use super::{SqliteConnection, shared_memory};

/// "SRcg" in the file's header (`PRAGMA application_id`).
const APPLICATION_ID: u32 = 0x5352_6367;
/// The first release without the WAL-reset bug.
const OLDEST_SQLITE: i32 = 3_051_003;
const HEADER_BYTES: usize = 100;

/// The catalog's file, and whether the disk below it may still be written. Cheap to clone.
#[derive(Clone)]
pub(in super::super) struct Place {
    path: PathBuf,
    writes_suspended: Arc<AtomicBool>,
}

impl Place {
    pub(in super::super) fn new(data: &Path) -> Result<Self, CatalogError> {
        shared_memory::watch()?;
        Ok(Self { path: data.join("catalog.db"), writes_suspended: Arc::default() })
    }

    /// Makes the catalog where it is missing and `make`; says whether it did. A missing catalog beside a write-ahead log
    /// without one is refused, because the log may hold the only copy of rows and would be mixed into the new file.
    pub(in super::super) fn prepare(&self, make: bool) -> Result<bool, CatalogError> {
        if ::rusqlite::version_number() < OLDEST_SQLITE {
            return Err(refused(format!("SQLite {} can lose rows, at least 3.51.3 is needed", ::rusqlite::version())));
        }
        if exists(&self.path)? {
            return Ok(false);
        }
        if exists(&beside(&self.path, "-wal"))? {
            return Err(refused(
                "catalog.db is missing but catalog.db-wal is there: put catalog.db back, or move catalog.db-wal away and run `strongroom catalog rebuild`"
                    .to_owned(),
            ));
        }
        if !make {
            return Err(refused(
                "catalog.db is missing: `strongroom serve` makes it for a new store, `strongroom catalog rebuild` for an old one"
                    .to_owned(),
            ));
        }
        self.make()?;
        Ok(true)
    }

    /// Refuses in words what is no catalog; SQLite would take an empty file for an empty catalog.
    pub(super) fn judge(&self) -> Result<(), CatalogError> {
        let mut header = [0; HEADER_BYTES];
        let mut file = File::open(&self.path).map_err(|error| io_error("opening catalog.db", error))?;
        match file.read_exact(&mut header) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(not_ours("it is empty or cut short")),
            outcome => outcome.map_err(|error| io_error("reading catalog.db", error))?,
        }
        if header.iter().all(|byte| *byte == 0) {
            return Err(not_ours("it is filled with zeros"));
        }
        if !header.starts_with(b"SQLite format 3\0") {
            return Err(not_ours("it is not a SQLite database"));
        }
        match header[68..72] == APPLICATION_ID.to_be_bytes() {
            true => Ok(()),
            false => Err(not_ours("it is the database of another program")),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// After a disk error in a write: nothing is written through this handle any more, because an fsync that is tried again may lie.
    pub(in super::super) fn suspend_writes(&self) {
        self.writes_suspended.store(true, Ordering::SeqCst);
    }

    /// After a disk error of any kind nothing is written.
    pub(in super::super) fn refuse_when_suspended(&self) -> Result<(), CatalogError> {
        self.refuse_when_lost()?;
        match self.writes_suspended.load(Ordering::SeqCst) {
            true => Err(CatalogError::new(Fault::Io, "the disk reported an error: the catalog is not written until a restart")),
            false => Ok(()),
        }
    }

    /// After SQLite's shared memory was lost nothing is read either: which rows there are stands in it.
    pub(in super::super) fn refuse_when_lost(&self) -> Result<(), CatalogError> {
        match shared_memory::lost().is_cancelled() {
            true => Err(CatalogError::new(Fault::Io, "the disk no longer gives catalog.db-shm: the catalog is not used until a restart")),
            false => Ok(()),
        }
    }

    /// Makes a whole, migrated, synced catalog under another name and then gives it its own: a crash leaves no half of one.
    fn make(&self) -> Result<(), CatalogError> {
        let unfinished = Self { path: beside(&self.path, ".new"), writes_suspended: Arc::default() };
        for leftover in ["", "-wal", "-shm", "-journal"] {
            match std::fs::remove_file(beside(&unfinished.path, leftover)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(io_error("removing an unfinished catalog", error)),
                _ => {}
            }
        }
        create_private(&unfinished.path).map_err(|error| io_error("making catalog.db", error))?;
        unfinished.fill()?;
        self.publish(&unfinished.path).map_err(|error| io_error("making catalog.db", error))
    }

    fn fill(&self) -> Result<(), CatalogError> {
        let raw = ::rusqlite::Connection::open(&self.path).map_err(|error| super::fault::opening(&error, &self.path))?;
        raw.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}"))
            .map_err(|error| super::fault::opening(&error, &self.path))?;
        drop(raw);
        let mut connection = SqliteConnection::open(self, Role::Writer)?;
        migrate::bring_up(&mut connection, true)?;
        // Out of the write-ahead log, which does not move along with the name.
        connection.script("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")?;
        drop(connection);
        match exists(&beside(&self.path, "-wal"))? {
            true => Err(CatalogError::new(Fault::Unavailable, "making catalog.db: its write-ahead log could not be emptied")),
            false => Ok(()),
        }
    }

    /// A link, because a rename would replace a catalog that somebody else made meanwhile.
    fn publish(&self, unfinished: &Path) -> std::io::Result<()> {
        File::open(unfinished)?.sync_all()?;
        std::fs::hard_link(unfinished, &self.path)?;
        sync_folder(&self.path)?;
        std::fs::remove_file(unfinished)
    }
}

/// Makes an empty file that only its owner may read; refuses where there is one.
pub(super) fn create_private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes the name of `path` durable.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

pub(super) fn io_error(doing: &str, error: std::io::Error) -> CatalogError {
    let fault = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fault::Full,
        _ if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Fault::Io,
        ErrorKind::AlreadyExists | ErrorKind::NotFound | ErrorKind::PermissionDenied => Fault::Failed,
        _ => Fault::Unavailable,
    };
    CatalogError::with_source(fault, doing, error)
}

/// `path` with `suffix` after its last letter.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether there is anything under the name; an error is not taken for "no".
fn exists(path: &Path) -> Result<bool, CatalogError> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("looking for catalog.db", error)),
    }
}

fn not_ours(why: &str) -> CatalogError {
    refused(format!("catalog.db is not a strongroom catalog, {why}: put a copy back, or move it away and run `strongroom catalog rebuild`"))
}

fn refused(why: String) -> CatalogError {
    CatalogError::new(Fault::Failed, format!("this catalog cannot be used: {why}"))
}
