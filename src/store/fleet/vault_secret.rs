//! The secret that opens the vaults whose users did not encrypt them: one file, never in the catalog.
//!
//! The password of a generation is HMAC-SHA-256 (RFC 2104) over `ACCOUNT/gN` under the secret, in base62. So another machine can restore, and a
//! lost catalog loses no password.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::model::access::Secret;

/// 32 random bytes in hexadecimal digits. Prints redacted.
#[derive(Clone)]
pub struct VaultSecret([u8; 32]);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum VaultSecretError {
    #[error("the vault secret {path} cannot be read or made")]
    Io { path: String, source: io::Error },
    #[error("{path} is no vault secret: it holds 64 hexadecimal digits")]
    Damaged { path: String },
    #[error("the vault secret {path} can be read by others: chmod 600 it")]
    Open { path: String },
}

impl VaultSecret {
    /// Reads the file, or makes it where it is missing; `true` when it was made.
    pub fn open(path: &Path) -> Result<(Self, bool), VaultSecretError> {
        let failed = |source| VaultSecretError::Io { path: path.display().to_string(), source };
        match File::open(path) {
            Ok(file) => Ok((Self::read(path, file)?, false)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path).map(|secret| (secret, true)).map_err(failed),
            Err(error) => Err(failed(error)),
        }
    }

    /// Reads the file; makes none.
    pub fn read_from(path: &Path) -> Result<Self, VaultSecretError> {
        let file = File::open(path).map_err(|source| VaultSecretError::Io { path: path.display().to_string(), source })?;
        Self::read(path, file)
    }

    fn read(path: &Path, mut file: File) -> Result<Self, VaultSecretError> {
        let shown = || path.display().to_string();
        let failed = |source| VaultSecretError::Io { path: shown(), source };
        if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
            return Err(VaultSecretError::Open { path: shown() });
        }
        let mut text = String::new();
        (&mut file).take(1024).read_to_string(&mut text).map_err(failed)?;
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
        let secret = bytes.and_then(|bytes| bytes.try_into().ok()).map(Self);
        secret.ok_or_else(|| VaultSecretError::Damaged { path: shown() })
    }

    /// A copy for the owner alone, synced; never in the place of another file. `false` where there is no secret yet.
    pub fn copy(from: &Path, to: &Path) -> Result<bool, VaultSecretError> {
        if !from.try_exists().unwrap_or(true) {
            return Ok(false);
        }
        let secret = Self::read_from(from)?;
        let copied = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
            writeln!(file, "{}", data_encoding::HEXLOWER.encode(&secret.0))?;
            file.sync_all()?;
            File::open(folder_of(to))?.sync_all()
        };
        copied().map(|()| true).map_err(|source| VaultSecretError::Io { path: to.display().to_string(), source })
    }

    /// Whole under its name or not there: written beside, synced, then linked, so that of two that start at once one wins.
    fn make(path: &Path) -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let folder = folder_of(path);
        let beside = tempfile::Builder::new()
            .prefix(".vault-secret")
            .make_in(folder, |path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))?;
        writeln!(beside.as_file(), "{}", data_encoding::HEXLOWER.encode(&bytes))?;
        beside.as_file().sync_all()?;
        let made = match fs::hard_link(beside.path(), path) {
            Ok(()) => Ok(Self(bytes)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::read(path, File::open(path)?).map_err(io::Error::other),
            Err(error) => Err(error),
        };
        File::open(folder)?.sync_all()?;
        made
    }

    /// The password of a generation of a vault account.
    pub fn password(&self, account: &str, generation: i64) -> Secret {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &self.0);
        let tag = aws_lc_rs::hmac::sign(&key, format!("{account}/g{generation}").as_bytes());
        Secret::presented(&base62(tag.as_ref()))
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl std::fmt::Debug for VaultSecret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("redacted")
    }
}

/// The number in base 62, 43 digits for 32 bytes, with `0-9A-Za-z`.
fn base62(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = bytes.to_vec();
    let mut text = Vec::new();
    for _ in 0..(bytes.len() * 8).div_ceil(6) {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            *byte = u8::try_from(value / 62).expect("the rest was below 62");
            rest = value % 62;
        }
        text.push(DIGITS[rest as usize]);
    }
    text.reverse();
    text.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("vault-secret");
        let (first, made) = VaultSecret::open(&path).expect("it is made");
        let (again, made_again) = VaultSecret::open(&path).expect("it is read");
        assert_eq!((made, made_again, first.0), (true, false, again.0));
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1, "nothing is left beside it");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
        assert!(matches!(VaultSecret::open(&path), Err(VaultSecretError::Open { .. })));
    }

    #[test]
    fn a_copy_is_for_its_owner_alone_and_replaces_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (path, copy) = (folder.path().join("vault-secret"), folder.path().join("copy"));
        assert!(matches!(VaultSecret::copy(&path, &copy), Ok(false)), "there is none yet");
        let (secret, _) = VaultSecret::open(&path).expect("it is made");
        assert!(matches!(VaultSecret::copy(&path, &copy), Ok(true)));
        assert_eq!(VaultSecret::read_from(&copy).expect("it is for its owner alone").0, secret.0);
        assert!(matches!(VaultSecret::copy(&path, &copy), Err(VaultSecretError::Io { .. })), "it is there already");
    }

    #[test]
    fn what_is_no_secret_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("vault-secret");
        for text in ["", "abc", &"0g".repeat(32), &"00".repeat(31)] {
            fs::write(&path, text).expect("it is written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
            assert!(matches!(VaultSecret::open(&path), Err(VaultSecretError::Damaged { .. })), "{text}");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
        }
    }

    /// The tag was computed by Python's hmac module, the digits by its integers.
    #[test]
    fn a_password_is_the_hmac_of_account_and_generation() {
        let secret = VaultSecret([7; 32]);
        assert_eq!(secret.password("Y21R3P", 1).reveal(), EXPECTED);
        assert!(secret.password("Y21R3P", 2) != secret.password("Y21R3P", 1));
        assert!(secret.password("Y21R3Q", 1) != secret.password("Y21R3P", 1));
        assert_eq!(format!("{secret:?}"), "redacted");
    }

    const EXPECTED: &str = "sooZra6FmQW23P9q1lcqKg6JaDiVe88IjCHJY9Jtd1i";
}
