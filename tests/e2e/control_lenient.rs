//! What clients may write instead of what the API's tables say: letter cases, strings for numbers, whole objects, old spellings.

use serde_json::{Value, json};

use crate::control_answers::with;
use crate::control_configurations::CONFIGURATION;
use crate::support::answer::Answer;
use crate::support::fleet::configuration;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::told::{Scene, on_each_catalog};

/// A configuration 1002 is there.
fn scene() -> Scene {
    let scene = Scene::start(Setup::new());
    scene.api.configure(&scene.agent, &json!({}));
    scene
}

/// Sends the body as it is, with these headers.
fn send(scene: &Scene, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let token = format!("X-Auth-Token: {}", scene.api.token);
    let mut arguments = vec!["-X", method, "-H", &token];
    arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
    arguments.extend(["--data-binary", body]);
    scene.api.site.curl(&arguments, &format!("/v1.0{path}"))
}

#[test]
fn members_match_in_any_letter_case_and_the_exact_one_wins() {
    let scene = scene();
    let body =
        r#"{"backupconfigurationNAME":"a","VERSIONRETENTION":60,"inclusions":[{"filepath":"/a","FILEITEMTYPE":"folder"}],"exclusions":[]}"#;
    let changed = scene.ask("PUT", "/backup-configuration/1002", Some(body)).answer.json();
    assert_eq!(
        [&changed["BackupConfigurationName"], &changed["VersionRetention"], &changed["Inclusions"][0]["FilePath"], &changed["Exclusions"]],
        [&json!("a"), &json!(60), &json!("/a"), &json!([])]
    );
    for body in [
        r#"{"name":"x","backupConfigurationName":"y","BackupConfigurationName":"exact","BACKUPCONFIGURATIONNAME":"z"}"#,
        r#"{"BackupConfigurationName":"exact","backupConfigurationName":"y","backup_configuration_name":"z"}"#,
    ] {
        let changed = scene.ask("PUT", "/backup-configuration/1002", Some(body)).answer.json();
        assert_eq!(changed["BackupConfigurationName"], "exact", "{body}");
    }
    let body = r#"{"inclusions":[{"FilePath":"relative","FileItemType":"File"}],"Inclusions":[{"FilePath":"/b","FileItemType":"File"}]}"#;
    let changed = scene.ask("PUT", "/backup-configuration/1002", Some(body)).answer.json();
    assert_eq!(changed["Inclusions"][0]["FilePath"], "/b");
    scene.put("/agent/logging", &json!({"machineAgentId": 1001, "LoggingLevelid": 4})).is_empty(200);
    scene.get("/agent/logging/1001").is(200, r#""Info""#);
}

#[test]
fn whole_numbers_and_booleans_may_be_strings() {
    let scene = scene();
    let changed = |body: Value| scene.put("/backup-configuration/1002", &body).answer.expect(200).json();
    for days in [json!("30"), json!(30), json!(" 30 "), json!(30.0), json!("+30")] {
        assert_eq!(changed(json!({"VersionRetention": days}))["VersionRetention"], 30, "{days}");
    }
    for (sent, meant) in [
        (json!(true), true),
        (json!("false"), false),
        (json!("True"), true),
        (json!("FALSE"), false),
        (json!(1), true),
        (json!(0), false),
        (json!("1"), true),
        (json!("0"), false),
    ] {
        assert_eq!(changed(json!({"IsActive": sent}))["IsActive"], meant, "{sent}");
        let enabled = scene.post("/backup-configuration/enable/1002", &json!({"Enable": sent})).answer.json();
        assert_eq!(enabled["IsActive"], meant, "{sent}");
        scene.post("/agent/enable", &json!({"MachineAgentId": "1001", "Enable": sent})).is_empty(204);
        assert_eq!(scene.get("/agent/1001").answer.json()["IsDisabled"], !meant, "{sent}");
    }
    scene.post("/agent/enable", &json!({"MachineAgentId": 1001, "Enable": true})).is_empty(204);
    assert_eq!(changed(json!({"IsActive": 1}))["IsActive"], true);
    let backup = scene.post("/backup/action-requested", &json!({"Action": "STARTMANUAL", "Id": "1002"})).answer.text();
    scene.post("/backup/action-requested", &json!({"Action": "stopmanual", "Id": format!(" {backup}")})).is_empty(204);
    for wrong in [json!("yes"), json!(2), json!([]), json!({}), json!("tru e")] {
        scene.put("/backup-configuration/1002", &json!({"IsActive": wrong})).is_fault(400, "IsActive must be true or false.");
    }
    for wrong in [json!("30 days"), json!(30.5), json!(true), json!([30]), json!("99999999999999999999"), json!(1e300)] {
        let told = scene.put("/backup-configuration/1002", &json!({"VersionRetention": wrong}));
        told.is_fault(400, "VersionRetention must be a whole number.");
    }
}

/// One client sends "" for the hours that do not apply.
#[test]
fn null_and_an_empty_string_are_nothing() {
    on_each_catalog(|scene| {
        let empty = json!({
            "StartTimeHour": "", "StartTimeMinute": "", "StartTimeAmPm": "", "DayOfWeekId": "", "HourInterval": "", "TimeZoneId": "",
            "MissedBackupActionId": "", "NotifySuccess": "", "NotifyFailure": "", "IsActive": "", "BackupPrescript": null,
        });
        scene.post("/backup-configuration", &configuration(1001, &empty)).is(200, CONFIGURATION);
        let nothing = json!({
            "BackupConfigurationName": null, "Inclusions": null, "Exclusions": null, "VersionRetention": null, "Frequency": "", "IsActive": null,
            "NotifyRecipients": null, "NotifyFailure": "", "MissedBackupActionId": null, "TimeZoneId": null, "MachineAgentId": "",
        });
        scene.put("/backup-configuration/1002", &nothing).is(200, CONFIGURATION);
        let body = json!({"MachineAgentId": 1001, "Enable": ""});
        scene.post("/agent/enable", &body).is_fault(400, "Enable is required.");
        scene.post("/agent/1001", &json!({"UseServiceNet": false, "BackupDataCenter": ""})).answer.expect(200);
        scene.post("/agent/1001", &json!({"UseServiceNet": null})).is_fault(400, "UseServiceNet is required.");
    });
}

/// Clients fetch an object, change a member, and put everything back. Each list that is there replaces the stored one.
#[test]
fn a_whole_object_that_was_fetched_can_be_put_back() {
    on_each_catalog(|scene| {
        scene.api.configure(&scene.agent, &json!({}));
        let fetched = scene.get("/backup-configuration").answer.json()[0].clone();
        let numbered = |inclusion: &str, exclusion: &str| {
            with(
                CONFIGURATION,
                &[(r#""FileId":1005"#, &format!(r#""FileId":{exclusion}"#)), (r#""FileId":1004"#, &format!(r#""FileId":{inclusion}"#))],
            )
        };
        scene.put("/backup-configuration/1002", &fetched).is(200, &numbered("1006", "1007"));
        let mut strange = fetched.clone();
        for (name, value) in [
            ("BackupConfigurationId", json!(7)),
            ("IsDeleted", json!(true)),
            ("NextScheduledRunTime", json!("/Date(1)/")),
            ("EncryptionKey", Value::Null),
            ("LastRunTime", json!({"x": []})),
            ("is_active", json!(false)),
            ("Unknown", json!([{"deep": [[[]]]}])),
        ] {
            strange[name] = value;
        }
        scene.put("/backup-configuration/1002", &strange).is(200, &numbered("1008", "1009"));
        for (removed, inclusion, exclusion) in
            [("Exclusions", "1010", "1009"), ("Inclusions", "1010", "1011"), ("TimeZoneId", "1012", "1013")]
        {
            let mut partial = fetched.clone();
            for name in [removed, "MissedBackupActionId"] {
                partial.as_object_mut().expect("an object").remove(name);
            }
            scene.put("/backup-configuration/1002", &partial).is(200, &numbered(inclusion, exclusion));
        }
    });
}

#[test]
fn enumerations_match_by_number_and_by_name_in_any_case() {
    let scene = scene();
    scene.api.back_up(&scene.agent, 1002);
    let body = json!({"BackupId": 1006, "BackupMachineId": 1001, "DestinationMachineId": 1001, "DestinationPath": "", "OverwriteFiles": 0});
    scene.put("/restore", &body).answer.expect(200);
    for (place, filter) in [json!(1), json!("1"), json!("INCLUDE"), json!("include"), json!(1.0), json!("Include")].into_iter().enumerate()
    {
        let body = json!({"ParentId": 1007, "FilePath": format!("/{place}"), "Filter": filter, "FileItemType": "1"});
        scene.put("/restore/files", &body).is_empty(200);
    }
    for (place, kind) in [json!(2), json!("2"), json!("DataBase"), json!("file"), json!(0), json!("FOLDER")].into_iter().enumerate() {
        let body = json!({"ParentId": 1007, "FilePath": format!("/x/{place}"), "Filter": 2, "FileItemType": kind});
        scene.put("/restore/files", &body).is_empty(200);
    }
    let files = scene.get("/restore/files/1007").answer.json();
    let numbers: Vec<i64> = files.as_array().expect("a list").iter().filter_map(|file| file["FileItemType"].as_i64()).collect();
    assert_eq!(numbers, [1, 1, 1, 1, 1, 1, 2, 2, 2, 0, 0, 1]);
    for (member, value, words) in [
        ("Filter", json!(3), "Filter is 1 (Include) or 2 (Exclude)."),
        ("Filter", json!(0), "Filter is 1 (Include) or 2 (Exclude)."),
        ("FileItemType", json!(3), "FileItemType is File, Folder or Database."),
        ("FileItemType", json!("Directory"), "FileItemType is File, Folder or Database."),
    ] {
        let mut body = json!({"ParentId": 1007, "FilePath": "/y", "Filter": 1, "FileItemType": 0});
        body[member] = value;
        scene.put("/restore/files", &body).is_fault(400, words);
    }
    for (level, name) in [(json!(" 6 "), "Trace"), (json!("fatal"), "Fatal"), (json!("ALL"), "All"), (json!(2.0), "Error")] {
        scene.put("/agent/logging", &json!({"MachineAgentId": 1001, "LoggingLevelId": level})).is_empty(200);
        scene.get("/agent/logging/1001").is(200, &format!("\"{name}\""));
    }
    for (sent, shown) in [("DAILY", "Daily"), ("daily", "Daily"), ("manually", "Manually")] {
        let body = json!({"Frequency": sent, "StartTimeHour": 1, "StartTimeMinute": "5", "StartTimeAmPm": "pM"});
        assert_eq!(scene.put("/backup-configuration/1002", &body).answer.json()["Frequency"], shown);
    }
}

#[test]
fn hexadecimal_digits_may_have_line_breaks_between_them_and_either_case() {
    let scene = scene();
    let lines: Vec<String> = (0..32).map(|_| "aB".repeat(8)).collect();
    let body = json!({"MachineAgentId": 1001, "EncryptedPasswordHex": format!(" {}\r\n", lines.join("\n\t"))});
    scene.post("/agent/encrypt", &body).is(200, r#""UUID""#);
    assert_eq!(scene.agent.work()["requests"][0]["encrypted_password"], "ab".repeat(256));
    let words = "EncryptedPasswordHex is the passphrase encrypted for the agent's key, in 512 hexadecimal digits.";
    for wrong in ["", "00", &"0".repeat(511), &"0".repeat(514), &"g".repeat(512), &format!("0x{}", "0".repeat(510)), "passphrase"] {
        scene.post("/agent/encrypt", &json!({"MachineAgentId": 1001, "EncryptedPasswordHex": wrong})).is_fault(400, words);
    }
    scene.post("/agent/encrypt", &json!({"MachineAgentId": 1001})).is_fault(400, "EncryptedPasswordHex is required.");
}

#[test]
fn what_is_nearly_json_is_read_and_what_is_none_is_refused() {
    let scene = scene();
    for body in [
        r#"{'Action': 'StartManual', 'Id': 1002}"#,
        r#"{Action: "StartManual", Id: 1002}"#,
        r#"{Action: 'StartManual', "Id": '1002'}"#,
        "\u{feff}{\"Action\":\"StartManual\",\"Id\":1002}",
        " \r\n{\"Action\":\"StartManual\",\"Id\":1002}\n\n",
        r#"{"Action":"StopManual","Id":77,"Action":"StartManual","Id":1002}"#,
    ] {
        let answer = scene.ask("POST", "/backup/action-requested", Some(body)).answer;
        assert!(answer.expect(200).text().parse::<u64>().is_ok(), "{body}: {answer:?}");
    }
    for body in ["", " ", "null", "[]", "1", "\"x\"", "{", "{}}", "{\"Id\":}", "{'Id': 'x}", "Action=StartManual&Id=1002", "<a/>"] {
        let answer = scene.ask("POST", "/backup/action-requested", Some(body)).answer;
        let fault = answer.expect(400).json();
        assert_eq!(fault["badRequest"]["code"], 400, "{body}");
    }
    let deep = format!("{{\"x\":{}", "[".repeat(300_000));
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), deep).expect("the body is written");
    scene.ask("POST", "/backup/action-requested", Some(&format!("@{}", file.path().display()))).answer.expect(400);
}

#[test]
fn old_spellings_of_members_are_known() {
    on_each_catalog(|scene| {
        scene.api.configure(&scene.agent, &json!({}));
        let idle = with(CONFIGURATION, &[(r#""IsActive":true"#, r#""IsActive":false"#)]);
        scene.post("/backup-configuration/enable/1002", &json!({"Enabled": false})).is(200, &idle);
        scene.post("/agent/enable", &json!({"MachineAgentId": 1001, "Enabled": "false"})).is_empty(204);
        assert_eq!(scene.get("/agent/1001").answer.json()["IsDisabled"], true);
        let both = json!({"MachineAgentId": 1001, "Enabled": false, "Enable": true});
        scene.post("/agent/enable", &both).is_empty(204);
        assert_eq!(scene.get("/agent/1001").answer.json()["IsDisabled"], false, "the right spelling wins");
        let migration = json!({"SourceMachineAgentID": 1001, "DestinationMachineAgentID": 77});
        scene.put("/agent/migratevault", &migration).is_fault(403, "Agent 77 is none of yours.");
        scene.post("/agent/delete", &json!({"MachineId": 1001})).is_empty(204);
        scene.get("/agent/1001").answer.expect(404);
    });
}

#[test]
fn headers_say_nothing_about_the_body() {
    let scene = scene();
    let body = json!({"IsActive": true}).to_string();
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;",
        "text/plain",
        "application/x-www-form-urlencoded",
        "image/png",
        "?",
    ] {
        let header = format!("Content-Type: {kind}");
        let answer = send(&scene, "PUT", "/backup-configuration/1002", &[&header, "Accept;", "X-Auth-Project-Id: 7"], &body);
        answer.expect(200).expect_header("content-type", "application/json; charset=utf-8");
    }
    for accept in ["Accept;", "Accept: text/html", "Accept: application/xml", "Accept: */*", "Accept: application/json;q=0"] {
        let answer = send(&scene, "PUT", "/backup-configuration/1002", &["Content-Type;", accept, "User-Agent;"], &body);
        answer.expect(200).expect_header("content-type", "application/json; charset=utf-8");
        let token = format!("x-auth-token: {}", scene.api.token);
        let answer = scene.api.site.curl(&["-H", &token, "-H", accept, "-H", "Content-Type: application/json;"], "/v1.0/agent/77");
        answer.expect(404).expect_header("content-type", "application/json; charset=utf-8");
    }
    send(&scene, "PUT", "/backup-configuration/1002", &["Transfer-Encoding: chunked"], &body).expect(200);
    let answer = send(&scene, "DELETE", "/backup-configuration/1002", &["Accept;", "Content-Type: application/json;"], "");
    answer.expect(200).expect_header("content-length", "0").expect_body(b"");
}

#[test]
fn the_log_level_may_come_as_a_form() {
    let server = TestServer::start();
    let api = crate::support::fleet::Api::new(&server);
    let agent = crate::support::fleet::TestAgent::register(&api, "web-a");
    for (form, name) in [
        (format!("MachineAgentId={}&LoggingLevelId=6", agent.id), "Trace"),
        (format!("loggingLEVELid=fatal&machineagentid=+{}+", agent.id), "Fatal"),
        (format!("MachineAgentId=%31{}&LoggingLevelId=%35&x=y&&", &agent.id.to_string()[1..]), "Debug"),
    ] {
        api.call("PUT", "/agent/logging", Some(&form)).expect(200).expect_body(b"");
        assert_eq!(api.get(&format!("/agent/logging/{}", agent.id)).json(), name, "{form}");
    }
    for form in [
        "MachineAgentId=1001",
        "LoggingLevelId=6",
        "MachineAgentId=x&LoggingLevelId=6",
        "MachineAgentId=1001&LoggingLevelId=%ff",
        "",
        "&",
        "=",
    ] {
        api.call("PUT", "/agent/logging", Some(form)).expect(400);
    }
}
