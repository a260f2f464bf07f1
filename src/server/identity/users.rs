//! `GET /v2.0/users?name=…`: a user of the caller's own tenant.

use http::{Response, StatusCode};
use percent_encoding::percent_decode_str;

use crate::server::access_log::LoggedUser;
use crate::server::fault::{self, ApiFault};
use crate::server::reply::Body;
use crate::server::request::RequestHead;
use crate::server::token_auth::caller;
use crate::wire::identity::user;

/// 404 for a name that nobody has, and for one that somebody of another tenant has.
pub async fn find_user(head: &RequestHead) -> Result<Response<Body>, ApiFault> {
    let caller = caller(head).await?;
    let name = name(head.query()).ok_or_else(|| ApiFault::bad_request("Say whom you look for: /v2.0/users?name=NAME"))?;
    let found = match name.parse() {
        Ok(name) => head.context.store.user(&name).await?,
        Err(_) => None,
    };
    let found = found.filter(|user| user.tenant == caller.tenant);
    let found = found.ok_or_else(|| ApiFault::not_found("There is no user of this name in your tenant."))?;
    let mut response = fault::json(StatusCode::OK, user(&found, &head.context.regions));
    response.extensions_mut().insert(LoggedUser(caller.user.id));
    Ok(response)
}

/// The value of `name`, decoded; a `+` stays one, since names hold no spaces.
fn name(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("name="))?;
    percent_decode_str(value).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn the_name_is_decoded_once() {
        for (query, expected) in [
            ("name=ada", Some("ada")),
            ("x=1&name=ada%40example.com", Some("ada@example.com")),
            ("name=a+b", Some("a+b")),
            ("name=", Some("")),
            ("", None),
            ("names=ada", None),
            ("name=%ff", None),
        ] {
            assert_eq!(name(query).as_deref(), expected, "{query}");
        }
    }
}
