//! The roads of `docs/disaster.md` that no other file goes: each ends with equal files under the same access URL.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::estate::Estate;
use crate::support::fleet::{Api, TestAgent};
use crate::support::ran::Ran;
use crate::support::restic::{contents, planted};
use crate::support::runs::Wanted;
use crate::support::seen::seen;
use crate::support::server::TestServer;
use crate::support::vault::Vault;
use crate::support::{program, skip, tree};

fn copy_tree(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(copied.success());
}

#[test]
fn a_copy_of_the_data_directory_is_the_store() {
    let mut server = TestServer::start();
    let account = server.account();
    account.store("/db/dump", tree::bytes(1, 1_500_000));
    let before = account.list();
    server.stop();
    let copy = server.home().join("copy");
    copy_tree(&server.data(), &copy);
    std::fs::remove_dir_all(server.data()).expect("the disk is lost");
    std::fs::rename(&copy, server.data()).expect("the copy is put in place");
    server.start_again();
    assert_eq!(account.list(), before);
    account.expect_file("/db/dump", &tree::bytes(1, 1_500_000));
    account.put("/db/dump", b"other").expect(405);
}

#[test]
fn blobs_alone_bring_the_whole_store_back() {
    let mut server = TestServer::start();
    let account = server.account();
    let other = server.add_account(&["--retention", "90"]);
    account.store("/a", tree::bytes(1, 1_500_000));
    other.store("/b", b"b");
    let before = (account.list(), other.list());
    server.stop();
    let blobs = server.home().join("blobs-only");
    copy_tree(&server.data().join("blobs"), &blobs);
    std::fs::remove_dir_all(server.data()).expect("the disk is lost");
    std::fs::create_dir(server.data()).expect("a new one is there");
    std::fs::rename(&blobs, server.data().join("blobs")).expect("the blobs are put in place");
    let refused = server.start_in_vain();
    assert!(refused.complaint.contains("catalog rebuild"), "the way out is named: {refused:?}");
    server.run(&["catalog", "rebuild"]).expect_exit(0);
    server.start_again();
    assert_eq!((account.list(), other.list()), before, "identical name, size, times, SHA-256");
    account.expect_file("/a", &tree::bytes(1, 1_500_000));
    other.expect_file("/b", b"b");
}

#[test]
fn a_blob_is_the_uploaded_file_and_its_name_says_its_digest() {
    let mut server = TestServer::start();
    let account = server.account();
    let bytes = tree::bytes(7, 100_000);
    account.store("/dump.sql", &bytes);
    server.stop();
    let blobs = server.blobs(&account);
    assert_eq!(std::fs::read(&blobs[0]).expect("the blob is read without a server"), bytes);
    let name = blobs[0].file_name().expect("it has a name").to_string_lossy().into_owned();
    assert!(name.starts_with("dump.sql@") && name.contains(&tree::sha256(&bytes)), "{name}");
}

/// The block of `docs/disaster.md` that begins so.
fn block(begin: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/disaster.md")).expect("the document is there");
    let mut blocks = text.split("```").skip(1).step_by(2);
    blocks.find(|block| block.trim_start().starts_with(begin)).unwrap_or_else(|| panic!("{begin}")).to_owned()
}

/// Pasted into a shell, in this folder; what it printed.
#[track_caller]
fn paste(folder: &Path, lines: &str) -> String {
    let mut command = Command::new("bash");
    command.args(["-e", "-o", "pipefail", "-c", lines]).current_dir(folder).stdin(Stdio::null()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder);
    Ran::of(&command.output().expect("bash runs")).expect_exit(0).out
}

/// An agent's vault with one backup in its first generation, made by the engine as an agent makes it: where it is, and what was backed up.
fn backed_up(server: &TestServer) -> (TestAgent, Account, tempfile::TempDir) {
    let agent = TestAgent::register(&Api::new(server), "web-a");
    let opened = server.run(&["fleet", "open", &agent.id.to_string(), "--json"]).expect_exit(0).out;
    let opened: Value = serde_json::from_str(&opened).expect("JSON");
    let account = opened["access_url"].as_str().and_then(|url| Account::from_access_url(server.site(), url)).expect("an access URL");
    let password = opened["repositories"][0]["password"].as_str().expect("the server has it");
    let (vault, source) = (Vault::of(&account, "/g1/").with_password(password), planted(3));
    vault.ok(&["init"]);
    vault.backup(source.path());
    (agent, account, source)
}

fn below(folder: &Path, source: &Path) -> PathBuf {
    folder.join(source.strip_prefix("/").expect("a whole path"))
}

/// No server and no program of ours: the lines of the document, Python and stock restic.
#[test]
fn blobs_and_the_vault_secret_are_enough_for_stock_restic() {
    let (Some(_), Some(_)) = (program(&["restic"]), program(&["python3"])) else { return skip("restic or python3 is not installed") };
    let mut server = TestServer::start();
    let (_, account, source) = backed_up(&server);
    server.stop();
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(elsewhere.path().join("data")).expect("a folder is made");
    copy_tree(&server.data().join("blobs"), &elsewhere.path().join("data/blobs"));
    copy_tree(&server.data().join("vault-secret"), &elsewhere.path().join("vault-secret"));
    let lines = block("export RESTIC_PASSWORD=$(python3").replace("ACCOUNT", &account.user);
    paste(elsewhere.path(), &lines);
    assert_eq!(contents(&below(&elsewhere.path().join("restored"), source.path())), contents(source.path()));
    paste(elsewhere.path(), &lines.replace("snapshots", "check --read-data").replace("target restored", "target again"));
}

#[test]
fn fleet_open_is_enough_for_stock_restic() {
    if program(&["restic"]).is_none() {
        return skip("restic is not installed");
    }
    let server = TestServer::start();
    let (agent, _, source) = backed_up(&server);
    // The shell's `strongroom` says what the real one does, with the port that the test's server listens on.
    let said = server.run(&["fleet", "open", &agent.id.to_string()]).expect_exit(0).out;
    let (begin, rest) = said.split_once("rest:https://").expect("a repository");
    let (who, rest) = rest.split_once('@').expect("user and password");
    let (_, path) = rest.split_once('/').expect("a path");
    let origin = server.site().origin();
    let said = format!("{begin}rest:{}", origin.replace("://", &format!("://{who}@")) + "/" + path);
    let here = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(here.path().join("said"), said).expect("a file is written");
    let lines = block("eval \"$(strongroom fleet open").replace("/mnt/restored", "restored").replace("1001", &agent.id.to_string());
    paste(here.path(), &format!("strongroom() {{ [ \"$*\" = \"fleet open {}\" ] && cat said; }}\n{lines}", agent.id));
    assert_eq!(contents(&below(&here.path().join("restored"), source.path())), contents(source.path()));
}

/// The server's data is brought to another machine, and the agents are told where: their ids, vaults and backups go on.
#[test]
fn agents_go_on_at_a_server_that_has_moved() {
    let mut estate = Estate::new();
    let mut agent = estate.agent("web-a");
    let source = estate.planted("source", 4, 4);
    let configuration = estate.configure(&agent, &source, &json!({}));
    let before = estate.api.complete(configuration);
    estate.server.stop();
    let (data, copy) = (estate.server.data(), estate.server.home().join("copy"));
    copy_tree(&data, &copy);
    std::fs::remove_dir_all(&data).expect("the machine is gone");
    std::fs::rename(&copy, &data).expect("the copy is put in place");
    // At another port; the line by which the agent knew it leads nowhere any more.
    estate.server.start_again();
    agent.stop();
    agent.run(&["set", "--server", &estate.server.site().origin()]).expect_exit(0);
    agent.start();
    let stored = estate.bytes_on_disk();
    let after = estate.api.complete(configuration);
    let grown = estate.bytes_on_disk() - stored;
    assert!(grown < 100_000, "what the vault had is not stored again: {grown} bytes");
    for backup in [before, after] {
        let target = estate.path(&format!("of {backup}"));
        estate.api.restore(&Wanted::all(backup, agent.id, &target));
        assert_eq!(seen(&below(&target, &source)), seen(&source), "backup {backup}");
    }
}
