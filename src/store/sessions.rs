//! Sessions: 24 hours of reading one account, by a token in a URL.

use super::catalog::{CatalogError, Connection};
use super::{Error, Result, Store, rows};
use crate::model::access::{AccountId, Secret, SecretHash};
use crate::model::account::Account;
use crate::model::instant::{DAY_MICROS, Instant};

/// How long a session lasts.
const LIFE_MICROS: i64 = DAY_MICROS;
/// How long an ended session is remembered, so that it is told from one that never was.
const REMEMBERED_MICROS: i64 = 30 * DAY_MICROS;

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
    /// A session of 24 hours by guarded time; the oldest beyond the account's limit ends. `account` is as its password was believed:
    /// `NotFound` where it was rotated, disabled or removed since.
    pub async fn make_session(&self, account: &Account) -> Result<Secret> {
        let token = Secret::random();
        let (hash, id, now) = (token.hash(), account.id.clone(), self.now());
        let password = account.password;
        let limit = self.inner.settings.sessions_per_account;
        let made = self
            .write(move |connection| {
                // The same row that a rotation changes: whichever comes later sees the other.
                let Some((_, at)) = rows::next_change(connection, &id, 0, now)? else { return Ok(false) };
                let still = "SELECT 1 FROM accounts WHERE id = $1 AND password = $2 AND disabled IS NULL AND removed_at IS NULL";
                if connection.query(still, &[id.as_str().into(), password.as_bytes()[..].into()])?.is_empty() {
                    return Ok(false);
                }
                connection.execute(
                    "INSERT INTO sessions (token, account, created_at, ends_at) VALUES ($1, $2, $3, $4)",
                    &[hash.as_bytes()[..].into(), id.as_str().into(), at.micros().into(), now.plus_micros(LIFE_MICROS).micros().into()],
                )?;
                let end_oldest = format!(
                    "UPDATE sessions SET ends_at = $2 WHERE token IN (SELECT token FROM sessions \
                 WHERE account = $1 AND ends_at > $2 ORDER BY created_at DESC LIMIT 1000000 OFFSET {limit})"
                );
                connection.execute(&end_oldest, &[id.as_str().into(), now.micros().into()])?;
                Ok(true)
            })
            .await?;
        made.then_some(token).ok_or(Error::NotFound)
    }

    /// Looks a token up by its hash; the same work whatever the outcome.
    pub async fn session(&self, token: &Secret) -> Result<Session> {
        let (hash, now) = (token.hash(), self.now());
        self.read(move |connection| look_up(connection, &hash, now)).await
    }

    /// Forgets sessions that ended more than 30 days ago.
    pub(super) async fn forget_sessions(&self) -> Result<()> {
        let before = self.now().plus_micros(-REMEMBERED_MICROS);
        self.write(move |connection| connection.execute("DELETE FROM sessions WHERE ends_at < $1", &[before.micros().into()]).map(drop))
            .await
    }
}

/// What a token of this hash opens. One that nobody made costs as much time as one that has ended: the session of the least hash stands
/// in for it, and is read like any other.
pub(super) fn look_up(connection: &mut dyn Connection, token: &SecretHash, now: Instant) -> std::result::Result<Session, CatalogError> {
    // No hash is below the least, so the greater of the two is the one that is asked for, where there is one.
    let statement = format!(
        "SELECT {}, sessions.ends_at, sessions.token FROM sessions LEFT JOIN accounts ON accounts.id = sessions.account {} \
         WHERE sessions.token = (SELECT token FROM (SELECT token FROM sessions WHERE token = $1 UNION ALL \
         SELECT token FROM (SELECT token FROM sessions ORDER BY token LIMIT 1) AS least) AS candidates ORDER BY token DESC LIMIT 1)",
        rows::ACCOUNT_COLUMNS,
        rows::WITH_HISTORY
    );
    let found = connection.query(&statement, &[token.as_bytes()[..].into()])?;
    let Some(row) = found.first() else { return Ok(Session::Unknown) };
    let ends_at = Instant::from_micros(row.int(12)?);
    // Where the account is not there, its columns are null.
    let account = if row.optional_text(0)?.is_some() { rows::accounts_of(&found)?.pop() } else { None };
    if row.bytes(13)? != token.as_bytes() || now.micros_since(ends_at) >= REMEMBERED_MICROS {
        return Ok(Session::Unknown);
    }
    Ok(match account.filter(|account| account.is_open() && now < ends_at) {
        Some(account) => Session::Live { account: Box::new(account), ends_at },
        None => Session::Ended,
    })
}

/// Ends all sessions of an account at once.
pub(super) fn end_all(connection: &mut dyn Connection, account: &AccountId, at: Instant) -> std::result::Result<(), CatalogError> {
    let statement = "UPDATE sessions SET ends_at = $2 WHERE account = $1 AND ends_at > $2";
    connection.execute(statement, &[account.as_str().into(), at.micros().into()]).map(drop)
}
