//! From two new machines to a second backup: nothing but public calls and the real processes.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::agent::AGENT_SOON;
use crate::support::clock::{HOUR, SECOND};
use crate::support::estate::Estate;
use crate::support::fleet::text;
use crate::support::runs::Wanted;
use crate::support::seen::{seen, seen_but};
use crate::support::{eventually, tree};

#[test]
fn a_machine_is_registered_backed_up_by_schedule_and_restored() {
    Estate::on_each_catalog(|mut estate| {
        let (first, second) = (estate.agent("web-a"), estate.agent("web-b"));
        for agent in [&first, &second] {
            estate.api.await_online(agent.id);
            let shown = estate.api.agent(agent.id);
            assert_eq!((text(&shown["BackupVaultSize"]).is_empty(), &shown["IsEncrypted"]), (false, &json!(false)));
            assert!(!text(&shown["MachineName"]).is_empty() && !text(&shown["OperatingSystem"]).is_empty(), "{shown}");
            assert_eq!(text(&shown["AgentVersion"]), env!("CARGO_PKG_VERSION"));
        }
        let listed = estate.api.get("/user/agents").expect(200).json();
        assert_eq!(listed.as_array().map(Vec::len), Some(2));
        let source = estate.planted("source", 1, 8);
        std::fs::create_dir(source.join("cache")).expect("a folder is made");
        std::fs::write(source.join("cache/left out"), "x").expect("a file is written");
        let schedule = json!({
            "Frequency": "Hourly", "HourInterval": 1, "Exclusions": [{"FilePath": source.join("cache"), "FileItemType": "Folder"}],
        });
        let configuration = estate.configure(&first, &source, &schedule);
        // The states pass one by one; each is seen while the agent's next request is held.
        estate.proxy.gate().hold("POST /agent/v1/vault/g1/snapshots/", 0);
        estate.advance(HOUR + SECOND);
        let backup = eventually("the schedule makes a run", AGENT_SOON, || estate.api.runs_of("Backup").first().copied());
        assert_eq!(estate.api.await_state(backup, &["InProgress"]), "InProgress");
        estate.api.get(&format!("/backup/report/{backup}")).expect(404);
        estate.proxy.gate().await_held();
        estate.proxy.gate().open();
        let report = estate.api.await_completed(backup);
        let expected = ["Completed", "Success", "No errors"].map(Value::from);
        assert_eq!(["State", "Reason", "Diagnostics"].map(|name| report[name].clone()), expected, "{report}");
        assert_eq!((&report["CanRestore"], &report["NumErrors"], &report["ErrorList"]), (&json!(true), &json!(0), &json!([])));
        assert_eq!(&report["BackupConfigurationId"], configuration);
        let files: u64 = text(&report["FilesSearched"]).parse().expect("a number");
        assert!((40..200).contains(&files), "{report}");
        estate.api.put(&format!("/backup-configuration/{configuration}"), &json!({"Frequency": "Manually"})).expect(200);

        let target = estate.path("target");
        let restored = estate.api.restore(&Wanted::all(backup, first.id, &target));
        assert_eq!((text(&restored["State"]), text(&restored["NumErrors"])), ("Completed".to_owned(), "0".to_owned()));
        let there = target.join(source.strip_prefix("/").expect("a whole path"));
        let without_cache = seen_but(&source, |name| name == b"cache");
        assert_eq!(seen(&there), without_cache);
        second_backup(&estate, &first.id, configuration, &source);
        assert_eq!(second.log().matches("ERROR").count(), 0, "{}", second.log());
    });
}

/// Only what changed is stored again, and metadata alone costs no data.
fn second_backup(estate: &Estate, agent: &i64, configuration: i64, source: &std::path::Path) {
    let before = estate.bytes_on_disk();
    std::fs::write(source.join("new"), tree::bytes(99, 300_000)).expect("a file is written");
    std::fs::set_permissions(source.join("large 0"), std::fs::Permissions::from_mode(0o600)).expect("a mode is set");
    std::fs::remove_file(source.join("large 1")).expect("a file is removed");
    let backup = estate.api.complete(configuration);
    let stored = estate.bytes_on_disk() - before;
    assert!((300_000..600_000).contains(&stored), "{stored} bytes for 300,000 new ones");
    let report = estate.api.any_report(backup);
    assert!(text(&report["BytesBackedUp"]).ends_with("KB"), "{report}");
    let target = estate.path("second target");
    estate.api.restore(&Wanted::all(backup, *agent, &target));
    let there = target.join(source.strip_prefix("/").expect("a whole path"));
    assert_eq!(seen(&there), seen_but(source, |name| name == b"cache"));
}

/// What an operator is handed opens the agent's vault for stock restic, with every file in it.
#[test]
fn stock_restic_reads_what_the_agent_wrote() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let source = estate.planted("source", 2, 8);
    let configuration = estate.configure(&agent, &source, &json!({}));
    let backup = estate.api.complete(configuration);
    let opened = estate.opened(agent.id);
    assert_eq!(opened.len(), 1);
    let Some(restic) = opened[0].restic("") else { return crate::support::skip("restic is not installed") };
    restic.ok(&["check", "--read-data"]);
    assert_eq!(restic.list("locks"), Vec::<String>::new());
    let snapshots: Value = serde_json::from_str(&restic.ok(&["snapshots", "--json"])).expect("JSON");
    let mut tags: Vec<String> = snapshots[0]["tags"].as_array().expect("tags").iter().map(text).collect();
    tags.sort();
    assert_eq!(tags, [format!("backup={backup}"), format!("configuration={configuration}")]);
    let (_folder, restored) = restic.restored(&source);
    // Stock restic restores no times of links on every kernel, and no holes.
    let (found, expected) = (seen(&restored), seen(&source));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, what) in expected.iter().filter(|(_, what)| what.contains("bytes")) {
        assert_eq!(found.get(name).map(|found| found.replace("with holes", "")), Some(what.replace("with holes", "")));
    }
}
