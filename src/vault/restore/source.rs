//! What a restore asks of a repository.

use std::ops::Range;

use bytes::Bytes;

use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::tree::Tree;

/// Where a blob lies, sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Location {
    pub pack: Id,
    pub offset: u32,
    /// Of the sealed bytes.
    pub length: u32,
    /// Of the plain bytes.
    pub raw_length: u32,
}

/// Where trees and blobs come from. Every call may be made by many threads at once.
pub trait Source: Sync {
    fn load_tree(&self, id: &Id) -> Result<Tree, Error>;

    /// Where a blob of file contents lies; any one place where it lies in several packs.
    fn find(&self, id: &Id) -> Option<Location>;

    /// All places where it lies.
    fn find_all(&self, id: &Id) -> Vec<Location>;

    /// Exactly this part of a pack.
    fn read(&self, pack: &Id, range: Range<u64>) -> Result<Bytes, Error>;

    /// The plain bytes of a sealed blob; whether they are the right ones is for the caller to check.
    fn open_blob(&self, sealed: &[u8], location: &Location) -> Result<Vec<u8>, Error>;
}
