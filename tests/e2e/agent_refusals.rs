//! What an agent does not begin, or gives up for a reason of its own: no room, no vault, scripts, a thread that hangs.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::agent::AGENT_SOON;
use crate::support::disk::Disk;
use crate::support::estate::Estate;
use crate::support::fleet::text;
use crate::support::runs::Wanted;
use crate::support::weak_disk::WeakDisk;
use crate::support::{skip_without_root, wait_until};

fn reason(report: &Value) -> String {
    text(&report["Reason"])
}

#[test]
fn below_100_mb_nothing_begins() {
    let estate = Estate::new();
    let mut agent = estate.machine("web-a");
    let state = agent.home().join("state");
    let Some(_disk) = Disk::mount(&state, "size=64m") else { return skip_without_root("a small disk cannot be mounted") };
    agent.register(&estate.user, &[]);
    agent.start();
    let source = estate.planted("source", 1, 0);
    let configuration = estate.configure(&agent, &source, &json!({}));
    let (state, report) = estate.api.await_end(estate.api.start(configuration));
    assert_eq!((state.as_str(), reason(&report)), ("Failed", "OutOfDiskSpace".to_owned()), "{report}");
    let (state, report) = estate.api.await_end(estate.api.begin_cleanup(agent.id));
    assert_eq!((state.as_str(), reason(&report)), ("Failed", "OutOfDiskSpace".to_owned()), "{report}");
    let other = estate.agent("web-b");
    let theirs = estate.configure(&other, &source, &json!({"BackupConfigurationName": "another"}));
    let backup = estate.api.complete(theirs);
    let target = estate.path("target");
    let restore = estate.api.begin_restore(&Wanted { destination: agent.id, ..Wanted::all(backup, other.id, &target) });
    let (state, report) = estate.api.await_end(restore);
    assert_eq!((state.as_str(), reason(&report)), ("Failed", "OutOfDiskSpace".to_owned()), "{report}");
    assert!(!target.exists() && agent.is_running());
}

#[test]
fn a_vault_that_is_gone_is_said_so_and_never_made_anew_in_silence() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let source = estate.planted("source", 1, 0);
    let configuration = estate.configure(&agent, &source, &json!({}));
    estate.api.complete(configuration);
    estate.proxy.gate().misdirect("GET /agent/v1/vault/g1/config");
    estate.proxy.gate().take_passed();
    let (state, report) = estate.api.await_end(estate.api.start(configuration));
    assert_eq!((state.as_str(), reason(&report)), ("Failed", "VaultMissing".to_owned()), "{report}");
    let passed = estate.proxy.gate().take_passed();
    assert!(!passed.iter().any(|line| line.starts_with("POST /agent/v1/vault/")), "{passed:?}");
}

#[test]
fn scripts_run_only_where_the_machine_allows_them() {
    let estate = Estate::new();
    let (strict, lax) = (estate.agent("web-a"), estate.agent_with("web-b", &["--allow-scripts"]));
    let source = estate.planted("source", 1, 0);
    let trace = estate.path("trace");
    let note = |word: &str| format!("echo {word} >> '{}'; env >> '{}'", trace.display(), trace.display());
    let scripts =
        |name: &str| json!({"BackupPrescript": note("before"), "BackupPostscript": note("after"), "BackupConfigurationName": name});
    let refused = estate.configure(&strict, &source, &scripts("strict"));
    estate.api.complete(refused);
    assert!(!trace.exists(), "a script ran that nobody allowed");
    let allowed = estate.configure(&lax, &source, &scripts("lax"));
    estate.api.complete(allowed);
    wait_until("the postscript has run", AGENT_SOON, || std::fs::read_to_string(&trace).unwrap_or_default().contains("after"));
    let traced = std::fs::read_to_string(&trace).expect("it is there");
    assert!(traced.find("before") < traced.find("after"), "{traced}");
    assert!(!traced.contains(&text(&lax.bootstrap()["AgentKey"])) && !traced.contains("API_KEY"), "{traced}");
}

#[test]
fn a_prescript_that_fails_fails_the_backup() {
    let estate = Estate::new();
    let agent = estate.agent_with("web-a", &["--allow-scripts"]);
    let source = estate.planted("source", 1, 0);
    let configuration = estate.configure(&agent, &source, &json!({"BackupPrescript": "exit 3"}));
    let (state, report) = estate.api.await_end(estate.api.start(configuration));
    assert_eq!((state.as_str(), reason(&report)), ("Failed", "PrescriptFailed".to_owned()), "{report}");
    assert_eq!(report["SnapshotId"], Value::Null);
}

/// A dead network drive: the run is ended, and the process that cannot end its thread is replaced.
#[test]
fn a_thread_that_hangs_keeps_neither_the_run_nor_the_next_process() {
    let estate = Estate::new();
    if !Disk::is_possible() {
        return skip_without_root("FUSE cannot be mounted");
    }
    let disk = WeakDisk::mount();
    let dead = disk.at().join("dead");
    std::fs::create_dir(&dead).and_then(|()| std::fs::write(dead.join("file"), "x")).expect("it is written");
    let mut agent = estate.registered("web-a").with_environment("STRONGROOM_AGENT_STOP_SECONDS", "3");
    agent.start();
    let configuration = estate.configure(&agent, Path::new(disk.at()), &json!({}));
    disk.stall_opening_of("dead");
    let backup = estate.api.start(configuration);
    wait_until("the walk hangs", AGENT_SOON, || disk.is_stalled());
    estate.api.stop_run("backup", backup);
    estate.api.await_state(backup, &["Stopped"]);
    agent.await_log("this process ends without it");
    // The kernel keeps a process that waits for such a disk until it has its answer.
    disk.release();
    let ended = agent.await_end();
    assert_eq!(ended.code(), Some(75), "its service manager is to start it again: {}", agent.log());
    agent.start();
    estate.api.complete(configuration);
}

#[test]
fn a_full_vault_is_said_so_before_anything_begins() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let source = estate.planted("source", 1, 8);
    let configuration = estate.configure(&agent, &source, &json!({}));
    estate.api.complete(configuration);
    let account = estate.opened(agent.id)[0].account.user.clone();
    estate.server.run(&["account", "set", &account, "--quota", "1 MiB"]).expect_exit(0);
    std::fs::write(source.join("new"), crate::support::tree::bytes(5, 4 << 20)).expect("a file is written");
    let (state, report) = estate.api.await_end(estate.api.start(configuration));
    assert_eq!((state.as_str(), reason(&report)), ("Failed", "QuotaExceeded".to_owned()), "{report}");
    estate.server.run(&["account", "set", &account, "--quota", "none"]).expect_exit(0);
    estate.api.complete(configuration);
}
