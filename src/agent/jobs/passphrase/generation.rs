//! The repository of a generation, made once.

use super::means::repeated;
use crate::agent::channel::CallError;
use crate::agent::jobs::Tools;
use crate::agent::leash::Leash;
use crate::agent::runner::patience::Pauses;
use crate::agent::vaults::maker;
use crate::vault::backend::Backend;
use crate::vault::config::Version;
use crate::vault::error::Error;
use crate::vault::keys::Password;
use crate::vault::repository::Repository;
use crate::wire::channel::work::Generation;

/// Makes the repository of a generation that the server opens, where it was never made, and says so. [`Error::WrongPassword`] where one is
/// there that the server's password does not open.
pub fn make_generation(tools: &Tools, generation: &Generation, leash: &Leash) -> Result<(), Error> {
    let number = generation.number;
    let password = generation.password.as_ref().ok_or(Error::WrongPassword)?;
    make(&|| tools.vaults.own(number, leash), &Password::new(password.reveal()))?;
    repeated(leash.cancel(), Pauses::default(), || tools.channel.say_of_generation(number)).map_err(|error| match error {
        CallError::Cancelled => Error::Cancelled,
        error => Error::Unavailable { doing: format!("saying that generation {number} is made"), source: error.into() },
    })
}

/// Makes a repository, or finishes one that was begun with this password, or finds that it was made with it. [`Error::WrongPassword`] where
/// there is one that it does not open; nothing is changed then.
pub(super) fn make(place: &dyn Fn() -> Result<Box<dyn Backend>, Error>, password: &Password) -> Result<(), Error> {
    match Repository::init(place()?, password, Version::Two, maker()) {
        Err(Error::AlreadyExists(_)) => match Repository::open(place()?, password) {
            // Others have begun one.
            Err(Error::NoRepository(_)) => Err(Error::WrongPassword),
            opened => opened.map(drop),
        },
        made => made.map(drop),
    }
}
