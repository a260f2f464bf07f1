//! `POST register`: a user's token makes an agent.

use data_encoding::HEXLOWER_PERMISSIVE;
use http::Response;

use super::{Answer, json, judged, read};
use crate::model::access::SecretHash;
use crate::model::digest::Sha256Digest;
use crate::model::role::Rights;
use crate::server::control::known_datacenter;
use crate::server::fault::ApiFault;
use crate::server::reply::Body;
use crate::server::request::RequestHead;
use crate::server::request_body::RequestBody;
use crate::server::token_auth;
use crate::store::fleet::registration::Registration;
use crate::wire::channel::register::{Register, Registered};

pub async fn register(head: &RequestHead, body: &mut RequestBody) -> Answer {
    let caller = token_auth::caller(head).await?;
    let sent: Register = read(head, body).await?;
    let needed = if sent.take_over.is_some() { Rights::Delete } else { Rights::Create };
    if caller.rights < needed {
        return Err(ApiFault::forbidden("None of your roles allows this."));
    }
    let key = HEXLOWER_PERMISSIVE.decode(sent.key_sha256.as_bytes()).ok();
    let key = key.and_then(|bytes| Sha256Digest::from_slice(&bytes).ok());
    let key = key.ok_or_else(|| ApiFault::bad_request("key_sha256 is a SHA-256 in 64 hexadecimal digits."))?;
    let datacenter = match &sent.datacenter {
        Some(text) => known_datacenter("datacenter", text)?,
        None => head.context.regions.first().cloned().unwrap_or_default(),
    };
    let registration = Registration {
        tenant: caller.tenant.as_str().to_owned(),
        facts: sent.facts.into_model(),
        fingerprint: fingerprint(&sent.fingerprint)?,
        public_key: sent.public_key.into_model().ok_or_else(|| ApiFault::bad_request("public_key is no RSA key of 2048 bits."))?,
        key: SecretHash::from_digest(key),
        datacenter,
        take_over: sent.take_over,
    };
    let agent_id = judged(head.context.store.register_agent(registration).await?)?;
    tracing::info!(
        target: "strongroom::audit",
        agent = agent_id,
        take_over = sent.take_over.is_some(),
        user = caller.user.name.as_str(),
        tenant = caller.tenant.as_str(),
        address = %head.peer.address,
        "an agent was registered"
    );
    Ok(registered(agent_id, &caller))
}

fn registered(agent_id: i64, caller: &token_auth::Caller) -> Response<Body> {
    json(&Registered { agent_id, account_id: caller.tenant.as_str().to_owned(), username: caller.user.name.as_str().to_owned() })
}

/// 64 hexadecimal digits, in lower case.
pub(super) fn fingerprint(text: &str) -> Result<String, ApiFault> {
    let fits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase()).ok_or_else(|| ApiFault::bad_request("fingerprint is a SHA-256 in 64 hexadecimal digits."))
}
