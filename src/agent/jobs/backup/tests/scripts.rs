//! Scripts around a backup.

use super::*;

/// With scripts that leave a mark each, and the backup between them.
fn rig_with(pre: &str, post: &str) -> Rig {
    let mut rig = Rig::new(&["a"]);
    rig.allow_scripts = true;
    let mark = |name: &str| format!("echo >> '{}'", rig.at(name).display());
    let (pre, post) = (format!("{}; {pre}", mark("before")), format!("{}; {post}", mark("after")));
    rig.scripts(&pre, &post);
    rig
}

/// Which scripts have run.
fn ran(rig: &Rig) -> (bool, bool) {
    (rig.at("before").exists(), rig.at("after").exists())
}

#[test]
fn scripts_run_around_the_backup() {
    let mut rig = Rig::new(&["a"]);
    rig.allow_scripts = true;
    let dump = rig.at("source/dump");
    rig.scripts(&format!("echo data > '{0}'", dump.display()), &format!("rm '{0}'", dump.display()));
    let report = rig.ends("completed");
    assert_eq!(rig.files_of(&report), pairs(&[("source/a", "a"), ("source/dump", "data\n")]));
    assert!(!dump.exists());
}

#[test]
fn scripts_that_are_not_allowed_do_not_run_and_that_is_noted() {
    let mut rig = rig_with("true", "true");
    rig.allow_scripts = false;
    let note = rig.ends("completed").note;
    assert_eq!(ran(&rig), (false, false));
    assert_eq!(note.as_deref(), Some("Its scripts were not run: the agent was not started with --allow-scripts."));
    rig.scripts(" ", "\n");
    rig.run.id = 8;
    assert_eq!(rig.ends("completed").note, None, "there are none");
}

#[test]
fn a_prescript_that_fails_is_the_end() {
    let rig = rig_with("echo 'cannot freeze' >&2; exit 3", "true");
    let (reason, note) = rig.fails();
    assert_eq!((reason.as_str(), note.as_str()), ("PrescriptFailed", "The prescript failed: exit status 3: cannot freeze."));
    assert_eq!((ran(&rig), rig.snapshots().len(), rig.said.lock().unwrap().len()), ((true, false), 0, 0));
}

#[test]
fn a_prescript_that_takes_too_long_is_ended() {
    let mut rig = rig_with("sleep 1000", "true");
    rig.terms.prescript = Limits { in_all: Duration::from_millis(200), once_stopped: Duration::ZERO, grace: Duration::from_secs(60) };
    let (reason, note) = rig.fails();
    assert!(reason == "PrescriptFailed" && note.contains("did not end within"), "{note}");
    assert!(!ran(&rig).1);
}

#[test]
fn a_postscript_that_fails_is_an_error_and_the_snapshot_stays() {
    let rig = rig_with("true", "echo 'cannot thaw' >&2; exit 1");
    let report = rig.ends("completed_with_errors");
    let error = &report.errors[0];
    assert_eq!((report.error_count, error.kind, error.exception.as_str()), (1, 101, "Exit status 1: cannot thaw."));
    assert_eq!(rig.snapshots().len(), 1);
}

#[test]
fn the_postscript_thaws_whatever_became_of_the_backup() {
    let mut rig = rig_with("true", "true");
    rig.select(&["gone"], &[]);
    assert_eq!(rig.fails().0, "SelectionMissing");
    assert_eq!(ran(&rig), (true, true));

    let mut rig = rig_with("true", "true");
    rig.at_preparing = Box::new(|rig| rig.leash.pull(Why::Stopped));
    assert!(rig.back_up().is_cut);
    assert_eq!(ran(&rig), (true, true), "after a stop, too");
}

#[test]
fn a_stop_ends_the_prescript() {
    let rig = rig_with("sleep 1000", "true");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !rig.at("before").exists() {
                std::thread::yield_now();
            }
            rig.leash.pull(Why::Stopped);
        });
        assert!(rig.back_up().is_cut);
    });
    assert!(!ran(&rig).1);
}

#[test]
fn a_snapshot_that_is_there_already_is_thawed_and_not_frozen_again() {
    let rig = rig_with("true", "true");
    rig.ends("completed");
    fs::remove_file(rig.at("before")).unwrap();
    fs::remove_file(rig.at("after")).unwrap();
    rig.ends("completed");
    assert_eq!(ran(&rig), (false, true), "nobody knows whether it ran");
}
