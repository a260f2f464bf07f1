//! Hiding: how a vault's client deletes. The name is free at once, the bytes stay for the retention and two days more.
//!
//! A hidden file is in every dated view from its creation until just before it was hidden. What a hide and a revival change is told
//! in the small copies (`told`), so that a rebuild brings no removed key back.

use super::catalog::{CatalogError, Connection, Value};
use super::{Error, Result, Store, rows};
use crate::model::access::AccountId;
use crate::model::account::Account;
use crate::model::file_name::FileName;
use crate::model::instant::{DAY_MICROS, Instant};

/// How many days hidden bytes stay beyond the retention: a view of the last instant that the retention promises is whole for whoever
/// began to read it.
pub const HIDDEN_DAYS: i64 = 2;

/// SQL for when the bytes of a hidden row may go: by the largest retention that was in force when it was hidden or since, as a file's life is.
pub(super) fn hidden_end(hidden_at: &str) -> String {
    format!(
        "CAST({hidden_at} AS BIGINT) + {DAY_MICROS} * ({HIDDEN_DAYS} + (SELECT MAX(days) FROM retentions \
         WHERE retentions.account = files.account AND retentions.until_at > {hidden_at}))"
    )
}

impl Store {
    /// Hides the live file of the name; `false` where there is none. Errors: `AccountClosed`, `WritesSuspended`, `Unavailable`, `InDoubt`.
    pub async fn hide(&self, account: &Account, name: &FileName) -> Result<bool> {
        let (id, name, now) = (account.id.clone(), name.clone(), self.now());
        let hidden = self
            .write(move |connection| {
                let open = "SELECT 1 FROM accounts WHERE id = $1 AND disabled IS NULL AND removed_at IS NULL";
                if connection.query(open, &[id.as_str().into()])?.is_empty() {
                    return Ok(None);
                }
                hide_where(connection, &id, "AND name = $2", &[name.as_bytes().into()], now).map(Some)
            })
            .await?;
        hidden.map(|files| files > 0).ok_or_else(|| Error::AccountClosed { reason: "it was closed meanwhile".to_owned() })
    }
}

/// Hides what is live of the account and fits `condition`, whose values are `$2` and on; how many files that were.
pub(super) fn hide_where(
    connection: &mut dyn Connection,
    account: &AccountId,
    condition: &str,
    values: &[Value],
    now: Instant,
) -> std::result::Result<u64, CatalogError> {
    let with = |more: &[Value]| [&[account.as_str().into()], values, more].concat();
    let tell = format!(
        "INSERT INTO untold_hides (random) SELECT random FROM files WHERE account = $1 AND state = 'live' {condition} ON CONFLICT DO NOTHING"
    );
    let some = format!("SELECT 1 FROM files WHERE account = $1 AND state = 'live' {condition} LIMIT 1");
    if connection.query(&some, &with(&[]))?.is_empty() {
        return Ok(0);
    }
    connection.execute(&tell, &with(&[]))?;
    let Some((change, at)) = rows::next_change(connection, account, 0, now)? else { return Ok(0) };
    let (change_at, hidden_at) = (values.len() + 2, values.len() + 3);
    let end = hidden_end(&format!("${hidden_at}"));
    let hide = format!(
        "UPDATE files SET state = 'hidden', change = ${change_at}, hidden_at = ${hidden_at}, ends_at = {end} \
         WHERE account = $1 AND state = 'live' {condition}"
    );
    connection.execute(&hide, &with(&[change.into(), at.micros().into()]))
}
