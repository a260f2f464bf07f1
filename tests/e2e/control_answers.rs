//! What agents' calls answer, to the letter; and the calls that belong to no resource.

use serde_json::json;

use crate::support::fleet::TestAgent;
use crate::support::setup::Setup;
use crate::support::told::{Scene, on_each_catalog};

/// Agent 1001 as it registered.
pub const AGENT: &str = concat!(
    r#"{"AgentVersion":"2.0.1","Architecture":"64-bit","BackupContainer":"ORIGIN/v1/5501/CloudBackup_v2_0_UUID","#,
    r#""BackupDatacenter":"DFW","BackupVaultSize":"0 bytes","CleanupAllowed":true,"Datacenter":"DFW","Flavor":"RaxCloudServer","#,
    r#""HostServerId":"3f1c9a52-web-a","IPAddress":"203.0.113.7","IsDisabled":false,"IsEncrypted":false,"MachineAgentId":1001,"#,
    r#""MachineName":"web-a","OperatingSystem":"Debian","OperatingSystemVersion":"12","#,
    r#""PublicKey":{"ModulusHex":"MODULUS","ExponentHex":10001},"Status":"Online","TimeOfLastSuccessfulBackup":null,"#,
    r#""UseFailoverUri":false,"UseServiceNet":false}"#,
);

/// The text with members replaced that it has.
#[track_caller]
pub fn with(text: &str, changes: &[(&str, &str)]) -> String {
    let mut changed = text.to_owned();
    for (from, to) in changes {
        assert!(changed.contains(from), "{from} in {text}");
        changed = changed.replacen(from, to, 1);
    }
    changed
}

fn hex() -> String {
    "Ab".repeat(256)
}

#[test]
fn an_agent_is_shown_by_its_id_and_by_its_host() {
    on_each_catalog(|scene| {
        scene.get("/agent/1001").is(200, AGENT);
        scene.get("/agent/server/3f1c9a52-web-a").is(200, AGENT);
        scene.get("/agent/server/3f1c9a52%2Dweb-a").is(200, AGENT);
        scene.get("/agent/1002").is_fault(404, "Agent 1002 was not found.");
        scene.get("/agent/server/x").is_fault(404, "No agent of the server x was found.");
        scene.get("/agent/server/3f1c9a52-web-a%00").is_fault(404, "A host server id has no NUL character.");
        let facts = json!({"facts": {
            "agent_version": "2.0.1", "machine_name": "web-b", "host_server_id": "3f1c9a52-web-a", "ip_address": "203.0.113.7",
            "operating_system": "Debian", "operating_system_version": "", "architecture": "32-bit",
        }, "datacenter": "ord"});
        TestAgent::ask_to_register(&scene.api, "web-b", &[2; 32], &facts).expect(200);
        let newest = [
            (r#""Architecture":"64-bit""#, r#""Architecture":"32-bit""#),
            (r#""BackupDatacenter":"DFW""#, r#""BackupDatacenter":"ORD""#),
            (r#""Datacenter":"DFW""#, r#""Datacenter":"ORD""#),
            (r#""MachineAgentId":1001,"MachineName":"web-a""#, r#""MachineAgentId":1002,"MachineName":"web-b""#),
            (r#""OperatingSystemVersion":"12""#, r#""OperatingSystemVersion":"""#),
        ];
        scene.get("/agent/server/3f1c9a52-web-a").is(200, &with(AGENT, &newest));
    });
}

#[test]
fn an_agent_that_is_silent_is_offline_and_its_vault_has_a_human_size() {
    on_each_catalog(|scene| {
        scene.agent.store("data", &"x".repeat(36_147));
        scene.get("/agent/1001").is(200, &with(AGENT, &[("0 bytes", "35.3 KB")]));
        scene.clock.advance(std::time::Duration::from_secs(90));
        scene.get("/agent/1001").is(200, &with(AGENT, &[("0 bytes", "35.3 KB"), ("Online", "Offline")]));
        scene.agent.work();
        scene.get("/agent/1001").is(200, &with(AGENT, &[("0 bytes", "35.3 KB")]));
    });
}

#[test]
fn agents_are_listed_with_the_status_that_the_operator_chose() {
    let offline = with(AGENT, &[("Online", "Offline")]);
    for (listed, text) in [("offline", &offline), ("unknown", &with(AGENT, &[("Online", "Unknown")])), ("live", &AGENT.to_owned())] {
        let scene = Scene::start(Setup::new().set("list_agents_status", listed));
        scene.get("/user/agents").is(200, &format!("[{text}]"));
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        scene.api.back_up(&scene.agent, configuration);
        let (size, time) = (r#""BackupVaultSize":"20 bytes""#, r#""TimeOfLastSuccessfulBackup":"\/Date(1898818200000)\/""#);
        let backed_up = with(text, &[(r#""BackupVaultSize":"0 bytes""#, size)]);
        let last = if listed == "live" { time } else { r#""TimeOfLastSuccessfulBackup":null"# };
        scene.get("/user/agents").is(200, &format!("[{}]", with(&backed_up, &[(r#""TimeOfLastSuccessfulBackup":null"#, last)])));
        scene
            .get("/agent/1001")
            .is(200, &with(AGENT, &[(r#""BackupVaultSize":"0 bytes""#, size), (r#""TimeOfLastSuccessfulBackup":null"#, time)]));
    }
    on_each_catalog(|scene| {
        let second = TestAgent::register(&scene.api, "web-b");
        let other = with(&offline, &[("1001", "1002"), ("web-a", "web-b"), (r#""MachineName":"web-a""#, r#""MachineName":"web-b""#)]);
        scene.get("/user/agents").is(200, &format!("[{offline},{other}]"));
        scene.post("/agent/delete", &json!({"MachineAgentId": second.id})).is_empty(204);
        scene.get("/user/agents").is(200, &format!("[{offline}]"));
        scene.post("/agent/delete", &json!({"MachineAgentId": 1001})).is_empty(204);
        scene.get("/user/agents").is(200, "[]");
    });
}

#[test]
fn enabling_and_deleting_answer_with_nothing_and_last() {
    on_each_catalog(|scene| {
        for (enable, disabled) in [(false, "true"), (false, "true"), (true, "false"), (true, "false")] {
            scene.post("/agent/enable", &json!({"MachineAgentId": 1001, "Enable": enable})).is_empty(204);
            let allowed = format!(r#""CleanupAllowed":{enable}"#);
            let changes = [(r#""IsDisabled":false"#, format!(r#""IsDisabled":{disabled}"#)), (r#""CleanupAllowed":true"#, allowed)];
            scene.get("/agent/1001").is(200, &with(AGENT, &[(changes[0].0, &changes[0].1), (changes[1].0, &changes[1].1)]));
        }
        scene.post("/agent/enable", &json!({"MachineAgentId": 1002, "Enable": true})).is_fault(403, "Agent 1002 was not found.");
        scene.post("/agent/delete", &json!({"MachineAgentId": 1001})).is_empty(204);
        scene.post("/agent/delete", &json!({"MachineAgentId": 1001})).is_fault(403, "Agent 1001 was not found.");
        scene.get("/agent/1001").is_fault(404, "Agent 1001 was not found.");
        scene.get("/agent/server/3f1c9a52-web-a").is_fault(404, "No agent of the server 3f1c9a52-web-a was found.");
        let second = TestAgent::register(&scene.api, "web-b");
        scene.delete(&format!("/user/agents/{}", second.id)).is_empty(204);
        scene.delete(&format!("/user/agents/{}", second.id)).is_fault(404, "Agent 1002 was not found.");
    });
}

/// What it began may be finished, and its bytes are there until then; for users the end is at once.
#[test]
fn backups_of_a_deleted_agent_cannot_be_restored_even_while_its_last_run_goes_on() {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        let backup = scene.api.back_up(&scene.agent, configuration);
        let running = scene.api.start(configuration);
        scene.agent.begin(running);
        scene.post("/agent/delete", &json!({"MachineAgentId": 1001})).is_empty(204);
        let is_over = || {
            scene.get("/backup/availableforrestore").is(200, "[]");
            scene.get(&format!("/backup/completed/{configuration}")).is(200, "[]");
            assert_eq!(scene.get(&format!("/backup/report/{backup}")).answer.json()["CanRestore"], false);
            assert_eq!(scene.get(&format!("/backup-configuration/{configuration}")).answer.json()["LastRunTime"], json!(null));
        };
        is_over();
        let snapshot = scene.agent.store("snapshots", "the last one");
        scene.agent.say(running, "completed", &json!({"snapshot": snapshot})).expect(200);
        is_over();
        scene.agent.call("GET", "/work", None).expect(410);
    });
}

#[test]
fn a_changed_behavior_is_answered_with_both_spellings_of_the_data_centre() {
    on_each_catalog(|scene| {
        let changed = with(AGENT, &[(r#""UseServiceNet":false}"#, r#""UseServiceNet":true,"BackupDataCenter":"DFW"}"#)]);
        scene.post("/agent/1001", &json!({"UseServiceNet": true})).is(200, &changed);
        let body = json!({"UseServiceNet": false, "BackupDataCenter": "ORD"});
        scene.post("/agent/1001", &body).is_fault(400, "There is no server of yours in ORD.");
        TestAgent::register_with(&scene.api, "web-b", &json!({"datacenter": "ORD"}));
        let moved = with(
            AGENT,
            &[
                (r#""BackupDatacenter":"DFW""#, r#""BackupDatacenter":"ORD""#),
                (r#""UseServiceNet":false}"#, r#""UseServiceNet":false,"BackupDataCenter":"ORD"}"#),
            ],
        );
        scene.post("/agent/1001", &body).is(200, &moved);
        let words = "BackupDataCenter is DFW, ORD, IAD, LON, HKG or SYD.";
        scene.post("/agent/1001", &json!({"UseServiceNet": true, "BackupDataCenter": "PDX"})).is_fault(400, words);
        scene.post("/agent/77", &json!({"UseServiceNet": true})).is_fault(403, "Agent 77 was not found.");
    });
}

#[test]
fn calls_with_a_passphrase_answer_with_a_guid() {
    on_each_catalog(|scene| {
        let encrypt = json!({"MachineAgentId": 1001, "EncryptedPasswordHex": hex()});
        let change = json!({"MachineAgentId": 1001, "OldEncryptedPasswordHex": hex(), "NewEncryptedPasswordHex": hex()});
        scene.post("/agent/changeencryption", &change).is_fault(403, "The agent's vault is not encrypted.");
        let verify = json!({"MachineAgentId": 1001, "EncryptedPasswordHex": hex(), "BackupId": null});
        scene.post("/agent/verifyvolumepassword", &verify).is_fault(403, "The agent's vault is not encrypted.");
        let first = scene.post("/agent/encrypt", &encrypt).is(200, r#""UUID""#).answer.json();
        let second = scene.post("/agent/encrypt", &encrypt).is(200, r#""UUID""#).answer.json();
        assert_ne!(first, second);
        let wanted = scene.agent.work();
        assert_eq!(wanted["requests"].as_array().map(Vec::len), Some(1), "the newer one replaced the first: {wanted}");
        let guid = second.as_str().expect("a GUID");
        scene.agent.call("POST", &format!("/requests/{guid}"), Some(r#"{"outcome":"taken"}"#)).expect(204);
        scene.post("/agent/encrypt", &encrypt).is_fault(403, "encryption is being enabled");
        scene.agent.call("POST", &format!("/requests/{guid}"), Some(r#"{"outcome":"succeeded"}"#)).expect(204);
        scene.get("/agent/1001").is(200, &with(AGENT, &[(r#""IsEncrypted":false"#, r#""IsEncrypted":true"#)]));
        scene.post("/agent/encrypt", &encrypt).is_fault(403, "The agent's vault is encrypted already.");
        scene.post("/agent/changeencryption", &change).is(200, r#""UUID""#);
        scene.post("/agent/verifyvolumepassword", &verify).is(200, r#""UUID""#);
        let words = "Backup 9 is none of agent 1001.";
        scene
            .post("/agent/verifyvolumepassword", &json!({"MachineAgentId": 1001, "EncryptedPasswordHex": hex(), "BackupId": 9}))
            .is_fault(403, words);
    });
}

#[test]
fn a_vault_that_goes_to_another_agent_is_answered_with_nothing() {
    on_each_catalog(|scene| {
        let migrate = |source: i64, destination: i64| {
            scene.put("/agent/migratevault", &json!({"SourceMachineAgentId": source, "DestinationMachineAgentId": destination}))
        };
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        scene.api.back_up(&scene.agent, configuration);
        let second = TestAgent::register(&scene.api, "web-b");
        migrate(1001, 1001).is_fault(403, "Source and destination are the same agent.");
        migrate(1001, 77).is_fault(403, "Agent 77 is none of yours.");
        migrate(77, 1001).is_fault(403, "Agent 77 is none of yours.");
        migrate(second.id, 1001).is_fault(403, "Agent 1001 has backup configurations: delete them first.");
        migrate(1001, second.id).is_empty(200);
        let moved = scene.get(&format!("/backup/completed/{configuration}")).answer.json();
        assert_eq!(moved[0]["MachineAgentId"], second.id);
        let points = scene.get("/backup/availableforrestore").answer.json();
        assert_eq!((&points[0]["MachineAgentId"], &points[0]["MachineName"]), (&json!(second.id), &json!("web-b")));
        assert_eq!(scene.get(&format!("/backup-configuration/{configuration}")).answer.json()["IsActive"], false);
        assert_eq!(scene.get("/agent/1001").answer.json()["BackupVaultSize"], "0 bytes");
        assert_eq!(scene.get(&format!("/agent/{}", second.id)).answer.json()["BackupVaultSize"], "20 bytes");
        for machine in [1001, second.id] {
            let body = json!({
                "BackupId": moved[0]["BackupId"], "BackupMachineId": machine, "DestinationMachineId": second.id, "DestinationPath": "/x",
                "OverwriteFiles": false,
            });
            let made = scene.put("/restore", &body).answer.expect(200).json();
            assert_eq!(made["BackupMachineId"], second.id, "whoever made it, it is the new agent's now");
        }
        let body = json!({"SourceMachineAgentId": 1001});
        scene.put("/agent/migratevault", &body).is_fault(400, "DestinationMachineAgentId is required.");
    });
}

#[test]
fn the_log_level_is_set_and_shown_by_name() {
    on_each_catalog(|scene| {
        scene.get("/agent/logging/1001").is(200, r#""Warn""#);
        for (level, name) in
            [(json!(1), "Fatal"), (json!("2"), "Error"), (json!("WARN"), "Warn"), (json!(7), "All"), (json!("trace"), "Trace")]
        {
            scene.put("/agent/logging", &json!({"MachineAgentId": 1001, "LoggingLevelId": level})).is_empty(200);
            scene.get("/agent/logging/1001").is(200, &format!("\"{name}\""));
        }
        scene.ask("PUT", "/agent/logging", Some("MachineAgentId=1001&LoggingLevelId=5")).is_empty(200);
        scene.get("/agent/logging/1001").is(200, r#""Debug""#);
        assert_eq!(scene.agent.work()["log_level"], "debug");
        let words = "LoggingLevelId is 1 to 7, or Fatal, Error, Warn, Info, Debug, Trace or All.";
        scene.put("/agent/logging", &json!({"MachineAgentId": 1001, "LoggingLevelId": 8})).is_fault(400, words);
        scene.put("/agent/logging", &json!({"MachineAgentId": 77, "LoggingLevelId": 1})).is_fault(403, "Agent 77 was not found.");
        scene.get("/agent/logging/77").is_fault(404, "Agent 77 was not found.");
    });
}

#[test]
fn waking_agents_and_asking_for_health_answer_with_nothing() {
    on_each_catalog(|scene| {
        scene.ask("POST", "/user/wakeupagents", None).is_empty(200);
        scene.ask("POST", "/user/wakeupagents", Some("")).is_empty(200);
        for path in ["/help/apihealth", "/help/health", "/5501/help/health/", "/help/health.json"] {
            scene.get(path).is_empty(200);
            scene.api.site.curl::<&str>(&[], &format!("/v1.0{path}")).expect(200).expect_body(b"");
            scene.ask("POST", path, None).is_fault(405, "This path takes GET alone.").answer.expect_header("allow", "GET");
        }
        scene.get("/help/me").is_fault(404, "There is no such path in this API.");
    });
}

#[test]
fn the_version_is_shown_below_the_tenant_too() {
    let scene = Scene::start(Setup::new());
    let version = concat!(
        r#"{"version":{"id":"v1.0","status":"CURRENT","updated":"2015-09-09T00:00:00Z","#,
        r#""links":[{"rel":"self","href":"ORIGIN/v1.0/"}]}}"#,
    );
    for path in ["", "/", "/5501", "/5501/"] {
        scene.get(path).is(200, version);
    }
    scene.get("/5502").is_fault(403, "The tenant in the URL is not the token's.");
}
