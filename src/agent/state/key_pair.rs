//! The agent's RSA-2048 keys. Users encrypt passphrases for the public one (RSAES-PKCS1-v1_5, RFC 8017 section 7.2); the private one never
//! leaves the machine.

use crate::wire::channel::Key;

/// Prints redacted.
pub struct KeyPair;

/// What a ciphertext was, to whoever sets a passphrase by it.
#[derive(Debug, thiserror::Error)]
#[error("the passphrase was not encrypted for this agent's key")]
pub struct NotForUs;

impl KeyPair {
    /// As it is registered.
    pub fn public(&self) -> Key {
        todo!("core")
    }

    /// Where a passphrase is *set*: what cannot be decrypted, is empty or is no UTF-8 sets nothing.
    pub fn decrypt_to_set(&self, _ciphertext_hex: &str) -> Result<String, NotForUs> {
        todo!("core")
    }

    /// Where one is *checked*: what cannot be decrypted goes on as a random text, so that it and a wrong passphrase are one outcome.
    pub fn decrypt_to_check(&self, _ciphertext_hex: &str) -> String {
        todo!("core")
    }
}
