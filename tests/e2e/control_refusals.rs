//! What is refused by the Cloud Backup API, with a fault object that names the member: schedules, selections, texts, sizes.

use serde_json::{Value, json};

use crate::support::fleet::{TestAgent, configuration};
use crate::support::setup::Setup;
use crate::support::told::{Scene, on_each_catalog};

fn scene() -> Scene {
    let scene = Scene::start(Setup::new());
    scene.api.configure(&scene.agent, &json!({}));
    scene
}

/// Both making and changing a configuration refuse the changes, and say `words`.
#[track_caller]
fn refused(scene: &Scene, changes: &Value, words: &str) {
    let body = configuration(1001, changes);
    let mut named = body.clone();
    if changes.get("BackupConfigurationName").is_none() {
        named["BackupConfigurationName"] = "another".into();
    }
    for told in [scene.post("/backup-configuration", &named), scene.put("/backup-configuration/1002", &body)] {
        let fault = told.answer.expect(400).json();
        let message = fault["badRequest"]["message"].as_str().unwrap_or_else(|| panic!("a fault: {fault}"));
        assert!(message.contains(words), "{words} in {message} about {changes}");
        assert_eq!(fault, json!({"badRequest": {"code": 400, "message": message, "details": ""}}));
    }
}

const AT: [(&str, i64); 2] = [("StartTimeHour", 8), ("StartTimeMinute", 30)];

fn daily(changes: &[(&str, Value)]) -> Value {
    timed("Daily", changes)
}

fn timed(frequency: &str, changes: &[(&str, Value)]) -> Value {
    let mut body = json!({"Frequency": frequency, "StartTimeAmPm": "AM", "DayOfWeekId": 3});
    for (name, value) in AT {
        body[name] = value.into();
    }
    for (name, value) in changes {
        body[*name] = value.clone();
    }
    body
}

#[test]
fn a_schedule_that_cannot_be_is_refused_by_member() {
    let scene = scene();
    for wrong in [json!("Monthly"), json!("Never"), json!(5), json!("Daily ")] {
        refused(&scene, &daily(&[("Frequency", wrong)]), "Frequency");
    }
    for frequency in ["Daily", "Weekly"] {
        for (member, wrong) in [
            ("StartTimeHour", json!(13)),
            ("StartTimeHour", json!(-1)),
            ("StartTimeHour", json!("x")),
            ("StartTimeHour", json!(null)),
            ("StartTimeHour", json!("")),
            ("StartTimeMinute", json!(60)),
            ("StartTimeMinute", json!(-1)),
            ("StartTimeMinute", json!(null)),
            ("StartTimeMinute", json!(1.5)),
            ("StartTimeAmPm", json!("noon")),
            ("StartTimeAmPm", json!(null)),
            ("StartTimeAmPm", json!("")),
            ("TimeZoneId", json!("Mars Standard Time")),
            ("TimeZoneId", json!("UTC\u{0}")),
            ("TimeZoneId", json!({})),
        ] {
            refused(&scene, &timed(frequency, &[(member, wrong)]), member);
        }
    }
    for wrong in [json!(7), json!(-1), json!(null), json!("Sunday"), json!("")] {
        refused(&scene, &timed("Weekly", &[("DayOfWeekId", wrong)]), "DayOfWeekId");
    }
    for wrong in [json!(0), json!(24), json!(-1), json!(null), json!(""), json!("hourly"), json!(i64::MAX)] {
        refused(&scene, &json!({"Frequency": "Hourly", "HourInterval": wrong}), "HourInterval");
    }
    refused(&scene, &json!({"Frequency": "Manually", "TimeZoneId": "nowhere"}), "TimeZoneId");
    let mut none = configuration(1001, &json!({"BackupConfigurationName": "x"}));
    none.as_object_mut().expect("an object").remove("Frequency");
    scene.post("/backup-configuration", &none).is_fault(400, "Frequency is required.");
}

#[test]
fn members_that_do_not_apply_to_the_frequency_are_not_looked_at() {
    on_each_catalog(|scene| {
        scene.api.configure(&scene.agent, &json!({}));
        let body = json!({"Frequency": "Hourly", "HourInterval": 2, "StartTimeHour": "x", "StartTimeMinute": 99, "StartTimeAmPm": "ZM", "DayOfWeekId": []});
        let shown = scene.put("/backup-configuration/1002", &body).answer.expect(200).json();
        assert_eq!((&shown["StartTimeHour"], &shown["StartTimeAmPm"], &shown["HourInterval"]), (&Value::Null, &json!(""), &json!(2)));
        let body = timed("Daily", &[("HourInterval", json!("x")), ("DayOfWeekId", json!(99))]);
        let shown = scene.put("/backup-configuration/1002", &body).answer.expect(200).json();
        assert_eq!((&shown["HourInterval"], &shown["DayOfWeekId"]), (&Value::Null, &Value::Null));
        scene.put("/backup-configuration/1002", &json!({"StartTimeHour": 0})).answer.expect(200);
        let shown = scene.put("/backup-configuration/1002", &json!({"Frequency": "Weekly", "DayOfWeekId": 0})).answer.expect(200).json();
        let schedule = [&shown["StartTimeHour"], &shown["StartTimeMinute"], &shown["StartTimeAmPm"], &shown["DayOfWeekId"]];
        assert_eq!(schedule, [&json!(0), &json!(30), &json!("AM"), &json!(0)], "what the body leaves out is the stored schedule's");
        scene
            .put("/backup-configuration/1002", &json!({"StartTimeHour": null}))
            .is_fault(400, "StartTimeHour is required for this Frequency.");
    });
}

#[test]
fn names_numbers_and_recipients_that_cannot_be_are_refused_by_member() {
    let scene = scene();
    for (member, wrong) in [
        ("BackupConfigurationName", json!("")),
        ("BackupConfigurationName", json!(" \t ")),
        ("BackupConfigurationName", json!("ä".repeat(256))),
        ("BackupConfigurationName", json!(["x"])),
        ("VersionRetention", json!(31)),
        ("VersionRetention", json!(-30)),
        ("VersionRetention", json!("for ever")),
        ("MissedBackupActionId", json!(3)),
        ("MissedBackupActionId", json!(0)),
        ("MissedBackupActionId", json!("soon")),
        ("IsActive", json!("perhaps")),
        ("NotifySuccess", json!(7)),
        ("NotifyFailure", json!("x")),
        ("NotifyRecipients", json!("")),
        ("NotifyRecipients", json!(" ; ,")),
        ("NotifyRecipients", json!("ops")),
        ("NotifyRecipients", json!("a@b, c")),
        ("NotifyRecipients", json!("a b@c")),
        ("NotifyRecipients", json!("a@b@c")),
        ("NotifyRecipients", json!("a@b\r\nBcc: x@y")),
        ("NotifyRecipients", json!([])),
        ("BackupPrescript", json!({})),
        ("Inclusions", json!("/srv")),
        ("Inclusions", json!([1])),
        ("Exclusions", json!({})),
        ("Exclusions", json!(["/srv"])),
    ] {
        refused(&scene, &json!({member: wrong}), member);
    }
    for member in ["MachineAgentId", "BackupConfigurationName", "VersionRetention"] {
        let mut body = configuration(1001, &json!({"BackupConfigurationName": "x"}));
        body.as_object_mut().expect("an object").remove(member);
        let fault = scene.post("/backup-configuration", &body).answer.expect(400).json();
        assert!(fault["badRequest"]["message"].as_str().is_some_and(|text| text.contains(member)), "{fault}");
    }
    let long = json!({"BackupConfigurationName": "ä".repeat(255), "NotifyRecipients": "a@b,c@d; e@f "});
    scene.put("/backup-configuration/1002", &long).answer.expect(200);
}

#[test]
fn selections_that_cannot_be_are_refused_with_the_path() {
    let scene = scene();
    let item = |path: &str| json!({"FilePath": path, "FileItemType": "Folder"});
    for (path, words) in [
        ("srv/www", "FilePath"),
        ("~/x", "FilePath"),
        ("", "FilePath"),
        ("C:x", "FilePath"),
        ("/srv/../etc", "FilePath"),
        ("/a\u{0}b", "FilePath"),
        (r"\\server", "FilePath"),
    ] {
        refused(&scene, &json!({"Inclusions": [item(path)], "Exclusions": []}), words);
    }
    for (wrong, words) in [
        (json!({"FilePath": "/a"}), "FileItemType is required."),
        (json!({"FileItemType": "File"}), "FilePath is required."),
        (json!({"FilePath": "/a", "FileItemType": "Link"}), "FileItemType"),
        (json!({"FilePath": "/a", "FileItemType": 7}), "FileItemType"),
        (json!({"FilePath": "/a", "FileItemType": 0, "FilePathEncoded": "%"}), "FilePathEncoded"),
        (json!({"FilePath": "/a", "FileItemType": 0, "FilePathEncoded": "eA=="}), "FilePath"),
        (json!({"FilePath": 7, "FileItemType": 0}), "FilePath"),
    ] {
        refused(&scene, &json!({"Inclusions": [wrong], "Exclusions": []}), words);
    }
    for (inclusions, exclusions, words) in [
        (json!([item("/a"), item("/a/")]), json!([]), "/a/ is listed twice"),
        (json!([item(r"C:\A"), item(r"c:\a")]), json!([]), r"c:\a is listed twice"),
        (json!([item("/a")]), json!([item("/a")]), "/a is both included and excluded"),
        (json!([item("/a")]), json!([item("/b")]), "/b is excluded, but not inside any included folder"),
        (json!([]), json!([item("/b")]), "/b is excluded, but not inside any included folder"),
        (json!([item("/a")]), json!([item("/a/b"), item("/a/b")]), "/a/b is listed twice"),
    ] {
        refused(&scene, &json!({"Inclusions": inclusions, "Exclusions": exclusions}), words);
    }
    let nested = json!({"Inclusions": [item(r"C:\Websites"), item(r"C:\Websites\Logs")], "Exclusions": [item(r"c:\websites\tmp\")]});
    scene.put("/backup-configuration/1002", &nested).answer.expect(200);
    scene.put("/backup-configuration/1002", &json!({"Inclusions": [], "Exclusions": []})).answer.expect(200);
}

/// A text with a NUL cannot be kept by one of the catalogs; it is refused before either is asked.
#[test]
fn a_nul_character_in_any_text_is_a_bad_request() {
    on_each_catalog(|scene| {
        scene.api.configure(&scene.agent, &json!({}));
        scene.api.back_up(&scene.agent, 1002);
        let restore = json!({"BackupId": 1006, "BackupMachineId": 1001, "DestinationMachineId": 1001, "DestinationPath": "/x", "OverwriteFiles": false});
        scene.put("/restore", &restore).answer.expect(200);
        for member in [
            "BackupConfigurationName",
            "BackupPrescript",
            "BackupPostscript",
            "NotifyRecipients",
            "TimeZoneId",
            "Frequency",
            "VersionRetention",
        ] {
            for text in ["\u{0}", "a@b\u{0}c"] {
                refused(scene, &json!({member: text}), "");
            }
        }
        for (method, path, mut body, member) in [
            ("POST", "/backup/action-requested", json!({"Id": 1002}), "Action"),
            ("POST", "/restore/action-requested", json!({"Id": 1007}), "Action"),
            ("POST", "/agent/1001", json!({"UseServiceNet": true}), "BackupDataCenter"),
            ("PUT", "/agent/logging", json!({"MachineAgentId": 1001}), "LoggingLevelId"),
            ("POST", "/agent/encrypt", json!({"MachineAgentId": 1001}), "EncryptedPasswordHex"),
            ("POST", "/agent/delete", json!({}), "MachineAgentId"),
            ("PUT", "/restore", restore.clone(), "DestinationPath"),
            ("PUT", "/restore", restore, "BackupDataCenter"),
            ("POST", "/restore", json!({"RestoreId": 1007}), "DestinationPath"),
            ("POST", "/restore", json!({"RestoreId": 1007}), "BackupDataCenter"),
            ("PUT", "/restore/files", json!({"ParentId": 1007, "Filter": 1, "FileItemType": 0}), "FilePath"),
            ("PUT", "/restore/files", json!({"ParentId": 1007, "FilePath": "/a", "FileItemType": 0}), "Filter"),
            ("PUT", "/restore/files", json!({"ParentId": 1007, "FilePath": "/a", "Filter": 1, "FileItemType": 0}), "FilePathEncoded"),
        ] {
            body[member] = "/x\u{0}".into();
            let answer = scene.ask(method, path, Some(&body.to_string())).answer;
            let fault = answer.expect(400).json();
            assert!(fault["badRequest"]["message"].as_str().is_some_and(|text| text.contains(member)), "{member} in {fault}");
        }
        let raw = json!({"ParentId": 1007, "FilePath": "/a", "Filter": 1, "FileItemType": 0, "FilePathEncoded": "L2EAYg=="});
        scene.put("/restore/files", &raw).answer.expect(400);
        for path in ["/agent/server/%00", "/agent/%00", "/restore/files/1007?Filter=%00", "/%00", "/%00/activity"] {
            let status = scene.get(path).answer.status();
            assert!([400, 403, 404].contains(&status), "{path}: {status}");
        }
        let facts =
            json!({"facts": {"agent_version": "\u{0}", "machine_name": "a\u{0}b", "architecture": "\u{0}", "host_server_id": "\u{0}"}});
        TestAgent::ask_to_register(&scene.api, "web-b", &[3; 32], &facts).expect(200);
    });
}

#[test]
fn a_name_is_taken_only_while_its_configuration_lives_and_on_its_agent() {
    on_each_catalog(|scene| {
        scene.api.configure(&scene.agent, &json!({}));
        let taken = "The agent has a backup configuration named \"www nightly\" already.";
        for name in ["www nightly", "  www nightly\n"] {
            scene.post("/backup-configuration", &configuration(1001, &json!({"BackupConfigurationName": name}))).is_fault(409, taken);
        }
        let other = scene.api.configure(&scene.agent, &json!({"BackupConfigurationName": "WWW nightly"}));
        scene.put(&format!("/backup-configuration/{other}"), &json!({"BackupConfigurationName": "www nightly"})).is_fault(400, taken);
        let second = TestAgent::register(&scene.api, "web-b");
        scene.api.configure(&second, &json!({}));
        scene.delete("/backup-configuration/1002").is_empty(200);
        scene.put(&format!("/backup-configuration/{other}"), &json!({"BackupConfigurationName": "www nightly"})).answer.expect(200);
    });
}

#[test]
fn all_configurations_of_an_agent_have_a_megabyte_together() {
    on_each_catalog(|scene| {
        let words = "All backup configurations of one agent together have at most 1 MB.";
        let items = |count: usize| -> Vec<Value> {
            (0..count).map(|item| json!({"FilePath": format!("/{item:04}{}", "x".repeat(900)), "FileItemType": 1})).collect()
        };
        let body = |name: &str, count| {
            configuration(1001, &json!({"BackupConfigurationName": name, "Inclusions": items(count), "Exclusions": []}))
        };
        let send = |method: &str, path: &str, body: &Value| {
            let file = tempfile::NamedTempFile::new().expect("a temporary file");
            std::fs::write(file.path(), body.to_string()).expect("the body is written");
            scene.ask(method, path, Some(&format!("@{}", file.path().display())))
        };
        send("POST", "/backup-configuration", &body("a", 600)).answer.expect(200);
        send("POST", "/backup-configuration", &body("b", 600)).is_fault(413, words);
        send("POST", "/backup-configuration", &body("b", 300)).answer.expect(200);
        let ids: Vec<i64> = scene
            .get("/backup-configuration")
            .answer
            .json()
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|one| one["BackupConfigurationId"].as_i64())
            .collect();
        send("PUT", &format!("/backup-configuration/{}", ids[1]), &body("b", 600)).is_fault(413, words);
        scene.delete(&format!("/backup-configuration/{}", ids[0])).is_empty(200);
        send("PUT", &format!("/backup-configuration/{}", ids[1]), &body("b", 600)).answer.expect(200);
        let large = "The body is larger than 1 MB (1,048,576 bytes).";
        send("PUT", &format!("/backup-configuration/{}", ids[1]), &json!({"x": "y".repeat(1_048_576)})).is_fault(413, large);
        let padded = json!({"x": "y".repeat(1_048_576 - 8)});
        assert_eq!(padded.to_string().len(), 1_048_576);
        send("PUT", &format!("/backup-configuration/{}", ids[1]), &padded).answer.expect(200);
    });
}

/// What a refusal repeats of a request is cut, so that a client's own text does not come back by the megabyte.
#[test]
fn a_refusal_repeats_no_long_text() {
    let scene = scene();
    let long = format!("/{}", "x".repeat(30_000));
    let item = json!({"FilePath": long, "FileItemType": 0});
    for body in [
        json!({"Inclusions": [item, item]}),
        json!({"Inclusions": [], "Exclusions": [item]}),
        json!({"TimeZoneId": long}),
        json!({"Frequency": long}),
        json!({"NotifyRecipients": long}),
        json!({"IsActive": long}),
    ] {
        let answer = scene.ask("PUT", "/backup-configuration/1002", Some(&body.to_string())).answer;
        assert!(answer.expect(400).body.len() < 2000, "{answer:?}");
    }
}
