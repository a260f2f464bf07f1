//! Whoever logs in to the Cloud Backup API, and the tenant whose machines and backups they see.

use std::fmt;
use std::str::FromStr;

use super::access::SecretHash;
use super::instant::Instant;
use super::role::{Rights, Roles};

/// A user as the catalog had it when it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Never given to another, not even after a removal.
    pub id: i64,
    pub name: UserName,
    pub tenant: TenantId,
    pub roles: Roles,
    /// SHA-256 of the API key.
    pub api_key: SecretHash,
    /// SHA-256 of the password.
    pub password: SecretHash,
    pub disabled: bool,
    pub created_at: Instant,
}

impl User {
    pub fn rights(&self) -> Rights {
        self.roles.rights()
    }

    /// The hash of the secret that this is about.
    pub const fn secret(&self, credential: Credential) -> SecretHash {
        match credential {
            Credential::ApiKey => self.api_key,
            Credential::Password => self.password,
        }
    }
}

/// By which of its secrets a user logged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Credential {
    ApiKey,
    Password,
}

impl Credential {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::Password => "password",
        }
    }

    /// The inverse of [`Credential::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::ApiKey, Self::Password].into_iter().find(|credential| credential.as_str() == text)
    }
}

/// The name of a user: 1 to 64 visible ASCII characters without `:`, the first of them no `-`. It matches exactly as it was given,
/// letter case included; an e-mail address is one, too. No spaces and no other alphabets, so that it fits into a header, a shell
/// line and a log as it is, and no two names look alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserName(String);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a user's name is 1 to 64 visible ASCII characters without a space or a colon, and begins with no dash")]
pub struct UserNameError;

/// Whose agents, configurations and backups: 1 to 64 of `A-Za-z0-9_-`, the first no `-`, and none of the words that stand in its place
/// in a URL. Compares letter by letter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TenantId(String);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TenantIdError {
    #[error("a tenant is named by 1 to 64 letters, digits, _ and -, the first of them no dash")]
    Form,
    #[error("this word stands for something else in a URL, so no tenant can have it")]
    Word,
}

/// What may follow `/v1.0/` in place of a tenant.
const RESOURCE_WORDS: [&str; 9] = ["activity", "agent", "backup", "backup-configuration", "cleanup", "help", "restore", "system", "user"];
const LONGEST: usize = 64;
/// Where the numbers of new tenants begin.
pub const FIRST_TENANT: i64 = 100_000;

impl UserName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = UserNameError;

    fn from_str(text: &str) -> Result<Self, UserNameError> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        let fits = (1..=LONGEST).contains(&text.len()) && is_visible && !text.starts_with('-');
        fits.then(|| Self(text.to_owned())).ok_or(UserNameError)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl TenantId {
    /// The tenant of this number.
    pub fn numbered(number: i64) -> Self {
        Self(number.to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number that this is, as [`TenantId::numbered`] writes it.
    pub fn number(&self) -> Option<i64> {
        self.0.parse().ok().filter(|number: &i64| number.to_string() == self.0)
    }
}

impl FromStr for TenantId {
    type Err = TenantIdError;

    fn from_str(text: &str) -> Result<Self, TenantIdError> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if !(1..=LONGEST).contains(&text.len()) || !is_plain || text.starts_with('-') {
            return Err(TenantIdError::Form);
        }
        // In whatever case: nobody should have to know how a URL is read.
        if RESOURCE_WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return Err(TenantIdError::Word);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_visible_and_matches_exactly() {
        for good in ["a", "ada", "Ada", "ada@example.com", "domain\\ada", "o'neil,jr", &"x".repeat(64)] {
            assert_eq!(good.parse::<UserName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "a b", "a:b", "a\n", "a\u{0}", "jürgen", "-a", " a", &"x".repeat(65)] {
            assert_eq!(bad.parse::<UserName>(), Err(UserNameError), "{bad:?}");
        }
        assert_ne!("ada".parse::<UserName>(), "Ada".parse());
    }

    #[test]
    fn a_tenant_fits_into_a_url_and_is_no_word_of_it() {
        for good in ["5501", "100000", "acme-corp_2", "backups", &"x".repeat(64)] {
            assert_eq!(good.parse::<TenantId>().map(|id| id.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "a/b", "a.json", "a b", "ä", "-1", &"x".repeat(65)] {
            assert_eq!(bad.parse::<TenantId>(), Err(TenantIdError::Form), "{bad:?}");
        }
        for word in "activity agent backup backup-configuration cleanup help restore system user".split(' ') {
            assert_eq!(word.parse::<TenantId>(), Err(TenantIdError::Word), "{word}");
            assert_eq!(word.to_uppercase().parse::<TenantId>(), Err(TenantIdError::Word), "{word}");
        }
    }

    #[test]
    fn a_number_is_read_only_as_it_is_written() {
        let number = |text: &str| text.parse::<TenantId>().expect("a tenant").number();
        assert_eq!((number("100000"), number("0100000"), number("a1"), number(&"9".repeat(30))), (Some(100_000), None, None, None));
        assert_eq!(TenantId::numbered(FIRST_TENANT).number(), Some(FIRST_TENANT));
    }
}
