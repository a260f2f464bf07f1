//! Publish, then row: the only place that does both.
//!
//! The order is: digests match, bytes synced, blob published, folders durable, row committed, answer. Whoever stops waiting
//! changes nothing: the steps run in a task of their own. What happens to a blob whose row was not to be:
//!
//! * a conflict that the catalog judged: the blob's own row is made `doomed` in the same transaction;
//! * a failed transaction, or one whose outcome is unknown: the blob is left alone for reconciliation.

use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;
use tokio::time::{self, timeout_at};

use super::blobs::{BlobError, BlobKey};
use super::catalog::{CatalogError, Connection, Fault, WRITE_TIME};
use super::upload::{Received, Sink, Whole, closed_reason};
use super::{Error, Result, Store, rows};
use crate::fault_point;
use crate::model::account::Account;
use crate::model::digest::{BlockSums, Sha256Digest};
use crate::model::instant::{DAY_MICROS, Instant};
use crate::model::stored_file::{BlobId, FileState, StoredFile, quota_bytes};

/// A published blob that has no row yet.
pub(super) struct Sealed {
    pub(super) key: BlobKey,
    pub(super) size_bytes: u64,
    pub(super) sums: BlockSums,
    account: Account,
    /// Whether a damaged file of its name has the same bytes, as they should be.
    replaces_damaged: bool,
    /// By how much it may pass the quota.
    slack_bytes: u64,
}

/// A process that was frozen longer than this between publish and commit does not go on: its blob may have been adopted and
/// have expired since.
const COMMIT_MICROS: i64 = DAY_MICROS;

/// Why a damaged file was set aside.
pub(super) const WAS_DAMAGED: &str = "it is damaged, and a whole copy took its place";

/// What the catalog decided.
enum Verdict {
    Stored(Box<StoredFile>),
    NameTaken(Box<StoredFile>),
    OverQuota {
        quota_bytes: u64,
        used_bytes: u64,
    },
    Closed(String),
    /// The blob's own row was judged otherwise while the name was held; the name is free again.
    TryAgain,
    /// The upload was published a day ago or longer: what became of its blob is reconciliation's business.
    TooLate,
}

impl Store {
    /// Takes the last bytes in, compares digests, syncs, publishes, and gives the blob its row. Each step is begun by the thread that
    /// ended the one before it, so nothing waits for this task, which only hears how it went.
    pub(super) async fn keep(&self, whole: Whole, sink: Box<Sink>, last_bytes: Vec<u8>) -> Result<StoredFile> {
        self.check_writes()?;
        let Whole { account, name, size_bytes, expected, replaced, slack_bytes } = whole;
        let kept_from = self.inner.time.kept_from();
        let (told, heard) = oneshot::channel();
        let published = Arc::new(OnceLock::new());
        let (store, publishing) = (self.clone(), Arc::clone(&published));
        let place = self.writer_place().await;
        // Nobody waits for this thread: it may go on to publish the files of others.
        tokio::task::spawn_blocking(move || {
            let _place = place;
            let Received { staged, sha256, sums, promise } = match sink.close(&last_bytes) {
                Ok(received) => received,
                Err(error) => return drop(told.send(Err(Unkept::Disk(error)))),
            };
            if let Some(sent) = expected.into_iter().find(|sent| *sent != sha256) {
                return drop(told.send(Err(Unkept::Digest { sent, computed: sha256 })));
            }
            let key = BlobKey { account: account.id.clone(), name, kept_from, sha256, id: BlobId::random() };
            let replaces_damaged = replaced == Some(sha256);
            let sealed = Sealed { key: key.clone(), size_bytes, sums, account, replaces_damaged, slack_bytes };
            let enter = move |outcome: std::result::Result<(), BlobError>| {
                drop(promise);
                fault_point::pass("sealed");
                match outcome {
                    Ok(()) => store.enter(sealed, &publishing, told),
                    Err(error) => drop(told.send(Err(Unkept::Disk(error)))),
                }
            };
            fault_point::pass("received");
            staged.publish_among(&key, Box::new(enter));
        });
        let outcome = self.hear(heard, &published).await;
        match published.get() {
            Some(published) => self.conclude(&published.sealed, outcome).await,
            None => Err(self.unpublished(outcome, size_bytes)),
        }
    }

    /// Waits for the end of an upload; where the catalog is lost, no longer than for its publish.
    async fn hear(&self, mut heard: oneshot::Receiver<Told>, published: &OnceLock<Published>) -> Told {
        tokio::select! {
            biased;
            told = hear(&mut heard, published) => return told,
            () = self.inner.catalog.lost() => {}
        }
        match published.get() {
            Some(_) => Err(in_doubt("the catalog was lost before it answered")),
            // Nothing will be entered, and so its thread will say.
            None => hear(&mut heard, published).await,
        }
    }

    /// Hands a published blob to the catalog's writer, for a transaction shared with other uploads.
    fn enter(&self, sealed: Sealed, published: &OnceLock<Published>, told: oneshot::Sender<Told>) {
        let sealed = Arc::new(sealed);
        // Set once: each upload is published once.
        let _ = published.set(Published { sealed: Arc::clone(&sealed), at: time::Instant::now() });
        if let Err(error) = self.check_writes() {
            return drop(told.send(Err(Unkept::Entry(error))));
        }
        let store = self.clone();
        let insert = move |connection: &mut dyn Connection| insert(connection, &sealed, store.now());
        let tell = |outcome: std::result::Result<_, _>| drop(told.send(outcome.map_err(Unkept::Catalog)));
        self.inner.catalog.write_and_tell(insert, tell);
    }

    /// What becomes of a published blob after its transaction.
    async fn conclude(&self, sealed: &Sealed, outcome: Told) -> Result<StoredFile> {
        let outcome = outcome.map_err(|unkept| match unkept {
            Unkept::Catalog(error) => self.catalog_failed(error),
            Unkept::Entry(error) => error,
            unkept => self.unpublished(Err(unkept), sealed.size_bytes),
        });
        let verdict = match outcome {
            Ok(verdict) => verdict,
            Err(Error::InDoubt(cause)) => self.find_committed(sealed, cause).await?,
            // The blob is there and is adopted by the next reconciliation: nobody may hear that nothing was stored.
            Err(error) => {
                return Err(Error::NotEntered { disk_is_full: matches!(error, Error::DiskFull { .. }), source: error.into() });
            }
        };
        let needed_bytes = quota_bytes(&sealed.key.name, sealed.size_bytes);
        let refusal = match verdict {
            Verdict::Stored(file) => {
                fault_point::pass("row-committed");
                return Ok(*file);
            }
            Verdict::NameTaken(holder) => Error::NameTaken(holder),
            Verdict::OverQuota { quota_bytes, used_bytes } => Error::OverQuota { quota_bytes, used_bytes, needed_bytes },
            Verdict::Closed(reason) => Error::AccountClosed { reason },
            Verdict::TryAgain => Error::Unavailable("the upload met the end of another file of its name".into()),
            Verdict::TooLate => return Err(Error::InDoubt("the upload stood still for a day before its commit".into())),
        };
        self.remove_in_background(sealed.key.clone());
        Err(refusal)
    }

    /// Why a blob was not published.
    fn unpublished(&self, outcome: Told, size_bytes: u64) -> Error {
        match outcome {
            Err(Unkept::Digest { sent, computed }) => Error::DigestMismatch { sent, computed },
            Err(Unkept::Disk(error)) => self.blob_write_failed(error, size_bytes),
            _ => Error::Internal("the thread of the upload, or of its batch, panicked".into()),
        }
    }

    /// After a commit in doubt: found on another connection means stored; anything else stays in doubt.
    async fn find_committed(&self, sealed: &Sealed, cause: Box<dyn std::error::Error + Send + Sync>) -> Result<Verdict> {
        let (account, id) = (sealed.account.clone(), sealed.key.id.clone());
        match self.read(move |connection| rows::file_of_blob(connection, Some(&account), &id)).await {
            Ok(Some(file)) if file.state == FileState::Live => Ok(Verdict::Stored(Box::new(file))),
            _ => Err(Error::InDoubt(cause)),
        }
    }
}

/// A blob that is published, and since when its row is awaited.
struct Published {
    sealed: Arc<Sealed>,
    at: time::Instant,
}

/// How an upload ended, as its threads tell it.
type Told = std::result::Result<Verdict, Unkept>;

enum Unkept {
    Digest {
        sent: Sha256Digest,
        computed: Sha256Digest,
    },
    Disk(BlobError),
    /// Published, but nothing is written any more.
    Entry(Error),
    Catalog(CatalogError),
    /// A thread ended without a word.
    Silence,
}

/// Waits for the end of an upload: for that of its publish however long it takes, and for its row as long as for any commit.
async fn hear(heard: &mut oneshot::Receiver<Told>, published: &OnceLock<Published>) -> Told {
    loop {
        let waits_until = |published: &Published| published.at + WRITE_TIME;
        let until = published.get().map_or_else(|| time::Instant::now() + WRITE_TIME, waits_until);
        match timeout_at(until, &mut *heard).await {
            Ok(Ok(told)) => return told,
            Ok(Err(_)) if published.get().is_none() => return Err(Unkept::Silence),
            // A writer that ended without an answer may have been in the middle of a commit.
            Ok(Err(_)) => return Err(in_doubt("the catalog's writer ended before it answered")),
            Err(_) if published.get().is_some_and(|published| waits_until(published) <= time::Instant::now()) => {
                return Err(in_doubt("the catalog has not answered in time"));
            }
            Err(_) => {}
        }
    }
}

fn in_doubt(why: &str) -> Unkept {
    Unkept::Catalog(CatalogError::new(Fault::InDoubt, why))
}

/// The row of a PUT, judged by the unique indexes and the quota.
fn insert(connection: &mut dyn Connection, sealed: &Sealed, now: Instant) -> Result<Verdict, CatalogError> {
    let Sealed { key, size_bytes, account, .. } = sealed;
    if now.micros_since(key.kept_from) >= COMMIT_MICROS {
        return Ok(Verdict::TooLate);
    }
    let counted = rows::signed(quota_bytes(&key.name, *size_bytes));
    let statement = "UPDATE accounts SET used = used + $2, change = change + 1, \
                     changed_at = CASE WHEN changed_at >= $3 THEN changed_at + 1 ELSE $3 END \
                     WHERE id = $1 AND disabled IS NULL AND removed_at IS NULL AND (quota IS NULL OR used + $2 <= quota + $4) \
                     RETURNING change, changed_at";
    let admitted = connection
        .query(statement, &[key.account.as_str().into(), counted.into(), now.micros().into(), rows::signed(sealed.slack_bytes).into()])?;
    let Some(admitted) = admitted.first() else { return refuse(connection, sealed, now) };
    let (change, mut created_at) = (admitted.int(0)?, Instant::from_micros(admitted.int(1)?));
    if sealed.replaces_damaged {
        created_at = displace_damaged(connection, sealed)?.unwrap_or(created_at);
    }
    if insert_row(connection, sealed, FileState::Live, change, created_at)? == 1 {
        insert_sums(connection, key, &sealed.sums)?;
        fault_point::pass("row-written");
        return Ok(Verdict::Stored(Box::new(new_file(sealed, created_at))));
    }
    if take_over(connection, sealed, change, created_at)? {
        insert_sums(connection, key, &sealed.sums)?;
        let file = rows::file_of_blob(connection, Some(account), &key.id)?;
        return Ok(Verdict::Stored(Box::new(file.ok_or_else(lost_row)?)));
    }
    connection.execute("UPDATE accounts SET used = used - $2 WHERE id = $1", &[key.account.as_str().into(), counted.into()])?;
    refuse(connection, sealed, now)
}

/// Sets the damaged file of the name aside, with what is left of its bytes, for the same bytes as they should be; its creation goes on.
/// `None` where it is damaged no more, or gone.
fn displace_damaged(connection: &mut dyn Connection, sealed: &Sealed) -> Result<Option<Instant>, CatalogError> {
    let key = &sealed.key;
    let statement = "UPDATE files SET state = 'quarantined', why = $4 WHERE account = $1 AND name = $2 AND state = 'live' \
                     AND damaged_at IS NOT NULL AND sha256 = $3 RETURNING created_at, size";
    let values = [key.account.as_str().into(), key.name.as_bytes().into(), key.sha256.0[..].into(), WAS_DAMAGED.into()];
    let displaced = connection.query(statement, &values)?;
    let Some(row) = displaced.first() else { return Ok(None) };
    let counted = rows::signed(quota_bytes(&key.name, u64::try_from(row.int(1)?).unwrap_or(0)));
    connection.execute("UPDATE accounts SET used = used - $2 WHERE id = $1", &[key.account.as_str().into(), counted.into()])?;
    Ok(Some(Instant::from_micros(row.int(0)?)))
}

/// Why there is no row: adopted meanwhile (then it is stored), name taken, account closed, or quota. A refused blob is doomed here.
fn refuse(connection: &mut dyn Connection, sealed: &Sealed, now: Instant) -> Result<Verdict, CatalogError> {
    let key = &sealed.key;
    if let Some(own) = rows::file_of_blob(connection, Some(&sealed.account), &key.id)?
        && own.state == FileState::Live
    {
        return Ok(Verdict::Stored(Box::new(own)));
    }
    if insert_row(connection, sealed, FileState::Doomed, 0, now)? == 0 {
        let statement = "UPDATE files SET state = 'doomed' WHERE random = $1 AND state IN ('checking', 'quarantined')";
        connection.execute(statement, &[key.id.as_str().into()])?;
    }
    if let Some(holder) = rows::live_file(connection, &sealed.account, &key.name)? {
        return Ok(Verdict::NameTaken(Box::new(holder)));
    }
    let Some(account) = rows::account(connection, &key.account)? else { return Ok(Verdict::Closed("it is gone".to_owned())) };
    if let Some(reason) = closed_reason(&account) {
        return Ok(Verdict::Closed(reason));
    }
    let needed_bytes = quota_bytes(&key.name, sealed.size_bytes);
    let over =
        account.quota_bytes.filter(|quota| account.used_bytes.saturating_add(needed_bytes) > quota.saturating_add(sealed.slack_bytes));
    Ok(over.map_or(Verdict::TryAgain, |quota_bytes| Verdict::OverQuota { quota_bytes, used_bytes: account.used_bytes }))
}

/// The file of a row that was just inserted.
fn new_file(sealed: &Sealed, created_at: Instant) -> StoredFile {
    let Sealed { key, size_bytes, .. } = sealed;
    StoredFile {
        id: key.id.clone(),
        account: key.account.clone(),
        name: key.name.clone(),
        state: FileState::Live,
        size_bytes: *size_bytes,
        sha256: key.sha256,
        created_at,
        kept_from: key.kept_from,
        expires_at: life_end(sealed, created_at),
        hidden_at: None,
        checked_at: Some(created_at),
        damaged_at: None,
    }
}

fn life_end(sealed: &Sealed, created_at: Instant) -> Instant {
    match sealed.account.kind {
        crate::model::account::Kind::Archive => sealed.account.retention.expires_at(created_at, sealed.key.kept_from),
        crate::model::account::Kind::Vault => Instant::FOREVER,
    }
}

/// 1 where the row is new; 0 where the blob has a row already, or the name a live one.
fn insert_row(
    connection: &mut dyn Connection,
    sealed: &Sealed,
    state: FileState,
    change: i64,
    created_at: Instant,
) -> Result<u64, CatalogError> {
    let Sealed { key, size_bytes, .. } = sealed;
    let days = days_kept("$2", "$8");
    connection.execute(
        &format!(
            "INSERT INTO files (random, account, name, state, size, sha256, change, created_at, kept_from, expires_at, checked_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CAST($9 AS BIGINT) * 1000000 + {DAY_MICROS} * {days}, $8) ON CONFLICT DO NOTHING"
        ),
        &[
            key.id.as_str().into(),
            key.account.as_str().into(),
            key.name.as_bytes().into(),
            state.as_str().into(),
            rows::signed(*size_bytes).into(),
            key.sha256.0[..].into(),
            change.into(),
            created_at.micros().into(),
            key.kept_from.seconds().into(),
        ],
    )
}

/// SQL for the days that an archive's file of this creation is kept, `NULL` for a vault's. By the history as it is now: a retention that
/// was lowered while the bytes came holds for them.
pub(super) fn days_kept(account: &str, created_at: &str) -> String {
    format!(
        "(SELECT MAX(days) FROM retentions WHERE retentions.account = {account} AND retentions.until_at > {created_at} \
         AND EXISTS (SELECT 1 FROM accounts WHERE accounts.id = {account} AND accounts.kind = 'archive'))"
    )
}

/// Makes the `checking` row that reconciliation gave this blob live, unless the name is held.
fn take_over(connection: &mut dyn Connection, sealed: &Sealed, change: i64, created_at: Instant) -> Result<bool, CatalogError> {
    let statement = format!(
        "UPDATE files SET state = 'live', change = $2, created_at = $3, checked_at = $3, why = NULL, \
         expires_at = kept_from * 1000000 + {DAY_MICROS} * {} \
         WHERE random = $1 AND state = 'checking' AND NOT EXISTS \
         (SELECT 1 FROM files AS other WHERE other.account = files.account AND other.name = files.name AND other.state = 'live')",
        days_kept("files.account", "$3")
    );
    let values = [sealed.key.id.as_str().into(), change.into(), created_at.micros().into()];
    Ok(connection.execute(&statement, &values)? == 1)
}

pub(super) fn insert_sums(connection: &mut dyn Connection, key: &BlobKey, sums: &BlockSums) -> Result<(), CatalogError> {
    let statement = "INSERT INTO block_sums (random, format, sums) VALUES ($1, $2, $3) ON CONFLICT (random) DO NOTHING";
    connection.execute(statement, &[key.id.as_str().into(), BlockSums::FORMAT.into(), sums.to_bytes().into()]).map(drop)
}

fn lost_row() -> CatalogError {
    CatalogError::new(Fault::Failed, "a row that was just written cannot be read")
}
