//! The other ways a restore goes: stopped before and after its agent came, failed, begun again.

use serde_json::{Value, json};

use crate::support::told::{Scene, on_each_catalog};

/// A restore 1007 of the backup 1006 is there.
fn with_restore(story: impl Fn(&Scene)) {
    on_each_catalog(|scene| {
        let configuration = scene.api.configure(&scene.agent, &json!({}));
        let backup = scene.api.back_up(&scene.agent, configuration);
        let body = json!({"BackupId": backup, "BackupMachineId": 1001, "DestinationMachineId": 1001, "DestinationPath": "/x", "OverwriteFiles": true});
        assert_eq!(scene.put("/restore", &body).answer.expect(200).json()["RestoreId"], 1007);
        story(scene);
    });
}

fn act(scene: &Scene, action: &str) {
    scene.post("/restore/action-requested", &json!({"Action": action, "Id": 1007})).is_empty(204);
}

fn expect_state(scene: &Scene, id: i64) {
    assert_eq!(scene.get("/restore/1007").answer.expect(200).json()["RestoreStateId"], id);
}

/// State, reason and sentence of the report.
fn report(scene: &Scene) -> [Value; 3] {
    let report = scene.get("/restore/report/1007").answer.expect(200).json();
    ["State", "Reason", "Diagnostics"].map(|name| report[name].clone())
}

fn say(scene: &Scene, attempt: i64, state: &str, more: &Value) {
    let mut more = more.clone();
    more["attempt"] = attempt.into();
    scene.agent.say(1007, state, &more).expect(200);
}

#[test]
fn a_restore_is_stopped_in_every_live_state() {
    with_restore(|scene| {
        act(scene, "StartManual");
        expect_state(scene, 6);
        act(scene, "StopManual");
        expect_state(scene, 4);
        assert_eq!(report(scene), ["Stopped", "Stopped", "A user stopped it before the agent began."].map(Value::from));
        for (attempt, states) in [(2, &["queued"][..]), (3, &["queued", "preparing"]), (4, &["queued", "preparing", "in_progress"])] {
            act(scene, "StartManual");
            states.iter().for_each(|state| say(scene, attempt, state, &json!({})));
            for _ in 0..2 {
                act(scene, "StopManual");
                expect_state(scene, 7);
            }
            scene.get("/restore/report/1007").is_fault(404, "Restore 1007 has not ended, so it has no report yet.");
            say(scene, attempt, "stopped", &json!({}));
            expect_state(scene, 4);
            assert_eq!(report(scene), ["Stopped", "Stopped", "A user stopped it."].map(Value::from));
        }
        say(scene, 3, "completed", &json!({"files_done": 1}));
        expect_state(scene, 4);
    });
}

#[test]
fn a_restore_that_has_ended_can_be_started_again_and_its_old_report_is_gone() {
    with_restore(|scene| {
        let ends = [
            ("failed", json!({"reason": "InvalidPassword", "note": "Wrong."}), 5, ["Failed", "InvalidPassword", "Wrong."]),
            (
                "completed_with_errors",
                json!({"error_count": 3}),
                8,
                ["CompletedWithErrors", "UnableToProcessSomeFiles", "Some files may not have been restored"],
            ),
            (
                "completed",
                json!({"note": "2 files were there already"}),
                3,
                ["Completed", "Success", "No errors. 2 files were there already"],
            ),
            ("failed", json!({"reason": "Whatever"}), 5, ["Failed", "AgentError", "The run failed."]),
        ];
        for (place, (said, more, id, expected)) in ends.iter().enumerate() {
            let attempt = i64::try_from(place + 1).expect("few");
            act(scene, "StartManual");
            scene.get("/restore/report/1007").answer.expect(404);
            for state in ["queued", "preparing", "in_progress"] {
                say(scene, attempt, state, &json!({}));
            }
            say(scene, attempt, said, more);
            expect_state(scene, *id);
            assert_eq!(report(scene), expected.map(Value::from));
            say(scene, attempt, "completed", &json!({}));
            expect_state(scene, *id);
        }
        let entry = scene.get("/activity").answer.json()[0].clone();
        assert_eq!((&entry["ID"], &entry["CurrentState"]), (&json!(1007), &json!("Failed")));
    });
}

#[test]
fn each_member_that_a_restore_needs_is_asked_for_by_name() {
    with_restore(|scene| {
        let whole = json!({
            "BackupId": 1006, "BackupMachineId": 1001, "DestinationMachineId": 1001, "DestinationPath": "/x", "OverwriteFiles": true,
        });
        let file = json!({"ParentId": 1007, "FilePath": "/srv/a", "Filter": 1, "FileItemType": 0});
        for (path, whole) in [("/restore", &whole), ("/restore/files", &file)] {
            for member in whole.as_object().expect("an object").keys() {
                let mut body = whole.clone();
                body.as_object_mut().expect("an object").remove(member);
                let fault = scene.put(path, &body).answer.expect(400).json();
                let message = fault["badRequest"]["message"].as_str().unwrap_or_else(|| panic!("a fault: {fault}"));
                assert!(message.starts_with(&format!("{member} is required")), "{message}");
            }
        }
        for (member, wrong) in [
            ("BackupId", json!("x")),
            ("BackupMachineId", json!([])),
            ("DestinationMachineId", json!(0.5)),
            ("DestinationPath", json!("relative")),
            ("DestinationPath", json!(7)),
            ("DestinationPath", json!("/a/../b")),
            ("OverwriteFiles", json!("maybe")),
            ("BackupDataCenter", json!("PDX")),
        ] {
            let mut body = whole.clone();
            body[member] = wrong;
            let fault = scene.put("/restore", &body).answer.expect(400).json();
            assert!(fault["badRequest"]["message"].as_str().is_some_and(|text| text.contains(member)), "{member}: {fault}");
        }
    });
}
