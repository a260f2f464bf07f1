//! The passphrase by which the agent backs up unattended once its user has encrypted the vault, and, while it is changed, the new one
//! beside it. After a cut the one that opens the vault is right.

use super::StateError;

pub struct Passphrases;

impl Passphrases {
    /// All that there are, the present one first.
    pub fn all(&self) -> Result<Vec<String>, StateError> {
        todo!("core")
    }

    /// Keeps a new one beside the present one; synced when this returns.
    pub fn propose(&self, _passphrase: &str) -> Result<(), StateError> {
        todo!("core")
    }

    /// The proposed one is the present one from now on.
    pub fn accept(&self) -> Result<(), StateError> {
        todo!("core")
    }

    /// The proposed one is dropped.
    pub fn reject(&self) -> Result<(), StateError> {
        todo!("core")
    }
}
