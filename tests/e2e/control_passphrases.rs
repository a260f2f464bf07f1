//! Passphrases that are tried: who tries too many wrong ones of an agent waits.

use serde_json::json;

use crate::support::clock::{HOUR, SECOND};
use crate::support::stage::encrypt;
use crate::support::told::{Scene, Told, on_each_catalog};

fn verify(scene: &Scene) -> Told {
    scene.post("/agent/verifyvolumepassword", &json!({"MachineAgentId": 1001, "EncryptedPasswordHex": "00".repeat(256)}))
}

/// The agent tries what it was sent.
fn tried(scene: &Scene, told: &Told, outcome: &str) {
    let guid = told.is(200, r#""UUID""#).answer.json();
    let path = format!("/requests/{}", guid.as_str().expect("a GUID"));
    scene.agent.call("POST", &path, Some(&json!({"outcome": outcome}).to_string())).expect(204);
}

#[test]
fn after_five_wrong_passphrases_further_ones_wait_for_an_hour() {
    on_each_catalog(|scene| {
        encrypt(&scene.api, &scene.agent);
        for _ in 0..4 {
            tried(scene, &verify(scene), "failed");
        }
        tried(scene, &verify(scene), "succeeded");
        for _ in 0..5 {
            tried(scene, &verify(scene), "failed");
            scene.clock.advance(SECOND);
        }
        let words = "Too many wrong passphrases were tried on this agent. Wait, then try again.";
        let wait = |told: &Told| told.is_fault(413, words).answer.header("retry-after").and_then(|text| text.parse::<u64>().ok());
        assert_eq!(wait(&verify(scene)), Some(3596), "an hour from the first of them");
        let change =
            json!({"MachineAgentId": 1001, "OldEncryptedPasswordHex": "00".repeat(256), "NewEncryptedPasswordHex": "00".repeat(256)});
        wait(&scene.post("/agent/changeencryption", &change));
        let restore = json!({"BackupId": 1006, "BackupMachineId": 1001, "DestinationMachineId": 1001, "DestinationPath": "/x", "OverwriteFiles": false});
        let id = scene.put("/restore", &restore).answer.expect(200).json()["RestoreId"].clone();
        let start = |password: Option<String>| {
            scene.post("/restore/action-requested", &json!({"Action": "StartManual", "Id": id, "EncryptedPassword": password}))
        };
        wait(&start(Some("00".repeat(256))));
        start(None).is_empty(204);
        scene.clock.advance(HOUR - 6 * SECOND);
        assert_eq!(wait(&verify(scene)), Some(2));
        scene.clock.advance(SECOND);
        tried(scene, &verify(scene), "succeeded");
    });
}

#[test]
fn a_password_is_changed_by_the_agent_and_only_by_one_request_at_a_time() {
    on_each_catalog(|scene| {
        encrypt(&scene.api, &scene.agent);
        let hex = |byte: &str| byte.repeat(256);
        let change = |new: &str| {
            let body = json!({"MachineAgentId": 1001, "OldEncryptedPasswordHex": hex("01"), "NewEncryptedPasswordHex": hex(new)});
            scene.post("/agent/changeencryption", &body)
        };
        change("02").is(200, r#""UUID""#);
        let newer = change("03").is(200, r#""UUID""#).answer.json();
        let wanted = scene.agent.work()["requests"].clone();
        assert_eq!(wanted.as_array().map(Vec::len), Some(1), "the newer one replaced the first: {wanted}");
        assert_eq!((&wanted[0]["encrypted_password"], &wanted[0]["old_encrypted_password"]), (&json!(hex("03")), &json!(hex("01"))));
        let path = format!("/requests/{}", newer.as_str().expect("a GUID"));
        scene.agent.call("POST", &path, Some(r#"{"outcome":"taken"}"#)).expect(204);
        change("04").is_fault(403, "the password is being changed");
        scene.agent.call("POST", &path, Some(r#"{"outcome":"failed"}"#)).expect(204);
        change("04").is(200, r#""UUID""#);
    });
}

/// What was stored before stays under the password that the server holds, until it expires.
#[test]
fn encryption_is_told_of_what_it_holds_for() {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({"BackupConfigurationName": "before"}));
        let before = scene.api.back_up(&scene.agent, configuration);
        let is_encrypted = |path: &str| scene.get(path).answer.expect(200).json()["IsEncrypted"].clone();
        assert_eq!([is_encrypted("/agent/1001"), is_encrypted("/backup-configuration/1002")], [false, false].map(serde_json::Value::from));
        encrypt(&scene.api, &scene.agent);
        assert_eq!([is_encrypted("/agent/1001"), is_encrypted("/backup-configuration/1002")], [true, true].map(serde_json::Value::from));
        assert_eq!(is_encrypted(&format!("/backup/{before}")), false);
        let points = scene.get("/backup/availableforrestore").answer.json();
        let told: Vec<_> = points
            .as_array()
            .expect("a list")
            .iter()
            .map(|point| (point["BackupConfigurationName"].clone(), point["IsEncrypted"].clone()))
            .collect();
        assert!(told.contains(&(json!("before"), json!(false))) && told.contains(&(json!("www nightly"), json!(true))), "{told:?}");
        let running = scene.api.start(configuration);
        assert_eq!(is_encrypted(&format!("/backup/{running}")), true, "what it will be");
        let body = json!({"BackupId": before, "BackupMachineId": 1001, "DestinationMachineId": 1001, "DestinationPath": "/x", "OverwriteFiles": false});
        assert_eq!(scene.put("/restore", &body).answer.expect(200).json()["IsEncrypted"], false);
        assert_eq!(scene.get("/user/agents").answer.json()[0]["IsEncrypted"], true);
    });
}
