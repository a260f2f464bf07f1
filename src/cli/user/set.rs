//! `user set`.

use super::super::audit::Audit;
use super::super::console::Console;
use super::super::failure::Failure;
use super::add::some_roles;
use crate::model::role::Role;
use crate::model::user::{TenantId, UserName};
use crate::store::Store;
use crate::store::users::UserChange;

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args(["roles", "tenant"]))]
pub struct Set {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: UserName,
    /// What the user may do from now on, in place of what it may do now; several add up
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
    /// Whose machines and backups the user sees; all its tokens end
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
}

impl Set {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let change = UserChange { tenant: self.tenant, roles: some_roles(self.roles)? };
        let changed = store.change_user(&self.name, change).await;
        let user = changed.map_err(|error| super::failed("change", &self.name, &error))?;
        audit.note("user set", None, &super::json(&user))?;
        console.answer_either(&super::json(&user), || format!("User {} is changed\n", user.name))
    }
}
