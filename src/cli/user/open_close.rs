//! `user disable` and `user enable`.

use serde_json::json;

use super::super::audit::Audit;
use super::super::console::Console;
use super::super::failure::Failure;
use crate::model::user::UserName;
use crate::store::Store;

#[derive(clap::Args)]
pub struct Disable {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: UserName,
}

#[derive(clap::Args)]
pub struct Enable {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: UserName,
}

impl Disable {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let disabled = store.disable_user(&self.name).await;
        let user = disabled.map_err(|error| super::failed("disable", &self.name, &error))?;
        audit.note("user disable", None, &json!({ "user": user.name.as_str() }))?;
        console.answer_either(&super::json(&user), || format!("User {} is disabled\n", user.name))
    }
}

impl Enable {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let enabled = store.enable_user(&self.name).await;
        let user = enabled.map_err(|error| super::failed("enable", &self.name, &error))?;
        audit.note("user enable", None, &json!({ "user": user.name.as_str() }))?;
        console.answer_either(&super::json(&user), || format!("User {} is enabled\n", user.name))
    }
}
