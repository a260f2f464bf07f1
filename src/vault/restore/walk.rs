//! The walk through a snapshot's trees: folders and what has no bytes are made on the way, files are listed with their chunks. No
//! recursion, so that any depth will do.

mod entries;
mod links;

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use super::blobs::{Blobs, Place};
use super::files::Files;
use super::open_folders::OpenFolders;
use super::records::Records;
use super::report::Tally;
use super::trees_ahead::{FETCHERS, TreesAhead};
use super::{Decision, Options, Source};
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::failure::Failure;
use crate::vault::id::Id;
use crate::vault::parallel::{OnPanic, join_all};
use crate::vault::target::{Attributes, Existing, Folder, Target, Trouble, check_name};
use crate::vault::tree::{Content, Metadata, Node};
pub(super) use links::{Links, Name};

/// What a walk found to be done.
#[derive(Default)]
pub(super) struct Planned {
    /// Number 0 is the target.
    pub folders: Records,
    pub made: Vec<Made>,
    pub files: Files,
    /// Files that have no bytes.
    pub empty: Vec<u32>,
    /// Files whose bytes may be there, and which part of `places` is theirs.
    pub candidates: Vec<(u32, std::ops::Range<usize>)>,
    pub links: Links,
    pub blobs: Blobs,
    pub places: Vec<Place>,
    /// Of files that are to be filled.
    pub bytes: u64,
}

/// Whether a folder is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Made {
    NotYet,
    /// Not yet, and only where something below it is taken.
    NotByItself,
    Yes,
    /// It was there, and only lies above what is taken: it keeps its own metadata.
    Kept,
    Failed,
}

impl Made {
    const fn is_open(self) -> bool {
        matches!(self, Self::NotYet | Self::NotByItself)
    }
}

pub(super) struct Walk<'a> {
    pub source: &'a Source<'a>,
    /// None where nothing is written and nothing is there.
    pub target: Option<&'a Target>,
    pub open_folders: Option<&'a OpenFolders>,
    pub options: &'a Options<'a>,
    pub cancel: &'a Cancel,
    pub tally: &'a Tally,
}

/// What is still to be walked through.
enum Step {
    Enter {
        folder: u32,
        tree: Id,
    },
    /// The path gets this short again.
    Leave {
        path_len: usize,
    },
}

impl Walk<'_> {
    /// Everything below this tree. An error ends the restore; what costs single entries is told to the tally.
    pub(super) fn run(&self, root: Id) -> Result<Planned, Error> {
        let ahead = TreesAhead::new(self.source);
        std::thread::scope(|scope| {
            let fetchers = (0..FETCHERS).map(|_| scope.spawn(|| ahead.fetch())).collect();
            let end = OnPanic(|| ahead.end());
            let planned = self.walk(root, &ahead);
            drop(end);
            ahead.end();
            join_all(fetchers);
            planned
        })
    }

    fn walk(&self, root: Id, ahead: &TreesAhead<'_>) -> Result<Planned, Error> {
        let mut planned = Planned::default();
        planned.folders.push(0, b"", &Metadata::default());
        planned.made.push(Made::Yes);
        let mut steps = vec![Step::Enter { folder: 0, tree: root }];
        let mut path = Vec::new();
        while let Some(step) = steps.pop() {
            self.cancel.check()?;
            match step {
                Step::Leave { path_len } => path.truncate(path_len),
                Step::Enter { folder, tree } if planned.made[planned.folders.folder(folder) as usize] == Made::Failed => {
                    planned.made[folder as usize] = Made::Failed;
                    ahead.drop_one(&tree);
                }
                Step::Enter { folder, tree } => {
                    steps.push(Step::Leave { path_len: path.len() });
                    if folder != 0 {
                        path.push(b'/');
                        path.extend_from_slice(planned.folders.name(folder));
                    }
                    let first = steps.len();
                    self.enter(&mut planned, folder, &tree, &mut path, ahead, &mut steps)?;
                    // The first folder is walked through first.
                    steps[first..].reverse();
                    let next: Vec<Id> = steps[first..].iter().rev().filter_map(Step::tree).collect();
                    ahead.want(&next);
                }
            }
        }
        Ok(planned)
    }

    fn enter(
        &self,
        planned: &mut Planned,
        folder: u32,
        tree: &Id,
        path: &mut Vec<u8>,
        ahead: &TreesAhead<'_>,
        steps: &mut Vec<Step>,
    ) -> Result<(), Error> {
        let nodes = match ahead.take(tree) {
            Ok(tree) => tree.nodes,
            Err(error @ (Error::Damaged { .. } | Error::NotFound(_) | Error::Refused(_))) => {
                self.fail(planned, folder, b"", |path| Failure::of(path, "read folder", error));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // In the order in which they should come, none is there twice.
        let in_order = nodes.is_sorted_by(|one, next| one.name < next.name);
        let mut seen = HashSet::new();
        for node in nodes {
            self.cancel.check()?;
            let path_len = path.len();
            path.push(b'/');
            path.extend_from_slice(&node.name);
            let decision = (self.options.filter)(path, &node);
            path.truncate(path_len);
            if decision == Decision::Skip {
                continue;
            }
            if let Err(why) = check_name(&node.name) {
                self.tally.fail(Failure::of(planned.folders.path_of(folder, b""), "check name", why));
                continue;
            }
            if !in_order && !seen.insert(node.name.clone()) {
                self.fail(planned, folder, &node.name, |path| Failure::of(path, "check name", "the folder has another entry of this name"));
                continue;
            }
            match (&node.content, decision) {
                (Content::Folder { tree }, _) => steps.extend(self.folder(planned, folder, &node, *tree, decision)),
                (_, Decision::Take) => self.entry(planned, folder, node),
                (_, Decision::Skip | Decision::DescendOnly) => {}
            }
        }
        Ok(())
    }

    /// Lists a folder, and makes it where it is asked for by itself. What is below it, if that can be had.
    fn folder(&self, planned: &mut Planned, within: u32, node: &Node, tree: Option<Id>, decision: Decision) -> Option<Step> {
        let folder = planned.folders.push(within, &node.name, &node.metadata);
        planned.made.push(if decision == Decision::Take { Made::NotYet } else { Made::NotByItself });
        if decision == Decision::Take {
            self.make_folder(planned, folder)?;
        }
        if tree.is_none() {
            self.fail(planned, folder, b"", |path| Failure::of(path, "read folder", "the backup could not read it"));
        }
        Some(Step::Enter { folder, tree: tree? })
    }

    /// Makes a folder and those above it; nothing where that failed, which has been told then.
    fn make_folder(&self, planned: &mut Planned, folder: u32) -> Option<()> {
        let (mut missing, mut at) = (Vec::new(), folder);
        while planned.made[at as usize].is_open() {
            missing.push(at);
            at = planned.folders.folder(at);
        }
        let mut made = planned.made[at as usize];
        for folder in missing.into_iter().rev() {
            if made != Made::Failed {
                made = self.make_one(planned, folder).unwrap_or_else(|Trouble { doing, error }| {
                    self.fail(planned, folder, b"", |path| Failure::of_io(path, doing, &error));
                    Made::Failed
                });
            }
            planned.made[folder as usize] = made;
        }
        (made != Made::Failed).then_some(())
    }

    fn make_one(&self, planned: &Planned, folder: u32) -> Result<Made, Trouble> {
        let (within, name) = (planned.folders.folder(folder), planned.folders.name(folder));
        let is_new = if self.options.dry_run {
            self.existing(planned, within, name).is_ok_and(|existing| existing.is_none())
        } else {
            self.open(planned, within).map_err(|error| Trouble { doing: "open folder", error })?.make(name)?
        };
        if planned.made[folder as usize] == Made::NotByItself {
            if !is_new {
                return Ok(Made::Kept);
            }
            self.dress(planned, folder);
        }
        self.tally.folders.add(1);
        Ok(Made::Yes)
    }

    /// Puts a folder's own metadata on it as soon as it is made, but so that we can still write into it: where the restore is killed, the
    /// next one finds the folder there and leaves it as it is. What is refused is told at the end, when it is done once more.
    fn dress(&self, planned: &Planned, folder: u32) {
        if let (Some(target), Ok(open)) = (self.target, self.open(planned, folder)) {
            let attributes = planned.folders.attributes(folder);
            open.finish(&Attributes { mode: attributes.mode | 0o700, ..attributes }, target.owner(), &mut Vec::new());
        }
    }

    /// A folder of the target that is there.
    fn open(&self, planned: &Planned, folder: u32) -> io::Result<Arc<Folder>> {
        let open_folders = self.open_folders.ok_or(io::ErrorKind::NotFound)?;
        open_folders.get(&planned.folders, folder)
    }

    /// What stands at an entry's place.
    fn existing(&self, planned: &Planned, folder: u32, name: &[u8]) -> io::Result<Option<Existing>> {
        match self.open(planned, folder).and_then(|folder| folder.look(name)) {
            // Nothing was made that one could look into.
            Err(_) if self.options.dry_run => Ok(None),
            looked => looked,
        }
    }

    fn fail(&self, planned: &Planned, folder: u32, name: &[u8], failure: impl FnOnce(std::path::PathBuf) -> Failure) {
        self.tally.fail(failure(planned.folders.path_of(folder, name)));
    }
}

impl Step {
    fn tree(&self) -> Option<Id> {
        match self {
            Self::Enter { tree, .. } => Some(*tree),
            Self::Leave { .. } => None,
        }
    }
}
