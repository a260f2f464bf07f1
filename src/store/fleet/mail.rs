//! Who hears of what: mail about runs, agents and configurations, written in the transaction that it tells of, once for each recipient.

use std::collections::BTreeSet;
use std::sync::Once;

use super::configuration_rows::configurations_where;
use super::mail_text::{RunMail, one_line, shown};
use super::outbox::{Letter, enqueue};
use super::reports::FAR_LESS;
use super::run_rows::runs_where;
use super::{BackupView, Rows, Times, agents, backups, json, requests, restorable, restores};
use crate::model::agent::Agent;
use crate::model::configuration::{BackupConfiguration, MissedAction};
use crate::model::instant::{DAY_MICROS, Instant};
use crate::model::run::{RunKind, RunState};
use crate::model::run_record::{Run, RunReport};
use crate::store::catalog::Connection;

/// Writes the mail that the end of a run calls for.
pub(super) fn tell_of_run(connection: &mut dyn Connection, run: &Run, report: &RunReport, times: Times) -> Rows<()> {
    let known = configurations_where(connection, "id = $1", &[run.configuration.unwrap_or(0).into()])?.pop();
    let Some(configuration) = known else { return Ok(()) };
    let agent = agents::known(connection, run.agent)?;
    if !is_wanted(&configuration, &agent, run, report) || !can_mail(times) {
        return Ok(());
    }
    let due_at = match run.state {
        RunState::Missed => missed(connection, &configuration, run, times)?,
        _ => Some(times.now),
    };
    let Some(due_at) = due_at else { return Ok(()) };
    let about = about(connection, run)?;
    let mail = RunMail {
        run,
        report,
        configuration_name: &about.configuration_name,
        machine_name: &about.machine_name,
        destination_path: match run.kind {
            RunKind::Restore => restores::settings(connection, run.id)?.destination_path,
            RunKind::Backup | RunKind::Cleanup => String::new(),
        },
        last_good_at: restorable::newest(connection, configuration.id)?.map(|(_, at)| at),
        next_at: configuration.next_at,
    };
    let (reference, subject, body) = (format!("run {} {}", run.id, run.attempt), mail.subject(), mail.body());
    for recipient in configuration.settings.notify.addresses() {
        enqueue(connection, &Letter { reference: &reference, recipient, subject: &subject, body: &body, due_at }, times.now)?;
    }
    Ok(())
}

/// The flags of the configuration decide. One that is not active, or whose machine is gone for good, is silent, except that what was
/// backed up may still be restored, elsewhere. A backup that found far less than the one before is a warning, whatever it says itself.
fn is_wanted(configuration: &BackupConfiguration, agent: &Agent, run: &Run, report: &RunReport) -> bool {
    let notify = &configuration.settings.notify;
    let is_silent = match run.kind {
        RunKind::Backup => !configuration.settings.is_active,
        RunKind::Restore => false,
        RunKind::Cleanup => true,
    };
    let by_flags = match run.state {
        RunState::Completed => notify.on_success || notify.on_failure && report.diagnostics.contains(FAR_LESS),
        RunState::Failed | RunState::CompletedWithErrors | RunState::Missed | RunState::Skipped => notify.on_failure,
        _ => false,
    };
    by_flags && !is_silent && configuration.deleted_at.is_none() && !agent.is_disabled
}

/// The backup that the mail is about, with its names: of a restore the one that was restored.
fn about(connection: &mut dyn Connection, run: &Run) -> Rows<BackupView> {
    let backup = match run.kind {
        RunKind::Restore => runs_where(connection, "id = $1", &[run.backup.unwrap_or(0).into()])?.pop(),
        RunKind::Backup | RunKind::Cleanup => Some(run.clone()),
    };
    backups::view(connection, backup.ok_or_else(|| json::broken("the backup of a restore"))?)
}

/// When a missed occurrence is told: at once, or at the next scheduled time where the configuration says so. `None` where one that was
/// due less than a day before was told, and no backup went well since.
fn missed(connection: &mut dyn Connection, configuration: &BackupConfiguration, run: &Run, times: Times) -> Rows<Option<Instant>> {
    // By the times of the schedule, which are whole days apart, not by those at which somebody noticed.
    let occurrence = run.due_at.unwrap_or(times.now);
    if configuration.missed_mailed_at.is_some_and(|last| occurrence.micros_since(last) < DAY_MICROS) {
        return Ok(None);
    }
    let statement = "UPDATE configurations SET missed_mailed_at = $2 WHERE id = $1";
    connection.execute(statement, &[configuration.id.into(), occurrence.micros().into()])?;
    Ok(Some(match configuration.settings.missed_action {
        MissedAction::CatchUp => times.now,
        MissedAction::Wait => configuration.next_at.unwrap_or(times.now),
    }))
}

/// Tells the recipients of all the agent's configurations what became of the agent.
pub(super) fn tell_of_agent(connection: &mut dyn Connection, agent: &Agent, what: &str, times: Times) -> Rows<()> {
    let text = format!("Agent {} on {} {what}", agent.id, agent.facts.machine_name);
    tell(connection, agent.id, &text, times)
}

/// Tells the recipients of all the agent's configurations what became of one of them.
pub(super) fn tell_of_configuration(
    connection: &mut dyn Connection,
    configuration: &BackupConfiguration,
    what: &str,
    times: Times,
) -> Rows<()> {
    let machine = agents::known(connection, configuration.agent)?.facts.machine_name;
    let text = format!("Backup configuration {} ({}) on {machine} {what}", configuration.id, configuration.settings.name);
    tell(connection, configuration.agent, &text, times)
}

/// Also recipients of configurations that are not active: whoever wants to harm a machine unseen could deactivate them first.
fn tell(connection: &mut dyn Connection, agent: i64, text: &str, times: Times) -> Rows<()> {
    let told = configurations_where(connection, "agent = $1 AND deleted_at IS NULL", &[agent.into()])?;
    let recipients: BTreeSet<&str> = told.iter().flat_map(|configuration| configuration.settings.notify.addresses()).collect();
    if recipients.is_empty() || !can_mail(times) {
        return Ok(());
    }
    let (reference, text) = (requests::guid(), one_line(text));
    let subject = format!("[Strongroom] {text}");
    let body = format!("Strongroom\n\n{text}.\nTime: {}\n", shown(Some(times.now)));
    for recipient in recipients {
        let letter = Letter { reference: &reference, recipient, subject: &subject, body: &body, due_at: times.now };
        enqueue(connection, &letter, times.now)?;
    }
    Ok(())
}

/// Whether there is a way to send mail; the first time that there is none although somebody waits for it, the log says so.
fn can_mail(times: Times) -> bool {
    static SAID: Once = Once::new();
    if !times.mails {
        SAID.call_once(|| {
            tracing::warn!("a backup configuration asks for mail and none is sent: the setting `smtp` names no server; this is said once");
        });
    }
    times.mails
}
