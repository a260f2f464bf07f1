//! Whether a repository is whole: every file of it can be read, every pack that the index names is there with the size that it must
//! have, and everything that a snapshot needs is in the index. Where it is asked for, packs are read: all, or some.
//!
//! A whole repository is never said to be damaged, and nothing is changed. What is damaged is told with what it costs: snapshots, and
//! files by their paths. In memory are, beside the index, two bits for each of its entries and some packs that are read at once.

mod data;
mod files;
mod findings;
mod packs;
mod report;
mod structure;
mod subset;
#[cfg(test)]
mod tests;
mod touched;

pub use report::{Hint, Problem, Report, TouchedFile, What};
pub use subset::Subset;

use super::bits::Bits;
use super::cancel::Cancel;
use super::error::Error;
use super::id::Id;
use super::index::Index;
use super::pack::BlobKind;
use super::pack_table::PackTable;
use super::progress::Progress;
use super::repository::Repository;
use super::snapshots::Stored;
use findings::Findings;

/// How much of the packs is read.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Read {
    /// Trees only.
    #[default]
    Nothing,
    All,
    Some(Subset),
}

/// What the parts of a check share.
struct Check<'a> {
    repository: &'a Repository,
    cancel: &'a Cancel,
    progress: &'a dyn Progress,
    index: Index,
    table: PackTable,
    snapshots: Vec<Stored>,
    /// Entries of the index whose blob is not where they say.
    bad: Bits,
    findings: Findings,
}

/// Checks a repository. An error is one of the place, or that it was cancelled: what is damaged is in the report. Under a shared lock
/// packs that a prune has just removed cannot be mistaken for damage.
pub fn run(repository: &Repository, read: Read, cancel: &Cancel, progress: &dyn Progress) -> Result<Report, Error> {
    let findings = Findings::default();
    files::check_keys(repository, &findings)?;
    files::check_locks(repository, &findings)?;
    // Snapshots before the index: what one needs was stored before it, so the index that is read later names it.
    let snapshots = files::load_snapshots(repository, &findings, cancel)?;
    let index = files::load_index(repository, &findings, cancel)?;
    let (table, bad) = (PackTable::new(&index), Bits::new(index.len()));
    let check = Check { repository, cancel, progress, index, table, snapshots, bad, findings };
    let chosen = check.chosen(read);
    check.compare_packs()?;
    check.read_trees()?;
    check.read_packs(&chosen)?;
    check.find_touched()?;
    Ok(check.findings.into_report())
}

impl Check<'_> {
    /// Notes that a blob is not, or not whole, where these entries say. Whether that is news.
    fn mark_bad(&self, numbers: impl Iterator<Item = u32>) -> bool {
        let mut is_news = false;
        for number in numbers {
            is_news |= self.bad.insert(number);
        }
        is_news
    }

    /// Whether no copy of a blob is known to be good.
    fn is_lost(&self, kind: BlobKind, id: Id) -> bool {
        self.index.numbers(kind, id).all(|number| self.bad.contains(number))
    }
}
