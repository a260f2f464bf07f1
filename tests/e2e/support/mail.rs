//! A mail server on loopback, Python's `aiosmtpd`, which `tests/run` installs beside its other tools.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::setup::Setup;
use super::{SOON, eventually, skip, tls};

const SENDER: &str = "backup@example.net";

/// A mail server to be.
#[derive(Clone)]
pub struct MailSetup {
    tls: &'static str,
    port: u16,
    login: Option<(String, String)>,
    refusals: BTreeMap<String, Vec<String>>,
}

/// Takes mail until it is dropped; what it took stays.
pub struct MailServer {
    folder: tempfile::TempDir,
    setup: MailSetup,
    process: Option<Child>,
    port: u16,
}

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub struct Mail {
    pub from: String,
    pub to: String,
    pub is_encrypted: bool,
    pub login: Option<String>,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Mail {
    /// The value of the one header of that name.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let found: Vec<&str> = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        let [value] = found[..] else { panic!("one {name} in {:?}", self.headers) };
        value
    }

    fn parse(path: &Path) -> Self {
        let kept: Value = serde_json::from_slice(&std::fs::read(path).expect("a mail is read")).expect("it is JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let recipients = kept["to"].as_array().expect("a list");
        assert_eq!(recipients.len(), 1, "one recipient each: {kept}");
        let headers = kept["headers"].as_array().expect("a list");
        Self {
            from: text(&kept["from"]),
            to: text(&recipients[0]),
            is_encrypted: kept["tls"] == true,
            login: kept["login"].as_str().map(str::to_owned),
            headers: headers.iter().map(|header| (text(&header[0]), text(&header[1]))).collect(),
            text: text(&kept["text"]),
        }
    }
}

impl MailSetup {
    /// Without TLS, for everybody, on a free port.
    pub fn new() -> Self {
        Self { tls: "none", port: 0, login: None, refusals: BTreeMap::new() }
    }

    /// `starttls` or `at_once`, with a certificate for `localhost` that nobody else has signed.
    pub fn tls(mut self, kind: &'static str) -> Self {
        self.tls = kind;
        self
    }

    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// What it answers to the next tries of a recipient, before it takes the mail.
    pub fn refuse(mut self, recipient: &str, answers: &[&str]) -> Self {
        self.refusals.insert(recipient.to_owned(), answers.iter().map(|&answer| answer.to_owned()).collect());
        self
    }

    /// `None`, with a loud line, where it is not installed.
    pub fn start(self) -> Option<MailServer> {
        let mut server = self.later()?;
        server.start();
        Some(server)
    }

    /// Known by its port, and not there yet.
    pub fn later(mut self) -> Option<MailServer> {
        if !tools().is_dir() {
            skip("aiosmtpd is not installed");
            return None;
        }
        self.port = super::postgres::free_port();
        let folder = tempfile::tempdir().expect("a temporary folder");
        tls::write_pair(folder.path(), 2080);
        Some(MailServer { folder, port: self.port, setup: self, process: None })
    }
}

impl MailServer {
    pub fn start(&mut self) {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let wanted = json!({
            "folder": self.folder.path(), "port": self.setup.port, "tls": self.setup.tls, "login": self.setup.login,
            "refusals": self.setup.refusals, "certificate": file("cert.pem"), "key": file("key.pem"),
        });
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/support/mail_server.py");
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", tools()).arg(program).arg(wanted.to_string());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 runs");
        let mut said = String::new();
        BufReader::new(process.stdout.take().expect("its output is a pipe")).read_line(&mut said).expect("it says its port");
        assert_eq!(said.trim(), self.port.to_string(), "its port");
        self.process = Some(process);
    }

    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }

    /// The settings of a server that sends its mail here; over TLS it believes this server's certificate alone.
    pub fn setup(&self) -> Setup {
        let scheme = match self.setup.tls {
            "starttls" => "smtp+starttls",
            "at_once" => "smtps",
            _ => "smtp",
        };
        let setup = Setup::new().set("smtp", format!("{scheme}://localhost:{}", self.port)).set("mail_from", SENDER);
        if scheme == "smtp" { setup } else { setup.set("smtp_ca_file", self.certificate().display()) }
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What has arrived, in its order.
    pub fn mails(&self) -> Vec<Mail> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder is read").flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
        files.sort();
        files.iter().map(|path| Mail::parse(path)).collect()
    }

    /// Waits until so many have arrived; insists that no more have.
    #[track_caller]
    pub fn expect(&self, count: usize) -> Vec<Mail> {
        let found = eventually(&format!("{count} mails"), SOON, || Some(self.mails()).filter(|mails| mails.len() >= count));
        assert_eq!(found.len(), count, "{found:#?}");
        found
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/aiosmtpd")
}
