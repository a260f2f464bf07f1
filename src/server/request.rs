//! One request as its handler sees it: who asks, and everything that came before the body.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method};

use super::context::{Context, Peer};
use super::headers::host;

/// A request without its body.
pub struct RequestHead {
    pub context: Arc<Context>,
    pub peer: Peer,
    pub parts: Parts,
}

impl RequestHead {
    pub const fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The path as it was sent, still percent-encoded.
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    pub fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    pub const fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// `https://HOST[:PORT]` for links, without a final slash.
    pub fn origin(&self) -> String {
        self.context.links.origin(host::host(self.headers()))
    }
}
