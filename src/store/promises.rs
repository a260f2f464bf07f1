//! What uploads in flight have promised to send: counted before the disk and the quotas have seen it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::model::access::AccountId;

#[derive(Default)]
pub(super) struct Promises(Mutex<Sums>);

#[derive(Default)]
struct Sums {
    /// Bytes that will still be written.
    unwritten_bytes: u64,
    /// What each account's uploads will count in its quota.
    quota_bytes: HashMap<AccountId, u64>,
}

/// One upload's share; given back when dropped.
pub(super) struct Promise {
    promises: Arc<Promises>,
    account: AccountId,
    unwritten_bytes: u64,
    quota_bytes: u64,
}

impl Promises {
    /// Adds an upload's promise when `judge`, told what is promised already (bytes unwritten, the account's quota share), agrees.
    pub(super) fn admit<E>(
        self: &Arc<Self>,
        account: &AccountId,
        size_bytes: u64,
        quota_bytes: u64,
        judge: impl FnOnce(u64, u64) -> Result<(), E>,
    ) -> Result<Promise, E> {
        let mut sums = self.0.lock().expect("nobody panics while holding the sums");
        judge(sums.unwritten_bytes, sums.quota_bytes.get(account).copied().unwrap_or(0))?;
        sums.unwritten_bytes += size_bytes;
        *sums.quota_bytes.entry(account.clone()).or_default() += quota_bytes;
        Ok(Promise { promises: Arc::clone(self), account: account.clone(), unwritten_bytes: size_bytes, quota_bytes })
    }
}

impl Promises {
    /// Bytes that uploads in flight will still write.
    pub(super) fn unwritten_bytes(&self) -> u64 {
        self.0.lock().expect("nobody panics while holding the sums").unwritten_bytes
    }
}

impl Promise {
    /// Takes what another promise of the same upload has promised beside.
    pub(super) fn absorb(&mut self, mut more: Self) {
        self.unwritten_bytes += std::mem::take(&mut more.unwritten_bytes);
        self.quota_bytes += std::mem::take(&mut more.quota_bytes);
    }

    /// `bytes` of the promise are on the disk now.
    pub(super) fn wrote(&mut self, bytes: u64) {
        let bytes = bytes.min(self.unwritten_bytes);
        self.unwritten_bytes -= bytes;
        self.promises.0.lock().expect("nobody panics while holding the sums").unwritten_bytes -= bytes;
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut sums = self.promises.0.lock().expect("nobody panics while holding the sums");
        sums.unwritten_bytes -= self.unwritten_bytes;
        if let Some(left) = sums.quota_bytes.get_mut(&self.account) {
            *left -= self.quota_bytes;
            if *left == 0 {
                sums.quota_bytes.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_counted_until_they_are_kept_or_dropped() {
        let promises = Arc::new(Promises::default());
        let account = AccountId::random();
        let admit = |seen: (u64, u64)| {
            promises.admit(&account, 100, 110, |unwritten, quota| if (unwritten, quota) == seen { Ok(()) } else { Err((unwritten, quota)) })
        };
        let mut first = admit((0, 0)).unwrap_or_else(|seen| panic!("nothing is promised yet, but {seen:?} was seen"));
        first.wrote(60);
        let second = admit((40, 110)).unwrap_or_else(|seen| panic!("the first promise is counted, but {seen:?} was seen"));
        drop(first);
        assert_eq!(admit((0, 0)).err(), Some((100, 110)));
        drop(second);
        assert!(admit((0, 0)).is_ok());
        let mut grown = admit((0, 0)).expect("nothing else is promised");
        grown.absorb(admit((100, 110)).expect("the first half is counted"));
        assert_eq!(admit((0, 0)).err(), Some((200, 220)));
        drop(grown);
        assert!(admit((0, 0)).is_ok());
    }
}
