//! Restores: made, changed while they are being made, and looked at by users.

use super::agent_rows::agent_of;
use super::backups::view as backup_view;
use super::configurations::number_items;
use super::run_rows::{insert, new, report_of, run_of, run_to_change, runs_where, settings_of};
use super::{BackupView, Outcome, Refusal, Rows, agents, hold_all, json, next_id, restorable};
use crate::model::agent::Agent;
use crate::model::run::{RunKind, RunState};
use crate::model::run_record::{RestoreSettings, Run, RunReport};
use crate::model::selection::{Filter, Item, Selection};
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

/// What a user asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRestore {
    pub backup: i64,
    /// The agent that made the backup, or that has its vault now.
    pub source: i64,
    pub destination: i64,
    /// Absolute; empty for the original places.
    pub destination_path: String,
    pub overwrites: bool,
    pub datacenter: Option<String>,
}

/// What a user changes of one that was not started; `None` leaves as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RestoreChange {
    pub backup: Option<i64>,
    pub source: Option<i64>,
    pub destination: Option<i64>,
    pub configuration: Option<i64>,
    pub destination_path: Option<String>,
    pub overwrites: Option<bool>,
    pub datacenter: Option<String>,
}

/// A restore and what its representations show beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestoreView {
    pub run: Run,
    pub settings: RestoreSettings,
    pub backup: BackupView,
    pub destination: Agent,
    pub is_encrypted: bool,
}

impl Store {
    pub async fn create_restore(&self, tenant: &str, wanted: NewRestore) -> Result<Outcome<RestoreView>> {
        let (tenant, now, expiry) = (tenant.to_owned(), self.now(), self.expiry_time());
        self.write(move |connection| {
            hold_all(connection)?;
            let backup = match checked(connection, &tenant, &wanted, expiry)? {
                Ok(backup) => backup,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let mut run = new(next_id(connection)?, RunKind::Restore, &tenant, wanted.destination, RunState::Creating, now);
            (run.source, run.backup, run.configuration, run.attempt) = (backup.source, Some(backup.id), backup.configuration, 0);
            let settings = RestoreSettings {
                destination_path: wanted.destination_path.clone(),
                overwrites: wanted.overwrites,
                selection: Selection { inclusions: Vec::new(), exclusions: Vec::new() },
                carries_password: false,
                pinned: None,
            };
            insert(connection, &run, None, Some(json::restore_settings(&settings).to_string()))?;
            view(connection, run).map(Ok)
        })
        .await
    }

    pub async fn update_restore(&self, tenant: &str, id: i64, change: RestoreChange) -> Result<Outcome<()>> {
        let expiry = self.expiry_time();
        let owner = tenant.to_owned();
        self.change_creating(tenant, id, move |connection, run, settings| {
            let wanted = NewRestore {
                backup: change.backup.or(run.backup).unwrap_or(0),
                source: change.source.unwrap_or(run.source),
                destination: change.destination.unwrap_or(run.agent),
                destination_path: change.destination_path.clone().unwrap_or_else(|| settings.destination_path.clone()),
                overwrites: change.overwrites.unwrap_or(settings.overwrites),
                datacenter: change.datacenter.clone(),
            };
            let backup = match checked(connection, &owner, &wanted, expiry)? {
                Ok(backup) => backup,
                // Here an unknown id is not found.
                Err(Refusal::Forbidden(text)) => return Ok(Err(Refusal::NotFound(text))),
                Err(refusal) => return Ok(Err(refusal)),
            };
            if change.configuration.is_some_and(|id| backup.configuration != Some(id)) {
                return Ok(Err(Refusal::Invalid("BackupConfigurationId: the backup is of another one.".to_owned())));
            }
            let statement = "UPDATE runs SET agent = $2, source = $3, backup = $4, configuration = $5 WHERE id = $1";
            let values = [run.id.into(), wanted.destination.into(), backup.source.into(), backup.id.into(), backup.configuration.into()];
            connection.execute(statement, &values)?;
            settings.destination_path = wanted.destination_path;
            settings.overwrites = wanted.overwrites;
            Ok(Ok(()))
        })
        .await
    }

    /// Adds an item to the restore; the same path and filter again adds nothing. `replaces` takes the place of that entry.
    pub async fn add_restore_item(&self, tenant: &str, id: i64, filter: Filter, item: Item, replaces: Option<i64>) -> Result<Outcome<()>> {
        self.change_creating(tenant, id, move |connection, _, settings| {
            let mut selection = settings.selection.clone();
            if let Some(replaced) = replaces {
                selection.inclusions.retain(|item| item.file_id != replaced);
                selection.exclusions.retain(|item| item.file_id != replaced);
            }
            let list = match filter {
                Filter::Include => &mut selection.inclusions,
                Filter::Exclude => &mut selection.exclusions,
            };
            if list.iter().any(|known| known.path.is_same(&item.path)) {
                settings.selection = selection;
                return Ok(Ok(()));
            }
            let mut added = Selection { inclusions: vec![item.clone()], exclusions: Vec::new() };
            number_items(connection, &mut added)?;
            list.append(&mut added.inclusions);
            if let Err(error) = selection.check_restore() {
                return Ok(Err(Refusal::Invalid(error.to_string())));
            }
            settings.selection = selection;
            Ok(Ok(()))
        })
        .await
    }

    /// Takes a restore away, or one item of one that was not started: ids of both come from one sequence.
    pub async fn delete_restore(&self, tenant: &str, id: i64) -> Result<Outcome<()>> {
        let (tenant, now) = (tenant.to_owned(), self.now());
        self.write(move |connection| {
            if let Ok(run) = run_to_change(connection, &tenant, RunKind::Restore, id)? {
                if run.state.is_live() {
                    return Ok(Err(Refusal::Invalid(format!("Restore {id} is running: stop it first."))));
                }
                connection.execute("UPDATE runs SET deleted_at = $2 WHERE id = $1", &[id.into(), now.micros().into()])?;
                return Ok(Ok(()));
            }
            remove_item(connection, &tenant, id)
        })
        .await
    }

    pub async fn restore(&self, tenant: &str, id: i64) -> Result<Outcome<RestoreView>> {
        let tenant = tenant.to_owned();
        self.read(move |connection| match run_of(connection, &tenant, RunKind::Restore, id)? {
            Ok(run) => view(connection, run).map(Ok),
            Err(refusal) => Ok(Err(refusal)),
        })
        .await
    }

    pub async fn restore_report(&self, tenant: &str, id: i64) -> Result<Outcome<(RestoreView, RunReport)>> {
        let tenant = tenant.to_owned();
        self.read(move |connection| match run_of(connection, &tenant, RunKind::Restore, id)? {
            Ok(run) if run.state.is_final() => {
                let report = report_of(connection, id)?;
                Ok(Ok((view(connection, run)?, report)))
            }
            Ok(_) => Ok(Err(Refusal::NotFound(format!("Restore {id} has not ended, so it has no report yet.")))),
            Err(refusal) => Ok(Err(refusal)),
        })
        .await
    }

    /// Changes a restore that was never started.
    async fn change_creating<F>(&self, tenant: &str, id: i64, mut apply: F) -> Result<Outcome<()>>
    where
        F: FnMut(&mut dyn Connection, &Run, &mut RestoreSettings) -> Rows<Outcome<()>> + Send + 'static,
    {
        let tenant = tenant.to_owned();
        self.write(move |connection| {
            let run = match run_to_change(connection, &tenant, RunKind::Restore, id)? {
                Ok(run) if run.state == RunState::Creating => run,
                Ok(run) => {
                    let text = format!("Restore {id} is {}: it can be changed only before it is started.", run.state.as_str());
                    return Ok(Err(Refusal::Invalid(text)));
                }
                Err(refusal) => return Ok(Err(refusal)),
            };
            let mut settings = settings(connection, id)?;
            if let Err(refusal) = apply(connection, &run, &mut settings)? {
                return Ok(Err(refusal));
            }
            let values = [id.into(), json::restore_settings(&settings).to_string().into()];
            connection.execute("UPDATE runs SET settings = $2 WHERE id = $1", &values)?;
            Ok(Ok(()))
        })
        .await
    }
}

/// The backup, where this restore of it can be made.
fn checked(connection: &mut dyn Connection, tenant: &str, wanted: &NewRestore, expiry: restorable::ExpiryTime) -> Rows<Outcome<Run>> {
    let invalid = |text: String| Ok(Err(Refusal::Invalid(text)));
    let Ok(backup) = run_of(connection, tenant, RunKind::Backup, wanted.backup)? else {
        return Ok(Err(Refusal::Forbidden(format!("Backup {} is none of yours.", wanted.backup))));
    };
    if !restorable::is_restorable(connection, &backup, expiry)? {
        return invalid(format!("Backup {} cannot be restored.", backup.id));
    }
    if ![backup.source, backup.maker].contains(&wanted.source) {
        return invalid(format!("BackupMachineId: backup {} was not made by agent {}.", backup.id, wanted.source));
    }
    let destination = match agent_of(connection, tenant, wanted.destination)? {
        Ok(destination) => destination,
        Err(_) => return Ok(Err(Refusal::Forbidden(format!("Agent {} is none of yours.", wanted.destination)))),
    };
    if destination.is_disabled {
        return invalid(format!("Agent {} is disabled.", destination.id));
    }
    if wanted.destination_path.is_empty() && destination.id != backup.source {
        return invalid("On another machine a restore needs a DestinationPath.".to_owned());
    }
    let source = agents::known(connection, backup.source)?;
    match &wanted.datacenter {
        Some(datacenter) if !datacenter.eq_ignore_ascii_case(&source.datacenter) => {
            invalid(format!("BackupDataCenter: agent {} is in {}, not in {datacenter}.", source.id, source.datacenter))
        }
        _ => Ok(Ok(backup)),
    }
}

fn remove_item(connection: &mut dyn Connection, tenant: &str, id: i64) -> Rows<Outcome<()>> {
    let not_found = || Ok(Err(Refusal::NotFound(format!("There is neither a restore {id} nor a file {id} of one."))));
    for run in runs_where(connection, "tenant = $1 AND kind = 'Restore' AND deleted_at IS NULL", &[tenant.into()])? {
        let mut settings = settings(connection, run.id)?;
        let count = |selection: &Selection| selection.inclusions.len() + selection.exclusions.len();
        let before = count(&settings.selection);
        settings.selection.inclusions.retain(|item| item.file_id != id);
        settings.selection.exclusions.retain(|item| item.file_id != id);
        if count(&settings.selection) == before {
            continue;
        }
        if run.state != RunState::Creating {
            return Ok(Err(Refusal::Invalid(format!("Restore {} was started: its files stay as they are.", run.id))));
        }
        let values = [run.id.into(), json::restore_settings(&settings).to_string().into()];
        connection.execute("UPDATE runs SET settings = $2 WHERE id = $1", &values)?;
        return Ok(Ok(()));
    }
    not_found()
}

pub(super) fn settings(connection: &mut dyn Connection, id: i64) -> Rows<RestoreSettings> {
    let text = settings_of(connection, id)?.ok_or_else(|| json::broken("a restore"))?;
    json::read_restore_settings(&text)
}

fn view(connection: &mut dyn Connection, run: Run) -> Rows<RestoreView> {
    let backup = runs_where(connection, "id = $1", &[run.backup.unwrap_or(0).into()])?.pop().ok_or_else(|| json::broken("a restore"))?;
    let backup = backup_view(connection, backup)?;
    let destination = agents::known(connection, run.agent)?;
    Ok(RestoreView { settings: settings(connection, run.id)?, is_encrypted: backup.is_encrypted, backup, destination, run })
}
