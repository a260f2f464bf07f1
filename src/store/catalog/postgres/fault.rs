//! What PostgreSQL's errors mean.

use ::postgres::Error;
use ::postgres::error::{DbError, Severity};

use super::super::Fault;
use super::super::engine::Standing;

/// The engine's error without its details, which may hold values of a row.
#[derive(Debug, thiserror::Error)]
#[error("PostgreSQL: {0}")]
pub(super) struct Cause(String);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    pub(super) fault: Fault,
    pub(super) standing: Standing,
}

/// A statement that failed: it did not happen, because COMMIT was not sent.
pub(super) fn of_statement(error: &Error) -> Verdict {
    error.as_db_error().map_or(verdict(Fault::Unavailable, Standing::Lost), |error| of_code(error.code().code(), ends_connection(error)))
}

/// A COMMIT that failed. Certain only where the engine itself said why it refused; anything else, above all a connection that
/// ended, may have happened.
pub(super) fn of_commit(error: &Error) -> Verdict {
    error.as_db_error().map_or(verdict(Fault::InDoubt, Standing::Lost), |error| of_commit_code(error.code().code(), ends_connection(error)))
}

pub(super) fn cause(error: &Error) -> Cause {
    let text = match error.as_db_error() {
        Some(said) => format!("{} {}: {}", said.severity(), said.code().code(), said.message()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    };
    Cause(text)
}

fn verdict(fault: Fault, standing: Standing) -> Verdict {
    Verdict { fault, standing }
}

fn ends_connection(error: &DbError) -> bool {
    matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic) | None)
}

fn of_code(code: &str, ends_connection: bool) -> Verdict {
    match (code, code.get(..2).unwrap_or_default()) {
        ("58030", _) => verdict(Fault::Io, Standing::Lost),
        ("53100", _) => verdict(Fault::Full, if ends_connection { Standing::Lost } else { Standing::Failed }),
        _ if ends_connection => verdict(Fault::Unavailable, Standing::Lost),
        ("40001" | "40P01", _) => verdict(Fault::Unavailable, Standing::GaveWay),
        // Cancelled, or waited too long for a lock.
        ("57014" | "55P03", _) | (_, "40" | "53") => verdict(Fault::Unavailable, Standing::Failed),
        // A server that became read-only is no longer the one to write to.
        ("25006", _) | (_, "08" | "57") => verdict(Fault::Unavailable, Standing::Lost),
        // The statement that the connection had prepared is gone or stale: a new connection prepares it again.
        ("26000" | "0A000", _) => verdict(Fault::Failed, Standing::Lost),
        _ => verdict(Fault::Failed, Standing::Failed),
    }
}

/// Violated constraints and transactions that gave way are rolled back before COMMIT answers; 40003 says that it is not known.
fn of_commit_code(code: &str, ends_connection: bool) -> Verdict {
    match (code, code.get(..2).unwrap_or_default()) {
        _ if ends_connection => verdict(Fault::InDoubt, Standing::Lost),
        ("40001" | "40P01", _) => verdict(Fault::Unavailable, Standing::GaveWay),
        (_, "23") => verdict(Fault::Failed, Standing::Good),
        _ => verdict(Fault::InDoubt, Standing::Lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_certain_only_where_the_engine_said_why() {
        assert_eq!(of_commit_code("57P01", true).fault, Fault::InDoubt);
        assert_eq!(of_commit_code("40003", false).fault, Fault::InDoubt);
        assert_eq!(of_commit_code("08006", false).fault, Fault::InDoubt);
        assert_eq!(of_commit_code("23505", true).fault, Fault::InDoubt);
        assert_eq!(of_commit_code("23505", false), verdict(Fault::Failed, Standing::Good));
        assert_eq!(of_commit_code("40001", false).standing, Standing::GaveWay);
    }

    #[test]
    fn a_connection_that_ended_or_turned_read_only_is_not_used_again() {
        for (code, fatal) in [("57P01", true), ("25006", false), ("08006", false), ("XX000", true)] {
            assert_eq!(of_code(code, fatal), verdict(Fault::Unavailable, Standing::Lost), "{code}");
        }
        assert_eq!(of_code("23505", false), verdict(Fault::Failed, Standing::Failed));
        assert_eq!(of_code("53100", false).fault, Fault::Full);
        assert_eq!(of_code("58030", false).fault, Fault::Io);
    }
}
