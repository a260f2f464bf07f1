//! What our agent calls, below `/agent/v1/`: registration, start-up, the long poll, reports, and the repository API on its own vault or, for
//! a restore, on another one as it was.
//!
//! The agent's key is its one secret here and comes as a Bearer token. Every call but `status` is a heartbeat. 401 says nothing of whether an agent
//! exists (an older catalog may not know it yet); only 410 with the agent's own id means that it was deleted.

mod caller;
pub mod polls;
mod register;
mod requests;
mod runs;
mod startup;
mod status;
mod vault;
mod work;

use http::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::{self, ApiFault};
use super::json_body;
use super::reply::Body;
use super::request::RequestHead;
use super::request_body::RequestBody;
use crate::store::fleet::{Outcome, Refusal};
use crate::wire::channel::MAX_BODY_BYTES;

type Answer = Result<Response<Body>, ApiFault>;

/// Answers one request; never fails: what goes wrong is an answer, too.
pub async fn answer(head: &RequestHead, body: &mut RequestBody) -> Response<Body> {
    Box::pin(answered(head, body)).await.unwrap_or_else(ApiFault::into_response)
}

async fn answered(head: &RequestHead, body: &mut RequestBody) -> Answer {
    let path = head.path().strip_prefix("/agent/v1/").unwrap_or_default();
    if path.starts_with("vault/") {
        return vault::own(head, body).await;
    }
    if let Some(rest) = path.strip_prefix("restores/") {
        return vault::of_restore(head, rest, body).await;
    }
    let segments: Vec<&str> = path.split('/').collect();
    match (head.method(), &segments[..]) {
        (&Method::POST, ["register"]) => register::register(head, body).await,
        (&Method::POST, ["startup"]) => startup::start(head, body).await,
        (&Method::GET, ["work"]) => work::show(head).await,
        (&Method::GET, ["status"]) => status::show(head).await,
        (&Method::POST, ["runs", run]) => runs::report(head, id(run)?, body).await,
        (&Method::POST, ["requests", guid]) => requests::report(head, guid, body).await,
        (&Method::POST, ["generations", number]) => requests::report_generation(head, id(number)?).await,
        (_, ["register" | "startup"] | ["runs" | "requests" | "generations", _]) => Err(ApiFault::bad_method("POST")),
        (_, ["work" | "status"]) => Err(ApiFault::bad_method("GET")),
        _ => Err(ApiFault::no_path()),
    }
}

fn id(text: &str) -> Result<i64, ApiFault> {
    text.parse().ok().filter(|id| *id > 0).ok_or_else(ApiFault::no_path)
}

async fn read<T: DeserializeOwned>(head: &RequestHead, body: &mut RequestBody) -> Result<T, ApiFault> {
    let bytes = json_body::read_up_to(head, body, MAX_BODY_BYTES).await?;
    serde_json::from_slice(&bytes).map_err(|error| ApiFault::bad_request(format!("The body is not what was expected: {error}.")))
}

fn json(value: &impl Serialize) -> Response<Body> {
    fault::json(StatusCode::OK, serde_json::to_string(value).expect("our own types are JSON"))
}

/// What the rules allowed, or their refusal as an answer.
fn judged<T>(outcome: Outcome<T>) -> Result<T, ApiFault> {
    outcome.map_err(|refusal| match refusal {
        Refusal::NotFound(text) => ApiFault::not_found(text),
        Refusal::Invalid(text) | Refusal::TooLarge(text) => ApiFault::bad_request(text),
        Refusal::Forbidden(text) => ApiFault::forbidden(text),
        Refusal::Conflict(text) => ApiFault::conflict(text),
        Refusal::TooOften(text, seconds) => ApiFault::too_often(text, seconds),
    })
}
