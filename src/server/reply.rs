//! Answers: bodies and the headers that every one carries.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

/// The body of every answer. An error ends the connection instead of the body, so nobody takes a part for the whole.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;
