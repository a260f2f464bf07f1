//! `account remove`: for good, so it is asked for twice.

use super::super::audit::Audit;
use super::super::console::Console;
use super::super::failure::Failure;
use crate::model::access::AccountId;
use crate::model::size::Size;
use crate::store::Store;

#[derive(clap::Args)]
pub struct Remove {
    /// The account's name: the USER of its access URL
    #[arg(value_name = "USER")]
    account: AccountId,
    /// Do not ask for the name again
    #[arg(long)]
    yes: bool,
}

impl Remove {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let id = super::find(store, &self.account).await?.id;
        let failed = |error| Failure::of_store(format!("cannot remove account {id}"), &error);
        if !self.yes {
            let holdings = store.holdings(&id).await.map_err(failed)?;
            let (files, size) = (holdings.live_files, Size(holdings.live_bytes));
            console.note(&format!("Account {id} holds {files} files ({size}). They stay on disk for their life, but once the"));
            console.note("account is removed nobody can fetch them over the network any more, and it cannot be brought back.");
            confirm(&id, console)?;
        }
        store.remove_account(&id).await.map_err(failed)?;
        audit.note("account remove", Some(&id), &serde_json::json!({}))?;
        let json = serde_json::json!({ "account": id.as_str(), "removed": true });
        console.answer_either(&json, || format!("Account {id} is removed\n"))
    }
}

/// Goes on only when a person types the account's name.
fn confirm(id: &AccountId, console: &mut Console) -> Result<(), Failure> {
    if !console.is_interactive {
        let what = format!("account {id} was not removed: nobody is there to confirm it");
        return Err(Failure::usage(what).with_hint("say --yes to remove it without being asked"));
    }
    if console.ask(&format!("Type {id} to remove it:")).as_deref() == Some(id.as_str()) {
        return Ok(());
    }
    Err(Failure::new(format!("account {id} was not removed: its name was not typed")))
}

#[cfg(test)]
mod tests {
    use super::super::super::console::tests::console;
    use super::*;

    #[test]
    fn only_the_typed_name_removes_an_account() {
        let id: AccountId = "Y21R3P".parse().expect("a good id");
        let removes = |input| confirm(&id, &mut console(input, true, false).0);
        assert!(removes("Y21R3P\n").is_ok());
        for other in ["y\n", "yes\n", "y21r3p\n", "Y21R3PX\n", "\n", ""] {
            assert_eq!(format!("{:?}", removes(other).expect_err(other).exit_code()), "ExitCode(unix_exit_status(1))", "{other:?}");
        }
    }

    #[test]
    fn a_script_must_say_yes() {
        let id: AccountId = "Y21R3P".parse().expect("a good id");
        let failure = confirm(&id, &mut console("Y21R3P\n", false, false).0).expect_err("nobody is asked");
        assert_eq!(format!("{:?}", failure.exit_code()), "ExitCode(unix_exit_status(2))");
    }
}
