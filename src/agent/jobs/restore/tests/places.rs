//! Where files go, and what is there already.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{Stored, below, items, report, run, texts, with};

/// A folder with two files in one folder and one in another.
fn tree() -> (tempfile::TempDir, Stored) {
    let source = tempfile::tempdir().unwrap();
    for name in ["www/index.html", "www/log/access", "etc/hosts"] {
        let path = source.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    let stored = Stored::of(source.path());
    (source, stored)
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

fn texts_of(paths: &[PathBuf]) -> Vec<Option<String>> {
    paths.iter().map(|path| std::fs::read_to_string(path).ok()).collect()
}

#[test]
fn what_is_selected_is_made_below_the_destination_with_its_whole_path() {
    let ((source, stored), target) = (tree(), tempfile::tempdir().unwrap());
    // Symlinks in the destination's own path are the operator's.
    symlink(target.path(), target.path().join("link")).unwrap();
    let destination = target.path().join("link/new/folder");
    let (www, log) = (source.path().join("www"), source.path().join("www/log"));
    let run = with(run(&stored, &destination), |job| (*job.inclusions, *job.exclusions) = (items(&[&www]), items(&[&log])));
    let report = report(&stored, &run);
    assert_eq!(texts(&report), ("completed", None, None));
    let at = |name: &str| below(&target.path().join("new/folder"), &source.path().join(name));
    assert_eq!(texts_of(&[at("www/index.html")]), [Some("www/index.html".to_owned())]);
    assert!(!at("www/log").exists() && !at("etc").exists());
    assert_eq!((report.files_done, report.bytes_done), (1, 14));
}

#[test]
fn original_paths_are_restored_without_a_change_to_folders_above_them() {
    let (source, stored) = tree();
    let (www, index) = (source.path().join("www"), source.path().join("www/index.html"));
    // All that lie above: the temporary folder of the machine, the source, and the folder that the file is in.
    mode(source.path(), 0o711);
    mode(&www, 0o750);
    let machines = source.path().parent().unwrap();
    let before = (mode_of(machines), mode_of(Path::new("/")));
    std::fs::remove_file(&index).unwrap();
    let run = with(run(&stored, Path::new("")), |job| *job.inclusions = items(&[&index]));
    assert_eq!(texts(&report(&stored, &run)), ("completed", None, None));
    assert_eq!(texts_of(&[index]), [Some("www/index.html".to_owned())]);
    assert_eq!((mode_of(source.path()), mode_of(&www)), (0o711, 0o750));
    assert_eq!((mode_of(machines), mode_of(Path::new("/"))), before);
}

#[test]
fn restoring_all_gives_its_folders_their_metadata_but_not_those_above_the_backup() {
    let (source, stored) = tree();
    let outer = tempfile::tempdir().unwrap();
    let again = below(outer.path(), source.path());
    std::fs::create_dir_all(again.join("www")).unwrap();
    for path in [again.parent().unwrap(), &again, &again.join("www")] {
        mode(path, 0o701);
    }
    assert_eq!(texts(&report(&stored, &run(&stored, outer.path()))), ("completed", None, None));
    assert_eq!(mode_of(again.parent().unwrap()), 0o701);
    assert_eq!((mode_of(&again), mode_of(&again.join("www"))), (mode_of(source.path()), mode_of(&source.path().join("www"))));
}

#[test]
fn files_that_are_there_stay_or_are_replaced_as_was_asked_for() {
    let ((source, stored), target) = (tree(), tempfile::tempdir().unwrap());
    let at = |name: &str| below(target.path(), &source.path().join(name));
    std::fs::create_dir_all(at("www")).unwrap();
    std::fs::write(at("www/index.html"), "mine").unwrap();
    let keeping = with(run(&stored, target.path()), |job| *job.overwrite = false);
    let report_of_first = report(&stored, &keeping);
    assert_eq!(texts(&report_of_first), ("completed", None, Some("1 entry was there already and was left as it was.")));
    assert_eq!(texts_of(&[at("www/index.html")]), [Some("mine".to_owned())]);
    assert_eq!((report_of_first.files_done, report_of_first.files_searched), (2, 3));
    // As after a kill: done again from the start.
    let report_of_second = report(&stored, &keeping);
    assert_eq!(texts(&report_of_second), ("completed", None, Some("3 entries were there already and were left as they were.")));
    assert_eq!(texts(&report(&stored, &run(&stored, target.path()))), ("completed", None, None));
    assert_eq!(texts_of(&[at("www/index.html")]), [Some("www/index.html".to_owned())]);
}

#[test]
fn no_symlink_below_the_destination_is_followed() {
    let ((source, stored), target) = (tree(), tempfile::tempdir().unwrap());
    let outside = tempfile::tempdir().unwrap();
    let again = below(target.path(), source.path());
    std::fs::create_dir_all(&again).unwrap();
    symlink(outside.path(), again.join("www")).unwrap();
    let report = report(&stored, &run(&stored, target.path()));
    assert_eq!(texts(&report), ("completed_with_errors", None, None));
    assert_eq!(report.errors[0].path, source.path().join("www").to_str().unwrap());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(again.join("etc/hosts").exists());
}

#[test]
fn a_destination_that_cannot_be_made_or_is_none_fails_the_restore() {
    let ((_source, stored), target) = (tree(), tempfile::tempdir().unwrap());
    std::fs::write(target.path().join("file"), "mine").unwrap();
    symlink("nowhere", target.path().join("dangling")).unwrap();
    for bad in
        ["file", "file/below", "dangling"].map(|name| target.path().join(name)).iter().chain(&[r"C:\restore", "srv"].map(PathBuf::from))
    {
        let report = report(&stored, &run(&stored, bad));
        assert_eq!((report.state.as_str(), report.reason.as_deref()), ("failed", Some("DestinationNotWritable")), "{}", bad.display());
        assert!(report.note.is_some_and(|note| note.ends_with('.')));
    }
    assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 2);
}
