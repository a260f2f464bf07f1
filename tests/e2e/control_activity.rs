//! The history of runs, and cleanups, to the letter.

use std::time::Duration;

use serde_json::json;

use crate::control_answers::with;
use crate::support::clock::{DAY, TestClock};
use crate::support::fleet::{Api, TestAgent};
use crate::support::setup::Setup;
use crate::support::told::on_each_catalog;
use crate::support::user::User;

const BACKUP: &str = concat!(
    r#"{"ID":1006,"Type":"Backup","ParentId":1002,"DisplayName":"www nightly","IsBackupConfigurationDeleted":false,"#,
    r#""SourceMachineAgentId":1001,"SourceMachineName":"web-a","SourceDatacenter":"DFW","DestinationMachineAgentId":0,"#,
    r#""DestinationMachineName":"","DestinationDatacenter":"","CurrentState":"Completed","#,
    r#""TimeOfActivity":"\/Date(1898818200000)\/","BackupId":1006}"#,
);
const RESTORE: &str = concat!(
    r#"{"ID":1008,"Type":"Restore","ParentId":1002,"DisplayName":"www nightly","IsBackupConfigurationDeleted":false,"#,
    r#""SourceMachineAgentId":1001,"SourceMachineName":"web-a","SourceDatacenter":"DFW","DestinationMachineAgentId":1007,"#,
    r#""DestinationMachineName":"web-b","DestinationDatacenter":"ORD","CurrentState":"StartRequested","#,
    r#""TimeOfActivity":"\/Date(1898818203000)\/","BackupId":1006}"#,
);
const CLEANUP: &str = concat!(
    r#"{"ID":1009,"Type":"Cleanup","ParentId":0,"DisplayName":"Cleanup","IsBackupConfigurationDeleted":false,"#,
    r#""SourceMachineAgentId":1001,"SourceMachineName":"web-a","SourceDatacenter":"DFW","DestinationMachineAgentId":0,"#,
    r#""DestinationMachineName":"","DestinationDatacenter":"","CurrentState":"StartRequested","#,
    r#""TimeOfActivity":"\/Date(1898818206000)\/"}"#,
);

const SECONDS: Duration = Duration::from_secs(3);

#[test]
fn runs_of_every_kind_are_listed_newest_first() {
    on_each_catalog(|scene| {
        scene.get("/activity").is(200, "[]");
        scene.get("/system/activity/1001").is(200, "[]");
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        scene.api.back_up(&scene.agent, configuration);
        let second = TestAgent::register_with(&scene.api, "web-b", &json!({"datacenter": "ORD"}));
        let restore = json!({
            "BackupId": 1006, "BackupMachineId": 1001, "DestinationMachineId": second.id, "DestinationPath": "/x", "OverwriteFiles": true,
        });
        scene.put("/restore", &restore).answer.expect(200);
        scene.get("/activity").is(200, &format!("[{BACKUP}]"));
        scene.clock.advance(SECONDS);
        scene.post("/restore/action-requested", &json!({"Action": "StartManual", "Id": 1008})).is_empty(204);
        scene.get("/activity").is(200, &format!("[{RESTORE},{BACKUP}]"));
        scene.clock.advance(SECONDS);
        scene.put("/cleanup/startrequested", &json!({"MachineAgentId": 1001})).is(200, "1009");
        scene.get("/activity").is(200, &format!("[{CLEANUP},{RESTORE},{BACKUP}]"));
        scene.get("/system/activity/1001").is(200, &format!("[{CLEANUP},{RESTORE},{BACKUP}]"));
        scene.get("/system/activity/1007").is(200, &format!("[{RESTORE}]"));
        scene.get("/system/activity/1002").is_fault(404, "Agent 1002 was not found.");
        scene.delete("/backup-configuration/1002").is_empty(200);
        let deleted = |text| with(text, &[(r#""IsBackupConfigurationDeleted":false"#, r#""IsBackupConfigurationDeleted":true"#)]);
        scene.get("/activity").is(200, &format!("[{CLEANUP},{},{}]", deleted(RESTORE), deleted(BACKUP)));
        scene.post("/agent/delete", &json!({"MachineAgentId": 1001})).is_empty(204);
        let history = scene.get("/activity").answer.json();
        assert_eq!(history.as_array().map(Vec::len), Some(3), "history outlives its agent: {history}");
    });
}

#[test]
fn a_restore_that_was_deleted_stays_in_the_history() {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        let backup = scene.api.back_up(&scene.agent, configuration);
        let restore = json!({
            "BackupId": backup, "BackupMachineId": 1001, "DestinationMachineId": 1001, "DestinationPath": "/x", "OverwriteFiles": true,
        });
        let id = scene.put("/restore", &restore).answer.json()["RestoreId"].as_i64().expect("an id");
        scene.post("/restore/action-requested", &json!({"Action": "StartManual", "Id": id})).is_empty(204);
        scene.post("/restore/action-requested", &json!({"Action": "StopManual", "Id": id})).is_empty(204);
        let before = scene.get("/activity").answer.text();
        scene.delete(&format!("/restore/files/{id}")).is_empty(204);
        scene.get("/activity").is(200, &before);
        scene.delete(&format!("/restore/files/{id}")).answer.expect(404);
    });
}

/// What can be restored stays as long as it can.
#[test]
fn the_history_goes_back_ninety_days() {
    let clock = TestClock::new();
    for server in Setup::new().clock(&clock).each_catalog() {
        let ada = User::add(&server, "ada", &["--tenant", "5501"]);
        let api = Api::of(&ada);
        let agent = TestAgent::register(&api, "web-a");
        let configuration = api.configure(&agent, &json!({"VersionRetention": 0}));
        let kept = api.back_up(&agent, configuration);
        let stopped = api.start(configuration);
        api.post("/backup/action-requested", &json!({"Action": "StopManual", "Id": stopped})).expect(204);
        let listed = |path: &str| -> Vec<i64> {
            let list = Api::of(&ada).get(path).expect(200).json();
            list.as_array().expect("a list").iter().filter_map(|entry| entry["ID"].as_i64()).collect()
        };
        let expect = |ids: &[i64]| {
            for path in ["/activity".to_owned(), format!("/system/activity/{}", agent.id)] {
                let listed: Vec<i64> = listed(&path).into_iter().filter(|id| [kept, stopped].contains(id)).collect();
                assert_eq!(listed, ids, "{path}");
            }
        };
        expect(&[stopped, kept]);
        clock.advance(89 * DAY);
        expect(&[stopped, kept]);
        clock.advance(DAY);
        expect(&[kept]);
        Api::of(&ada).delete(&format!("/backup-configuration/{configuration}")).expect(200);
    }
}

#[test]
fn a_cleanup_is_started_once_and_reported() {
    on_each_catalog(|scene| {
        scene.put("/cleanup/startrequested", &json!({"MachineAgentId": 1001})).is(200, "1002");
        let report = concat!(
            r#"{"CleanupId":1002,"MachineAgentId":1001,"State":"StartRequested","StateId":1,"StartTime":null,"CompletedTime":null,"#,
            r#""Reason":"","Diagnostics":""}"#,
        );
        scene.get("/cleanup/report/1002").is(200, report);
        assert_eq!(scene.get("/agent/1001").answer.json()["CleanupAllowed"], false);
        let again = scene.put("/cleanup/startrequested", &json!({"MachineAgentId": 1001}));
        again.is_fault(400, "A cleanup of this vault is running.");
        scene.agent.begin(1002);
        scene.clock.advance(SECONDS);
        scene.agent.say(1002, "completed", &json!({})).expect(200);
        let report = concat!(
            r#"{"CleanupId":1002,"MachineAgentId":1001,"State":"Completed","StateId":4,"StartTime":"\/Date(1898818200000)\/","#,
            r#""CompletedTime":"\/Date(1898818203000)\/","Reason":"Success","Diagnostics":"No errors"}"#,
        );
        scene.get("/cleanup/report/1002").is(200, report);
        assert_eq!(scene.get("/agent/1001").answer.json()["CleanupAllowed"], true);
        scene.get("/cleanup/report/1001").is_fault(404, "Cleanup 1001 was not found.");
        scene.put("/cleanup/startrequested", &json!({"MachineAgentId": 77})).is_fault(404, "Agent 77 was not found.");
        scene.post("/agent/enable", &json!({"MachineAgentId": 1001, "Enable": false})).is_empty(204);
        scene.put("/cleanup/startrequested", &json!({"MachineAgentId": 1001})).is_fault(400, "Agent 1001 is disabled.");
    });
}
