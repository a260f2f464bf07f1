//! What long work in a vault draws on a terminal.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::restic::vault;
use crate::support::server::TestServer;
use crate::support::vault::Vault;
use crate::support::{program, skip, tree};

/// What a command shows on a terminal.
fn drawn(script: &Path, vault: &Vault, words: &[&str]) -> String {
    let plain = vault.command(words);
    let words = std::iter::once(plain.get_program()).chain(plain.get_args());
    let line: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let mut command = Command::new(script);
    command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    let output = command.args(["-qec", &line.join(" "), "/dev/null"]).stdin(Stdio::null()).output().expect("script runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn backups_and_restores_draw_a_bar_on_a_terminal_and_nothing_elsewhere() {
    let Some(script) = program(&["script"]) else { return skip("script is not installed") };
    let server = TestServer::start();
    let vault = Vault::of(&vault(&server), "/");
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = home.path().join("source");
    vault.ok(&["init"]);
    std::fs::create_dir(&source).expect("a folder is made");
    let write = |seed| std::fs::write(source.join("file"), tree::bytes(seed, 8 << 20)).expect("a file is written");
    let (path, target) = (source.display().to_string(), home.path().join("target").display().to_string());
    // Two seconds, so that there is something to draw.
    let backup = &["backup", &path, "--limit-upload", "4096"][..];
    let restore = &["restore", "latest", "--target", &target][..];
    for (seed, words) in [(1, backup), (1, restore)] {
        write(seed);
        let shown = drawn(&script, &vault, words);
        assert!(shown.contains("% of 8.00 MiB") && shown.contains(" left"), "{shown:?}");
    }
    write(2);
    let backup_json = [backup, &["--json"]].concat();
    assert!(!drawn(&script, &vault, &backup_json).contains("% of"), "what asks for JSON is no person");
    for (seed, words) in [(3, backup), (3, restore)] {
        write(seed);
        let piped = vault.run(words);
        assert!(piped.exit == 0 && !piped.out.contains("% of") && !piped.complaint.contains("% of"), "{piped:?}");
    }
}

#[test]
fn checks_and_prunes_draw_a_bar_on_a_terminal_and_nothing_elsewhere() {
    let Some(script) = program(&["script"]) else { return skip("script is not installed") };
    let home = tempfile::tempdir().expect("a temporary folder");
    let (vault, source) = (Vault::at(home.path().join("repository")), home.path().join("source"));
    vault.ok(&["init"]);
    std::fs::create_dir(&source).expect("a folder is made");
    std::fs::write(source.join("stays"), tree::bytes(1, 6 << 20)).expect("a file is written");
    std::fs::write(source.join("goes"), tree::bytes(2, 6 << 20)).expect("a file is written");
    vault.ok(&["backup", &source.display().to_string()]);
    std::fs::remove_file(source.join("goes")).expect("a file is removed");
    vault.ok(&["backup", &source.display().to_string()]);
    let drawn = |words: &[&str]| drawn(&script, &vault, words);
    let check = &["check", "--read-data"][..];
    assert!(drawn(check).contains("% of 12."), "{:?}", drawn(check));
    let piped = vault.run(check);
    assert!(!piped.out.contains("% of") && !piped.complaint.contains("% of"), "{piped:?}");
    let prune = &["forget", "--keep-last", "1", "--prune"][..];
    let shown = drawn(prune);
    assert!(shown.contains("% of ") && shown.contains("Removed"), "{shown:?}");
}
