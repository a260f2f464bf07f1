//! A store on one pair of backends with a clock that stands until it is moved.

use std::sync::Arc;

use bytes::Bytes;

use crate::clock::Clock;
use crate::config::{CatalogTarget, StoreConfig};
use crate::model::access::Secret;
use crate::model::account::{Account, Kind};
use crate::model::file_name::FileName;
use crate::model::instant::Instant;
use crate::model::retention::Retention;
use crate::model::stored_file::StoredFile;
use crate::store::accounts::NewAccount;
use crate::store::blobs::disk::DiskBlobs;
use crate::store::blobs::memory::MemoryBlobs;
use crate::store::blobs::{BlobKey, Blobs, Found};
use crate::store::catalog::{Catalog, testing};
use crate::store::{Error, Result, Store, rows};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BlobsKind {
    Memory,
    Disk,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CatalogKind {
    Sqlite,
    Postgres,
}

/// One store, one account in it.
pub(super) struct Rig {
    pub(super) store: Store,
    pub(super) account: Account,
    pub(super) password: Secret,
    pub(super) clock: Clock,
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) memory: Option<Arc<MemoryBlobs>>,
    config: StoreConfig,
    folder: tempfile::TempDir,
}

/// Whether there is time for the full figures.
pub(super) fn is_nightly() -> bool {
    std::env::var("STRONGROOM_NIGHTLY").as_deref() == Ok("1")
}

pub(super) fn start() -> Instant {
    Instant::from_seconds(1_800_000_000)
}

pub(super) fn name(text: &str) -> FileName {
    FileName::from_url_path(text).expect("a test's name is valid")
}

impl Rig {
    /// `None`, with a loud line, where PostgreSQL is not installed.
    pub(super) async fn new(blobs: BlobsKind, catalog: CatalogKind) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self::built(folder, blobs, catalog, |blobs| blobs).await
    }

    /// In `folder`, with something of the test's own around the blobs.
    pub(super) async fn built(
        folder: tempfile::TempDir,
        blobs: BlobsKind,
        catalog: CatalogKind,
        around: impl FnOnce(Arc<dyn Blobs>) -> Arc<dyn Blobs>,
    ) -> Option<Self> {
        let target = match catalog {
            CatalogKind::Sqlite => CatalogTarget::Sqlite,
            CatalogKind::Postgres => CatalogTarget::Postgres(testing::postgres_url()?),
        };
        let config = StoreConfig {
            data: folder.path().to_owned(),
            catalog: target,
            catalog_readers: 2,
            disk_reserve_bytes: 1 << 20,
            scrub_days: 30,
            control_copies: 30,
            sessions_per_account: 100,
            mails: true,
        };
        let memory = (blobs == BlobsKind::Memory).then(|| Arc::new(MemoryBlobs::default()));
        let blobs: Arc<dyn Blobs> = around(match &memory {
            Some(memory) => Arc::clone(memory) as Arc<dyn Blobs>,
            None => Arc::new(DiskBlobs::open(&folder.path().join("blobs")).expect("the temporary folder takes blobs")),
        });
        let clock = Clock::test(start());
        let store = open(&config, &clock, &blobs).await;
        let (account, password) = add_account(&store).await;
        Some(Self { store, account, password, clock, blobs, memory, config, folder })
    }

    /// A second server on the same catalog and the same blobs.
    pub(super) async fn second_store(&self) -> Store {
        open(&self.config, &self.clock, &self.blobs).await
    }

    /// The same where the settings name no mail server.
    pub(super) async fn without_mail(mut self) -> Self {
        self.config.mails = false;
        self.store = self.second_store().await;
        self
    }

    /// What a crash and the next start leave: another store on the same parts.
    pub(super) async fn open_again(&mut self) {
        self.store = self.second_store().await;
        self.store.load_newer_control().await.expect("the copies can be read");
    }

    /// Goes on with an account that nothing has happened to.
    pub(super) async fn take_another_account(&mut self) {
        (self.account, self.password) = add_account(&self.store).await;
    }

    /// Goes on with a vault.
    pub(super) async fn take_vault(&mut self) {
        let new = NewAccount { kind: Kind::Vault, description: String::new(), retention: Retention::MIN, quota_bytes: None };
        (self.account, self.password) = self.store.add_account(new).await.expect("an account can be added");
    }

    pub(super) async fn put(&self, path: &str, bytes: &[u8]) -> Result<StoredFile> {
        put(&self.store, &self.account, path, bytes).await
    }

    pub(super) async fn find(&self, path: &str) -> Option<StoredFile> {
        let account = self.fresh_account().await;
        self.store.find(&account, &name(path)).await.expect("the catalog answers")
    }

    pub(super) async fn read(&self, file: &StoredFile) -> Result<Vec<u8>> {
        self.read_range(file, 0..file.size_bytes).await
    }

    pub(super) async fn read_range(&self, file: &StoredFile, range: std::ops::Range<u64>) -> Result<Vec<u8>> {
        let mut download = self.store.open_file(file, range).await?;
        let mut bytes = Vec::new();
        while let Some(block) = download.next().await? {
            bytes.extend_from_slice(&block);
        }
        Ok(bytes)
    }

    /// The account as requests see it now.
    pub(super) async fn fresh_account(&self) -> Account {
        self.store.account(&self.account.id).await.expect("the catalog answers").expect("the account exists")
    }

    pub(super) async fn names(&self) -> Vec<String> {
        let page = self.store.list(&self.fresh_account().await, &Default::default()).await.expect("the catalog answers");
        page.files.iter().map(|file| file.name.to_string()).collect()
    }

    /// Keys of everything that is published.
    pub(super) fn keys(&self) -> Vec<BlobKey> {
        let mut keys = Vec::new();
        let visit = &mut |found| {
            if let Found::Blob { key, .. } = found {
                keys.push(key);
            }
            true
        };
        self.blobs.walk(visit).expect("the blobs can be walked");
        keys
    }

    pub(super) async fn pass(&self, micros: i64) {
        self.clock.advance(std::time::Duration::from_micros(micros.unsigned_abs()));
        self.store.tick_time().await.expect("the clocks can be read");
    }

    /// Publishes a blob as a PUT does whose server dies before the row is written.
    pub(super) fn publish_without_row(&self, key: &BlobKey, bytes: &[u8]) {
        let mut staged = self.blobs.stage().expect("a staging file can be made");
        staged.write(bytes).expect("it can be written");
        staged.publish(key).expect("it can be published");
    }

    /// Takes the row away and leaves the blob.
    pub(super) async fn lose_row(&self, file: &StoredFile) {
        let id = file.id.as_str().to_owned();
        let lose = move |connection: &mut dyn crate::store::catalog::Connection| {
            connection.execute("DELETE FROM block_sums WHERE random = $1", &[id.as_str().into()])?;
            connection.execute("DELETE FROM files WHERE random = $1", &[id.as_str().into()])
        };
        self.store.write(lose).await.expect("the row can be deleted");
    }

    /// Flips one bit in the middle of the stored bytes; twice is none.
    pub(super) fn flip_bit(&self, key: &BlobKey) {
        if let Some(memory) = &self.memory {
            return memory.flip_bit(key);
        }
        let path = self.folder.path().join("blobs").join(key.to_path());
        let mut bytes = std::fs::read(&path).expect("the blob is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).expect("the blob can be overwritten from outside");
    }

    pub(super) async fn expire_due(&self) -> Result<u64> {
        let (_stop, shutdown) = crate::shutdown::channel();
        self.store.expire_due(&shutdown).await
    }

    pub(super) async fn reconcile(&self) -> crate::store::reconcile::ReconcileReport {
        let (_stop, shutdown) = crate::shutdown::channel();
        self.store.reconcile(&shutdown).await.expect("reconciliation runs")
    }

    /// Another store on the same catalog and the same blobs, as a start would open it.
    pub(super) async fn opened_again(&self) -> Store {
        open(&self.config, &self.clock, &self.blobs).await
    }

    /// The same blobs under a new, empty catalog; SQLite only, in another folder.
    pub(super) async fn with_empty_catalog(&self) -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let config = StoreConfig { data: folder.path().to_owned(), catalog: CatalogTarget::Sqlite, ..self.config.clone() };
        (open(&config, &self.clock, &self.blobs).await, folder)
    }
}

async fn add_account(store: &Store) -> (Account, Secret) {
    let new = NewAccount { kind: Kind::Archive, description: String::new(), retention: Retention::MIN, quota_bytes: None };
    store.add_account(new).await.expect("an account can be added")
}

pub(super) async fn put(store: &Store, account: &Account, path: &str, bytes: &[u8]) -> Result<StoredFile> {
    let mut upload = store.begin_upload(account, &name(path), bytes.len() as u64).await?;
    for part in bytes.chunks(100_000) {
        upload.write(Bytes::copy_from_slice(part)).await?;
    }
    upload.finish(Vec::new()).await
}

/// What refused an upload, by the variant's name.
pub(super) fn refusal<T>(outcome: Result<T>) -> &'static str {
    match outcome {
        Ok(_) => "stored",
        Err(Error::NameTaken(_)) => "name taken",
        Err(Error::OverQuota { .. }) => "over quota",
        Err(Error::DiskFull { .. }) => "disk full",
        Err(Error::WrongSize { .. }) => "wrong size",
        Err(Error::DigestMismatch { .. }) => "digest mismatch",
        Err(Error::AccountClosed { .. }) => "account closed",
        Err(Error::Corrupt(_)) => "corrupt",
        Err(Error::WritesSuspended { .. }) => "writes suspended",
        Err(Error::NotFound) => "not found",
        Err(Error::InDoubt(_)) => "in doubt",
        Err(Error::NotEntered { .. }) => "not entered",
        Err(Error::Unavailable(_)) => "unavailable",
        Err(Error::Internal(_)) => "internal",
    }
}

async fn open(config: &StoreConfig, clock: &Clock, blobs: &Arc<dyn Blobs>) -> Store {
    let catalog = Catalog::open(config, true).expect("the catalog opens");
    catalog.write(|connection| rows::set(connection, "store_id", "test")).await.expect("the catalog takes its id");
    Store::assemble(config, clock.clone(), catalog, Arc::clone(blobs), None, None).await.expect("the store opens")
}
