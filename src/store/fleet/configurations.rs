//! Backup configurations, as users make, change and delete them.

use super::agent_rows::{agent_of, any_agent};
use super::configuration_rows::{configuration_of, configurations_where, document_size, put};
use super::ending::stop_runs;
use super::{Outcome, Refusal, Rows, Times, agents, copies_are_stale, json, mail, next_ids, outbox, wants};
use crate::model::agent::Agent;
use crate::model::configuration::{BackupConfiguration, ConfigurationSettings, MAX_DOCUMENT_BYTES, MissedAction};
use crate::model::instant::Instant;
use crate::model::run::RunState;
use crate::model::selection::{Item, Selection};
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

/// A configuration and what its representation shows beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigurationView {
    pub configuration: BackupConfiguration,
    pub agent: Agent,
    pub is_encrypted: bool,
    /// Its last run that can be restored, and when that was complete.
    pub last_run: Option<(i64, Instant)>,
    /// How far its newest run is.
    pub newest_state: Option<RunState>,
}

/// What is put in force: the settings, or why they cannot be.
pub type Change = Box<dyn FnMut(&BackupConfiguration) -> Outcome<ConfigurationSettings> + Send>;

impl Store {
    pub async fn create_configuration(
        &self,
        tenant: &str,
        agent: i64,
        settings: ConfigurationSettings,
    ) -> Result<Outcome<ConfigurationView>> {
        let (tenant, times) = (tenant.to_owned(), self.times());
        self.write(move |connection| {
            if let Err(refusal) = agent_of(connection, &tenant, agent)? {
                return Ok(Err(refusal));
            }
            wants(connection, agent)?;
            let agent = match agent_of(connection, &tenant, agent)? {
                Ok(agent) => agent,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let mut settings = settings.clone();
            if let Err(refusal) = fits(connection, agent.id, 0, &settings)? {
                return Ok(Err(refusal));
            }
            let first = next_ids(connection, 2)?;
            number_items(connection, &mut settings.selection)?;
            let mut configuration = BackupConfiguration {
                id: first,
                schedule_id: first + 1,
                tenant: tenant.clone(),
                agent: agent.id,
                settings,
                anchor_at: times.wall,
                next_at: None,
                catch_up_at: None,
                missed_mailed_at: None,
                deleted_at: None,
                keeps_backups: false,
            };
            configuration.next_at = next_at(&configuration, &agent, times.wall);
            put(connection, &configuration)?;
            copies_are_stale(connection)?;
            view(connection, configuration, agent).map(Ok)
        })
        .await
    }

    /// `change` is given the stored configuration and says what it is to be.
    pub async fn update_configuration(&self, tenant: &str, id: i64, mut change: Change) -> Result<Outcome<ConfigurationView>> {
        self.change_configuration(tenant, id, move |connection, known, times| {
            let mut settings = match change(known) {
                Ok(settings) => settings,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if let Err(refusal) = fits(connection, known.agent, known.id, &settings)? {
                return Ok(Err(refusal));
            }
            number_items(connection, &mut settings.selection)?;
            if !settings.is_active && known.settings.is_active {
                stop_waiting(connection, known.id, times, "The configuration was deactivated.")?;
                outbox::withdraw(connection, "configuration = $1", known.id, times.now)?;
            }
            let anchor_at = if settings.schedule == known.settings.schedule { known.anchor_at } else { times.wall };
            let owes = settings.is_active && settings.missed_action == MissedAction::CatchUp;
            let catch_up_at = known.catch_up_at.filter(|_| owes);
            Ok(Ok(BackupConfiguration { settings, anchor_at, catch_up_at, ..known.clone() }))
        })
        .await
    }

    /// Neither deletes anything nor stops what the agent has begun.
    pub async fn enable_configuration(&self, tenant: &str, id: i64, enabled: bool) -> Result<Outcome<ConfigurationView>> {
        self.update_configuration(
            tenant,
            id,
            Box::new(move |known| Ok(ConfigurationSettings { is_active: enabled, ..known.settings.clone() })),
        )
        .await
    }

    /// Its backups cannot be restored from now on; the next cleanup frees them. A second time it is not found.
    pub async fn delete_configuration(&self, tenant: &str, id: i64) -> Result<Outcome<()>> {
        let deleted = self
            .change_configuration(tenant, id, move |connection, known, times| {
                stop_runs(
                    connection,
                    "configuration = $1 AND kind = 'Backup' AND live = 1",
                    &[id.into()],
                    times,
                    "The configuration was deleted.",
                )?;
                outbox::withdraw(connection, "configuration = $1", id, times.now)?;
                mail::tell_of_configuration(connection, known, "was deleted", times)?;
                let settings = ConfigurationSettings { is_active: false, ..known.settings.clone() };
                Ok(Ok(BackupConfiguration { settings, deleted_at: Some(times.now), catch_up_at: None, ..known.clone() }))
            })
            .await?;
        Ok(deleted.map(drop))
    }

    /// Also one that was deleted.
    pub async fn configuration(&self, tenant: &str, id: i64) -> Result<Outcome<ConfigurationView>> {
        let tenant = tenant.to_owned();
        self.read(move |connection| {
            let configuration = match configuration_of(connection, &tenant, id)? {
                Ok(configuration) => configuration,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let agent = agents::known(connection, configuration.agent)?;
            view(connection, configuration, agent).map(Ok)
        })
        .await
    }

    /// Those that were not deleted, by id; of one agent, where it is named.
    pub async fn configurations(&self, tenant: &str, agent: Option<i64>) -> Result<Outcome<Vec<ConfigurationView>>> {
        let tenant = tenant.to_owned();
        self.read(move |connection| {
            let found = match agent {
                None => configurations_where(connection, "tenant = $1 AND deleted_at IS NULL ORDER BY id", &[tenant.as_str().into()])?,
                Some(agent) => {
                    if let Err(refusal) = agent_of(connection, &tenant, agent)? {
                        return Ok(Err(refusal));
                    }
                    configurations_where(connection, "agent = $1 AND deleted_at IS NULL ORDER BY id", &[agent.into()])?
                }
            };
            views(connection, found).map(Ok)
        })
        .await
    }

    /// Changes a configuration that was not deleted, plans its next run and wakes its agent.
    async fn change_configuration<F>(&self, tenant: &str, id: i64, mut apply: F) -> Result<Outcome<ConfigurationView>>
    where
        F: FnMut(&mut dyn Connection, &BackupConfiguration, Times) -> Rows<Outcome<BackupConfiguration>> + Send + 'static,
    {
        let (tenant, times) = (tenant.to_owned(), self.times());
        self.write(move |connection| {
            let agent = match configuration_of(connection, &tenant, id)? {
                Ok(known) => known.agent,
                Err(refusal) => return Ok(Err(refusal)),
            };
            wants(connection, agent)?;
            // Read again now that nobody else changes it.
            let known = match configuration_of(connection, &tenant, id)? {
                Ok(known) if known.deleted_at.is_none() => known,
                _ => return Ok(Err(Refusal::no_configuration(id))),
            };
            let mut changed = match apply(connection, &known, times)? {
                Ok(changed) => changed,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let agent = agents::known(connection, agent)?;
            changed.next_at = next_at(&changed, &agent, times.wall).map(|next| still_due(&known, &changed, times.wall).unwrap_or(next));
            put(connection, &changed)?;
            copies_are_stale(connection)?;
            view(connection, changed, agent).map(Ok)
        })
        .await
    }
}

/// When it runs next; `None` where nothing is planned.
pub(super) fn next_at(configuration: &BackupConfiguration, agent: &Agent, wall: Instant) -> Option<Instant> {
    let is_planned =
        configuration.settings.is_active && configuration.deleted_at.is_none() && !agent.is_disabled && agent.deleted_at.is_none();
    is_planned.then(|| configuration.settings.schedule.next_run(anchor_before(configuration, wall), wall)).flatten()
}

/// Where an hourly schedule counts from, seen at `at`. A clock that was set back has left the anchor in the future: the same grid then
/// begins as many steps earlier.
pub(super) fn anchor_before(configuration: &BackupConfiguration, at: Instant) -> Instant {
    let ahead = configuration.anchor_at.micros_since(at);
    match configuration.settings.schedule.interval_micros() {
        Some(step) if ahead > 0 => configuration.anchor_at.plus_micros(-(ahead / step + 1) * step),
        _ => configuration.anchor_at,
    }
}

/// An instant that has come, and that no tick has seen yet, stays due where its schedule is the same.
fn still_due(known: &BackupConfiguration, changed: &BackupConfiguration, wall: Instant) -> Option<Instant> {
    known.next_at.filter(|planned| *planned <= wall && known.settings.schedule == changed.settings.schedule)
}

/// Plans all configurations of an agent anew.
pub(super) fn plan_all(connection: &mut dyn Connection, agent: i64, wall: Instant) -> Rows<()> {
    let Some(owner) = any_agent(connection, agent)? else { return Ok(()) };
    for configuration in configurations_where(connection, "agent = $1 AND deleted_at IS NULL", &[agent.into()])? {
        let next = next_at(&configuration, &owner, wall).map(Instant::micros);
        connection.execute("UPDATE configurations SET next_at = $2 WHERE id = $1", &[configuration.id.into(), next.into()])?;
    }
    Ok(())
}

/// Whether the name is free and the agent's document stays within its bound, with these settings for configuration `id`.
fn fits(connection: &mut dyn Connection, agent: i64, id: i64, settings: &ConfigurationSettings) -> Rows<Outcome<()>> {
    let taken = "SELECT id FROM configurations WHERE agent = $1 AND name = $2 AND id <> $3 AND deleted_at IS NULL";
    if !connection.query(taken, &[agent.into(), settings.name.as_str().into(), id.into()])?.is_empty() {
        let text = format!("The agent has a backup configuration named {:?} already.", settings.name);
        return Ok(Err(Refusal::Conflict(text)));
    }
    let others = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM configurations WHERE agent = $1 AND id <> $2 AND deleted_at IS NULL";
    let others = connection.query(others, &[agent.into(), id.into()])?.first().map_or(Ok(0), |row| row.int(0))?;
    let ours = document_size(settings, &json::selection(&settings.selection).to_string());
    if others + ours > MAX_DOCUMENT_BYTES {
        return Ok(Err(Refusal::TooLarge("All backup configurations of one agent together have at most 1 MB.".to_owned())));
    }
    Ok(Ok(()))
}

/// Each stored item has an id of its own; those of a list that was sent have none yet.
pub(super) fn number_items(connection: &mut dyn Connection, selection: &mut Selection) -> Rows<()> {
    let new: Vec<&mut Item> = selection.inclusions.iter_mut().chain(&mut selection.exclusions).filter(|item| item.file_id == 0).collect();
    if new.is_empty() {
        return Ok(());
    }
    let first = next_ids(connection, i64::try_from(new.len()).unwrap_or(i64::MAX))?;
    for (id, item) in (first..).zip(new) {
        item.file_id = id;
    }
    Ok(())
}

fn stop_waiting(connection: &mut dyn Connection, id: i64, times: Times, why: &str) -> Rows<()> {
    let waiting = "configuration = $1 AND kind = 'Backup' AND live = 1 AND state IN ('StartRequested', 'StartScheduled')";
    stop_runs(connection, waiting, &[id.into()], times, why)
}

fn view(connection: &mut dyn Connection, configuration: BackupConfiguration, agent: Agent) -> Rows<ConfigurationView> {
    let last = super::restorable::newest(connection, configuration.id)?;
    let newest = "SELECT state FROM runs WHERE configuration = $1 AND kind = 'Backup' ORDER BY id DESC LIMIT 1";
    let newest = connection.query(newest, &[configuration.id.into()])?;
    Ok(ConfigurationView {
        is_encrypted: agents::is_encrypted(connection, &agent.account)?,
        last_run: last.filter(|_| configuration.deleted_at.is_none() || configuration.keeps_backups),
        newest_state: newest.first().map(|row| row.text(0)?.parse().map_err(|_| json::broken("a state"))).transpose()?,
        configuration,
        agent,
    })
}

/// The same for many, each agent read once.
fn views(connection: &mut dyn Connection, found: Vec<BackupConfiguration>) -> Rows<Vec<ConfigurationView>> {
    let mut known = std::collections::HashMap::new();
    let mut views = Vec::with_capacity(found.len());
    for configuration in found {
        let agent = match known.get(&configuration.agent) {
            Some(agent) => Agent::clone(agent),
            None => {
                let agent = agents::known(connection, configuration.agent)?;
                known.insert(configuration.agent, agent.clone());
                agent
            }
        };
        views.push(view(connection, configuration, agent)?);
    }
    Ok(views)
}
