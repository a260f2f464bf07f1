//! What calls on backups answer, to the letter: live ones, their ends, their reports, what can be restored of them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_answers::with;
use crate::support::SOON;
use crate::support::told::{Scene, on_each_catalog};
use crate::support::wait_until;

const BACKUP: &str = concat!(
    r#"{"BackupId":1006,"BackupConfigurationId":1002,"CurrentState":"StartRequested","BackupConfigurationName":"www nightly","#,
    r#""MachineAgentId":1001,"MachineName":"web-a","Datacenter":"DFW","BackupDatacenter":"DFW","#,
    r#""StateChangeTime":"\/Date(1898818200000)\/","IsEncrypted":false,"#,
    r#""EncryptionKey":{"ModulusHex":"MODULUS","ExponentHex":10001}}"#,
);

/// Of backup 1006, begun 1 and completed 60 seconds after the scene's beginning.
const REPORT: &str = concat!(
    r#"{"BackupId":1006,"BackupConfigurationId":1002,"BackupConfigurationName":"www nightly","BackupConfigurationIsDeleted":false,"#,
    r#""ComputerName":"web-a","MachineAgentId":1001,"State":"Completed","CanRestore":true,"StartTime":"\/Date(1898818201000)\/","#,
    r#""CompletedTime":"\/Date(1898818260000)\/","Duration":"00:00:59","FilesSearched":"412","BytesSearched":"100 MB","#,
    r#""FilesBackedUp":"6","BytesBackedUp":"1.5 MB","NumErrors":0,"Reason":"Success","Diagnostics":"No errors","#,
    r#""Datacenter":"DFW","BackupDatacenter":"DFW","SnapshotId":1,"ErrorList":[]}"#,
);

/// What never stored anything, and ended when it began.
const NOTHING: [(&str, &str); 10] = [
    (r#""CanRestore":true"#, r#""CanRestore":false"#),
    ("1898818201000", "1898818200000"),
    ("1898818260000", "1898818200000"),
    ("00:00:59", "00:00:00"),
    (r#""412""#, r#""0""#),
    ("100 MB", "0 bytes"),
    (r#""6""#, r#""0""#),
    ("1.5 MB", "0 bytes"),
    (r#""SnapshotId":1"#, r#""SnapshotId":null"#),
    (r#""ErrorList":[]"#, r#""ErrorList":[]"#),
];

fn moved(text: &str, state: &str, reason: &str, diagnostics: &str) -> String {
    let change = |name: &str, from: &str, to: &str| (format!("\"{name}\":\"{from}\""), format!("\"{name}\":\"{to}\""));
    let changes =
        [change("State", "Completed", state), change("Reason", "Success", reason), change("Diagnostics", "No errors", diagnostics)];
    with(text, &changes.each_ref().map(|(from, to)| (from.as_str(), to.as_str())))
}

/// Takes the backup, a second after the beginning, and ends it 59 seconds later.
fn run(scene: &Scene, state: &str, more: &Value) {
    scene.clock.advance(Duration::from_secs(1));
    scene.agent.begin(1006);
    scene.clock.advance(Duration::from_secs(59));
    let mut report = json!({"files_searched": 412, "bytes_searched": 104_857_600, "files_done": 6, "bytes_done": 1_572_864});
    for (name, value) in more.as_object().expect("an object") {
        report[name] = value.clone();
    }
    scene.agent.say(1006, state, &report).expect(200);
}

#[test]
fn a_backup_is_shown_in_each_of_its_states() {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        scene.post("/backup/action-requested", &json!({"Action": "StartManual", "Id": configuration})).is(200, "1006");
        scene.get("/backup/1006").is(200, BACKUP);
        for (said, state) in [("queued", "Queued"), ("preparing", "Preparing"), ("in_progress", "InProgress")] {
            scene.agent.say(1006, said, &json!({})).expect(200);
            scene.get("/backup/1006").is(200, &with(BACKUP, &[("StartRequested", state)]));
            scene.get("/backup/report/1006").is_fault(404, "Backup 1006 has not ended, so it has no report yet.");
        }
        scene.clock.advance(Duration::from_secs(60));
        for _ in 0..2 {
            scene.post("/backup/action-requested", &json!({"Action": "StopManual", "Id": 1006})).is_empty(204);
            let stopping = with(BACKUP, &[("StartRequested", "StopRequested"), ("1898818200000", "1898818260000")]);
            scene.get("/backup/1006").is(200, &stopping);
        }
        scene.agent.say(1006, "stopped", &json!({})).expect(200);
        scene.get("/backup/1006").is(200, &with(BACKUP, &[("StartRequested", "Stopped"), ("1898818200000", "1898818260000")]));
        let stop = json!({"Action": "StopManual", "Id": 1006});
        scene.post("/backup/action-requested", &stop).is_fault(400, "Backup 1006 is Stopped.");
        scene.get("/backup/1007").is_fault(404, "Backup 1007 was not found.");
        scene.get("/backup/report/1002").is_fault(404, "Backup 1002 was not found.");
        scene.get("/backup/completed/1001").is_fault(404, "Backup configuration 1001 was not found.");
    });
}

#[test]
fn a_completed_backup_is_reported_listed_and_can_be_restored() {
    on_each_catalog(|scene| {
        scene.get("/backup/availableforrestore").is(200, "[]");
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        scene.get("/backup/completed/1002").is(200, "[]");
        scene.api.start(configuration);
        let snapshot = scene.agent.store("snapshots", "a snapshot");
        run(scene, "completed", &json!({"snapshot": snapshot}));
        scene.get("/backup/report/1006").is(200, REPORT);
        let completed = concat!(
            r#"[{"BackupId":1006,"BackupConfigurationId":1002,"BackupConfigurationName":"www nightly","MachineName":"web-a","#,
            r#""MachineAgentId":1001,"CompletedTime":"\/Date(1898818260000)\/","BytesSearched":104857600,"NumErrors":0}]"#,
        );
        scene.get("/backup/completed/1002").is(200, completed);
        let points = concat!(
            r#"[{"BackupConfigurationId":1002,"BackupConfigurationName":"www nightly","MachineName":"web-a","MachineAgentId":1001,"#,
            r#""IsEncrypted":false,"PublicKeyHex":10001,"PublicKeyMod":"MODULUS","Flavor":"RaxCloudServer","#,
            r#""LastSuccessfulBackupTime":"\/Date(1898818260000)\/"}]"#,
        );
        scene.get("/backup/availableforrestore").is(200, points);
        scene.delete("/backup-configuration/1002").is_empty(200);
        let deleted = [(r#""BackupConfigurationIsDeleted":false"#, r#""BackupConfigurationIsDeleted":true"#), NOTHING[0]];
        scene.get("/backup/report/1006").is(200, &with(REPORT, &deleted));
        scene.get("/backup/completed/1002").is(200, "[]");
        scene.get("/backup/availableforrestore").is(200, "[]");
    });
}

#[test]
fn errors_are_numbered_and_counted_in_the_report() {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        scene.api.start(configuration);
        let errors = json!([
            {"kind": 103, "description": "Access to the item was denied.", "exception": "Cannot open \"/srv/www/.env\": Permission denied",
             "details": "open(2) failed with errno 13", "code": 13, "path": "/srv/www/.env"},
            {"kind": 102, "path": "/srv/ü\u{0}"},
        ]);
        let snapshot = scene.agent.store("snapshots", "a snapshot");
        run(scene, "completed_with_errors", &json!({"snapshot": snapshot, "error_count": 7, "errors": errors}));
        let list = concat!(
            r#""ErrorList":[{"BackupReportID":1006,"ListIndex":0,"ErrorType":103,"ErrorDesc":"Access to the item was denied.","#,
            r#""ExceptionDesc":"Cannot open \"/srv/www/.env\": Permission denied","ExceptionDetails":"open(2) failed with errno 13","#,
            r#""ExceptionCode":13,"Path":"/srv/www/.env"},{"BackupReportID":1006,"ListIndex":1,"ErrorType":102,"ErrorDesc":"","#,
            r#""ExceptionDesc":"","ExceptionDetails":"","ExceptionCode":0,"Path":"/srv/ü�"}]"#,
        );
        let text = moved(REPORT, "CompletedWithErrors", "Success", "Completed With Errors");
        let text = with(&text, &[(r#""NumErrors":0"#, r#""NumErrors":7"#), (r#""ErrorList":[]"#, list)]);
        scene.get("/backup/report/1006").is(200, &text);
        let completed = scene.get("/backup/completed/1002").answer.json();
        assert_eq!(completed[0]["NumErrors"], 7);
    });
}

#[test]
fn a_failed_backup_says_why_and_is_no_restore_point() {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        scene.api.start(configuration);
        run(scene, "failed", &json!({"reason": "VaultMissing", "note": "The vault's config is gone."}));
        let text = moved(REPORT, "Failed", "VaultMissing", "The vault's config is gone.");
        scene.get("/backup/report/1006").is(200, &with(&text, &[NOTHING[0], NOTHING[8]]));
        scene.get("/backup/completed/1002").is(200, "[]");
        scene.get("/backup/availableforrestore").is(200, "[]");
    });
}

#[test]
fn a_backup_without_a_snapshot_has_failed_whatever_its_agent_says() {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        scene.api.start(configuration);
        run(scene, "completed", &json!({"snapshot": format!("g1/snapshots/{}", "0".repeat(64))}));
        let text = moved(REPORT, "Failed", "AgentError", "The snapshot that was reported is not in the vault.");
        scene.get("/backup/report/1006").is(200, &with(&text, &[NOTHING[0], NOTHING[8]]));
    });
}

#[test]
fn a_second_start_is_skipped_and_a_stop_before_the_agent_comes_is_one_at_once() {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        let start = json!({"Action": "startmanual", "Id": configuration.to_string()});
        scene.post("/backup/action-requested", &start).is(200, "1006");
        scene.post("/backup/action-requested", &start).is(200, "1007");
        let text = moved(&with(REPORT, &NOTHING), "Skipped", "Skipped", "Another backup of this configuration was waiting already.");
        scene.get("/backup/report/1007").is(200, &text.replace("1006", "1007"));
        scene.post("/backup/action-requested", &json!({"Action": "StopManual", "Id": 1006})).is_empty(204);
        let text = moved(&with(REPORT, &NOTHING), "Stopped", "Stopped", "A user stopped it before the agent began.");
        scene.get("/backup/report/1006").is(200, &text);
        scene.post("/backup-configuration/enable/1002", &json!({"Enable": false}));
        scene.post("/backup/action-requested", &start).is_fault(400, "Backup configuration 1002 is not active.");
        scene.post("/backup-configuration/enable/1002", &json!({"Enable": true}));
        scene.post("/agent/enable", &json!({"MachineAgentId": 1001, "Enable": false}));
        scene.post("/backup/action-requested", &start).is_fault(400, "Agent 1001 is disabled.");
        for (body, words) in [
            (json!({"Action": "Start", "Id": 1002}), "Action is StartManual or StopManual."),
            (json!({"Id": 1002}), "Action is required."),
            (json!({"Action": "StartManual"}), "Id is required."),
        ] {
            scene.post("/backup/action-requested", &body).is_fault(400, words);
        }
        for action in ["StartManual", "StopManual"] {
            scene.post("/backup/action-requested", &json!({"Action": action, "Id": 77})).answer.expect(404);
        }
    });
}

#[test]
fn restore_points_are_one_for_each_configuration_and_the_newest_comes_first() {
    on_each_catalog(|scene| {
        let first = scene.api.configure(&scene.agent, &json!({}));
        let second = scene.api.configure(&scene.agent, &json!({"BackupConfigurationName": "b"}));
        let seen = |path: &str, member: &str| -> Vec<Value> {
            scene.get(path).answer.json().as_array().expect("a list").iter().map(|entry| entry[member].clone()).collect()
        };
        let mut ids = Vec::new();
        for configuration in [first, second, first] {
            scene.clock.advance(Duration::from_secs(1));
            ids.push(scene.api.back_up(&scene.agent, configuration));
        }
        assert_eq!(seen("/backup/availableforrestore", "BackupConfigurationId"), [json!(first), json!(second)]);
        assert_eq!(
            seen("/backup/availableforrestore", "LastSuccessfulBackupTime"),
            [json!("/Date(1898818203000)/"), json!("/Date(1898818202000)/")]
        );
        assert_eq!(seen(&format!("/backup/completed/{first}"), "BackupId"), [json!(ids[2]), json!(ids[0])]);
        assert_eq!(seen("/activity", "ID"), [json!(ids[2]), json!(ids[1]), json!(ids[0])]);
    });
}

/// Due at 9 PM in New York, half an hour after the beginning; nobody comes for it within the quarter of an hour that it waits.
#[test]
fn a_missed_backup_began_and_ended_when_it_was_due() {
    on_each_catalog(|scene| {
        let daily = json!({"Frequency": "Daily", "StartTimeHour": 9, "StartTimeMinute": 0, "StartTimeAmPm": "PM", "TimeZoneId": "America/New_York"});
        scene.api.configure(&scene.agent, &daily);
        scene.clock.advance(Duration::from_secs(1800));
        wait_until("it is due", SOON, || scene.get("/backup/1006").answer.status() == 200);
        let due = with(BACKUP, &[("StartRequested", "StartScheduled"), ("1898818200000", "1898820000000")]);
        scene.get("/backup/1006").is(200, &due);
        scene.clock.advance(Duration::from_secs(900));
        wait_until("it is missed", SOON, || scene.get("/backup/report/1006").answer.status() == 200);
        let words = "The agent did not take the backup in time: it was not running, or could not reach the server.";
        let text = moved(&with(REPORT, &NOTHING), "Missed", "Missed", words).replace("1898818200000", "1898820000000");
        scene.get("/backup/report/1006").is(200, &text);
    });
}
