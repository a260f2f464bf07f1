//! Cleanups: what has expired goes, hidden first and then for good, and nothing that somebody still needs.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::agent::{AGENT_SOON, Agent};
use crate::support::clock::{DAY, SECOND};
use crate::support::estate::Estate;
use crate::support::fleet::text;
use crate::support::runs::Wanted;
use crate::support::seen::{Seen, seen};
use crate::support::{eventually, tree, wait_until};

struct Ground {
    agent: Agent,
    source: PathBuf,
    configuration: i64,
    first: i64,
    /// What the first backup holds.
    before: Seen,
    estate: Estate,
}

impl Ground {
    fn new(estate: Estate) -> Self {
        Self::of(estate, 16)
    }

    fn of(estate: Estate, megabytes: usize) -> Self {
        let agent = estate.agent("web-a");
        let source = estate.planted("source", 8, megabytes);
        std::fs::write(source.join("soon gone"), tree::bytes(77, (megabytes << 20) / 16 * 3)).expect("a file is written");
        let configuration = estate.configure(&agent, &source, &json!({}));
        let first = estate.api.complete(configuration);
        let before = seen(&source);
        Self { agent, source, configuration, first, before, estate }
    }

    /// The first backup is superseded: what only it holds is needed no more once it has expired.
    fn supersede(&self) -> i64 {
        std::fs::remove_file(self.source.join("soon gone")).expect("a file is removed");
        std::fs::write(self.source.join("younger"), tree::bytes(78, 1 << 20)).expect("a file is written");
        self.estate.api.complete(self.configuration)
    }

    fn place(&self, target: &std::path::Path) -> PathBuf {
        target.join(self.source.strip_prefix("/").expect("a whole path"))
    }

    /// Bytes that the vault has now, as its clients see it.
    fn live_bytes(&self) -> u64 {
        let opened = &self.estate.opened(self.agent.id)[0];
        opened.account.list().iter().map(|file| file.size).sum()
    }
}

#[test]
fn an_expired_backup_is_freed_by_the_next_cleanup_hidden_and_then_gone() {
    Estate::on_each_catalog(|estate| {
        // So large that the two packs that hold what goes are less than half of it: a cleanup that hides more is halted.
        let mut ground = Ground::of(estate, 64);
        ground.supersede();
        let (live, on_disk) = (ground.live_bytes(), ground.estate.bytes_on_disk());
        ground.estate.advance(31 * DAY);
        // It comes by itself, once a week.
        let cleanup = eventually("a cleanup is made", AGENT_SOON, || ground.estate.api.runs_of("Cleanup").first().copied());
        ground.estate.api.await_completed(cleanup);
        assert!(ground.live_bytes() + (2 << 20) < live, "{} of {live} bytes are left", ground.live_bytes());
        assert!(ground.estate.bytes_on_disk() >= on_disk, "hidden is not gone");
        let last = ground.estate.api.complete(ground.configuration);
        let completed = ground.estate.api.get(&format!("/backup/completed/{}", ground.configuration)).expect(200).json();
        let listed: Vec<i64> = completed.as_array().expect("a list").iter().filter_map(|backup| backup["BackupId"].as_i64()).collect();
        assert!(!listed.contains(&ground.first) && listed.contains(&last), "{listed:?}");
        // One that is asked for finds nothing more to do.
        let again = ground.estate.api.begin_cleanup(ground.agent.id);
        ground.estate.api.await_completed(again);
        let on_disk = ground.estate.bytes_on_disk();
        // Where the clock stands, each hiding is a microsecond later than the one before.
        ground.estate.advance(92 * DAY + SECOND);
        // Bytes that nobody sees any more are removed within the hour, and at a start.
        ground.estate.restart_server();
        wait_until("hidden bytes go", AGENT_SOON, || ground.estate.bytes_on_disk() + (2 << 20) < on_disk);
        let target = ground.estate.path("target");
        ground.estate.api.restore(&Wanted::all(last, ground.agent.id, &target));
        assert_eq!(seen(&ground.place(&target)), seen(&ground.source));
        let opened = ground.estate.opened(ground.agent.id);
        if let Some(restic) = opened[0].restic("") {
            restic.ok(&["check", "--read-data"]);
        }
    });
}

/// Its data are needed by nobody else from the moment the configuration is deleted, and the restore reads them all the same.
#[test]
fn a_restore_reads_on_while_a_cleanup_of_its_source_takes_everything_away() {
    let ground = Ground::new(Estate::new());
    let other = ground.estate.agent("web-b");
    let bulk = ground.estate.planted("bulk", 9, 40);
    let kept = ground.estate.configure(&ground.agent, &bulk, &json!({"BackupConfigurationName": "kept"}));
    ground.estate.api.complete(kept);
    let target = ground.estate.path("target");
    ground.estate.proxy.gate().hold("GET /agent/v1/restores/", 4);
    let restore = ground.estate.api.begin_restore(&Wanted { destination: other.id, ..Wanted::all(ground.first, ground.agent.id, &target) });
    ground.estate.proxy.gate().await_held();
    let live = ground.live_bytes();
    ground.estate.api.delete(&format!("/backup-configuration/{}", ground.configuration)).expect(200);
    let cleanup = ground.estate.api.begin_cleanup(ground.agent.id);
    ground.estate.api.await_completed(cleanup);
    assert!(ground.live_bytes() + (12 << 20) < live);
    ground.estate.proxy.gate().open();
    ground.estate.api.await_completed(restore);
    assert_eq!(seen(&ground.place(&target)), ground.before);
}

#[test]
fn a_waiting_backup_halts_a_cleanup_which_goes_on_afterwards_under_its_id() {
    let ground = Ground::new(Estate::new());
    let doomed = ground.estate.planted("doomed", 10, 8);
    let configuration = ground.estate.configure(&ground.agent, &doomed, &json!({"BackupConfigurationName": "doomed"}));
    ground.estate.api.complete(configuration);
    ground.estate.api.delete(&format!("/backup-configuration/{configuration}")).expect(200);
    ground.estate.proxy.gate().hold("DELETE /agent/v1/vault/g1/", 1);
    let cleanup = ground.estate.api.begin_cleanup(ground.agent.id);
    ground.estate.proxy.gate().await_held();
    let backup = ground.estate.api.start(ground.configuration);
    ground.estate.api.await_state(backup, &["Queued"]);
    ground.estate.proxy.gate().open();
    ground.estate.api.await_completed(backup);
    ground.estate.api.await_completed(cleanup);
    let opened = ground.estate.opened(ground.agent.id);
    if let Some(restic) = opened[0].restic("") {
        restic.ok(&["check", "--read-data"]);
    }
}

#[test]
fn a_cleanup_survives_the_agents_end_at_each_of_its_requests() {
    let mut ground = Ground::new(Estate::new());
    // At night every other one, until one comes that a cleanup does not make.
    let (points, stride) = if crate::support::is_nightly() { (100, 2) } else { (6, 3) };
    let mut met = 0;
    for number in 0..points {
        let doomed = ground.estate.planted(&format!("doomed {number}"), 20 + number, 4);
        let name = json!({"BackupConfigurationName": format!("doomed {number}")});
        let configuration = ground.estate.configure(&ground.agent, &doomed, &name);
        ground.estate.api.complete(configuration);
        ground.estate.api.delete(&format!("/backup-configuration/{configuration}")).expect(200);
        ground.estate.proxy.gate().hold("", 2 + number * stride);
        let cleanup = ground.estate.api.begin_cleanup(ground.agent.id);
        if !ground.estate.is_met(cleanup) {
            ground.estate.proxy.gate().open();
            ground.estate.api.await_completed(cleanup);
            break;
        }
        met += 1;
        if number % 2 == 0 {
            ground.agent.kill()
        } else {
            ground.agent.stop()
        }
        ground.estate.break_line();
        ground.estate.proxy.gate().open();
        ground.agent.start();
        ground.estate.api.await_completed(cleanup);
    }
    assert!((6..100).contains(&met), "{met} requests");
    let target = ground.estate.path("target");
    ground.estate.api.restore(&Wanted::all(ground.first, ground.agent.id, &target));
    assert_eq!(seen(&ground.place(&target)), ground.before);
    let opened = ground.estate.opened(ground.agent.id);
    if let Some(restic) = opened[0].restic("") {
        restic.ok(&["check", "--read-data"]);
        assert_eq!(restic.list("locks"), Vec::<String>::new());
        assert_eq!(restic.list("snapshots").len(), 1);
    }
}

/// Somebody at the server has to say that so much may go.
#[test]
fn a_cleanup_that_hid_half_of_the_vault_waits_and_goes_on_when_it_is_accepted() {
    let ground = Ground::new(Estate::new());
    ground.estate.api.delete(&format!("/backup-configuration/{}", ground.configuration)).expect(200);
    let small = ground.estate.path("small");
    std::fs::create_dir(&small).and_then(|()| std::fs::write(small.join("file"), "x")).expect("it is written");
    let kept = ground.estate.configure(&ground.agent, &small, &json!({"BackupConfigurationName": "kept"}));
    ground.estate.api.complete(kept);
    let cleanup = ground.estate.api.begin_cleanup(ground.agent.id);
    let accepted = || ground.estate.server.run(&["fleet", "accept", &ground.agent.id.to_string()]);
    eventually("the cleanup is halted and accepted", AGENT_SOON, || (accepted().exit == 0).then_some(()));
    ground.estate.api.await_completed(cleanup);
    assert!(ground.live_bytes() < 1 << 20, "{} bytes are left", ground.live_bytes());
    let points: Value = ground.estate.api.get("/backup/availableforrestore").expect(200).json();
    assert_eq!(text(&points[0]["BackupConfigurationName"]), "kept");
}
