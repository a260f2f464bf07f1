//! Rows of the catalog as the model's types, and the few statements that several operations share.

use super::catalog::{CatalogError, Connection, Fault, Row, Value};
use crate::model::access::{AccountId, SecretHash};
use crate::model::account::{Account, Kind};
use crate::model::digest::{BlockSums, Sha256Digest};
use crate::model::file_name::FileName;
use crate::model::instant::Instant;
use crate::model::retention::{Retention, RetentionHistory, RetentionSpan};
use crate::model::stored_file::{BlobId, FileState, StoredFile};

type Result<T> = std::result::Result<T, CatalogError>;

/// The columns that [`file`] reads, in its order.
pub(super) const FILE_COLUMNS: &str =
    "files.random, account, name, state, size, sha256, created_at, kept_from, hidden_at, checked_at, damaged_at";
/// How many they are.
const FILE_COLUMN_COUNT: usize = 11;

/// The columns that [`accounts_of`] reads, in its order: an account, and one span of its history in each row.
pub(super) const ACCOUNT_COLUMNS: &str = "accounts.id, accounts.kind, accounts.description, accounts.password, accounts.quota, \
     accounts.used, accounts.created_at, accounts.disabled, accounts.removed_at, retentions.from_at, retentions.until_at, retentions.days";

/// What brings the history to an account. One statement for both, so that a look-up takes the same number of them whether there is
/// such an account or not: the time of an answer does not tell.
pub(super) const WITH_HISTORY: &str = "LEFT JOIN retentions ON retentions.account = accounts.id";

/// A file row. Its end is computed from the history of its account; without an account it has none.
pub(super) fn file(row: &Row, account: Option<&Account>) -> Result<StoredFile> {
    let (created_at, kept_from) = (Instant::from_micros(row.int(6)?), Instant::from_seconds(row.int(7)?));
    let expires_at = account
        .filter(|account| account.kind == Kind::Archive)
        .map_or(Instant::FOREVER, |account| account.retention.expires_at(created_at, kept_from));
    Ok(StoredFile {
        id: parsed(row.text(0)?, "blob id")?,
        account: parsed(row.text(1)?, "account id")?,
        name: FileName::parse(row.bytes(2)?).map_err(|error| broken("name", error))?,
        state: FileState::parse(row.text(3)?).ok_or_else(|| CatalogError::new(Fault::Failed, "a file's state is none of ours"))?,
        size_bytes: unsigned(row.int(4)?),
        sha256: Sha256Digest::from_slice(row.bytes(5)?).map_err(|error| broken("digest", error))?,
        created_at,
        kept_from,
        expires_at,
        hidden_at: row.optional_int(8)?.map(Instant::from_micros),
        checked_at: Some(row.int(9)?).filter(|micros| *micros > 0).map(Instant::from_micros),
        damaged_at: row.optional_int(10)?.map(Instant::from_micros),
    })
}

/// The account of this id with its whole history.
pub(super) fn account(connection: &mut dyn Connection, id: &AccountId) -> Result<Option<Account>> {
    let statement = format!("SELECT {ACCOUNT_COLUMNS} FROM accounts {WITH_HISTORY} WHERE accounts.id = $1");
    Ok(accounts_of(&connection.query(&statement, &[id.as_str().into()])?)?.pop())
}

/// The account of an id that a stranger may have made up. One that nobody has costs as much time as one that somebody has, or the
/// time of an answer would tell which accounts there are: the first account stands in for it, and is read like any other.
pub(super) fn account_of_stranger(connection: &mut dyn Connection, id: &AccountId) -> Result<Option<Account>> {
    // No id is below the least, so the greater of the two is the one that is asked for, where there is one.
    let statement = format!(
        "SELECT {ACCOUNT_COLUMNS} FROM accounts {WITH_HISTORY} WHERE accounts.id = (SELECT MAX(id) FROM \
         (SELECT id FROM accounts WHERE id = $1 UNION ALL SELECT MIN(id) FROM accounts) AS candidates)"
    );
    let read = accounts_of(&connection.query(&statement, &[id.as_str().into()])?)?.pop();
    Ok(read.filter(|account| account.id == *id))
}

/// All accounts by id, removed ones too where asked for.
pub(super) fn accounts(connection: &mut dyn Connection, removed_too: bool) -> Result<Vec<Account>> {
    let condition = if removed_too { "" } else { "WHERE accounts.removed_at IS NULL" };
    let statement = format!("SELECT {ACCOUNT_COLUMNS} FROM accounts {WITH_HISTORY} {condition} ORDER BY accounts.id");
    accounts_of(&connection.query(&statement, &[])?)
}

/// The accounts of these rows, which stand together for each.
pub(super) fn accounts_of(rows: &[Row]) -> Result<Vec<Account>> {
    rows.chunk_by(|one, next| matches!((one.text(0), next.text(0)), (Ok(one), Ok(next)) if one == next)).map(account_of).collect()
}

/// The account of these rows, one for each span of its history.
fn account_of(rows: &[Row]) -> Result<Account> {
    let row = rows.first().ok_or_else(|| CatalogError::new(Fault::Failed, "an account has no row"))?;
    let id: AccountId = parsed(row.text(0)?, "account id")?;
    let spans = rows.iter().filter_map(|row| span(row).transpose()).collect::<Result<Vec<_>>>()?;
    let retention =
        RetentionHistory::from_spans(spans).ok_or_else(|| CatalogError::new(Fault::Failed, format!("account {id} has no retention")))?;
    Ok(Account {
        id,
        kind: parsed(row.text(1)?, "kind")?,
        description: row.text(2)?.to_owned(),
        password: SecretHash::from_digest(Sha256Digest::from_slice(row.bytes(3)?).map_err(|error| broken("password", error))?),
        quota_bytes: row.optional_int(4)?.map(unsigned),
        used_bytes: unsigned(row.int(5)?),
        retention,
        created_at: Instant::from_micros(row.int(6)?),
        disabled: row.optional_text(7)?.map(str::to_owned),
        removed_at: row.optional_int(8)?.map(Instant::from_micros),
    })
}

/// The span in an account's row; `None` where it has none.
fn span(row: &Row) -> Result<Option<RetentionSpan>> {
    let Some(from) = row.optional_int(9)? else { return Ok(None) };
    Ok(Some(RetentionSpan {
        from: Instant::from_micros(from),
        until: Instant::from_micros(row.int(10)?),
        retention: Retention::from_days(row.int(11)?).map_err(|error| broken("retention", error))?,
    }))
}

/// The live row that holds this name.
pub(super) fn live_file(connection: &mut dyn Connection, account: &Account, name: &FileName) -> Result<Option<StoredFile>> {
    let statement = format!("SELECT {FILE_COLUMNS} FROM files WHERE account = $1 AND name = $2 AND state = 'live'");
    let rows = connection.query(&statement, &[account.id.as_str().into(), name.as_bytes().into()])?;
    rows.first().map(|row| file(row, Some(account))).transpose()
}

/// The same with its block sums, `None` where they are missing or of another format.
pub(super) fn live_file_and_sums(
    connection: &mut dyn Connection,
    account: &Account,
    name: &FileName,
) -> Result<Option<(StoredFile, Option<BlockSums>)>> {
    let statement = format!(
        "SELECT {FILE_COLUMNS}, format, sums FROM files LEFT JOIN block_sums ON block_sums.random = files.random \
         WHERE account = $1 AND name = $2 AND state = 'live'"
    );
    let rows = connection.query(&statement, &[account.id.as_str().into(), name.as_bytes().into()])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let file = file(row, Some(account))?;
    let sums = match row.optional_int(FILE_COLUMN_COUNT)? {
        Some(format) => sums(format, row.bytes(FILE_COLUMN_COUNT + 1)?, &file),
        None => None,
    };
    Ok(Some((file, sums)))
}

/// The block sums of a file; `None` where they are missing or of another format.
pub(super) fn sums_of(connection: &mut dyn Connection, file: &StoredFile) -> Result<Option<BlockSums>> {
    let rows = connection.query("SELECT format, sums FROM block_sums WHERE random = $1", &[file.id.as_str().into()])?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(sums(row.int(0)?, row.bytes(1)?, file))
}

fn sums(format: i64, bytes: &[u8], file: &StoredFile) -> Option<BlockSums> {
    (format == BlockSums::FORMAT).then(|| BlockSums::from_bytes(bytes, file.size_bytes)).flatten()
}

/// The row of this blob, in whatever state.
pub(super) fn file_of_blob(connection: &mut dyn Connection, account: Option<&Account>, id: &BlobId) -> Result<Option<StoredFile>> {
    let statement = format!("SELECT {FILE_COLUMNS} FROM files WHERE random = $1");
    let rows = connection.query(&statement, &[id.as_str().into()])?;
    rows.first().map(|row| file(row, account)).transpose()
}

/// A single value of the `store` table.
pub(super) fn get(connection: &mut dyn Connection, key: &str) -> Result<Option<String>> {
    let rows = connection.query("SELECT value FROM store WHERE key = $1", &[key.into()])?;
    rows.first().map(|row| row.text(0).map(str::to_owned)).transpose()
}

pub(super) fn set(connection: &mut dyn Connection, key: &str, value: &str) -> Result<()> {
    let statement = "INSERT INTO store (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    connection.execute(statement, &[key.into(), value.into()]).map(drop)
}

/// Takes the account's next change: its number, and its instant, which is later than every one before.
/// `added_bytes` are added to what it uses, negative ones taken off, without judging the quota. `None` without such an account.
pub(super) fn next_change(
    connection: &mut dyn Connection,
    account: &AccountId,
    added_bytes: i64,
    now: Instant,
) -> Result<Option<(i64, Instant)>> {
    let statement = "UPDATE accounts SET used = used + $2, change = change + 1, \
                     changed_at = CASE WHEN changed_at >= $3 THEN changed_at + 1 ELSE $3 END \
                     WHERE id = $1 RETURNING change, changed_at";
    let rows = connection.query(statement, &[account.as_str().into(), added_bytes.into(), now.micros().into()])?;
    rows.first().map(|row| Ok((row.int(0)?, Instant::from_micros(row.int(1)?)))).transpose()
}

/// Bytes as the catalog's signed integer; no file comes near its end.
pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn unsigned(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

fn parsed<T: std::str::FromStr>(text: &str, what: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| broken(what, error))
}

fn broken(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> CatalogError {
    CatalogError::with_source(Fault::Failed, format!("a {what} in the catalog is none of ours"), error)
}

/// `NULL` for an end that never comes.
pub(super) fn end_value(end: Instant) -> Value {
    if end == Instant::FOREVER { Value::Null } else { end.micros().into() }
}
