//! What may begin now.

use std::time::Instant;

use super::{Answering, Held, Key, Lanes, Order, Stage};
use crate::agent::leash::{Leash, Why};
use crate::wire::channel::work::{Generation, JobText, Request};

impl Lanes {
    /// Everything that may begin now; a running cleanup is halted where a backup waits.
    pub(super) fn choose(&mut self, now: Instant) -> Vec<Order> {
        if self.is_leaving {
            return Vec::new();
        }
        self.again_at.retain(|_, at| *at > now);
        let orders = [self.choose_generation(), self.choose_request(), self.choose_restore(), self.choose_main()];
        self.make_way();
        orders.into_iter().flatten().collect()
    }

    fn choose_generation(&mut self) -> Option<Order> {
        let is_changing = self.answering.as_ref().is_some_and(|answering| answering.is_change);
        if is_changing || !self.is_main_free() {
            return None;
        }
        let is_due = |known: &&Generation| !known.is_ready && known.password.is_some() && !self.again_at.contains_key(&name(known.number));
        let generation = self.vault.generations.iter().find(is_due)?.clone();
        let leash = Leash::default();
        self.making = Some(leash.clone());
        Some(Order::Make(generation, leash))
    }

    fn choose_request(&mut self) -> Option<Order> {
        if self.answering.is_some() {
            return None;
        }
        let is_main_free = self.is_main_free();
        let is_due = |request: &&Request| {
            let is_open = !self.answered.contains(&request.id) && !self.again_at.contains_key(&request.id);
            is_open && (is_main_free || !is_change(request))
        };
        let request = self.requests.iter().find(is_due)?.clone();
        let leash = Leash::default();
        self.answering = Some(Answering { is_change: is_change(&request), leash: leash.clone() });
        Some(Order::Answer(request, self.vault.clone(), leash))
    }

    fn choose_restore(&mut self) -> Option<Order> {
        if self.held.values().any(|held| held.is_restore() && held.stage == Stage::Running) {
            return None;
        }
        let key = self.first_waiting(|held| held.is_restore())?;
        self.start(key)
    }

    fn choose_main(&mut self) -> Option<Order> {
        if !self.is_main_free() || self.is_change_due() {
            return None;
        }
        let backup = self.first_waiting(Held::is_backup);
        let key = backup.or_else(|| self.first_waiting(Held::may_clean))?;
        self.start(key)
    }

    /// A waiting backup halts a cleanup.
    fn make_way(&mut self) {
        if self.first_waiting(Held::is_backup).is_none() {
            return;
        }
        for held in self.held.values_mut().filter(|held| held.stage == Stage::Running && held.is_cleanup()) {
            held.is_making_way = true;
            held.leash.pull(Why::Halted);
        }
    }

    fn start(&mut self, key: Key) -> Option<Order> {
        let held = self.held.get_mut(&key)?;
        held.stage = Stage::Running;
        held.is_making_way = false;
        Some(Order::Start(Box::new(held.run.clone()), self.vault.clone(), held.leash.clone(), held.last.clone()))
    }

    fn first_waiting(&self, fits: impl Fn(&Held) -> bool) -> Option<Key> {
        self.held.iter().find(|(_, held)| held.stage == Stage::Waiting && fits(held)).map(|(key, _)| *key)
    }

    fn is_main_free(&self) -> bool {
        self.making.is_none() && !self.held.values().any(|held| held.stage == Stage::Running && !held.is_restore())
    }

    /// Whether a change of the passphrase comes first. One that was answered counts until the list that follows from it is here; one
    /// that failed holds up nothing.
    fn is_change_due(&self) -> bool {
        let is_changing = self.answering.as_ref().is_some_and(|answering| answering.is_change);
        is_changing || self.requests.iter().any(|request| is_change(request) && !self.again_at.contains_key(&request.id))
    }
}

impl Held {
    const fn is_cleanup(&self) -> bool {
        matches!(self.run.job, JobText::Cleanup { .. })
    }

    const fn may_clean(&self) -> bool {
        matches!(self.run.job, JobText::Cleanup { is_halted: false, .. }) && !self.waits_for_word
    }
}

/// Whether it changes what opens the vault.
fn is_change(request: &Request) -> bool {
    request.kind != "verify_password"
}

pub(super) fn name(generation: i64) -> String {
    format!("g{generation}")
}
