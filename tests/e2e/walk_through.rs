//! The walk-through that must work word for word, over HTTPS, from the first start on.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::fleet::{Api, TestAgent};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree;
use crate::support::user::User;

/// A shell in `folder`; returns what it printed and insists that it was content.
#[track_caller]
fn shell(folder: &Path, line: &str) -> String {
    let mut command = Command::new("bash");
    command.args(["-o", "pipefail", "-c", line]).current_dir(folder).stdin(Stdio::null());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder);
    let output = command.output().expect("bash runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {:?}\n{complaint}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A folder with the two files of the walk-through.
fn machine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("file1"), tree::bytes(1, 300_000)).expect("a file is written");
    std::fs::write(folder.path().join("file2"), "two\n").expect("a file is written");
    folder
}

fn curl_of(server: &TestServer) -> String {
    let certificate = server.site().certificate.clone().expect("a TLS server has a certificate");
    format!("curl -sS --cacert {} -u {}", certificate.display(), server.account().credentials())
}

#[test]
fn the_walk_through_works_word_for_word() {
    let server = Setup::new().tls().start();
    let (curl, host, here) = (curl_of(&server), server.site().origin(), machine());
    shell(here.path(), "tar czf data.20100523.tar.gz file1 file2");
    let stored = shell(here.path(), &format!("{curl} {host}/ -T data.20100523.tar.gz"));
    assert_eq!(stored, "Stored /data.20100523.tar.gz\n");

    let list = shell(here.path(), &format!("{curl} {host}/"));
    let size = std::fs::metadata(here.path().join("data.20100523.tar.gz")).expect("the archive is there").len();
    assert!(list.contains(&format!("{{\"name\":\"/data.20100523.tar.gz\",\"size\":{size},\"createtime\":")), "{list}");

    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    shell(elsewhere.path(), &format!("{curl} {host}/data.20100523.tar.gz | tar xz"));
    for file in ["file1", "file2"] {
        let (before, after) = (std::fs::read(here.path().join(file)), std::fs::read(elsewhere.path().join(file)));
        assert!(before.expect("the original") == after.expect("the restored file"), "{file}");
    }

    let session = shell(here.path(), &format!("{curl} -i -X POST -H 'X-HTTP-Method-Override: MAKESESSION' {host}/"));
    assert!(session.starts_with("HTTP/1.1 204 No Content"), "{session}");
    let location = session.lines().find_map(|line| line.to_lowercase().starts_with("location: ").then(|| line[10..].trim().to_owned()));
    let location = location.expect("a session has a location");
    assert!(location.starts_with(&format!("{host}/session/")), "{location}");
    let certificate = server.site().certificate.clone().expect("a certificate");
    let through = shell(here.path(), &format!("curl -sS --cacert {} {location}", certificate.display()));
    assert!(through.contains("/data.20100523.tar.gz"), "{through}");
}

#[test]
fn the_three_lines_of_the_first_start_work_as_pasted() {
    // The put line sends a file that every checkout has.
    let readme = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the project has a README");
    let server = Setup::new().tls().file("README.md", &readme).start();
    let printed = server.printed();
    assert!(printed[0].starts_with("Serving https://localhost:"), "{printed:?}");
    let lines: Vec<&str> =
        printed.iter().map(|line| line.trim().trim_start_matches("$ ")).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(lines.len(), 3, "put, list, get in {printed:?}");
    for line in &lines {
        assert!(line.contains("--cacert"), "{line}");
    }
    assert!(shell(server.home(), lines[0]).contains("Stored /"), "{}", lines[0]);
    assert!(shell(server.home(), lines[1]).contains("\"name\":\"/"), "{}", lines[1]);
    let got = shell(server.home(), lines[2]);
    let restored = tree::files_below(server.home()).into_iter().filter(|path| !path.starts_with(server.data()));
    let copies = restored.filter(|path| std::fs::read(path).is_ok_and(|bytes| bytes == readme)).count();
    assert!(copies >= 2 || got.as_bytes() == readme, "the get line gives the file back: {}", lines[2]);
}

#[test]
fn an_archive_from_a_pipe_is_refused_with_words_that_help() {
    let server = Setup::new().tls().start();
    let (curl, host, here) = (curl_of(&server), server.site().origin(), machine());
    let answer = shell(here.path(), &format!("(tar cz file1 file2 2>&- || true) | {curl} -w '%{{http_code}}' -T - {host}/a.tar.gz"));
    assert!(answer.ends_with("411"), "{answer}");
    assert!(answer.contains("curl -T"), "the text says what to do: {answer}");
    assert_eq!(server.account().names(), Vec::<String>::new());
}

#[test]
fn wget_lists_and_restores_with_the_access_url() {
    let server = Setup::new().tls().start();
    let account = server.account();
    let bytes = tree::bytes(3, 2_500_000);
    account.store("/db/dump.sql.gz", &bytes);
    let here = tempfile::tempdir().expect("a temporary folder");
    let certificate = server.site().certificate.clone().expect("a certificate");
    let wget = format!("wget -q --ca-certificate={} --user={} --password={}", certificate.display(), account.user, account.password);
    let list = shell(here.path(), &format!("{wget} -O - {}/", account.site.origin()));
    assert!(list.contains("/db/dump.sql.gz"), "{list}");
    shell(here.path(), &format!("{wget} {}/db/dump.sql.gz", account.site.origin()));
    assert!(std::fs::read(here.path().join("dump.sql.gz")).expect("the restored file") == bytes);
}

#[test]
fn broken_downloads_are_resumed_by_curl_and_wget() {
    let server = TestServer::start();
    let account = server.account();
    let bytes = tree::bytes(4, 3_000_000);
    account.store("/big.tar", &bytes);
    let url = account.url("/big.tar");
    for program in ["curl -sS -q -C - -o big.tar", "wget -q -c"] {
        let here = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(here.path().join("big.tar"), &bytes[..1_234_567]).expect("the first part");
        shell(here.path(), &format!("{program} {url}"));
        assert!(std::fs::read(here.path().join("big.tar")).expect("the whole file") == bytes, "{program}");
    }
}

/// The README's chapter, line by line, in one shell: with the own host, and folders of the test in place of the machine's.
#[test]
fn the_chapter_of_the_vault_commands_works_as_pasted() {
    let server = Setup::new().tls().start();
    let account = crate::support::restic::vault(&server);
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README is there");
    let chapter = readme.split("## Back up a folder yourself: the vault commands").nth(1).expect("the chapter");
    let block = chapter.split("```").nth(1).expect("a block of commands");
    let commands: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert_eq!(commands.len(), 9, "{commands:#?}");
    let here = tempfile::tempdir().expect("a folder");
    for (name, text) in [("etc/ssh/config", "Host *"), ("etc/hosts", "::1"), ("etc/x.tmp", "x"), ("srv/page", "<p>")] {
        let path = here.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder is made");
        std::fs::write(path, text).expect("a file is written");
    }
    std::fs::write(here.path().join("repository-password"), "correct horse\n").expect("a file is written");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_strongroom"), here.path().join("strongroom")).expect("a link is made");
    let certificate = server.site().certificate.clone().expect("a certificate");
    let own = |command: &str| {
        let command = command.replace("https://USER:PASSWORD@HOST/", &account.url("/")).replace("strongroom vault", "./strongroom vault");
        command.replace("/etc", &format!("{}/etc", here.path().display())).replace("/srv", &format!("{}/srv", here.path().display()))
    };
    let lines: Vec<String> = commands.iter().map(|command| own(command)).collect();
    let all = format!("set -e\nexport STRONGROOM_CA_FILE={}\n{}", certificate.display(), lines.join("\n"));
    let said = shell(here.path(), &all);
    for part in
        ["is made at", "3 new, 0 changed", "1 snapshot\n", "/etc/hosts\n", "Restored 1 file", "Removed 0 snapshots", "No errors were found"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains("x.tmp") && !said.contains(&account.password), "{said}");
    assert_eq!(std::fs::read(here.path().join("restored/ssh/config")).expect("it is restored"), b"Host *");
    assert!(!here.path().join("restored/hosts").exists());
}

/// The README's chapter, line by line, as somebody pastes it: with the own host, key and numbers in it, and an agent that does its part.
#[test]
fn the_cloud_backup_chapter_works_as_pasted() {
    let server = Setup::new().tls().start();
    let user = User::add(&server, "ada", &[]);
    let agent = TestAgent::register(&Api::of(&user), "web-a");
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README is there");
    let chapter = readme.split("## The Cloud Backup API, from a token to a restore").nth(1).expect("the chapter");
    let block = chapter.split("```").nth(1).expect("a block of commands");
    let commands: Vec<String> = block.trim().split("\n$ ").map(|command| command.trim_start_matches("$ ").to_owned()).collect();
    let (here, certificate) = (tempfile::tempdir().expect("a folder"), server.site().certificate.clone().expect("a certificate"));
    let mut ids: Vec<i64> = vec![agent.id];
    let paste = |command: &str, ids: &[i64]| {
        let mut line = command.replace("https://HOST", &server.site().origin()).replace("\"KEY\"", &format!("\"{}\"", user.api_key));
        for (shown, id) in ["1001", "1002", "1005", "1006"].iter().zip(ids) {
            line = line.replace(shown, &id.to_string());
        }
        let line = line.replace("curl -s", &format!("curl -sf --cacert {}", certificate.display()));
        let token = "[ -e login.json ] && TOKEN=$(grep -o '\"token\":{\"id\":\"[0-9a-f]*' login.json | cut -d'\"' -f6)";
        shell(here.path(), &format!("{token}; {line}"))
    };
    let id_in = |answer: &str, member: &str| -> i64 {
        serde_json::from_str::<serde_json::Value>(answer).expect("JSON")[member].as_i64().expect("an id")
    };
    assert_eq!(commands.len(), 9, "{commands:#?}");
    paste(&commands[0], &ids);
    paste(&commands[1], &ids);
    assert!(paste(&commands[2], &ids).contains("\"MachineName\":\"web-a\""));
    ids.push(id_in(&paste(&commands[3], &ids), "BackupConfigurationId"));
    ids.push(paste(&commands[4], &ids).parse().expect("a bare number"));
    agent.back_up(ids[2]);
    assert!(paste(&commands[5], &ids).contains("\"State\":\"Completed\""));
    ids.push(id_in(&paste(&commands[6], &ids), "RestoreId"));
    assert_eq!(paste(&commands[7], &ids), "");
    agent.begin(ids[3]);
    agent.say(ids[3], "completed", &serde_json::json!({})).expect(200);
    assert!(paste(&commands[8], &ids).contains("\"NumErrors\":\"0\""));
}
