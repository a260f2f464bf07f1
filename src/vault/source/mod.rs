//! Reading a file system for a backup: what is there (`walk`), what of it is taken (`select`, `exclude`, `pattern`), what is kept
//! of an entry beside its contents (`metadata`), and the files themselves (`open`, `stamp`).
//!
//! What it promises: nothing of the file system is changed, and no link is followed below a source. What cannot be read costs that entry
//! alone, and is named with path and errno.

/// What a backup leaves out.
pub mod exclude;
/// An entry without its contents.
pub mod metadata;
/// Opening files.
pub mod open;
/// Patterns of paths.
pub mod pattern;
/// What of a file system is taken.
pub mod select;
/// Whether a file has changed.
pub mod stamp;
#[cfg(test)]
pub(super) mod testing;
/// Folders and entries, one after another.
pub mod walk;
