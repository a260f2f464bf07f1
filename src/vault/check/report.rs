//! What a check has found.

use std::fmt;

use crate::vault::id::Id;

/// The result of a check.
#[derive(Debug, Default)]
pub struct Report {
    /// What is wrong, at most 10,000 of it.
    pub problems: Vec<Problem>,
    /// How many there were beside those.
    pub more_problems: u64,
    /// Packs that no index names. Harmless: an interrupted run leaves them.
    pub orphans: Vec<Id>,
    /// Packs that several index files name. Harmless, as long as they say the same.
    pub repeated_packs: Vec<Id>,
    /// Packs that hold chunks and trees. Harmless: old programs made them.
    pub mixed_packs: Vec<Id>,
    /// Files below `locks/` that are no locks. Harmless.
    pub unreadable_locks: Vec<Id>,
    /// Snapshots that cannot be restored as a whole, oldest first.
    pub touched_snapshots: Vec<Id>,
    /// What of them cannot be restored.
    pub touched_files: Vec<TouchedFile>,
    /// Whether there are more.
    pub has_more_files: bool,
    pub snapshots: u64,
    pub trees: u64,
    pub packs: u64,
    pub packs_read: u64,
    pub bytes_read: u64,
}

/// Something that is wrong.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    pub what: What,
    pub why: String,
}

/// What it is that is not as it must be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    Key(Id),
    Index(Id),
    Snapshot(Id),
    Pack(Id),
    Tree(Id),
}

/// A file, or a folder with all below it, that a snapshot cannot give back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TouchedFile {
    pub snapshot: Id,
    /// From the snapshot's root; where a name is no UTF-8, its nearest text.
    pub path: String,
    /// The chunk or tree that is lost, the first of several.
    pub blob: Id,
    /// A pack that it should be in; `None` where no index names one.
    pub pack: Option<Id>,
}

/// What can be done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Hint {
    /// From the headers of the packs.
    RebuildIndex,
    /// What is still on the machine is stored again, and old snapshots have it again, too.
    BackUpAgain,
    ForgetSnapshots,
    RemoveKeys,
    Prune,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// What can be done, in this order.
    pub fn hints(&self) -> Vec<Hint> {
        let has = |is_so: fn(&What) -> bool| self.problems.iter().any(|problem| is_so(&problem.what));
        let is_wasteful = !(self.orphans.is_empty() && self.mixed_packs.is_empty() && self.repeated_packs.is_empty());
        let hints = [
            (has(|what| matches!(what, What::Index(_) | What::Pack(_))), Hint::RebuildIndex),
            (has(|what| matches!(what, What::Pack(_) | What::Tree(_))), Hint::BackUpAgain),
            (has(|what| matches!(what, What::Snapshot(_))) || !self.touched_snapshots.is_empty(), Hint::ForgetSnapshots),
            (has(|what| matches!(what, What::Key(_))), Hint::RemoveKeys),
            (self.is_clean() && is_wasteful, Hint::Prune),
        ];
        hints.into_iter().filter_map(|(applies, hint)| applies.then_some(hint)).collect()
    }
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, id) = match self {
            Self::Key(id) => ("key", id),
            Self::Index(id) => ("index", id),
            Self::Snapshot(id) => ("snapshot", id),
            Self::Pack(id) => ("pack", id),
            Self::Tree(id) => ("tree", id),
        };
        write!(out, "{kind} {id}")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.what, self.why)
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::RebuildIndex => "rebuild the index: it is made again from the packs, and forgets those that are gone",
            Self::BackUpAgain => "then back up again: what is still on the machine is stored anew, for older snapshots too",
            Self::ForgetSnapshots => "forget the snapshots that cannot be restored",
            Self::RemoveKeys => "remove the keys that are none",
            Self::Prune => "prune: it removes what is there for nothing",
        })
    }
}
