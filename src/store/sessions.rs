//! Sessions: 24 hours of reading one account, by a token in a URL.

use super::{Result, Store};
use crate::model::access::Secret;
use crate::model::account::Account;
use crate::model::instant::Instant;

/// What a token opens now.
#[derive(Clone, Debug)]
pub enum Session {
    /// No such token exists, or it ended more than 30 days ago.
    Unknown,
    /// Its 24 hours are over, or its account was rotated, disabled or removed, or 100 newer ones pushed it out.
    Ended,
    Live {
        account: Box<Account>,
        ends_at: Instant,
    },
}

impl Store {
    /// A session of 24 hours by guarded time; the oldest beyond the account's limit ends.
    pub async fn make_session(&self, account: &Account) -> Result<Secret> {
        todo!("{account:?}")
    }

    /// Looks a token up by its hash; the same work whatever the outcome.
    pub async fn session(&self, token: &Secret) -> Result<Session> {
        todo!("{token:?}")
    }
}
