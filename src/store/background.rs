//! What the store does by itself while a server runs: time, expiry, reconciliation, scrub, small copies.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::catalog::Fault;
use super::fleet::Ticked;
use super::{Error, Result, Store};
use crate::shutdown::Shutdown;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

impl Store {
    /// Runs until the stop is given. What is under way then is dropped between two steps, each of which a start takes up again.
    pub async fn run(&self, shutdown: Shutdown) {
        let was_clean = self.note_start().await.inspect_err(|error| warn("noting the start", error)).unwrap_or(false);
        if !was_clean {
            tracing::warn!("the last server on this store did not end cleanly: catalog and blobs are being checked");
        }
        tokio::join!(
            self.every(SECOND, &shutdown, "following the clocks", || self.tick_time()),
            self.every(30 * SECOND, &shutdown, "storing the time", || self.keep_time()),
            self.every(SECOND, &shutdown, "expiry", || async { self.expire_due(&shutdown).await.map(note_expired) }),
            self.every(HOUR, &shutdown, "removing doomed bytes", || async { self.remove_doomed().await.map(drop) }),
            self.every(HOUR, &shutdown, "forgetting sessions", || self.forget_sessions()),
            self.every(HOUR, &shutdown, "forgetting tokens", || self.forget_tokens()),
            self.every(HOUR, &shutdown, "forgetting locks", || self.forget_locks()),
            self.every(HOUR, &shutdown, "forgetting mail", || self.forget_mails()),
            self.every(30 * SECOND, &shutdown, "telling of hides", || self.tell_hides()),
            self.tick_fleet_always(&shutdown),
            self.every(DAY, &shutdown, "forgetting ended files", || self.forget_ended()),
            self.every(DAY, &shutdown, "forgetting old runs", || async { self.forget_runs().await.map(drop) }),
            self.every(5 * MINUTE, &shutdown, "the small copies", || self.write_control_if_stale()),
            self.every(DAY, &shutdown, "the daily small copy", || self.write_control()),
            self.look_after_blobs(was_clean, &shutdown),
        );
    }

    /// The control plane's clock: due backups, silent agents, cleanups.
    async fn tick_fleet_always(&self, shutdown: &Shutdown) {
        self.replan_fleet().await.unwrap_or_else(|error| warn("planning backups", &error));
        let last = AtomicI64::new(self.boot_micros());
        // Where the clock is a test's, it may have been moved just now.
        let period = if self.inner.time.is_system() { 5 * SECOND } else { SECOND / 5 };
        self.every(period, shutdown, "the clock of the fleet", || async {
            let now = self.boot_micros();
            let ticked = self.tick_fleet(now - last.swap(now, Ordering::Relaxed)).await?;
            if let Some(ticked) = ticked.filter(|ticked| *ticked != Ticked::default()) {
                tracing::info!(
                    due = ticked.due,
                    missed = ticked.missed,
                    given_up = ticked.given_up,
                    catch_ups = ticked.catch_ups,
                    cleanups = ticked.cleanups,
                    "time has come for runs"
                );
            }
            Ok(())
        })
        .await;
    }

    /// Waits for commits under way and notes that the end was a clean one. To be called when no request runs any more: what fails
    /// after it would go unnoticed by the next start.
    pub async fn close(&self) {
        self.settled().await;
        if self.health().await.writes_suspended.is_none() {
            let kept = async { self.tell_hides().await.and(self.keep_time().await).and(self.note_clean_end().await) };
            kept.await.unwrap_or_else(|error| warn("noting the end", &error));
        }
    }

    /// Reconciles at start and daily, scrubs in between; after an end that was not clean it looks closer.
    async fn look_after_blobs(&self, was_clean: bool, shutdown: &Shutdown) {
        if !was_clean {
            let mut stopping = shutdown.clone();
            tokio::select! {
                () = stopping.stopped() => return,
                () = self.check_catalog() => {}
            }
        }
        tokio::join!(self.every(DAY, shutdown, "reconciliation", || self.reconcile_and_tell(shutdown)), async {
            if !was_clean {
                self.scrub_newest(shutdown).await.unwrap_or_else(|error| warn("scrub", &error));
            }
            self.every(10 * MINUTE, shutdown, "scrub", || async { self.scrub_due(shutdown).await.map(drop) }).await;
        });
    }

    /// A catalog that is damaged, or that its disk cannot read, is not written to. One that is only busy says nothing.
    async fn check_catalog(&self) {
        match self.inner.catalog.integrity_check().await {
            Ok(()) => {}
            Err(error) if matches!(error.fault, Fault::Failed | Fault::Io) => drop(self.suspend_writes(&super::chain(&error))),
            Err(error) => tracing::warn!(error = %super::chain(&error), "the catalog could not be checked after an end that was not clean"),
        }
    }

    async fn reconcile_and_tell(&self, shutdown: &Shutdown) -> Result<()> {
        let report = self.reconcile(shutdown).await?;
        tracing::info!(
            adopted = report.adopted,
            doomed = report.doomed,
            quarantined = report.quarantined,
            missing = report.missing,
            foreign = report.foreign,
            staging_removed = report.staging_removed,
            "rows and blobs were reconciled"
        );
        // Only now is known what the vaults hold.
        self.note_vanished().await.map(drop)
    }

    /// Does the work now and at every period until the stop. A failure is logged and the next period tries again.
    async fn every<F, W>(&self, period: Duration, shutdown: &Shutdown, what: &str, work: W)
    where
        F: Future<Output = Result<()>>,
        W: Fn() -> F,
    {
        let mut stopping = shutdown.clone();
        let mut timer = tokio::time::interval(period);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.stopped() => return,
                _ = timer.tick() => {}
            }
            let outcome = tokio::select! {
                () = stopping.stopped() => return,
                outcome = work() => outcome,
            };
            match outcome {
                // Said once, when writing ended.
                Ok(()) | Err(Error::WritesSuspended { .. }) => {}
                Err(_) if self.inner.catalog.is_lost() => {}
                Err(error) => warn(what, &error),
            }
        }
    }
}

fn note_expired(files: u64) {
    if files > 0 {
        tracing::info!(files, "files expired");
    }
}

fn warn(what: &str, error: &super::Error) {
    tracing::warn!(what, error = %super::chain(error), "background work failed; it is tried again");
}
