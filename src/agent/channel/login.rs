//! What a user does for an agent once: log in, and register it.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::{CallError, below, read};
use crate::model::access::Secret;
use crate::vault::backend::location::address::Address;
use crate::vault::backend::options::{Options, Trust};
use crate::vault::backend::rest::request::{Ask, Requests};
use crate::vault::error::Error;
use crate::wire::channel::register::{Register, Registered};

const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// A user's calls.
pub struct Registrar {
    requests: Requests,
    token: HeaderValue,
}

/// Logs in with an API key.
pub fn login(server: &Address, trust: &Trust, user: &str, api_key: &Secret) -> Result<Registrar, CallError> {
    let options = Options { trust: trust.clone(), idle: super::IDLE, ..Options::default() };
    let requests = Requests::new(&below(server, "/"), &options).map_err(|error: Error| CallError::Distrusted(error.to_string()))?;
    let proof = json!({"auth": {"RAX-KSKEY:apiKeyCredentials": {"username": user, "apiKey": api_key.reveal()}}});
    let access: Value = post(&requests, "v2.0/tokens", HeaderMap::new(), &proof)?;
    let token = access["access"]["token"]["id"].as_str().and_then(|token| HeaderValue::from_str(token).ok());
    let mut token = token.ok_or_else(|| CallError::passing("the answer to the login holds no token"))?;
    token.set_sensitive(true);
    Ok(Registrar { requests, token })
}

impl Registrar {
    /// Makes the agent. The same key again is the same agent, so a call whose answer was lost may be repeated.
    pub fn register(&self, register: &Register) -> Result<Registered, CallError> {
        let headers = HeaderMap::from_iter([(TOKEN, self.token.clone())]);
        post(&self.requests, "agent/v1/register", headers, register)
    }
}

fn post<T: serde::de::DeserializeOwned>(
    requests: &Requests,
    tail: &str,
    mut headers: HeaderMap,
    body: &impl serde::Serialize,
) -> Result<T, CallError> {
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = Bytes::from(serde_json::to_vec(body).expect("our own types are JSON"));
    let answer = requests.ask(&Ask { headers, body: Some(body), ..Ask::new(Method::POST, tail) })?;
    if answer.status.is_success() { read(&answer) } else { Err(CallError::of_answer(&answer, 0)) }
}
