//! The repository API for agents: on the vault that is the agent's now, and, for a restore, on its source's vault as it stood when the
//! restore was accepted. No access URL is stored anywhere, so giving a vault away or closing it holds from the next request on.

use http::{Method, Response, StatusCode, Uri};

use super::{Answer, caller};
use crate::model::access::AccountId;
use crate::model::account::Kind;
use crate::model::agent::Agent;
use crate::model::file_name::FileName;
use crate::model::repository::{FileType, RepositoryPath};
use crate::server::error::ApiError;
use crate::server::fault::ApiFault;
use crate::server::headers::accept::error_form;
use crate::server::operation::allowed;
use crate::server::reply::{self, Body};
use crate::server::repository;
use crate::server::request::RequestHead;
use crate::server::request_body::RequestBody;
use crate::store::fleet::DeleteVerdict;
use crate::store::visit::{Asked, Visit};

/// `/agent/v1/vault/gN/…`
pub async fn own(head: &RequestHead, body: &mut RequestBody) -> Answer {
    let agent = caller::not_older(head).await?;
    let inner = within(head, head.path().strip_prefix("/agent/v1/vault").unwrap_or_default())?;
    let visit = visit(&inner, &agent.account).await?;
    Ok(shown(&inner, Box::pin(operate(&inner, &agent, visit, body)).await))
}

/// `/agent/v1/restores/ID/vault/gN/…`; `rest` begins with the id.
pub async fn of_restore(head: &RequestHead, rest: &str, body: &mut RequestBody) -> Answer {
    let agent = caller::not_older(head).await?;
    let (id, path) = rest.split_once('/').ok_or_else(ApiFault::no_path)?;
    let path = path.strip_prefix("vault").filter(|path| path.starts_with('/')).ok_or_else(ApiFault::no_path)?;
    let pinned = head.context.store.pinned_vault(agent.id, super::id(id)?).await?;
    let pinned = pinned.ok_or_else(|| ApiFault::not_found(format!("Restore {id} is none that this agent has under way.")))?;
    repository_of(path)?;
    let mut inner = within_checked(head, &format!("/@{}{path}", pinned.at.rfc3339_micros()))?;
    inner.parts.extensions.insert(repository::Pinned);
    let account: AccountId = pinned.account.parse().map_err(|_| ApiFault::no_path())?;
    let visit = visit(&inner, &account).await?;
    let outcome = match *inner.method() {
        Method::GET | Method::HEAD => Box::pin(repository::read(&inner, visit)).await,
        // Locks are taken and not kept: nothing can take a byte from under a pinned view.
        Method::POST => Box::pin(repository::post(&inner, visit, body)).await,
        Method::DELETE => repository::delete(&inner, &visit.account).await,
        _ => Err(ApiError::not_allowed("GET, HEAD", "A restore only reads.")),
    };
    Ok(shown(&inner, outcome))
}

async fn operate(head: &RequestHead, agent: &Agent, visit: Visit, body: &mut RequestBody) -> Result<Response<Body>, ApiError> {
    match *head.method() {
        Method::GET | Method::HEAD => repository::read(head, visit).await,
        Method::POST => {
            let visit = if may_pass_quota(head, agent, &visit).await? { visit.passing_quota() } else { visit };
            repository::post(head, visit, body).await
        }
        Method::DELETE => {
            may_delete(head, agent).await?;
            repository::delete(head, &visit.account).await
        }
        Method::OPTIONS => Ok(reply::options(allowed(head.path(), Kind::Vault))),
        _ => Err(ApiError::not_allowed(allowed(head.path(), Kind::Vault), "This method does nothing in a vault.")),
    }
}

/// What completes a backup whose bytes are there, and what a cleanup packs anew before it deletes.
async fn may_pass_quota(head: &RequestHead, agent: &Agent, visit: &Visit) -> Result<bool, ApiError> {
    if visit.account.quota_bytes.is_none() {
        return Ok(false);
    }
    let completes = matches!(
        RepositoryPath::parse(head.path()),
        Some(RepositoryPath::File(_, FileType::Index | FileType::Snapshots | FileType::Keys, _))
    );
    let failed = |error| ApiError::from_store(error, head.context.store.now());
    Ok(completes || head.context.store.is_cleaning(agent.id).await.map_err(failed)?)
}

async fn may_delete(head: &RequestHead, agent: &Agent) -> Result<(), ApiError> {
    let (Some(path), Ok(name)) = (RepositoryPath::parse(head.path()), FileName::from_url_path(head.path())) else { return Ok(()) };
    let verdict = head.context.store.judge_delete(agent, &path, &name).await;
    let text = match verdict.map_err(|error| ApiError::from_store(error, head.context.store.now()))? {
        DeleteVerdict::Allowed => return Ok(()),
        DeleteVerdict::NothingOrdered => "An agent deletes nothing of its vault unless a cleanup that the server ordered is under way.",
        DeleteVerdict::Never => "This is never deleted, or the cleanup was not told to forget it.",
        DeleteVerdict::Halted => crate::wire::channel::CLEANUP_IS_HALTED,
    };
    Err(ApiError::new(StatusCode::FORBIDDEN, text))
}

/// The same request as the account itself would send it, for a path below a repository of ours.
fn within(head: &RequestHead, path: &str) -> Result<RequestHead, ApiFault> {
    repository_of(path)?;
    within_checked(head, path)
}

fn within_checked(head: &RequestHead, path: &str) -> Result<RequestHead, ApiFault> {
    let mut parts = head.parts.clone();
    let query = head.parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    parts.uri = Uri::try_from(format!("{path}{query}")).map_err(|_| ApiFault::no_path())?;
    Ok(RequestHead { context: head.context.clone(), peer: head.peer, parts })
}

/// The generation that a path begins with.
fn repository_of(path: &str) -> Result<i64, ApiFault> {
    let (first, _) = path.strip_prefix('/').and_then(|rest| rest.split_once('/')).ok_or_else(ApiFault::no_path)?;
    let number = first.strip_prefix('g').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    number.and_then(|digits| digits.parse().ok()).filter(|number| *number > 0).ok_or_else(ApiFault::no_path)
}

async fn visit(head: &RequestHead, account: &AccountId) -> Result<Visit, ApiFault> {
    let asked = match (head.method(), FileName::from_url_path(head.path())) {
        (&Method::GET, Ok(name)) => Asked::File(name),
        (&Method::HEAD | &Method::POST, Ok(name)) => Asked::Row(name),
        _ => Asked::Nothing,
    };
    let found = head.context.store.visit(account, asked, |_| true).await?;
    found.ok_or_else(|| ApiFault::not_found("The vault is not there."))
}

fn shown(head: &RequestHead, outcome: Result<Response<Body>, ApiError>) -> Response<Body> {
    outcome.unwrap_or_else(|error| {
        error.log();
        error.into_response(error_form(head.headers()), None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_reaches_its_generations_and_nothing_else_of_the_account() {
        for (path, expected) in [("/g1/config", Some(1)), ("/g12/data/x", Some(12))] {
            assert_eq!(repository_of(path).ok(), expected, "{path}");
        }
        for path in
            ["", "/", "/g1", "/config", "/g0/config", "/g/config", "/gx/config", "/@2026-11-20/g1/config", "/g+1/config", "//g1/config"]
        {
            assert!(repository_of(path).is_err(), "{path}");
        }
    }
}
