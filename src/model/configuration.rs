//! A backup configuration: what of a machine is backed up, when, how long it is kept, and who hears of it.

use super::instant::{DAY_MICROS, Instant};
use super::schedule::Schedule;
use super::selection::Selection;

/// Most bytes of all configurations of one agent, serialised.
pub const MAX_DOCUMENT_BYTES: i64 = 1_000_000;
/// Most characters of a name.
pub const MAX_NAME_CHARS: usize = 255;

/// Most addresses that hear of one configuration.
pub const MAX_RECIPIENTS: usize = 100;

/// How many days superseded backups are kept: for ever, 30 or 60.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VersionRetention(i64);

impl VersionRetention {
    pub fn from_days(days: i64) -> Option<Self> {
        matches!(days, 0 | 30 | 60).then_some(Self(days))
    }

    pub const fn days(self) -> i64 {
        self.0
    }

    /// Whether a backup that was completed then has outlived it, where a newer one is there.
    pub const fn is_over(self, completed_at: Instant, now: Instant) -> bool {
        self.0 != 0 && now.micros_since(completed_at) > self.0 * DAY_MICROS
    }
}

/// What happens when an occurrence is missed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MissedAction {
    /// One backup as soon as the agent is back, and a notification at once.
    CatchUp = 1,
    /// Nothing until the next occurrence, and then the notification.
    Wait = 2,
}

impl MissedAction {
    pub const fn from_id(id: i64) -> Option<Self> {
        match id {
            1 => Some(Self::CatchUp),
            2 => Some(Self::Wait),
            _ => None,
        }
    }
}

/// Who hears of the end of a run, and of which ends.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notify {
    /// Addresses, separated by `,` or `;`, as they were submitted.
    pub recipients: String,
    pub on_success: bool,
    pub on_failure: bool,
}

impl Notify {
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.recipients.split([',', ';']).map(str::trim).filter(|address| !address.is_empty())
    }
}

/// What a user can set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigurationSettings {
    pub name: String,
    pub is_active: bool,
    pub schedule: Schedule,
    pub notify: Notify,
    pub retention: VersionRetention,
    pub missed_action: MissedAction,
    pub prescript: String,
    pub postscript: String,
    pub selection: Selection,
}

/// A configuration as the catalog had it when it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackupConfiguration {
    pub id: i64,
    pub schedule_id: i64,
    pub tenant: String,
    pub agent: i64,
    pub settings: ConfigurationSettings,
    /// From when an hourly schedule counts.
    pub anchor_at: Instant,
    pub next_at: Option<Instant>,
    pub catch_up_at: Option<Instant>,
    pub missed_mailed_at: Option<Instant>,
    pub deleted_at: Option<Instant>,
    /// It went with its agent: backups that another agent took over stay.
    pub keeps_backups: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_superseded_backups_of_a_bounded_retention_grow_too_old() {
        let (completed, day) = (Instant::from_seconds(0), |days: i64| Instant::from_micros(days * DAY_MICROS));
        let days = |days| VersionRetention::from_days(days).expect("a retention");
        assert!(!days(30).is_over(completed, day(30)), "at least so many days");
        assert!(days(30).is_over(completed, day(30).plus_micros(1)));
        assert!(!days(60).is_over(completed, day(31)));
        assert!(!days(0).is_over(completed, day(40_000)));
        for other in [-1, 1, 29, 31, 90] {
            assert_eq!(VersionRetention::from_days(other), None);
        }
    }

    #[test]
    fn recipients_are_separated_by_commas_or_semicolons() {
        let notify = Notify { recipients: " a@example.net, b@example.net;;c@example.net ".to_owned(), ..Notify::default() };
        assert_eq!(notify.addresses().collect::<Vec<_>>(), ["a@example.net", "b@example.net", "c@example.net"]);
    }
}
