//! When a backup runs by itself: every few hours, daily or weekly, or never.

mod next;
mod timing;

pub use self::next::Occurrences;
pub use self::timing::{Frequency, Half, ScheduleError, TimeOfDay, Timing};
use super::instant::{DAY_MICROS, HOUR_MICROS};
use super::time_zone::ZoneId;

/// A timing, and the zone whose clocks it follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    pub timing: Timing,
    pub zone: ZoneId,
}

impl Schedule {
    /// The usual distance between two runs; a change of the clocks makes one shorter or longer. `None` when nothing is scheduled.
    pub const fn interval_micros(&self) -> Option<i64> {
        match self.timing {
            Timing::Manually => None,
            Timing::Hourly { every_hours } => Some(every_hours as i64 * HOUR_MICROS),
            Timing::Daily { .. } => Some(DAY_MICROS),
            Timing::Weekly { .. } => Some(7 * DAY_MICROS),
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wall_clock_tests;
