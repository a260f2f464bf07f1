//! The passphrase of an encrypted vault, for an agent that is to open it unattended: asked for, tried, and kept.

use std::path::{Path, PathBuf};

use crate::agent::jobs::Tools;
use crate::agent::leash::Leash;
use crate::cli::agent::place;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::vault::password::hidden;
use crate::vault::error::Error;
use crate::vault::keys::Password;
use crate::vault::repository::Repository;
use crate::wire::channel::work::{Generation, Vault};

const VARIABLE: &str = "STRONGROOM_PASSPHRASE";
/// Wrong ones in a row before nobody is asked any more.
const MOST_TRIES: usize = 5;

#[derive(clap::Args)]
pub struct PassphraseArgs {
    /// A file with the passphrase of an encrypted vault [env: STRONGROOM_PASSPHRASE]
    ///
    /// The agent keeps it, since it backs up unattended. Where the vault is encrypted and none is given, it is asked for.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    NotNeeded,
    /// It opened the vault, and is kept.
    Opened,
    Missing,
    Wrong,
}

impl PassphraseArgs {
    pub const fn is_given(&self) -> bool {
        self.passphrase_file.is_some()
    }

    /// Keeps the passphrase that opens the newest encrypted generation, if the vault has one. A wrong one is asked for again on a terminal.
    pub fn keep(&self, tools: &Tools, vault: &Vault, console: &mut Console) -> Result<Kept, Failure> {
        let Some(newest) = newest_encrypted(vault) else { return Ok(Kept::NotNeeded) };
        let given = self.given()?;
        if let Some(passphrase) = given {
            return if keeps(tools, newest, &passphrase)? { Ok(Kept::Opened) } else { Ok(Kept::Wrong) };
        }
        if !console.is_interactive {
            return Ok(Kept::Missing);
        }
        console.note("The vault is encrypted. The agent keeps its passphrase, to back up unattended.");
        for _ in 0..MOST_TRIES {
            let Ok(passphrase) = hidden("Passphrase of the vault (empty to give it later):", console) else { return Ok(Kept::Missing) };
            if keeps(tools, newest, &passphrase)? {
                return Ok(Kept::Opened);
            }
            console.note("This passphrase does not open the vault.");
        }
        Ok(Kept::Wrong)
    }

    fn given(&self) -> Result<Option<String>, Failure> {
        if let Some(file) = &self.passphrase_file {
            return of_file(file).map(Some);
        }
        match std::env::var(VARIABLE) {
            Ok(passphrase) if !passphrase.is_empty() => Ok(Some(passphrase)),
            Ok(_) => Err(Failure::usage(format!("{VARIABLE} is empty"))),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(Failure::usage(format!("{VARIABLE} is not UTF-8"))),
        }
    }
}

fn newest_encrypted(vault: &Vault) -> Option<&Generation> {
    vault.generations.iter().filter(|generation| generation.is_encrypted).max_by_key(|generation| generation.number)
}

/// Whether it opens the vault; then it is kept.
fn keeps(tools: &Tools, generation: &Generation, passphrase: &str) -> Result<bool, Failure> {
    let failed = |error| Failure::because("cannot open the vault", &error);
    let place = tools.vaults.own(generation.number, &Leash::default()).map_err(failed)?;
    match Repository::open(place, &Password::new(passphrase)) {
        Err(Error::WrongPassword) => return Ok(false),
        opened => drop(opened.map_err(failed)?),
    }
    let passphrases = tools.state.passphrases();
    let kept = passphrases.propose(passphrase).and_then(|()| passphrases.accept());
    kept.map_err(|error| place::failed("cannot keep the passphrase", &error))?;
    Ok(true)
}

/// All of it but the last line's end.
fn of_file(file: &Path) -> Result<String, Failure> {
    let doing = || format!("cannot read the passphrase from {}", file.display());
    let bytes = std::fs::read(file).map_err(|error| Failure::because(doing(), &error))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::new(format!("{}: it is not UTF-8", doing())))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() { Err(Failure::usage(format!("{} is empty", file.display()))) } else { Ok(line.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_all_of_its_file_but_the_end_of_the_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("passphrase");
        for (bytes, expected) in [
            (&b" with spaces \n"[..], Some(" with spaces ")),
            (b"a\r\n", Some("a")),
            (b"a\nb\n", Some("a\nb")),
            (b"\n", None),
            (b"\xff", None),
        ] {
            std::fs::write(&file, bytes).expect("a file is written");
            assert_eq!(of_file(&file).ok().as_deref(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_newest_encrypted_generation_counts() {
        let generation = |number, is_encrypted| Generation { number, is_encrypted, is_ready: true, password: None };
        let newest = |generations| newest_encrypted(&Vault { generations }).map(|generation| generation.number);
        assert_eq!(newest(vec![generation(1, false), generation(3, true), generation(2, true)]), Some(3));
        assert_eq!(newest(vec![generation(1, false)]), None);
    }
}
