//! An existing client of the Cloud Backup API, unmodified but for its identity URL: `rackspace-backup-client` from PyPI.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::fleet::{Api, TestAgent, text};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::user::User;
use crate::support::{skip, skip_without_root};

/// Where `tests/run` puts the client and what it needs.
pub fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/rcbu")
}

pub fn python(script: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/rcbu").join(script));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("PYTHONPATH", library());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Where the client looks for the agent's public key, on the agent's machine; taken away again.
struct PublishedKey;

const FOLDER: &str = "/etc/driveclient";

impl PublishedKey {
    /// `None` where the folder cannot be made, or is somebody's.
    fn publish(key: &[u8]) -> Option<Self> {
        std::fs::create_dir(FOLDER).ok()?;
        std::fs::write(format!("{FOLDER}/public-key.pem"), key).expect("the folder is ours");
        Some(Self)
    }
}

impl Drop for PublishedKey {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(FOLDER));
    }
}

/// Does what the client waits for; the answer is a line for it.
fn act(agent: &TestAgent, what: &str) -> String {
    let done = |report: &serde_json::Value, run: i64| {
        for state in ["queued", "preparing", "in_progress"] {
            agent.say(run, state, &json!({})).expect(200);
        }
        agent.say(run, "completed", report).expect(200);
        "done".to_owned()
    };
    match what.split_once(' ') {
        Some(("backup", run)) => {
            let run = run.parse().expect("an id");
            agent.back_up(run);
            "done".to_owned()
        }
        Some(("restore", run)) => done(&json!({"files_done": 35, "bytes_done": 18 << 20}), run.parse().expect("an id")),
        None if what == "encrypt" => {
            let request = agent.work()["requests"][0].clone();
            let path = format!("/requests/{}", text(&request["id"]));
            for outcome in ["taken", "succeeded"] {
                agent.call("POST", &path, Some(&json!({"outcome": outcome}).to_string())).expect(204);
            }
            text(&request["encrypted_password"])
        }
        _ => panic!("the client asks for {what}"),
    }
}

#[test]
fn rcbu_goes_through_its_whole_repertoire() {
    if !library().join("rcbu").is_dir() {
        return skip("rackspace-backup-client is not in target/tools/rcbu: tests/run installs it");
    }
    for server in Setup::new().set("list_agents_status", "unknown").each_catalog() {
        go_through(&server);
    }
}

fn go_through(server: &TestServer) {
    let user = User::add(server, "ada", &["--tenant", "5501"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (private, public) = (folder.path().join("private.pem"), folder.path().join("public.pem"));
    let made = python("repertoire.py").arg("key").args([&private, &public]).output().expect("python runs");
    let modulus = String::from_utf8(made.stdout).expect("digits").trim().to_owned();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let agent = TestAgent::register_with(&Api::of(&user), "web-a", &json!({"public_key": {"modulus_hex": modulus, "exponent": 65537}}));
    let published = PublishedKey::publish(&std::fs::read(&public).expect("the public key"));
    if published.is_none() {
        skip_without_root("the client reads the agent's key from /etc/driveclient, so its encrypt is left out");
    }
    let private = if published.is_some() { private.to_str().expect("a path") } else { "" };
    let origin = server.site().origin();
    let arguments = ["run", &origin, &user.name, &user.api_key, &user.password, &agent.id.to_string(), private];
    let mut client = python("repertoire.py")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut answers = client.stdin.take().expect("it is piped");
    let mut is_done = false;
    for line in BufReader::new(client.stdout.take().expect("it is piped")).lines() {
        let line = line.expect("the client's words are text");
        match line.strip_prefix("agent ") {
            Some(what) => writeln!(answers, "{}", act(&agent, what)).expect("the client listens"),
            None => is_done = line == "done",
        }
    }
    drop(answers);
    let ended = client.wait_with_output().expect("the client ends");
    assert!(is_done && ended.status.success(), "{}\n{}", String::from_utf8_lossy(&ended.stderr), server.log());
}
