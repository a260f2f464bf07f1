//! JSON that was made to hurt whoever parses it, sent to those who do: the Cloud Backup API and the agent channel.

use std::time::Duration;

use serde_json::json;

use crate::json_bombs::{bombs, cpu};
use crate::support::fleet::{Api, TestAgent};
use crate::support::server::TestServer;
use crate::support::talk::Talk;

#[test]
fn json_bombs_are_refused_at_a_price_that_bounds_them() {
    let server = TestServer::start();
    let api = Api::new(&server);
    let agent = TestAgent::register(&api, "web-a");
    let user = format!("X-Auth-Token: {}\r\n", api.token);
    let machine = format!("Authorization: Bearer {}\r\nStrongroom-Incarnation: {}\r\n", agent.key, agent.incarnation);
    let mut talk = Talk::with(&server);
    let mut dearest = (Duration::ZERO, String::new());
    for (what, bomb) in bombs() {
        for (headers, method, path) in [
            (&user, "POST", "/v1.0/backup-configuration"),
            (&user, "PUT", "/v1.0/agent/logging"),
            (&user, "POST", "/v1.0/agent/encrypt"),
            (&user, "POST", "/v1.0/backup/action-requested"),
            (&user, "PUT", "/v1.0/restore"),
            (&user, "PUT", "/v1.0/restore/files"),
            (&user, "POST", "/agent/v1/register"),
            (&machine, "POST", "/agent/v1/startup"),
            (&machine, "POST", "/agent/v1/runs/7"),
            (&machine, "POST", "/agent/v1/requests/7"),
        ] {
            let before = cpu(&server);
            let answer = talk.ask(method, path, headers, Some(&bomb));
            let status = answer.head.status;
            assert!([400, 413].contains(&status), "{method} {path} with {what}: {status} {}", answer.text());
            let fault: serde_json::Value = serde_json::from_slice(&answer.body).expect("a fault object");
            assert!([&fault["badRequest"]["code"], &fault["overLimit"]["code"]].contains(&&json!(status)), "{fault}");
            assert!(answer.body.len() < 2000, "{method} {path} with {what}: {} bytes of refusal", answer.body.len());
            dearest = dearest.max((cpu(&server) - before, format!("{method} {path} with {what}")));
        }
    }
    // This server was built without optimisation.
    assert!(dearest.0 < Duration::from_secs(2), "{dearest:?}");
    api.get("/user/agents").expect(200);
}
