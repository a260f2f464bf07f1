//! Random lives of a whole store against a model, on every pair of backends (D33): uploads, ends, crashes, broken disks, clocks that
//! jump. A failing seed shrinks; `STRONGROOM_SEED=number` runs that one again.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::strategy::Strategy as _;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::faulty::{Failure, Switch};
use super::machine_model::{Kept, Model};
use super::machine_steps::{Step, step};
use super::rig::{BlobsKind, CatalogKind, Rig, is_nightly, name, refusal};
use crate::figure::figure;
use crate::model::digest::Sha256Digest;
use crate::model::instant::{Instant, SECOND_MICROS};
use crate::model::retention::Retention;
use crate::model::stored_file::{BlobId, quota_bytes};
use crate::store::accounts::AccountChange;
use crate::store::blobs::BlobKey;
use crate::store::blobs::memory::When;
use crate::store::check::CheckRequest;
use crate::store::rows;

const STEPS: usize = 100;
/// Lives that one store has, each in an account of its own, before the next store is made.
const LIVES: u64 = 20;

/// A store with a life going on in it.
struct Machine {
    rig: Rig,
    switch: Switch,
    model: Model,
    password: crate::model::access::SecretHash,
    /// Guarded time at the last look.
    seen: Instant,
}

fn path(name: u8) -> String {
    format!("/{}/{name}", name % 2)
}

fn content(bytes: u8) -> Vec<u8> {
    vec![bytes + 1; [1, 300, 5_000][usize::from(bytes)]]
}

impl Machine {
    async fn begin(rig: Rig, switch: Switch) -> Self {
        rig.store.keep_time().await.expect("the catalog takes the time");
        let (password, seen) = (rig.account.password, rig.store.now());
        Self { rig, switch, model: Model { days: 30, ..Model::default() }, password, seen }
    }

    /// Does one step to both and returns what differs.
    async fn take(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Put { name, bytes, failure } => self.put(name, bytes, failure).await?,
            Step::BreakOff { name } => self.break_off(name).await?,
            Step::DieBeforeRow { name, bytes } => self.die_before_row(name, bytes),
            Step::Get { name } => self.get(name).await?,
            Step::Harm { name } => self.harm(name).await,
            Step::Pass { micros } => self.rig.pass(micros).await,
            Step::JumpWall { micros } => {
                self.rig.clock.jump_wall(micros);
                self.rig.pass(0).await;
            }
            // Nothing of the rest is done while writing is suspended; that it is refused is what `put` sees.
            _ if self.model.is_suspended && !matches!(step, Step::Crash) => {}
            Step::AcceptClock => drop(self.rig.store.accept_clock().await.expect("writing works")),
            Step::Expire { failure } => self.expire(failure).await?,
            Step::Rotate { failure } => self.rotate(failure).await?,
            Step::Disable => self.close(true).await,
            Step::Enable => self.close(false).await,
            Step::SetDays { days, failure } => self.set_days(days, failure).await?,
            Step::Reconcile => {
                let now = self.rig.store.now();
                self.rig.reconcile().await;
                self.model.reconcile(now, self.rig.account.created_at);
                self.take_back().await?;
            }
            Step::Check => self.check().await?,
            Step::Crash => {
                self.rig.open_again().await;
                self.model.is_suspended = false;
            }
        }
        self.compare().await
    }

    /// Names that were free are held by what was set aside for them.
    async fn take_back(&mut self) -> Result<(), String> {
        for number in 0..5 {
            let (account, wanted) = (self.rig.fresh_account().await, name(&path(number)));
            let found = self.rig.store.read(move |connection| rows::live_file(connection, &account, &wanted)).await;
            let found = found.map_err(|error| error.to_string())?.map(|file| file.sha256);
            self.model.take_back(number, |bytes| found == Some(Sha256Digest::of(&content(bytes))));
            same("the name is held", found.is_some(), self.model.held.contains_key(&number))?;
        }
        Ok(())
    }

    fn born(&self, bytes: u8) -> Kept {
        let time = &self.rig.store.inner.time;
        Kept { bytes, created: time.now(), from: time.kept_from(), is_harmed: false, is_marked: false }
    }

    async fn put(&mut self, name: u8, bytes: u8, failure: Option<Failure>) -> Result<(), String> {
        if failure.is_some() && self.model.strays.contains_key(&name) {
            return Ok(());
        }
        let born = self.born(bytes);
        self.switch.set(failure);
        let outcome = refusal(self.rig.put(&path(name), &content(bytes)).await);
        self.switch.set(None);
        let expected = self.model.refusal(name).unwrap_or_else(|| {
            if failure.is_none() {
                self.model.held.insert(name, born);
                return "stored";
            }
            if failure == Some(Failure::Publish(When::AfterBlob)) {
                self.model.strays.insert(name, Kept { created: born.from, ..born });
            }
            self.model.is_suspended = true;
            "writes suspended"
        });
        same("the upload", outcome, expected)
    }

    async fn break_off(&self, number: u8) -> Result<(), String> {
        let upload = self.rig.store.begin_upload(&self.rig.account, &name(&path(number)), 5).await;
        let expected = self.model.refusal(number).unwrap_or("stored");
        if let Ok(mut upload) = upload {
            upload.write(Bytes::from_static(b"four")).await.map_err(|error| error.to_string())?;
            return same("the admission", "stored", expected);
        }
        same("the admission", refusal(upload), expected)
    }

    fn die_before_row(&mut self, number: u8, bytes: u8) {
        if self.model.strays.contains_key(&number) {
            return;
        }
        let born = self.born(bytes);
        let sha256 = Sha256Digest::of(&content(bytes));
        let account = self.rig.account.id.clone();
        let key = BlobKey { account, name: name(&path(number)), kept_from: born.from, sha256, id: BlobId::random() };
        self.rig.publish_without_row(&key, &content(bytes));
        self.model.strays.insert(number, Kept { created: born.from, ..born });
    }

    async fn get(&mut self, name: u8) -> Result<(), String> {
        let found = self.rig.find(&path(name)).await;
        same("is found", found.is_some(), self.model.is_alive(name, self.rig.store.now()))?;
        let Some(file) = found else { return Ok(()) };
        let (is_suspended, kept) = (self.model.is_suspended, self.model.held.get_mut(&name).expect("it is alive"));
        match self.rig.read(&file).await {
            Ok(bytes) => same("its bytes are right", bytes == content(kept.bytes) && !kept.is_harmed, true),
            outcome => {
                kept.is_marked |= !is_suspended;
                same("the download", refusal(outcome), if kept.is_harmed { "corrupt" } else { "whole" })
            }
        }
    }

    async fn harm(&mut self, name: u8) {
        if let Some(file) = self.rig.find(&path(name)).await {
            self.rig.flip_bit(&BlobKey::of(&file));
            let kept = self.model.held.get_mut(&name).expect("what is found is held");
            kept.is_harmed = !kept.is_harmed;
        }
    }

    async fn expire(&mut self, failure: Option<Failure>) -> Result<(), String> {
        let is_paused = self.rig.store.health().await.expiry_paused.is_some();
        self.switch.set(failure);
        let outcome = self.rig.expire_due().await;
        self.switch.set(None);
        match (refusal(outcome), failure) {
            ("stored", _) => {}
            ("writes suspended", Some(_)) => self.model.is_suspended = true,
            (other, _) => return Err(format!("expiry: {other}")),
        }
        if !is_paused {
            self.model.expire(self.rig.store.now());
        }
        if failure.is_none() {
            self.rig.store.remove_doomed().await.map_err(|error| error.to_string())?;
            self.model.doomed = 0;
            return Ok(());
        }
        // Which removals the broken disk refused is its affair; they are at most one more than before.
        let left = self.blobs().saturating_sub(self.model.blobs() - self.model.doomed);
        same("removals that were refused once", left <= self.model.doomed + 1, true)?;
        self.model.doomed = left;
        Ok(())
    }

    async fn rotate(&mut self, failure: Option<Failure>) -> Result<(), String> {
        self.switch.set(failure);
        let outcome = self.rig.store.rotate_account(&self.rig.account.id).await;
        self.switch.set(None);
        let now = self.rig.fresh_account().await.password;
        same("the password changed", now != self.password, true)?;
        self.password = now;
        // Where only the small copy fails the change is made, and the new password is told.
        self.model.is_suspended |= failure.is_some();
        same("the new password opens", outcome.ok().map(|password| password.hash()), Some(self.password))
    }

    async fn close(&mut self, is_disabled: bool) {
        let id = &self.rig.account.id;
        let outcome =
            if is_disabled { self.rig.store.disable_account(id, "unpaid").await } else { self.rig.store.enable_account(id).await };
        outcome.expect("the account exists and writing works");
        self.model.is_disabled = is_disabled;
    }

    /// A second passes on both sides, so that what was created then was created before or after.
    async fn set_days(&mut self, days: i64, failure: Option<Failure>) -> Result<(), String> {
        self.rig.pass(SECOND_MICROS).await;
        let at = self.rig.store.now();
        let change = AccountChange { retention: Retention::from_days(days).ok(), ..AccountChange::default() };
        self.switch.set(failure);
        let outcome = self.rig.store.change_account(&self.rig.account.id, change).await;
        self.switch.set(None);
        if days != self.model.days {
            self.model.past.push((at, self.model.days));
            self.model.days = days;
        }
        self.rig.pass(SECOND_MICROS).await;
        self.model.is_suspended |= failure.is_some();
        same("the change", refusal(outcome), "stored")
    }

    async fn check(&mut self) -> Result<(), String> {
        let request = CheckRequest { account: Some(self.rig.account.id.clone()), quick: false };
        let report = self.rig.store.check(&request, &mut |_| {}).await.map_err(|error| error.to_string())?;
        let held = self.model.held.values_mut();
        held.for_each(|file| file.is_marked = file.is_harmed);
        let harmed = self.model.held.values().filter(|file| file.is_harmed).count();
        same(
            "what a check finds",
            (report.damaged.len(), report.quarantined.len()),
            (harmed, self.model.set_aside.len() + self.model.displaced),
        )
    }

    fn blobs(&self) -> usize {
        self.rig.keys().iter().filter(|key| key.account == self.rig.account.id).count()
    }

    async fn compare(&mut self) -> Result<(), String> {
        let now = self.rig.store.now();
        same("time goes on", now >= self.seen, true)?;
        self.seen = now;
        let account = self.rig.fresh_account().await;
        let page = self.rig.store.list(&account, &Default::default()).await.map_err(|error| error.to_string())?;
        let listed: BTreeSet<(String, bool)> = page.files.iter().map(|file| (file.name.to_string(), file.damaged_at.is_some())).collect();
        let expected: BTreeSet<(String, bool)> =
            self.model.listed(now).into_iter().map(|(name, is_marked)| (path(name), is_marked)).collect();
        same("the list", listed, expected)?;
        same("blobs on disk", self.blobs(), self.model.blobs())?;
        let counted = |(number, file): (&u8, &Kept)| quota_bytes(&name(&path(*number)), content(file.bytes).len() as u64);
        same("the quota's count", account.used_bytes, self.model.held.iter().map(counted).sum())?;
        same("the password", account.password == self.password, true)?;
        same("closed", account.disabled.is_some(), self.model.is_disabled)?;
        same("writing is suspended", self.rig.store.health().await.writes_suspended.is_some(), self.model.is_suspended)
    }

    /// The end of every life: a restart, a reconciliation, and every file read.
    async fn end(&mut self) -> Result<(), String> {
        for step in [Step::Crash, Step::Reconcile] {
            self.take(&step).await?;
        }
        for name in 0..5 {
            self.take(&Step::Get { name }).await?;
        }
        Ok(())
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, but the model says {expected:?}")) }
}

/// Lives one life in an account of its own, in the store of the lives before or in a new one.
async fn live(kept: &mut Option<(Rig, Switch)>, kinds: (BlobsKind, CatalogKind), steps: &[Step]) -> Result<(), String> {
    let (mut rig, switch) = match kept.take() {
        Some(kept) => kept,
        None => {
            let switch = Switch::default();
            let around = switch.clone();
            // What is tested here is not what a disk keeps: memory is as good, and quick.
            let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder");
            let rig = Rig::built(folder, kinds.0, kinds.1, move |blobs| around.around(blobs)).await;
            (rig.expect("PostgreSQL was there a moment ago"), switch)
        }
    };
    rig.take_another_account().await;
    let mut machine = Machine::begin(rig, switch).await;
    for (number, step) in steps.iter().enumerate() {
        machine.take(step).await.map_err(|why| format!("step {number}, {step:?}: {why}"))?;
    }
    machine.end().await.map_err(|why| format!("at the end: {why}"))?;
    *kept = Some((machine.rig, machine.switch));
    Ok(())
}

/// Lives `seeds` lives from `first` on; returns how many.
fn live_seeds(kinds: (BlobsKind, CatalogKind), first: u64, seeds: u64) -> u64 {
    let asked = std::env::var("STRONGROOM_SEED").ok().map(|seed| seed.parse().expect("STRONGROOM_SEED is a whole number"));
    let range = asked.map_or(first..first + seeds, |seed: u64| seed..seed + 1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut kept = None;
    for seed in range.clone() {
        if seed.is_multiple_of(LIVES) {
            kept = None;
        }
        let mut numbers = [0; 32];
        numbers[..8].copy_from_slice(&seed.to_le_bytes());
        let config = Config { cases: 1, failure_persistence: None, max_shrink_iters: 3_000, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &numbers));
        let shared = std::cell::RefCell::new(kept.take());
        let steps = proptest::collection::vec(step(), STEPS).prop_map(|steps| steps);
        let outcome =
            runner.run(&steps, |steps| runtime.block_on(live(&mut shared.borrow_mut(), kinds, &steps)).map_err(TestCaseError::fail));
        match outcome {
            Ok(()) => kept = shared.into_inner(),
            Err(TestError::Fail(why, steps)) => panic!("D33, STRONGROOM_SEED={seed}: {why}, after {steps:#?}"),
            Err(TestError::Abort(why)) => panic!("D33, STRONGROOM_SEED={seed}: {why}"),
        }
    }
    range.count() as u64
}

fn random_lives(kinds: (BlobsKind, CatalogKind), part: &str, fast: u64, nightly: u64) {
    // Each pair of backends has seeds of its own.
    let first = 1_000_000 * (u64::from(kinds.0 == BlobsKind::Disk) * 2 + u64::from(kinds.1 == CatalogKind::Postgres));
    let lived = live_seeds(kinds, first, if is_nightly() { nightly } else { fast });
    figure("D33", part, &format!("{lived} lives of {STEPS} steps: 0 differences"), Some(first));
}

#[test]
fn random_lives_go_as_the_model_says_in_memory_with_sqlite() {
    random_lives((BlobsKind::Memory, CatalogKind::Sqlite), "memory, SQLite", 200, 7_000);
}

#[test]
fn random_lives_go_as_the_model_says_on_disk_with_sqlite() {
    random_lives((BlobsKind::Disk, CatalogKind::Sqlite), "disk, SQLite", 40, 2_000);
}

#[test]
fn random_lives_go_as_the_model_says_in_memory_with_postgresql() {
    if crate::store::catalog::testing::postgres_url().is_some() {
        random_lives((BlobsKind::Memory, CatalogKind::Postgres), "memory, PostgreSQL", 5, 500);
    }
}

#[test]
fn random_lives_go_as_the_model_says_on_disk_with_postgresql() {
    if crate::store::catalog::testing::postgres_url().is_some() {
        random_lives((BlobsKind::Disk, CatalogKind::Postgres), "disk, PostgreSQL", 5, 500);
    }
}
