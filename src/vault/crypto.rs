//! Sealing: AES-256 in counter mode, then Poly1305-AES over the ciphertext, as restic's `doc/design.rst` ("Keys, Encryption and MAC")
//! says and D. J. Bernstein's "The Poly1305-AES message-authentication code" defines. Sealed bytes are `nonce (16) ‖ ciphertext ‖ MAC
//! (16)`; nothing of the plain bytes is given out before the MAC was found right.

use aws_lc_rs::cipher::{AES_128, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use poly1305::universal_hash::{KeyInit as _, UniversalHash as _};
use poly1305::{Block, Key as OneTimeKey, Poly1305};
use subtle::ConstantTimeEq as _;

/// Bytes before the ciphertext.
pub const NONCE_BYTES: usize = 16;
/// Bytes after it.
pub const MAC_BYTES: usize = 16;
/// How much longer sealed bytes are than plain ones.
pub const OVERHEAD_BYTES: usize = NONCE_BYTES + MAC_BYTES;

/// The three keys that seal; a master key, or what a password gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyBytes {
    pub encrypt: [u8; 32],
    pub mac_k: [u8; 16],
    pub mac_r: [u8; 16],
}

/// Seals and opens. Nonces are random, 128 bits from the operating system, so none is used twice.
pub struct Sealer {
    encrypt: EncryptingKey,
    decrypt: DecryptingKey,
    mac_k: EncryptingKey,
    mac_r: [u8; 16],
}

/// The MAC is wrong: other bytes, or another key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("its MAC is wrong")]
pub struct Forged;

impl KeyBytes {
    /// Fresh ones, from the operating system's random source.
    pub fn random() -> Self {
        let mut bytes = [0; 64];
        random(&mut bytes);
        Self::from_bytes(&bytes)
    }

    /// As a key derivation gives them: 32 bytes to encrypt, 16 for the MAC's k, 16 for its r.
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let part = |from: usize| bytes[from..from + 16].try_into().expect("16 of 64 bytes");
        Self { encrypt: bytes[..32].try_into().expect("32 of 64 bytes"), mac_k: part(32), mac_r: part(48) }
    }
}

impl std::fmt::Debug for KeyBytes {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("KeyBytes(redacted)")
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Sealer(redacted)")
    }
}

impl Sealer {
    pub fn new(key: &KeyBytes) -> Self {
        const FITS: &str = "the key has the length of its algorithm";
        let aes_256 = || UnboundCipherKey::new(&AES_256, &key.encrypt).expect(FITS);
        Self {
            encrypt: EncryptingKey::ctr(aes_256()).expect(FITS),
            decrypt: DecryptingKey::ctr(aes_256()).expect(FITS),
            mac_k: EncryptingKey::ecb(UnboundCipherKey::new(&AES_128, &key.mac_k).expect(FITS)).expect(FITS),
            mac_r: key.mac_r,
        }
    }

    /// Seals what begins [`NONCE_BYTES`] after `from` and goes to the buffer's end, in its place: the bytes between become the nonce, the
    /// MAC is appended.
    pub fn seal_in_place(&self, buffer: &mut Vec<u8>, from: usize) {
        let (nonce, text) = buffer[from..].split_at_mut(NONCE_BYTES);
        random(nonce);
        let nonce: [u8; NONCE_BYTES] = (&*nonce).try_into().expect("split there");
        let context = EncryptionContext::Iv128(FixedLength::from(nonce));
        self.encrypt.less_safe_encrypt(text, context).expect("the counter mode takes any length");
        let mac = self.mac(&nonce, text);
        buffer.extend_from_slice(&mac);
    }

    /// Plain bytes, sealed.
    pub fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(plain.len() + OVERHEAD_BYTES);
        buffer.resize(NONCE_BYTES, 0);
        buffer.extend_from_slice(plain);
        self.seal_in_place(&mut buffer, 0);
        buffer
    }

    /// The plain bytes, in their place. [`Forged`] before a byte is decrypted.
    pub fn open_in_place<'a>(&self, sealed: &'a mut [u8]) -> Result<&'a mut [u8], Forged> {
        let text_bytes = sealed.len().checked_sub(OVERHEAD_BYTES).ok_or(Forged)?;
        let (nonce, rest) = sealed.split_at_mut(NONCE_BYTES);
        let (text, mac) = rest.split_at_mut(text_bytes);
        let nonce: [u8; NONCE_BYTES] = (&*nonce).try_into().expect("split there");
        if !bool::from(self.mac(&nonce, text).ct_eq(mac)) {
            return Err(Forged);
        }
        let context = DecryptionContext::Iv128(FixedLength::from(nonce));
        self.decrypt.decrypt(text, context).expect("the counter mode takes any length");
        Ok(text)
    }

    fn mac(&self, nonce: &[u8; NONCE_BYTES], text: &[u8]) -> [u8; MAC_BYTES] {
        let mut key = [0; 32];
        key[..16].copy_from_slice(&self.mac_r);
        key[16..].copy_from_slice(nonce);
        self.mac_k.less_safe_encrypt(&mut key[16..], EncryptionContext::None).expect("one block");
        // Whole blocks go several at once, and what is left as the paper says.
        let (blocks, rest) = Block::slice_as_chunks(text);
        let mut mac = Poly1305::new(&OneTimeKey::from(key));
        mac.update(blocks);
        mac.compute_unpadded(rest).into()
    }
}

/// Fills from the operating system's random source.
pub fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_mac_is_that_of_the_paper() {
        // D. J. Bernstein, "The Poly1305-AES message-authentication code", appendix B, first example.
        let key = KeyBytes {
            encrypt: [0; 32],
            mac_k: hex("ec074c835580741701425b623235add6").try_into().unwrap(),
            mac_r: hex("851fc40c3467ac0be05cc20404f3f700").try_into().unwrap(),
        };
        let nonce = hex("fb447350c4e868c52ac3275cf9d4327e").try_into().unwrap();
        assert_eq!(Sealer::new(&key).mac(&nonce, &hex("f3f6")).to_vec(), hex("f4c633c3044fc145f84f335cb81953de"));
    }

    #[test]
    fn the_mac_of_many_blocks_is_that_of_one_after_the_other() {
        let (sealer, nonce) = (Sealer::new(&KeyBytes { encrypt: [0; 32], mac_k: [1; 16], mac_r: [2; 16] }), [3; 16]);
        let text: Vec<u8> = (0..2_000_u32).map(|number| (number * 7_919 % 251) as u8).collect();
        let mut key = [2; 32];
        key[16..].copy_from_slice(&nonce);
        sealer.mac_k.less_safe_encrypt(&mut key[16..], EncryptionContext::None).unwrap();
        for length in [0, 1, 15, 16, 17, 48, 63, 64, 65, 80, 127, 128, 1_000, 2_000] {
            let expected = Poly1305::new(&OneTimeKey::from(key)).compute_unpadded(&text[..length]);
            assert_eq!(sealer.mac(&nonce, &text[..length]), <[u8; 16]>::from(expected), "{length}");
        }
    }

    #[test]
    fn the_cipher_is_that_of_the_standard() {
        // NIST SP 800-38A, F.5.5, CTR-AES256.
        let encrypt = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4").try_into().unwrap();
        let sealer = Sealer::new(&KeyBytes { encrypt, mac_k: [1; 16], mac_r: [2; 16] });
        let nonce: [u8; 16] = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").try_into().unwrap();
        let text = hex("601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5");
        let mut sealed = [&nonce[..], &text, &sealer.mac(&nonce, &text)].concat();
        let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        assert_eq!(sealer.open_in_place(&mut sealed).unwrap(), plain);
    }

    #[test]
    fn every_bit_is_protected_and_nothing_is_given_out() {
        let sealer = Sealer::new(&KeyBytes::random());
        let sealed = sealer.seal(b"the only copy");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let before = changed.clone();
            assert_eq!(sealer.open_in_place(&mut changed), Err(Forged), "bit {bit}");
            assert_eq!(changed, before);
        }
        for length in 0..sealed.len() {
            assert_eq!(sealer.open_in_place(&mut sealed[..length].to_vec()), Err(Forged), "{length} bytes");
        }
        let mut with_another_key = sealed;
        assert_eq!(Sealer::new(&KeyBytes::random()).open_in_place(&mut with_another_key), Err(Forged));
    }

    #[test]
    fn no_nonce_is_used_twice() {
        let sealer = Sealer::new(&KeyBytes::random());
        let nonces: HashSet<Vec<u8>> = (0..1_000_000).map(|_| sealer.seal(b"")[..NONCE_BYTES].to_vec()).collect();
        assert_eq!(nonces.len(), 1_000_000);
    }

    #[test]
    fn keys_print_redacted() {
        let key = KeyBytes::random();
        assert_eq!(format!("{key:?} {:?}", Sealer::new(&key)), "KeyBytes(redacted) Sealer(redacted)");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(plain in proptest::collection::vec(any::<u8>(), 0..300), before in 0_usize..20) {
            let sealer = Sealer::new(&KeyBytes::random());
            let mut buffer = vec![7; before];
            buffer.extend([0; NONCE_BYTES]);
            buffer.extend_from_slice(&plain);
            sealer.seal_in_place(&mut buffer, before);
            prop_assert_eq!(buffer.len(), before + plain.len() + OVERHEAD_BYTES);
            prop_assert_eq!(&buffer[..before], &vec![7; before]);
            prop_assert_eq!(sealer.open_in_place(&mut buffer[before..]).unwrap(), &plain);
        }
    }
}
