//! What mail says. Everything that comes from a client stays on its own line: a name cannot add a header, nor a line to the text.

use crate::model::instant::Instant;
use crate::model::run::RunKind;
use crate::model::run_record::{Run, RunReport};
use crate::model::size::Size;

/// Most errors that a mail lists.
const MAX_ERRORS: usize = 10;

/// The end of a backup or of a restore.
pub(super) struct RunMail<'a> {
    pub run: &'a Run,
    pub report: &'a RunReport,
    pub configuration_name: &'a str,
    /// Where the backup was made.
    pub machine_name: &'a str,
    /// Of a restore; empty for the original places.
    pub destination_path: String,
    pub last_good_at: Option<Instant>,
    pub next_at: Option<Instant>,
}

impl RunMail<'_> {
    pub fn subject(&self) -> String {
        one_line(&format!("[Strongroom] {}: {} on {}", self.run.state.as_str(), self.configuration_name, self.machine_name))
    }

    pub fn body(&self) -> String {
        let (run, report) = (self.run, self.report);
        let is_backup = run.kind == RunKind::Backup;
        let mut lines = vec!["Strongroom".to_owned(), String::new()];
        let mut line = |text: String| lines.push(one_line(&text));
        if is_backup {
            line(format!("Backed Up: {} on {}", self.configuration_name, self.machine_name));
        }
        line(format!("Status: {}", run.state.as_str()));
        line(format!("Started: {}", shown(run.started_at)));
        line(format!("Completed: {}", shown(run.completed_at)));
        if is_backup {
            line(format!("Source: {}", self.machine_name));
            line(format!("Files Searched: {} ({})", run.counters.files_searched, size(run.counters.bytes_searched)));
        } else {
            let path = if self.destination_path.is_empty() { "the original places" } else { &self.destination_path };
            line(format!("Destination: {path}"));
            line(format!("Files Restored: {} ({})", report.files_done, size(report.bytes_done)));
        }
        line(format!("Errors Encountered: {}", run.counters.errors));
        line(format!("Reason: {}", report.reason));
        line(format!("Diagnostics: {}", report.diagnostics));
        for error in report.errors.iter().take(MAX_ERRORS) {
            line(format!("Error: {}: {}", error.path, error.description));
        }
        if is_backup {
            line(format!("Last good backup: {}", shown(self.last_good_at)));
            line(format!("Next run: {}", self.next_at.map_or_else(|| "not scheduled".to_owned(), |at| shown(Some(at)))));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

fn size(bytes: i64) -> String {
    Size(u64::try_from(bytes).unwrap_or(0)).api_text()
}

/// `31 Jul 2014 16:54 UTC`
pub(super) fn shown(at: Option<Instant>) -> String {
    let stamp = at.and_then(|at| jiff::Timestamp::from_second(at.seconds()).ok());
    stamp.map_or_else(|| "never".to_owned(), |stamp| stamp.strftime("%-d %b %Y %H:%M UTC").to_string())
}

/// The text with a space for whatever could end a line.
pub(super) fn one_line(text: &str) -> String {
    text.replace(|letter: char| letter.is_control() || ['\u{2028}', '\u{2029}'].contains(&letter), " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::run::RunState;
    use crate::model::run_record::{Counters, RunError};

    fn run(kind: RunKind, state: RunState) -> Run {
        Run {
            id: 1042,
            kind,
            tenant: "5501".to_owned(),
            agent: 1001,
            source: 1001,
            maker: 1001,
            configuration: Some(1003),
            backup: None,
            state,
            attempt: 1,
            due_at: None,
            is_catch_up: false,
            occurrences: 1,
            changed_at: Instant::from_seconds(1_406_825_695),
            started_at: Some(Instant::from_seconds(1_406_825_640)),
            completed_at: Some(Instant::from_seconds(1_406_912_461)),
            counters: Counters { files_searched: 412, bytes_searched: 3_972_844_748, errors: 12 },
            snapshot: None,
            snapshot_number: None,
            generation: None,
            forgotten_at: None,
            deleted_at: None,
        }
    }

    fn report() -> RunReport {
        let error =
            |number: usize| RunError { path: format!("/srv/{number}"), description: "Permission denied".to_owned(), ..RunError::default() };
        RunReport {
            files_done: 35,
            bytes_done: 18 << 20,
            reason: "Success".to_owned(),
            diagnostics: "Completed With Errors".to_owned(),
            errors: (1..=12).map(error).collect(),
        }
    }

    fn mail<'a>(run: &'a Run, report: &'a RunReport) -> RunMail<'a> {
        RunMail {
            run,
            report,
            configuration_name: "www nightly",
            machine_name: "web-a",
            destination_path: "/restore/here".to_owned(),
            last_good_at: Some(Instant::from_seconds(1_406_912_461)),
            next_at: None,
        }
    }

    #[test]
    fn a_backup_has_its_lines_in_their_order() {
        let (run, report) = (run(RunKind::Backup, RunState::CompletedWithErrors), report());
        let mail = mail(&run, &report);
        assert_eq!(mail.subject(), "[Strongroom] CompletedWithErrors: www nightly on web-a");
        let errors: String = (1..=10).map(|number| format!("Error: /srv/{number}: Permission denied\n")).collect();
        let expected = format!(
            "Strongroom\n\nBacked Up: www nightly on web-a\nStatus: CompletedWithErrors\nStarted: 31 Jul 2014 16:54 UTC\n\
             Completed: 1 Aug 2014 17:01 UTC\nSource: web-a\nFiles Searched: 412 (3.7 GB)\nErrors Encountered: 12\nReason: Success\n\
             Diagnostics: Completed With Errors\n{errors}Last good backup: 1 Aug 2014 17:01 UTC\nNext run: not scheduled\n"
        );
        assert_eq!(mail.body(), expected);
        let planned = RunMail { last_good_at: None, next_at: Some(Instant::from_seconds(1_406_912_461)), ..mail };
        assert!(planned.body().ends_with("Last good backup: never\nNext run: 1 Aug 2014 17:01 UTC\n"), "{}", planned.body());
    }

    #[test]
    fn a_restore_has_its_lines_in_their_order() {
        let (run, report) = (run(RunKind::Restore, RunState::Completed), RunReport { errors: Vec::new(), ..report() });
        let mut mail = mail(&run, &report);
        assert_eq!(
            mail.body(),
            "Strongroom\n\nStatus: Completed\nStarted: 31 Jul 2014 16:54 UTC\nCompleted: 1 Aug 2014 17:01 UTC\n\
             Destination: /restore/here\nFiles Restored: 35 (18 MB)\nErrors Encountered: 12\nReason: Success\n\
             Diagnostics: Completed With Errors\n"
        );
        mail.destination_path = String::new();
        assert!(mail.body().contains("\nDestination: the original places\n"));
    }

    #[test]
    fn no_name_adds_a_line() {
        let (run, mut report) = (run(RunKind::Backup, RunState::Failed), report());
        report.errors[0].path = "/srv/a\nStatus: Completed".to_owned();
        report.diagnostics = "one\r\ntwo\u{2028}three\u{85}four\0".to_owned();
        let clean = mail(&run, &report).body().lines().count();
        let evil = RunMail {
            configuration_name: "a\r\nBcc: eve@example.net\r\n\r\nhello",
            machine_name: "web\u{b}-\u{2029}a\nX: y",
            ..mail(&run, &report)
        };
        assert_eq!(evil.subject(), "[Strongroom] Failed: a  Bcc: eve@example.net    hello on web - a X: y");
        assert_eq!(evil.body().lines().count(), clean);
        assert!(evil.body().contains("\nDiagnostics: one  two three four \n"), "{}", evil.body());
        assert_eq!(evil.body().matches("\nStatus: ").count(), 1);
    }
}
