//! What calls on restores answer, to the letter: in the making, under way, ended.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_answers::with;
use crate::support::fleet::TestAgent;
use crate::support::stage::encrypt;
use crate::support::told::{Scene, on_each_catalog};

const RESTORE: &str = concat!(
    r#"{"RestoreId":1007,"BackupId":1006,"DestinationMachineId":1001,"OverwriteFiles":false,"BackupConfigurationId":1002,"#,
    r#""BackupConfigurationName":"www nightly","BackupRestorePoint":"\/Date(1898818200000)\/","BackupMachineId":1001,"#,
    r#""MachineAgentId":1001,"BackupMachineName":"web-a","BackupFlavor":"RaxCloudServer","DestinationMachineName":"web-a","#,
    r#""DestinationPath":"/restore/here","BackupDataCenter":"DFW","IsEncrypted":false,"EncryptedPassword":null,"#,
    r#""PublicKey":{"ModulusHex":"MODULUS","ExponentHex":10001},"RestoreStateId":0,"Inclusions":[],"Exclusions":[]}"#,
);

const REPORT: &str = concat!(
    r#"{"BackupConfigurationId":1002,"BackupConfigurationName":"www nightly","BackupReportId":1006,"#,
    r#""RestorePoint":"\/Date(1898818200000)\/","StartTime":"\/Date(1898818201000)\/","CompletedTime":"\/Date(1898818215000)\/","#,
    r#""Duration":"00:00:14","OriginatingComputerName":"web-a","State":"Completed","NumFilesRestored":"35","#,
    r#""NumBytesRestored":"18 MB","RestoreDestination":"web-a","RestoreDestinationMachineId":1001,"NumErrors":"0","#,
    r#""Reason":"Success","Diagnostics":"No errors","ErrorList":[]}"#,
);

fn wanted(destination: i64) -> Value {
    json!({
        "BackupId": 1006, "BackupMachineId": 1001, "DestinationMachineId": destination, "DestinationPath": "/restore/here",
        "OverwriteFiles": false,
    })
}

/// A backup 1006 is there, of the configuration 1002.
fn with_backup(story: impl Fn(&Scene)) {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        assert_eq!(scene.api.back_up(&scene.agent, configuration), 1006);
        story(scene);
    });
}

fn act(scene: &Scene, action: &str) -> crate::support::told::Told {
    scene.post("/restore/action-requested", &json!({"Action": action, "Id": 1007}))
}

#[test]
fn a_restore_is_made_at_either_path_and_shown() {
    with_backup(|scene| {
        scene.put("/restore", &wanted(1001)).is(200, RESTORE);
        scene.get("/restore/1007").is(200, RESTORE);
        let mut body = wanted(1001);
        body.as_object_mut().expect("an object").remove("BackupId");
        scene.put("/restore/1006", &body).is(200, &RESTORE.replace("1007", "1008"));
        body["DestinationPath"] = Value::Null;
        let original = with(RESTORE, &[("/restore/here", ""), ("1007", "1009")]);
        scene.put("/restore/1006", &body).is(200, &original);
        scene.get("/restore/files/1007").is(200, "[]");
        scene.get("/restore/77").is_fault(404, "Restore 77 was not found.");
        scene.get("/restore/files/77").is_fault(404, "Restore 77 was not found.");
        scene.get("/restore/report/77").is_fault(404, "Restore 77 was not found.");
        scene.get("/restore/report/1007").is_fault(404, "Restore 1007 has not ended, so it has no report yet.");
    });
}

#[test]
fn what_cannot_be_restored_is_refused_with_a_reason() {
    with_backup(|scene| {
        let second = TestAgent::register(&scene.api, "web-b");
        let refused = |changes: Value, status: u16, words: &str| {
            let mut body = wanted(1001);
            for (name, value) in changes.as_object().expect("an object") {
                body[name] = value.clone();
            }
            scene.put("/restore", &body).is_fault(status, words);
        };
        refused(json!({"BackupId": 77}), 403, "Backup 77 is none of yours.");
        refused(json!({"BackupMachineId": second.id}), 400, "BackupMachineId: backup 1006 was not made by agent 1007.");
        refused(json!({"DestinationMachineId": 77}), 403, "Agent 77 is none of yours.");
        refused(
            json!({"DestinationMachineId": second.id, "DestinationPath": ""}),
            400,
            "On another machine a restore needs a DestinationPath.",
        );
        refused(json!({"BackupDataCenter": "ORD"}), 400, "BackupDataCenter: agent 1001 is in DFW, not in ORD.");
        let running = scene.api.start(1002);
        refused(json!({"BackupId": running}), 400, &format!("Backup {running} cannot be restored."));
        scene.post("/agent/enable", &json!({"MachineAgentId": second.id, "Enable": false})).is_empty(204);
        refused(json!({"DestinationMachineId": second.id}), 400, "Agent 1007 is disabled.");
    });
}

#[test]
fn files_are_added_listed_and_taken_away() {
    with_backup(|scene| {
        scene.put("/restore", &wanted(1001)).is(200, RESTORE);
        let file =
            |path: &str, filter: Value, kind: Value| json!({"ParentId": 1007, "FilePath": path, "Filter": filter, "FileItemType": kind});
        scene.put("/restore/files", &file("/srv/www/index.html", json!("1"), json!("0"))).is_empty(200);
        scene.put("/restore/files", &file("/srv/www/index.html", json!("include"), json!("FILE"))).is_empty(200);
        scene.put("/restore/files", &file("/srv/www/logs", json!(2), json!(1))).is_empty(200);
        let one = r#"{"FilePath":"/srv/www/index.html","Filter":1,"RestoreId":1007,"FileItemType":0,"FileId":1008,"FilePathEncoded":null}"#;
        let two = r#"{"FilePath":"/srv/www/logs","Filter":2,"RestoreId":1007,"FileItemType":1,"FileId":1009,"FilePathEncoded":null}"#;
        scene.get("/restore/files/1007").is(200, &format!("[{one},{two}]"));
        for (query, text) in [
            ("Filter=1", one),
            ("filter=exclude", two),
            ("FileItemType=Folder", two),
            ("Filter=1&FileItemType=0&x=y", one),
            ("Filter=&Filter=2", two),
        ] {
            scene.get(&format!("/restore/files/1007?{query}")).is(200, &format!("[{text}]"));
        }
        scene.get("/restore/files/1007?Filter=&FileItemType=").is(200, &format!("[{one},{two}]"));
        scene.get("/restore/files/1007?Filter=1&FileItemType=1").is(200, "[]");
        scene.get("/restore/files/1007?Filter=3").is_fault(400, "Filter is 1 or 2.");
        let lists = [
            (
                r#""Inclusions":[]"#,
                r#""Inclusions":[{"FileId":1008,"FileItemType":"File","FilePath":"/srv/www/index.html","FilePathEncoded":null,"Filter":"Include","ParentId":1007}]"#,
            ),
            (
                r#""Exclusions":[]"#,
                r#""Exclusions":[{"FileId":1009,"FileItemType":"Folder","FilePath":"/srv/www/logs","FilePathEncoded":null,"Filter":"Exclude","ParentId":1007}]"#,
            ),
        ];
        scene.get("/restore/1007").is(200, &with(RESTORE, &lists));
        let mut replaced = file("/srv/www/\u{fffd}", json!("Include"), json!("Folder"));
        (replaced["FileId"], replaced["FilePathEncoded"]) = (json!(1008), json!("L3Nydi93d3cv/w=="));
        scene.put("/restore/files", &replaced).is_empty(200);
        let three =
            r#"{"FilePath":"/srv/www/�","Filter":1,"RestoreId":1007,"FileItemType":1,"FileId":1010,"FilePathEncoded":"L3Nydi93d3cv/w=="}"#;
        scene.get("/restore/files/1007").is(200, &format!("[{three},{two}]"));
        scene.delete("/restore/files/1009").is_empty(204);
        scene.get("/restore/files/1007").is(200, &format!("[{three}]"));
        scene.delete("/restore/files/1009").is_fault(404, "There is neither a restore 1009 nor a file 1009 of one.");
        let words = "Restore 77 was not found.";
        scene.put("/restore/files", &json!({"ParentId": 77, "FilePath": "/x", "Filter": 1, "FileItemType": 0})).is_fault(404, words);
        act(scene, "StartManual").is_empty(204);
        let words = "Restore 1007 is StartRequested: it can be changed only before it is started.";
        scene.put("/restore/files", &file("/late", json!(1), json!(0))).is_fault(400, words);
        scene.delete("/restore/files/1010").is_fault(400, "Restore 1007 was started: its files stay as they are.");
        scene.delete("/restore/files/1007").is_fault(400, "Restore 1007 is running: stop it first.");
        act(scene, "StopManual").is_empty(204);
        scene.delete("/restore/files/1007").is_empty(204);
        scene.get("/restore/1007").is_fault(404, "Restore 1007 was not found.");
        scene.delete("/restore/files/1007").answer.expect(404);
    });
}

#[test]
fn a_restore_is_changed_only_in_the_making_and_its_state_is_not_for_clients_to_set() {
    with_backup(|scene| {
        scene.put("/restore", &wanted(1001)).is(200, RESTORE);
        let second = TestAgent::register(&scene.api, "web-b");
        scene.post("/restore", &json!({"RestoreId": 1007, "RestoreStateId": 1})).is_empty(204);
        scene.get("/restore/1007").is(200, RESTORE);
        let all = json!({
            "RestoreId": "1007", "BackupId": 1006, "BackupMachineId": 1001, "DestinationMachineId": second.id, "BackupConfigurationId": 1002,
            "DestinationPath": "/else", "OverwriteFiles": "True", "RestoreStateId": 0, "BackupDataCenter": "dfw",
        });
        scene.post("/restore", &all).is_empty(204);
        let changed = [
            (r#""DestinationMachineId":1001"#, r#""DestinationMachineId":1008"#),
            (r#""OverwriteFiles":false"#, r#""OverwriteFiles":true"#),
            (r#""DestinationMachineName":"web-a""#, r#""DestinationMachineName":"web-b""#),
            ("/restore/here", "/else"),
        ];
        scene.get("/restore/1007").is(200, &with(RESTORE, &changed));
        for (body, status, words) in [
            (json!({"RestoreStateId": 0}), 400, "RestoreId is required."),
            (json!({"RestoreId": 1007, "RestoreStateId": 10}), 400, "RestoreStateId is 0 to 9."),
            (json!({"RestoreId": 1007, "BackupConfigurationId": 1}), 400, "BackupConfigurationId: the backup is of another one."),
            (json!({"RestoreId": 1007, "BackupId": 77}), 404, "Backup 77 is none of yours."),
            (json!({"RestoreId": 77}), 404, "Restore 77 was not found."),
        ] {
            scene.post("/restore", &body).is_fault(status, words);
        }
        act(scene, "StartManual").is_empty(204);
        let words = "Restore 1007 is StartRequested: it can be changed only before it is started.";
        scene.post("/restore", &json!({"RestoreId": 1007})).is_fault(400, words);
    });
}

#[test]
fn a_restore_has_a_number_for_each_state_and_a_report_at_its_end() {
    with_backup(|scene| {
        scene.put("/restore", &wanted(1001)).is(200, RESTORE);
        let state = |id: i64| {
            scene.get("/restore/1007").is(200, &with(RESTORE, &[(r#""RestoreStateId":0"#, &format!(r#""RestoreStateId":{id}"#))]));
        };
        act(scene, "StopManual").is_fault(400, "Restore 1007 is not running.");
        act(scene, "StartManual").is_empty(204);
        state(6);
        act(scene, "StartManual").is_fault(400, "Restore 1007 is running already.");
        scene.clock.advance(Duration::from_secs(1));
        for (said, id) in [("queued", 1), ("preparing", 9), ("in_progress", 2)] {
            scene.agent.say(1007, said, &json!({})).expect(200);
            state(id);
        }
        scene.clock.advance(Duration::from_secs(14));
        scene.agent.say(1007, "completed", &json!({"files_done": 35, "bytes_done": 18 << 20})).expect(200);
        state(3);
        scene.get("/restore/report/1007").is(200, REPORT);
        act(scene, "StopManual").is_fault(400, "Restore 1007 is not running.");
    });
}

#[test]
fn a_restore_with_errors_and_a_failed_one_say_what_went_wrong() {
    with_backup(|scene| {
        scene.put("/restore", &wanted(1001)).is(200, RESTORE);
        scene.clock.advance(Duration::from_secs(1));
        act(scene, "StartManual").is_empty(204);
        scene.agent.begin(1007);
        scene.clock.advance(Duration::from_secs(14));
        let errors = json!([{"kind": 105, "description": "The item could not be read.", "exception": "x", "details": "y", "code": 5, "path": "/srv/a"}]);
        let done = json!({"files_done": 35, "bytes_done": 18 << 20, "error_count": 1, "errors": errors});
        scene.agent.say(1007, "completed_with_errors", &done).expect(200);
        let list = concat!(
            r#""ErrorList":[{"RestoreReportID":1007,"ListIndex":0,"ErrorType":105,"ErrorDesc":"The item could not be read.","#,
            r#""ExceptionDesc":"x","ExceptionDetails":"y","ExceptionCode":5,"Path":"/srv/a"}]"#,
        );
        let changes = [
            (r#""State":"Completed""#, r#""State":"CompletedWithErrors""#),
            (r#""NumErrors":"0""#, r#""NumErrors":"1""#),
            (
                r#""Reason":"Success","Diagnostics":"No errors""#,
                r#""Reason":"UnableToProcessSomeFiles","Diagnostics":"Some files may not have been restored""#,
            ),
            (r#""ErrorList":[]"#, list),
        ];
        scene.get("/restore/report/1007").is(200, &with(REPORT, &changes));
        act(scene, "StartManual").is_empty(204);
        scene.get("/restore/report/1007").is_fault(404, "Restore 1007 has not ended, so it has no report yet.");
        scene.agent.say(1007, "queued", &json!({"attempt": 2})).expect(200);
        scene
            .agent
            .say(1007, "failed", &json!({"attempt": 2, "reason": "DestinationNotWritable", "note": "/restore/here is read-only."}))
            .expect(200);
        let changes = [
            ("1898818201000", "1898818215000"),
            ("00:00:14", "00:00:00"),
            (r#""State":"Completed""#, r#""State":"Failed""#),
            (r#""NumFilesRestored":"35","NumBytesRestored":"18 MB""#, r#""NumFilesRestored":"0","NumBytesRestored":"0 bytes""#),
            (
                r#""Reason":"Success","Diagnostics":"No errors""#,
                r#""Reason":"DestinationNotWritable","Diagnostics":"/restore/here is read-only.""#,
            ),
        ];
        scene.get("/restore/report/1007").is(200, &with(REPORT, &changes));
    });
}

/// An old example of the guide sends plain words: the client is told by the restore's end, as its agent would.
#[test]
fn a_password_that_no_key_can_have_made_ends_the_restore_and_is_ignored_where_none_is_needed() {
    on_each_catalog(|scene| {
        encrypt(&scene.api, &scene.agent);
        let text = with(RESTORE, &[(r#""IsEncrypted":false"#, r#""IsEncrypted":true"#)]);
        scene.put("/restore", &wanted(1001)).is(200, &text);
        let start = |password: &Value| {
            scene.post("/restore/action-requested", &json!({"Action": "StartManual", "Id": 1007, "EncryptedPassword": password}))
        };
        for password in [json!("EncryptedPassword"), json!("00"), json!("é")] {
            start(&password).is_empty(204);
            let report = scene.get("/restore/report/1007").answer.json();
            assert_eq!((&report["State"], &report["Reason"]), (&json!("Failed"), &json!("InvalidPassword")), "{password}");
            assert!(report["Diagnostics"].as_str().is_some_and(|text| text.contains("PublicKey of the restore")), "{report}");
            assert_eq!(scene.agent.wanted(1007), None);
        }
        start(&json!(format!("{}\n", "Ab ".repeat(256)))).is_empty(204);
        let job = scene.agent.wanted(1007).expect("it is wanted");
        assert_eq!(job["encrypted_password"], "ab".repeat(256), "{job}");
        scene.get("/restore/1007").is(200, &with(&text, &[(r#""RestoreStateId":0"#, r#""RestoreStateId":6"#)]));
    });
    with_backup(|scene| {
        scene.put("/restore", &wanted(1001)).is(200, RESTORE);
        let start = json!({"Action": "StartManual", "Id": 1007, "EncryptedPassword": "EncryptedPassword"});
        scene.post("/restore/action-requested", &start).is_empty(204);
        assert_eq!(scene.agent.wanted(1007).map(|job| job["encrypted_password"].clone()), Some(Value::Null));
    });
}

#[test]
fn what_is_gone_meanwhile_cannot_be_started() {
    with_backup(|scene| {
        scene.put("/restore", &wanted(1001)).is(200, RESTORE);
        scene.post("/agent/enable", &json!({"MachineAgentId": 1001, "Enable": false})).is_empty(204);
        act(scene, "StartManual").is_fault(400, "Agent 1001 is disabled.");
        scene.post("/agent/enable", &json!({"MachineAgentId": 1001, "Enable": true})).is_empty(204);
        scene.delete("/backup-configuration/1002").is_empty(200);
        act(scene, "StartManual").is_fault(400, "Backup 1006 cannot be restored any more.");
        scene.post("/restore/action-requested", &json!({"Action": "StartManual", "Id": 77})).is_fault(404, "Restore 77 was not found.");
        for (body, words) in [
            (json!({"Id": 1007}), "Action is required."),
            (json!({"Action": "Restart", "Id": 1007}), "Action is StartManual or StopManual."),
            (json!({"Action": "StopManual"}), "Id is required."),
        ] {
            scene.post("/restore/action-requested", &body).is_fault(400, words);
        }
    });
}
