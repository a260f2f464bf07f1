//! A run: one backup, restore or cleanup of an agent, its states and which may follow which.
//!
//! The states and their spellings: Cloud Backup API v1.0, "backup states" and "restore states".

use std::str::FromStr;

/// What a run does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunKind {
    Backup,
    Restore,
    Cleanup,
}

/// How far a run is. Which of them a kind can have: [`RunKind::knows`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RunState {
    /// A restore that can still be changed and was never started.
    Creating,
    StartRequested,
    StartScheduled,
    Queued,
    Preparing,
    InProgress,
    StopRequested,
    Completed,
    CompletedWithErrors,
    Failed,
    Stopped,
    Skipped,
    Missed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is no state of a run")]
pub struct RunStateError;

/// What a report of an agent does to a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reported {
    /// The run goes on to the reported state.
    Moves,
    /// The run stays where it is and takes over the counters.
    Counts,
    /// It was said before, or is older than what is known: answered and dropped.
    Known,
    /// A backup is there although its run was given up: recorded as a run of its own.
    Late,
    /// Out of order.
    Refused,
}

impl RunKind {
    pub const ALL: [Self; 3] = [Self::Backup, Self::Restore, Self::Cleanup];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "Backup",
            Self::Restore => "Restore",
            Self::Cleanup => "Cleanup",
        }
    }

    /// Whether a run of this kind can be in the state.
    pub const fn knows(self, state: RunState) -> bool {
        use RunState as S;
        match self {
            Self::Backup => !matches!(state, S::Creating),
            Self::Restore => !matches!(state, S::StartScheduled | S::Skipped | S::Missed),
            Self::Cleanup => !matches!(state, S::Creating | S::StartScheduled | S::Skipped | S::Missed),
        }
    }
}

impl FromStr for RunKind {
    type Err = RunStateError;

    fn from_str(text: &str) -> Result<Self, RunStateError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(RunStateError)
    }
}

impl RunState {
    pub const ALL: [Self; 13] = [
        Self::Creating,
        Self::StartRequested,
        Self::StartScheduled,
        Self::Queued,
        Self::Preparing,
        Self::InProgress,
        Self::StopRequested,
        Self::Completed,
        Self::CompletedWithErrors,
        Self::Failed,
        Self::Stopped,
        Self::Skipped,
        Self::Missed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::StartRequested => "StartRequested",
            Self::StartScheduled => "StartScheduled",
            Self::Queued => "Queued",
            Self::Preparing => "Preparing",
            Self::InProgress => "InProgress",
            Self::StopRequested => "StopRequested",
            Self::Completed => "Completed",
            Self::CompletedWithErrors => "CompletedWithErrors",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
            Self::Skipped => "Skipped",
            Self::Missed => "Missed",
        }
    }

    /// The `RestoreStateId` of the state; `None` where no restore can have it.
    pub const fn restore_id(self) -> Option<i64> {
        match self {
            Self::Creating => Some(0),
            Self::Queued => Some(1),
            Self::InProgress => Some(2),
            Self::Completed => Some(3),
            Self::Stopped => Some(4),
            Self::Failed => Some(5),
            Self::StartRequested => Some(6),
            Self::StopRequested => Some(7),
            Self::CompletedWithErrors => Some(8),
            Self::Preparing => Some(9),
            Self::StartScheduled | Self::Skipped | Self::Missed => None,
        }
    }

    /// Nobody has taken the run yet.
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::StartRequested | Self::StartScheduled)
    }

    /// The agent has the run.
    pub const fn is_taken(self) -> bool {
        matches!(self, Self::Queued | Self::Preparing | Self::InProgress | Self::StopRequested)
    }

    /// Something is still wanted of the agent.
    pub const fn is_live(self) -> bool {
        self.is_waiting() || self.is_taken()
    }

    /// Nothing follows, except that a restore may be started again.
    pub const fn is_final(self) -> bool {
        !self.is_live() && !matches!(self, Self::Creating)
    }

    /// Whether the run has left something that can be restored.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Completed | Self::CompletedWithErrors)
    }

    /// Whether an agent may say this of a run that it has.
    const fn can_be_reported(self) -> bool {
        matches!(
            self,
            Self::Queued | Self::Preparing | Self::InProgress | Self::Completed | Self::CompletedWithErrors | Self::Failed | Self::Stopped
        )
    }

    const fn step(self) -> u8 {
        match self {
            Self::Creating => 0,
            Self::StartRequested | Self::StartScheduled => 1,
            Self::Queued => 2,
            Self::Preparing => 3,
            Self::InProgress => 4,
            Self::StopRequested => 5,
            Self::Completed | Self::CompletedWithErrors | Self::Failed | Self::Stopped | Self::Skipped | Self::Missed => 6,
        }
    }

    /// What the agent's report `said` does to a run in this state, the attempt being the same. A user's stop is an answer to no report,
    /// so `Stopped` needs a `StopRequested` before it; whatever else an agent came to before it noticed the stop is the truth.
    pub const fn reported(self, kind: RunKind, said: Self) -> Reported {
        if !said.can_be_reported() || matches!(self, Self::Creating) {
            return Reported::Refused;
        }
        if self.is_final() {
            let is_late = matches!(kind, RunKind::Backup) && said.is_success() && !self.is_success();
            return if is_late { Reported::Late } else { Reported::Known };
        }
        match (self, said) {
            (Self::StopRequested, Self::Queued | Self::Preparing | Self::InProgress) => Reported::Counts,
            (Self::StopRequested, _) => Reported::Moves,
            (_, Self::Stopped) => Reported::Refused,
            (Self::StartRequested | Self::StartScheduled, Self::Queued) => Reported::Moves,
            (Self::StartRequested | Self::StartScheduled, _) => Reported::Refused,
            (Self::Queued, Self::InProgress | Self::Completed | Self::CompletedWithErrors) => Reported::Refused,
            _ if self.step() == said.step() => Reported::Counts,
            _ if self.step() > said.step() => Reported::Known,
            _ => Reported::Moves,
        }
    }
}

impl FromStr for RunState {
    type Err = RunStateError;

    fn from_str(text: &str) -> Result<Self, RunStateError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(RunStateError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reported as R;
    use RunState as S;

    /// Every state × every report, for a backup.
    #[test]
    fn every_report_has_its_outcome() {
        let said = [S::Queued, S::Preparing, S::InProgress, S::Completed, S::CompletedWithErrors, S::Failed, S::Stopped];
        for (state, expected) in [
            (S::StartRequested, [R::Moves, R::Refused, R::Refused, R::Refused, R::Refused, R::Refused, R::Refused]),
            (S::StartScheduled, [R::Moves, R::Refused, R::Refused, R::Refused, R::Refused, R::Refused, R::Refused]),
            (S::Queued, [R::Counts, R::Moves, R::Refused, R::Refused, R::Refused, R::Moves, R::Refused]),
            (S::Preparing, [R::Known, R::Counts, R::Moves, R::Moves, R::Moves, R::Moves, R::Refused]),
            (S::InProgress, [R::Known, R::Known, R::Counts, R::Moves, R::Moves, R::Moves, R::Refused]),
            (S::StopRequested, [R::Counts, R::Counts, R::Counts, R::Moves, R::Moves, R::Moves, R::Moves]),
            (S::Completed, [R::Known; 7]),
            (S::CompletedWithErrors, [R::Known; 7]),
            (S::Failed, [R::Known, R::Known, R::Known, R::Late, R::Late, R::Known, R::Known]),
            (S::Stopped, [R::Known, R::Known, R::Known, R::Late, R::Late, R::Known, R::Known]),
            (S::Missed, [R::Known, R::Known, R::Known, R::Late, R::Late, R::Known, R::Known]),
        ] {
            assert_eq!(said.map(|said| state.reported(RunKind::Backup, said)), expected, "{state:?}");
        }
        for said in [S::Creating, S::StartRequested, S::StartScheduled, S::StopRequested, S::Skipped, S::Missed] {
            for state in S::ALL {
                assert_eq!(state.reported(RunKind::Backup, said), R::Refused, "{state:?} {said:?}");
            }
        }
        assert_eq!(S::Failed.reported(RunKind::Restore, S::Completed), R::Known, "only a backup leaves something behind");
        assert_eq!(S::Creating.reported(RunKind::Restore, S::Queued), R::Refused);
    }

    #[test]
    fn states_are_spelled_as_the_api_spells_them_and_restores_have_numbers() {
        for state in S::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert_eq!("queued".parse::<S>(), Err(RunStateError));
        let mut ids: Vec<_> = S::ALL.iter().filter_map(|state| state.restore_id()).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..10).collect::<Vec<_>>());
        for state in S::ALL {
            assert_eq!(RunKind::Restore.knows(state), state.restore_id().is_some(), "{state:?}");
        }
    }

    #[test]
    fn a_state_is_live_or_final_or_a_restore_being_made() {
        for state in S::ALL {
            assert_eq!(u8::from(state.is_live()) + u8::from(state.is_final()) + u8::from(state == S::Creating), 1, "{state:?}");
        }
    }
}
