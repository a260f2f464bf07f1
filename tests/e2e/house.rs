//! The house rules that a machine can check: who imports whom, sizes, names, and that everything written is true.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::tree::files_below;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `folder`: its path from the root, and its text.
fn rust_files(folder: &str) -> Vec<(PathBuf, String)> {
    let files = files_below(&root().join(folder)).into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    files
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source file is UTF-8");
            (path.strip_prefix(root()).expect("it is below the root").to_owned(), text)
        })
        .collect()
}

/// The text without its tests, which stand at the end of a file, and without comments.
fn code(text: &str) -> String {
    let tests = text.match_indices("#[cfg(test)]\n").find(|(at, mark)| {
        let line = text[at + mark.len()..].lines().next().unwrap_or_default();
        line.contains("mod ") && line.ends_with('{')
    });
    let before_tests = &text[..tests.map_or(text.len(), |(at, _)| at)];
    before_tests.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// Files and folders that a `#[cfg(test)] mod name;` brings in.
fn test_modules(files: &[(PathBuf, String)]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (path, text) in files {
        let is_folder = path.file_name().is_some_and(|name| name == "mod.rs" || name == "lib.rs" || name == "main.rs");
        let folder = if is_folder { path.parent().expect("a file is in a folder").to_owned() } else { path.with_extension("") };
        for (at, mark) in text.match_indices("#[cfg(test)]\n") {
            let line = text[at + mark.len()..].lines().next().unwrap_or_default();
            if let Some(name) = line.strip_suffix(';').and_then(|line| line.rsplit_once("mod ")).map(|(_, name)| name) {
                found.extend([folder.join(name), folder.join(format!("{name}.rs"))]);
            }
        }
    }
    found
}

/// The sources without what only tests use, tests and comments cut out.
fn product() -> Vec<(PathBuf, String)> {
    let files = rust_files("src");
    let tests = test_modules(&files);
    let is_product = |path: &Path| !tests.iter().any(|test| path.starts_with(test));
    files.into_iter().filter(|(path, _)| is_product(path)).map(|(path, text)| (path, code(&text))).collect()
}

/// The part of the house a file belongs to: `store` for `src/store/list.rs`.
fn part_of(path: &Path) -> String {
    let first = path.strip_prefix("src").expect("a source file").components().next().expect("a file has a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

#[test]
fn parts_import_only_what_is_below_them() {
    let everybody = ["config", "clock", "shutdown", "fault_point"];
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("model", &[][..]),
        ("config", &["model"]),
        ("clock", &["model"]),
        ("shutdown", &["model"]),
        ("logging", &["model", "config"]),
        ("wire", &["model"]),
        ("vault", &["model"]),
        ("store", &["model"]),
        ("server", &["store", "wire", "model", "logging"]),
        ("agent", &["vault", "wire", "model"]),
    ]);
    let mut wrong = Vec::new();
    for (path, text) in rust_files("src") {
        let part = part_of(&path);
        let Some(below) = allowed.get(part.as_str()) else { continue };
        for (at, _) in text.match_indices("crate::") {
            let name: String = text[at + 7..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let is_shared = everybody.contains(&name.as_str()) && part != "model" && !everybody.contains(&part.as_str());
            // Only tests see it.
            let is_figure = name == "figure";
            if name != part && !below.contains(&name.as_str()) && !is_shared && !is_figure && !name.is_empty() {
                wrong.push(format!("{} imports {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_import_climbs_out_of_its_part() {
    let mut wrong = Vec::new();
    for (path, code) in product() {
        let below = path.strip_prefix("src").expect("a source file");
        let is_folder = below.file_name().is_some_and(|name| name == "mod.rs");
        let depth = below.components().count() - usize::from(is_folder);
        if depth > 0 && code.contains(&"super::".repeat(depth)) {
            wrong.push(format!("{} climbs to the root", path.display()));
        }
        if code.lines().any(|line| line.trim_start().starts_with("use ") && line.contains("::*")) {
            wrong.push(format!("{} has a glob", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_short_and_in_no_drawer() {
    let mut wrong = Vec::new();
    for (path, text) in rust_files("src").into_iter().chain(rust_files("tests")) {
        let lines = text.lines().count();
        if lines > 400 {
            wrong.push(format!("{} has {lines} lines", path.display()));
        }
        if path.iter().any(|part| {
            ["util", "utils", "helper", "helpers", "common", "misc"]
                .iter()
                .any(|drawer| part.to_string_lossy().trim_end_matches(".rs") == *drawer)
        }) {
            wrong.push(format!("{} is a drawer", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What may hold unsafe code: each was read for it, and says why there is no other way.
pub const REVIEWED: [&str; 3] =
    ["src/store/catalog/sqlite/system_error.rs", "src/store/catalog/sqlite/shared_memory.rs", "src/vault/two_hashes/x86.rs"];

#[test]
fn files_are_finished_and_say_what_they_are() {
    let introduced: Vec<PathBuf> =
        rust_files("src").into_iter().filter(|(_, text)| text.starts_with("//!")).map(|(path, _)| path).collect();
    let mut wrong = Vec::new();
    for (path, code) in product() {
        if !introduced.contains(&path) && path != Path::new("src/main.rs") {
            wrong.push(format!("{} does not say what it is", path.display()));
        }
        for word in ["todo!(", "unimplemented!(", "FIXME", "XXX", ".unwrap()", "unsafe {", "println!("] {
            let is_reviewed = word == "unsafe {" && REVIEWED.iter().any(|reviewed| path == Path::new(reviewed));
            if code.contains(word) && !is_reviewed {
                wrong.push(format!("{} has {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn binary(arguments: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_strongroom")).args(arguments).output().expect("the binary runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_setting_is_told_of() {
    let example = read("config.example.toml");
    let told = format!("{}{}", read("README.md"), binary(&["serve", "--help"]));
    let mut count = 0;
    for line in example.lines() {
        let line = line.trim_start_matches(['#', ' ']);
        let Some((name, _)) = line.split_once(" = ") else { continue };
        if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            continue;
        }
        count += 1;
        let flag = format!("--{}", name.replace('_', "-"));
        assert!(told.contains(&flag) || told.contains(name), "{name} is in neither README nor --help");
    }
    assert!(count >= 20, "the example holds every setting: {count}");
}

#[test]
fn the_readme_shows_the_walk_through_word_for_word() {
    let readme = read("README.md");
    for line in [
        "tar czf data.20100523.tar.gz file1 file2",
        "-T data.20100523.tar.gz",
        "Stored /data.20100523.tar.gz",
        "/data.20100523.tar.gz | tar xz",
        "X-HTTP-Method-Override: MAKESESSION",
    ] {
        assert!(readme.contains(line), "{line}");
    }
}

#[test]
fn every_command_that_the_readme_shows_exists() {
    let readme = read("README.md");
    let help = binary(&["--help"]);
    for line in readme.lines().map(|line| line.trim().trim_start_matches("$ ")).filter(|line| line.starts_with("strongroom ")) {
        let words: Vec<&str> =
            line.split_whitespace().skip(1).take_while(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')).collect();
        let commands: Vec<&str> = words.iter().copied().take_while(|word| !word.starts_with('-')).take(2).collect();
        if let Some(command) = commands.first() {
            assert!(help.contains(command), "{line}");
        }
    }
}

#[test]
fn the_service_file_names_settings_that_exist() {
    let unit = read("deploy/strongroom.service");
    assert!(unit.contains("ExecStart="), "{unit}");
    assert!(unit.contains("NoNewPrivileges=yes") || unit.contains("NoNewPrivileges=true"), "{unit}");
}
