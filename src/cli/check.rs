//! `check`: every file against its digest, now.

use serde_json::{Value, json};

use super::account::{self, open_store};
use super::console::Console;
use super::failure::Failure;
use super::process::{begin, block_on};
use super::progress;
use super::settings::SettingFlags;
use super::table::table;
use crate::model::access::AccountId;
use crate::model::size::Size;
use crate::store::check::{CheckProgress, CheckReport, CheckRequest, Problem};

#[derive(clap::Args)]
pub struct Check {
    /// Only this account's files
    #[arg(long, value_name = "USER")]
    account: Option<AccountId>,
    /// Only presence and size of each file, without reading it
    #[arg(long)]
    quick: bool,
}

impl Check {
    pub fn run(self, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
        let config = settings.load()?;
        begin(&config)?;
        let bar = progress::bar(console.is_watched);
        let report = block_on(async {
            let store = open_store(&config).await?;
            if let Some(id) = &self.account {
                // One that was removed has files for as long as they live.
                account::find_with_removed(&store, id).await?;
            }
            let request = CheckRequest { account: self.account, quick: self.quick };
            let mut show = |progress: CheckProgress| {
                bar.set_length(progress.all_bytes);
                bar.set_position(progress.bytes);
            };
            let checked = store.check(&request, &mut show).await;
            checked.map_err(|error| Failure::of_store("cannot check the store", &error))
        });
        bar.finish_and_clear();
        conclude(&report?, console)
    }
}

fn conclude(report: &CheckReport, console: &mut Console) -> Result<(), Failure> {
    console.answer_either(&as_json(report), || as_text(report))?;
    match report.damaged.len() + report.quarantined.len() {
        0 => Ok(()),
        1 => Err(Failure::damaged("1 file is not as it was stored")),
        many => Err(Failure::damaged(format!("{many} files are not as they were stored"))),
    }
    .map_err(|failure| failure.with_hint("copy what you still can, and look at the disk; no bytes were changed"))
}

/// Everything to look at, each with the kind of trouble that it is.
fn problems(report: &CheckReport) -> impl Iterator<Item = (&'static str, &Problem)> {
    let damaged = report.damaged.iter().map(|problem| ("damaged", problem));
    let quarantined = report.quarantined.iter().map(|problem| ("quarantined", problem));
    damaged.chain(quarantined).chain(report.foreign.iter().map(|problem| ("foreign", problem)))
}

fn account_of(problem: &Problem) -> String {
    problem.account.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn as_json(report: &CheckReport) -> Value {
    let row = |(kind, problem): (&str, &Problem)| json!({ "kind": kind, "account": account_of(problem), "name": problem.name, "why": problem.why });
    let problems: Vec<Value> = problems(report).map(row).collect();
    json!({ "files": report.files, "bytes": report.bytes, "problems": problems })
}

fn as_text(report: &CheckReport) -> String {
    let row = |(kind, problem): (&str, &Problem)| vec![kind.to_owned(), account_of(problem), problem.name.clone(), problem.why.clone()];
    let problems = table(&problems(report).map(row).collect::<Vec<_>>());
    format!("{problems}{} files checked, {}\n", report.files, Size(report.bytes))
}

#[cfg(test)]
mod tests {
    use super::super::console::tests::console;
    use super::*;

    fn damaged() -> CheckReport {
        let problem = Problem { account: "Y21R3P".parse().ok(), name: "/a.tar".to_owned(), why: "its bytes are missing".to_owned() };
        CheckReport { files: 2, bytes: 2048, damaged: vec![problem], ..CheckReport::default() }
    }

    #[test]
    fn damage_is_named_and_ends_with_3() {
        let (mut console, answers, _) = console("", false, false);
        let failure = conclude(&damaged(), &mut console).expect_err("a file is damaged");
        assert_eq!(answers.text(), "damaged  Y21R3P  /a.tar  its bytes are missing\n2 files checked, 2 KiB\n");
        assert_eq!(format!("{:?}", failure.exit_code()), "ExitCode(unix_exit_status(3))");
    }

    #[test]
    fn machines_read_damage_as_one_object() {
        let (mut console, answers, _) = console("", false, true);
        conclude(&damaged(), &mut console).expect_err("a file is damaged");
        let expected =
            r#"{"bytes":2048,"files":2,"problems":[{"account":"Y21R3P","kind":"damaged","name":"/a.tar","why":"its bytes are missing"}]}"#;
        assert_eq!(answers.text(), format!("{expected}\n"));
    }

    #[test]
    fn a_sound_store_is_success() {
        let (mut console, answers, _) = console("", false, false);
        assert!(conclude(&CheckReport { files: 7, ..CheckReport::default() }, &mut console).is_ok());
        assert_eq!(answers.text(), "7 files checked, 0 B\n");
    }
}
