//! What a store should hold after a random life (D33): the reference, short enough to be believed.

use std::collections::BTreeMap;

use crate::model::instant::{DAY_MICROS, Instant};

/// One name's bytes.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) bytes: u8,
    /// Which retentions count: those in force then and since.
    pub(super) created: Instant,
    /// From when the days are counted.
    pub(super) from: Instant,
    pub(super) is_harmed: bool,
    pub(super) is_marked: bool,
}

/// Everything that is known without a store.
#[derive(Default)]
pub(super) struct Model {
    /// Names that are taken: alive, or ended and not removed yet.
    pub(super) held: BTreeMap<u8, Kept>,
    /// Whole blobs without a row.
    pub(super) strays: BTreeMap<u8, Kept>,
    /// Blobs that are kept and never served.
    pub(super) quarantined: usize,
    /// Blobs whose files have ended, and that the disk would not give up yet.
    pub(super) doomed: usize,
    /// Retentions that are no longer in force, and until when they were.
    pub(super) past: Vec<(Instant, i64)>,
    pub(super) days: i64,
    pub(super) is_disabled: bool,
    pub(super) is_suspended: bool,
}

impl Model {
    /// The most days in force since its creation, counted from when its life began.
    fn end(&self, file: &Kept) -> Instant {
        let past = self.past.iter().filter(|(until, _)| *until > file.created).map(|(_, days)| *days);
        file.from.plus_micros(DAY_MICROS * past.chain([self.days]).max().unwrap_or(self.days))
    }

    pub(super) fn is_alive(&self, name: u8, now: Instant) -> bool {
        self.held.get(&name).is_some_and(|file| now < self.end(file))
    }

    /// Names that a list shows, and whether it calls them damaged.
    pub(super) fn listed(&self, now: Instant) -> Vec<(u8, bool)> {
        self.held.iter().filter(|(name, _)| self.is_alive(**name, now)).map(|(name, file)| (*name, file.is_marked)).collect()
    }

    /// Why an upload is refused, if it is.
    pub(super) fn refusal(&self, name: u8) -> Option<&'static str> {
        if self.held.contains_key(&name) {
            return Some("name taken");
        }
        if self.is_disabled {
            return Some("account closed");
        }
        self.is_suspended.then_some("writes suspended")
    }

    /// Ends what ended a day ago.
    pub(super) fn expire(&mut self, now: Instant) {
        let due = now.plus_micros(-DAY_MICROS);
        let ended: Vec<u8> = self.held.iter().filter(|(_, file)| due >= self.end(file)).map(|(name, _)| *name).collect();
        self.held.retain(|name, _| !ended.contains(name));
    }

    /// Adopts strays: of two files with one name the one that holds it stays, a second copy goes, other bytes are set aside.
    pub(super) fn reconcile(&mut self) {
        for (name, stray) in std::mem::take(&mut self.strays) {
            match self.held.get(&name) {
                None => drop(self.held.insert(name, stray)),
                Some(holder) if holder.bytes == stray.bytes => {}
                Some(_) => self.quarantined += 1,
            }
        }
        self.doomed = 0;
    }

    /// How many blobs lie under the account.
    pub(super) fn blobs(&self) -> usize {
        self.held.len() + self.strays.len() + self.quarantined + self.doomed
    }
}
