//! Request headers: one pure parser a file. Each takes what the client sent and never panics, whatever that is.

pub mod accept;
pub mod basic;
pub mod conditional;
pub mod content_length;
pub mod digest_fields;
pub mod disposition;
pub mod entity_tags;
pub mod host;
pub mod query;
pub mod range;
pub mod same_origin;

use http::HeaderMap;
use http::header::AsHeaderName;

/// All lines of one list-valued header, joined as RFC 9110 §5.3 says; `None` where there is none or one is no text.
pub fn joined(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let lines: Result<Vec<&str>, _> = headers.get_all(name).iter().map(|line| line.to_str()).collect();
    lines.ok().filter(|lines| !lines.is_empty()).map(|lines| lines.join(", "))
}

/// Each parser is held against its model this many times: a second or two for each.
#[cfg(test)]
const CASES: u32 = 100_000;
