//! A vault as it is, and as it was at any instant of its retention: one condition on rows tells.

use super::catalog::{CatalogError, Row, Value};
use super::list::after_prefix;
use super::{Error, Result, Store, rows};
use crate::model::account::Account;
use crate::model::file_name::FileName;
use crate::model::instant::{DAY_MICROS, Instant};
use crate::model::stored_file::StoredFile;
use crate::model::view::View;

/// Rows of one page.
const PAGE_ROWS: usize = 1000;

/// Where the next page begins: after this row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct After {
    created_at: i64,
    random: String,
}

/// Files of one folder in the order of their creation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FolderPage {
    /// Last segment and size.
    pub entries: Vec<(String, u64)>,
    /// `None` after the last page.
    pub next: Option<After>,
}

impl Store {
    /// Refuses an instant that is still to come, whose view could change, and one that the account's retention does not reach any more;
    /// the error is the earliest instant that can be looked at.
    pub fn check_view(&self, account: &Account, view: View) -> Result<(), Instant> {
        let (View::At(at), now) = (view, self.now()) else { return Ok(()) };
        let is_kept = account.retention.expires_at(at, at) > now;
        if at < now && is_kept { Ok(()) } else { Err(now.plus_micros(-account.retention.current().days() * DAY_MICROS)) }
    }

    /// The file of that name in the view.
    pub async fn find_in(&self, account: &Account, view: View, name: &FileName) -> Result<Option<StoredFile>> {
        let View::At(at) = view else { return self.find(account, name).await };
        let (account, name) = (account.clone(), name.clone());
        self.read(move |connection| {
            let (columns, seen) = (rows::FILE_COLUMNS, seen("$3"));
            // Of two that were adopted after a catalog was lost the instants may be the same.
            let statement = format!(
                "SELECT {columns} FROM files WHERE account = $1 AND name = $2 AND {seen} ORDER BY created_at DESC, random DESC LIMIT 1"
            );
            let values = [account.id.as_str().into(), name.as_bytes().into(), at.micros().into()];
            connection.query(&statement, &values)?.first().map(|row| rows::file(row, Some(&account))).transpose()
        })
        .await
    }

    /// The next 1,000 files whose names begin with `folder`, oldest first: a client that tries one after the other meets what was
    /// there from the beginning before whatever was added since.
    pub async fn list_folder(&self, account: &Account, view: View, folder: &str, after: Option<After>) -> Result<FolderPage> {
        let (id, start) = (account.id.clone(), folder.to_owned());
        let end = after_prefix(folder.as_bytes()).ok_or_else(|| Error::Internal("a folder's name has an end".into()))?;
        self.read(move |connection| {
            let from = after.as_ref().map_or((i64::MIN, ""), |after| (after.created_at, after.random.as_str()));
            let mut values: Vec<Value> = vec![id.as_str().into(), start.as_bytes().into(), end.clone().into(), from.0.into(), from.1.into()];
            let seen = match view {
                View::Now => "state = 'live'".to_owned(),
                View::At(at) => {
                    values.push(at.micros().into());
                    seen("$6")
                }
            };
            // In the order of an index, not of names to be sorted for each page: hence the name is no plain column here.
            let statement = format!(
                "SELECT name, size, created_at, random FROM files WHERE account = $1 AND expires_at IS NULL \
                 AND COALESCE(name, name) >= $2 AND COALESCE(name, name) < $3 AND created_at >= $4 AND (created_at > $4 OR random > $5) AND {seen} ORDER BY created_at, random LIMIT {PAGE_ROWS}"
            );
            page(&connection.query(&statement, &values)?, start.len())
        })
        .await
    }
}

/// SQL for what a dated view of the instant `at` shows of `files`.
pub(super) fn seen(at: &str) -> String {
    seen_of("files", at)
}

/// The same of a table that `files` is called here.
pub(super) fn seen_of(files: &str, at: &str) -> String {
    format!(
        "{files}.state IN ('live', 'hidden') AND {files}.created_at <= {at} AND ({files}.hidden_at IS NULL OR {files}.hidden_at > {at}) \
         AND NOT EXISTS (SELECT 1 FROM absences WHERE absences.random = {files}.random AND from_at <= {at} AND until_at > {at})"
    )
}

fn page(found: &[Row], skipped: usize) -> std::result::Result<FolderPage, CatalogError> {
    let entry = |row: &Row| {
        let name = String::from_utf8_lossy(row.bytes(0)?).into_owned();
        let last = name.get(skipped..).unwrap_or_default().to_owned();
        Ok((last, u64::try_from(row.int(1)?).unwrap_or(0)))
    };
    let entries = found.iter().map(entry).collect::<std::result::Result<_, CatalogError>>()?;
    let after = |row: &Row| Ok(After { created_at: row.int(2)?, random: row.text(3)?.to_owned() });
    let next = found.last().filter(|_| found.len() == PAGE_ROWS).map(after).transpose()?;
    Ok(FolderPage { entries, next })
}
