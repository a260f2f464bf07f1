//! `user show`.

use super::super::console::Console;
use super::super::failure::Failure;
use super::super::table::table;
use crate::model::user::{User, UserName};
use crate::store::Store;

#[derive(clap::Args)]
pub struct Show {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: UserName,
}

impl Show {
    pub async fn run(self, store: &Store, console: &mut Console) -> Result<(), Failure> {
        let user = super::find(store, &self.name).await?;
        let tokens = store.live_tokens(&user).await.map_err(|error| super::failed("read", &user.name, &error))?;
        let mut value = super::json(&user);
        value["live_tokens"] = tokens.into();
        console.answer_either(&value, || as_text(&user, tokens))
    }
}

fn as_text(user: &User, tokens: u64) -> String {
    let row = |label: &str, text: String| vec![label.to_owned(), text];
    table(&[
        row("user", user.name.to_string()),
        row("id", user.id.to_string()),
        row("tenant", user.tenant.to_string()),
        row("roles", super::roles(user)),
        row("state", super::state(user).to_owned()),
        row("created", user.created_at.rfc3339()),
        row("live tokens", tokens.to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::tests::user;
    use super::as_text;

    #[test]
    fn people_read_labels() {
        let text = as_text(&user("ada", "identity:user-admin"), 2);
        for line in ["user         ada", "tenant       5501", "roles        identity:user-admin", "state        open", "live tokens  2"] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
