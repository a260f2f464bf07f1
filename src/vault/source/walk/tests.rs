//! What a walk finds, in which order, and what it does where the tree changes under it.

mod changes;
mod restic;
mod sources;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::vault::source::select::{Everything, Found, Inside, Select, Verdict};

/// What a walk says, a line a step; paths are those of the file system without the beginning `top`.
fn lines_of(sources: &[PathBuf], select: &dyn Select, top: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let walk = Walk { select, cancel: &Cancel::default(), with_atime: false };
    walk.run(sources, &mut |step| {
        lines.push(line_of(&step, top));
        Ok(())
    })
    .unwrap();
    lines
}

fn line_of(step: &Step<'_>, top: &Path) -> String {
    let short = |path: &Path| path.strip_prefix(top).unwrap_or(path).display().to_string();
    match step {
        Step::Enter { name, path } => format!("{} as {} {{", short(path), name.escape_ascii()),
        Step::Entry(entry) => format!("{} as {}", short(entry.path), entry.node.name.escape_ascii()),
        Step::Leave { node, .. } => format!("}} {}", node.name.escape_ascii()),
        Step::Failed(failure) => format!("{}: {} {:?}", short(&failure.path), failure.doing, failure.errno),
    }
}

/// The lines below the source itself.
fn inside(top: &Path, select: &dyn Select) -> Vec<String> {
    let lines = lines_of(&[top.to_owned()], select, top);
    let begin = lines.iter().position(|line| line.starts_with(" as ")).expect("the source is entered");
    let end = lines.iter().rposition(|line| *line == format!("}} {}", top.file_name().unwrap().display())).expect("it is left");
    lines[begin + 1..end].to_vec()
}

fn tree(paths: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for path in paths {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
    }
    dir
}

#[test]
fn entries_come_depth_first_in_the_order_of_their_bytes() {
    let dir = tree(&["b/z", "b/c/y", "a-", "a/x", "B", "aa"]);
    symlink("/nowhere", dir.path().join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let expected = ["B as B", "a as a {", "a/x as x", "} a", "a- as a-", "aa as aa", "b as b {", "b/c as c {", "b/c/y as y", "} c"];
    let rest = ["b/z as z", "} b", "link as link"];
    assert_eq!(inside(dir.path(), &Everything), [&expected[..], &rest].concat(), "and a socket is not kept");
}

#[test]
fn an_entry_is_opened_through_its_folder() {
    let dir = tree(&["f"]);
    let walk = Walk { select: &Everything, cancel: &Cancel::default(), with_atime: false };
    let mut text = String::new();
    let mut on_step = |step: Step<'_>| {
        if let Step::Entry(entry) = step {
            let (mut file, stamp) = entry.open().unwrap();
            assert_eq!(Some(stamp), Stamp::of_node(&entry.node));
            io::Read::read_to_string(&mut file, &mut text).unwrap();
        }
        Ok(())
    };
    walk.run(&[dir.path().to_owned()], &mut on_step).unwrap();
    assert_eq!(text, "x");
}

#[test]
fn a_walk_ends_where_it_is_cancelled_or_the_callback_fails() {
    let dir = tree(&["a", "b"]);
    let cancel = Cancel::default();
    let walk = Walk { select: &Everything, cancel: &cancel, with_atime: false };
    let mut seen = 0;
    let ended = walk.run(&[dir.path().to_owned()], &mut |step| {
        if let Step::Entry(_) = step {
            seen += 1;
            cancel.raise();
        }
        Ok(())
    });
    assert!(matches!(ended, Err(Error::Cancelled)) && seen == 1);
    let walk = Walk { cancel: &Cancel::default(), ..walk };
    let ended = walk.run(&[dir.path().to_owned()], &mut |_| Err(Error::Unsupported("no".to_owned())));
    assert!(matches!(ended, Err(Error::Unsupported(_))));
}

/// As an agent's selection: the longest path that is the entry or lies above it decides.
struct Longest<'a>(&'a Path, Vec<(&'a str, bool)>);

impl Select for Longest<'_> {
    fn by_path(&self, path: &Path) -> Verdict {
        let items = self.1.iter().map(|(item, is_included)| (self.0.join(item), *is_included));
        let above = items.clone().filter(|(item, _)| path.starts_with(item));
        let is_taken = above.max_by_key(|(item, _)| item.as_os_str().len()).is_some_and(|(_, is_included)| is_included);
        let mut included = items.filter(|(_, is_included)| *is_included);
        match (is_taken, included.any(|(item, _)| item.starts_with(path))) {
            (true, _) => Verdict::Take,
            (false, true) => Verdict::Pass,
            (false, false) => Verdict::Leave,
        }
    }
}

#[test]
fn a_folder_on_the_way_to_what_is_taken_is_there_only_for_that() {
    let dir = tree(&["in/f", "in/logs/f", "in/logs/old/f", "in/logs/kept/f", "in/logs/way/none/f", "other/f"]);
    let items = vec![("", true), ("in/logs", false), ("in/logs/kept", true), ("in/logs/way/gone", true), ("other", false)];
    let lines = inside(dir.path(), &Longest(dir.path(), items));
    let logs = ["in/logs as logs {", "in/logs/kept as kept {", "in/logs/kept/f as f", "} kept", "} logs"];
    assert_eq!(lines, [&["in as in {", "in/f as f"][..], &logs, &["} in"]].concat());
}

/// Takes by path what it takes by metadata only where something below it has a name that it looks for.
struct Looking(&'static str);

impl Select for Looking {
    fn by_metadata(&self, found: &Found<'_>) -> Verdict {
        match (found.path.ends_with(self.0), found.is_folder) {
            (true, _) => Verdict::Take,
            (false, true) => Verdict::Pass,
            (false, false) => Verdict::Leave,
        }
    }
}

#[test]
fn of_the_verdicts_by_path_and_by_metadata_the_stricter_one_counts() {
    let dir = tree(&["a/f", "b/x/want", "b/y/f", "want"]);
    let lines = lines_of(&[dir.path().to_owned()], &Looking("want"), dir.path());
    let entries: Vec<_> = lines.iter().filter(|line| !line.starts_with('}')).skip_while(|line| *line != "b as b {").collect();
    assert_eq!(entries, ["b as b {", "b/x as x {", "b/x/want as want", "want as want"]);
    assert!(!lines.iter().any(|line| line.starts_with("a as")), "{lines:?}");
}

/// Leaves what its own file says.
struct Tagged;

impl Select for Tagged {
    fn inside(&self, folder: BorrowedFd<'_>) -> Inside {
        let has = |name: &str| rustix::fs::accessat(folder, name, rustix::fs::Access::EXISTS, rustix::fs::AtFlags::empty()).is_ok();
        match (has("only"), has("nothing")) {
            (true, _) => Inside::Only(b"only".to_vec()),
            (_, true) => Inside::Nothing,
            _ => Inside::All,
        }
    }
}

#[test]
fn a_folder_has_what_is_selected_inside() {
    let dir = tree(&["a/only", "a/f", "a/d/f", "b/nothing", "b/f", "c/f"]);
    let lines = inside(dir.path(), &Tagged);
    assert_eq!(lines, ["a as a {", "a/only as only", "} a", "b as b {", "} b", "c as c {", "c/f as f", "} c"]);
    let source = dir.path().join("a/f");
    assert!(!lines_of(&[source], &Tagged, dir.path()).iter().any(|line| line.contains("a/f")), "nor is a source taken there");
}

/// Takes what lies where its source lies, and remembers the file systems of what it saw.
struct Devices(std::cell::RefCell<Vec<(PathBuf, u64, u64, u64)>>);

impl Select for Devices {
    fn by_metadata(&self, found: &Found<'_>) -> Verdict {
        self.0.borrow_mut().push((found.path.to_owned(), found.device, found.parent_device, found.source_device));
        if found.path == Path::new("/dev") || found.parent_device == found.source_device { Verdict::Take } else { Verdict::Leave }
    }
}

#[test]
fn a_selection_is_told_of_file_systems() {
    let devices = Devices(std::cell::RefCell::default());
    lines_of(&[PathBuf::from("/dev")], &devices, Path::new("/"));
    let device = |path: &str| std::os::unix::fs::MetadataExt::dev(&fs::symlink_metadata(path).unwrap());
    let seen = devices.0.into_inner();
    let of = |path: &str| seen.iter().find(|(seen, ..)| seen == Path::new(path)).map(|(_, one, two, three)| (*one, *two, *three));
    assert_eq!(of("/dev"), Some((device("/dev"), device("/"), device("/dev"))));
    assert_eq!(of("/dev/pts"), Some((device("/dev/pts"), device("/dev"), device("/dev"))));
}
