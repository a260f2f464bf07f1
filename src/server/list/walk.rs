//! A walk along an account's names: one short read of the catalog at a time, whatever the number of files.

use std::collections::VecDeque;

use crate::model::account::Account;
use crate::model::stored_file::StoredFile;
use crate::model::view::View;
use crate::server::headers::query::Query;
use crate::store::list::ListQuery;
use crate::store::{Result, Store};

/// Where a walk stands. It holds one page of rows and nothing in the catalog.
pub struct Walk {
    store: Store,
    account: Account,
    view: View,
    prefix: Vec<u8>,
    filter: Filter,
    /// Rows that were read and not handed out.
    read: VecDeque<StoredFile>,
    /// Where the next read begins; `None` after the last page.
    next: Option<Vec<u8>>,
    /// The last name that was handed out or passed over.
    passed: Vec<u8>,
}

impl Walk {
    /// Begins after `query.after`; its limit is for the caller.
    pub fn new(store: Store, account: Account, view: View, query: &Query) -> Self {
        let filter = Filter::new(&query.filter);
        Self {
            store,
            account,
            view,
            prefix: query.prefix.clone(),
            filter,
            read: VecDeque::new(),
            next: Some(query.after.clone()),
            passed: Vec::new(),
        }
    }

    /// The next file that the filter lets through; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<StoredFile>> {
        while self.fill().await? {
            if let Some(file) = self.step() {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// At most `rows` files, found among the next `reads` names.
    pub async fn take(&mut self, rows: usize, reads: usize) -> Result<Vec<StoredFile>> {
        let mut files = Vec::new();
        for _ in 0..reads {
            if files.len() == rows || !self.fill().await? {
                break;
            }
            files.extend(self.step());
        }
        Ok(files)
    }

    /// The last name passed, where more names follow it.
    pub async fn rest_begins_after(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.fill().await?.then(|| self.passed.clone()))
    }

    /// Passes one row; `None` where the filter keeps it back, or nothing was read.
    fn step(&mut self) -> Option<StoredFile> {
        let file = self.read.pop_front()?;
        file.name.as_bytes().clone_into(&mut self.passed);
        self.filter.lets_through(file.name.as_str()).then_some(file)
    }

    /// Reads on until there is a row at hand; `false` when the list has ended.
    async fn fill(&mut self) -> Result<bool> {
        while self.read.is_empty() {
            let Some(after) = self.next.take() else { return Ok(false) };
            let query = ListQuery { prefix: self.prefix.clone(), after, view: self.view };
            let page = self.store.list(&self.account, &query).await?;
            self.read = page.files.into();
            self.next = page.next;
        }
        Ok(true)
    }
}

/// Names that contain a text, whatever the case of their letters.
struct Filter(String);

impl Filter {
    fn new(text: &str) -> Self {
        Self(text.to_lowercase())
    }

    fn lets_through(&self, name: &str) -> bool {
        self.0.is_empty() || name.to_lowercase().contains(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_finds_text_in_either_case() {
        for (text, name, found) in [
            ("", "/a", true),
            ("DUMP", "/db/dump.sql", true),
            ("dump", "/DB/DUMP.SQL", true),
            ("b/d", "/db/dump.sql", true),
            ("É", "/é", true),
            (" ", "/a b", true),
            ("x", "/db/dump.sql", false),
            (".*", "/db/dump.sql", false),
        ] {
            assert_eq!(Filter::new(text).lets_through(name), found, "{text} in {name}");
        }
    }
}
