//! Snapshots that are gone although nobody was told to forget them: said once, and again only after they were there again.

use super::configuration_rows::configurations_where;
use super::run_rows::runs_where;
use super::{Rows, Times, hold_all, mail};
use crate::model::run_record::Run;
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

/// SQL: the snapshot of a backup is live in its vault, damaged or not.
const LIVE: &str = "EXISTS (SELECT 1 FROM agents JOIN files ON files.account = agents.account WHERE agents.id = runs.source \
     AND files.name = runs.snapshot AND files.state = 'live')";

impl Store {
    /// Looks for backups whose snapshot vanished; each is an error in the log and a mail. Returns how many are new.
    pub async fn note_vanished(&self) -> Result<usize> {
        let times = self.times();
        let vanished = self
            .write(move |connection| {
                hold_all(connection)?;
                let back = format!("UPDATE runs SET vanished_at = NULL WHERE vanished_at IS NOT NULL AND {LIVE}");
                connection.execute(&back, &[])?;
                let gone = format!(
                    "kind = 'Backup' AND snapshot IS NOT NULL AND forgotten_at IS NULL AND vanished_at IS NULL AND NOT {LIVE} \
                     AND EXISTS (SELECT 1 FROM agents WHERE agents.id = runs.source AND agents.deleted_at IS NULL) ORDER BY id"
                );
                let gone = runs_where(connection, &gone, &[])?;
                for run in &gone {
                    note(connection, run, times)?;
                }
                Ok(gone)
            })
            .await?;
        for run in &vanished {
            tracing::error!(
                run.id = run.id,
                agent.id = run.source,
                snapshot = run.snapshot,
                "the snapshot of a backup vanished from its vault outside a cleanup: it cannot be restored"
            );
        }
        Ok(vanished.len())
    }
}

fn note(connection: &mut dyn Connection, run: &Run, times: Times) -> Rows<()> {
    connection.execute("UPDATE runs SET vanished_at = $2 WHERE id = $1", &[run.id.into(), times.now.micros().into()])?;
    let Some(configuration) = configurations_where(connection, "id = $1", &[run.configuration.unwrap_or(0).into()])?.pop() else {
        return Ok(());
    };
    let what = format!("has lost backup {}: its snapshot vanished from the vault, though no cleanup was to forget it", run.id);
    mail::tell_of_configuration(connection, &configuration, &what, times)
}
