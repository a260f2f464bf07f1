//! Calls to the server below `/agent/v1/`, one try each; who calls decides what a failure means. TLS, limits and connections are those of
//! the vault engine's client.
//!
//! The agent's key comes with every call, and from the start-up on the number of this process (its incarnation), by which the server tells
//! a newer one from an older. Nothing else is remembered between two calls.

mod failure;
mod login;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use failure::CallError;
pub use login::{Registrar, login};

use crate::model::access::Secret;
use crate::vault::backend::location::address::Address;
use crate::vault::backend::options::{Options, Trust};
use crate::vault::backend::rest::line::Answer;
use crate::vault::backend::rest::request::{Ask, Requests};
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::wire::channel::MAX_BODY_BYTES;
use crate::wire::channel::run::RunReport;
use crate::wire::channel::startup::{Started, Startup};
use crate::wire::channel::status::Status;
use crate::wire::channel::work::{Run, Work};

/// A server that does not move a byte for so long is not there.
const IDLE: Duration = Duration::from_secs(30);
const INCARNATION: HeaderName = HeaderName::from_static("strongroom-incarnation");

/// One agent's calls. Many threads may call at once.
pub struct Channel {
    agent: i64,
    /// Ends when the process is to end.
    polls: Requests,
    /// Still works then: what was done is to be said.
    calls: Requests,
    authorization: HeaderValue,
    incarnation: AtomicI64,
}

/// What is wanted, and the tag by which the server knows whether that has changed.
pub struct Wanted {
    pub work: Work,
    pub tag: String,
}

/// What became of a request of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Taken,
    Succeeded,
    Failed,
}

#[derive(Serialize)]
struct Said {
    outcome: Outcome,
}

#[derive(Deserialize)]
struct Reported {
    run: Option<Run>,
}

impl Channel {
    /// Asks nothing of the server yet. `key` is the agent's, in Base64; `cancel` ends polls, and nothing else.
    pub fn new(agent: i64, server: &Address, trust: &Trust, key: &Secret, cancel: &Cancel) -> Result<Self, Error> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", key.reveal()))
            .map_err(|_| Error::Refused("the agent's key is no line of text".to_owned()))?;
        authorization.set_sensitive(true);
        let address = below(server, "/agent/v1/");
        let options = Options { trust: trust.clone(), idle: IDLE, ..Options::default() };
        let polls = Options { cancel: cancel.clone(), idle: longest_poll(), ..options.clone() };
        Ok(Self {
            agent,
            polls: Requests::new(&address, &polls)?,
            calls: Requests::new(&address, &options)?,
            authorization,
            incarnation: AtomicI64::new(0),
        })
    }

    /// The headers by which the server knows this agent, and this process of it once it has started up.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        let incarnation = self.incarnation.load(Ordering::Relaxed);
        if incarnation > 0 {
            headers.insert(INCARNATION, incarnation.into());
        }
        headers
    }

    /// Says that this process is up. [`CallError::Conflict`] where the machine is not the one that registered. From here on calls of older
    /// processes are refused.
    pub fn start_up(&self, startup: &Startup) -> Result<Started, CallError> {
        let started: Started = self.post("startup", startup)?;
        self.incarnation.store(started.incarnation, Ordering::Relaxed);
        Ok(started)
    }

    /// How this machine is backed up. It needs no start-up before, and is no sign of life of the agent.
    pub fn status(&self) -> Result<Status, CallError> {
        read(&self.ask(Method::GET, "status", None::<&()>)?)
    }

    /// What is wanted; `None` where it is still what `known` is the tag of after `wait`. [`CallError::Conflict`]: a newer process is up.
    pub fn work(&self, known: Option<&str>, wait: Duration) -> Result<Option<Wanted>, CallError> {
        let tail = format!("work?wait={}", wait.as_secs());
        let mut headers = self.headers();
        if let Some(known) = known.and_then(|known| HeaderValue::from_str(known).ok()) {
            headers.insert(IF_NONE_MATCH, known);
        }
        let ask = Ask { headers: json(headers), most_bytes: MAX_ANSWER_BYTES, ..Ask::new(Method::GET, &tail) };
        let answer = self.polls.ask(&ask)?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let answer = self.accepted(answer)?;
        let tag = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned();
        Ok(Some(Wanted { work: read(&answer)?, tag }))
    }

    /// Says how far a run is. The run as it is to be done now; `None` where nothing of it is wanted any more.
    pub fn report(&self, run: i64, report: &RunReport) -> Result<Option<Run>, CallError> {
        let reported: Reported = self.post(&format!("runs/{run}"), report)?;
        Ok(reported.run)
    }

    /// Says what became of a user's request.
    pub fn say_of_request(&self, request: &str, outcome: Outcome) -> Result<(), CallError> {
        self.ask(Method::POST, &format!("requests/{request}"), Some(&Said { outcome })).map(drop)
    }

    /// Says that the repository of a generation is made: from then on a missing one is a loss.
    pub fn say_of_generation(&self, number: i64) -> Result<(), CallError> {
        self.ask(Method::POST, &format!("generations/{number}"), None::<&()>).map(drop)
    }

    fn post<T: DeserializeOwned>(&self, tail: &str, body: &impl Serialize) -> Result<T, CallError> {
        read(&self.ask(Method::POST, tail, Some(body))?)
    }

    fn ask(&self, method: Method, tail: &str, body: Option<&impl Serialize>) -> Result<Answer, CallError> {
        let body = body.map(|body| Bytes::from(serde_json::to_vec(body).expect("our own types are JSON")));
        let is_post = method == Method::POST;
        let body = body.or_else(|| is_post.then(Bytes::new));
        let ask = Ask { headers: json(self.headers()), body, most_bytes: MAX_ANSWER_BYTES, ..Ask::new(method, tail) };
        self.accepted(self.calls.ask(&ask)?)
    }

    fn accepted(&self, answer: Answer) -> Result<Answer, CallError> {
        if answer.status.is_success() { Ok(answer) } else { Err(CallError::of_answer(&answer, self.agent)) }
    }
}

/// Answers are no longer than reports: a selection has at most 1 MB.
const MAX_ANSWER_BYTES: u64 = 4 * MAX_BODY_BYTES as u64;

/// The longest that a poll is held, and some time for its answer.
const fn longest_poll() -> Duration {
    Duration::from_secs(crate::wire::channel::MAX_WAIT_SECONDS + 30)
}

/// The same server, without whoever its URL names, at this path.
pub(in crate::agent) fn below(server: &Address, path: &str) -> Address {
    Address { credentials: None, path: path.to_owned(), ..server.clone() }
}

fn json(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, CallError> {
    serde_json::from_slice(&answer.body).map_err(|error| CallError::passing(format!("the answer is not what was expected: {error}")))
}
