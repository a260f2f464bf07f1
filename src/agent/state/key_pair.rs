//! The agent's RSA-2048 keys. Users encrypt passphrases for the public one (RSAES-PKCS1-v1_5, RFC 8017 section 7.2); the private one never
//! leaves the machine. Both are files of PEM (RFC 7468): `private-key.pem` is PKCS#8, `public-key.pem` a SubjectPublicKeyInfo.

mod pem;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::model::access::Secret;
use crate::wire::channel::Key;

/// Where the private key is kept, in the state folder.
pub const PRIVATE_FILE: &str = "private-key.pem";
/// Where the public key is kept: old tools read it under this name.
pub const PUBLIC_FILE: &str = "public-key.pem";

const BITS: usize = 2048;
/// Most bytes of a passphrase that fits into one encryption.
const MOST_BYTES: usize = BITS / 8 - 11;

/// Prints redacted.
pub struct KeyPair {
    private: PrivateDecryptingKey,
    /// A SubjectPublicKeyInfo.
    public_der: Vec<u8>,
    public: Key,
}

/// What a ciphertext was, to whoever sets a passphrase by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the passphrase was not encrypted for this agent's key")]
pub struct NotForUs;

/// What a file was that should hold the private key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is no RSA key of 2048 bits, as PKCS#8 in PEM")]
pub struct NoKey;

impl KeyPair {
    /// A new pair. Takes about a tenth of a second, and now and then several.
    pub fn generate() -> Self {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("the operating system's random source answers");
        Self::of(private).expect("a key that was just made has 2048 bits")
    }

    /// The pair whose private key is in this file; the public one follows from it.
    pub fn from_pem(private: &[u8]) -> Result<Self, NoKey> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(private).map_err(|_| NoKey)?;
        Self::of(PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| NoKey)?)
    }

    fn of(private: PrivateDecryptingKey) -> Result<Self, NoKey> {
        if private.key_size_bits() != BITS {
            return Err(NoKey);
        }
        let public_der = private.public_key().as_der().map_err(|_| NoKey)?.as_ref().to_vec();
        let public = parse_public(&public_der).ok_or(NoKey)?;
        Ok(Self { private, public_der, public })
    }

    /// Gives both files to `write`, the private one first: where there is a public key, there is what decrypts.
    pub fn save<E>(&self, mut write: impl FnMut(&str, &[u8]) -> Result<(), E>) -> Result<(), E> {
        write(PRIVATE_FILE, self.private_pem().reveal().as_bytes())?;
        write(PUBLIC_FILE, self.public_pem().as_bytes())
    }

    /// What `private-key.pem` holds.
    pub fn private_pem(&self) -> Secret {
        let der: Pkcs8V1Der<'_> = self.private.as_der().expect("an RSA key has a PKCS#8 form");
        Secret::presented(&pem::text("PRIVATE KEY", der.as_ref()))
    }

    /// What `public-key.pem` holds.
    pub fn public_pem(&self) -> String {
        pem::text("PUBLIC KEY", &self.public_der)
    }

    /// As it is registered.
    pub fn public(&self) -> Key {
        self.public.clone()
    }

    /// Where a passphrase is *set*: what cannot be decrypted, is empty or is no UTF-8 sets nothing.
    pub fn decrypt_to_set(&self, ciphertext_hex: &str) -> Result<Secret, NotForUs> {
        self.decrypt(ciphertext_hex).ok_or(NotForUs)
    }

    /// Where one is *checked*: what cannot be decrypted goes on as a random text, so that it and a wrong passphrase are one outcome, by the
    /// same way.
    pub fn decrypt_to_check(&self, ciphertext_hex: &str) -> Secret {
        // Made in both cases.
        let mut random = [0; 32];
        getrandom::fill(&mut random).expect("the operating system's random source answers");
        let random = Secret::presented(&data_encoding::HEXLOWER.encode(&random));
        self.decrypt(ciphertext_hex).unwrap_or(random)
    }

    fn decrypt(&self, ciphertext_hex: &str) -> Option<Secret> {
        let ciphertext = data_encoding::HEXLOWER_PERMISSIVE.decode(ciphertext_hex.as_bytes()).ok()?;
        let private = Pkcs1PrivateDecryptingKey::new(self.private.clone()).ok()?;
        let mut room = vec![0; private.min_output_size()];
        let plain = private.decrypt(&ciphertext, &mut room).ok()?;
        let fits = !plain.is_empty() && plain.len() <= MOST_BYTES;
        std::str::from_utf8(plain).ok().filter(|_| fits).map(Secret::presented)
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("KeyPair(redacted)")
    }
}

fn parse_public(der: &[u8]) -> Option<Key> {
    let (_, info) = SubjectPublicKeyInfo::from_der(der).ok()?;
    let PublicKey::RSA(key) = info.parsed().ok()? else { return None };
    let exponent = i64::try_from(key.try_exponent().ok()?).ok()?;
    // A number of DER begins with a zero where its top bit is set.
    let modulus = key.modulus.strip_prefix(&[0]).unwrap_or(key.modulus);
    let modulus_hex = data_encoding::HEXLOWER.encode(modulus);
    let is_full = modulus.len() == BITS / 8 && modulus.first().is_some_and(|byte| *byte >= 0x80);
    is_full.then_some(Key { modulus_hex, exponent })
}
