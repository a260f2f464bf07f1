//! `POST /v2.0/tokens`: a new token for a login, or the same answer again for a token that is there.

use http::{Response, StatusCode};

use super::login::{failed, log_in};
use crate::model::access::Secret;
use crate::server::access_log::LoggedUser;
use crate::server::fault::{self, ApiFault};
use crate::server::json_body;
use crate::server::reply::Body;
use crate::server::request::RequestHead;
use crate::server::request_body::RequestBody;
use crate::store::tokens::Token;
use crate::wire::identity::{Access, Proof, TokenRequest, access};

const UNREADABLE: &str = "Invalid request body: unable to parse Auth data. Please review XML or JSON formatting";

/// 200 with the token; 400 for what is no login, 401 for a wrong one.
pub async fn post_tokens(head: &RequestHead, body: &mut RequestBody) -> Result<Response<Body>, ApiFault> {
    let request = TokenRequest::parse(&json_body::read_of_stranger(head, body).await?).ok_or_else(|| ApiFault::bad_request(UNREADABLE))?;
    let (secret, token) = match &request.proof {
        Proof::Login { name, credential, secret } => log_in(head, name, *credential, secret, |user| request.is_for(&user.tenant)).await?,
        Proof::Token(secret) => (secret.clone(), known(head, secret, &request).await?),
    };
    let shown = access(&Access {
        token: &secret,
        ends_at: token.ends_at,
        authenticated_by: token.authenticated_by,
        user: &token.user,
        regions: &head.context.regions,
        origin: &head.origin(),
    });
    let mut response = fault::json(StatusCode::OK, shown);
    response.extensions_mut().insert(LoggedUser(token.user.id));
    Ok(response)
}

/// A token that is live, for the tenant that was named. Anything else is a wrong login.
async fn known(head: &RequestHead, secret: &Secret, request: &TokenRequest) -> Result<Token, ApiFault> {
    let found = head.context.store.token(secret).await?;
    found.filter(|token| request.is_for(&token.user.tenant)).ok_or_else(|| failed(head))
}
