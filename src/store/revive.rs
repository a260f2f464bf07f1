//! A vault made again what it was at an instant: what it lacks comes back, what was not there is hidden and can be had back the same
//! way.

use super::catalog::{CatalogError, Connection};
use super::hide::hide_where;
use super::{Error, Result, Store, dated, rows};
use crate::model::access::AccountId;
use crate::model::account::Account;
use crate::model::instant::Instant;
use crate::model::view::View;

/// What a revival changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Revival {
    pub brought_back: u64,
    pub hidden: u64,
}

impl Store {
    /// Makes the state of `at` live, in one transaction. `NotFound` for an instant that cannot be looked at.
    pub async fn revive(&self, account: &Account, at: Instant) -> Result<Revival> {
        self.check_view(account, View::At(at)).map_err(|_| Error::NotFound)?;
        let (id, now) = (account.id.clone(), self.now());
        let revival = self.write(move |connection| revive(connection, &id, at, now)).await?;
        self.tell_hides_soon().await;
        Ok(revival)
    }
}

pub(super) fn revive(
    connection: &mut dyn Connection,
    id: &AccountId,
    at: Instant,
    now: Instant,
) -> std::result::Result<Revival, CatalogError> {
    let not_seen = format!("AND NOT ({})", dated::seen("$2"));
    let hidden = hide_where(connection, id, &not_seen, &[at.micros().into()], now)?;
    let Some((change, back_at)) = rows::next_change(connection, id, 0, now)? else { return Ok(Revival::default()) };
    // Of two that were adopted after a catalog was lost the instants may be the same: one of them is enough.
    let lacking = format!(
        "account = $1 AND state = 'hidden' AND {} AND NOT EXISTS (SELECT 1 FROM files AS other WHERE other.account = files.account \
         AND other.name = files.name AND other.random <> files.random AND {} \
         AND (other.state = 'live' OR (other.created_at, other.random) > (files.created_at, files.random)))",
        dated::seen("$2"),
        dated::seen_of("other", "$2")
    );
    let values = [id.as_str().into(), at.micros().into()];
    let tell = format!("INSERT INTO untold_hides (random) SELECT random FROM files WHERE {lacking} ON CONFLICT DO NOTHING");
    connection.execute(&tell, &values)?;
    let absent =
        format!("INSERT INTO absences (random, from_at, until_at) SELECT random, hidden_at, CAST($3 AS BIGINT) FROM files WHERE {lacking}");
    connection.execute(&absent, &[&values[..], &[back_at.micros().into()]].concat())?;
    let show = format!("UPDATE files SET state = 'live', hidden_at = NULL, ends_at = NULL, change = $3 WHERE {lacking}");
    let brought_back = connection.execute(&show, &[&values[..], &[change.into()]].concat())?;
    Ok(Revival { brought_back, hidden })
}
