//! Many clients of the Cloud Backup API at once, while time passes: each is answered, and of two that want one thing one gets it.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::control_random::{Dice, is_sound, request};
use crate::support::clock::{HOUR, TestClock};
use crate::support::fleet::Api;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::talk::Talk;
use crate::support::{Raised, SOON, eventually, say};

const CLIENTS: usize = 6;
const REQUESTS: usize = 300;

#[test]
fn random_requests_at_once_are_answered_while_backups_come_due() {
    let seed = 0xC0_117_802;
    say(&format!("seed {seed:#x}"));
    let clock = TestClock::new();
    for server in Setup::new().clock(&clock).each_catalog() {
        let stage = Stage::of(Api::new(&server));
        for name in ["a", "b", "c", "d"] {
            stage.api.configure(&stage.agent, &json!({"BackupConfigurationName": name, "Frequency": "Hourly", "HourInterval": 1}));
        }
        let token = format!("X-Auth-Token: {}\r\n", stage.api.token);
        let lives: Vec<Vec<_>> = (0..CLIENTS)
            .map(|client| {
                let mut dice = Dice(seed + client as u64);
                (0..REQUESTS).filter_map(|_| request(&mut dice, &stage)).collect()
            })
            .collect();
        let (done, is_over) = (AtomicUsize::new(0), std::sync::atomic::AtomicBool::new(false));
        std::thread::scope(|scope| {
            let clients: Vec<_> = lives.iter().map(|life| scope.spawn(|| live(&server, &token, life, &done))).collect();
            let passed = Raised(&is_over);
            // An hour for each tenth of the requests: the token lives for a day.
            for tenth in 1..=10 {
                let is_reached = || done.load(Ordering::Relaxed) * 10 >= lives.iter().map(Vec::len).sum::<usize>() * tenth;
                eventually("requests are answered", SOON * 3, || {
                    (is_reached() || clients.iter().any(|one| one.is_finished())).then_some(())
                });
                clock.advance(HOUR);
            }
            drop(passed);
            clients.into_iter().for_each(|client| client.join().expect("its requests are answered"));
        });
        stage.api.get("/activity").expect(200).json();
    }
}

fn live(server: &TestServer, token: &str, life: &[(&'static str, String, Vec<u8>)], done: &AtomicUsize) {
    let mut talk = Talk::with(server);
    for (method, target, body) in life {
        let sent = (*method != "GET" && *method != "HEAD").then_some(body.as_slice());
        let answer = talk.ask(method, &format!("/v1.0{target}"), token, sent);
        assert!(is_sound(method, &answer), "{method} {target} {}: {:?} {}", String::from_utf8_lossy(body), answer.head, answer.text());
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// The answers to one request that all send at once, sorted by status.
fn all_at_once(server: &TestServer, token: &str, method: &str, path: &str, body: &str) -> Vec<(u16, String)> {
    let mut answers = std::thread::scope(|scope| {
        let ask = || {
            let answer =
                Talk::with(server).ask(method, &format!("/v1.0{path}"), &format!("X-Auth-Token: {token}\r\n"), Some(body.as_bytes()));
            (answer.head.status, answer.text())
        };
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().map(|client| client.join().expect("it is answered")).collect::<Vec<_>>()
    });
    answers.sort();
    answers
}

#[test]
fn of_all_who_want_one_thing_at_once_one_gets_it() {
    for server in TestServer::each_catalog() {
        let stage = Stage::of(Api::new(&server));
        let token = &stage.api.token;
        let statuses = |answers: &[(u16, String)]| answers.iter().map(|(status, _)| *status).collect::<Vec<_>>();
        let body = stage.configuration(&json!({})).to_string();
        assert_eq!(
            statuses(&all_at_once(&server, token, "POST", "/backup-configuration", &body)),
            [200, 409, 409, 409, 409, 409, 409, 409]
        );
        let body = stage.fill(r#"{"Action":"StartManual","Id":<new-configuration>}"#);
        let states: Vec<String> = all_at_once(&server, token, "POST", "/backup/action-requested", &body)
            .iter()
            .map(|(_, id)| stage.api.state(id.parse().expect("a bare id")))
            .collect();
        assert_eq!(states.iter().filter(|state| *state == "StartRequested").count(), 1, "{states:?}");
        assert_eq!(states.iter().filter(|state| *state == "Skipped").count(), 7, "{states:?}");
        let body = stage.fill(r#"{"Action":"StartManual","Id":<new-restore>}"#);
        assert_eq!(
            statuses(&all_at_once(&server, token, "POST", "/restore/action-requested", &body)),
            [204, 400, 400, 400, 400, 400, 400, 400]
        );
        let body = stage.fill(r#"{"MachineAgentId":<new-agent>}"#);
        assert_eq!(
            statuses(&all_at_once(&server, token, "PUT", "/cleanup/startrequested", &body)),
            [200, 400, 400, 400, 400, 400, 400, 400]
        );
        assert_eq!(statuses(&all_at_once(&server, token, "POST", "/agent/delete", &body)), [204, 403, 403, 403, 403, 403, 403, 403]);
        let path = stage.fill("/backup-configuration/<new-configuration>");
        assert_eq!(statuses(&all_at_once(&server, token, "DELETE", &path, "")), [200, 404, 404, 404, 404, 404, 404, 404]);
        let path = stage.fill("/restore/files/<new-restore>");
        assert_eq!(statuses(&all_at_once(&server, token, "DELETE", &path, "")), [204, 404, 404, 404, 404, 404, 404, 404]);
        let (one, two) = (stage.fill("<new-agent>"), stage.fill("<new-agent>"));
        let there = format!(r#"{{"SourceMachineAgentId":{one},"DestinationMachineAgentId":{two}}}"#);
        let answers = all_at_once(&server, token, "PUT", "/agent/migratevault", &there);
        assert!(answers.iter().all(|(status, _)| [200, 403].contains(status)), "{answers:?}");
    }
}
