//! Whether a passphrase is the right one.

use super::encrypted;
use super::means::{Later, Means, opened};
use crate::agent::channel::Outcome;
use crate::agent::jobs::OwnVault;
use crate::wire::channel::work::Request;

/// Tries the generation that the request names, or where that is not encrypted, or none is named, the one that is written to.
pub(super) fn verify(means: &dyn Means, vault: &OwnVault, request: &Request) -> Result<Outcome, Later> {
    let encrypted = encrypted(vault);
    let named = encrypted.iter().find(|generation| Some(generation.number) == request.generation);
    let Some(generation) = named.or(encrypted.last()) else { return Ok(Outcome::Failed) };
    let passphrase = means.key_pair()?.decrypt_to_check(&request.encrypted_password);
    let is_right = opened(means, generation.number, &passphrase)?.is_some();
    Ok(if is_right { Outcome::Succeeded } else { Outcome::Failed })
}
