//! `GET status`: how a machine is backed up, as its agent's key may ask.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fleet::TestAgent;
use crate::support::told::{Scene, on_each_catalog};

#[track_caller]
fn status(agent: &TestAgent) -> Value {
    agent.call("GET", "/status", None).expect(200).json()
}

/// What the server says of agent 1001; `changes` replace members.
fn expected(changes: &Value) -> Value {
    let mut status = json!({
        "agent_id": 1001, "machine_name": "web-a", "is_disabled": false, "is_encrypted": false, "has_live_runs": false,
        "last_success": null, "configurations": [],
    });
    for (name, value) in changes.as_object().expect("an object of changes") {
        status[name] = value.clone();
    }
    status
}

#[test]
fn the_status_tells_what_is_configured_and_what_was_backed_up() {
    on_each_catalog(|scene| {
        let agent = &scene.agent;
        assert_eq!(status(agent), expected(&json!({})), "no configuration");
        let daily = json!({
            "BackupConfigurationName": "www", "Frequency": "Daily", "StartTimeHour": 3, "StartTimeMinute": 0, "StartTimeAmPm": "AM",
        });
        let configuration = scene.api.configure(agent, &daily);
        scene.api.configure(agent, &json!({"BackupConfigurationName": "off", "IsActive": false}));
        let listed = |last_backup: Value| json!([{"id": configuration, "name": "www", "next_run": "2030-03-04T03:00:00Z", "last_backup": last_backup}]);
        assert_eq!(status(agent), expected(&json!({"configurations": listed(Value::Null)})), "the one that is active");
        let backup = scene.api.start(configuration);
        assert_eq!(status(agent), expected(&json!({"configurations": listed(Value::Null), "has_live_runs": true})));
        agent.back_up(backup);
        let now = json!("2030-03-04T01:30:00Z");
        assert_eq!(status(agent), expected(&json!({"configurations": listed(now.clone()), "last_success": now})));
        scene.post("/agent/enable", &json!({"MachineAgentId": 1001, "Enable": false})).answer.expect(204);
        let disabled = status(agent);
        assert_eq!((&disabled["is_disabled"], &disabled["configurations"][0]["next_run"]), (&json!(true), &Value::Null));
    });
}

#[test]
fn asking_for_the_status_needs_no_process_and_is_no_sign_of_one() {
    on_each_catalog(|scene| {
        let shown = |scene: &Scene| scene.get("/agent/1001").answer.expect(200).json()["Status"].clone();
        let mut beside = scene.agent.clone();
        beside.incarnation = 0;
        scene.clock.advance(Duration::from_secs(90));
        assert_eq!(status(&beside)["agent_id"], 1001);
        assert_eq!(shown(scene), "Offline");
        scene.agent.work();
        assert_eq!(shown(scene), "Online", "the process is still the newest");
    });
}

#[test]
fn only_the_agents_own_key_sees_its_status() {
    on_each_catalog(|scene| {
        let other = TestAgent { key: "A".repeat(43) + "=", ..scene.agent.clone() };
        other.call("GET", "/status", None).expect(401);
        scene.agent.call("POST", "/status", None).expect(405).expect_header("allow", "GET");
        scene.post("/agent/delete", &json!({"MachineAgentId": 1001})).answer.expect(204);
        let gone = scene.agent.call("GET", "/status", None).expect(410).json();
        assert_eq!(gone["gone"]["details"], "1001");
    });
}
