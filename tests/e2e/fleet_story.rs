//! From a token to a restore, by public calls and an agent that does what it is told.

use serde_json::{Value, json};

use crate::support::fleet::{Api, TestAgent, modulus, text};
use crate::support::server::TestServer;

#[test]
fn a_backup_is_configured_started_done_and_restored() {
    for server in TestServer::each_catalog() {
        let api = Api::new(&server);
        let agent = TestAgent::register(&api, "web-a");
        let configuration = api.configure(&agent, &json!({}));
        let backup = api.start(configuration);
        assert_eq!(api.state(backup), "StartRequested");
        let wanted = agent.wanted(backup).expect("it is wanted");
        assert_eq!(
            (text(&wanted["kind"]), &wanted["stop"], text(&wanted["name"]), text(&wanted["inclusions"][0]["path"])),
            ("backup".to_owned(), &json!(false), "www nightly".to_owned(), "/srv/www".to_owned())
        );
        for (said, state) in [("queued", "Queued"), ("preparing", "Preparing"), ("in_progress", "InProgress")] {
            agent.say(backup, said, &json!({})).expect(200);
            assert_eq!(api.state(backup), state);
        }
        api.get(&format!("/backup/report/{backup}")).expect(404);
        let snapshot = agent.store("snapshots", "a snapshot");
        let report = json!({
            "files_searched": 412, "bytes_searched": 104_857_600, "files_done": 6, "bytes_done": 1_572_864, "snapshot": snapshot,
        });
        agent.say(backup, "completed", &report).expect(200);
        assert_eq!((api.state(backup), agent.wanted(backup)), ("Completed".to_owned(), None));
        let report = api.get(&format!("/backup/report/{backup}")).expect(200).json();
        assert_eq!(
            ["State", "FilesSearched", "BytesSearched", "FilesBackedUp", "BytesBackedUp", "Reason", "Diagnostics"]
                .map(|name| text(&report[name])),
            ["Completed", "412", "100 MB", "6", "1.5 MB", "Success", "No errors"]
        );
        assert_eq!((&report["CanRestore"], &report["SnapshotId"], &report["NumErrors"]), (&json!(true), &json!(1), &json!(0)));
        restore(&api, &agent, configuration, backup);
    }
}

fn restore(api: &Api, agent: &TestAgent, configuration: i64, backup: i64) {
    let points = api.get("/backup/availableforrestore").expect(200).json();
    assert_eq!((&points[0]["BackupConfigurationId"], text(&points[0]["PublicKeyMod"])), (&json!(configuration), modulus()));
    let completed = api.get(&format!("/backup/completed/{configuration}")).expect(200).json();
    assert_eq!((&completed[0]["BackupId"], &completed[0]["BytesSearched"]), (&json!(backup), &json!(104_857_600)));
    let wanted = json!({
        "BackupId": backup, "BackupMachineId": agent.id, "DestinationMachineId": agent.id, "DestinationPath": "/restore/here",
        "OverwriteFiles": false,
    });
    let made = api.put("/restore", &wanted).expect(200).json();
    let restore = made["RestoreId"].as_i64().expect("an id");
    assert_eq!((&made["RestoreStateId"], &made["EncryptedPassword"]), (&json!(0), &Value::Null));
    let file = json!({"FilePath": "/srv/www/index.html", "Filter": "1", "ParentId": restore, "FileItemType": "0"});
    api.put("/restore/files", &file).expect(200).expect_body(b"");
    api.post("/restore/action-requested", &json!({"Action": "StartManual", "Id": restore})).expect(204);
    let job = agent.wanted(restore).expect("it is wanted");
    assert_eq!((text(&job["kind"]), text(&job["destination_path"])), ("restore".to_owned(), "/restore/here".to_owned()));
    assert_eq!(text(&job["inclusions"][0]["path"]), "/srv/www/index.html");
    let read = agent.call("GET", &format!("/restores/{restore}/vault/{}", text(&job["snapshot"])), None);
    read.expect(200).expect_body(b"a snapshot");
    for state in ["queued", "preparing", "in_progress"] {
        agent.say(restore, state, &json!({})).expect(200);
    }
    agent.say(restore, "completed", &json!({"files_done": 35, "bytes_done": 18 << 20})).expect(200);
    let report = api.get(&format!("/restore/report/{restore}")).expect(200).json();
    assert_eq!(
        ["State", "NumFilesRestored", "NumBytesRestored", "NumErrors", "Reason"].map(|name| text(&report[name])),
        ["Completed", "35", "18 MB", "0", "Success"]
    );
    let activity = api.get("/activity").expect(200).json();
    let kinds: Vec<String> = activity.as_array().expect("a list").iter().map(|entry| text(&entry["Type"])).collect();
    assert_eq!(kinds, ["Restore", "Backup"]);
    agent.call("GET", &format!("/restores/{restore}/vault/{}", text(&job["snapshot"])), None).expect(404);
}
