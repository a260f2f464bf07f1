//! What a restore brings back, and where: a folder of it, all of it, elsewhere, over what is there.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::agent::Agent;
use crate::support::estate::Estate;
use crate::support::fleet::text;
use crate::support::runs::Wanted;
use crate::support::seen::{seen, seen_but};

/// A machine with one backup of a folder.
struct Ground {
    agent: Agent,
    source: PathBuf,
    backup: i64,
    estate: Estate,
}

fn ground() -> Ground {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let source = estate.planted("source", 3, 8);
    let configuration = estate.configure(&agent, &source, &json!({}));
    let backup = estate.api.complete(configuration);
    Ground { agent, source, backup, estate }
}

/// Where a path of the backup comes to lie below a target.
fn below(target: &Path, path: &Path) -> PathBuf {
    target.join(path.strip_prefix("/").expect("a whole path"))
}

#[test]
fn one_folder_comes_back_elsewhere_and_nothing_beside_it() {
    let ground = ground();
    let (target, folder) = (ground.estate.path("target"), ground.source.join("folder"));
    let (inclusions, exclusions) = ([folder.as_path()], [folder.join("deep/small 7")]);
    let exclusions = [exclusions[0].as_path()];
    let all = Wanted::all(ground.backup, ground.agent.id, &target);
    let report = ground.estate.api.restore(&Wanted { inclusions: &inclusions, exclusions: &exclusions, ..all });
    let restored = below(&target, &folder);
    let expected = seen_but(&folder, |name| name == b"small 7");
    // The other name of the sparse file is not in this folder: it has one link here.
    assert_eq!(seen(&restored).keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    assert_eq!(seen(&restored), expected);
    assert!(!below(&target, &ground.source.join("large 0")).exists());
    assert_eq!(text(&report["NumFilesRestored"]), "40", "{report}");
}

#[test]
fn everything_comes_back_on_another_machine() {
    let ground = ground();
    let other = ground.estate.agent("web-b");
    let target = ground.estate.path("target");
    let wanted = Wanted { destination: other.id, ..Wanted::all(ground.backup, ground.agent.id, &target) };
    let report = ground.estate.api.restore(&wanted);
    assert_eq!(report["RestoreDestinationMachineId"], other.id);
    assert_eq!(seen(&below(&target, &ground.source)), seen(&ground.source));
}

#[test]
fn the_source_may_be_gone_when_another_machine_restores_it() {
    let mut ground = ground();
    ground.agent.kill();
    std::fs::remove_dir_all(ground.agent.state()).expect("the state folder goes");
    let other = ground.estate.agent("web-b");
    let target = ground.estate.path("target");
    ground.estate.api.restore(&Wanted { destination: other.id, ..Wanted::all(ground.backup, ground.agent.id, &target) });
    assert_eq!(seen(&below(&target, &ground.source)), seen(&ground.source));
}

/// Changed, replaced by another kind, removed, and one that the backup does not know.
fn disturb(source: &Path) {
    std::fs::write(source.join("large 0"), "changed since").expect("a file is written");
    std::fs::remove_file(source.join("empty")).expect("a file is removed");
    std::fs::write(source.join("younger"), "not in the backup").expect("a file is written");
    std::fs::remove_file(source.join("dangling")).and_then(|()| std::fs::write(source.join("dangling"), "a file")).expect("it is replaced");
}

#[test]
fn without_overwriting_what_is_there_is_left_alone_and_told() {
    let ground = ground();
    let before = seen(&ground.source);
    disturb(&ground.source);
    let disturbed = seen(&ground.source);
    let report = ground.estate.api.restore(&Wanted::all(ground.backup, ground.agent.id, Path::new("")));
    assert_eq!(text(&report["State"]), "Completed");
    assert!(text(&report["Diagnostics"]).len() > "No errors".len(), "how many files were left alone: {report}");
    let after = seen(&ground.source);
    for name in ["large 0", "younger", "dangling", "large 1"] {
        assert_eq!(content(&after[name.as_bytes()]), content(&disturbed[name.as_bytes()]), "{name}");
    }
    assert!(after.get(b"empty".as_slice()).is_some_and(|found| found.contains("0 bytes")), "what was missing came back");
    assert_eq!(before.len() + 1, after.len());
}

#[test]
fn with_overwriting_everything_is_as_it_was_and_what_is_younger_stays() {
    let ground = ground();
    let before = seen(&ground.source);
    disturb(&ground.source);
    let wanted = Wanted { overwrites: true, ..Wanted::all(ground.backup, ground.agent.id, Path::new("")) };
    ground.estate.api.restore(&wanted);
    let after = seen_but(&ground.source, |name| name == b"younger");
    let differ = |name: &&Vec<u8>| content(&before[*name]) != after.get(*name).map_or(String::new(), |found| content(found));
    assert_eq!(before.keys().filter(differ).collect::<Vec<_>>(), Vec::<&Vec<u8>>::new());
    assert_eq!(std::fs::read(ground.source.join("younger")).expect("it is there"), b"not in the backup");
}

/// What was seen of an entry, without the number that tells names of one file apart.
fn content(seen: &str) -> String {
    let words: Vec<&str> = seen.split(' ').collect();
    words.iter().enumerate().filter(|(at, _)| *at != 5).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_target_that_cannot_be_written_is_named() {
    let ground = ground();
    let blocked = ground.estate.path("blocked");
    std::fs::write(&blocked, "a file, no folder").expect("a file is written");
    let target = blocked.join("target");
    let restore = ground.estate.api.begin_restore(&Wanted::all(ground.backup, ground.agent.id, &target));
    let (state, report) = ground.estate.api.await_end(restore);
    assert_eq!((state.as_str(), text(&report["Reason"])), ("Failed", "DestinationNotWritable".to_owned()), "{report}");
    assert_eq!(std::fs::read(&blocked).expect("it is there"), b"a file, no folder");
}

/// A link that waits in the target for a restore to follow it.
#[test]
fn a_restore_never_leaves_its_target() {
    let ground = ground();
    let (target, outside) = (ground.estate.path("target"), ground.estate.path("outside"));
    let place = below(&target, &ground.source);
    std::fs::create_dir_all(place.parent().expect("it has one")).and_then(|()| std::fs::create_dir(&outside)).expect("folders are made");
    std::os::unix::fs::symlink(&outside, &place).expect("a link is made");
    let restore = ground.estate.api.begin_restore(&Wanted::all(ground.backup, ground.agent.id, &target));
    ground.estate.api.await_end(restore);
    assert_eq!(std::fs::read_dir(&outside).expect("it is there").count(), 0, "something was written through the link");
}
