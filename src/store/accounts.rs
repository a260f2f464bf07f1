//! Accounts: made, changed, opened and closed by the operator, read by every request.

use super::{Result, Store};
use crate::model::access::{AccountId, Secret};
use crate::model::account::{Account, Kind};
use crate::model::retention::Retention;

/// What an operator says of a new account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub kind: Kind,
    pub description: String,
    pub retention: Retention,
    pub quota_bytes: Option<u64>,
}

/// What an operator changes; `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    pub description: Option<String>,
    pub retention: Option<Retention>,
    /// `Some(None)` takes the quota off.
    pub quota_bytes: Option<Option<u64>>,
}

/// Counted live files of one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Holdings {
    pub live_files: u64,
    pub live_bytes: u64,
    pub hidden_files: u64,
    pub hidden_bytes: u64,
    pub damaged_files: u64,
    /// The oldest check of a live file; `None` when one was never checked or there is none.
    pub checked_since: Option<crate::model::instant::Instant>,
}

/// A file whose life has ended, kept 400 days as a memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndedFile {
    pub name: String,
    pub size_bytes: u64,
    pub sha256: crate::model::digest::Sha256Digest,
    pub created_at: crate::model::instant::Instant,
    pub ended_at: crate::model::instant::Instant,
    pub why: String,
}

impl Store {
    /// The account, removed ones included; `None` when there never was one.
    pub async fn account(&self, id: &AccountId) -> Result<Option<Account>> {
        todo!("{id}")
    }

    /// All accounts that were not removed, by id.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        todo!()
    }

    /// Makes an account; the secret is its password, which nothing can show again.
    pub async fn add_account(&self, new: NewAccount) -> Result<(Account, Secret)> {
        todo!("{new:?}")
    }

    /// A raised retention holds at once and for the files that are there; a lowered one for new files only.
    pub async fn change_account(&self, id: &AccountId, change: AccountChange) -> Result<Account> {
        todo!("{id} {change:?}")
    }

    /// A new password; the old one and all sessions end at once.
    pub async fn rotate_account(&self, id: &AccountId) -> Result<Secret> {
        todo!("{id}")
    }

    /// Refuses its requests with `reason`, ends its sessions, breaks its uploads.
    pub async fn disable_account(&self, id: &AccountId, reason: &str) -> Result<()> {
        todo!("{id} {reason}")
    }

    pub async fn enable_account(&self, id: &AccountId) -> Result<()> {
        todo!("{id}")
    }

    /// Closes the account for good; its files stay for their life.
    pub async fn remove_account(&self, id: &AccountId) -> Result<()> {
        todo!("{id}")
    }

    pub async fn holdings(&self, id: &AccountId) -> Result<Holdings> {
        todo!("{id}")
    }

    /// Files of the account whose life ended within the last 400 days, newest end first, at most 10,000.
    pub async fn ended_files(&self, id: &AccountId) -> Result<Vec<EndedFile>> {
        todo!("{id}")
    }
}
