//! Which agent is calling, and whether this process of it is the newest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::model::access::SecretHash;
use crate::model::agent::Agent;
use crate::model::digest::Sha256Digest;
use crate::server::admission::is_of_agent;
use crate::server::fault::ApiFault;
use crate::server::request::RequestHead;
use crate::store::fleet::startup::AgentKey;
use crate::wire::fault::FaultKind;

/// An agent's key: 32 random bytes.
const KEY_BYTES: usize = 32;
const INCARNATION: &str = "strongroom-incarnation";
const OLDER_CATALOG: &str = "This server's catalog is older than this process of the agent: POST startup tells it what it has forgotten.";

/// The agent of the key that was sent. Unknown keys are 401, and slowed down as wrong passwords are; a deleted agent is 410 with its id.
pub async fn agent(head: &RequestHead) -> Result<Agent, ApiFault> {
    let Some(key) = key(head.headers()) else { return Err(refused(head)) };
    let found = head.context.store.agent_of_key(&key).await?;
    admitted(head, found)
}

/// The same, of a call that comes beside the agent's own process: it does not say that there is one.
pub async fn beside(head: &RequestHead) -> Result<Agent, ApiFault> {
    let Some(key) = key(head.headers()) else { return Err(refused(head)) };
    let found = head.context.store.owner_of_key(&key).await?;
    admitted(head, found)
}

fn admitted(head: &RequestHead, found: AgentKey) -> Result<Agent, ApiFault> {
    match found {
        AgentKey::Open(agent) => {
            is_of_agent();
            Ok(*agent)
        }
        AgentKey::Deleted(id) => Err(ApiFault::new(FaultKind::Gone, format!("Agent {id} was deleted.")).with_details(id.to_string())),
        AgentKey::Unknown => Err(refused(head)),
    }
}

/// The same, where the call is of the newest process of the agent; 409 tells an older one to end.
pub async fn newest(head: &RequestHead) -> Result<Agent, ApiFault> {
    let agent = not_older(head).await?;
    // Who asks comes first: a stranger hears 401.
    let is_told = head.headers().contains_key(INCARNATION);
    is_told.then_some(agent).ok_or_else(|| ApiFault::bad_request("Strongroom-Incarnation is missing: POST startup tells it."))
}

/// The same for calls that may do without the number: what only knows the repository API does not send it. A number that is still to come
/// is no newer process's work: the catalog was replaced by one of before, so the caller hears 503 until it has started up anew.
pub async fn not_older(head: &RequestHead) -> Result<Agent, ApiFault> {
    let agent = agent(head).await?;
    let Some(line) = head.headers().get(INCARNATION) else { return Ok(agent) };
    let sent: Option<i64> = line.to_str().ok().and_then(|text| text.parse().ok());
    match sent {
        Some(sent) if sent == agent.incarnation => Ok(agent),
        Some(sent) if sent > agent.incarnation => Err(ApiFault::new(FaultKind::ServiceUnavailable, OLDER_CATALOG).retry_after(1)),
        _ => Err(ApiFault::conflict("Another process of this agent was started since.")),
    }
}

fn key(headers: &HeaderMap) -> Option<SecretHash> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let line = lines.next()?.to_str().ok()?;
    let (scheme, key) = line.split_once(' ')?;
    let bytes = STANDARD.decode(key.trim()).ok()?;
    let fits = lines.next().is_none() && scheme.eq_ignore_ascii_case("Bearer") && bytes.len() == KEY_BYTES;
    fits.then(|| SecretHash::from_digest(Sha256Digest::of(&bytes)))
}

fn refused(head: &RequestHead) -> ApiFault {
    let wait = head.context.throttle.failed(head.peer.address);
    if let Some(wait) = wait {
        head.context.metrics.throttled_logins.inc();
        return ApiFault::too_often("Too many wrong keys came from your address.", wait.as_secs() + 1);
    }
    ApiFault::unauthorized("This agent's key is not known here. It may be the wrong server, or one whose catalog is older.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_after_bearer() {
        let found = |line: &str| key(&[(AUTHORIZATION, line.parse().expect("a header"))].into_iter().collect()).is_some();
        let good = STANDARD.encode([7; 32]);
        assert!(found(&format!("Bearer {good}")) && found(&format!("bearer {good}")));
        assert!(
            !found(&good)
                && !found(&format!("Basic {good}"))
                && !found("Bearer x")
                && !found(&format!("Bearer {}", STANDARD.encode([7; 31])))
        );
    }
}
