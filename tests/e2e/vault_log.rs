//! What `-v` tells of a vault command's work.

use crate::support::restic::vault;
use crate::support::setup::Setup;
use crate::support::vault::{Vault, planted};

/// Lines of the log at a level.
fn lines<'a>(log: &'a str, level: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.split_whitespace().nth(1) == Some(level)).collect()
}

#[test]
fn the_log_tells_what_is_asked_of_a_repository_and_with_more_of_it_each_file() {
    let (server, place, tree) = (Setup::new().start(), tempfile::tempdir().expect("a temporary folder"), planted(1));
    let path = tree.path().display().to_string();
    let account = vault(&server);
    for (repository, asked) in [(Vault::of(&account, "/"), "method=POST what=\"data/"), (Vault::at(place.path().join("r")), "name=data/")] {
        repository.ok(&["init"]);
        let ran = repository.run(&["backup", &path, "-v"]).expect_exit(0);
        let debug = lines(&ran.complaint, "DEBUG");
        assert!(debug.iter().any(|line| line.contains(asked)), "{ran:?}");
        assert_eq!(debug.len(), ran.complaint.lines().count(), "nothing else is told: {ran:?}");
        let again = repository.run(&["backup", &path, "-vv"]).expect_exit(0).complaint;
        let of_file = |line: &&str, word: &str| line.contains(&format!("{path}/text")) && line.contains(word);
        assert!(lines(&again, "TRACE").iter().any(|line| of_file(line, "unchanged")), "{again}");
        let target = tempfile::tempdir().expect("a temporary folder");
        let restored =
            repository.run(&["restore", "latest", "--target", &target.path().display().to_string(), "-vv"]).expect_exit(0).complaint;
        assert!(lines(&restored, "TRACE").iter().any(|line| of_file(line, "restored")), "{restored}");
        repository.ok(&["snapshots"]);
    }
}

#[test]
fn rust_log_says_what_is_logged_where_the_command_line_does_not() {
    let (place, tree) = (tempfile::tempdir().expect("a temporary folder"), planted(2));
    let repository = Vault::at(place.path().join("r"));
    repository.ok(&["init"]);
    let run = |level: &str| {
        let output = repository.command(&["backup", &tree.path().display().to_string()]).env("RUST_LOG", level).output();
        output.expect("the binary runs")
    };
    assert!(String::from_utf8_lossy(&run("strongroom=debug").stderr).contains("name=snapshots/"));
    assert_eq!(run("").stderr, b"");
    let refused = run("strongroom=loud");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`strongroom=loud` is no log level"), "{refused:?}");
}
