//! `user add`: API key and password alone on standard output, so that a script can take them.

use std::path::PathBuf;

use super::super::audit::Audit;
use super::super::console::Console;
use super::super::destination::Destination;
use super::super::failure::Failure;
use super::secrets::delivery;
use crate::model::role::{Role, Roles};
use crate::model::user::{TenantId, UserName};
use crate::store::Store;
use crate::store::users::NewUser;

#[derive(clap::Args)]
pub struct Add {
    /// The name to log in with: visible ASCII without a space or a colon; it matches exactly, letter case included
    #[arg(value_name = "NAME")]
    name: UserName,
    /// Whose machines and backups the user sees [default: a new tenant, numbered from 100000]
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// What the user may do; several add up [default: identity:user-admin for the first user of a tenant, else
    /// cloudbackup:observer]
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
    /// Write API key and password to this new file, for its owner alone, instead of standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Add {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let roles = some_roles(self.roles)?;
        let destination = Destination::prepare(self.to.as_deref())?;
        let name = self.name;
        let added = store.add_user(NewUser { name: name.clone(), tenant: self.tenant, roles }).await;
        let Some((user, secrets)) = added.map_err(|error| super::failed("add", &name, &error))? else {
            return Err(Failure::new(format!("there is a user {name} already")).with_hint("`strongroom user rotate` makes new secrets"));
        };
        let noted = audit.note("user add", None, &super::json(&user));
        let (tenant, roles) = (&user.tenant, super::roles(&user));
        console.note(&format!("User {name} of tenant {tenant} is made: {roles}. Keep its secrets: nothing can show them again."));
        destination.deliver(delivery(&user, &secrets), console)?;
        noted
    }
}

/// The roles that were named, where any were.
pub fn some_roles(roles: Vec<Role>) -> Result<Option<Roles>, Failure> {
    if roles.is_empty() {
        return Ok(None);
    }
    Roles::new(roles).map(Some).map_err(|error| Failure::usage(error.to_string()).with_hint("name it alone, or name others"))
}
