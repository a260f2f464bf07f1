//! How a restore ends, and what is said on the way.

use std::sync::Arc;

use super::{Ended, Server, Stored, below, done, items, report, run, texts, with};
use crate::vault::id::Id;

fn tree() -> (tempfile::TempDir, Stored) {
    let source = tempfile::tempdir().unwrap();
    for (name, byte) in [("a", 1_u8), ("b", 2)] {
        std::fs::write(source.path().join(name), vec![byte; 1000]).unwrap();
    }
    let stored = Stored::of(source.path());
    (source, stored)
}

#[test]
fn it_prepares_then_writes_and_says_each_once() {
    let ((_source, stored), target) = (tree(), tempfile::tempdir().unwrap());
    let (ended, states) = Arc::<Server>::default().hears(&stored, &run(&stored, target.path()));
    assert_eq!(states, ["preparing", "in_progress"]);
    let report = done(ended);
    let numbers = (report.files_searched, report.bytes_searched, report.files_done, report.bytes_done, report.error_count);
    assert_eq!((report.state.as_str(), numbers), ("completed", (2, 2000, 2, 2000, 0)));
}

#[test]
fn a_stop_before_the_first_bytes_leaves_no_file() {
    let ((_source, stored), target) = (tree(), tempfile::tempdir().unwrap());
    for state in ["preparing", "in_progress"] {
        let (ended, _) = Server::stopping_at(state).hears(&stored, &run(&stored, target.path()));
        assert!(matches!(ended, Ended::Cut(report) if report.files_done == 0), "{state}");
        let mut folders = vec![target.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                assert!(path.is_dir(), "{}", path.display());
                folders.push(path);
            }
        }
    }
}

#[test]
fn each_inclusion_that_the_backup_does_not_hold_is_an_error_of_its_own() {
    let ((source, stored), target) = (tree(), tempfile::tempdir().unwrap());
    let paths = ["a", "gone", "gone/too"].map(|name| source.path().join(name));
    let report_of_some = report(&stored, &with(run(&stored, target.path()), |job| *job.inclusions = items(&paths)));
    assert_eq!(texts(&report_of_some), ("completed_with_errors", None, None));
    assert_eq!((report_of_some.files_done, report_of_some.error_count), (1, 2));
    let told: Vec<_> = report_of_some.errors.iter().map(|error| (error.kind, error.path.as_str())).collect();
    assert_eq!(told, [(102, paths[1].to_str().unwrap()), (102, paths[2].to_str().unwrap())]);
    assert!(below(target.path(), &paths[0]).exists());
    let report_of_none = report(&stored, &with(run(&stored, target.path()), |job| *job.exclusions = items(&["/"])));
    assert_eq!((texts(&report_of_none), report_of_none.files_done), (("completed", None, None), 0));
}

#[test]
fn a_damaged_chunk_costs_its_files_and_nothing_else() {
    let ((source, stored), target) = (tree(), tempfile::tempdir().unwrap());
    std::fs::write(source.path().join("other"), "other").unwrap();
    // The pack of file contents is the larger one here: trees are compressed.
    let packs = stored.files("data");
    assert_eq!(packs.len(), 2);
    for pack in packs {
        let bytes = std::fs::read(&pack).unwrap();
        std::fs::set_permissions(&pack, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let harmed: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
        std::fs::write(&pack, harmed).unwrap();
        let report = report(&stored, &run(&stored, target.path()));
        assert_eq!(texts(&report), ("completed_with_errors", None, None));
        assert!(report.errors.iter().all(|error| error.kind == 107 && !error.exception.is_empty()), "{:?}", report.errors);
        assert!(report.error_count >= 1 && report.files_done == 0);
        std::fs::write(&pack, bytes).unwrap();
    }
    assert_eq!(report(&stored, &run(&stored, target.path())).state, "completed");
}

#[test]
fn what_the_vault_does_not_have_fails_the_restore() {
    let ((_source, stored), target) = (tree(), tempfile::tempdir().unwrap());
    let other = with(run(&stored, target.path()), |job| *job.snapshot = format!("g2/snapshots/{}", Id::of(b"other")));
    let generation = with(run(&stored, target.path()), |job| *job.snapshot = format!("g3/snapshots/{}", stored.snapshot));
    for run in [other, generation] {
        let report = report(&stored, &run);
        assert_eq!((report.state.as_str(), report.reason.as_deref()), ("failed", Some("AgentError")));
    }
    std::fs::remove_file(stored.folder.path().join("config")).unwrap();
    let report = report(&stored, &run(&stored, target.path()));
    assert_eq!((report.state.as_str(), report.reason.as_deref()), ("failed", Some("VaultMissing")));
}
