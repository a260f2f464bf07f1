//! Why a command ends without success: what failed, on what, then a hint; and with which exit code.

use std::error::Error;
use std::process::ExitCode;

use super::console::Console;
use crate::config::ConfigError;
use crate::store;

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    exit: u8,
    what: String,
    hint: Option<String>,
}

impl Failure {
    /// Exit 1.
    pub fn new(what: impl Into<String>) -> Self {
        Self { exit: 1, what: what.into(), hint: None }
    }

    /// Exit 1, with `doing` in front of the error and of all its causes.
    pub fn because(doing: impl Into<String>, error: &dyn Error) -> Self {
        Self::new(format!("{}: {}", doing.into(), chain(error)))
    }

    /// Exit 2: the command was called in a wrong way.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { exit: 2, ..Self::new(what) }
    }

    /// Exit 3: the command came to its end, but not all is well.
    pub fn damaged(what: impl Into<String>) -> Self {
        Self { exit: 3, ..Self::new(what) }
    }

    /// Exit 75, `EX_TEMPFAIL`: a new process may do better. What starts services starts one.
    pub fn start_again(what: impl Into<String>) -> Self {
        Self { exit: 75, ..Self::new(what) }
    }

    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit)
    }

    /// Says it on standard error.
    pub fn report(&self, console: &mut Console) {
        console.note(&format!("error: {}", self.what));
        if let Some(hint) = &self.hint {
            console.note(&format!("hint: {hint}"));
        }
    }

    /// What a store call on `what` failed with, and what to do where we know it.
    pub fn of_store(doing: impl Into<String>, error: &store::Error) -> Self {
        let failure = Self::because(doing, error);
        match error {
            store::Error::NotFound => failure.with_hint("`strongroom account list` shows the accounts"),
            store::Error::DiskFull { .. } => failure.with_hint("make room on the disk; what is stored stays readable"),
            store::Error::Unavailable(_) => failure.with_hint("see that catalog and data directory can be reached, then try again"),
            _ => failure,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.what)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(chain(&error)).with_hint(error.hint())
    }
}

/// The error and its causes, each on its own level; a level that only repeats the one above is left out.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let level = cause.to_string();
        if !text.ends_with(&level) {
            text.push_str(": ");
            text.push_str(&level);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::console::tests::console;
    use super::*;
    use crate::store::home::HomeError;

    #[test]
    fn a_failure_says_what_on_what_and_what_to_do() {
        let home = HomeError::Missing { path: "/srv/data".to_owned() };
        let failure = Failure::of_store("cannot open the store", &store::Error::Unavailable(Box::new(home)));
        let (mut console, answers, notes) = console("", false, false);
        failure.report(&mut console);
        assert_eq!(answers.text(), "");
        assert_eq!(
            notes.text(),
            "error: cannot open the store: the store cannot be reached now: /srv/data holds no store yet: `strongroom serve` makes one\n\
             hint: see that catalog and data directory can be reached, then try again\n"
        );
    }

    #[test]
    fn exit_codes_tell_failed_from_wrong_usage_from_damaged() {
        let codes = [Failure::new("x"), Failure::usage("x"), Failure::damaged("x")].map(|failure| failure.exit);
        assert_eq!(codes, [1, 2, 3]);
    }
}
