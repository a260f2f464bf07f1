//! An open repository: its files, opened and checked. What is read is compared with the SHA-256 that is its name before anybody sees it.

mod blob;
mod init;

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::backend::{Backend, Kind, Name};
use super::cancel::Cancel;
use super::compression::{DEFAULT_LEVEL, compress_into, decompress_unsized};
use super::config::{Config, Version};
use super::crypto::{KeyBytes, NONCE_BYTES, Sealer};
use super::error::Error;
use super::id::Id;
use super::index::Index;
use super::index::file::{self, IndexedPack};
use super::keys::{KeyFile, Maker, Password};
use super::parallel::join_all;

/// What an index, snapshot or lock may be at most when it is decompressed.
const MOST_PLAIN_BYTES: u64 = 1 << 30;
/// The byte before a compressed file; JSON begins with a bracket.
const IS_COMPRESSED: u8 = 2;
/// Files that are read at once.
const READERS: usize = 4;

/// A repository, opened with a password.
pub struct Repository {
    pub(super) backend: Box<dyn Backend>,
    config: Config,
    sealer: Sealer,
    master: KeyBytes,
    key: Id,
}

/// Index files as they were read, and those that could not be.
pub struct LoadedIndex {
    pub index: Index,
    /// The index files that it comes from.
    pub files: Vec<Id>,
    /// Index files that are damaged or gone; what they alone name is not in `index`.
    pub failed: Vec<(Id, Error)>,
    /// Packs that several of the files name.
    pub repeated: HashSet<Id>,
}

impl Repository {
    /// Opens with the first key that the password and the configuration open with, trying all. [`Error::NoRepository`],
    /// [`Error::WrongPassword`], [`Error::Unsupported`].
    pub fn open(backend: Box<dyn Backend>, password: &Password) -> Result<Self, Error> {
        let sealed = match backend.read(Name::Config, None) {
            Ok(bytes) => bytes,
            Err(Error::NotFound(_)) => return Err(Error::NoRepository(backend.location())),
            Err(error) => return Err(error),
        };
        let (key, master, config) = open_config(&*backend, &sealed, password)?;
        Ok(Self { backend, config, sealer: Sealer::new(&master), master, key })
    }

    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The key that opened it.
    pub const fn key(&self) -> Id {
        self.key
    }

    pub(super) const fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Whether blobs may be compressed.
    pub fn can_compress(&self) -> bool {
        self.config.version >= Version::Two
    }

    /// Adds a key that this password opens; stored when this returns.
    pub fn add_key(&self, password: &Password, maker: Maker) -> Result<Id, Error> {
        let bytes = KeyFile::new(&self.master, password, maker).to_bytes();
        let id = Id::of(&bytes);
        self.backend.save(Name::Of(Kind::Key, id), bytes.into())?;
        Ok(id)
    }

    /// The bytes of a file, if they are those of its name.
    pub fn read_raw(&self, kind: Kind, id: Id) -> Result<Vec<u8>, Error> {
        let bytes = self.backend.read(Name::Of(kind, id), None)?;
        if Id::of(&bytes) == id { Ok(bytes.to_vec()) } else { Err(damaged(kind, id, "its SHA-256 is not its name")) }
    }

    /// What an index, snapshot or lock says.
    pub fn read_file(&self, kind: Kind, id: Id) -> Result<Vec<u8>, Error> {
        let mut sealed = self.read_raw(kind, id)?;
        let plain = self.sealer.open_in_place(&mut sealed).map_err(|error| damaged(kind, id, error.to_string()))?;
        match plain {
            [IS_COMPRESSED, frame @ ..] if self.can_compress() => {
                decompress_unsized(frame, MOST_PLAIN_BYTES).map_err(|why| damaged(kind, id, why))
            }
            plain => Ok(plain.to_vec()),
        }
    }

    /// Stores an index, snapshot or lock; on stable storage when this returns. Its id.
    pub fn save_file(&self, kind: Kind, plain: &[u8]) -> Result<Id, Error> {
        let sealed = if self.can_compress() {
            let mut sealed = vec![0; NONCE_BYTES];
            sealed.push(IS_COMPRESSED);
            compress_into(plain, DEFAULT_LEVEL, &mut sealed);
            self.sealer.seal_in_place(&mut sealed, 0);
            sealed
        } else {
            self.sealer.seal(plain)
        };
        let id = Id::of(&sealed);
        self.backend.save(Name::Of(kind, id), sealed.into())?;
        Ok(id)
    }

    /// Stores an index file of these packs, which must be stored.
    pub fn save_index(&self, packs: &[IndexedPack]) -> Result<Id, Error> {
        self.save_file(Kind::Index, &file::to_bytes(packs))
    }

    /// Packs and blobs of one index file.
    pub fn read_index(&self, id: Id) -> Result<Vec<IndexedPack>, Error> {
        file::parse(&self.read_file(Kind::Index, id)?).map_err(|why| damaged(Kind::Index, id, why))
    }

    /// The whole index. Files that are damaged are told apart: who only reads can go on without them.
    pub fn load_index(&self, cancel: &Cancel) -> Result<LoadedIndex, Error> {
        let files: Vec<Id> = self.backend.list(Kind::Index)?.into_iter().map(|listed| listed.id).collect();
        let nothing = LoadedIndex { index: Index::default(), files: Vec::new(), failed: Vec::new(), repeated: HashSet::new() };
        let loaded = Mutex::new((nothing, HashSet::new()));
        let next = AtomicUsize::new(0);
        let read_some = || -> Result<(), Error> {
            while let Some(id) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                cancel.check()?;
                let read = self.read_index(*id);
                let (loaded, named) = &mut *loaded.lock().expect("nothing panics while it holds the index");
                match read {
                    Ok(packs) => {
                        for (pack, blobs) in &packs {
                            loaded.index.add(*pack, blobs);
                            if !named.insert(*pack) {
                                loaded.repeated.insert(*pack);
                            }
                        }
                        loaded.files.push(*id);
                    }
                    Err(error @ (Error::Damaged { .. } | Error::NotFound(_))) => loaded.failed.push((*id, error)),
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..READERS.min(files.len())).map(|_| scope.spawn(read_some)).collect();
            join_all(readers).into_iter().collect::<Result<(), Error>>()
        })?;
        Ok(loaded.into_inner().expect("nothing panics while it holds the index").0)
    }

    /// The one file of a kind whose id begins so. [`Error::NotFound`] where there is none, or more than one.
    pub fn find_file(&self, kind: Kind, beginning: &str) -> Result<Id, Error> {
        let is_meant = |id: &Id| id.hex().starts_with(beginning);
        let found: HashSet<Id> = self.backend.list(kind)?.into_iter().map(|listed| listed.id).filter(is_meant).collect();
        match (found.iter().next(), found.len()) {
            (Some(id), 1) => Ok(*id),
            (None, _) => Err(Error::NotFound(format!("{}/{beginning}", kind.folder()))),
            _ => Err(Error::NotFound(format!("one file that begins with {}/{beginning} (there are {})", kind.folder(), found.len()))),
        }
    }
}

/// What a sealed configuration says, and the key that it opens with.
fn open_config(backend: &dyn Backend, sealed: &[u8], password: &Password) -> Result<(Id, KeyBytes, Config), Error> {
    let mut failed = None;
    for opened in opened_keys(backend, password)? {
        let (key, master) = opened?;
        match Sealer::new(&master).open_in_place(&mut sealed.to_vec()) {
            Ok(plain) => return Ok((key, master, Config::parse(plain)?)),
            // The key of an `init` that came too late, or the configuration is damaged.
            Err(error) => failed = Some(Error::damaged("config", error.to_string())),
        }
    }
    Err(failed.unwrap_or(Error::WrongPassword))
}

/// The keys that a password opens, one after the other. Whoever may write can add keys that are none: those are passed over.
fn opened_keys(backend: &dyn Backend, password: &Password) -> Result<impl Iterator<Item = Result<(Id, KeyBytes), Error>>, Error> {
    Ok(backend.list(Kind::Key)?.into_iter().filter_map(move |listed| {
        let bytes = match backend.read(Name::Of(Kind::Key, listed.id), None) {
            Ok(bytes) => bytes,
            Err(Error::NotFound(_) | Error::Damaged { .. }) => return None,
            Err(error) => return Some(Err(error)),
        };
        let file = (Id::of(&bytes) == listed.id).then(|| KeyFile::parse(&bytes, &listed.id))?;
        file.and_then(|file| file.open(password)).ok().map(|master| Ok((listed.id, master)))
    }))
}

fn damaged(kind: Kind, id: Id, why: impl Into<String>) -> Error {
    Error::damaged(format!("{}/{}", kind.folder(), id.short()), why)
}
