//! Which snapshots a policy keeps, decided as restic decides it (0.16 and later): pure rules, nothing is deleted here.
//!
//! Snapshots are put into groups, and each group is judged for itself, the newest first. A rule such as "7 daily" keeps the newest of
//! each of the last 7 days that have one; while it has some left at the end, it keeps the oldest snapshot, too. "Within" counts back from
//! the newest snapshot of the group that is not in the future. What no rule keeps is removed; a policy without rules keeps everything.
//!
//! A snapshot's hour, day, week (ISO 8601), month and year are those of the zone in which its time is given. restic takes the text of the
//! time as it is stored, with the offset of the machine that wrote it: `Candidate::time_of` does the same.

mod duration;
mod group;
mod policy;
#[cfg(test)]
mod restic;
#[cfg(test)]
mod tests;

use jiff::ZonedDateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;

pub use self::duration::{Duration, DurationError};
pub use self::group::{GroupBy, GroupByError, GroupKey, groups};
pub use self::policy::{Counts, Decision, Keep, Policy};

/// What a policy has to know of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    pub id: String,
    pub time: ZonedDateTime,
    pub tags: Vec<String>,
    pub host: String,
    pub paths: Vec<String>,
}

impl Candidate {
    /// The time of a snapshot from its text, such as `2022-05-06T09:28:21.123+02:00`. Where the local zone has that offset at that
    /// time, it is the local zone; otherwise, and for `Z`, one that always has that offset. `None` where the text is no such time.
    pub fn time_of(text: &str, local: &TimeZone) -> Option<ZonedDateTime> {
        let timestamp: jiff::Timestamp = text.parse().ok()?;
        let offset = Pieces::parse(text).ok()?.to_numeric_offset()?;
        let is_local = !text.ends_with(['Z', 'z']) && local.to_offset(timestamp) == offset;
        Some(timestamp.to_zoned_datetime(if is_local { local.clone() } else { TimeZone::fixed(offset) }))
    }
}
