//! A7 for the vault commands: passwords of repositories and access URLs are shown nowhere.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::support::figure::figure;
use crate::support::restic::vault;
use crate::support::setup::Setup;
use crate::support::vault::{Vault, planted};
use crate::support::{SOON, program, skip, tree, wait_until};

const CANARY: &str = "canary-password-of-the-repository";

#[test]
fn no_secret_is_printed_or_on_a_command_line() {
    let server = Setup::new().tls().start();
    let account = vault(&server);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        tree::write_private(&path, text.as_bytes());
        path.display().to_string()
    };
    let (repository, password) = (file("repository", &format!("rest:{}\n", account.url("/"))), file("password", &format!("{CANARY}\n")));
    let certificate = server.site().certificate.clone().expect("a certificate").display().to_string();
    let tree = planted(60);
    let (path, target) = (tree.path().display().to_string(), folder.path().join("target").display().to_string());
    let by_file = |command: &mut Command| {
        command.args(["--repository-file", &repository, "--password-file", &password]);
    };
    let by_environment = |command: &mut Command| {
        command.env("STRONGROOM_REPOSITORY", account.url("/")).env("STRONGROOM_PASSWORD", CANARY);
    };
    let mut said = Vec::new();
    let mut looked = 0;
    let commands: [&[&str]; 13] = [
        &["init"],
        &["init"],
        &["backup", &path],
        &["backup", &path, "/missing"],
        &["snapshots", "--json"],
        &["ls", "latest"],
        &["restore", "latest", "--target", &target],
        &["check", "--read-data"],
        &["forget", "--keep-last", "1", "--prune"],
        &["key", "list"],
        &["unlock"],
        &["restore", "nothing", "--target", &target],
        &["backup", "--help"],
    ];
    for arguments in commands {
        for give in [&by_file as &dyn Fn(&mut Command), &by_environment] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
            command.env_clear().arg("vault").args(arguments).args(["-vv", "--ca-file", &certificate]).stdin(Stdio::null());
            give(&mut command);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
            let line = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap_or_default();
            looked += usize::from(!line.is_empty());
            let output = child.wait_with_output().expect("it ends");
            said.extend([line, output.stdout, output.stderr]);
        }
    }
    let wrong = Vault::of(&account.with_password("wrongwrongwrongwrongwr"), "/").with_password(CANARY).run(&["snapshots"]);
    said.extend([wrong.out.into_bytes(), wrong.complaint.into_bytes()]);
    let hits = |secret: &str| said.iter().filter(|text| String::from_utf8_lossy(text).contains(secret)).count();
    assert_eq!([CANARY, account.password.as_str(), "wrongwrongwrongwrongwr"].map(hits), [0, 0, 0]);
    assert!(looked > 0, "command lines were seen");
    let log = server.log();
    assert!(!log.contains(CANARY) && !log.contains(&account.password));
    figure("A7", "vault commands", &format!("{} outputs and command lines: 0 canaries", said.len()), None);
}

#[test]
fn a_password_is_asked_for_without_an_echo() {
    let Some(script) = program(&["script"]) else { return skip("script is not installed") };
    let place = tempfile::tempdir().expect("a temporary folder");
    let repository = place.path().join("repository");
    let asked = |arguments: &str, answers: &[&str]| {
        let line = format!("{} vault {arguments} -r {}", env!("CARGO_BIN_EXE_strongroom"), repository.display());
        let mut command = Command::new(&script);
        command.args(["-qefc", &line, "/dev/null"]).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script runs");
        let (mut keyboard, mut screen) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let shown = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let seen = std::sync::Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 1000];
            while let Ok(length @ 1..) = screen.read(&mut piece) {
                seen.lock().expect("nobody panics").push_str(&String::from_utf8_lossy(&piece[..length]));
            }
        });
        for (number, answer) in answers.iter().enumerate() {
            // What is typed before the question would be shown.
            wait_until("a question", SOON, || shown.lock().expect("nobody panics").matches(": ").count() > number);
            keyboard.write_all(answer.as_bytes()).expect("it is typed");
        }
        let exit = child.wait().expect("it ends").code();
        drop(keyboard);
        reader.join().expect("the reader ends");
        let text = shown.lock().expect("nobody panics").clone();
        assert!(!text.contains("canary"), "{text}");
        (exit, text)
    };
    let (exit, text) = asked("init", &["canary one\n", "canary two\n"]);
    assert!(exit == Some(1) && text.contains("differ") && !repository.exists(), "{text}");
    assert_eq!(asked("init", &["canary one\n", "canary one\n"]).0, Some(0));
    assert_eq!(asked("snapshots", &["canary one\n"]).0, Some(0));
    let (exit, text) = asked("snapshots", &["canary two\n"]);
    assert!(exit == Some(1) && text.contains("wrong password"), "{text}");
    let (exit, text) = asked("snapshots", &["canary\u{3}"]);
    assert!(exit == Some(1) && text.contains("cancelled"), "{text}");
}
