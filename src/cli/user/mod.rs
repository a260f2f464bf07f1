//! `strongroom user`: a file per command. Each takes effect on the server's next request.

mod add;
mod list;
mod open_close;
mod remove;
mod rotate;
mod secrets;
mod set;
mod show;

use clap::Subcommand;

use super::account::open_store;
use super::audit::Audit;
use super::console::Console;
use super::failure::Failure;
use super::process::{begin, block_on};
use super::settings::SettingFlags;
use crate::model::role::Role;
use crate::model::user::{User, UserName};
use crate::store::{Error, Store};

#[derive(Subcommand)]
pub enum Command {
    /// Make a user and print its API key and its password, the only time they can be seen
    Add(add::Add),
    /// List all users
    List,
    /// Show one user
    Show(show::Show),
    /// Change the roles, or the tenant
    Set(set::Set),
    /// Make a new API key and a new password; the old ones and all tokens end at once
    Rotate(rotate::Rotate),
    /// Refuse a user's logins and end all tokens
    Disable(open_close::Disable),
    /// Let a disabled user log in again
    Enable(open_close::Enable),
    /// Forget a user and end all tokens; the machines and the backups of its tenant stay
    Remove(remove::Remove),
}

pub fn run(command: Command, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
    let config = settings.load()?;
    begin(&config)?;
    block_on(async {
        let store = open_store(&config).await?;
        let audit = || Audit::open(&config.store.data);
        match command {
            Command::Add(add) => add.run(&store, &audit()?, console).await,
            Command::List => list::run(&store, console).await,
            Command::Show(show) => show.run(&store, console).await,
            Command::Set(set) => set.run(&store, &audit()?, console).await,
            Command::Rotate(rotate) => rotate.run(&store, &audit()?, console).await,
            Command::Disable(disable) => disable.run(&store, &audit()?, console).await,
            Command::Enable(enable) => enable.run(&store, &audit()?, console).await,
            Command::Remove(remove) => remove.run(&store, &audit()?, console).await,
        }
    })
}

/// The user of this name.
async fn find(store: &Store, name: &UserName) -> Result<User, Failure> {
    let found = store.user(name).await.map_err(|error| failed("read", name, &error))?;
    found.ok_or_else(|| missing(name))
}

/// What a store call about a user failed with.
fn failed(doing: &str, name: &UserName, error: &Error) -> Failure {
    match error {
        Error::NotFound => missing(name),
        error => Failure::of_store(format!("cannot {doing} user {name}"), error),
    }
}

fn missing(name: &UserName) -> Failure {
    Failure::new(format!("there is no user {name}")).with_hint("`strongroom user list` shows the users; their names are told apart by case")
}

/// The user as machines read it.
fn json(user: &User) -> serde_json::Value {
    serde_json::json!({
        "user": user.name.as_str(),
        "id": user.id,
        "tenant": user.tenant.as_str(),
        "roles": user.roles.as_slice().iter().map(Role::as_str).collect::<Vec<_>>(),
        "disabled": user.disabled,
        "created_at": user.created_at.rfc3339(),
    })
}

/// Roles as people read them.
fn roles(user: &User) -> String {
    user.roles.as_slice().iter().map(Role::as_str).collect::<Vec<_>>().join(", ")
}

const fn state(user: &User) -> &'static str {
    if user.disabled { "disabled" } else { "open" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::Secret;
    use crate::model::instant::Instant;
    use crate::model::role::Roles;

    pub fn user(name: &str, roles: &str) -> User {
        User {
            id: 71,
            name: name.parse().expect("a good name"),
            tenant: "5501".parse().expect("a good tenant"),
            roles: Roles::parse(roles).expect("good roles"),
            api_key: Secret::presented("0123456789abcdef0123456789abcdef").hash(),
            password: Secret::presented("Mj313x2D1OyrTSpy").hash(),
            disabled: false,
            created_at: Instant::from_seconds(1_795_176_000),
        }
    }

    #[test]
    fn machines_read_a_user_without_its_secrets() {
        let expected = r#"{"created_at":"2026-11-20T12:00:00Z","disabled":false,"id":71,"roles":["cloudbackup:creator","observer"],"tenant":"5501","user":"ada"}"#;
        assert_eq!(json(&user("ada", "observer,cloudbackup:creator")).to_string(), expected);
    }
}
