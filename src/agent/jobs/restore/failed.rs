//! Why a restore ended before its end.

use crate::agent::jobs::{Counted, Ended, Reporter, reason, sentence};
use crate::agent::state::StateError;
use crate::model::run::RunState;
use crate::vault::error::Error;

/// No text holds a secret.
#[derive(Debug)]
pub(super) enum Failed {
    /// The leash was pulled.
    Cut,
    For {
        reason: &'static str,
        note: String,
    },
}

impl Failed {
    /// The job is not what an agent of this version can do.
    pub(super) fn by_agent(note: &str) -> Self {
        Self::For { reason: "AgentError", note: sentence(note) }
    }

    /// No password that was given or is kept opens the backup.
    pub(super) fn by_password() -> Self {
        const WHY: &str = "the password does not open the backup: encrypt it with the restore's PublicKey, which is the destination \
                           agent's, not with that of availableforrestore";
        Self::For { reason: "InvalidPassword", note: WHY.to_owned() }
    }

    pub(super) fn by_destination(why: &str) -> Self {
        Self::For { reason: "DestinationNotWritable", note: sentence(why) }
    }

    /// The end of a restore that has begun to write nothing.
    pub(super) fn ended(self, reporter: &Reporter) -> Ended {
        match self {
            Self::Cut => Ended::Cut(reporter.report(RunState::Preparing, Counted::default())),
            Self::For { reason, note } => {
                let mut report = reporter.report(RunState::Failed, Counted::default());
                (report.reason, report.note) = (Some(reason.to_owned()), Some(note));
                Ended::Done(report)
            }
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        if matches!(error, Error::Cancelled) {
            return Self::Cut;
        }
        let (reason, note) = reason(&error);
        Self::For { reason, note }
    }
}

impl From<StateError> for Failed {
    fn from(error: StateError) -> Self {
        let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
        Self::by_agent(&format!("{error}{cause}"))
    }
}
