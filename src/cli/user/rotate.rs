//! `user rotate`: new secrets for a user whose old ones were lost or seen.

use std::path::PathBuf;

use super::super::audit::Audit;
use super::super::console::Console;
use super::super::destination::Destination;
use super::super::failure::Failure;
use super::secrets::delivery;
use crate::model::user::UserName;
use crate::store::Store;

#[derive(clap::Args)]
pub struct Rotate {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: UserName,
    /// Write API key and password to this new file, for its owner alone, instead of standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Rotate {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let name = super::find(store, &self.name).await?.name;
        let destination = Destination::prepare(self.to.as_deref())?;
        let rotated = store.rotate_user(&name).await;
        let (user, secrets) = rotated.map_err(|error| super::failed("rotate", &name, &error))?;
        let noted = audit.note("user rotate", None, &serde_json::json!({ "user": name.as_str() }));
        console.note(&format!("User {name} has a new API key and a new password; the old ones and all tokens have ended."));
        destination.deliver(delivery(&user, &secrets), console)?;
        noted
    }
}
