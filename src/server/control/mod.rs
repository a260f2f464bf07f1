//! The Cloud Backup API v1.0: agents, backup configurations, backups, restores, activity.
//!
//! A request is told who it is from (`token_auth`), which call it is (`operation`) and whether its caller may make it, in this order;
//! then one function answers it. Everything else here is one file for each kind of thing.

mod activity;
mod agents;
mod backups;
mod cleanups;
mod configurations;
pub mod operation;
mod passwords;
mod restores;

use http::{Response, StatusCode};
use serde::Serialize;

use super::fault::{self, ApiFault};
use super::json_body;
use super::reply::{self, Body};
use super::request::RequestHead;
use super::request_body::RequestBody;
use super::token_auth::{self, Caller};
use super::versions;
use crate::store::fleet::{Outcome, Refusal};
use crate::wire::error::WireError;
use crate::wire::fields::Fields;
use crate::wire::json::to_json;
use operation::{Miss, Operation, split};

pub use agents::known_datacenter;

/// Why a call was refused, where 403 stands for what other calls say with 404.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unknown {
    NotFound,
    Forbidden,
}

type Answer = Result<Response<Body>, ApiFault>;

/// A call whose caller may make it.
struct Call<'a> {
    head: &'a RequestHead,
    caller: Caller,
    body: Vec<u8>,
}

/// Answers one request; never fails: what goes wrong is an answer, too.
pub async fn answer(head: &RequestHead, body: &mut RequestBody) -> Response<Body> {
    answered(head, body).await.unwrap_or_else(ApiFault::into_response)
}

async fn answered(head: &RequestHead, body: &mut RequestBody) -> Answer {
    let path = head.path().strip_prefix("/v1.0/").unwrap_or_default();
    let (tenant, segments) = split(path);
    if let ["help", which] = segments[..] {
        return help(head, which).await;
    }
    let caller = token_auth::caller(head).await?;
    if tenant.is_some_and(|tenant| tenant != caller.tenant.as_str()) {
        return Err(ApiFault::forbidden("The tenant in the URL is not the token's."));
    }
    if segments.is_empty() {
        return Ok(versions::version(head));
    }
    let operation = Operation::of(head.method(), &segments).map_err(missed)?;
    if caller.rights < operation.rights() {
        return Err(ApiFault::forbidden("None of your roles allows this."));
    }
    let body = json_body::read(head, body).await?;
    Box::pin(Call { head, caller, body }.run(operation)).await
}

fn missed(miss: Miss) -> ApiFault {
    match miss {
        Miss::NoPath => ApiFault::no_path(),
        Miss::BadMethod(allow) => ApiFault::bad_method(allow),
        Miss::NotBuilt => ApiFault::not_implemented("This server has no such call."),
    }
}

/// Liveness, and whether what the server stands on answers.
async fn help(head: &RequestHead, which: &str) -> Answer {
    if head.method() != http::Method::GET {
        return Err(ApiFault::bad_method("GET"));
    }
    match which {
        "apihealth" => Ok(empty(StatusCode::OK)),
        "health" => {
            let health = head.context.store.health().await;
            match health.catalog_down.or(health.disk_down) {
                None => Ok(empty(StatusCode::OK)),
                Some(why) => Err(ApiFault::unavailable(why)),
            }
        }
        _ => Err(ApiFault::no_path()),
    }
}

impl Call<'_> {
    async fn run(&self, operation: Operation) -> Answer {
        use Operation as O;
        match operation {
            O::ShowAgent(id) => self.show_agent(id).await,
            O::ShowAgentOfHost(host) => self.show_agent_of_host(&host).await,
            O::ListAgents => self.list_agents().await,
            O::EnableAgent => self.enable_agent().await,
            O::DeleteAgent => self.delete_agent().await,
            O::DeleteAgentById(id) => self.delete_agent_by_id(id).await,
            O::MigrateVault => self.migrate_vault().await,
            O::ChangeBehavior(id) => self.change_behavior(id).await,
            O::ChangeLogLevel => self.change_log_level().await,
            O::ShowLogLevel(id) => self.show_log_level(id).await,
            O::WakeAgents => self.wake_agents().await,
            O::EncryptAgent => self.encrypt_agent().await,
            O::ChangeEncryption => self.change_encryption().await,
            O::VerifyPassword => self.verify_password().await,
            O::CreateConfiguration => self.create_configuration().await,
            O::UpdateConfiguration(id) => self.update_configuration(id).await,
            O::ShowConfiguration(id) => self.show_configuration(id).await,
            O::ListConfigurations => self.list_configurations(None).await,
            O::ListConfigurationsOfAgent(agent) => self.list_configurations(Some(agent)).await,
            O::EnableConfiguration(id) => self.enable_configuration(id).await,
            O::DeleteConfiguration(id) => self.delete_configuration(id).await,
            O::RequestBackupAction => self.request_backup_action().await,
            O::ShowBackup(id) => self.show_backup(id).await,
            O::ListCompletedBackups(id) => self.list_completed_backups(id).await,
            O::ShowBackupReport(id) => self.show_backup_report(id).await,
            O::ListRestorePoints => self.list_restore_points().await,
            O::CreateRestore(backup) => self.create_restore(backup).await,
            O::UpdateRestore => self.update_restore().await,
            O::AddRestoreFile => self.add_restore_file().await,
            O::ListRestoreFiles(id) => self.list_restore_files(id).await,
            O::DeleteRestore(id) => self.delete_restore(id).await,
            O::RequestRestoreAction => self.request_restore_action().await,
            O::ShowRestore(id) => self.show_restore(id).await,
            O::ShowRestoreReport(id) => self.show_restore_report(id).await,
            O::ListActivity => self.list_activity(None).await,
            O::ListActivityOfAgent(agent) => self.list_activity(Some(agent)).await,
            O::StartCleanup => self.start_cleanup().await,
            O::ShowCleanupReport(id) => self.show_cleanup_report(id).await,
        }
    }

    fn store(&self) -> &crate::store::Store {
        &self.head.context.store
    }

    fn tenant(&self) -> &str {
        self.caller.tenant.as_str()
    }

    /// The members of the body.
    fn fields(&self) -> Result<Fields, ApiFault> {
        Fields::parse(&self.body).map_err(invalid)
    }
}

/// What the rules allowed, or their refusal as an answer.
fn judged<T>(outcome: Outcome<T>, unknown: Unknown) -> Result<T, ApiFault> {
    outcome.map_err(|refusal| match (refusal, unknown) {
        (Refusal::NotFound(text), Unknown::NotFound) => ApiFault::not_found(text),
        (Refusal::NotFound(text) | Refusal::Forbidden(text), _) => ApiFault::forbidden(text),
        (Refusal::Invalid(text), _) => ApiFault::bad_request(text),
        (Refusal::Conflict(text), _) => ApiFault::conflict(text),
        (Refusal::TooLarge(text), _) => ApiFault::new(crate::wire::fault::FaultKind::OverLimit, text),
        (Refusal::TooOften(text, seconds), _) => ApiFault::too_often(text, seconds),
    })
}

fn invalid(error: WireError) -> ApiFault {
    ApiFault::bad_request(error.message)
}

fn json(value: &impl Serialize) -> Response<Body> {
    fault::json(StatusCode::OK, to_json(value))
}

/// No body, and for all but 204 a `Content-Length` that says so.
fn empty(status: StatusCode) -> Response<Body> {
    let mut response = reply::empty(status);
    response.headers_mut().insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}
