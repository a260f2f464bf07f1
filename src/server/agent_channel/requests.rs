//! `POST requests/GUID` and `POST generations/N`: what became of a passphrase, and that a repository is made.

use http::StatusCode;
use serde::Deserialize;

use super::{Answer, caller, judged, read};
use crate::server::reply;
use crate::server::request::RequestHead;
use crate::server::request_body::RequestBody;
use crate::store::fleet::requests::RequestOutcome;

#[derive(Deserialize)]
struct Outcome {
    outcome: Word,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Taken,
    Succeeded,
    Failed,
}

pub async fn report(head: &RequestHead, guid: &str, body: &mut RequestBody) -> Answer {
    let agent = caller::newest(head).await?;
    let outcome = match read::<Outcome>(head, body).await?.outcome {
        Word::Taken => RequestOutcome::Taken,
        Word::Succeeded => RequestOutcome::Succeeded,
        Word::Failed => RequestOutcome::Failed,
    };
    judged(head.context.store.note_request(agent.id, guid, outcome).await?)?;
    // Who asked was noted under the agent's number when it was asked.
    let (agent, address) = (agent.id, head.peer.address);
    tracing::info!(target: "strongroom::audit", agent, guid, ?outcome, %address, "an agent said what became of a request");
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

pub async fn report_generation(head: &RequestHead, number: i64) -> Answer {
    let agent = caller::newest(head).await?;
    judged(head.context.store.note_generation(agent.id, number).await?)?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
