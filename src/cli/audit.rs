//! The audit log: a line for each thing that an operator did to the store, who did it and when, in `audit.log` of the data directory.
//!
//! Lines are only ever added. Each is one JSON object, on stable storage before the command says that it is done, and holds no secret.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::failure::Failure;
use crate::clock::Clock;
use crate::model::access::AccountId;

/// The log, open: so nothing is done that could not be noted.
pub struct Audit {
    file: File,
    path: PathBuf,
}

impl Audit {
    /// Opens the log in the data directory, and makes it where there is none.
    pub fn open(data: &Path) -> Result<Self, Failure> {
        let path = data.join("audit.log");
        let opened = File::options().create(true).append(true).mode(0o600).open(&path).and_then(|file| {
            if file.metadata()?.len() == 0 {
                File::open(data)?.sync_all()?;
            }
            Ok(file)
        });
        let file = opened.map_err(|error| {
            Failure::because(format!("cannot open {}", path.display()), &error).with_hint("nothing is done that cannot be noted there")
        })?;
        Ok(Self { file, path })
    }

    /// Notes what was done, to which account, with what.
    pub fn note(&self, action: &str, account: Option<&AccountId>, details: &Value) -> Result<(), Failure> {
        let account = account.map(AccountId::as_str);
        let who = who();
        tracing::info!(action, account, %details, %who, "audit");
        let line = json!({ "at": Clock::system().wall().rfc3339(), "action": action, "account": account, "by": who, "details": details });
        self.append(&format!("{line}\n")).map_err(|error| {
            let what = format!("it is done ({action}), but not noted: cannot write {}", self.path.display());
            Failure::because(what, &error)
        })
    }

    /// In one write, so that the lines of two commands never mix.
    fn append(&self, line: &str) -> io::Result<()> {
        (&self.file).write_all(line.as_bytes())?;
        self.file.sync_all()
    }
}

/// The user of this process, and whoever logged in and became that user, as far as the system knows.
fn who() -> Value {
    let login = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse::<u32>().ok());
    json!({
        "uid": rustix::process::getuid().as_raw(),
        "login_uid": login.filter(|uid| *uid != u32::MAX),
        "sudo_user": std::env::var("SUDO_USER").ok(),
        "pid": std::process::id(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_only_added_and_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let id: AccountId = "Y21R3P".parse().expect("a good id");
        for reason in ["moved", "two\nlines"] {
            let audit = Audit::open(folder.path()).expect("it can be opened");
            audit.note("account disable", Some(&id), &json!({ "reason": reason })).expect("it can be written");
        }
        let path = folder.path().join("audit.log");
        assert_eq!(path.metadata().expect("it is there").permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(path).expect("it is there");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!((&lines[0]["account"], &lines[1]["details"]["reason"]), (&json!("Y21R3P"), &json!("two\nlines")));
        assert_eq!(lines[0]["by"]["uid"], json!(rustix::process::getuid().as_raw()));
    }

    #[test]
    fn without_the_log_nothing_is_done() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(Audit::open(&folder.path().join("missing")).is_err());
    }
}
