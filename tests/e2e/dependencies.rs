//! What is built in that others wrote: named, counted, licensed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::figure::figure;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Crates of the binary itself, without what only tests use.
fn built_in() -> BTreeSet<String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_dependency_is_locked_and_the_harmful_ones_are_denied_by_name() {
    let (lock, deny) = (read("Cargo.lock"), read("deny.toml"));
    let locked: Vec<&str> = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    let denied = ["rsa", "tokio-tar", "openssl", "openssl-sys"];
    for name in denied {
        assert!(deny.contains(&format!("{{ crate = \"{name}\", reason = ")), "deny.toml names {name} with a reason");
        assert!(!locked.contains(&name), "{name} is locked");
    }
    let exceptions: Vec<&str> = deny.lines().filter(|line| line.contains("RUSTSEC-")).filter(|line| line.contains("id =")).collect();
    for exception in &exceptions {
        assert!(exception.contains("reason") && exception.contains("20"), "an exception has a reason and a date: {exception}");
    }
    let sources: BTreeSet<&str> = lock.lines().filter_map(|line| line.strip_prefix("source = \"")).collect();
    assert_eq!(sources.len(), 1, "one registry: {sources:?}");
    let built_in = built_in();
    assert!(built_in.contains("hyper") && built_in.len() < locked.len(), "{built_in:?}");
    let advisories = std::env::var("STRONGROOM_ADVISORIES").unwrap_or_else(|_| "not asked for outside tests/run".to_owned());
    figure(
        "S25",
        "dependencies",
        &format!(
            "{} crates locked, {} in the binary; {} denied by name; {} exceptions; advisories: {advisories}",
            locked.len(),
            built_in.len() - 1,
            denied.join(", "),
            exceptions.len()
        ),
        None,
    );
}

/// Names and versions of a lock.
fn locked(lock: &str) -> BTreeSet<(String, String)> {
    let lines: Vec<&str> = lock.lines().collect();
    let value = |line: &str, key: &str| line.strip_prefix(key)?.strip_suffix('"').map(str::to_owned);
    lines.windows(2).filter_map(|pair| Some((value(pair[0], "name = \"")?, value(pair[1], "version = \"")?))).collect()
}

/// The fuzzers have a lock of their own, which `cargo` mends without a word when it has grown old.
#[test]
fn the_fuzzers_are_built_from_the_versions_that_the_binary_is_built_from() {
    let (own, fuzz) = (locked(&read("Cargo.lock")), locked(&read("fuzz/Cargo.lock")));
    let is_ours = |name: &str| own.iter().any(|(locked, _)| locked == name);
    let strange: Vec<_> = fuzz.iter().filter(|locked| is_ours(&locked.0) && !own.contains(*locked)).collect();
    assert!(strange.is_empty(), "other versions than in Cargo.lock: {strange:?}");
    let missing: Vec<_> = built_in().into_iter().filter(|name| !fuzz.iter().any(|(locked, _)| locked == name)).collect();
    assert!(missing.is_empty(), "not in fuzz/Cargo.lock: {missing:?}");
}

/// The lint denies unsafe code; nothing of the product opens a door in it but what was reviewed.
#[test]
fn unsafe_code_is_in_the_reviewed_files_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<_> = crate::support::tree::files_below(&root.join("src"))
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "rs"))
        .collect();
    let is_unsafe = |file: &&std::path::PathBuf| {
        let text = std::fs::read_to_string(file).expect("a source file is UTF-8");
        text.lines().any(|line| line.contains("allow(unsafe_code)") || line.trim_start().starts_with("unsafe "))
    };
    let found: Vec<String> =
        files.iter().filter(is_unsafe).map(|file| file.strip_prefix(root).expect("it is below the root").display().to_string()).collect();
    assert!(read("Cargo.toml").contains("unsafe_code = \"deny\""));
    figure("S28", "unsafe", &format!("{} source files, {} with unsafe code", files.len(), found.len()), None);
    assert!(files.len() > 100, "{files:#?}");
    let reviewed: BTreeSet<String> = crate::house::REVIEWED.iter().map(|file| (*file).to_owned()).collect();
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), reviewed);
}
