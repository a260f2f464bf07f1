//! The end of history: rows of runs that nobody can restore any more go 90 days after that.

use super::Rows;
use crate::model::instant::{DAY_MICROS, Instant};
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

/// How long a run is remembered after it ended, and a backup after it could be restored for the last time.
const KEPT_MICROS: i64 = 90 * DAY_MICROS;
/// Rows of one transaction.
const BATCH: u64 = 500;

impl Store {
    /// Forgets runs that ended long ago. A backup's row stays as long as its snapshot's bytes do, hidden or not, and as long as a restore
    /// of it is remembered; so does whatever is live or still in the making. Returns how many went.
    pub async fn forget_runs(&self) -> Result<u64> {
        let before = self.now().plus_micros(-KEPT_MICROS);
        let mut forgotten = 0;
        loop {
            let gone = self.write(move |connection| forget(connection, before)).await?;
            forgotten += gone;
            if gone < BATCH {
                break;
            }
        }
        self.write(move |connection| forget_requests(connection, before)).await?;
        Ok(forgotten)
    }
}

fn forget(connection: &mut dyn Connection, before: Instant) -> Rows<u64> {
    let statement = format!(
        "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE live = 0 AND (state <> 'Creating' OR deleted_at IS NOT NULL) \
         AND changed_at < $1 AND COALESCE(deleted_at, changed_at) < $1 AND COALESCE(forgotten_at, changed_at) < $1 \
         AND COALESCE(vanished_at, changed_at) < $1 \
         AND NOT EXISTS (SELECT 1 FROM agents JOIN files ON files.account = agents.account WHERE agents.id = runs.source \
         AND files.name = runs.snapshot AND files.state IN ('live', 'hidden')) \
         AND NOT EXISTS (SELECT 1 FROM runs AS restores WHERE restores.backup = runs.id) ORDER BY id LIMIT {BATCH})"
    );
    connection.execute(&statement, &[before.micros().into()])
}

fn forget_requests(connection: &mut dyn Connection, before: Instant) -> Rows<()> {
    for statement in ["DELETE FROM requests WHERE ended_at < $1", "DELETE FROM wrong_passwords WHERE at < $1"] {
        connection.execute(statement, &[before.micros().into()])?;
    }
    Ok(())
}
