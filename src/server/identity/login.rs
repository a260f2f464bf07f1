//! Whether a name and one of its secrets are right, and the token for whoever they are.

use crate::model::access::{Secret, SecretHash};
use crate::model::digest::Sha256Digest;
use crate::model::user::{Credential, User};
use crate::server::fault::ApiFault;
use crate::server::request::RequestHead;
use crate::store::Error;
use crate::store::tokens::Token;
use crate::wire::fault::FaultKind;

/// A new token for the user of this name. Unknown names and wrong secrets are the same answer after the same work, 401 (413 after too
/// many). `is_meant` says whether the tenant that was named is the user's, else 401, too. A disabled user is told so after a right secret.
pub async fn log_in(
    head: &RequestHead,
    name: &str,
    credential: Credential,
    secret: &Secret,
    is_meant: impl FnOnce(&User) -> bool,
) -> Result<(Secret, Token), ApiFault> {
    let store = &head.context.store;
    let found = store.user_of_stranger(name).await?;
    let is_right = is_right(credential, secret, found.as_ref());
    let user = found.filter(|_| is_right).ok_or_else(|| failed(head))?;
    // Not counted: whoever knows the secret need not guess.
    if !is_meant(&user) {
        return Err(refused());
    }
    if user.disabled {
        return Err(ApiFault::new(FaultKind::UserDisabled, "The user is disabled. Ask the operator to enable it."));
    }
    let made = store.make_token(&user, credential).await.map_err(|error| match error {
        // It was rotated, disabled, moved or removed since it was found right.
        Error::NotFound => refused(),
        error => error.into(),
    })?;
    tracing::info!(user.id, tenant = %user.tenant, peer = %head.peer.address, by = credential.as_str(), "a user logged in");
    Ok(made)
}

/// Whether the secret is the user's own. The same work is done where there is no such user.
fn is_right(credential: Credential, secret: &Secret, found: Option<&User>) -> bool {
    let nobody = SecretHash::from_digest(Sha256Digest([0; 32]));
    let stored = found.map_or(nobody, |user| user.secret(credential));
    let is_same = secret.hash() == stored;
    found.is_some() && is_same
}

/// Notes a wrong login and says so. Right ones never come here, so guessing by others cannot lock anybody out.
pub fn failed(head: &RequestHead) -> ApiFault {
    match head.context.throttle.failed(head.peer.address) {
        None => refused(),
        Some(wait) => {
            head.context.metrics.throttled_logins.inc();
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            ApiFault::too_often("Too many wrong logins came from your address. Wait, then check name and secret.", seconds)
        }
    }
}

fn refused() -> ApiFault {
    ApiFault::unauthorized("Unable to authenticate user with credentials provided.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::instant::Instant;
    use crate::model::role::Roles;

    fn user(disabled: bool) -> User {
        User {
            id: 1,
            name: "ada".parse().expect("a good name"),
            tenant: "5501".parse().expect("a good tenant"),
            roles: Roles::first(),
            api_key: Secret::presented("key").hash(),
            password: Secret::presented("password").hash(),
            disabled,
            created_at: Instant::from_seconds(0),
        }
    }

    #[test]
    fn each_secret_opens_only_in_its_own_form() {
        let opens = |credential, secret, found: Option<User>| is_right(credential, &Secret::presented(secret), found.as_ref());
        assert!(opens(Credential::ApiKey, "key", Some(user(false))));
        assert!(opens(Credential::Password, "password", Some(user(false))));
        assert!(!opens(Credential::ApiKey, "password", Some(user(false))));
        assert!(!opens(Credential::Password, "key", Some(user(false))));
        assert!(!opens(Credential::Password, "", Some(user(false))));
        assert!(!opens(Credential::Password, "password", None));
        assert!(opens(Credential::Password, "password", Some(user(true))), "it is told why later");
    }
}
