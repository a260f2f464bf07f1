//! What the tests of a vault's parts stand on: a place in memory that can fail, repositories that are made blob by blob, and the stock
//! restic.

mod place;
mod restic;
mod vault;

pub(super) use place::Place;
pub(super) use restic::Restic;
pub(super) use vault::{Contents, Vault, bytes, file, folder};
