//! `GET work`: the long poll.

use std::time::Duration;

use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Response, StatusCode};

use super::{Answer, caller, json};
use crate::server::headers::query;
use crate::server::reply::{self, Body};
use crate::server::request::RequestHead;
use crate::wire::channel::MAX_WAIT_SECONDS;
use crate::wire::channel::work::Work;

/// What is wanted now, or, where the agent knows that already, as soon as it changes; 304 when the time is up.
pub async fn show(head: &RequestHead) -> Answer {
    let mut agent = caller::newest(head).await?;
    let known = head.headers().get(IF_NONE_MATCH).and_then(|line| line.to_str().ok()).map(str::to_owned);
    let changed = head.context.polls.hold(agent.id);
    let mut wanted = head.context.store.work_of(agent.id).await?;
    if known.as_deref() == Some(&tag(&wanted.agent)) {
        let woken = tokio::time::timeout(wait(head), changed).await;
        if !matches!(woken, Ok(Ok(()))) {
            return Ok(unchanged(&tag(&wanted.agent)));
        }
        // It may be another process's turn by now.
        agent = caller::newest(head).await?;
        wanted = head.context.store.work_of(agent.id).await?;
    }
    let opens = |account: &str, generation: i64| head.context.vault_secret.password(account, generation);
    let mut response = json(&Work::of(&wanted, &opens));
    reply::put(response.headers_mut(), ETAG, tag(&wanted.agent));
    Ok(response)
}

fn tag(agent: &crate::model::agent::Agent) -> String {
    // Weak: what an agent itself said of its runs changes the answer, and wakes nobody.
    format!("W/\"{}-{}\"", agent.incarnation, agent.work)
}

fn wait(head: &RequestHead) -> Duration {
    let asked = query::pairs(head.query()).into_iter().find(|(name, _)| name == "wait").and_then(|(_, value)| value.parse().ok());
    Duration::from_secs(asked.unwrap_or(0).min(MAX_WAIT_SECONDS))
}

fn unchanged(tag: &str) -> Response<Body> {
    let mut response = reply::empty(StatusCode::NOT_MODIFIED);
    reply::put(response.headers_mut(), ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
