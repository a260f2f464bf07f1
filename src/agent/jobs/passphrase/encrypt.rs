//! Encrypting: the next generation's repository, which the passphrase alone opens. The passphrase is kept before the repository is made,
//! and the server is told last: whatever comes between, the request is answered again, and finds what it made.

use super::generation::make;
use super::means::{Later, Means, password};
use crate::agent::channel::Outcome;
use crate::agent::jobs::OwnVault;
use crate::vault::error::Error;
use crate::vault::repository::Repository;
use crate::wire::channel::work::Request;

pub(super) fn encrypt(means: &dyn Means, vault: &OwnVault, request: &Request) -> Result<Outcome, Later> {
    let Ok(passphrase) = means.key_pair()?.decrypt_to_set(&request.encrypted_password) else { return Ok(Outcome::Failed) };
    let number = next(vault);
    means.propose(&passphrase)?;
    match make(&|| means.place(number), &password(&passphrase)) {
        Err(Error::WrongPassword) => {
            // It opens nothing.
            means.reject()?;
            return Ok(Outcome::Failed);
        }
        made => made?,
    }
    Repository::open(means.place(number)?, &password(&passphrase))?;
    means.accept()?;
    Ok(Outcome::Succeeded)
}

/// The generation behind the highest. Where that is encrypted, it is what this request has made.
fn next(vault: &OwnVault) -> i64 {
    let highest = vault.generations.iter().max_by_key(|generation| generation.number);
    highest.map_or(1, |highest| if highest.is_encrypted { highest.number } else { highest.number + 1 })
}
