//! What an answer that is not the wanted one means: whether to ask again, and what to say.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use super::line::Answer;
use super::retry::Failed;
use crate::vault::error::Error;

/// What was asked, in the words of a message.
pub struct Asked<'a> {
    /// `reading data/… from https://…`, without secrets.
    pub doing: String,
    /// The file, or the place.
    pub what: String,
    /// What a server might repeat and nobody may read.
    pub secrets: Vec<&'a str>,
    /// Whether the same request may go with other headers next time.
    pub has_headers_of_the_moment: bool,
}

impl Asked<'_> {
    pub fn refusal(&self, answer: &Answer) -> Failed {
        let status = answer.status;
        let said = self.said(answer);
        match status {
            StatusCode::NOT_FOUND => Error::NotFound(self.what.clone()).into(),
            StatusCode::INSUFFICIENT_STORAGE => Error::Full(said).into(),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => self.for_now(said, retry_after(&answer.headers)),
            // They were overtaken on the way: an agent that starts up has a new number from then on, in the middle of a transfer, too.
            StatusCode::CONFLICT if self.has_headers_of_the_moment => self.for_now(said, None),
            _ if status.is_server_error() => self.for_now(said, retry_after(&answer.headers)),
            _ if status.is_redirection() => Error::Refused(format!("{}: {status}, and redirects are not followed", self.doing)).into(),
            _ => Error::Refused(format!("{}: {said}", self.doing)).into(),
        }
    }

    pub fn for_now(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>, after: Option<Duration>) -> Failed {
        Failed::ForNow { error: Error::Unavailable { doing: self.doing.clone(), source: why.into() }, after }
    }

    /// Status and the first line of the server's own words, if it used any: bounded, on one line, without secrets.
    fn said(&self, answer: &Answer) -> String {
        const MOST: usize = 300;
        let is_text = answer.headers.get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
        let text = if is_text { String::from_utf8_lossy(&answer.body) } else { "".into() };
        let mut line = text.trim_start().lines().next().unwrap_or_default().trim_end().to_owned();
        for secret in &self.secrets {
            line = line.replace(secret, "***");
        }
        let shown: String = line.chars().take(MOST).flat_map(Shown::of).collect();
        if shown.is_empty() { answer.status.to_string() } else { format!("{}: {shown}", answer.status) }
    }
}

/// A character as a terminal may be shown it.
enum Shown {
    Plain(std::iter::Once<char>),
    Escaped(std::char::EscapeUnicode),
}

impl Shown {
    fn of(character: char) -> Self {
        let is_odd =
            character.is_control() || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if is_odd { Self::Escaped(character.escape_unicode()) } else { Self::Plain(std::iter::once(character)) }
    }
}

impl Iterator for Shown {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Self::Plain(one) => one.next(),
            Self::Escaped(several) => several.next(),
        }
    }
}

/// In seconds, or until a date.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let pairs = headers.iter().map(|&(name, value)| (http::HeaderName::from_static(name), value.parse().expect("a value")));
        Answer { status: StatusCode::from_u16(status).expect("a status"), headers: pairs.collect(), body: body.as_bytes().to_vec().into() }
    }

    fn refusal(answer: &Answer) -> Failed {
        asked(false).refusal(answer)
    }

    fn asked(has_headers_of_the_moment: bool) -> Asked<'static> {
        Asked { doing: "reading".to_owned(), what: "config".to_owned(), secrets: vec!["S3CRET"], has_headers_of_the_moment }
    }

    #[test]
    fn whether_to_ask_again_follows_from_the_status() {
        for (status, expected) in [
            (401, "Finally(Refused"),
            (403, "Finally(Refused"),
            (400, "Finally(Refused"),
            (409, "Finally(Refused"),
            (413, "Finally(Refused"),
            (301, "Finally(Refused"),
            (404, "Finally(NotFound"),
            (507, "Finally(Full"),
            (408, "ForNow"),
            (429, "ForNow"),
            (500, "ForNow"),
            (502, "ForNow"),
            (503, "ForNow"),
        ] {
            let failed = format!("{:?}", refusal(&answer(status, &[], "")));
            assert!(failed.starts_with(expected), "{status}: {failed}");
        }
        let overtaken = asked(true).refusal(&answer(409, &[], ""));
        assert!(matches!(overtaken, Failed::ForNow { .. }), "{overtaken:?}");
    }

    #[test]
    fn the_servers_words_are_shown_bounded_on_one_line_and_without_secrets() {
        let body = format!("no \u{1b}[31mS3CRET\u{202e} for you{}\nsecond line", "x".repeat(1_000));
        let failed = format!("{:?}", refusal(&answer(403, &[("content-type", "text/plain; charset=utf-8")], &body)));
        let Failed::Finally(Error::Refused(said)) = refusal(&answer(403, &[], &body)) else { panic!("{failed}") };
        assert!(said.starts_with("reading: 403 Forbidden: no \\u{1b}[31m***\\u{202e} for youxxx"), "{said}");
        assert!(said.len() < 400 && !said.contains("second"), "{said}");
        let page = refusal(&answer(403, &[("content-type", "text/html")], "<html>"));
        assert!(matches!(page, Failed::Finally(Error::Refused(said)) if said == "reading: 403 Forbidden"));
    }

    #[test]
    fn a_server_says_in_seconds_or_by_a_date_when_to_come_again() {
        let after = |text: &str| retry_after(&answer(503, &[("retry-after", text)], "").headers);
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("-7"), None);
        assert_eq!(after("soon"), None);
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3_600));
        assert!(after(&date).is_some_and(|after| after > Duration::from_secs(3_500)), "{date}");
        assert_eq!(after("Thu, 01 Jan 1970 00:00:00 GMT"), None);
    }
}
