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
    /// Whole blobs whose name was held by other bytes: they wait until it is free.
    pub(super) set_aside: Vec<(u8, Kept)>,
    /// Damaged blobs whose place a whole copy took: kept and never served.
    pub(super) displaced: usize,
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

    /// Adopts strays: other bytes than those that hold the name are set aside; of two copies the one with the later end stays, and a
    /// damaged one gives way. What was born in a time that has not come was born after `account`, for all that is known.
    pub(super) fn reconcile(&mut self, now: Instant, account: Instant) {
        for (name, mut stray) in std::mem::take(&mut self.strays) {
            stray.created = if stray.from > now { account } else { stray.from };
            match self.held.get_mut(&name) {
                None => drop(self.held.insert(name, stray)),
                Some(holder) if holder.bytes != stray.bytes => self.set_aside.push((name, stray)),
                Some(holder) if holder.is_harmed || stray.from > holder.from => {
                    self.displaced += usize::from(holder.is_harmed);
                    holder.from = stray.from;
                    (holder.is_harmed, holder.is_marked) = (false, false);
                }
                Some(_) => {}
            }
        }
        self.doomed = 0;
    }

    /// Gives a name that nobody holds back to what was set aside for it last; of equals to the one that `is_seen` says.
    pub(super) fn take_back(&mut self, name: u8, is_seen: impl Fn(u8) -> bool) {
        let of_name = || self.set_aside.iter().enumerate().filter(|(_, (other, _))| *other == name);
        let last = of_name().map(|(_, (_, kept))| kept.from).max();
        let place = of_name().find(|(_, (_, kept))| Some(kept.from) == last && is_seen(kept.bytes)).map(|(place, _)| place);
        if let Some(place) = place.filter(|_| !self.held.contains_key(&name)) {
            let (_, kept) = self.set_aside.remove(place);
            self.held.insert(name, kept);
        }
    }

    /// How many blobs lie under the account.
    pub(super) fn blobs(&self) -> usize {
        self.held.len() + self.strays.len() + self.set_aside.len() + self.displaced + self.doomed
    }
}
