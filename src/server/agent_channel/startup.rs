//! `POST startup`: a process of an agent begins.

use super::register::fingerprint;
use super::{Answer, caller, json, judged, read};
use crate::model::view::parse_time;
use crate::server::fault::ApiFault;
use crate::server::request::RequestHead;
use crate::server::request_body::RequestBody;
use crate::store::fleet::startup::{KnownSnapshot, Startup};
use crate::wire::channel::startup::{Snapshot, Started, Startup as Sent};

pub async fn start(head: &RequestHead, body: &mut RequestBody) -> Answer {
    let agent = caller::agent(head).await?;
    let sent: Sent = read(head, body).await?;
    let snapshot = |known: Snapshot| {
        let taken_at =
            parse_time(&known.time).ok_or_else(|| ApiFault::bad_request("The time of a snapshot is no RFC 3339 time in UTC."))?;
        Ok(KnownSnapshot {
            name: format!("/{}", known.name.trim_start_matches('/')),
            backup: known.backup_id,
            configuration: known.configuration_id,
            taken_at,
        })
    };
    let startup = Startup {
        facts: sent.facts.into_model(),
        fingerprint: fingerprint(&sent.fingerprint)?,
        highest_run: sent.highest_run_id.clamp(0, i64::from(i32::MAX) / 2),
        snapshots: sent.snapshots.into_iter().map(snapshot).collect::<Result<_, ApiFault>>()?,
    };
    let incarnation = judged(head.context.store.start_agent(agent.id, startup).await?)?;
    Ok(json(&Started { agent_id: agent.id, incarnation, time: head.context.store.now().rfc3339() }))
}
