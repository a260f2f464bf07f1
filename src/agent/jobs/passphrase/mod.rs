//! What users ask of the passphrase: to encrypt (`encrypt`), to change it (`change`), to verify it (`verify`); and the repository of a
//! generation that the server opens, made once (`generation`).
//!
//! What it promises: whatever ends the process, and wherever, the request is still open and is answered again, and what was done is found
//! done; at every moment a passphrase that this machine keeps opens the vault. A passphrase that is checked and one that was not encrypted
//! for this agent end in the same way. No passphrase is in an error or in a line of the log.

mod change;
mod encrypt;
mod generation;
mod means;
#[cfg(test)]
mod tests;
mod verify;

pub use generation::make_generation;

use self::means::{Later, Means, OfTools};
use super::{OwnVault, Tools};
use crate::agent::channel::{CallError, Outcome};
use crate::agent::leash::Leash;
use crate::wire::channel::work::{Generation, Request};

/// Answers one request: taken, then succeeded or failed, each said until the server has it. What was done before the process ended is found
/// done, and said again. An error leaves the request open: it is to be answered again, later or by the next process.
pub fn answer(tools: &Tools, vault: &OwnVault, request: &Request, leash: &Leash) -> Result<(), CallError> {
    answer_by(&OfTools { tools, request, leash }, vault, request).map_err(|Later(error)| error)
}

fn answer_by(means: &dyn Means, vault: &OwnVault, request: &Request) -> Result<(), Later> {
    let outcome = match request.kind.as_str() {
        "verify_password" => verify::verify(means, vault, request)?,
        kind @ ("encrypt" | "change_password") => {
            // From here on the server takes no other request of this kind, and, for a change, lets keys be removed.
            means.say(Outcome::Taken)?;
            if kind == "encrypt" { encrypt::encrypt(means, vault, request)? } else { change::change(means, vault, request)? }
        }
        // Of a newer server.
        _ => Outcome::Failed,
    };
    tracing::info!(request = request.id, kind = request.kind, ?outcome, "a request about the passphrase is answered");
    means.say(outcome)?;
    if request.kind == "change_password" && outcome == Outcome::Succeeded {
        // Not sooner: until the server knows, whoever repeats the request needs both.
        means.accept()?;
    }
    Ok(())
}

/// The generations that only a passphrase opens, the lowest first.
fn encrypted(vault: &OwnVault) -> Vec<&Generation> {
    let mut all: Vec<&Generation> = vault.generations.iter().filter(|generation| generation.is_encrypted).collect();
    all.sort_by_key(|generation| generation.number);
    all
}
