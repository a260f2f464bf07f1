//! Locks of restic repositories: an hour of life, rows of the catalog and never a blob.
//!
//! A lock says who works on a repository; nothing is restored from it. So it counts in no quota and needs no room on the disk of the
//! files, and where nothing can be written it is kept in this process's memory: restic takes one before it restores.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;

use super::catalog::{CatalogError, Connection};
use super::list::after_prefix;
use super::{Error, Result, Store};
use crate::model::access::AccountId;
use crate::model::account::Account;
use crate::model::file_name::FileName;
use crate::model::instant::{HOUR_MICROS, Instant};

/// How long a lock lasts. restic renews its own every five minutes and takes one of half an hour for stale.
const LIFE_MICROS: i64 = HOUR_MICROS;
/// The most locks of one repository; the oldest goes when another comes.
const MOST: usize = 200;

/// Locks that could not be written.
#[derive(Default)]
pub(super) struct HeldLocks(Mutex<BTreeMap<(AccountId, FileName), (Instant, Bytes)>>);

impl HeldLocks {
    fn state(&self) -> MutexGuard<'_, BTreeMap<(AccountId, FileName), (Instant, Bytes)>> {
        self.0.lock().expect("nobody panics while holding the locks")
    }

    fn hold(&self, id: &AccountId, name: &FileName, folder: &str, bytes: Bytes, now: Instant) {
        let mut held = self.state();
        held.retain(|_, (created_at, _)| is_alive(*created_at, now));
        held.insert((id.clone(), name.clone()), (now, bytes));
        let mut of_folder: Vec<_> = held
            .iter()
            .filter(|((owner, name), _)| owner == id && name.as_str().starts_with(folder))
            .map(|(key, (at, _))| (*at, key.clone()))
            .collect();
        of_folder.sort_unstable_by(|one, other| other.cmp(one));
        for (_, key) in of_folder.into_iter().skip(MOST) {
            held.remove(&key);
        }
    }
}

impl Store {
    /// Takes a lock, or renews it. `folder` is what the locks of its repository have in common.
    pub async fn put_lock(&self, account: &Account, folder: &str, name: &FileName, bytes: Bytes) -> Result<()> {
        let now = self.now();
        let (id, place, owned, content) = (account.id.clone(), folder.to_owned(), name.clone(), bytes.clone());
        match self.write(move |connection| put(connection, &id, &place, &owned, &content, now)).await {
            Err(Error::WritesSuspended { .. } | Error::DiskFull { .. }) => {
                self.inner.locks.hold(&account.id, name, folder, bytes, now);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// The lock's bytes, while it lasts.
    pub async fn lock(&self, account: &Account, name: &FileName) -> Result<Option<Bytes>> {
        let now = self.now();
        let held = self.inner.locks.state().get(&(account.id.clone(), name.clone())).cloned();
        if let Some((_, bytes)) = held.filter(|(created_at, _)| is_alive(*created_at, now)) {
            return Ok(Some(bytes));
        }
        let (id, name) = (account.id.clone(), name.clone());
        let statement = "SELECT bytes FROM locks WHERE account = $1 AND name = $2 AND created_at > $3";
        self.read(move |connection| {
            let values = [id.as_str().into(), name.as_bytes().into(), now.plus_micros(-LIFE_MICROS).micros().into()];
            connection.query(statement, &values)?.first().map(|row| row.bytes(0).map(Bytes::copy_from_slice)).transpose()
        })
        .await
    }

    /// Last segments and sizes of the locks that last, oldest first.
    pub async fn locks(&self, account: &Account, folder: &str) -> Result<Vec<(String, u64)>> {
        let (now, skipped) = (self.now(), folder.len());
        let (id, place) = (account.id.clone(), folder.as_bytes().to_vec());
        let end = after_prefix(&place).ok_or_else(|| Error::Internal("a folder's name has an end".into()))?;
        let mut found = self
            .read(move |connection| {
                let statement =
                    "SELECT name, bytes, created_at FROM locks WHERE account = $1 AND name >= $2 AND name < $3 AND created_at > $4";
                let values = [id.as_str().into(), place.clone().into(), end.clone().into(), now.plus_micros(-LIFE_MICROS).micros().into()];
                let entry = |row: &super::catalog::Row| {
                    Ok((row.int(2)?, String::from_utf8_lossy(row.bytes(0)?).into_owned(), row.bytes(1)?.len() as u64))
                };
                connection.query(statement, &values)?.iter().map(entry).collect::<std::result::Result<Vec<_>, CatalogError>>()
            })
            .await?;
        for ((owner, name), (created_at, bytes)) in self.inner.locks.state().iter() {
            if *owner == account.id && name.as_str().starts_with(folder) && is_alive(*created_at, now) {
                found.retain(|(_, known, _)| known != name.as_str());
                found.push((created_at.micros(), name.to_string(), bytes.len() as u64));
            }
        }
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, name, size)| (name[skipped..].to_owned(), size)).collect())
    }

    /// Gives a lock up; one that is not there is none.
    pub async fn remove_lock(&self, account: &Account, name: &FileName) -> Result<()> {
        self.inner.locks.state().remove(&(account.id.clone(), name.clone()));
        if self.lock(account, name).await?.is_none() {
            return Ok(());
        }
        let (id, name) = (account.id.clone(), name.clone());
        let statement = "DELETE FROM locks WHERE account = $1 AND name = $2";
        self.write(move |connection| connection.execute(statement, &[id.as_str().into(), name.as_bytes().into()]).map(drop)).await
    }

    /// Drops the rows of locks that are over.
    pub(super) async fn forget_locks(&self) -> Result<()> {
        let before = self.now().plus_micros(-LIFE_MICROS);
        self.write(move |connection| connection.execute("DELETE FROM locks WHERE created_at <= $1", &[before.micros().into()]).map(drop))
            .await
    }
}

fn put(
    connection: &mut dyn Connection,
    id: &AccountId,
    folder: &str,
    name: &FileName,
    bytes: &Bytes,
    now: Instant,
) -> std::result::Result<(), CatalogError> {
    let insert = "INSERT INTO locks (account, name, bytes, created_at) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (account, name) DO UPDATE SET bytes = excluded.bytes, created_at = excluded.created_at";
    connection.execute(insert, &[id.as_str().into(), name.as_bytes().into(), bytes[..].into(), now.micros().into()])?;
    let end = after_prefix(folder.as_bytes()).unwrap_or_default();
    let trim = format!(
        "DELETE FROM locks WHERE account = $1 AND name IN (SELECT name FROM locks WHERE account = $1 AND name >= $2 AND name < $3 \
         ORDER BY created_at DESC, name DESC LIMIT 1000000 OFFSET {MOST})"
    );
    connection.execute(&trim, &[id.as_str().into(), folder.as_bytes().into(), end.into()]).map(drop)
}

fn is_alive(created_at: Instant, now: Instant) -> bool {
    now.micros_since(created_at) < LIFE_MICROS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FileName {
        FileName::parse(text.as_bytes()).expect("a good name")
    }

    #[test]
    fn memory_holds_no_more_locks_than_rows_would() {
        let (held, id) = (HeldLocks::default(), AccountId::random());
        held.hold(&id, &name("/other/locks/a"), "/other/locks/", Bytes::new(), Instant::from_micros(0));
        for number in 0..=MOST {
            let at = Instant::from_micros(i64::try_from(number).expect("few"));
            held.hold(&id, &name(&format!("/locks/{number}")), "/locks/", Bytes::new(), at);
        }
        assert_eq!(held.state().len(), MOST + 1);
        assert!(!held.state().contains_key(&(id.clone(), name("/locks/0"))), "the oldest has gone");
        held.hold(&id, &name("/locks/late"), "/locks/", Bytes::new(), Instant::from_micros(2 * LIFE_MICROS));
        assert_eq!(held.state().len(), 1, "those that are over have gone");
    }
}
