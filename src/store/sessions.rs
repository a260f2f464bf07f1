//! Sessions: 24 hours of reading one account, by a token in a URL.

use super::catalog::{CatalogError, Connection};
use super::{Result, Store, rows};
use crate::model::access::{AccountId, Secret};
use crate::model::account::Account;
use crate::model::instant::{DAY_MICROS, Instant};

/// How long a session lasts.
const LIFE_MICROS: i64 = DAY_MICROS;
/// How long an ended session is remembered, so that it is told from one that never was.
const REMEMBERED_MICROS: i64 = 30 * DAY_MICROS;
/// An account's id that stands for none.
const NOBODY: &str = "NOBODY";

/// What a token opens now.
#[derive(Clone, Debug)]
pub enum Session {
    /// No such token exists, or it ended more than 30 days ago.
    Unknown,
    /// Its 24 hours are over, or its account was rotated, disabled or removed, or 100 newer ones pushed it out.
    Ended,
    Live {
        account: Box<Account>,
        ends_at: Instant,
    },
}

impl Store {
    /// A session of 24 hours by guarded time; the oldest beyond the account's limit ends.
    pub async fn make_session(&self, account: &Account) -> Result<Secret> {
        let token = Secret::random();
        let (hash, id, now) = (token.hash(), account.id.clone(), self.now());
        let limit = self.inner.settings.sessions_per_account;
        self.write(move |connection| {
            let Some((_, at)) = rows::next_change(connection, &id, 0, now)? else { return Ok(()) };
            connection.execute(
                "INSERT INTO sessions (token, account, created_at, ends_at) VALUES ($1, $2, $3, $4)",
                &[hash.as_bytes()[..].into(), id.as_str().into(), at.micros().into(), now.plus_micros(LIFE_MICROS).micros().into()],
            )?;
            let end_oldest = format!(
                "UPDATE sessions SET ends_at = $2 WHERE token IN (SELECT token FROM sessions \
                 WHERE account = $1 AND ends_at > $2 ORDER BY created_at DESC LIMIT 1000000 OFFSET {limit})"
            );
            connection.execute(&end_oldest, &[id.as_str().into(), now.micros().into()]).map(drop)
        })
        .await?;
        Ok(token)
    }

    /// Looks a token up by its hash; the same work whatever the outcome.
    pub async fn session(&self, token: &Secret) -> Result<Session> {
        let (hash, now) = (token.hash(), self.now());
        self.read(move |connection| {
            let found = connection.query("SELECT account, ends_at FROM sessions WHERE token = $1", &[hash.as_bytes()[..].into()])?;
            let row = found.first();
            let owner = row.map(|row| row.text(0)).transpose()?.and_then(|owner| owner.parse::<AccountId>().ok());
            let ends_at = row.map(|row| row.int(1)).transpose()?.map(Instant::from_micros);
            // Of a token that nobody has, the owner is looked up all the same.
            let owner = owner.or_else(|| NOBODY.parse().ok());
            let account = owner.map(|id| rows::account_of_stranger(connection, &id)).transpose()?.flatten();
            let Some(ends_at) = ends_at.filter(|ends_at| now.micros_since(*ends_at) < REMEMBERED_MICROS) else {
                return Ok(Session::Unknown);
            };
            Ok(match account.filter(|account| account.is_open() && now < ends_at) {
                Some(account) => Session::Live { account: Box::new(account), ends_at },
                None => Session::Ended,
            })
        })
        .await
    }

    /// Forgets sessions that ended more than 30 days ago.
    pub(super) async fn forget_sessions(&self) -> Result<()> {
        let before = self.now().plus_micros(-REMEMBERED_MICROS);
        self.write(move |connection| connection.execute("DELETE FROM sessions WHERE ends_at < $1", &[before.micros().into()]).map(drop))
            .await
    }
}

/// Ends all sessions of an account at once.
pub(super) fn end_all(connection: &mut dyn Connection, account: &AccountId, at: Instant) -> std::result::Result<(), CatalogError> {
    let statement = "UPDATE sessions SET ends_at = $2 WHERE account = $1 AND ends_at > $2";
    connection.execute(statement, &[account.as_str().into(), at.micros().into()]).map(drop)
}
