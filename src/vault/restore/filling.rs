//! Filling files from chunks that come in any order, from several threads. A file whose only chunk comes is made, filled and finished at
//! one go; others stay open between their chunks, a bounded number at once, and are opened again when one more comes.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::files::{Files, State};
use super::open_folders::OpenFolders;
use super::recent::Recent;
use super::records::Records;
use super::report::Tally;
use crate::vault::FILE_LOG;
use crate::vault::failure::Failure;
use crate::vault::progress::Progress;
use crate::vault::target::{Folder, NewFile, Target, Trouble};

/// How many files are kept open.
const MOST: usize = 64;

pub(super) struct Filling<'a> {
    pub target: &'a Target,
    pub folders: &'a Records,
    pub open_folders: &'a OpenFolders,
    pub files: &'a Files,
    /// Whether what is there by now makes way.
    pub replace: bool,
    pub tally: &'a Tally,
    pub progress: &'a dyn Progress,
    /// Whoever changes the state of a file that has several chunks, holds this.
    open: Mutex<Recent<NewFile>>,
}

impl<'a> Filling<'a> {
    pub(super) fn new(
        target: &'a Target,
        (folders, open_folders, files): (&'a Records, &'a OpenFolders, &'a Files),
        replace: bool,
        (tally, progress): (&'a Tally, &'a dyn Progress),
    ) -> Self {
        Self { target, folders, open_folders, files, replace, tally, progress, open: Mutex::new(Recent::new(MOST)) }
    }

    /// Makes a file that has no bytes.
    pub(super) fn make_empty(&self, file: u32) {
        self.done(file, self.fill_at_once(file, 0, &[], true));
    }

    /// Writes a chunk where it belongs. An error costs the file.
    pub(super) fn put(&self, file: u32, offset: u64, bytes: &[u8], is_zero: bool) {
        let written = match self.files.state(file) {
            State::Planned if self.files.chunks_left(file) == 1 => self.fill_at_once(file, offset, bytes, is_zero),
            State::Planned | State::Begun => self.fill_part(file, offset, bytes, is_zero),
            State::Done | State::Kept | State::Failed => return,
        };
        self.tally.bytes_written.add(bytes.len() as u64);
        self.progress.did(0, bytes.len() as u64);
        self.done(file, written);
    }

    /// The path of a file, for people.
    pub(super) fn path_of(&self, file: u32) -> PathBuf {
        self.folders.path_of(self.files.records.folder(file), self.files.records.name(file))
    }

    /// Gives a file up: nothing of it stays, and it is told once.
    pub(super) fn fail(&self, file: u32, failure: impl FnOnce(PathBuf) -> Failure) {
        let mut open = self.open.lock().expect("nobody panics while holding it");
        let before = self.files.set_state(file, State::Failed);
        if before == State::Begun {
            open.remove(file);
            self.remove_temporary(file);
        }
        drop(open);
        if before != State::Failed {
            self.tally.fail(failure(self.path_of(file)));
            self.progress.did(1, 0);
        }
    }

    /// Removes what was begun and will not be finished.
    pub(super) fn sweep(&self) {
        for file in 0..self.files.records.len() {
            if self.files.state(file) == State::Begun {
                self.remove_temporary(file);
            }
        }
    }

    fn remove_temporary(&self, file: u32) {
        // What cannot be removed, cannot be helped: the failure that led here is told.
        if let Ok(folder) = self.folder(file) {
            let _ = folder.remove(&self.temporary(file));
        }
    }

    fn done(&self, file: u32, written: Result<(), Trouble>) {
        if let Err(Trouble { doing, error }) = written {
            self.fail(file, |path| Failure::of_io(path, doing, &error));
        }
    }

    fn fill_at_once(&self, file: u32, offset: u64, bytes: &[u8], is_zero: bool) -> Result<(), Trouble> {
        let folder = self.folder(file).map_err(|error| Trouble { doing: "open folder", error })?;
        self.files.set_state(file, State::Begun);
        let new = NewFile::create(&folder, &self.temporary(file), self.target.has_nameless());
        let new = new.map_err(|error| Trouble { doing: "create", error })?;
        let end = if is_zero { Ok(0) } else { new.write_at(offset, bytes) };
        let size = self.files.size_bytes(file);
        let sized = end.and_then(|end| if end < size { new.set_size(size) } else { Ok(()) });
        sized.map_err(|error| Trouble { doing: "write", error })?;
        self.finish(file, &folder, &new)
    }

    fn fill_part(&self, file: u32, offset: u64, bytes: &[u8], is_zero: bool) -> Result<(), Trouble> {
        let Some(new) = self.open(file)? else { return Ok(()) };
        if !is_zero {
            new.write_at(offset, bytes).map_err(|error| Trouble { doing: "write", error })?;
        }
        if !self.files.wrote_chunks(file, 1) {
            return Ok(());
        }
        self.open.lock().expect("nobody panics while holding it").remove(file);
        let folder = self.folder(file).map_err(|error| Trouble { doing: "open folder", error })?;
        self.finish(file, &folder, &new)
    }

    /// The file, open; nothing where another thread has given it up.
    fn open(&self, file: u32) -> Result<Option<Arc<NewFile>>, Trouble> {
        let trouble = |doing| move |error: io::Error| Trouble { doing, error };
        let mut open = self.open.lock().expect("nobody panics while holding it");
        if let Some(new) = open.get(file) {
            return Ok(Some(new));
        }
        let folder = self.folder(file).map_err(trouble("open folder"))?;
        let new = match self.files.state(file) {
            State::Planned => {
                self.files.set_state(file, State::Begun);
                let new = NewFile::create(&folder, &self.temporary(file), self.target.has_nameless());
                let new = new.map_err(trouble("create"))?;
                new.set_size(self.files.size_bytes(file)).map_err(trouble("set size"))?;
                new
            }
            State::Begun => NewFile::reopen(&folder, &self.temporary(file)).map_err(trouble("open"))?,
            State::Done | State::Kept | State::Failed => return Ok(None),
        };
        let new = Arc::new(new);
        if let Some((other, closed)) = open.put(file, Arc::clone(&new))
            && let Ok(folder) = self.folder(other)
        {
            // Where that fails, opening it again does.
            let _: io::Result<()> = closed.lay_down(&folder, &self.temporary(other));
        }
        Ok(Some(new))
    }

    fn finish(&self, file: u32, folder: &Folder, new: &NewFile) -> Result<(), Trouble> {
        let records = &self.files.records;
        let (temporary, name) = (self.temporary(file), records.name(file));
        let mut troubles = Vec::new();
        let owner = self.target.owner();
        new.finish(folder, (&temporary, name), &records.attributes(file), self.replace, owner, &mut troubles)?;
        self.files.set_state(file, State::Done);
        self.tell(file, troubles);
        self.tally.files.add(1);
        self.progress.did(1, 0);
        tracing::trace!(target: FILE_LOG, path = %self.path_of(file).display(), "restored");
        Ok(())
    }

    /// What could not be set beside the bytes.
    pub(super) fn tell(&self, file: u32, troubles: Vec<Trouble>) {
        for Trouble { doing, error } in troubles {
            self.tally.fail(Failure::of_io(self.path_of(file), doing, &error));
        }
    }

    pub(super) fn folder(&self, file: u32) -> io::Result<Arc<Folder>> {
        self.open_folders.get(self.folders, self.files.records.folder(file))
    }

    fn temporary(&self, file: u32) -> Vec<u8> {
        self.target.temporaries().name(file.into())
    }
}
