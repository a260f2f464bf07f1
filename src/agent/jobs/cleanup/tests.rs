//! Cleanups of repositories in folders, behind a place that counts, dies, refuses and tells.

mod stage;

use std::collections::HashSet;

use super::*;
use crate::vault::backend::{Kind, Name};
use crate::wire::channel::run::RunReport;
use stage::{Event, Stage, Trouble};

#[track_caller]
fn done(ended: Ended) -> RunReport {
    let Ended::Done(report) = ended else { panic!("it was cut") };
    report
}

#[track_caller]
fn cut(ended: Ended) -> RunReport {
    let Ended::Cut(report) = ended else { panic!("it was not cut") };
    report
}

#[test]
fn exactly_the_named_snapshots_go_and_what_they_alone_used() {
    let stage = Stage::new(1);
    let before = stage.size_bytes(1);
    let report = done(stage.clean(&stage.named(1, &[0])));
    assert_eq!((report.state.as_str(), report.reason.as_deref(), report.error_count), ("completed", None, 0));
    stage.expect_only(1, &[1, 2]);
    let (freed, after) = (u64::try_from(report.bytes_done).unwrap(), stage.size_bytes(1));
    assert!(freed > 30_000 && before - after > 30_000, "{freed} bytes freed, {before} before, {after} after");
    assert!(report.files_done >= 3 && report.files_searched >= 4, "{report:?}");
    let said = report.note.unwrap();
    assert!(said.starts_with(&format!("Removed {} files", report.files_done)), "{said}");
    // Nothing of the run is left to do.
    let again = done(stage.clean(&stage.named(1, &[0])));
    assert_eq!((again.state.as_str(), again.bytes_done), ("completed", 0));
    stage.expect_only(1, &[1, 2]);
}

#[test]
fn a_snapshot_that_somebody_else_made_stays() {
    let stage = Stage::new(1);
    // It is what a user of restic stores there: without a tag of ours.
    let foreign = stage.save(1, 99, &[]);
    done(stage.clean(&stage.named(1, &[0, 1, 2])));
    assert_eq!(stage.snapshots(1), HashSet::from([foreign]));
    stage.expect_clean(1);
}

#[test]
fn killed_after_any_change_it_loses_nothing_and_the_next_try_finishes() {
    let stage = Stage::new(1);
    let whole = stage.keep();
    let mut steps = 0;
    loop {
        stage.trouble(Trouble::DiesAfter(steps));
        let ended = stage.clean(&stage.named(1, &[0]));
        stage.trouble(Trouble::None);
        stage.expect_whole(1, &[1, 2]);
        let report = done(ended);
        if report.state == "completed" {
            break;
        }
        assert_eq!((report.state.as_str(), report.reason.as_deref()), ("failed", Some("StorageUnavailable")), "{steps}");
        assert_eq!(done(stage.clean(&stage.named(1, &[0]))).state, "completed", "after {steps} changes");
        stage.expect_only(1, &[1, 2]);
        assert_eq!(done(stage.clean(&stage.named(1, &[0]))).bytes_done, 0, "nothing was left over after {steps} changes");
        stage.put_back(&whole);
        steps += 1;
    }
    assert!(steps >= 6, "{steps}");
}

#[test]
fn a_pulled_leash_cuts_it_at_any_step_and_it_goes_on() {
    let stage = Stage::new(1);
    let whole = stage.keep();
    for (step, why) in (1..20).zip([Why::Halted, Why::Ending, Why::Stopped, Why::Unwanted].into_iter().cycle()) {
        let leash = Leash::default();
        stage.trouble(Trouble::PullsAt(step, leash.clone(), why));
        let ended = stage.clean_on(&leash, &stage.named(1, &[0]));
        stage.trouble(Trouble::None);
        stage.expect_whole(1, &[1, 2]);
        assert!(stage.ids(1, Kind::Lock).is_empty(), "the lock is removed at change {step}");
        if matches!(ended, Ended::Done(_)) {
            // What was pulled at was the last change of all.
            assert!(step >= 6, "{step}");
            return;
        }
        assert_eq!((cut(ended).state.as_str(), leash.why()), ("in_progress", Some(why)));
        assert_eq!(done(stage.clean(&stage.named(1, &[0]))).state, "completed");
        stage.expect_only(1, &[1, 2]);
        stage.put_back(&whole);
    }
    panic!("it never ended");
}

#[test]
fn one_that_is_cut_before_it_begins_is_still_preparing() {
    let (stage, leash) = (Stage::new(1), Leash::default());
    leash.pull(Why::Ending);
    assert_eq!(cut(stage.clean_on(&leash, &stage.named(1, &[0]))).state, "preparing");
    stage.expect_only(1, &[0, 1, 2]);
}

#[test]
fn where_the_server_halts_it_the_run_stays_live_and_goes_on_later() {
    let stage = Stage::new(1);
    let whole = stage.keep();
    // At a snapshot, and at what comes later.
    for allowed in [0, 1, 2] {
        let leash = Leash::default();
        stage.trouble(Trouble::HaltsAfter(allowed));
        let report = cut(stage.clean_on(&leash, &stage.named(1, &[0, 1])));
        assert_eq!((leash.why(), report.state.as_str(), report.error_count), (Some(Why::Halted), "in_progress", 0));
        stage.trouble(Trouble::None);
        assert!(stage.ids(1, Kind::Lock).is_empty());
        stage.expect_clean(1);
        assert_eq!(done(stage.clean(&stage.named(1, &[0, 1]))).state, "completed");
        stage.expect_only(1, &[2]);
        stage.put_back(&whole);
    }
}

#[test]
fn a_snapshot_that_the_server_refuses_is_an_error_and_keeps_all_it_needs() {
    let stage = Stage::new(1);
    stage.trouble(Trouble::Keeps(stage.id(1, 0)));
    let report = done(stage.clean(&stage.named(1, &[0, 1])));
    assert_eq!((report.state.as_str(), report.error_count), ("completed_with_errors", 1));
    assert_eq!((report.errors[0].kind, report.errors[0].path.clone()), (107, stage.named(1, &[0])[0].clone()));
    assert!(report.errors[0].exception.contains("never deleted"), "{:?}", report.errors);
    stage.expect_only(1, &[0, 2]);
}

#[test]
fn where_something_needed_is_missing_not_one_snapshot_is_forgotten() {
    let stage = Stage::new(1);
    // The newest backup's own pack.
    let pack = stage.packs_of(2)[0];
    stage.lose(1, Name::Of(Kind::Data, pack));
    let before = stage.files(1);
    stage.trouble(Trouble::None);
    let report = done(stage.clean(&stage.named(1, &[0])));
    assert_eq!((report.state.as_str(), report.reason.as_deref()), ("failed", Some("AgentError")));
    let (words, error) = (report.note.unwrap(), &report.errors[0]);
    assert!(words.starts_with("Generation 1 of the vault was not cleaned: ") && words.contains(&pack.short()), "{words}");
    assert_eq!((report.error_count, error.path.as_str()), (1, "g1"));
    assert_eq!(stage.files(1), before, "nothing was removed");
    assert_eq!(stage.events(), [], "the server was not even told that anything would be");
}

#[test]
fn a_damaged_snapshot_goes_where_it_is_named_and_else_keeps_everything() {
    let stage = Stage::new(1);
    stage.damage(1, Name::Of(Kind::Snapshot, stage.id(1, 1)));
    assert_eq!(done(stage.clean(&stage.named(1, &[0]))).state, "failed");
    assert_eq!(stage.snapshots(1).len(), 3);
    assert_eq!(done(stage.clean(&stage.named(1, &[0, 1]))).state, "completed");
    stage.expect_only(1, &[2]);
}

#[test]
fn each_generation_forgets_its_own() {
    let stage = Stage::new(2);
    let names = [stage.named(1, &[0, 1, 2]), stage.named(2, &[1])].concat();
    let report = done(stage.clean(&names));
    assert_eq!(report.state, "completed");
    stage.expect_only(1, &[]);
    assert_eq!(stage.ids(1, Kind::Data).len(), 0, "an old generation is emptied");
    stage.expect_only(2, &[0, 2]);
    let events = [Event::Begun, Event::Removed(1), Event::Begun, Event::Removed(2)];
    assert_eq!(stage.events(), events, "the lowest first, each after the server knows");
}

#[test]
fn a_generation_that_nothing_opens_costs_an_error_and_the_other_is_cleaned() {
    let stage = Stage::new(2);
    stage.close(1, || Error::WrongPassword);
    let names = [stage.named(1, &[0]), stage.named(2, &[0])].concat();
    let report = done(stage.clean(&names));
    assert_eq!((report.state.as_str(), report.error_count, report.errors[0].path.as_str()), ("completed_with_errors", 1, "g1"));
    assert!(report.note.unwrap().starts_with("g1: "));
    stage.expect_only(1, &[0, 1, 2]);
    stage.expect_only(2, &[1, 2]);
    stage.close(2, || Error::WrongPassword);
    let report = done(stage.clean(&names));
    assert_eq!((report.state.as_str(), report.reason.as_deref(), report.error_count), ("failed", Some("MissingPassword"), 2));
}

#[test]
fn a_generation_that_is_lost_fails_the_run_and_one_that_was_never_made_does_not() {
    let stage = Stage::new(2);
    stage.close(2, || Error::NoRepository("g2".to_owned()));
    let report = done(stage.clean(&stage.named(1, &[0])));
    assert_eq!((report.state.as_str(), report.reason.as_deref()), ("failed", Some("VaultMissing")));
    stage.expect_only(1, &[1, 2]);
    stage.is_not_ready(2);
    assert_eq!(done(stage.clean(&stage.named(1, &[1]))).state, "completed");
    stage.expect_only(1, &[2]);
}

#[test]
fn a_name_of_no_generation_is_an_error_and_the_rest_is_done() {
    let stage = Stage::new(1);
    let id = stage.id(1, 1);
    let strange = [format!("g2/snapshots/{id}"), format!("g1/keys/{id}"), "g1/snapshots/latest".to_owned()];
    let report = done(stage.clean(&[strange.as_slice(), &stage.named(1, &[0])].concat()));
    assert_eq!((report.state.as_str(), report.error_count), ("completed_with_errors", 3));
    assert!(report.errors.iter().map(|error| &error.path).eq(&strange), "{:?}", report.errors);
    stage.expect_only(1, &[1, 2]);
}

#[test]
fn somebody_elses_lock_is_waited_for_and_then_named() {
    let stage = Stage::new(1);
    let other = stage.lock(1);
    let report = done(stage.clean(&stage.named(1, &[0])));
    assert_eq!(report.state, "failed");
    assert!(report.note.unwrap().contains("the repository is locked by"));
    assert!(stage.waited() >= LOCKED_FOR);
    stage.expect_only(1, &[0, 1, 2]);
    other.release().unwrap();
    assert_eq!(done(stage.clean(&stage.named(1, &[0]))).state, "completed");
}

#[test]
fn a_lock_that_is_lost_fails_the_run_and_is_no_stop_of_a_user() {
    let stage = Stage::new(1);
    stage.trouble(Trouble::TakesLockAt(2));
    let report = done(stage.clean(&stage.named(1, &[0, 1])));
    assert_eq!((report.state.as_str(), report.reason.as_deref()), ("failed", Some("StorageUnavailable")));
    assert!(report.note.unwrap().contains("keeping the lock"));
    stage.trouble(Trouble::None);
    stage.expect_clean(1);
}
