//! The sources and the folders above them.

use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::descent::Descent;
use super::folder::open_given;
use super::listing::Listing;
use super::plan::{Plan, join};
use super::{Step, Walk};
use crate::vault::error::Error;
use crate::vault::failure::Failure;
use crate::vault::source::metadata::Place;
use crate::vault::source::pattern::clean;

type OnStep<'a> = &'a mut dyn FnMut(Step<'_>) -> Result<(), Error>;

pub(super) fn walk(walk: &Walk<'_>, sources: &[PathBuf], on_step: OnStep<'_>) -> Result<(), Error> {
    let current = std::env::current_dir().unwrap_or_default().into_os_string().into_vec();
    let mut top = Top { current, devices: Vec::new(), descent: Descent::new(walk, on_step) };
    let sources = top.existing(sources)?;
    let mut unread = Vec::new();
    let plan = Plan::of(&sources, &mut |folder| names_in(folder, &mut unread));
    for (folder, doing, error) in unread {
        top.failed(&folder, doing, &error)?;
    }
    top.parts(&plan)
}

struct Top<'a> {
    /// Empty where it is gone: then only absolute paths lead anywhere.
    current: Vec<u8>,
    /// The sources and the file systems they lie on.
    devices: Vec<(Vec<u8>, u64)>,
    descent: Descent<'a>,
}

impl Top<'_> {
    /// The sources that are there.
    fn existing(&mut self, sources: &[PathBuf]) -> Result<Vec<Vec<u8>>, Error> {
        let mut existing = Vec::new();
        let mut seen = HashSet::new();
        for source in sources {
            let path = clean(source.as_os_str().as_bytes());
            if !seen.insert(path.clone()) {
                continue;
            }
            match rustix::fs::lstat(path.as_slice()) {
                Ok(stat) => {
                    self.devices.push((self.absolute(&path), stat.st_dev));
                    existing.push(path);
                }
                Err(error) => self.failed(&path, "find", &error.into())?,
            }
        }
        if existing.is_empty() {
            let named: Vec<_> = sources.iter().map(|source| source.display().to_string()).collect();
            return Err(Error::NotFound(if named.is_empty() { "a source".to_owned() } else { named.join(", ") }));
        }
        Ok(existing)
    }

    fn parts(&mut self, plan: &Plan) -> Result<(), Error> {
        for (name, part) in &plan.parts {
            self.descent.check()?;
            match &part.source {
                Some(source) => self.source(name, source)?,
                None => self.folder(name, part)?,
            }
        }
        Ok(())
    }

    /// A folder that is there because of what is in it. Links that lead to it are followed, as its path is one that was given.
    fn folder(&mut self, name: &[u8], part: &Plan) -> Result<(), Error> {
        let opened = open_given(&part.folder).and_then(|fd| {
            let stat = rustix::fs::fstat(&fd)?;
            self.descent.metadata.node(name.to_vec(), &stat, Place::Named { folder: fd.as_fd(), name: b"." })
        });
        let (node, failed) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.failed(&part.folder, "open", &error),
        };
        let absolute = self.absolute(&part.folder);
        let path = Path::new(std::ffi::OsStr::from_bytes(&absolute));
        self.descent.step(Step::Enter { name, path })?;
        if let Some(error) = failed {
            self.failed(&part.folder, "read attributes", &error)?;
        }
        self.parts(part)?;
        self.descent.step(Step::Leave { node, path })
    }

    fn source(&mut self, name: &[u8], source: &[u8]) -> Result<(), Error> {
        let slash = source.iter().rposition(|byte| *byte == b'/');
        let (folder, file_name) = match slash {
            Some(0) => (&b"/"[..], &source[1..]),
            Some(at) => (&source[..at], &source[at + 1..]),
            None => (&b"."[..], source),
        };
        let absolute = self.absolute(source);
        match open_given(folder) {
            Ok(folder) => {
                let device = self.device_of(&absolute);
                self.descent.run(folder.as_fd(), file_name, name, absolute, device)
            }
            Err(error) => self.failed(source, "open", &error),
        }
    }

    /// The file system of the nearest source that is the path or lies above it.
    fn device_of(&self, path: &[u8]) -> u64 {
        let is_above = |source: &[u8]| path.strip_prefix(source).is_some_and(|rest| matches!(rest, [] | [b'/', ..]) || source == b"/");
        let above = self.devices.iter().filter(|(source, _)| is_above(source));
        above.max_by_key(|(source, _)| source.len()).map_or(0, |(_, device)| *device)
    }

    fn absolute(&self, path: &[u8]) -> Vec<u8> {
        if path.first() == Some(&b'/') { path.to_vec() } else { join(&self.current, path) }
    }

    fn failed(&mut self, path: &[u8], doing: &'static str, error: &io::Error) -> Result<(), Error> {
        let path = PathBuf::from(std::ffi::OsString::from_vec(self.absolute(path)));
        self.descent.step(Step::Failed(Failure::of_io(path, doing, error)))
    }
}

/// None where it cannot be read; of a link, too, because it is kept as a link.
fn names_in(folder: &[u8], unread: &mut Vec<(Vec<u8>, &'static str, io::Error)>) -> Vec<Vec<u8>> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(folder, flags, Mode::empty()) {
        Ok(fd) => {
            let (names, failed) = Listing::read(fd.as_fd(), &mut Vec::new());
            unread.extend(failed.map(|error| (folder.to_vec(), "list", error)));
            names.collect()
        }
        Err(error) => {
            unread.push((folder.to_vec(), "open", error.into()));
            Vec::new()
        }
    }
}
