//! The repositories of the agent's vault (`/agent/v1/vault/gN/`), and of those that it restores from (`/agent/v1/restores/ID/vault/gN/`):
//! where they are, and what opens them. No access URL is stored anywhere: the agent's key is what opens the way.
//!
//! A generation that no user encrypted is opened by the password that came with the work, which stays in memory; an encrypted one by the
//! passphrase alone. New backups go into the highest generation, all are read.

mod noting;

use std::sync::Arc;

use crate::agent::Settings;
use crate::agent::channel::{Channel, below};
use crate::agent::leash::Leash;
use crate::agent::state::State;
use crate::vault::backend::Backend;
use crate::vault::backend::location::Location;
use crate::vault::backend::location::address::Address;
use crate::vault::backend::open_for_work;
use crate::vault::backend::options::{Headers, Options, Trust};
use crate::vault::error::Error;
use crate::vault::keys::{Maker, Password};
use crate::vault::repository::Repository;
use crate::wire::channel::work::Generation;

/// The way to them.
pub struct Vaults {
    server: Address,
    trust: Trust,
    settings: Settings,
    state: Arc<State>,
    channel: Arc<Channel>,
}

impl Vaults {
    pub const fn new(server: Address, trust: Trust, settings: Settings, state: Arc<State>, channel: Arc<Channel>) -> Self {
        Self { server, trust, settings, state, channel }
    }

    /// A repository of the agent's own vault. Locks that are stored in it are noted in the state folder first, so that the next process
    /// can remove what this one leaves behind.
    pub fn own(&self, generation: i64, leash: &Leash) -> Result<Box<dyn Backend>, Error> {
        let inner = self.place(&format!("/agent/v1/vault/g{generation}/"), leash)?;
        Ok(Box::new(noting::Noting { inner, generation, state: Arc::clone(&self.state) }))
    }

    /// A repository as it stood when the restore was accepted. It needs no lock: nothing is taken from under it.
    pub fn of_restore(&self, restore: i64, generation: i64, leash: &Leash) -> Result<Box<dyn Backend>, Error> {
        self.place(&format!("/agent/v1/restores/{restore}/vault/g{generation}/"), leash)
    }

    fn place(&self, path: &str, leash: &Leash) -> Result<Box<dyn Backend>, Error> {
        let options = Options {
            trust: self.trust.clone(),
            limit_upload_kib: self.settings.limit_upload_kib,
            limit_download_kib: self.settings.limit_download_kib,
            cancel: leash.cancel().clone(),
            headers: Headers::of({
                let channel = Arc::clone(&self.channel);
                move || channel.headers()
            }),
            ..Options::default()
        };
        open_for_work(&Location::of(below(&self.server, path)), &options)
    }

    /// What may open a generation of the agent's own vault: the server's password for it, or the passphrases that are kept.
    pub fn passwords(&self, generation: &Generation) -> Result<Vec<Password>, Error> {
        if let Some(password) = &generation.password {
            return Ok(vec![Password::new(password.reveal())]);
        }
        let kept = self.state.passphrases().all();
        let kept = kept.map_err(|error| Error::Local { path: "passphrase".to_owned(), source: std::io::Error::other(error) })?;
        Ok(kept.iter().map(Password::new).collect())
    }

    /// Opens a generation of the agent's own vault. [`Error::WrongPassword`] where there is nothing that opens it,
    /// [`Error::NoRepository`] where its `config` is gone.
    pub fn open_own(&self, generation: &Generation, leash: &Leash) -> Result<Repository, Error> {
        self.open_own_through(generation, leash, &|place| place)
    }

    /// As [`Self::open_own`]; all calls go through what `through` puts before the place.
    pub fn open_own_through(&self, generation: &Generation, leash: &Leash, through: Through<'_>) -> Result<Repository, Error> {
        for password in self.passwords(generation)? {
            match Repository::open(through(self.own(generation.number, leash)?), &password) {
                Err(Error::WrongPassword) => {}
                opened => return opened,
            }
        }
        Err(Error::WrongPassword)
    }
}

/// Puts something before a place, such as what counts its calls.
pub type Through<'a> = &'a dyn Fn(Box<dyn Backend>) -> Box<dyn Backend>;

/// Who makes keys and locks: root of this machine.
pub fn maker() -> Maker {
    Maker { username: "strongroom-agent".to_owned(), hostname: gethostname::gethostname().to_string_lossy().into_owned() }
}
