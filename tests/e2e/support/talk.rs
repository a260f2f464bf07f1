//! Many requests over one connection, for tests that ask thousands of questions.

use super::SOON;
use super::answer::Head;
use super::raw::{Raw, RawAnswer};
use super::server::TestServer;

/// Connects again when the server ends a connection.
pub struct Talk {
    port: u16,
    raw: Option<Raw>,
}

impl Talk {
    pub fn with(server: &TestServer) -> Self {
        Self { port: server.port(), raw: None }
    }

    /// One request and its answer; `headers` are lines that end in CRLF.
    #[track_caller]
    pub fn ask(&mut self, method: &str, path: &str, headers: &str, body: Option<&[u8]>) -> RawAnswer {
        let length = body.map_or_else(String::new, |body| format!("Content-Length: {}\r\n", body.len()));
        let mut bytes = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n").into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        let answer = self.try_ask(method, &bytes).or_else(|| {
            self.raw = None;
            self.try_ask(method, &bytes)
        });
        let answer = answer.unwrap_or_else(|| panic!("no answer to {method} {path}"));
        if answer.head.header("connection").is_some_and(|line| line.eq_ignore_ascii_case("close")) {
            self.raw = None;
        }
        answer
    }

    fn try_ask(&mut self, method: &str, bytes: &[u8]) -> Option<RawAnswer> {
        let raw = self.raw.get_or_insert_with(|| Raw::connect_port(self.port));
        raw.send(bytes);
        if method == "HEAD" {
            return raw.head(SOON).map(|head: Head| RawAnswer { head, body: Vec::new() });
        }
        raw.answer(SOON)
    }
}

impl RawAnswer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
