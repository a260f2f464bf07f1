//! Who is asking, and may they: HTTP Basic against the account as the catalog has it at this moment.
//!
//! Nothing is kept between requests, so a rotated or disabled account is refused by the next one, on a running connection too.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};

use super::error::ApiError;
use super::headers::basic::{Credentials, Login};
use super::request::RequestHead;
use crate::model::access::{AccountId, SecretHash};
use crate::model::account::Account;
use crate::model::digest::Sha256Digest;
use crate::store::visit::{Asked, Visit};

const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"Strongroom\", charset=\"UTF-8\"");

/// The open account whose password came with the request. Missing, malformed, unknown and wrong are one and the same answer,
/// 401 (429 after too many); a disabled account is told so after its right password; a failing look-up is 503.
/// What the request wants of the account is looked up by the way.
pub async fn authenticate(head: &RequestHead, login: Login, asked: Asked) -> Result<Visit, ApiError> {
    let credentials = match login {
        Login::Absent => return Err(challenge()),
        Login::Malformed => return Err(failed(head)),
        Login::Sent(credentials) => credentials,
    };
    let sent = credentials.password.hash();
    let found = match credentials.user.parse::<AccountId>() {
        Ok(id) => head.context.store.visit(&id, asked, move |account| account.password == sent).await.map_err(ApiError::unavailable)?,
        Err(_) => None,
    };
    let is_right = is_right(&credentials, found.as_ref().map(|visit| &visit.account));
    let visit = found.filter(|_| is_right).ok_or_else(|| failed(head))?;
    match &visit.account.disabled {
        Some(reason) => Err(ApiError::account_closed(reason)),
        None => Ok(visit),
    }
}

/// 401 with the challenge, which makes a browser ask for the password.
pub fn challenge() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "This needs the user name and the password of the account's access URL, https://USER:PASSWORD@HOST/ (HTTP Basic).",
    )
    .with(WWW_AUTHENTICATE, CHALLENGE)
}

/// Whether the password is the account's own. The same work is done for an account that does not exist or was removed.
fn is_right(credentials: &Credentials, found: Option<&Account>) -> bool {
    let nobody = SecretHash::from_digest(Sha256Digest([0; 32]));
    let account = found.filter(|account| account.removed_at.is_none());
    let stored = account.map_or(nobody, |account| account.password);
    let is_same = credentials.password.hash() == stored;
    account.is_some() && is_same
}

/// Notes a wrong login and says so. Right credentials never come here, so guessing by others cannot lock anybody out.
fn failed(head: &RequestHead) -> ApiError {
    match head.context.throttle.failed(head.peer.address) {
        None => challenge(),
        Some(wait) => {
            head.context.metrics.throttled_logins.inc();
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "Too many wrong logins came from your address. Wait, then check the access URL.")
                .retry_after(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::Secret;
    use crate::model::account::Kind;
    use crate::model::instant::Instant;
    use crate::model::retention::{Retention, RetentionHistory};

    fn account(password: &str) -> Account {
        Account {
            id: "Y21R3P".parse().expect("it is an account's name"),
            kind: Kind::Archive,
            description: String::new(),
            password: Secret::presented(password).hash(),
            quota_bytes: None,
            used_bytes: 0,
            retention: RetentionHistory::starting(Retention::MIN),
            created_at: Instant::from_seconds(0),
            disabled: None,
            removed_at: None,
        }
    }

    fn is_verified(password: &str, found: Option<Account>) -> bool {
        is_right(&Credentials { user: "Y21R3P".to_owned(), password: Secret::presented(password) }, found.as_ref())
    }

    #[test]
    fn only_the_right_password_of_an_account_that_exists_opens_it() {
        assert!(is_verified("right", Some(account("right"))));
        assert!(!is_verified("wrong", Some(account("right"))));
        assert!(!is_verified("", Some(account("right"))));
        assert!(!is_verified("righ", Some(account("right"))));
        assert!(!is_verified("right", None));
        assert!(!is_verified("right", Some(Account { removed_at: Some(Instant::from_seconds(1)), ..account("right") })));
        assert!(is_verified("right", Some(Account { disabled: Some("unpaid".to_owned()), ..account("right") })), "it is told why later");
    }
}
