//! `vault key`: the passwords that open a repository.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::repository::RepositoryArgs;
use super::session::Session;
use super::{maker, moment, password};
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::table::table;
use crate::vault::backend::{Kind, Name};
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::keys::{KeyFile, Password};
use crate::vault::lock::Mode;

#[derive(Subcommand)]
pub enum Command {
    /// List the keys; a star marks the one that opened
    List(List),
    /// Add a key, which another password opens
    Add(Add),
    /// Remove a key: its password opens nothing any more
    Remove(Remove),
    /// Change the password: a new key, and the one in use goes
    Passwd(Passwd),
}

#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    repository: RepositoryArgs,
}

#[derive(clap::Args)]
pub struct Add {
    #[command(flatten)]
    new: NewPassword,
    /// The user that the key names [default: this one]
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// The host that the key names [default: this one]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    #[command(flatten)]
    repository: RepositoryArgs,
}

#[derive(clap::Args)]
pub struct Remove {
    /// The beginning of the key's id, as `key list` shows it
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    repository: RepositoryArgs,
}

#[derive(clap::Args)]
pub struct Passwd {
    #[command(flatten)]
    new: NewPassword,
    #[command(flatten)]
    repository: RepositoryArgs,
}

#[derive(clap::Args)]
struct NewPassword {
    /// A file with the new password; without one it is asked for
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
}

pub fn run(command: Command, console: &mut Console) -> Result<(), Failure> {
    match command {
        Command::List(list) => list.run(console),
        Command::Add(add) => add.run(console),
        Command::Remove(remove) => remove.run(console),
        Command::Passwd(passwd) => passwd.run(console),
    }
}

impl List {
    fn run(self, console: &mut Console) -> Result<(), Failure> {
        let session = self.repository.open(console)?;
        let listed = session.repository.backend().list(Kind::Key).map_err(|error| session.failed("cannot list the keys", &error))?;
        let mut keys = Vec::new();
        for id in listed.into_iter().map(|listed| listed.id) {
            match session.repository.read_raw(Kind::Key, id).and_then(|bytes| KeyFile::parse(&bytes, &id)) {
                Ok(key) => keys.push((id, key)),
                Err(error) => console.note(&format!("warning: key {} is left out: {error}", id.short())),
            }
        }
        let current = session.repository.key();
        console.answer_either(&as_json(&keys, current), || as_text(&keys, current))
    }
}

fn as_json(keys: &[(Id, KeyFile)], current: Id) -> Value {
    let one = |(id, key): &(Id, KeyFile)| {
        let (user, host) = (&key.username, &key.hostname);
        json!({ "current": *id == current, "id": id.hex(), "userName": user, "hostName": host, "created": key.created })
    };
    keys.iter().map(one).collect()
}

fn as_text(keys: &[(Id, KeyFile)], current: Id) -> String {
    let header = ["", "ID", "USER", "HOST", "CREATED"].map(str::to_owned).to_vec();
    let row = |(id, key): &(Id, KeyFile)| {
        let mark = if *id == current { "*" } else { "" };
        let created = key.created.parse().map_or_else(|_| key.created.clone(), moment::shown);
        vec![mark.to_owned(), id.short(), key.username.clone(), key.hostname.clone(), created]
    };
    table(&std::iter::once(header).chain(keys.iter().map(row)).collect::<Vec<_>>())
}

impl Add {
    fn run(self, console: &mut Console) -> Result<(), Failure> {
        self.repository.insist_on_lock(false)?;
        // Asked for before the repository is opened, because from then on signals no longer end a question.
        let new = self.new.ask(console)?;
        let session = self.repository.open(console)?;
        let held = session.lock(Mode::Shared)?;
        let this = maker::this();
        let maker =
            crate::vault::keys::Maker { username: self.user.unwrap_or(this.username), hostname: self.host.unwrap_or(this.hostname) };
        let id = add(&session, &new, maker)?;
        held.release(console);
        console.answer_either(&json!({ "id": id.hex() }), || format!("Key {} is added\n", id.short()))
    }
}

impl Remove {
    fn run(self, console: &mut Console) -> Result<(), Failure> {
        self.repository.insist_on_lock(false)?;
        let session = self.repository.open(console)?;
        let held = session.lock(Mode::Exclusive)?;
        let failed = |error: &Error| session.failed("cannot remove the key", error);
        let id = session.repository.find_file(Kind::Key, &self.key).map_err(|error| failed(&error))?;
        if id == session.repository.key() {
            let failure = Failure::new(format!("key {} is the one in use, and was not removed", id.short()));
            return Err(failure.with_hint("open the repository with another password, or change this one with `key passwd`"));
        }
        session.repository.backend().remove(Name::Of(Kind::Key, id)).map_err(|error| failed(&error))?;
        held.release(console);
        console.answer_either(&json!({ "removed": id.hex() }), || format!("Key {} is removed\n", id.short()))
    }
}

impl Passwd {
    fn run(self, console: &mut Console) -> Result<(), Failure> {
        self.repository.insist_on_lock(false)?;
        let new = self.new.ask(console)?;
        let session = self.repository.open(console)?;
        let held = session.lock(Mode::Exclusive)?;
        let old = session.repository.key();
        let id = add(&session, &new, maker::this())?;
        let removed = session.repository.backend().remove(Name::Of(Kind::Key, old));
        removed.map_err(|error| {
            let doing = format!("the new password opens the repository as key {}, but the old key {} stays", id.short(), old.short());
            session.failed(&doing, &error)
        })?;
        held.release(console);
        let answer = json!({ "id": id.hex(), "removed": old.hex() });
        console.answer_either(&answer, || format!("The password is changed: key {} in place of {}\n", id.short(), old.short()))
    }
}

impl NewPassword {
    fn ask(&self, console: &mut Console) -> Result<Password, Failure> {
        password::further(self.new_password_file.as_deref(), console)
    }
}

/// Adds a key, and insists that what is stored opens with its password.
fn add(session: &Session, password: &Password, maker: crate::vault::keys::Maker) -> Result<Id, Failure> {
    let failed = |error: Error| session.failed("cannot add a key", &error);
    let id = session.repository.add_key(password, maker).map_err(failed)?;
    let bytes = session.repository.read_raw(Kind::Key, id).map_err(failed)?;
    KeyFile::parse(&bytes, &id).and_then(|file| file.open(password)).map_err(failed)?;
    Ok(id)
}
