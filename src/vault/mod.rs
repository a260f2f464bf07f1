//! The vault engine: encrypted, deduplicating repositories in restic's format (version 2, reading version 1 too), as described in
//! restic's own `doc/design.rst`. It is an ordinary client: it knows no server code, and nothing else in the product knows the format.
//!
//! A repository is a place (`backend`) that keeps files by name: one `config`, and keys, locks, snapshots, indexes and packs by their
//! SHA-256. Whatever is kept is sealed (`crypto`) with a master key that passwords open (`keys`). File contents are cut into chunks
//! (`chunk`), folders become `tree`s; both are blobs, named by the SHA-256 of their plain bytes, compressed, sealed and put together
//! into packs (`pack`). The `index` says in which pack a blob lies, a `snapshot` names the tree of one backup.
//!
//! What it promises: a snapshot is written only after all that it needs is stored; nothing is deleted before what replaces it is
//! stored; an error costs the file it concerns, is listed with path and errno, and the rest is done. Threads, no async: the work is
//! hashing and compressing.

/// The few calls a repository needs of the place that keeps it.
pub mod backend;
/// From folders to a snapshot.
pub mod backup;
mod bits;
/// Stopping work that is under way.
pub mod cancel;
/// Whether all that snapshots need is there, and whole.
pub mod check;
/// Where files are cut.
pub mod chunk;
/// zstd, with compressors that are kept.
pub mod compression;
/// What a repository says of itself.
pub mod config;
/// AES-256-CTR and Poly1305-AES.
pub mod crypto;
/// What a caller can act on.
pub mod error;
/// What one entry cost.
pub mod failure;
/// Which snapshots a policy keeps.
pub mod forget;
/// Names of blobs and files.
pub mod id;
/// Which pack holds which blob.
pub mod index;
/// Pauses of random length.
pub mod jitter;
/// Passwords, and the files that they open.
pub mod keys;
/// Who may work on a repository at the same time.
pub mod lock;
mod nameless;
/// Blobs, put together.
pub mod pack;
mod pack_table;
mod parallel;
mod past_cache;
mod polynomial;
/// How far a run is.
pub mod progress;
/// Removing what no snapshot needs.
pub mod prune;
mod reachable;
/// All of it, opened with a password.
pub mod repository;
/// A snapshot's files, made again.
pub mod restore;
mod room;
/// Blobs as they lie in packs.
pub mod seal;
/// What one backup was.
pub mod snapshot;
/// All backups of a repository.
pub mod snapshots;
/// Reading a file system for a backup.
pub mod source;
/// The folder that a restore fills, and nothing outside of it.
pub mod target;
#[cfg(test)]
mod testing;
/// Folders and what is in them, as a backup keeps them.
pub mod tree;
/// Reading many trees.
pub mod tree_reader;
mod two_hashes;
/// Blobs on their way into packs.
pub mod writer;

/// The target of log lines that name a file which is saved or restored. A log is off for it unless it is asked for by this name.
pub const FILE_LOG: &str = "strongroom::file";
