//! Which host our links name.

/// Builds absolute URLs: from `public_url`, else from a request's own `Host` where it is localhost or a name in the
/// certificate, else `localhost:PORT`.
pub struct Links {}

impl Links {
    /// `https://HOST[:PORT]` (or `http://` on a plain listener) without a final slash, for a request with this `Host`.
    pub fn origin(&self, host: Option<&str>) -> String {
        todo!("{host:?}")
    }
}
