//! Lists in short pages: nothing is held while bytes go to a client.

use super::{Result, Store};
use crate::model::account::Account;
use crate::model::stored_file::StoredFile;

/// Which names to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListQuery {
    /// Only names that begin with these bytes.
    pub prefix: Vec<u8>,
    /// Only names after these bytes.
    pub after: Vec<u8>,
}

/// At most 1,000 live, unexpired files by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListPage {
    pub files: Vec<StoredFile>,
    /// Where the next page begins (`ListQuery::after`); `None` after the last.
    pub next: Option<Vec<u8>>,
}

impl Store {
    /// One page. A page may be empty and still have a next one.
    pub async fn list(&self, account: &Account, query: &ListQuery) -> Result<ListPage> {
        todo!("{account:?} {query:?}")
    }
}
