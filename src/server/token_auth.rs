//! Who is asking in the Cloud Backup API: `X-Auth-Token` against the catalog as it is at this moment.
//!
//! Nothing is kept between requests, so a token that was ended, and a role that was taken away, are gone by the next one.

use http::HeaderMap;
use http::header::HeaderName;

use super::fault::ApiFault;
use super::request::RequestHead;
use crate::model::access::Secret;
use crate::model::role::Rights;
use crate::model::user::{TenantId, User};
use crate::store::tokens::Token;

pub const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// Whoever sent a live token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    pub user: User,
    /// Whose agents and backups may be asked for.
    pub tenant: TenantId,
    pub rights: Rights,
}

/// The user of the one `X-Auth-Token`. Missing, unknown, expired and revoked are one and the same answer, 401; a look-up that fails
/// is 503. Whether the user may do what it asks for is for the operation to say.
pub async fn caller(head: &RequestHead) -> Result<Caller, ApiFault> {
    let sent = sent(head.headers()).ok_or_else(refused)?;
    let Token { user, .. } = head.context.store.token(&sent).await?.ok_or_else(refused)?;
    Ok(Caller { tenant: user.tenant.clone(), rights: user.rights(), user })
}

/// Whether a token was sent, valid or not.
pub fn is_sent(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTH_TOKEN)
}

/// The one token; of two nobody knows which one counts.
fn sent(headers: &HeaderMap) -> Option<Secret> {
    let mut lines = headers.get_all(AUTH_TOKEN).iter();
    let line = lines.next()?;
    lines.next().is_none().then_some(())?;
    line.to_str().ok().map(|text| Secret::presented(text.trim()))
}

fn refused() -> ApiFault {
    ApiFault::unauthorized("The token is missing, unknown, expired or revoked. POST /v2.0/tokens makes a new one.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str]) -> Option<String> {
        let headers = lines.iter().map(|line| (AUTH_TOKEN, line.parse().expect("a header"))).collect();
        sent(&headers).map(|secret| secret.reveal().to_owned())
    }

    #[test]
    fn exactly_one_token_counts() {
        assert_eq!(found(&["abc"]).as_deref(), Some("abc"));
        assert_eq!(found(&[]), None);
        assert_eq!(found(&["abc", "abc"]), None);
        assert_eq!(found(&["ä"]), None);
    }
}
