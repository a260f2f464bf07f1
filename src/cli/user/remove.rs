//! `user remove`: its secrets are gone for good, so it is asked for twice.

use serde_json::json;

use super::super::audit::Audit;
use super::super::confirm::confirm;
use super::super::console::Console;
use super::super::failure::Failure;
use crate::model::user::UserName;
use crate::store::Store;

#[derive(clap::Args)]
pub struct Remove {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: UserName,
    /// Do not ask for the name again
    #[arg(long)]
    yes: bool,
}

impl Remove {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let user = super::find(store, &self.name).await?;
        let name = &user.name;
        if !self.yes {
            console.note(&format!("User {name} cannot log in any more once it is removed, and its secrets cannot be brought back."));
            console.note(&format!("The machines and the backups of tenant {} stay.", user.tenant));
            confirm("user", name.as_str(), console)?;
        }
        store.remove_user(name).await.map_err(|error| super::failed("remove", name, &error))?;
        audit.note("user remove", None, &super::json(&user))?;
        console.answer_either(&json!({ "user": name.as_str(), "removed": true }), || format!("User {name} is removed\n"))
    }
}
