//! The README's chapter "Back up a server", line by line, as somebody pastes it: with the own host, key and numbers in it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::agent::Agent;
use crate::support::fleet::Api;
use crate::support::ran::Ran;
use crate::support::restic::{contents, planted};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::user::User;
use crate::support::{program, skip};

/// A shell in a folder, where `strongroom` is the one that is tested, with the server's settings.
struct Shell<'a> {
    server: &'a TestServer,
    folder: &'a Path,
}

impl Shell<'_> {
    #[track_caller]
    fn paste(&self, line: &str) -> String {
        let mut command = Command::new("bash");
        let all = format!("[ -e token ] && TOKEN=$(cat token); {line}; echo \"$TOKEN\" > token");
        command.args(["-e", "-o", "pipefail", "-c", &all]).stdin(Stdio::null()).env_clear();
        for (name, value) in self.server.command().get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.folder.display())).env("HOME", self.folder).current_dir(self.folder);
        // Where the server keeps its data is told from its own folder.
        command.env("STRONGROOM_DATA", self.server.data());
        Ran::of(&command.output().expect("bash runs")).expect_exit(0).out
    }
}

/// The commands of a chapter's blocks.
fn commands(chapter: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README is there");
    let chapter = readme.split(&format!("## {chapter}\n")).nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the chapter");
    let blocks = chapter.split("```").skip(1).step_by(2);
    blocks.flat_map(|block| block.trim().split("\n$ ").map(|line| line.trim_start_matches("$ ").to_owned())).collect()
}

#[test]
fn the_chapter_on_backing_up_a_server_works_as_pasted() {
    if program(&["restic"]).is_none() || program(&["openssl"]).is_none() {
        return skip("restic or openssl is not installed");
    }
    let server = Setup::new().tls().start();
    let (here, source) = (tempfile::tempdir().expect("a folder"), planted(5));
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_strongroom"), here.path().join("strongroom")).expect("a link is made");
    let certificate = server.site().certificate.clone().expect("a certificate").display().to_string();
    let (origin, shell) = (server.site().origin(), Shell { server: &server, folder: here.path() });
    let here_is = |line: &str| {
        let line = line.replace("sudo -u strongroom ", "").replace("sudo ", "").replace("https://HOST", &origin);
        let line = line.replace("curl -s", &format!("curl -sf --cacert {certificate}"));
        line.replace("/var/lib/strongroom/tls/cert.pem", &certificate).replace("/etc", &source.path().display().to_string())
    };
    let commands = commands("Back up a server");
    let [add, pin, register, start, token, configure, back_up, restore] = commands.as_slice() else { panic!("{commands:#?}") };
    let said = shell.paste(&here_is(add));
    let key = said.lines().find_map(|line| line.strip_prefix("api_key=")).expect("an API key").to_owned();
    let printed = shell.paste(&here_is(pin));
    let pin = printed.trim().rsplit('=').next().expect("a fingerprint").to_owned();

    let user =
        User { site: server.site().clone(), name: "ada".to_owned(), tenant: String::new(), api_key: key.clone(), password: String::new() };
    let mut agent = Agent::machine(&origin, "web-a");
    assert!(register.contains("strongroom agent register --server https://HOST --user ada --pin SHA256"), "{register}");
    let id = agent.register(&user, &["--pin", &pin]);
    assert_eq!(start, "sudo systemctl enable --now strongroom-agent");
    agent.start();

    shell.paste(&here_is(token).replace("\"KEY\"", &format!("\"{key}\"")));
    let api = Api::of(&user);
    let made = shell.paste(&here_is(configure).replace("1001", &id.to_string()));
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let configuration = made["BackupConfigurationId"].as_i64().expect("an id");
    let backup = shell.paste(&here_is(back_up).replace("1002", &configuration.to_string()));
    api.await_completed(backup.trim().parse().expect("a bare number"));

    // The port that the test's server happens to have.
    let host = origin.trim_start_matches("https://");
    let opened = format!("strongroom fleet open {id} | sed 's#@[^/]*/#@{host}/#'");
    assert!(restore.contains("strongroom fleet open 1001"), "{restore}");
    shell.paste(&here_is(restore).replace("strongroom fleet open 1001", &opened));
    let restored = here.path().join("restored").join(source.path().strip_prefix("/").expect("a whole path"));
    assert_eq!(contents(&restored), contents(source.path()));
}
