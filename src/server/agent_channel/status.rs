//! `GET status`: how the agent's machine is backed up, for whoever asks at that machine.

use super::{Answer, caller, json};
use crate::server::request::RequestHead;
use crate::wire::channel::status::Status;

/// Asked beside the agent's process, if there is any: it is no sign that one lives.
pub async fn show(head: &RequestHead) -> Answer {
    let agent = caller::beside(head).await?;
    Ok(json(&Status::of(&head.context.store.agent_status(agent.id).await?)))
}
