//! Rows for blobs that have none: what each may become, decided in one transaction by the unique indexes.

use super::blobs::BlobKey;
use super::catalog::{CatalogError, Connection};
use super::commit::insert_sums;
use super::hide::hide_where;
use super::rows;
use super::told::become_hidden;
use crate::model::account::{Account, Kind};
use crate::model::digest::BlockSums;
use crate::model::instant::Instant;
use crate::model::stored_file::{BlobId, FileState, StoredFile, quota_bytes};

pub(super) const UNKNOWN_ACCOUNT: &str = "its account is unknown";
pub(super) const NAME_HELD: &str = "its name is held by other bytes";

/// A row for a blob that has none: `checking`, or `quarantined` where its account is unknown. `None` where it has one by now.
pub(super) fn insert_found(
    connection: &mut dyn Connection,
    key: &BlobKey,
    size_bytes: u64,
    now: Instant,
) -> std::result::Result<Option<FileState>, CatalogError> {
    let account = rows::account(connection, &key.account)?;
    let (state, why) = if account.is_some() { (FileState::Checking, None) } else { (FileState::Quarantined, Some(UNKNOWN_ACCOUNT)) };
    insert_as(connection, key, size_bytes, created_at(key, account.as_ref(), now), state, why)
}

/// Names a blob that an earlier catalog had set aside, before anything is adopted.
pub(super) fn set_aside(connection: &mut dyn Connection, key: &BlobKey, size_bytes: u64) -> std::result::Result<(), CatalogError> {
    insert_as(connection, key, size_bytes, key.kept_from, FileState::Quarantined, Some(NAME_HELD)).map(drop)
}

/// Keys and sizes of all blobs that are set aside because their name is held.
pub(super) fn all_set_aside(connection: &mut dyn Connection) -> std::result::Result<Vec<(String, u64)>, CatalogError> {
    let columns = rows::FILE_COLUMNS;
    let statement = format!("SELECT {columns} FROM files WHERE state <> 'live' AND state = 'quarantined' AND why = $1 ORDER BY random");
    let found = connection.query(&statement, &[NAME_HELD.into()])?;
    found.iter().map(|row| rows::file(row, None).map(|file| (BlobKey::of(&file).to_path(), file.size_bytes))).collect()
}

fn insert_as(
    connection: &mut dyn Connection,
    key: &BlobKey,
    size_bytes: u64,
    created_at: Instant,
    state: FileState,
    why: Option<&str>,
) -> std::result::Result<Option<FileState>, CatalogError> {
    let inserted = connection.execute(
        "INSERT INTO files (random, account, name, state, size, sha256, change, created_at, kept_from, expires_at, checked_at, why) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, NULL, 0, $9) ON CONFLICT DO NOTHING",
        &[
            key.id.as_str().into(),
            key.account.as_str().into(),
            key.name.as_bytes().into(),
            state.as_str().into(),
            rows::signed(size_bytes).into(),
            key.sha256.0[..].into(),
            created_at.micros().into(),
            key.kept_from.seconds().into(),
            why.into(),
        ],
    )?;
    Ok((inserted == 1).then_some(state))
}

/// What became of a whole blob.
pub(super) enum Adoption {
    Settled(Option<FileState>),
    /// The same bytes hold the name already.
    Twin(Box<StoredFile>),
}

/// A whole blob becomes live where its row still says `checking` and its name is free; hidden where the small copies tell so.
pub(super) fn adopt(
    connection: &mut dyn Connection,
    key: &BlobKey,
    size_bytes: u64,
    sums: &BlockSums,
    now: Instant,
) -> std::result::Result<Adoption, CatalogError> {
    let counted = rows::signed(quota_bytes(&key.name, size_bytes));
    let Some((change, _)) = rows::next_change(connection, &key.account, counted, now)? else {
        return settle(connection, &key.id, FileState::Quarantined, UNKNOWN_ACCOUNT).map(Adoption::Settled);
    };
    if become_hidden(connection, key.id.as_str(), "checking", &key.account)? {
        insert_sums(connection, key, sums)?;
        return Ok(Adoption::Settled(Some(FileState::Hidden)));
    }
    let account = rows::account(connection, &key.account)?;
    let end = account.as_ref().map_or(Instant::FOREVER, |account| life_end(account, key, now));
    let statement = "UPDATE files SET state = 'live', change = $2, size = $3, checked_at = $4, expires_at = $5 \
                     WHERE random = $1 AND state = 'checking' AND NOT EXISTS \
                     (SELECT 1 FROM files AS other WHERE other.account = files.account AND other.name = files.name AND other.state = 'live')";
    let values = [key.id.as_str().into(), change.into(), rows::signed(size_bytes).into(), now.micros().into(), rows::end_value(end)];
    if connection.execute(statement, &values)? == 1 {
        insert_sums(connection, key, sums)?;
        if account.as_ref().is_some_and(|account| account.kind == Kind::Vault && account.removed_at.is_some()) {
            hide_where(connection, &key.account, "AND random = $2", &[key.id.as_str().into()], now)?;
            return Ok(Adoption::Settled(Some(FileState::Hidden)));
        }
        return Ok(Adoption::Settled(Some(FileState::Live)));
    }
    rows::next_change(connection, &key.account, -counted, now)?;
    let holder = account.map(|account| rows::live_file(connection, &account, &key.name)).transpose()?.flatten();
    match holder {
        Some(holder) if holder.id == key.id => Ok(Adoption::Settled(None)),
        Some(holder) if holder.sha256 == key.sha256 => Ok(Adoption::Twin(Box::new(holder))),
        _ => {
            // The small copies name it, so that no rebuild takes it for the file that was acknowledged.
            connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'control'", &[])?;
            settle(connection, &key.id, FileState::Quarantined, NAME_HELD).map(Adoption::Settled)
        }
    }
}

/// Gives a row its state only if it still says `checking`. A doomed second copy leaves no memory behind.
pub(super) fn settle(
    connection: &mut dyn Connection,
    id: &BlobId,
    state: FileState,
    why: &str,
) -> std::result::Result<Option<FileState>, CatalogError> {
    let why = Some(why).filter(|why| !why.is_empty());
    let statement = "UPDATE files SET state = $2, why = $3 WHERE random = $1 AND state = 'checking'";
    let changed = connection.execute(statement, &[id.as_str().into(), state.as_str().into(), why.into()])?;
    Ok((changed == 1).then_some(state))
}

/// An adopted file was created when its key says. Where that is a time that has not come yet, a clock had jumped ahead: then all that
/// is known is that it was after its account's creation, and every retention since counts for it.
fn created_at(key: &BlobKey, account: Option<&Account>, now: Instant) -> Instant {
    account.filter(|_| key.kept_from > now).map_or(key.kept_from, |account| account.created_at.min(now))
}

fn life_end(account: &Account, key: &BlobKey, now: Instant) -> Instant {
    match account.kind {
        Kind::Archive => account.retention.expires_at(created_at(key, Some(account), now), key.kept_from),
        Kind::Vault => Instant::FOREVER,
    }
}
