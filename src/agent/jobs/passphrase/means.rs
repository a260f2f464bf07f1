//! What it takes to answer a request, as the parts see it: places, the server's ear, the state folder.

use crate::agent::channel::{CallError, Outcome};
use crate::agent::jobs::Tools;
use crate::agent::leash::Leash;
use crate::agent::runner::patience::{Patience, Pauses, wait};
use crate::agent::state::{KeyPair, StateError};
use crate::model::access::Secret;
use crate::vault::backend::Backend;
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::keys::Password;
use crate::vault::repository::Repository;
use crate::wire::channel::work::Request;

/// What a request is answered with.
pub(super) trait Means {
    /// The place of a generation of the agent's own vault.
    fn place(&self, generation: i64) -> Result<Box<dyn Backend>, Error>;

    /// Says what became of the request, until the server has it.
    fn say(&self, outcome: Outcome) -> Result<(), CallError>;

    fn key_pair(&self) -> Result<KeyPair, StateError>;

    /// As [`crate::agent::state::Passphrases::all`].
    fn passphrases(&self) -> Result<Vec<Secret>, StateError>;

    /// As [`crate::agent::state::Passphrases::propose`].
    fn propose(&self, passphrase: &Secret) -> Result<(), StateError>;

    /// As [`crate::agent::state::Passphrases::accept`].
    fn accept(&self) -> Result<(), StateError>;

    /// As [`crate::agent::state::Passphrases::reject`].
    fn reject(&self) -> Result<(), StateError>;
}

/// The request stays open, because of this.
#[derive(Debug)]
pub(super) struct Later(pub CallError);

impl Later {
    pub(super) fn because(why: &str) -> Self {
        Self(CallError::Unavailable { source: why.into(), after: None })
    }
}

impl From<CallError> for Later {
    fn from(error: CallError) -> Self {
        Self(error)
    }
}

impl From<Error> for Later {
    fn from(error: Error) -> Self {
        match error {
            Error::Cancelled => Self(CallError::Cancelled),
            error => Self(CallError::Unavailable { source: error.into(), after: None }),
        }
    }
}

impl From<StateError> for Later {
    fn from(error: StateError) -> Self {
        Self(CallError::Unavailable { source: error.into(), after: None })
    }
}

/// A generation's repository, if this passphrase opens it. A repository that is not there is an error.
pub(super) fn opened(means: &dyn Means, generation: i64, passphrase: &Secret) -> Result<Option<Repository>, Error> {
    match Repository::open(means.place(generation)?, &password(passphrase)) {
        Ok(repository) => Ok(Some(repository)),
        Err(Error::WrongPassword) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn password(passphrase: &Secret) -> Password {
    Password::new(passphrase.reveal())
}

/// The agent's own.
pub(super) struct OfTools<'a> {
    pub tools: &'a Tools,
    pub request: &'a Request,
    pub leash: &'a Leash,
}

impl Means for OfTools<'_> {
    fn place(&self, generation: i64) -> Result<Box<dyn Backend>, Error> {
        self.tools.vaults.own(generation, self.leash)
    }

    fn say(&self, outcome: Outcome) -> Result<(), CallError> {
        repeated(self.leash.cancel(), Pauses::default(), || self.tools.channel.say_of_request(&self.request.id, outcome))
    }

    fn key_pair(&self) -> Result<KeyPair, StateError> {
        self.tools.state.key_pair()
    }

    fn passphrases(&self) -> Result<Vec<Secret>, StateError> {
        Ok(self.tools.state.passphrases().all()?.iter().map(|passphrase| Secret::presented(passphrase)).collect())
    }

    fn propose(&self, passphrase: &Secret) -> Result<(), StateError> {
        self.tools.state.passphrases().propose(passphrase.reveal())
    }

    fn accept(&self) -> Result<(), StateError> {
        self.tools.state.passphrases().accept()
    }

    fn reject(&self) -> Result<(), StateError> {
        self.tools.state.passphrases().reject()
    }
}

/// Makes a call until it is answered, for as long as nobody wants it to end.
pub(super) fn repeated(cancel: &Cancel, pauses: Pauses, call: impl Fn() -> Result<(), CallError>) -> Result<(), CallError> {
    let mut patience = Patience::silent(pauses);
    while !cancel.is_raised() {
        match call() {
            Err(error @ (CallError::Unavailable { .. } | CallError::Unknown(_) | CallError::Distrusted(_))) => {
                let _ = wait(patience.failed(&error), cancel);
            }
            answered => return answered,
        }
    }
    Err(CallError::Cancelled)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    const AT_ONCE: Pauses = Pauses { first: Duration::ZERO, longest: Duration::ZERO };

    /// How often it was said, and what came of it, where the first so many calls end in this error.
    fn said(failing: u32, error: impl Fn() -> CallError) -> (u32, Result<(), CallError>) {
        let calls = Cell::new(0);
        let call = || {
            calls.set(calls.get() + 1);
            if calls.get() <= failing { Err(error()) } else { Ok(()) }
        };
        let end = repeated(&Cancel::default(), AT_ONCE, call);
        (calls.get(), end)
    }

    #[test]
    fn an_outcome_is_said_until_the_server_answers() {
        let outage = || CallError::Unavailable { source: "no answer".into(), after: None };
        assert!(matches!(said(3, outage), (4, Ok(()))));
        assert!(matches!(said(3, || CallError::Unknown(String::new())), (4, Ok(()))));
        assert!(matches!(said(3, || CallError::Deleted), (1, Err(CallError::Deleted))));
        assert!(matches!(said(3, || CallError::Conflict(String::new())), (1, Err(CallError::Conflict(_)))));
    }

    #[test]
    fn nothing_is_said_when_nobody_wants_it_any_more() {
        let cancel = Cancel::default();
        let outage = || {
            cancel.raise();
            Err(CallError::Unavailable { source: "no answer".into(), after: Some(Duration::from_hours(1)) })
        };
        for _ in 0..2 {
            assert!(matches!(repeated(&cancel, Pauses::default(), outage), Err(CallError::Cancelled)));
        }
    }
}
