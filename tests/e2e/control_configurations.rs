//! What calls on backup configurations answer, to the letter.

use serde_json::json;

use crate::control_answers::with;
use crate::support::fleet::{TestAgent, configuration};
use crate::support::told::on_each_catalog;

/// Configuration 1002 as it is made first, with the agent 1001.
pub const CONFIGURATION: &str = concat!(
    r#"{"BackupConfigurationId":1002,"BackupConfigurationName":"www nightly","BackupConfigurationScheduleId":1003,"#,
    r#""BackupPostscript":"","BackupPrescript":"","Datacenter":"DFW","DayOfWeekId":null,"#,
    r#""EncryptionKey":{"ModulusHex":"MODULUS","ExponentHex":10001},"#,
    r#""Exclusions":[{"FileId":1005,"FileItemType":"Folder","FilePath":"/srv/www/cache","FilePathEncoded":null,"Filter":"Exclude","#,
    r#""ParentId":1002}],"Flavor":"RaxCloudServer","Frequency":"Manually","HourInterval":null,"#,
    r#""Inclusions":[{"FileId":1004,"FileItemType":"Folder","FilePath":"/srv/www","FilePathEncoded":null,"Filter":"Include","#,
    r#""ParentId":1002}],"IsActive":true,"IsDeleted":false,"IsEncrypted":false,"LastRunBackupReportId":null,"LastRunTime":null,"#,
    r#""MachineAgentId":1001,"MachineName":"web-a","MissedBackupActionId":1,"NextScheduledRunTime":null,"NotifyFailure":true,"#,
    r#""NotifyRecipients":"ops@example.net","NotifySuccess":false,"StartTimeAmPm":"","StartTimeHour":null,"StartTimeMinute":null,"#,
    r#""TimeZoneId":"UTC","VersionRetention":30}"#,
);

const NO_LISTS: [(&str, &str); 2] = [
    (
        r#""Exclusions":[{"FileId":1005,"FileItemType":"Folder","FilePath":"/srv/www/cache","FilePathEncoded":null,"Filter":"Exclude","ParentId":1002}]"#,
        r#""Exclusions":[]"#,
    ),
    (
        r#""Inclusions":[{"FileId":1004,"FileItemType":"Folder","FilePath":"/srv/www","FilePathEncoded":null,"Filter":"Include","ParentId":1002}]"#,
        r#""Inclusions":[]"#,
    ),
];

/// As lists show it.
fn listed(text: &str, state: &str) -> String {
    with(text, &[(r#""BackupPrescript":"","#, &format!(r#""BackupPrescript":"","BackupState":"{state}","#))])
}

#[test]
fn a_configuration_is_made_shown_and_listed() {
    on_each_catalog(|scene| {
        scene.get("/backup-configuration").is(200, "[]");
        scene.get("/backup-configuration/system/1001").is(200, "[]");
        scene.post("/backup-configuration", &configuration(1001, &json!({}))).is(200, CONFIGURATION);
        scene.get("/backup-configuration/1002").is(200, CONFIGURATION);
        scene.get("/backup-configuration/system/1001").is(200, &format!("[{CONFIGURATION}]"));
        scene.get("/backup-configuration").is(200, &format!("[{}]", listed(CONFIGURATION, "Not Available")));
        for (path, words) in [
            ("/backup-configuration/1003", "Backup configuration 1003 was not found."),
            ("/backup-configuration/system/1002", "Agent 1002 was not found."),
        ] {
            scene.get(path).is_fault(404, words);
        }
        scene.post("/backup-configuration", &configuration(77, &json!({}))).is_fault(404, "Agent 77 was not found.");
        let words = "The agent has a backup configuration named \"www nightly\" already.";
        scene.post("/backup-configuration", &configuration(1001, &json!({}))).is_fault(409, words);
    });
}

#[test]
fn the_least_that_makes_a_configuration_is_filled_up_with_defaults() {
    on_each_catalog(|scene| {
        let least =
            json!({"MachineAgentId": 1001, "BackupConfigurationName": " www nightly ", "Frequency": "Manually", "VersionRetention": 0});
        let quiet = [(r#""NotifyFailure":true,"NotifyRecipients":"ops@example.net""#, r#""NotifyFailure":false,"NotifyRecipients":"""#)];
        let text = with(CONFIGURATION, &[&NO_LISTS[..], &quiet, &[(r#""VersionRetention":30"#, r#""VersionRetention":0"#)]].concat());
        scene.post("/backup-configuration", &least).is(200, &text);
        let told = json!({"MachineAgentId": 1001, "BackupConfigurationName": "x", "Frequency": "Manually", "VersionRetention": 60, "NotifyRecipients": "a@b"});
        assert_eq!(scene.post("/backup-configuration", &told).answer.json()["NotifyFailure"], true, "whoever is named hears of failures");
    });
}

/// The scene begins at 8:30 PM in New York, so the next time is tomorrow's.
#[test]
fn schedules_are_echoed_as_they_were_sent_and_say_when_they_run_next() {
    on_each_catalog(|scene| {
        let daily = json!({"Frequency": "Daily", "StartTimeHour": 8, "StartTimeMinute": 30, "StartTimeAmPm": "PM", "TimeZoneId": "eastern Standard time"});
        let text = with(
            CONFIGURATION,
            &[
                (r#""Frequency":"Manually""#, r#""Frequency":"Daily""#),
                (r#""NextScheduledRunTime":null"#, r#""NextScheduledRunTime":"\/Date(1898904600000)\/""#),
                (
                    r#""StartTimeAmPm":"","StartTimeHour":null,"StartTimeMinute":null"#,
                    r#""StartTimeAmPm":"PM","StartTimeHour":8,"StartTimeMinute":30"#,
                ),
                (r#""TimeZoneId":"UTC""#, r#""TimeZoneId":"eastern Standard time""#),
            ],
        );
        scene.post("/backup-configuration", &configuration(1001, &daily)).is(200, &text);
        let weekly = json!({"Frequency": "weekly", "StartTimeHour": 9, "StartTimeMinute": 5, "StartTimeAmPm": "am", "DayOfWeekId": 1, "TimeZoneId": "UTC"});
        let text = with(
            CONFIGURATION,
            &[
                (r#""DayOfWeekId":null"#, r#""DayOfWeekId":1"#),
                (r#""Frequency":"Manually""#, r#""Frequency":"Weekly""#),
                (r#""NextScheduledRunTime":null"#, r#""NextScheduledRunTime":"\/Date(1898845500000)\/""#),
                (
                    r#""StartTimeAmPm":"","StartTimeHour":null,"StartTimeMinute":null"#,
                    r#""StartTimeAmPm":"AM","StartTimeHour":9,"StartTimeMinute":5"#,
                ),
            ],
        );
        scene.put("/backup-configuration/1002", &weekly).is(200, &text);
        let hourly = with(
            CONFIGURATION,
            &[
                (r#""Frequency":"Manually","HourInterval":null"#, r#""Frequency":"Hourly","HourInterval":6"#),
                (r#""NextScheduledRunTime":null"#, r#""NextScheduledRunTime":"\/Date(1898839800000)\/""#),
            ],
        );
        scene.put("/backup-configuration/1002", &json!({"Frequency": "Hourly", "HourInterval": 6})).is(200, &hourly);
        scene.put(
            "/backup-configuration/1002",
            &json!({"Frequency": "Daily", "StartTimeHour": 0, "StartTimeMinute": 0, "StartTimeAmPm": "PM"}),
        );
        let shown = scene.get("/backup-configuration/1002").answer.json();
        assert_eq!((&shown["StartTimeHour"], &shown["StartTimeAmPm"]), (&json!(0), &json!("PM")), "hour 0 is echoed as it was sent");
        assert_eq!(shown["NextScheduledRunTime"], "/Date(1898856000000)/", "and means noon");
        scene.put("/backup-configuration/1002", &json!({"Frequency": "Manually"})).is(200, CONFIGURATION);
    });
}

#[test]
fn an_update_answers_with_the_whole_and_new_lists_have_new_ids() {
    on_each_catalog(|scene| {
        scene.api.configure(&scene.agent, &json!({}));
        scene.put("/backup-configuration/1002", &json!({})).is(200, CONFIGURATION);
        let renamed = with(CONFIGURATION, &[("www nightly", "n2")]);
        scene.put("/backup-configuration/1002", &json!({"name": "n2", "BackupConfigurationName": "n2"})).is(200, &renamed);
        let lists = json!({"Inclusions": [{"FilePath": "/ä", "FileItemType": "0", "FilePathEncoded": "L+Q="}], "Exclusions": []});
        let changed = with(
            &renamed,
            &[
                NO_LISTS[0],
                (
                    NO_LISTS[1].0,
                    r#""Inclusions":[{"FileId":1006,"FileItemType":"File","FilePath":"/ä","FilePathEncoded":"L+Q=","Filter":"Include","ParentId":1002}]"#,
                ),
            ],
        );
        scene.put("/backup-configuration/1002", &lists).is(200, &changed);
        let words = "Backup configuration 1002 is of agent 1001.";
        scene.put("/backup-configuration/1002", &json!({"MachineAgentId": 1002})).is_fault(400, words);
        scene.put("/backup-configuration/77", &json!({})).is_fault(404, "Backup configuration 77 was not found.");
        scene.get("/backup-configuration/1002").is(200, &changed);
    });
}

#[test]
fn a_configuration_is_enabled_and_disabled_and_says_so() {
    on_each_catalog(|scene| {
        scene.api.configure(&scene.agent, &json!({}));
        let idle = with(CONFIGURATION, &[(r#""IsActive":true"#, r#""IsActive":false"#)]);
        scene.post("/backup-configuration/enable/1002", &json!({"Enable": false})).is(200, &idle);
        scene.post("/backup-configuration/enable/1002", &json!({"Enabled": "False"})).is(200, &idle);
        scene.post("/backup-configuration/enable/1002", &json!({"Enable": true})).is(200, CONFIGURATION);
        scene.post("/backup-configuration/enable/1002", &json!({})).is_fault(400, "Enable is required.");
        scene.post("/backup-configuration/enable/77", &json!({"Enable": true})).is_fault(404, "Backup configuration 77 was not found.");
    });
}

#[test]
fn a_deleted_configuration_is_shown_and_listed_no_more() {
    on_each_catalog(|scene| {
        scene.api.configure(&scene.agent, &json!({"Frequency": "Hourly", "HourInterval": 1}));
        scene.delete("/backup-configuration/1002").is_empty(200);
        let deleted = with(
            CONFIGURATION,
            &[
                (r#""Frequency":"Manually","HourInterval":null"#, r#""Frequency":"Hourly","HourInterval":1"#),
                (r#""IsActive":true,"IsDeleted":false"#, r#""IsActive":false,"IsDeleted":true"#),
            ],
        );
        scene.get("/backup-configuration/1002").is(200, &deleted);
        scene.get("/backup-configuration").is(200, "[]");
        scene.get("/backup-configuration/system/1001").is(200, "[]");
        scene.get("/backup/completed/1002").is(200, "[]");
        let gone = "Backup configuration 1002 was not found.";
        scene.delete("/backup-configuration/1002").is_fault(404, gone);
        scene.put("/backup-configuration/1002", &json!({})).is_fault(404, gone);
        scene.post("/backup-configuration/enable/1002", &json!({"Enable": true})).is_fault(404, gone);
        scene.post("/backup/action-requested", &json!({"Action": "StartManual", "Id": 1002})).is_fault(404, gone);
    });
}

#[test]
fn the_last_run_and_the_newest_state_are_told() {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        scene.api.back_up(&scene.agent, configuration);
        let last = [(
            r#""LastRunBackupReportId":null,"LastRunTime":null"#,
            r#""LastRunBackupReportId":1006,"LastRunTime":"\/Date(1898818200000)\/""#,
        )];
        scene.get("/backup-configuration/1002").is(200, &with(CONFIGURATION, &last));
        scene.get("/backup-configuration").is(200, &format!("[{}]", listed(&with(CONFIGURATION, &last), "Completed")));
        scene.api.start(configuration);
        scene.get("/backup-configuration").is(200, &format!("[{}]", listed(&with(CONFIGURATION, &last), "StartRequested")));
        let second = TestAgent::register(&scene.api, "web-b");
        scene.get(&format!("/backup-configuration/system/{}", second.id)).is(200, "[]");
    });
}

#[test]
fn nothing_is_planned_for_what_is_idle() {
    on_each_catalog(|scene| {
        scene.api.configure(&scene.agent, &json!({"Frequency": "Hourly", "HourInterval": 6}));
        let next = || scene.get("/backup-configuration/1002").answer.json()["NextScheduledRunTime"].clone();
        let planned = json!("/Date(1898839800000)/");
        assert_eq!(next(), planned);
        for (path, off, on) in [
            ("/backup-configuration/enable/1002", json!({"Enable": false}), json!({"Enable": true})),
            ("/agent/enable", json!({"MachineAgentId": 1001, "Enable": false}), json!({"MachineAgentId": 1001, "Enable": true})),
        ] {
            scene.post(path, &off);
            assert_eq!(next(), json!(null), "{path}");
            scene.post(path, &on);
            assert_eq!(next(), planned, "{path}: the grid stays where it was");
        }
    });
}

#[test]
fn a_run_keeps_the_name_under_which_its_agent_took_it() {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        let name = |backup: i64| scene.get(&format!("/backup/{backup}")).answer.json()["BackupConfigurationName"].clone();
        let rename =
            |name: &str| scene.put("/backup-configuration/1002", &json!({"BackupConfigurationName": name})).answer.expect(200).status();
        let backup = scene.api.start(configuration);
        rename("before");
        assert_eq!(name(backup), "before");
        scene.agent.say(backup, "queued", &json!({})).expect(200);
        rename("after");
        assert_eq!(name(backup), "before");
        assert_eq!(name(scene.api.start(configuration)), "after");
        scene.post("/backup-configuration/enable/1002", &json!({"Enable": false}));
        assert_eq!(scene.api.state(backup), "Queued", "what the agent has taken goes on");
    });
}
