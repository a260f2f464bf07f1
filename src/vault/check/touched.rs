//! What damage costs: which snapshots cannot be restored as a whole, and which of their files.

use super::Check;
use super::report::TouchedFile;
use crate::vault::bits::Bits;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::pack::BlobKind;
use crate::vault::snapshots::Stored;
use crate::vault::tree::{Content, Tree};

/// Files that are told by their paths, of one snapshot and of all.
const MOST_OF_ONE: usize = 100;
const MOST_OF_ALL: usize = 1_000;

/// What is known of trees, by the first number that the index has for them.
struct Known {
    whole: Bits,
    broken: Bits,
}

/// A tree whose folders are being looked at.
struct Open {
    number: u32,
    is_broken: bool,
    folders: Vec<Id>,
}

impl Check<'_> {
    /// Finds it where there is damage; else there is nothing to do. Each tree is read once, and those on the way to damage again for each
    /// snapshot.
    pub(super) fn find_touched(&self) -> Result<(), Error> {
        if self.findings.note(|report| report.problems.is_empty()) {
            return Ok(());
        }
        let known = Known { whole: Bits::new(self.index.len()), broken: Bits::new(self.index.len()) };
        for stored in &self.snapshots {
            if self.is_broken(stored.snapshot.tree, &known)? {
                self.findings.note(|report| report.touched_snapshots.push(stored.id));
                self.tell_files(stored, &known)?;
            }
        }
        Ok(())
    }

    /// Whether anything at or below a tree is lost.
    fn is_broken(&self, root: Id, known: &Known) -> Result<bool, Error> {
        let Some(first) = self.enter(root, known)? else { return Ok(self.is_known_broken(root, known)) };
        let mut open = vec![first];
        while let Some(top) = open.last_mut() {
            match top.folders.pop() {
                Some(folder) => match self.enter(folder, known)? {
                    Some(below) => open.push(below),
                    None => top.is_broken |= self.is_known_broken(folder, known),
                },
                None => {
                    let Open { number, is_broken, .. } = open.pop().expect("it is there");
                    if is_broken { &known.broken } else { &known.whole }.insert(number);
                    if let Some(above) = open.last_mut() {
                        above.is_broken |= is_broken;
                    }
                }
            }
        }
        Ok(self.is_known_broken(root, known))
    }

    /// A tree to be looked at; `None` where it is known already.
    fn enter(&self, id: Id, known: &Known) -> Result<Option<Open>, Error> {
        let Some(number) = self.index.numbers(BlobKind::Tree, id).min() else { return Ok(None) };
        if known.whole.contains(number) || known.broken.contains(number) {
            return Ok(None);
        }
        let Some(tree) = self.read(id)? else { return Ok(Some(Open { number, is_broken: true, folders: Vec::new() })) };
        let mut open = Open { number, is_broken: false, folders: Vec::new() };
        for node in tree.nodes {
            match node.content {
                Content::File { chunks, .. } => open.is_broken |= chunks.iter().any(|chunk| self.is_lost(BlobKind::Data, *chunk)),
                Content::Folder { tree: Some(tree) } => open.folders.push(tree),
                _ => {}
            }
        }
        Ok(Some(open))
    }

    fn is_known_broken(&self, id: Id, known: &Known) -> bool {
        self.index.numbers(BlobKind::Tree, id).min().is_none_or(|number| known.broken.contains(number))
    }

    /// The tree; `None` where it is lost.
    fn read(&self, id: Id) -> Result<Option<Tree>, Error> {
        self.cancel.check()?;
        match self.repository.read_tree(&self.index, id) {
            Ok(tree) => Ok(Some(tree)),
            Err(Error::Damaged { .. } | Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn tell_files(&self, stored: &Stored, known: &Known) -> Result<(), Error> {
        let mut told = 0;
        let mut waiting = vec![(String::new(), stored.snapshot.tree)];
        while let Some((path, id)) = waiting.pop() {
            if told >= MOST_OF_ONE || self.findings.note(|report| report.touched_files.len() >= MOST_OF_ALL) {
                self.findings.note(|report| report.has_more_files = true);
                return Ok(());
            }
            let Some(tree) = self.read(id)? else {
                told += 1;
                self.tell(stored.id, if path.is_empty() { "/".to_owned() } else { path }, (BlobKind::Tree, id));
                continue;
            };
            for node in tree.nodes {
                let path = || format!("{path}/{}", String::from_utf8_lossy(&node.name));
                match node.content {
                    Content::Folder { tree: Some(below) } if self.is_known_broken(below, known) => waiting.push((path(), below)),
                    Content::File { ref chunks, .. } => {
                        let lost = chunks.iter().find(|chunk| self.is_lost(BlobKind::Data, **chunk));
                        if let Some(chunk) = lost.filter(|_| told < MOST_OF_ONE) {
                            told += 1;
                            self.tell(stored.id, path(), (BlobKind::Data, *chunk));
                        } else if lost.is_some() {
                            self.findings.note(|report| report.has_more_files = true);
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn tell(&self, snapshot: Id, path: String, (kind, blob): (BlobKind, Id)) {
        let pack = self.index.find(kind, blob).map(|place| place.pack);
        self.findings.note(|report| report.touched_files.push(TouchedFile { snapshot, path, blob, pack }));
    }
}
