//! `account show`: one account, what it holds, and what its files once were.

use serde_json::{Value, json};

use super::super::console::Console;
use super::super::failure::Failure;
use super::super::table::table;
use crate::model::access::AccountId;
use crate::model::account::Account;
use crate::model::instant::Instant;
use crate::model::size::Size;
use crate::store::Store;
use crate::store::accounts::{EndedFile, Holdings};

#[derive(clap::Args)]
pub struct Show {
    /// The account's name: the USER of its access URL
    #[arg(value_name = "USER")]
    account: AccountId,
    /// Also list files whose life has ended within the last 400 days
    #[arg(long)]
    ended: bool,
}

impl Show {
    pub async fn run(self, store: &Store, console: &mut Console) -> Result<(), Failure> {
        let id = &self.account;
        let account = super::find(store, id).await?;
        let failed = |error| Failure::of_store(format!("cannot read what account {id} holds"), &error);
        let holdings = store.holdings(id).await.map_err(failed)?;
        let ended = if self.ended { Some(store.ended_files(id).await.map_err(failed)?) } else { None };
        let value = as_json(&account, &holdings, ended.as_deref());
        console.answer_either(&value, || as_text(&account, &holdings, ended.as_deref()))
    }
}

fn as_json(account: &Account, holdings: &Holdings, ended: Option<&[EndedFile]>) -> Value {
    let mut value = super::json(account);
    value["live_files"] = holdings.live_files.into();
    value["live_bytes"] = holdings.live_bytes.into();
    value["hidden_files"] = holdings.hidden_files.into();
    value["hidden_bytes"] = holdings.hidden_bytes.into();
    value["damaged_files"] = holdings.damaged_files.into();
    value["checked_since"] = holdings.checked_since.map(Instant::rfc3339).into();
    if let Some(files) = ended {
        value["ended"] = files.iter().map(ended_as_json).collect();
    }
    value
}

fn ended_as_json(file: &EndedFile) -> Value {
    json!({
        "name": file.name,
        "size": file.size_bytes,
        "sha256": file.sha256.hex(),
        "created_at": file.created_at.rfc3339(),
        "ended_at": file.ended_at.rfc3339(),
        "why": file.why,
    })
}

fn as_text(account: &Account, holdings: &Holdings, ended: Option<&[EndedFile]>) -> String {
    let row = |label: &str, text: String| vec![label.to_owned(), text];
    let files = |count: u64, bytes: u64| format!("{count} ({})", Size(bytes));
    let mut rows = vec![
        row("account", account.id.to_string()),
        row("kind", account.kind.to_string()),
        row("description", account.description.clone()),
        row("state", account.disabled.as_ref().map_or_else(|| "open".to_owned(), |why| format!("disabled: {why}"))),
        row("created", account.created_at.rfc3339()),
        row("retention", format!("{} days", account.retention.current().days())),
        row("quota", account.quota_bytes.map_or_else(|| "none".to_owned(), |bytes| Size(bytes).to_string())),
        row("used", Size(account.used_bytes).to_string()),
        row("files", files(holdings.live_files, holdings.live_bytes)),
        row("hidden", files(holdings.hidden_files, holdings.hidden_bytes)),
        row("damaged", holdings.damaged_files.to_string()),
        row("all checked since", holdings.checked_since.map_or_else(|| "not yet".to_owned(), Instant::rfc3339)),
    ];
    rows.retain(|row| !row[1].is_empty());
    ended.map_or_else(|| table(&rows), |files| format!("{}\n{}", table(&rows), ended_as_text(files)))
}

fn ended_as_text(files: &[EndedFile]) -> String {
    if files.is_empty() {
        return "No file's life has ended within the last 400 days.\n".to_owned();
    }
    let head = ["ENDED", "CREATED", "SIZE", "WHY", "NAME"].map(str::to_owned).to_vec();
    let row = |file: &EndedFile| {
        vec![file.ended_at.rfc3339(), file.created_at.rfc3339(), Size(file.size_bytes).to_string(), file.why.clone(), file.name.clone()]
    };
    table(&std::iter::once(head).chain(files.iter().map(row)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::tests::account;
    use super::*;
    use crate::model::digest::Sha256Digest;

    fn holdings() -> Holdings {
        Holdings { live_files: 2, live_bytes: 378_112, damaged_files: 1, ..Holdings::default() }
    }

    fn ended() -> EndedFile {
        EndedFile {
            name: "/march.tar.gz".to_owned(),
            size_bytes: 1024,
            sha256: Sha256Digest::of(b""),
            created_at: Instant::from_seconds(1_792_584_000),
            ended_at: Instant::from_seconds(1_795_176_000),
            why: "expired".to_owned(),
        }
    }

    #[test]
    fn people_read_labels_and_what_once_was() {
        let text = as_text(&account("Y21R3P"), &holdings(), Some(&[ended()]));
        for line in [
            "account            Y21R3P",
            "files              2 (369.2 KiB)",
            "damaged            1",
            "all checked since  not yet",
            "2026-11-20T12:00:00Z  2026-10-21T12:00:00Z  1 KiB  expired  /march.tar.gz",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn machines_read_one_object() {
        let value = as_json(&account("Y21R3P"), &holdings(), Some(&[ended()]));
        assert_eq!((&value["account"], &value["live_files"], &value["damaged_files"]), (&json!("Y21R3P"), &json!(2), &json!(1)));
        assert_eq!(value["ended"][0]["name"], json!("/march.tar.gz"));
        assert_eq!(as_json(&account("Y21R3P"), &holdings(), None).get("ended"), None);
    }
}
