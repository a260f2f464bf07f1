//! Answers of the Cloud Backup API compared to the letter: on a clock that stands still and ids that begin anew, nothing is left open but
//! an agent's key, the UUIDs and the port.

use std::sync::Arc;

use serde_json::Value;

use super::answer::Answer;
use super::clock::TestClock;
use super::fleet::{Api, TestAgent, modulus};
use super::openapi::expect_documented;
use super::postgres;
use super::server::TestServer;
use super::setup::Setup;

/// 2030-03-04T01:30:00Z, a Monday; in New York it is Sunday, 8:30 PM.
pub const BEGIN: i64 = 1_898_818_200;

/// A server with one tenant and its agent 1001, at [`BEGIN`].
pub struct Scene {
    pub api: Api,
    pub agent: TestAgent,
    /// Ends with the scene, and insists on a clean log; before the clock, which it reads.
    _server: TestServer,
    pub clock: TestClock,
}

/// Tells the story on SQLite, then on PostgreSQL, each time from the same beginning.
pub fn on_each_catalog(story: impl Fn(&Scene)) {
    story(&Scene::start(Setup::new()));
    if let Some(database) = postgres::fresh_database() {
        story(&Scene::start(Setup::new().database(Arc::new(database))));
    }
}

impl Scene {
    pub fn start(setup: Setup) -> Self {
        let clock = TestClock::at(BEGIN);
        let server = setup.clock(&clock).start();
        let api = Api::new(&server);
        let agent = TestAgent::register(&api, "web-a");
        assert_eq!(agent.id, 1001, "ids of a new store begin after 1000");
        Self { api, agent, _server: server, clock }
    }

    pub fn get(&self, path: &str) -> Told {
        self.ask("GET", path, None)
    }

    pub fn delete(&self, path: &str) -> Told {
        self.ask("DELETE", path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Told {
        self.ask("POST", path, Some(&body.to_string()))
    }

    pub fn put(&self, path: &str, body: &Value) -> Told {
        self.ask("PUT", path, Some(&body.to_string()))
    }

    pub fn ask(&self, method: &str, path: &str, body: Option<&str>) -> Told {
        Told { answer: self.api.call(method, path, body), request: format!("{method} {path}"), origin: self.api.site.origin() }
    }
}

/// What was asked, and what came.
pub struct Told {
    pub answer: Answer,
    pub request: String,
    origin: String,
}

impl Told {
    /// JSON to the letter, with `MODULUS`, `UUID` and `ORIGIN` for what differs from run to run.
    #[track_caller]
    pub fn is(&self, status: u16, text: &str) -> &Self {
        let answer = &self.answer;
        assert_eq!(answer.status(), status, "{}: {answer:?}", self.request);
        answer.expect_header("content-type", "application/json; charset=utf-8").expect_header("cache-control", "no-store");
        answer.expect_header("x-content-type-options", "nosniff").expect_header("content-length", &answer.body.len().to_string());
        assert_eq!(self.shown(), text, "{}", self.request);
        self.expect_documented();
        self
    }

    /// No body, and a `Content-Length` that says so unless the status does.
    #[track_caller]
    pub fn is_empty(&self, status: u16) -> &Self {
        let answer = &self.answer;
        assert_eq!(answer.status(), status, "{}: {answer:?}", self.request);
        assert_eq!(answer.header("content-length"), if status == 204 { None } else { Some("0") }, "{answer:?}");
        answer.expect_header("cache-control", "no-store").expect_no_header("content-type").expect_body(b"");
        self.expect_documented();
        self
    }

    /// A fault object to the letter.
    #[track_caller]
    pub fn is_fault(&self, status: u16, message: &str) -> &Self {
        let name = fault_name(status);
        self.is(status, &format!(r#"{{"{name}":{{"code":{status},"message":{},"details":""}}}}"#, Value::from(message)))
    }

    /// Its form is the one that clients are told of.
    #[track_caller]
    fn expect_documented(&self) {
        let (method, path) = self.request.split_once(' ').expect("a method and a path");
        expect_documented(method, &format!("/v1.0{path}"), self.answer.status(), &self.answer.text());
    }

    fn shown(&self) -> String {
        let text = self.answer.text().replace(&modulus(), "MODULUS").replace(&self.origin, "ORIGIN");
        without_uuids(&text)
    }
}

/// The name of the fault that comes with the status.
pub fn fault_name(status: u16) -> &'static str {
    match status {
        400 => "badRequest",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "itemNotFound",
        405 => "badMethod",
        409 => "conflict",
        413 => "overLimit",
        501 => "notImplemented",
        503 => "serviceUnavailable",
        _ => "instanceFault",
    }
}

/// Whether the bytes spell a UUID: 8, 4, 4, 4 and 12 lower-case hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

fn without_uuids(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if rest.get(..36).is_some_and(is_uuid) {
            shown.push_str("UUID");
            rest = &rest[36..];
        } else {
            shown.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    shown
}

#[test]
fn uuids_are_found_wherever_they_stand() {
    let text = "é\"0b9c1d7e-6a0f-4c0e-9a52-4c1b8f6f2d11\"-0b9c1d7e-6a0f-4c0e-9a52-4C1b8f6f2d11";
    assert_eq!(without_uuids(text), "é\"UUID\"-0b9c1d7e-6a0f-4c0e-9a52-4C1b8f6f2d11");
}
