//! A client that forgets what is old, day by day, on a server that keeps it for the retention.

use crate::support::clock::{DAY, SECOND, TestClock};
use crate::support::figure::figure;
use crate::support::is_nightly;
use crate::support::restic::{contents, planted, repository};
use crate::support::setup::Setup;
use crate::support::tree::{self, random};

/// Every day a changed tree, a backup and `forget --prune`; then every one of the last 30 days is restored from its dated view.
#[test]
fn every_day_of_the_retention_restores_byte_for_byte() {
    let days: usize = if is_nightly() { 40 } else { 6 };
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    // A day more than is looked at: the oldest view is a month and some seconds old.
    let account = server.add_account(&["--kind", "vault", "--retention", "31"]);
    let Some(restic) = repository(&account, "/") else { return };
    let tree = planted(30);
    let mut seed = 4_711;
    let mut kept = Vec::new();
    for day in 0..days {
        let changed = tree.path().join(format!("folder {}/file {}", day % 3, day % 3));
        std::fs::write(changed, tree::bytes(random(&mut seed, 1 << 40), 200_000)).expect("a file is written");
        std::fs::write(tree.path().join("text"), format!("day {day}")).expect("a file is written");
        // restic goes by its own clock, which nobody moves.
        let time = clock.time().replace('T', " ").replace('Z', "");
        restic.ok(&["backup", "--quiet", "--time", &time, &tree.path().display().to_string()]);
        restic.ok(&["forget", "--keep-daily", "3", "--prune", "--quiet"]);
        clock.advance(SECOND);
        kept.push((clock.time(), contents(tree.path())));
        clock.advance(DAY);
    }
    let within: Vec<_> = kept.iter().rev().take(30).collect();
    for (time, expected) in &within {
        let (_folder, restored) = restic.moved(&account, &format!("/@{time}/")).restored(tree.path());
        assert_eq!(contents(&restored), *expected, "{time}");
    }
    assert!(restic.list("snapshots").len() <= 3);
    server.run(&["check"]).expect_exit(0);
    figure(
        "vault",
        "a month of days",
        &format!("{days} days of backup and forget --prune: {} of {} views restored byte for byte", within.len(), within.len()),
        None,
    );
}
