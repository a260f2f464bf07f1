//! A backup: from folders to a snapshot.
//!
//! The calling thread walks (`super::source::walk`) and decides for each file whether it is as the parent snapshot has it; such a file
//! is not read. All others become jobs of the workers, one for each core (`pool`): a file of at most one chunk's length is read, cut,
//! hashed, compressed and sealed by one of them; a longer one is read by a thread of its own (`ahead`), a worker only cuts it, and its
//! chunks are jobs for all (`reader`). Sealed chunks go to the `super::writer`. One more thread (`trees`) takes the entries in the
//! order of the walk, waits for each file's chunks and makes the trees.
//!
//! Every queue is bounded, so memory does not grow with what is backed up. The snapshot is written last, after everything that it needs
//! is on stable storage.

mod ahead;
mod job;
mod parent;
mod pool;
mod reader;
mod report;
mod run;
mod saver;
mod segment;
#[cfg(test)]
mod tests;
mod trees;

pub use report::{Count, Report};
pub use run::{Options, backup};
