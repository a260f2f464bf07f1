//! The same patterns, given to stock restic and to us, leave out the same of a small tree.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Patterns;
use crate::vault::source::testing;

/// Few names, so that patterns and paths meet.
const NAMES: [&str; 6] = ["a", "b", "ab", "A", "é", "[x]"];
const SEGMENTS: [&str; 17] =
    ["a", "b", "ab", "A", "é", "*", "?", "??", "a*", "*b", "[ab]", "[^a]", "\\[x\\]", "**", "**", "[a-z]?", "E\\*"];
const RUNS: usize = 16;

/// The same every time: a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % count
    }
}

fn make_tree(folder: &Path, depth: usize) {
    for name in NAMES {
        let path = folder.join(name);
        if depth == 0 {
            fs::write(&path, name).unwrap();
        } else {
            fs::create_dir(&path).unwrap();
            make_tree(&path, depth - 1);
        }
    }
}

fn pattern(dice: &mut Dice, top: &str) -> String {
    let segments: Vec<_> = (0..=dice.below(4)).map(|_| SEGMENTS[dice.below(SEGMENTS.len())]).collect();
    let joined = segments.join("/");
    match dice.below(5) {
        0 => format!("{top}/{joined}"),
        1 => format!("{top}/**/{joined}"),
        2 => format!("!{joined}"),
        _ => joined,
    }
}

/// What is not left out, as restic names it: a folder with `/` behind it.
fn taken(folder: &Path, lists: &[Patterns], found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = path.to_str().unwrap();
        if lists.iter().any(|list| list.matches(text.as_bytes())) {
            continue;
        }
        let is_folder = path.is_dir();
        found.insert(if is_folder { format!("{text}/") } else { text.to_owned() });
        if is_folder {
            taken(&path, lists, found);
        }
    }
}

#[test]
fn restic_leaves_out_the_same() {
    let Some(restic) = testing::Restic::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("t");
    fs::create_dir(&tree).unwrap();
    make_tree(&tree, 2);
    let mut dice = Dice(7);
    let mut left_out = 0;
    for _ in 0..RUNS {
        let make = |dice: &mut Dice| (0..=dice.below(3)).map(|_| pattern(dice, tree.to_str().unwrap())).collect::<Vec<_>>();
        let (plain, cased) = (make(&mut dice), if dice.below(3) == 0 { make(&mut dice) } else { Vec::new() });
        let mut command: Command = restic.command();
        command.args(["backup", "--dry-run", "--json", "-vv"]).arg(&tree);
        plain.iter().for_each(|pattern| {
            command.args(["--exclude", pattern]);
        });
        cased.iter().for_each(|pattern| {
            command.args(["--iexclude", pattern]);
        });
        let mut theirs = BTreeSet::new();
        for line in testing::output(&mut command).lines() {
            let said: Value = serde_json::from_str(line).unwrap();
            let item = said["item"].as_str().unwrap_or_default();
            theirs.extend(
                (said["message_type"] == "verbose_status" && item.len() > tree.to_str().unwrap().len() + 1).then(|| item.to_owned()),
            );
        }
        let lists = [Patterns::parse(&plain).unwrap(), Patterns::parse_ignoring_case(&cased).unwrap()];
        let mut ours = BTreeSet::new();
        if !lists.iter().any(|list| list.matches(tree.to_str().unwrap().as_bytes())) {
            taken(&tree, &lists, &mut ours);
        }
        left_out += usize::from(ours.len() < 258);
        assert_eq!(ours, theirs, "--exclude {plain:?} --iexclude {cased:?}");
    }
    assert!(left_out > RUNS / 2, "most patterns should leave out something: {left_out}");
}
