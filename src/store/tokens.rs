//! Tokens: 24 hours of one user's rights. The catalog keeps their SHA-256, and forgets a token that has ended.

use super::catalog::{CatalogError, Connection, Fault};
use super::{Error, Result, Store, users};
use crate::model::access::{Secret, SecretHash};
use crate::model::instant::{DAY_MICROS, Instant};
use crate::model::user::{Credential, User};

type CatalogResult<T> = std::result::Result<T, CatalogError>;

/// How long a token lasts.
const LIFE_MICROS: i64 = DAY_MICROS;
/// Live tokens of one user; one more ends the oldest. A client that logs in for each call, a minute apart, never meets it.
const TOKENS_PER_USER: i64 = 1_000;

/// What a token opens now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// As it is at this moment, roles included.
    pub user: User,
    pub authenticated_by: Credential,
    /// A whole millisecond, so that what clients are told is exact. From then on the token is unknown.
    pub ends_at: Instant,
}

impl Store {
    /// A token of 24 hours by guarded time. `user` is as its secret was believed: `NotFound` where it was rotated, disabled, moved to
    /// another tenant or removed since.
    pub async fn make_token(&self, user: &User, by: Credential) -> Result<(Secret, Token)> {
        let secret = Secret::random_hex();
        let (hash, now, believed) = (secret.hash(), self.now(), user.clone());
        let ends_at = now.plus_micros(LIFE_MICROS);
        let ends_at = ends_at.plus_micros(-ends_at.micros().rem_euclid(1_000));
        let made = self.write(move |connection| make(connection, &believed, by, &hash, now, ends_at)).await?;
        made.then(|| (secret, Token { user: user.clone(), authenticated_by: by, ends_at })).ok_or(Error::NotFound)
    }

    /// Looks a token up by its hash, together with its user, in one statement. `None` for one that never was, has ended, or whose user
    /// was rotated, disabled or removed.
    pub async fn token(&self, secret: &Secret) -> Result<Option<Token>> {
        let (hash, now) = (secret.hash(), self.now());
        self.read(move |connection| look_up(connection, &hash, now)).await
    }

    /// How many tokens of the user are live.
    pub async fn live_tokens(&self, user: &User) -> Result<u64> {
        let (id, now) = (user.id, self.now());
        let statement = "SELECT COUNT(*) FROM tokens WHERE user_id = $1 AND ends_at > $2";
        let counted = self.read(move |connection| connection.query(statement, &[id.into(), now.micros().into()])?[0].int(0)).await?;
        Ok(u64::try_from(counted).unwrap_or(0))
    }

    /// Forgets tokens that have ended.
    pub(super) async fn forget_tokens(&self) -> Result<()> {
        let now = self.now();
        self.write(move |connection| connection.execute("DELETE FROM tokens WHERE ends_at <= $1", &[now.micros().into()]).map(drop)).await
    }
}

/// False where the user is not any more what it was.
fn make(
    connection: &mut dyn Connection,
    user: &User,
    by: Credential,
    token: &SecretHash,
    now: Instant,
    ends_at: Instant,
) -> CatalogResult<bool> {
    // The same row that a rotation changes, judged while it is held: whichever comes later sees the other.
    let counted = connection.query(
        "UPDATE users SET tokens_made = tokens_made + 1 \
         WHERE id = $1 AND api_key = $2 AND password = $3 AND tenant = $4 AND disabled = 0 RETURNING tokens_made",
        &[user.id.into(), user.api_key.as_bytes()[..].into(), user.password.as_bytes()[..].into(), user.tenant.as_str().into()],
    )?;
    let Some(number) = counted.first().map(|row| row.int(0)).transpose()? else { return Ok(false) };
    connection.execute(
        "INSERT INTO tokens (token, user_id, number, authenticated_by, created_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6)",
        &[token.as_bytes()[..].into(), user.id.into(), number.into(), by.as_str().into(), now.micros().into(), ends_at.micros().into()],
    )?;
    // All live equally long, so those beyond the newest are the oldest.
    let oldest = [user.id.into(), (number - TOKENS_PER_USER).into()];
    connection.execute("DELETE FROM tokens WHERE user_id = $1 AND number <= $2", &oldest)?;
    Ok(true)
}

/// What a token of this hash opens: one statement, whatever there is to find.
pub(super) fn look_up(connection: &mut dyn Connection, token: &SecretHash, now: Instant) -> CatalogResult<Option<Token>> {
    let statement = format!(
        "SELECT {}, tokens.authenticated_by, tokens.ends_at FROM tokens JOIN users ON users.id = tokens.user_id WHERE tokens.token = $1",
        users::COLUMNS
    );
    let found = connection.query(&statement, &[token.as_bytes()[..].into()])?;
    let Some(row) = found.first() else { return Ok(None) };
    let authenticated_by = Credential::parse(row.text(users::COLUMN_COUNT)?)
        .ok_or_else(|| CatalogError::new(Fault::Failed, "how a token was made is none of ours"))?;
    let token = Token { user: users::user(row)?, authenticated_by, ends_at: Instant::from_micros(row.int(users::COLUMN_COUNT + 1)?) };
    Ok(Some(token).filter(|token| !token.user.disabled && now < token.ends_at))
}

/// Ends all tokens of a user at once.
pub(super) fn end_all(connection: &mut dyn Connection, user: i64) -> CatalogResult<()> {
    connection.execute("DELETE FROM tokens WHERE user_id = $1", &[user.into()]).map(drop)
}
