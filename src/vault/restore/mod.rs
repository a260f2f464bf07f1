//! Restore: makes files of a snapshot's trees, below one folder (`target`) and nowhere else.
//!
//! The trees are walked first (`walk`): folders are made, files listed with the blobs that they need. Then each pack is read once, in
//! order (`reading`), by a few threads; workers on all cores open the blobs, compare them with their ids and write them wherever they
//! go (`working`, `filling`). Last come further names of files and the metadata of folders (`ending`).
//!
//! What it promises: a file has its name only when it has all its bytes, each compared with its SHA-256. Whatever is damaged, missing or
//! refused costs the entries that need it; they are listed and the rest is restored. The memory that it takes is bounded beside about 70
//! bytes a chunk and as many a file, and so is the number of open files. When it ends, early or not, no temporary file is left.
//!
//! Sockets are not restored, as with restic.

mod blobs;
mod ending;
mod files;
mod filling;
mod open_folders;
mod reading;
mod recent;
mod records;
mod report;
#[cfg(test)]
pub(super) use tests::skip;
#[cfg(test)]
mod tests;
mod there_already;
mod trees_ahead;
mod verifying;
mod walk;
mod working;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use jiff::Timestamp;

pub use report::Report;

use super::backend::content::Content;
use super::backend::{Kind, Name};
use super::cancel::Cancel;
use super::error::Error;
use super::id::Id;
use super::index::{Index, Place};
use super::parallel::{OnPanic, join_all};
use super::progress::Progress;
use super::repository::Repository;
use super::target::{Overwrite, Target};
use super::tree::Node;
use blobs::{Blobs, Order};
use filling::Filling;
use open_folders::OpenFolders;
use reading::{READERS, Reading};
use report::Tally;
use there_already::Comparing;
use walk::{Planned, Walk};
use working::Working;

/// A blob that is said to be larger is not read: no program makes such, and it would take the memory.
const LARGEST_BLOB: u32 = 256 << 20;
/// Workers at most: each has a chunk in memory.
const MOST_WORKERS: usize = 8;

/// Where a snapshot's trees and chunks come from.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub repository: &'a Repository,
    pub index: &'a Index,
}

/// What of a snapshot is restored, and how.
pub struct Options<'a> {
    /// Asked for each entry, with its path from the snapshot's root on (a slash in front); for what is below a folder only where the
    /// folder was not skipped.
    pub filter: &'a (dyn Fn(&[u8], &Node) -> Decision + Sync),
    pub overwrite: Overwrite,
    /// Nothing is written; the report says what would be.
    pub dry_run: bool,
    /// Whether files are read again and compared.
    pub verify: bool,
}

/// What is done with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    Take,
    /// Neither the entry nor anything below it.
    Skip,
    /// A folder that is made only if something below it is taken; one that is there already keeps its own metadata. Other entries are
    /// skipped.
    DescendOnly,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { filter: &|_, _| Decision::Take, overwrite: Overwrite::Always, dry_run: false, verify: false }
    }
}

/// Restores what is below this tree, the root of a snapshot or a folder in it, into a folder, which is made where it is missing and
/// keeps its own metadata.
pub fn restore(source: Source<'_>, root: Id, target: &Path, options: &Options<'_>, cancel: &Cancel, progress: &dyn Progress) -> Report {
    let (start, tally) = (Timestamp::now(), Tally::default());
    let run = Run { source: &source, options, cancel, tally: &tally, progress };
    let ended_by = run.restore(root, target).err();
    tally.report(start, ended_by)
}

struct Run<'a> {
    source: &'a Source<'a>,
    options: &'a Options<'a>,
    cancel: &'a Cancel,
    tally: &'a Tally,
    progress: &'a dyn Progress,
}

impl Run<'_> {
    fn restore(&self, root: Id, target: &Path) -> Result<(), Error> {
        let target = if self.options.dry_run {
            match Target::open(target) {
                Err(Error::NotFound(_)) => None,
                opened => Some(opened?),
            }
        } else {
            Some(Target::create(target)?)
        };
        let open_folders = target.as_ref().map(OpenFolders::new);
        let Self { source, options, cancel, tally, progress } = *self;
        let walk = Walk { source, target: target.as_ref(), open_folders: open_folders.as_ref(), options, cancel, tally };
        let planned = walk.run(root)?;
        progress.found(planned.files.records.len().into(), planned.bytes);
        match (&target, &open_folders) {
            (Some(target), Some(open_folders)) if !options.dry_run => self.fill(target, open_folders, planned),
            _ => {
                tally.files.add(planned.files.records.len().into());
                tally.bytes_written.add(planned.bytes);
                Ok(())
            }
        }
    }

    fn fill(&self, target: &Target, open_folders: &OpenFolders, planned: Planned) -> Result<(), Error> {
        let Planned { folders, made, files, empty, candidates, links, blobs, mut places, .. } = planned;
        let replace = self.options.overwrite != Overwrite::Never;
        let filling = Filling::new(target, (&folders, open_folders, &files), replace, (self.tally, self.progress));
        let _sweep = OnPanic(|| filling.sweep());
        if !candidates.is_empty() {
            let has: Vec<AtomicBool> = places.iter().map(|_| AtomicBool::new(false)).collect();
            let comparing = Comparing { filling: &filling, blobs: &blobs, places: &places, has: &has, cancel: self.cancel };
            side_by_side(&candidates, |(file, range)| comparing.compare(*file, range.clone()));
            let mut has = has.into_iter();
            places.retain(|_| !has.next().expect("one for each place").into_inner());
        }
        let filled = self.fill_from_packs(&filling, &empty, blobs, places);
        filling.sweep();
        let mut order = filled?;
        ending::link(&filling, &links, self.cancel);
        ending::finish_folders(&filling, &made, self.cancel);
        self.cancel.check()?;
        if self.options.verify {
            let ranges = verifying::by_file(&mut order);
            side_by_side(&ranges, |range| verifying::verify(&filling, &order, &order.places[range.clone()], self.cancel));
        }
        self.cancel.check()
    }

    fn fill_from_packs(&self, filling: &Filling<'_>, empty: &[u32], blobs: Blobs, places: Vec<blobs::Place>) -> Result<Order, Error> {
        side_by_side(empty, |file| {
            if !self.cancel.is_raised() {
                filling.make_empty(*file);
            }
        });
        let order = blobs.in_order(places);
        let reading = Reading::new(self.source, &order, self.cancel);
        let working = Working { source: self.source, order: &order, reading: &reading, filling };
        std::thread::scope(|scope| {
            let readers = (0..READERS).map(|_| scope.spawn(|| reading.read()));
            let workers = (0..workers()).map(|_| scope.spawn(|| working.work()));
            join_all(readers.chain(workers).collect());
        });
        match reading.ended_by() {
            Some(error) => Err(error),
            None => Ok(order),
        }
    }
}

impl Source<'_> {
    fn read_pack(&self, pack: Id, range: Range<u64>) -> Result<Content, Error> {
        if range.end - range.start > LARGEST_BLOB.into() {
            return Err(Error::damaged(format!("pack {}", pack.short()), "the index names a chunk that is larger than any"));
        }
        self.repository.backend().read(Name::Of(Kind::Data, pack), Some(range))
    }

    /// The plain bytes of a sealed blob, which lies at one place; their length has to be that which was reckoned with. `room` is for those
    /// that were compressed.
    fn open_blob<'b>(&self, sealed: &'b mut [u8], at: &Place, wanted: &Place, room: &'b mut Vec<u8>) -> Result<&'b [u8], Error> {
        if at.blob.plain_length() != wanted.blob.plain_length() || at.blob.plain_length() > LARGEST_BLOB {
            return Err(wrong_length(at));
        }
        as_long_as_planned(self.repository.open_blob(sealed, at, room)?, at)
    }

    /// [`Self::open_blob`] of two that lie where they were planned and are not too large, in less time than one after the other.
    fn open_two_blobs<'b>(
        &self,
        sealed: [&'b mut [u8]; 2],
        places: [&Place; 2],
        rooms: &'b mut [Vec<u8>; 2],
    ) -> [Result<&'b [u8], Error>; 2] {
        let [one, other] = self.repository.open_two_blobs(sealed, places, rooms);
        [(one, places[0]), (other, places[1])].map(|(plain, place)| as_long_as_planned(plain?, place))
    }
}

fn as_long_as_planned<'b>(plain: &'b [u8], place: &Place) -> Result<&'b [u8], Error> {
    if plain.len() == place.blob.plain_length() as usize { Ok(plain) } else { Err(wrong_length(place)) }
}

fn wrong_length(place: &Place) -> Error {
    Error::damaged(format!("chunk {} in pack {}", place.blob.id.short(), place.pack.short()), "the index has a wrong length")
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS)
}

/// Does something for each of them, several at once, in about their order.
fn side_by_side<T: Sync>(all: &[T], one: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let take_some = || {
            while let Some(item) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                one(item);
            }
        };
        join_all((0..workers().min(all.len())).map(|_| scope.spawn(take_some)).collect());
    });
}
