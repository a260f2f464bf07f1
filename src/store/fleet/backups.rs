//! Backups, as users start, stop and look at them.

use super::agent_rows::any_agent;
use super::configuration_rows::{configuration_of, configurations_where};
use super::ending::{ended, finish, stop};
use super::run_rows::{insert, new, report_of, run_of, run_to_change, runs_where, settings_of};
use super::{Outcome, Refusal, Rows, agents, json, next_id, restorable, wants};
use crate::model::agent::Agent;
use crate::model::configuration::BackupConfiguration;
use crate::model::instant::Instant;
use crate::model::run::{RunKind, RunState};
use crate::model::run_record::{Run, RunReport};
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

/// A backup and what its representations show beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackupView {
    pub run: Run,
    pub agent: Agent,
    /// As it was when the agent took the run, or is.
    pub configuration_name: String,
    pub machine_name: String,
    pub configuration_is_deleted: bool,
    pub is_encrypted: bool,
}

/// The newest backup of a configuration that can be restored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestorePoint {
    pub configuration: BackupConfiguration,
    pub agent: Agent,
    pub backup: i64,
    pub completed_at: Instant,
    pub is_encrypted: bool,
}

impl Store {
    /// Makes a run of the configuration: waiting, or `Skipped` where one is waiting already. Returns its id.
    pub async fn start_backup(&self, tenant: &str, configuration: i64) -> Result<Outcome<i64>> {
        let (tenant, times) = (tenant.to_owned(), self.times());
        self.write(move |connection| {
            let known = match configuration_of(connection, &tenant, configuration)? {
                Ok(known) => known,
                Err(refusal) => return Ok(Err(refusal)),
            };
            wants(connection, known.agent)?;
            let known = match configuration_of(connection, &tenant, configuration)? {
                Ok(known) if known.deleted_at.is_none() => known,
                _ => return Ok(Err(Refusal::no_configuration(configuration))),
            };
            let agent = agents::known(connection, known.agent)?;
            if !known.settings.is_active {
                return Ok(Err(Refusal::Invalid(format!("Backup configuration {configuration} is not active."))));
            }
            if agent.is_disabled {
                return Ok(Err(Refusal::Invalid(format!("Agent {} is disabled.", agent.id))));
            }
            let mut run = new(next_id(connection)?, RunKind::Backup, &tenant, known.agent, RunState::StartRequested, times.now);
            run.configuration = Some(configuration);
            let is_waiting = is_waiting(connection, configuration)?;
            insert(connection, &run, None, None)?;
            if is_waiting {
                finish(connection, &mut run, RunState::Skipped, &ended("Skipped", ANOTHER_WAITS), times)?;
            }
            Ok(Ok(run.id))
        })
        .await
    }

    /// A backup that its agent has not taken is stopped at once. Again while it is being stopped: the same.
    pub async fn stop_backup(&self, tenant: &str, id: i64) -> Result<Outcome<()>> {
        let (tenant, times) = (tenant.to_owned(), self.times());
        self.write(move |connection| {
            let mut run = match run_to_change(connection, &tenant, RunKind::Backup, id)? {
                Ok(run) => run,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if run.state.is_final() {
                return Ok(Err(Refusal::Invalid(format!("Backup {id} is {}.", run.state.as_str()))));
            }
            stop(connection, &mut run, times, "A user stopped it before the agent began.")?;
            Ok(Ok(()))
        })
        .await
    }

    pub async fn backup(&self, tenant: &str, id: i64) -> Result<Outcome<BackupView>> {
        let tenant = tenant.to_owned();
        self.read(move |connection| match run_of(connection, &tenant, RunKind::Backup, id)? {
            Ok(run) => view(connection, run).map(Ok),
            Err(refusal) => Ok(Err(refusal)),
        })
        .await
    }

    /// The report of a backup that has ended, and whether it can be restored now.
    pub async fn backup_report(&self, tenant: &str, id: i64) -> Result<Outcome<(BackupView, RunReport, bool)>> {
        let (tenant, now) = (tenant.to_owned(), self.expiry_time());
        self.read(move |connection| {
            let run = match run_of(connection, &tenant, RunKind::Backup, id)? {
                Ok(run) if run.state.is_final() => run,
                Ok(_) => return Ok(Err(Refusal::NotFound(format!("Backup {id} has not ended, so it has no report yet.")))),
                Err(refusal) => return Ok(Err(refusal)),
            };
            let can_restore = restorable::is_restorable(connection, &run, now)?;
            let report = report_of(connection, id)?;
            Ok(Ok((view(connection, run)?, report, can_restore)))
        })
        .await
    }

    /// Backups of the configuration that can be restored, newest first; none of one that was deleted.
    pub async fn completed_backups(&self, tenant: &str, configuration: i64) -> Result<Outcome<Vec<BackupView>>> {
        let (tenant, now) = (tenant.to_owned(), self.expiry_time());
        self.read(move |connection| {
            let known = match configuration_of(connection, &tenant, configuration)? {
                Ok(known) => known,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if known.deleted_at.is_some() && !known.keeps_backups {
                return Ok(Ok(Vec::new()));
            }
            let found = restorable::of_configuration(connection, configuration, known.settings.retention, now)?;
            found.into_iter().map(|run| view(connection, run)).collect::<Rows<_>>().map(Ok)
        })
        .await
    }

    /// One entry for each configuration that has something to restore, newest first.
    pub async fn restore_points(&self, tenant: &str) -> Result<Vec<RestorePoint>> {
        let tenant = tenant.to_owned();
        self.read(move |connection| {
            let kept = "tenant = $1 AND (deleted_at IS NULL OR keeps_backups = 1) ORDER BY id";
            let mut points = Vec::new();
            for configuration in configurations_where(connection, kept, &[tenant.as_str().into()])? {
                let Some((backup, completed_at)) = restorable::newest(connection, configuration.id)? else { continue };
                let run = runs_where(connection, "id = $1", &[backup.into()])?.pop().ok_or_else(|| json::broken("a backup"))?;
                let agent = agents::known(connection, run.source)?;
                let is_encrypted = is_encrypted(connection, &run, &agent)?;
                points.push(RestorePoint { configuration, agent, backup, completed_at, is_encrypted });
            }
            points.sort_by_key(|point| std::cmp::Reverse((point.completed_at, point.backup)));
            Ok(points)
        })
        .await
    }
}

const ANOTHER_WAITS: &str = "Another backup of this configuration was waiting already.";

/// Whether a run of the configuration waits for its turn.
pub(super) fn is_waiting(connection: &mut dyn Connection, configuration: i64) -> Rows<bool> {
    let statement = "SELECT id FROM runs WHERE configuration = $1 AND kind = 'Backup' AND live = 1 \
                     AND state IN ('StartRequested', 'StartScheduled', 'Queued') LIMIT 1";
    Ok(!connection.query(statement, &[configuration.into()])?.is_empty())
}

/// Whether only the user's passphrase opens what this backup stored; before there is anything, what it will be.
pub(super) fn is_encrypted(connection: &mut dyn Connection, run: &Run, agent: &Agent) -> Rows<bool> {
    let Some(generation) = run.generation else { return agents::is_encrypted(connection, &agent.account) };
    let statement = "SELECT encrypted FROM generations WHERE account = $1 AND number = $2";
    let rows = connection.query(statement, &[agent.account.as_str().into(), generation.into()])?;
    rows.first().map_or(Ok(false), |row| Ok(row.int(0)? != 0))
}

pub(super) fn view(connection: &mut dyn Connection, run: Run) -> Rows<BackupView> {
    let agent = any_agent(connection, run.source)?.ok_or_else(|| json::broken("the agent of a backup"))?;
    let frozen = settings_of(connection, run.id)?.map(|text| json::parse(&text)).transpose()?;
    let configuration = configurations_where(connection, "id = $1", &[run.configuration.unwrap_or(0).into()])?.pop();
    let name_of = |field: &str| frozen.as_ref().and_then(|settings| settings[field].as_str()).map(str::to_owned);
    let configuration_name =
        name_of("name").or_else(|| configuration.as_ref().map(|known| known.settings.name.clone())).unwrap_or_default();
    let machine_name = name_of("machine_name").unwrap_or_else(|| agent.facts.machine_name.clone());
    let configuration_is_deleted = configuration.is_none_or(|known| known.deleted_at.is_some());
    let is_encrypted = is_encrypted(connection, &run, &agent)?;
    Ok(BackupView { run, agent, configuration_name, machine_name, configuration_is_deleted, is_encrypted })
}
