//! The passphrase by which the agent backs up unattended once its user has encrypted the vault, and, while it is changed, the new one
//! beside it. After a cut the one that opens the vault is right.

use std::path::{Path, PathBuf};

use super::{StateError, file};

/// `passphrase` and `passphrase.new`: exactly their bytes, without an end of a line.
pub struct Passphrases {
    present: PathBuf,
    proposed: PathBuf,
}

/// No ciphertext of ours holds more.
const MOST_BYTES: u64 = 4096;

impl Passphrases {
    pub(super) fn of(folder: &Path) -> Self {
        Self { present: folder.join("passphrase"), proposed: folder.join("passphrase.new") }
    }

    /// All that there are, the present one first.
    pub fn all(&self) -> Result<Vec<String>, StateError> {
        let mut all = Vec::new();
        for path in [&self.present, &self.proposed] {
            let Some(bytes) = file::read(path, MOST_BYTES)? else { continue };
            let damaged = |why: &str| StateError::Damaged { path: path.clone(), why: why.to_owned() };
            let passphrase = String::from_utf8(bytes).map_err(|_| damaged("it is not UTF-8"))?;
            if passphrase.is_empty() {
                return Err(damaged("it is empty"));
            }
            all.push(passphrase);
        }
        Ok(all)
    }

    /// Keeps a new one beside the present one; synced when this returns.
    pub fn propose(&self, passphrase: &str) -> Result<(), StateError> {
        file::replace(&self.proposed, passphrase.as_bytes())
    }

    /// The proposed one is the present one from now on. Where none is proposed nothing happens: this was done before.
    pub fn accept(&self) -> Result<(), StateError> {
        if file::read(&self.proposed, MOST_BYTES)?.is_none() {
            return Ok(());
        }
        file::rename(&self.proposed, &self.present)
    }

    /// The proposed one is dropped.
    pub fn reject(&self) -> Result<(), StateError> {
        file::remove(&self.proposed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_passphrase_stands_beside_the_present_one_until_it_is_accepted_or_rejected() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let passphrases = Passphrases::of(folder.path());
        let all = || passphrases.all().expect("they are read");
        assert!(all().is_empty());
        passphrases.propose("first ä\n").expect("it is kept");
        assert_eq!(all(), ["first ä\n"]);
        passphrases.accept().expect("it is accepted");
        passphrases.propose("second").expect("it is kept");
        assert_eq!(all(), ["first ä\n", "second"]);
        passphrases.reject().expect("it is dropped");
        passphrases.reject().expect("it was dropped");
        assert_eq!(all(), ["first ä\n"]);
        passphrases.propose("third").expect("it is kept");
        passphrases.accept().expect("it is accepted");
        passphrases.accept().expect("it was accepted");
        assert_eq!(all(), ["third"]);
    }

    #[test]
    fn what_cannot_be_kept_or_read_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let missing = Passphrases::of(&folder.path().join("missing"));
        assert!(missing.propose("first").is_err_and(|error| error.to_string().contains("passphrase.new")));
        for bytes in [&b""[..], b"\xff"] {
            std::fs::write(folder.path().join("passphrase"), bytes).expect("a file is written");
            assert!(matches!(Passphrases::of(folder.path()).all(), Err(StateError::Damaged { .. })), "{bytes:?}");
        }
    }
}
