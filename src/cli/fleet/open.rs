//! `fleet open`: an agent's vault for stock restic, when there is no agent any more.

use serde_json::json;

use super::super::account::authority;
use super::super::audit::Audit;
use super::super::console::Console;
use super::super::failure::Failure;
use crate::config::Config;
use crate::model::access::{AccessUrl, Secret};
use crate::store::Store;
use crate::store::fleet::vault_secret::VaultSecret;

#[derive(clap::Args)]
pub struct Open {
    /// The agent's number
    #[arg(value_name = "ID")]
    agent: i64,
}

impl Open {
    pub async fn run(self, store: &Store, config: &Config, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let doing = format!("cannot open the vault of agent {}", self.agent);
        let found = store.fleet_agent(self.agent).await.map_err(|error| Failure::of_store(&doing, &error))?;
        let (agent, vault) =
            found.ok_or_else(|| super::refused(crate::store::fleet::Refusal::NotFound(format!("there is no agent {}", self.agent))))?;
        if agent.deleted_at.is_some() {
            return Err(Failure::new(format!("agent {} was deleted", agent.id))
                .with_hint(format!("`strongroom fleet revive {}` takes that back", agent.id)));
        }
        let secret = VaultSecret::read_from(&config.server.vault_secret).map_err(|error| Failure::because(&doing, &error))?;
        let password = store.rotate_account(&agent.account).await.map_err(|error| Failure::of_store(&doing, &error))?;
        audit.note("fleet open", Some(&agent.account), &json!({ "agent": agent.id }))?;
        let url = AccessUrl::new(agent.account.clone(), password, authority(&config.server, config.server.listen)).reveal();
        let opened: Vec<_> = vault
            .generations
            .iter()
            .map(|generation| {
                let password = (!generation.is_encrypted).then(|| secret.password(agent.account.as_str(), generation.number));
                (generation.number, password)
            })
            .collect();
        let json = json!({
            "agent": agent.id,
            "access_url": url,
            "repositories": opened.iter().map(|(number, password)| json!({
                "repository": format!("rest:{url}g{number}/"), "password": password.as_ref().map(Secret::reveal),
            })).collect::<Vec<_>>(),
        });
        console.answer_either(&json, || opened.iter().map(|(number, password)| lines(&url, *number, password.as_ref())).collect())
    }
}

fn lines(url: &str, number: i64, password: Option<&Secret>) -> String {
    let opens = password.map_or_else(
        || "# only the user's passphrase opens this one: restic asks for it\n".to_owned(),
        |password| format!("export RESTIC_PASSWORD={}\n", password.reveal()),
    );
    format!("# Generation {number}\nexport RESTIC_REPOSITORY=rest:{url}g{number}/\n{opens}")
}
