//! One source and everything below it, without recursion: a tree may be deeper than any stack.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::folder::{Folder, Identity, open_path};
use super::listing::Listing;
use super::{Entry, Step, Walk};
use crate::vault::error::Error;
use crate::vault::failure::Failure;
use crate::vault::source::metadata::{MetadataReader, Place, kind_of, stat_of};
use crate::vault::source::open::open_folder;
use crate::vault::source::select::{Found, Verdict};

/// So many folders are open at once. Those further up are closed, and opened again on the way back.
pub const MOST_OPEN: usize = 64;

pub(super) struct Descent<'a> {
    walk: &'a Walk<'a>,
    on_step: &'a mut dyn FnMut(Step<'_>) -> Result<(), Error>,
    pub metadata: MetadataReader,
    /// The absolute path of what is being looked at.
    path: Vec<u8>,
    /// Of so many of the folders on the way the callback knows; in the others nothing has been taken yet.
    entered: usize,
    source_device: u64,
    buffer: Vec<u8>,
}

/// A name in a folder.
#[derive(Clone, Copy)]
struct At<'a> {
    folder: BorrowedFd<'a>,
    device: u64,
    file_name: &'a [u8],
}

impl<'a> Descent<'a> {
    pub fn new(walk: &'a Walk<'a>, on_step: &'a mut dyn FnMut(Step<'_>) -> Result<(), Error>) -> Self {
        let metadata = MetadataReader::new(walk.with_atime);
        Self { walk, on_step, metadata, path: Vec::new(), entered: 0, source_device: 0, buffer: Vec::new() }
    }

    pub fn check(&self) -> Result<(), Error> {
        self.walk.cancel.check()
    }

    pub fn step(&mut self, step: Step<'_>) -> Result<(), Error> {
        (self.on_step)(step)
    }

    /// The entry `file_name` of the folder `above`, kept under `name`. `path` is its absolute path, `device` that of its source.
    pub fn run(&mut self, above: BorrowedFd<'_>, file_name: &[u8], name: &[u8], path: Vec<u8>, device: u64) -> Result<(), Error> {
        (self.path, self.source_device, self.entered) = (path, device, 0);
        let device = match rustix::fs::fstat(above) {
            Ok(stat) => stat.st_dev,
            Err(error) => return self.failed("stat", &error.into()),
        };
        if !self.walk.select.inside(above).has(file_name) {
            return Ok(());
        }
        let mut folders = Vec::new();
        let first = self.entry(&folders, At { folder: above, device, file_name }, name.to_vec())?;
        folders.extend(first);
        while let Some(folder) = folders.last_mut() {
            self.check()?;
            self.path.truncate(folder.path_length);
            match folder.names.next() {
                Some(name) => self.next(&mut folders, &name)?,
                None => self.leave(&mut folders, above, file_name)?,
            }
        }
        Ok(())
    }

    fn next(&mut self, folders: &mut Vec<Folder>, name: &[u8]) -> Result<(), Error> {
        if self.path != b"/" {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name);
        let folder = folders.last().expect("the name is one of its");
        let fd = folder.fd().expect("only a folder that is open has names");
        let found = self.entry(folders, At { folder: fd, device: folder.device(), file_name: name }, name.to_vec())?;
        folders.extend(found);
        if let Some(far) = folders.len().checked_sub(MOST_OPEN + 1) {
            folders[far].close();
        }
        Ok(())
    }

    /// What there is under a name; a folder that is to be looked into is handed back.
    fn entry(&mut self, folders: &[Folder], at: At<'_>, name: Vec<u8>) -> Result<Option<Folder>, Error> {
        let verdict = self.walk.select.by_path(as_path(&self.path));
        if verdict == Verdict::Leave {
            return Ok(None);
        }
        let stat = match stat_of(at.folder, at.file_name) {
            Ok(stat) => stat,
            Err(error) => return self.failed("stat", &error).map(|()| None),
        };
        let kind = kind_of(&stat);
        if kind == FileType::Socket {
            return Ok(None);
        }
        let verdict = verdict.max(self.by_metadata(&stat, at));
        if verdict == Verdict::Leave {
            return Ok(None);
        }
        if kind == FileType::Directory {
            return self.folder(folders, at, name, stat, verdict);
        }
        if verdict == Verdict::Take {
            self.leaf(folders, at, name, &stat)?;
        }
        Ok(None)
    }

    fn by_metadata(&self, stat: &Stat, at: At<'_>) -> Verdict {
        self.walk.select.by_metadata(&Found {
            path: as_path(&self.path),
            is_folder: kind_of(stat) == FileType::Directory,
            size_bytes: u64::try_from(stat.st_size).unwrap_or_default(),
            device: stat.st_dev,
            parent_device: at.device,
            source_device: self.source_device,
        })
    }

    fn leaf(&mut self, folders: &[Folder], at: At<'_>, name: Vec<u8>, stat: &Stat) -> Result<(), Error> {
        let (node, failed) = match self.metadata.node(name, stat, Place::Named { folder: at.folder, name: at.file_name }) {
            Ok(read) => read,
            Err(error) => return self.failed("read link", &error),
        };
        self.enter(folders)?;
        let entry = Entry { node, path: as_path(&self.path), folder: at.folder, file_name: at.file_name };
        (self.on_step)(Step::Entry(entry))?;
        self.attributes_failed(failed)
    }

    /// A folder that cannot be opened is kept with what is known of it and nothing in it. One that went away, or is none any more, is not.
    fn folder(&mut self, folders: &[Folder], at: At<'_>, name: Vec<u8>, stat: Stat, verdict: Verdict) -> Result<Option<Folder>, Error> {
        let opened = open_folder(at.folder, at.file_name).and_then(|fd| Ok((rustix::fs::fstat(&fd)?, fd)));
        let verdict = match &opened {
            // What is mounted when it is opened was not asked about.
            Ok((now, _)) if now.st_dev != stat.st_dev => verdict.max(self.by_metadata(now, at)),
            _ => verdict,
        };
        if verdict == Verdict::Leave {
            return Ok(None);
        }
        let is_gone = |error: &io::Error| [Errno::NOENT, Errno::NOTDIR, Errno::LOOP].iter().any(|errno| is(error, *errno));
        let (stat, fd, not_opened) = match opened {
            Ok((now, fd)) => (now, Some(fd), None),
            Err(error) if is_gone(&error) || verdict == Verdict::Pass => return self.failed("open", &error).map(|()| None),
            Err(error) => (stat, None, Some(error)),
        };
        let place = fd.as_ref().map_or(Place::Named { folder: at.folder, name: at.file_name }, |fd| Place::Open(fd.as_fd()));
        let (node, failed) = match self.metadata.node(name, &stat, place) {
            Ok(read) => read,
            Err(error) => return self.failed("stat", &error).map(|()| None),
        };
        if verdict == Verdict::Take {
            self.enter(folders)?;
            (self.on_step)(Step::Enter { name: &node.name, path: as_path(&self.path) })?;
            self.entered += 1;
        }
        self.attributes_failed(failed)?;
        not_opened.map_or(Ok(()), |error| self.failed("open", &error))?;
        let names = fd.as_ref().map_or_else(|| Ok(Listing::default()), |fd| self.names(fd))?;
        Ok(Some(Folder::new(node, names, fd, Identity::of(&stat), self.path.len())))
    }

    fn names(&mut self, fd: &OwnedFd) -> Result<Listing, Error> {
        let (mut names, failed) = Listing::read(fd.as_fd(), &mut self.buffer);
        failed.map_or(Ok(()), |error| self.failed("list", &error))?;
        let inside = self.walk.select.inside(fd.as_fd());
        names.retain(|name| inside.has(name));
        Ok(names)
    }

    /// Tells the callback of the folders on the way, now that something in them is taken.
    fn enter(&mut self, folders: &[Folder]) -> Result<(), Error> {
        for folder in &folders[self.entered..] {
            let path = as_path(&self.path[..folder.path_length]);
            (self.on_step)(Step::Enter { name: &folder.node.name, path })?;
        }
        self.entered = folders.len();
        Ok(())
    }

    /// Ends the last folder, and opens the one above it again where it had to be closed.
    fn leave(&mut self, folders: &mut Vec<Folder>, above: BorrowedFd<'_>, file_name: &[u8]) -> Result<(), Error> {
        let Some(done) = folders.pop() else { return Ok(()) };
        let below = done.fd();
        let reopened = match folders.split_last_mut() {
            Some((folder, up)) if folder.is_closed() => folder.reopen(below, |name| from_top(above, file_name, up, name)),
            _ => Ok(()),
        };
        if self.entered > folders.len() {
            self.entered = folders.len();
            (self.on_step)(Step::Leave { node: done.node, path: as_path(&self.path) })?;
        }
        if let (Err(error), Some(folder)) = (reopened, folders.last_mut()) {
            folder.names = Listing::default();
            self.path.truncate(folder.path_length);
            self.failed("open", &error)?;
        }
        Ok(())
    }

    fn attributes_failed(&mut self, failed: Option<io::Error>) -> Result<(), Error> {
        failed.map_or(Ok(()), |error| self.failed("read attributes", &error))
    }

    fn failed(&mut self, doing: &'static str, error: &io::Error) -> Result<(), Error> {
        (self.on_step)(Step::Failed(Failure::of_io(as_path(&self.path), doing, error)))
    }
}

/// Opens the folder `name` below all of `up`, one after another.
fn from_top(above: BorrowedFd<'_>, file_name: &[u8], up: &[Folder], name: &[u8]) -> io::Result<OwnedFd> {
    let below = up.iter().skip(1).map(|folder| folder.node.name.as_slice());
    let names = std::iter::once(file_name).chain(below).chain((!up.is_empty()).then_some(name));
    let mut names = names;
    let first = open_path(above, names.next().expect("there is a first"))?;
    names.try_fold(first, |fd, name| open_path(fd.as_fd(), name))
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
