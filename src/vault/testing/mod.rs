//! What the tests of a vault's parts stand on: a place in memory that can fail, a server in front of it, calls that a test comes in
//! between of, repositories that are made blob by blob, files that lie on the disk alone, and the stock restic.

mod before;
mod cold;
mod place;
mod restic;
mod served;
mod vault;

pub(super) use before::{Before, Call};
pub(super) use cold::cold_file;
pub(super) use place::Place;
pub(super) use restic::Restic;
pub(super) use served::Served;
pub(super) use vault::{Contents, Vault, bytes, file, folder};
