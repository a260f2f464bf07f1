//! What users ask of the passphrase: to encrypt, to change it, to verify it; and the repository of a generation, made once.

use super::{OwnVault, Tools};
use crate::agent::channel::CallError;
use crate::agent::leash::Leash;
use crate::vault::error::Error;
use crate::wire::channel::work::{Generation, Request};

/// Answers one request: taken, then succeeded or failed, each said until the server has it. What was done before the process ended is found
/// done, and said again.
pub fn answer(tools: &Tools, vault: &OwnVault, request: &Request, leash: &Leash) -> Result<(), CallError> {
    let _ = (tools, vault, request, leash);
    todo!("passphrase")
}

/// Makes the repository of a generation that the server opens, where it was never made, and says so.
pub fn make_generation(tools: &Tools, generation: &Generation, leash: &Leash) -> Result<(), Error> {
    let _ = (tools, generation, leash);
    todo!("passphrase")
}
