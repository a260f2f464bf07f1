//! What tests do with a public key: what users' tools do.

use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};

use super::KeyPair;

impl KeyPair {
    /// The passphrase encrypted for this pair, in hexadecimal digits.
    pub(in crate::agent) fn encrypt(&self, passphrase: &str) -> String {
        let public = PublicEncryptingKey::from_der(&self.public_der).unwrap();
        let public = Pkcs1PublicEncryptingKey::new(public).unwrap();
        let mut room = vec![0; public.ciphertext_size()];
        data_encoding::HEXLOWER.encode(public.encrypt(passphrase.as_bytes(), &mut room).unwrap())
    }

    /// A pair like any other, made once for all tests.
    pub(in crate::agent) fn of_tests() -> Self {
        static PEM: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        Self::from_pem(PEM.get_or_init(|| Self::generate().private_pem().reveal().to_owned()).as_bytes()).unwrap()
    }
}
