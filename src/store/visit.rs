//! One look at the catalog for one request: its account, and the file that its path names.

use super::catalog::{CatalogError, Connection};
use super::{Result, Store, rows};
use crate::model::access::AccountId;
use crate::model::account::Account;
use crate::model::digest::BlockSums;
use crate::model::file_name::FileName;
use crate::model::instant::Instant;
use crate::model::stored_file::StoredFile;

/// What a request asks about beside its account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    Nothing,
    /// Whether the name is free.
    Row(FileName),
    /// Its file, to be read.
    File(FileName),
}

/// An account and a file of it as the catalog has them at one moment.
pub struct Visit {
    pub account: Account,
    /// The live file of the name, expired or not.
    pub(super) holder: Option<StoredFile>,
    /// The holder's, where its bytes are wanted.
    pub(super) sums: Option<BlockSums>,
    pub(super) passes_quota: bool,
}

impl Visit {
    /// A file that was found otherwise.
    pub const fn of(account: Account, file: StoredFile) -> Self {
        Self { account, holder: Some(file), sums: None, passes_quota: false }
    }

    /// What is stored by this visit may pass the quota by a tenth of it.
    pub fn passing_quota(self) -> Self {
        Self { passes_quota: true, ..self }
    }

    /// Whoever holds the name that was asked about, expired or not.
    pub const fn holder(&self) -> Option<&StoredFile> {
        self.holder.as_ref()
    }

    /// The file that was looked for, unless its life is over.
    pub fn file(&self, now: Instant) -> Option<&StoredFile> {
        self.holder.as_ref().filter(|file| !file.has_expired(now))
    }
}

impl Store {
    /// The account of this id, removed ones included; `None` when there never was one, which takes as much time to say. What is
    /// `asked` of it is looked up only where `enters` lets the account in.
    pub async fn visit(
        &self,
        id: &AccountId,
        asked: Asked,
        enters: impl FnOnce(&Account) -> bool + Send + 'static,
    ) -> Result<Option<Visit>> {
        let id = id.clone();
        self.read(move |connection| look_up(connection, &id, &asked, enters)).await
    }
}

/// The account as one that a stranger names, and of an account that is let in what is asked.
pub(super) fn look_up(
    connection: &mut dyn Connection,
    id: &AccountId,
    asked: &Asked,
    enters: impl FnOnce(&Account) -> bool,
) -> std::result::Result<Option<Visit>, CatalogError> {
    let Some(account) = rows::account_of_stranger(connection, id)? else { return Ok(None) };
    let mut visit = Visit { account, holder: None, sums: None, passes_quota: false };
    if !enters(&visit.account) {
        return Ok(Some(visit));
    }
    match asked {
        Asked::Nothing => {}
        Asked::Row(name) => visit.holder = rows::live_file(connection, &visit.account, name)?,
        Asked::File(name) => {
            (visit.holder, visit.sums) =
                rows::live_file_and_sums(connection, &visit.account, name)?.map_or((None, None), |(file, sums)| (Some(file), sums));
        }
    }
    Ok(Some(visit))
}
