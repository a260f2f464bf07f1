//! Sources: where they lie in a backup, and what is said of those that are not there.

use std::os::unix::ffi::OsStrExt;

use super::*;

#[test]
fn an_absolute_source_has_the_folders_above_it_with_their_metadata() {
    let dir = tree(&["a/b/f", "a/other"]);
    let source = dir.path().join("a/b");
    let mut modes = Vec::new();
    fs::set_permissions(dir.path().join("a"), std::os::unix::fs::PermissionsExt::from_mode(0o751)).unwrap();
    let walk = Walk { select: &Everything, cancel: &Cancel::default(), with_atime: false };
    walk.run(&[source], &mut |step| {
        if let Step::Leave { node, .. } = step {
            modes.push((node.name, node.metadata.mode));
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(modes[..2].iter().map(|(name, _)| name.as_slice()).collect::<Vec<_>>(), [b"b", b"a"]);
    let top: PathBuf = dir.path().components().take(2).collect();
    let top_mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(top).unwrap()) & 0o7777;
    assert_eq!((modes[1].1, modes.last().unwrap().1), (0o751, top_mode));
}

#[test]
fn a_relative_source_is_found_from_where_the_program_runs() {
    let dir = tree(&["t/f"]);
    let current = std::env::current_dir().unwrap();
    let up = "../".repeat(current.components().count() - 1);
    let source = PathBuf::from(format!("{up}{}", dir.path().join("t").strip_prefix("/").unwrap().display()));
    let lines = lines_of(&[source], &Everything, dir.path());
    let first = dir.path().components().nth(1).unwrap().as_os_str().display().to_string();
    assert_eq!(lines[0], format!("/{first} as {first} {{"));
    assert!(lines.contains(&"t/f as f".to_owned()), "{lines:?}");
}

#[test]
fn sources_that_are_files_and_links_are_kept_as_such() {
    let dir = tree(&["f", "d/x"]);
    symlink("d", dir.path().join("link")).unwrap();
    let of = |name: &str| dir.path().join(name);
    let lines = lines_of(&[of("link/"), of("f"), of("link")], &Everything, dir.path());
    let entries: Vec<_> = lines.iter().filter(|line| !line.ends_with('{') && !line.starts_with('}')).collect();
    assert_eq!(entries, ["f as f", "link as link"]);
    let lines = lines_of(&[of("link/x")], &Everything, dir.path());
    assert!(lines.contains(&"link as link {".to_owned()) && lines.contains(&"link/x as x".to_owned()), "a link above is a folder");
}

#[test]
fn several_sources_are_one_tree_and_none_comes_twice() {
    let dir = tree(&["a/f", "a/g/h", "b/i"]);
    let of = |name: &str| dir.path().join(name);
    let lines = lines_of(&[of("b"), of("a/g"), of("a")], &Everything, dir.path());
    let begin = lines.iter().position(|line| line == "a as a {").unwrap();
    let expected = ["a as a {", "a/f as f", "a/g as g {", "a/g/h as h", "} g", "} a", "b as b {", "b/i as i", "} b"];
    assert_eq!(lines[begin..begin + expected.len()], expected);
}

#[test]
fn a_missing_source_is_named_and_without_any_there_is_no_walk() {
    let dir = tree(&["f"]);
    let (there, gone) = (dir.path().join("f"), dir.path().join("gone"));
    let lines = lines_of(&[gone.clone(), there], &Everything, dir.path());
    assert_eq!(lines[0], "gone: find Some(2)");
    assert!(lines.contains(&"f as f".to_owned()));
    let walk = Walk { select: &Everything, cancel: &Cancel::default(), with_atime: false };
    let ended = walk.run(std::slice::from_ref(&gone), &mut |_| Ok(()));
    assert!(matches!(ended, Err(Error::NotFound(named)) if named == gone.display().to_string()));
    assert!(matches!(walk.run(&[], &mut |_| Ok(())), Err(Error::NotFound(_))));
}

#[test]
fn names_need_not_be_text() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"\xff\n")), "").unwrap();
    assert!(inside(dir.path(), &Everything)[0].ends_with(r" as \xff\n"));
}

#[test]
fn the_top_of_the_file_system_is_what_is_in_it() {
    struct TopOnly;
    impl Select for TopOnly {
        fn by_path(&self, path: &Path) -> Verdict {
            if path == Path::new("/dev") { Verdict::Take } else { Verdict::Leave }
        }
    }
    assert_eq!(lines_of(&[PathBuf::from("/")], &TopOnly, Path::new("/")), ["dev as dev {", "} dev"]);
}
