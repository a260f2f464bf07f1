//! An answer as a client saw it, and what tests say about it.

use std::fmt;

/// A status line and headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub version: String,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// From the text of a head; `None` when it does not begin with a status line.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut words = lines.next()?.split_whitespace();
        let version = words.next().filter(|word| word.starts_with("HTTP/"))?.to_owned();
        let status = words.next()?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect();
        Some(Self { status, version, headers })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What a client has when it is done.
#[derive(Clone)]
pub struct Answer {
    /// The client's exit code: 0 when it was content.
    pub exit: i32,
    /// Every head that came, 100 Continue included; the last one counts.
    pub heads: Vec<Head>,
    pub body: Vec<u8>,
    pub complaint: String,
    /// Body bytes that the client sent.
    pub sent_bytes: u64,
}

impl Answer {
    /// The final status; 0 when there was no answer.
    pub fn status(&self) -> u16 {
        self.heads.last().map_or(0, |head| head.status)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.heads.last().and_then(|head| head.header(name))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// A fault of the Cloud Backup API: JSON that nobody keeps, to the letter, and nothing of our insides.
    #[track_caller]
    pub fn expect_fault(&self, status: u16, body: &str) -> &Self {
        self.expect(status).expect_header("content-type", "application/json; charset=utf-8").expect_header("cache-control", "no-store");
        self.expect_header("x-content-type-options", "nosniff").expect_header("content-length", &body.len().to_string());
        assert_eq!(self.text(), body);
        self
    }

    pub fn was_asked_to_continue(&self) -> bool {
        self.heads.iter().any(|head| head.status == 100)
    }

    #[track_caller]
    pub fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status(), status, "{self:?}");
        self
    }

    #[track_caller]
    pub fn expect_header(&self, name: &str, value: &str) -> &Self {
        assert_eq!(self.header(name), Some(value), "{name} of {self:?}");
        self
    }

    #[track_caller]
    pub fn expect_no_header(&self, name: &str) -> &Self {
        assert_eq!(self.header(name), None, "{name} of {self:?}");
        self
    }

    #[track_caller]
    pub fn expect_body(&self, bytes: &[u8]) -> &Self {
        assert_eq!(self.body.len(), bytes.len(), "{self:?}");
        assert!(self.body == bytes, "the body has other bytes: {self:?}");
        self
    }

    /// The body says `part`.
    #[track_caller]
    pub fn expect_words(&self, part: &str) -> &Self {
        assert!(self.text().to_lowercase().contains(&part.to_lowercase()), "“{part}” in {self:?}");
        self
    }

    /// A refusal in short plain text with a final newline that shows nothing of our insides.
    #[track_caller]
    pub fn expect_plain_refusal(&self, status: u16) -> &Self {
        self.expect(status).expect_header("content-type", "text/plain; charset=utf-8");
        let text = self.text();
        assert!(text.ends_with('\n') && text.trim().len() > 10, "{self:?}");
        for inside in ["SELECT ", "INSERT ", "panicked", "src/", "/tmp/", "catalog.db", ".staging", "os error"] {
            assert!(!text.contains(inside), "{inside} in {self:?}");
        }
        self
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for head in &self.heads {
            writeln!(out, "\n{} {}", head.version, head.status)?;
            head.headers.iter().try_for_each(|(name, value)| writeln!(out, "{name}: {value}"))?;
        }
        let shown: String = self.text().chars().take(600).collect();
        write!(out, "[{} bytes] {shown}\n[exit {}, {} bytes sent] {}", self.body.len(), self.exit, self.sent_bytes, self.complaint)
    }
}

#[test]
fn heads_are_read_as_they_come() {
    let head = Head::parse("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nX:  y \r\n").expect("a head");
    assert_eq!((head.status, head.header("allow"), head.header("x")), (405, Some("GET, HEAD"), Some("y")));
    assert_eq!(Head::parse("Allow: GET"), None);
}
