//! Names looked up and listed, in short pages: nothing is held while bytes go to a client.

use super::{Result, Store, dated, rows};
use crate::model::account::Account;
use crate::model::file_name::FileName;
use crate::model::stored_file::StoredFile;
use crate::model::view::View;

/// Rows of one page.
pub const PAGE_ROWS: usize = 1000;

/// Which names to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListQuery {
    /// Only names that begin with these bytes.
    pub prefix: Vec<u8>,
    /// Only names after these bytes.
    pub after: Vec<u8>,
    /// The state that is listed.
    pub view: View,
}

/// At most 1,000 live, unexpired files by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListPage {
    pub files: Vec<StoredFile>,
    /// Where the next page begins (`ListQuery::after`); `None` after the last.
    pub next: Option<Vec<u8>>,
}

impl Store {
    /// The live, unexpired file of that name.
    pub async fn find(&self, account: &Account, name: &FileName) -> Result<Option<StoredFile>> {
        let (account, name) = (account.clone(), name.clone());
        let found = self.read(move |connection| rows::live_file(connection, &account, &name)).await?;
        Ok(found.filter(|file| !file.has_expired(self.now())))
    }

    /// One page. A page may be empty and still have a next one.
    pub async fn list(&self, account: &Account, query: &ListQuery) -> Result<ListPage> {
        let (account, now) = (account.clone(), self.now());
        // One lower bound: with two, SQLite looks for each page from the first of them on.
        let goes_on = query.after >= query.prefix;
        let (above, from) = if goes_on { (">", query.after.clone()) } else { (">=", query.prefix.clone()) };
        let (end, view) = (after_prefix(&query.prefix), query.view);
        let files = self
            .read(move |connection| {
                let columns = rows::FILE_COLUMNS;
                let mut values = vec![account.id.as_str().into(), from.into()];
                let bound = if end.is_some() { "AND name < $3" } else { "" };
                values.extend(end.map(Into::into));
                let seen = match view {
                    View::Now => "state = 'live'".to_owned(),
                    View::At(at) => {
                        values.push(at.micros().into());
                        dated::seen(&format!("${}", values.len()))
                    }
                };
                let statement = format!(
                    "SELECT {columns} FROM files WHERE account = $1 AND {seen} AND name {above} $2 {bound} ORDER BY name LIMIT {PAGE_ROWS}"
                );
                let found = connection.query(&statement, &values)?;
                found.iter().map(|row| rows::file(row, Some(&account))).collect::<std::result::Result<Vec<_>, _>>()
            })
            .await?;
        let next = (files.len() == PAGE_ROWS).then(|| files.last().map(|file| file.name.as_bytes().to_vec())).flatten();
        Ok(ListPage { files: files.into_iter().filter(|file| !file.has_expired(now)).collect(), next })
    }
}

/// The smallest bytes that are greater than everything with this prefix; `None` where there are none.
pub(super) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < 0xFF)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_just_above_it() {
        assert_eq!(after_prefix(b"/a"), Some(b"/b".to_vec()));
        assert_eq!(after_prefix(&[b'/', 0xFF]), Some(vec![b'0']));
        assert_eq!(after_prefix(&[0xFF]), None);
        assert_eq!(after_prefix(b""), None);
    }
}
