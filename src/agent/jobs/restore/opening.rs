//! Which password opens the backup: the server's own, where the vault was not encrypted; else the one that came with the restore, encrypted
//! for this agent's key; else, where none came, the passphrase that this agent keeps for its own vault.

use super::PlaceOf;
use super::failed::Failed;
use super::order::Order;
use crate::agent::state::{KeyPair, StateError};
use crate::model::access::Secret;
use crate::vault::error::Error;
use crate::vault::keys::Password;
use crate::vault::repository::Repository;

/// What this agent knows.
pub(super) trait Secrets {
    fn key_pair(&self) -> Result<KeyPair, StateError>;

    /// The ciphertext that came with the run when it was taken: since then the server has forgotten it.
    fn kept_ciphertext(&self) -> Option<String>;

    fn passphrases(&self) -> Result<Vec<Secret>, StateError>;
}

/// Opens the repository of the snapshot. What is no password, what was encrypted for another key, and a wrong password are one outcome.
pub(super) fn open(place: PlaceOf<'_>, secrets: &dyn Secrets, order: &Order) -> Result<Repository, Failed> {
    for password in passwords(secrets, order)? {
        match Repository::open(place(order.generation.number)?, &Password::new(password.reveal())) {
            Err(Error::WrongPassword) => {}
            opened => return Ok(opened?),
        }
    }
    // The server's own password is nobody's mistake.
    Err(if order.generation.password.is_some() { Error::WrongPassword.into() } else { Failed::by_password() })
}

fn passwords(secrets: &dyn Secrets, order: &Order) -> Result<Vec<Secret>, Failed> {
    if let Some(password) = &order.generation.password {
        return Ok(vec![password.clone()]);
    }
    match order.encrypted_password.clone().or_else(|| secrets.kept_ciphertext()) {
        Some(ciphertext) => Ok(vec![secrets.key_pair()?.decrypt_to_check(&ciphertext)]),
        None => Ok(secrets.passphrases()?),
    }
}
