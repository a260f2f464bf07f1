//! All that is wanted of an agent now: a state that it asks for again and again, so that nothing can be lost or done twice.

use super::agents;
use super::configuration_rows::configurations_where;
use super::requests::open_requests;
use super::restores::settings as restore_settings;
use super::run_rows::{runs_where, settings_of};
use super::{Rows, json};
use crate::model::run::{RunKind, RunState};
use crate::model::run_record::Run;
use crate::model::work::{Generation, Job, VaultView, Wanted, WantedRun};
use crate::store::catalog::{Connection, Row};
use crate::store::{Result, Store};

impl Store {
    /// Everything at one moment. An agent that is disabled is asked for nothing new.
    pub async fn work_of(&self, agent: i64) -> Result<Wanted> {
        self.read(move |connection| {
            // The number first: what changes meanwhile is asked for again.
            let agent = agents::known(connection, agent)?;
            let mut runs = Vec::new();
            for run in runs_where(connection, "agent = $1 AND live = 1 ORDER BY id", &[agent.id.into()])? {
                if !agent.is_disabled || run.state.is_taken() {
                    runs.push(wanted_run(connection, &run)?);
                }
            }
            let requests = open_requests(connection, agent.id)?;
            let vault = vault_view(connection, agent.account.as_str())?;
            Ok(Wanted { agent, vault, runs, requests })
        })
        .await
    }

    /// Which of these agents have something new: those whose number is beyond `since`, with their numbers, and the highest of all.
    pub async fn work_since(&self, since: i64) -> Result<Vec<(i64, i64)>> {
        self.read(move |connection| {
            let rows = connection.query("SELECT id, work FROM agents WHERE work > $1 ORDER BY work", &[since.into()])?;
            rows.iter().map(|row: &Row| Ok((row.int(0)?, row.int(1)?))).collect()
        })
        .await
    }
}

/// The repositories of a vault account.
pub(super) fn vault_view(connection: &mut dyn Connection, account: &str) -> Rows<VaultView> {
    let rows =
        connection.query("SELECT number, encrypted, ready_at FROM generations WHERE account = $1 ORDER BY number", &[account.into()])?;
    let generation =
        |row: &Row| Ok(Generation { number: row.int(0)?, is_encrypted: row.int(1)? != 0, is_ready: row.optional_int(2)?.is_some() });
    Ok(VaultView { account: account.to_owned(), generations: rows.iter().map(generation).collect::<Rows<_>>()? })
}

/// A live run as its agent sees it. One that was not taken shows its configuration as it is now.
pub(super) fn wanted_run(connection: &mut dyn Connection, run: &Run) -> Rows<WantedRun> {
    let job = match run.kind {
        RunKind::Backup => backup(connection, run)?,
        RunKind::Restore => restore(connection, run)?,
        RunKind::Cleanup => cleanup(connection, run)?,
    };
    Ok(WantedRun { id: run.id, kind: run.kind, attempt: run.attempt, state: run.state, job })
}

fn backup(connection: &mut dyn Connection, run: &Run) -> Rows<Job> {
    let configuration = run.configuration.ok_or_else(|| json::broken("a backup"))?;
    let frozen = match settings_of(connection, run.id)? {
        Some(text) => json::parse(&text)?,
        None => {
            let known = configurations_where(connection, "id = $1", &[configuration.into()])?.pop();
            let known = known.ok_or_else(|| json::broken("the configuration of a run"))?;
            json::backup_settings(&known, &agents::known(connection, run.agent)?.facts.machine_name)
        }
    };
    let text = |field: &str| frozen[field].as_str().unwrap_or_default().to_owned();
    Ok(Job::Backup {
        configuration,
        name: text("name"),
        is_scheduled: run.due_at.is_some(),
        prescript: text("prescript"),
        postscript: text("postscript"),
        selection: json::read_selection(&frozen["selection"])?,
        parent: parent(connection, configuration)?,
    })
}

/// The snapshot that unchanged files are compared with.
fn parent(connection: &mut dyn Connection, configuration: i64) -> Rows<Option<String>> {
    let Some((newest, _)) = super::restorable::newest(connection, configuration)? else { return Ok(None) };
    Ok(runs_where(connection, "id = $1", &[newest.into()])?.pop().and_then(|run| run.snapshot))
}

fn restore(connection: &mut dyn Connection, run: &Run) -> Rows<Job> {
    let settings = restore_settings(connection, run.id)?;
    let backup = runs_where(connection, "id = $1", &[run.backup.unwrap_or(0).into()])?.pop();
    let backup = backup.ok_or_else(|| json::broken("the backup of a restore"))?;
    let pinned = settings.pinned.ok_or_else(|| json::broken("a restore that was started"))?;
    let kept = connection.query("SELECT ciphertext FROM runs WHERE id = $1 AND ciphertext IS NOT NULL", &[run.id.into()])?;
    Ok(Job::Restore {
        backup: backup.id,
        snapshot: backup.snapshot.ok_or_else(|| json::broken("the snapshot of a restore"))?,
        generation: backup.generation.unwrap_or(1),
        ciphertext: kept.first().map(|row| row.bytes(0).map(<[u8]>::to_vec)).transpose()?,
        destination_path: settings.destination_path,
        overwrites: settings.overwrites,
        selection: settings.selection,
        vault: vault_view(connection, &pinned.account)?,
        pinned,
    })
}

fn cleanup(connection: &mut dyn Connection, run: &Run) -> Rows<Job> {
    let settings = settings_of(connection, run.id)?.ok_or_else(|| json::broken("a cleanup"))?;
    let listed = json::parse(&settings)?;
    let names = listed["forget"].as_array().map(Vec::as_slice).unwrap_or_default();
    let halted = connection.query("SELECT id FROM runs WHERE id = $1 AND hidden_bytes > hidden_most", &[run.id.into()])?;
    Ok(Job::Cleanup {
        forget: names.iter().filter_map(|name| name.as_str()).map(str::to_owned).collect(),
        is_halted: !halted.is_empty() && run.state != RunState::StopRequested,
    })
}

impl Store {
    /// Where a live restore of this agent reads: the vault, pinned at the instant the restore was accepted.
    pub async fn pinned_vault(&self, agent: i64, restore: i64) -> Result<Option<crate::model::run_record::PinnedVault>> {
        self.read(move |connection| {
            let values = [restore.into(), agent.into()];
            let live = runs_where(connection, "id = $1 AND agent = $2 AND kind = 'Restore' AND live = 1", &values)?;
            if live.is_empty() {
                return Ok(None);
            }
            Ok(restore_settings(connection, restore)?.pinned)
        })
        .await
    }
}
