//! Who holds an account: its id, its password, and the access URL that joins them.

use std::fmt;
use std::str::FromStr;

use super::digest::Sha256Digest;

/// The user name of an access URL: 6 characters of `A-Z0-9`, unique for ever.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountId(String);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an account is named by 6 characters of A-Z and 0-9")]
pub struct AccountIdError;

const ACCOUNT_LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const SECRET_LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ACCOUNT_LENGTH: usize = 6;
/// 22 characters of 62 are 131 bits.
const SECRET_LENGTH: usize = 22;

impl AccountId {
    /// A random id from the operating system's source.
    pub fn random() -> Self {
        Self(random_text(ACCOUNT_LETTERS, ACCOUNT_LENGTH))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = AccountIdError;

    fn from_str(text: &str) -> Result<Self, AccountIdError> {
        let fits = text.len() == ACCOUNT_LENGTH && text.bytes().all(|byte| ACCOUNT_LETTERS.contains(&byte));
        fits.then(|| Self(text.to_owned())).ok_or(AccountIdError)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A secret: 22 random letters and digits (an account's or a user's password, a session's token), or 32 hexadecimal digits (a user's
/// API key or token). Prints redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// 131 bits from the operating system's source.
    pub fn random() -> Self {
        Self(random_text(SECRET_LETTERS, SECRET_LENGTH))
    }

    /// 128 bits from the operating system's source, as 32 hexadecimal digits in lower case.
    pub fn random_hex() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system's random source answers");
        Self(data_encoding::HEXLOWER.encode(&bytes))
    }

    /// A secret as somebody sent it: anything, since it is only ever hashed and compared.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether `text` has the shape of a secret that we make.
    pub fn is_well_formed(text: &str) -> bool {
        text.len() == SECRET_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    /// Whether `text` has the shape of what [`Secret::random_hex`] makes.
    pub fn is_hex(text: &str) -> bool {
        text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// The plain text, for the one place that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the catalog keeps instead of the secret.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256Digest::of(self.0.as_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("redacted")
    }
}

/// SHA-256 of a [`Secret`]. Compares in constant time; prints redacted.
#[derive(Clone, Copy)]
pub struct SecretHash(Sha256Digest);

impl SecretHash {
    pub const fn from_digest(digest: Sha256Digest) -> Self {
        Self(digest)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.0.ct_eq(&other.0.0).into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("redacted")
    }
}

/// `https://USER:PASS@HOST[:PORT]/`. Shown once, when an account is made or its password rotated; `Debug` redacts it.
pub struct AccessUrl {
    account: AccountId,
    password: Secret,
    /// `HOST[:PORT]`.
    authority: String,
}

impl AccessUrl {
    pub const fn new(account: AccountId, password: Secret, authority: String) -> Self {
        Self { account, password, authority }
    }

    /// The whole URL with its password: for the terminal of whoever made the account.
    pub fn reveal(&self) -> String {
        format!("https://{}:{}@{}/", self.account, self.password.reveal(), self.authority)
    }
}

impl fmt::Debug for AccessUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "https://{}:redacted@{}/", self.account, self.authority)
    }
}

/// Random text over `letters` without modulo bias.
fn random_text(letters: &[u8], length: usize) -> String {
    let limit = 256 - 256 % letters.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system's random source answers");
        let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < limit);
        text.extend(fair.take(length - text.len()).map(|byte| char::from(letters[byte % letters.len()])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 0.001 quantile of χ² with 61 degrees of freedom, from above.
    const MOST_CHI_SQUARED: f64 = 100.9;

    #[test]
    #[cfg_attr(miri, ignore = "an interpreter draws two million letters for hours, all in the same way")]
    fn a_hundred_thousand_tokens_differ_and_every_letter_is_as_likely() {
        const TOKENS: usize = 100_000;
        let tokens: std::collections::HashSet<String> = (0..TOKENS).map(|_| Secret::random().reveal().to_owned()).collect();
        assert_eq!(tokens.len(), TOKENS, "no token twice");
        let expected = TOKENS as f64 / SECRET_LETTERS.len() as f64;
        let chi_squared = |place: usize| {
            let mut counts = [0_u32; 256];
            tokens.iter().for_each(|token| counts[usize::from(token.as_bytes()[place])] += 1);
            SECRET_LETTERS.iter().map(|letter| (f64::from(counts[usize::from(*letter)]) - expected).powi(2) / expected).sum::<f64>()
        };
        // One of 22 fair places is beyond the quantile in one run of 46, all of the letters together in one of 1000.
        let places: Vec<f64> = (0..SECRET_LENGTH).map(chi_squared).collect();
        let beyond = places.iter().filter(|found| **found > MOST_CHI_SQUARED).count();
        let most = places.iter().copied().fold(0.0, f64::max);
        crate::figure::figure("S12", "tokens", &format!("{TOKENS} tokens: 0 twice, chi-squared at most {most:.1} of 22 places"), None);
        assert!(beyond <= 2, "{places:?}");
    }

    #[test]
    fn ids_and_secrets_have_their_shape() {
        // An interpreter takes two minutes for a thousand of them.
        for _ in 0..if cfg!(miri) { 10 } else { 1000 } {
            let id = AccountId::random();
            assert_eq!(id.as_str().parse(), Ok(id.clone()));
            assert!(Secret::is_well_formed(Secret::random().reveal()));
            assert!(Secret::is_hex(Secret::random_hex().reveal()));
            assert_ne!(Secret::random_hex(), Secret::random_hex());
        }
        for bad in ["", "ABCDE", "ABCDEFG", "abcdef", "ABC-EF", "ABCDÉ"] {
            assert_eq!(bad.parse::<AccountId>(), Err(AccountIdError), "{bad}");
        }
    }

    #[test]
    fn secrets_print_redacted() {
        let secret = Secret::random();
        let url = AccessUrl::new(AccountId::random(), secret.clone(), "localhost:8443".to_owned());
        for text in [format!("{secret:?}"), format!("{:?}", secret.hash()), format!("{url:?}")] {
            assert!(text.contains("redacted"), "{text}");
            assert!(!text.contains(secret.reveal()), "{text}");
        }
        assert!(url.reveal().contains(secret.reveal()));
    }

    #[test]
    fn hashes_compare_by_value() {
        let secret = Secret::random();
        assert_eq!(secret.hash(), Secret::presented(secret.reveal()).hash());
        assert_ne!(secret.hash(), Secret::random().hash());
    }
}
