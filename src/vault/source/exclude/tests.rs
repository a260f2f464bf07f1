//! What is left out, option by option; restic's answers to the same are with the walk.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::PathBuf;

use super::*;
use crate::vault::cancel::Cancel;
use crate::vault::source::walk::{Step, Walk};

fn found(is_folder: bool, size_bytes: u64, devices: [u64; 3]) -> Found<'static> {
    let [device, parent_device, source_device] = devices;
    Found { path: Path::new("/x"), is_folder, size_bytes, device, parent_device, source_device }
}

#[test]
fn a_path_that_one_list_means_is_left() {
    let list = |pattern: &str| Patterns::parse(&[pattern]).unwrap();
    let exclude = Exclude { patterns: vec![list("*.o"), list("!*"), list("/tmp")], ..Exclude::default() };
    for (path, verdict) in [("/a/x.o", Verdict::Leave), ("/tmp/x", Verdict::Leave), ("/a/x", Verdict::Take)] {
        assert_eq!(exclude.by_path(Path::new(path)), verdict, "{path}");
    }
}

#[test]
fn large_files_are_left_but_no_folders() {
    let exclude = Exclude { larger_than_bytes: Some(10), ..Exclude::default() };
    for (is_folder, size_bytes, is_taken) in [(false, 10, true), (false, 11, false), (true, 4_096, true)] {
        assert_eq!(exclude.by_metadata(&found(is_folder, size_bytes, [1; 3])) == Verdict::Take, is_taken);
    }
}

#[test]
fn on_one_file_system_a_mount_point_is_kept_and_nothing_below_it() {
    let one = Exclude { one_file_system: true, ..Exclude::default() };
    for (is_folder, devices, is_taken) in [
        (false, [1, 1, 1], true),
        (true, [2, 1, 1], true),
        (false, [2, 1, 1], false),
        (true, [2, 2, 1], false),
        (false, [2, 2, 1], false),
        (true, [3, 2, 1], false),
    ] {
        assert_eq!(one.by_metadata(&found(is_folder, 0, devices)) == Verdict::Take, is_taken, "{is_folder} {devices:?}");
        assert_eq!(Exclude::default().by_metadata(&found(is_folder, 0, devices)), Verdict::Take);
    }
}

#[test]
fn what_is_mounted_below_a_source_is_not_walked() {
    let one = Exclude { one_file_system: true, ..Exclude::default() };
    let mut lines = Vec::new();
    let walk = Walk { select: &one, cancel: &Cancel::default(), with_atime: false };
    walk.run(&[PathBuf::from("/dev")], &mut |step| {
        match step {
            Step::Enter { path, .. } => lines.push(path.display().to_string()),
            Step::Leave { node, .. } => lines.push(format!("end of {}", node.name.escape_ascii())),
            Step::Entry(entry) => lines.push(entry.path.display().to_string()),
            Step::Failed(_) => {}
        }
        Ok(())
    })
    .unwrap();
    let at = lines.iter().position(|line| line == "/dev/pts").expect("pseudo-terminals are mounted there");
    assert_eq!(lines[at + 1], "end of pts");
}

#[test]
fn a_marked_folder_keeps_nothing_but_its_mark() {
    let dir = tempfile::tempdir().unwrap();
    let inside = |specs: &[&str]| {
        let tag_files = specs.iter().map(|spec| TagFile::parse(spec.as_bytes()).unwrap()).collect();
        Exclude { tag_files, ..Exclude::default() }.inside(File::open(dir.path()).unwrap().as_fd())
    };
    fs::write(dir.path().join("a"), "head and more").unwrap();
    fs::write(dir.path().join("b"), "").unwrap();
    for (specs, expected) in [
        (&[][..], Inside::All),
        (&["c"], Inside::All),
        (&["a"], Inside::Only(b"a".to_vec())),
        (&["a:head"], Inside::Only(b"a".to_vec())),
        (&["a:other"], Inside::All),
        (&["b:x"], Inside::All),
        (&["a", "a:head", "c"], Inside::Only(b"a".to_vec())),
        (&["a", "b"], Inside::Nothing),
    ] {
        assert_eq!(inside(specs), expected, "{specs:?}");
    }
}
