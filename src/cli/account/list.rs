//! `account list`.

use super::super::console::Console;
use super::super::failure::Failure;
use super::super::table::table;
use crate::model::account::Account;
use crate::model::size::Size;
use crate::store::Store;

pub async fn run(store: &Store, console: &mut Console) -> Result<(), Failure> {
    let accounts = store.accounts().await.map_err(|error| Failure::of_store("cannot list the accounts", &error))?;
    let json = accounts.iter().map(super::json).collect();
    console.answer_either(&json, || text(&accounts))
}

fn text(accounts: &[Account]) -> String {
    if accounts.is_empty() {
        return "There are no accounts: `strongroom account add` makes one.\n".to_owned();
    }
    let head = ["ACCOUNT", "KIND", "DAYS", "USED", "QUOTA", "STATE", "DESCRIPTION"].map(str::to_owned).to_vec();
    table(&std::iter::once(head).chain(accounts.iter().map(row)).collect::<Vec<_>>())
}

fn row(account: &Account) -> Vec<String> {
    vec![
        account.id.to_string(),
        account.kind.to_string(),
        account.retention.current().days().to_string(),
        Size(account.used_bytes).to_string(),
        account.quota_bytes.map_or_else(|| "none".to_owned(), |bytes| Size(bytes).to_string()),
        if account.disabled.is_some() { "disabled" } else { "open" }.to_owned(),
        account.description.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::account;
    use super::text;

    #[test]
    fn people_read_a_table() {
        let mut other = account("ZZZZZZ");
        (other.quota_bytes, other.disabled, other.description) = (None, Some("moved".to_owned()), String::new());
        assert_eq!(
            text(&[account("Y21R3P"), other]),
            "ACCOUNT  KIND     DAYS  USED       QUOTA   STATE     DESCRIPTION\n\
             Y21R3P   archive  30    377.2 KiB  10 GiB  open      web server\n\
             ZZZZZZ   archive  30    377.2 KiB  none    disabled\n"
        );
        assert!(text(&[]).starts_with("There are no accounts"));
    }
}
