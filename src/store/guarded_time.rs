//! Guarded time: what ends lives and sessions. A pure state machine; `time.rs` feeds and stores it.
//!
//! * It runs with boot time, which nobody can set.
//! * It follows the wall clock forward by at most [`FOLLOW_MICROS`] in all between two confirmations, and never back.
//! * A wall clock further ahead than that pauses expiry, until an operator accepts it or it has run steadily for
//!   [`STEADY_MICROS`] of boot time and the whole jump is below [`CONFIRMED_JUMP_MICROS`].
//!
//! Being late is harmless: files stay longer. Being early loses backups.

use crate::model::instant::{DAY_MICROS, HOUR_MICROS, Instant, SECOND_MICROS};

/// How far the wall clock is followed forward between two confirmations.
pub const FOLLOW_MICROS: i64 = 25 * HOUR_MICROS;
/// How long the wall clock must run in step with boot time to be believed.
pub const STEADY_MICROS: i64 = 72 * HOUR_MICROS;
/// Jumps of this size and more are believed by an operator's word alone.
pub const CONFIRMED_JUMP_MICROS: i64 = 7 * DAY_MICROS;
/// How far wall and boot time may drift apart within the steady time: a slewing time daemon moves it by 500 ppm.
const DRIFT_MICROS: i64 = 600 * SECOND_MICROS;

/// All that is stored of guarded time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuardedTime {
    /// Guarded time when boot time was `boot`.
    guarded: Instant,
    boot: i64,
    boot_id: String,
    /// How far the wall clock was followed since the last confirmation.
    followed: i64,
    /// How far the wall clock was ahead at the last tick, beyond what could be followed.
    ahead: i64,
    /// Since when, in boot time, wall minus boot time has stayed near `steady_offset`.
    steady_since: i64,
    steady_offset: i64,
    /// Raised by each acceptance, so that servers notice one made beside them.
    acceptances: i64,
}

impl GuardedTime {
    /// Guarded time that begins at `start`; the wall clock's lead over it has yet to be followed or confirmed.
    pub fn starting(start: Instant, wall: Instant, boot: i64, boot_id: &str) -> Self {
        Self {
            guarded: start,
            boot,
            boot_id: boot_id.to_owned(),
            followed: 0,
            ahead: 0,
            steady_since: boot,
            steady_offset: wall.micros().saturating_sub(boot),
            acceptances: 0,
        }
    }

    /// Guarded time at this boot time, without looking at the wall clock.
    pub fn at(&self, boot: i64) -> Instant {
        self.guarded.plus_micros(boot.saturating_sub(self.boot).max(0))
    }

    /// Takes in what the clocks say now, and follows the wall clock as far as it can be believed. For a caller that stores the time:
    /// what was followed and not stored would be forgotten by a crash, and time would go back.
    pub fn tick(&mut self, wall: Instant, boot: i64, boot_id: &str) {
        let step = self.look(wall, boot, boot_id);
        self.guarded = self.guarded.plus_micros(step);
        self.followed += step;
        let steady = boot - self.steady_since >= STEADY_MICROS;
        if steady && self.followed.saturating_add(self.ahead) < CONFIRMED_JUMP_MICROS {
            self.confirm(wall, boot, wall.micros().saturating_sub(boot));
        }
    }

    /// Takes in what the clocks say now without following the wall clock; returns how far it could be followed.
    pub fn look(&mut self, wall: Instant, boot: i64, boot_id: &str) -> i64 {
        let offset = wall.micros().saturating_sub(boot);
        if self.boot_id == boot_id {
            self.guarded = self.at(boot);
        } else {
            boot_id.clone_into(&mut self.boot_id);
            (self.steady_since, self.steady_offset) = (boot, offset);
        }
        self.boot = boot;
        let lead = wall.micros_since(self.guarded).max(0);
        let believed = lead.min(FOLLOW_MICROS - self.followed);
        self.ahead = lead - believed;
        if offset.saturating_sub(self.steady_offset).saturating_abs() > DRIFT_MICROS {
            (self.steady_since, self.steady_offset) = (boot, offset);
        }
        believed
    }

    /// The operator's word that the wall clock is right.
    pub fn accept(&mut self, wall: Instant, boot: i64) {
        self.guarded = self.at(boot);
        self.boot = boot;
        self.confirm(wall, boot, wall.micros().saturating_sub(boot));
        self.acceptances += 1;
    }

    /// Takes over what another process stored: the later time, and an acceptance that it had and this has not.
    pub fn merge(&mut self, stored: &Self, boot: i64) {
        let ours = self.at(boot);
        let theirs = if stored.boot_id == self.boot_id { stored.at(boot) } else { stored.guarded };
        if stored.acceptances > self.acceptances {
            (self.followed, self.ahead, self.acceptances) = (stored.followed, 0, stored.acceptances);
            (self.steady_since, self.steady_offset) = (boot, self.steady_offset.saturating_add(boot - self.steady_since));
        }
        self.guarded = ours.max(theirs);
        self.boot = boot;
    }

    /// How far the wall clock is ahead of what can be believed, when it is: expiry pauses.
    pub fn paused_by(&self) -> Option<i64> {
        (self.ahead > 0).then_some(self.ahead)
    }

    fn confirm(&mut self, wall: Instant, boot: i64, offset: i64) {
        self.guarded = self.guarded.max(wall);
        (self.followed, self.ahead) = (0, 0);
        (self.steady_since, self.steady_offset) = (boot, offset);
    }

    /// One line of text for the catalog.
    pub fn to_text(&self) -> String {
        let Self { guarded, boot, boot_id, followed, ahead, steady_since, steady_offset, acceptances } = self;
        format!("1 {} {boot} {followed} {ahead} {steady_since} {steady_offset} {acceptances} {boot_id}", guarded.micros())
    }

    /// The inverse of `to_text`; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        (words.next() == Some("1")).then_some(())?;
        let mut number = || words.next()?.parse::<i64>().ok();
        let (guarded, boot, followed, ahead) = (Instant::from_micros(number()?), number()?, number()?, number()?);
        let (steady_since, steady_offset, acceptances) = (number()?, number()?, number()?);
        let boot_id = words.next()?.to_owned();
        Some(Self { guarded, boot, boot_id, followed, ahead, steady_since, steady_offset, acceptances })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: i64 = 1_800_000_000 * SECOND_MICROS;

    fn fresh() -> GuardedTime {
        GuardedTime::starting(Instant::from_micros(START), Instant::from_micros(START), 0, "boot")
    }

    fn wall(micros: i64) -> Instant {
        Instant::from_micros(START + micros)
    }

    #[test]
    fn steady_clocks_are_followed_and_text_round_trips() {
        let mut time = fresh();
        time.tick(wall(DAY_MICROS), DAY_MICROS, "boot");
        assert_eq!(time.at(DAY_MICROS + 5), wall(DAY_MICROS + 5));
        assert_eq!(time.paused_by(), None);
        assert_eq!(GuardedTime::from_text(&time.to_text()), Some(time));
        assert_eq!(GuardedTime::from_text("2 1 1"), None);
    }

    #[test]
    fn a_jump_ahead_moves_25_hours_in_all_and_pauses() {
        let mut time = fresh();
        time.tick(wall(400 * DAY_MICROS), 1, "boot");
        assert_eq!(time.at(1), wall(FOLLOW_MICROS + 1));
        assert!(time.paused_by().is_some());
        // Nor is it confirmed by time alone, however long.
        for hour in 1..200 {
            time.tick(wall(400 * DAY_MICROS + hour * HOUR_MICROS), hour * HOUR_MICROS, "boot");
        }
        assert!(time.paused_by().is_some());
        assert!(time.at(199 * HOUR_MICROS) <= wall(FOLLOW_MICROS + 199 * HOUR_MICROS));
    }

    #[test]
    fn many_small_jumps_count_together() {
        let mut time = fresh();
        for n in 1..=30 {
            time.tick(wall(n * HOUR_MICROS), n, "boot");
        }
        assert_eq!(time.at(30), wall(FOLLOW_MICROS + 30));
        assert!(time.paused_by().is_some());
    }

    #[test]
    fn a_jump_below_7_days_is_confirmed_by_72_steady_hours() {
        let mut time = fresh();
        time.tick(wall(3 * DAY_MICROS), 1, "boot");
        assert!(time.paused_by().is_some());
        time.tick(wall(3 * DAY_MICROS + 71 * HOUR_MICROS), 71 * HOUR_MICROS, "boot");
        assert!(time.paused_by().is_some());
        time.tick(wall(3 * DAY_MICROS + 73 * HOUR_MICROS), 73 * HOUR_MICROS, "boot");
        assert_eq!(time.paused_by(), None);
        assert_eq!(time.at(73 * HOUR_MICROS), wall(3 * DAY_MICROS + 73 * HOUR_MICROS));
    }

    #[test]
    fn an_operator_confirms_any_jump_and_other_processes_learn_of_it() {
        let (mut time, mut other) = (fresh(), fresh());
        other.tick(wall(400 * DAY_MICROS), 2, "boot");
        time.accept(wall(400 * DAY_MICROS), 2);
        other.merge(&time, 3);
        assert_eq!(other.at(3), wall(400 * DAY_MICROS + 1));
        other.tick(wall(400 * DAY_MICROS + 1), 3, "boot");
        assert_eq!(other.paused_by(), None);
    }

    #[test]
    fn a_reboot_loses_no_time_and_gains_only_what_the_wall_clock_may_give() {
        let mut time = fresh();
        time.tick(wall(5 * HOUR_MICROS), 5 * HOUR_MICROS, "boot");
        time.tick(wall(6 * HOUR_MICROS), 10, "next boot");
        assert_eq!(time.at(10), wall(6 * HOUR_MICROS));
        time.tick(wall(-400 * DAY_MICROS), 20, "next boot");
        assert_eq!(time.at(20), wall(6 * HOUR_MICROS + 10));
    }

    proptest! {
        #[test]
        fn never_back_and_never_more_than_boot_time_and_25_hours(jumps in prop::collection::vec((0i64..HOUR_MICROS, -100 * DAY_MICROS..100 * DAY_MICROS), 1..60)) {
            let (mut time, mut boot, mut last) = (fresh(), 0, wall(0));
            for (passed, jump) in jumps {
                boot += passed;
                time.tick(wall(boot + jump), boot, "boot");
                prop_assert!(time.at(boot) >= last);
                last = time.at(boot);
                prop_assert!(last <= wall(boot + FOLLOW_MICROS));
            }
        }
    }
}
