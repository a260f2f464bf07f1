//! Registration: what it makes, what it refuses, and that neither a lost answer nor a copied disk makes a twin.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::agent::{AGENT_SOON, Agent};
use crate::support::estate::Estate;
use crate::support::fleet::{Api, text};
use crate::support::runs::Wanted;
use crate::support::seen::seen;
use crate::support::setup::Setup;
use crate::support::user::User;
use crate::support::{tls, tree, wait_until};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// What a PEM text holds.
fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1).take_while(|line| !line.starts_with('-'));
    data_encoding::BASE64.decode(lines.collect::<String>().as_bytes()).expect("Base64")
}

/// Whether a process holds this lock (proc_locks(5)).
fn has_lock(process: u32, file: &Path) -> bool {
    let Ok(about) = std::fs::metadata(file) else { return false };
    let (process, place) = (process.to_string(), format!(":{}", about.ino()));
    let locks = std::fs::read_to_string("/proc/locks").expect("the kernel tells");
    let mut lines = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.any(|words| matches!(words[..], [_, "FLOCK", _, "WRITE", holder, at, ..] if holder == process && at.ends_with(&place)))
}

fn agents(api: &Api) -> Vec<Value> {
    api.get("/user/agents").expect(200).json().as_array().expect("a list").clone()
}

#[test]
fn a_registration_leaves_what_provisioning_tools_read_and_nothing_that_others_may() {
    let estate = Estate::new();
    let agent = estate.registered("web-a");
    let bootstrap = agent.bootstrap();
    assert_eq!(
        (&bootstrap["AgentId"], &bootstrap["AccountId"], &bootstrap["Username"], &bootstrap["IsRegistered"]),
        (&json!(agent.id), &json!("5501"), &json!("ada"), &json!(true))
    );
    let key = data_encoding::BASE64.decode(text(&bootstrap["AgentKey"]).as_bytes()).expect("Base64");
    assert_eq!(key.len(), 32);
    assert_eq!(mode(agent.state()), 0o700);
    for file in tree::files_below(agent.state()) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let shown = std::fs::read_to_string(agent.state().join("public-key.pem")).expect("it is there");
    assert!(shown.starts_with("-----BEGIN PUBLIC KEY-----"), "{shown}");
    let modulus = text(&estate.api.agent(agent.id)["PublicKey"]["ModulusHex"]);
    assert!(data_encoding::HEXLOWER.encode(&der(&shown)).contains(&modulus), "the key that the API shows");
    let private = std::fs::read_to_string(agent.state().join("private-key.pem")).expect("it is there");
    assert!(private.contains("PRIVATE KEY"));
}

#[test]
fn a_lost_answer_makes_no_twin() {
    Estate::on_each_catalog(|estate| {
        let mut agent = estate.machine("web-a");
        estate.proxy.gate().lose_answer("POST /agent/v1/register");
        let first = agent.try_register(&estate.user, &[]);
        assert_eq!(estate.proxy.gate().count("POST /agent/v1/register"), if first.exit == 0 { 2 } else { 1 });
        if first.exit != 0 {
            agent.register(&estate.user, &[]);
        }
        let listed = agents(&estate.api);
        assert_eq!((listed.len(), &listed[0]["MachineAgentId"]), (1, &json!(agent.id)));
        agent.start();
        let startups = || estate.proxy.gate().count("POST /agent/v1/startup");
        wait_until("the agent is up under that id", AGENT_SOON, || startups() == 1);
        estate.api.await_online(agent.id);
    });
}

#[test]
fn who_may_not_register_leaves_nothing_behind() {
    let estate = Estate::new();
    let mut agent = estate.machine("web-a");
    let stranger = User { api_key: "0".repeat(32), ..estate.user.clone() };
    let refused = agent.try_register(&stranger, &[]).expect_exit(1);
    assert!(!refused.complaint.contains(&stranger.api_key) && !refused.complaint.is_empty(), "{refused:?}");
    let observer = User::add(&estate.server, "bob", &["--tenant", "5501", "--role", "cloudbackup:observer"]);
    agent.try_register(&observer, &[]).expect_exit(1);
    assert_eq!(agents(&estate.api), Vec::<Value>::new());
    agent.run(&["run"]).expect_exit(1);
    // Nothing of it is in the way of somebody who may.
    agent.register(&estate.user, &[]);
    assert_eq!(agents(&estate.api).len(), 1);
}

#[test]
fn registering_again_is_another_agent_and_erases_no_key() {
    let estate = Estate::new();
    let mut agent = estate.registered("web-a");
    let (first, key) = (agent.id, std::fs::read(agent.state().join("private-key.pem")).expect("it is there"));
    agent.register(&estate.user, &[]);
    assert_ne!(agent.id, first);
    let beside: Vec<_> = std::fs::read_dir(agent.home()).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    let moved = beside.iter().find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("state.")));
    let moved = moved.unwrap_or_else(|| panic!("the old state is kept: {beside:?}"));
    assert_eq!(std::fs::read(moved.join("private-key.pem")).expect("it is there"), key);
    assert_ne!(std::fs::read(agent.state().join("private-key.pem")).expect("it is there"), key);
    assert_eq!(agents(&estate.api).len(), 2);
}

#[test]
fn a_clone_is_refused_and_told_what_to_do() {
    let estate = Estate::new();
    let mut agent = estate.agent("web-a");
    estate.api.await_online(agent.id);
    let mut clone = agent.cloned();
    clone.become_machine("web-b");
    let refused = clone.start_in_vain();
    assert_ne!(refused.exit, 0);
    assert!(refused.complaint.contains("register --take-over"), "{refused:?}");
    // The machine that registered is not disturbed.
    let source = estate.planted("source", 4, 4);
    let configuration = estate.configure(&agent, &source, &json!({}));
    estate.api.complete(configuration);
    assert!(agent.is_running());
    assert!(clone.bootstrap()["IsRegistered"] == true, "it may be the rebuilt one: nothing is erased");
}

#[test]
fn a_rebuilt_machine_takes_its_agent_over_with_all_backups_and_the_old_key_opens_nothing() {
    Estate::on_each_catalog(|estate| {
        let mut old = estate.agent("web-a");
        let source = estate.planted("source", 5, 4);
        let configuration = estate.configure(&old, &source, &json!({}));
        let backup = estate.api.complete(configuration);
        let mut rebuilt = estate.machine("web-a rebuilt");
        assert_eq!(rebuilt.register(&estate.user, &["--take-over", &old.id.to_string()]), old.id);
        rebuilt.start();
        let target = estate.path("target");
        estate.api.restore(&Wanted::all(backup, old.id, &target));
        assert_eq!(seen(&target.join(source.strip_prefix("/").expect("a whole path"))), seen(&source));
        std::fs::write(source.join("new"), "since").expect("a file is written");
        let second = estate.api.complete(configuration);
        let report = estate.api.any_report(second);
        assert!(text(&report["FilesBackedUp"]).parse::<u64>().expect("a number") <= 2, "it goes on in the old vault: {report}");
        // An unknown key is an outage to its owner, for ever.
        assert!(old.is_running());
        assert_eq!(agents(&estate.api).len(), 1);
        old.await_log("does not know this agent");
        old.stop();
    });
}

#[test]
fn only_an_admin_takes_an_agent_over() {
    let estate = Estate::new();
    let agent = estate.registered("web-a");
    let creator = User::add(&estate.server, "bob", &["--tenant", "5501", "--role", "cloudbackup:creator"]);
    let mut other = estate.machine("web-b");
    other.try_register(&creator, &["--take-over", &agent.id.to_string()]).expect_exit(1);
    other.register(&creator, &[]);
    let stranger = User::add(&estate.server, "eve", &["--tenant", "5502"]);
    let mut thief = estate.machine("web-c");
    thief.try_register(&stranger, &["--take-over", &agent.id.to_string()]).expect_exit(1);
    assert_eq!(agents(&estate.api).len(), 2);
}

#[test]
fn one_state_folder_has_one_process() {
    let estate = Estate::new();
    let mut agent = estate.agent("web-a");
    // Online it is since its registration.
    wait_until("the agent has its folder", AGENT_SOON, || has_lock(agent.pid(), &agent.state().join("agent.lock")));
    let second = agent.run(&["run"]).expect_exit(1);
    assert!(second.complaint.contains("another process"), "{second:?}");
    assert!(agent.is_running());
    // Nor is it moved away from under the process.
    let again = agent.try_register(&estate.user, &[]);
    assert_ne!(again.exit, 0, "{again:?}");
    estate.api.await_online(agent.id);
}

/// The server's own certificate, by file and by its SHA-256, and nothing else.
#[test]
fn an_agent_trusts_the_server_that_it_is_told_to_trust() {
    let estate = Estate::with(Setup::new().tls());
    let origin = format!("https://localhost:{}", estate.server.port());
    let certificate = estate.server.data().join("tls/cert.pem");
    let pin = tree::sha256(&der(&String::from_utf8(tls::own_certificate(&estate.server.data())).expect("PEM is text")));
    let try_with = |name: &str, arguments: &[&str]| {
        let mut agent = Agent::machine(&origin, name);
        let ran = agent.try_register(&estate.user, arguments);
        (agent, ran.exit)
    };
    assert_eq!(try_with("web-a", &[]).1, 1, "nobody vouches for it");
    assert_eq!(try_with("web-b", &["--pin", &"0".repeat(64)]).1, 1);
    for (name, arguments) in [("web-c", ["--ca-file", certificate.to_str().expect("a path")]), ("web-d", ["--pin", &pin])] {
        let (mut agent, exit) = try_with(name, &arguments);
        assert_eq!(exit, 0, "{arguments:?}");
        agent.start();
        estate.api.await_online(agent.id);
    }
}
