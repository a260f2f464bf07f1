//! The control plane's records: agents, backup configurations, runs, requests. Rules are the model's; here they meet the catalog.
//!
//! * A due instant becomes one run, however many servers there are: the configuration's next instant is moved in the same transaction,
//!   on condition of its old value, and (configuration, instant, catch-up) is unique.
//! * What is wanted of an agent is a state, not a queue ([`work`]): nothing is acknowledged, so nothing is lost or done twice.
//! * A final state never changes. A snapshot that no row names is never forgotten.
//! * Ids are never used twice. Everything that a user sees carries the server's time.
//!
//! Calls that a rule refuses end in a [`Refusal`] inside `Ok`: the transaction they share with others goes on.

mod activity;
mod agent_rows;
pub mod agents;
pub mod backups;
mod cleanups;
mod configuration_rows;
pub mod configurations;
pub(super) mod copies;
mod deletes;
mod due;
mod ending;
mod forget;
mod json;
mod mail;
mod mail_text;
mod migrate;
pub mod operator;
mod outbox;
pub mod registration;
pub mod reports;
pub mod requests;
pub mod restorable;
pub mod restore_start;
pub mod restores;
mod run_rows;
pub mod startup;
mod status;
mod tick;
mod vanished;
pub mod vault_secret;
pub mod work;

pub use activity::ActivityEntry;
pub use backups::BackupView;
pub use deletes::DeleteVerdict;
pub use outbox::{ClaimedMail, MailFate};
pub use tick::Ticked;

use super::catalog::{CatalogError, Connection};
use crate::model::instant::Instant;

/// What a closure of the catalog returns.
pub(super) type Rows<T> = std::result::Result<T, CatalogError>;

/// What the rules said to a call that the store could carry out.
pub type Outcome<T> = std::result::Result<T, Refusal>;

/// Why a call was refused; the texts are for whoever asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is no such thing, or it is somebody else's.
    NotFound(String),
    /// A value that cannot be, or an action that the present state does not allow.
    Invalid(String),
    Forbidden(String),
    /// The name is taken, or the caller is not who it was.
    Conflict(String),
    TooLarge(String),
    /// Too often; again after so many seconds.
    TooOften(String, u64),
}

impl Refusal {
    pub(super) fn no_agent(id: i64) -> Self {
        Self::NotFound(format!("Agent {id} was not found."))
    }

    pub(super) fn no_configuration(id: i64) -> Self {
        Self::NotFound(format!("Backup configuration {id} was not found."))
    }
}

/// What the rules go by at one moment: guarded time for what is kept, the wall clock for what is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub now: Instant,
    pub wall: Instant,
    /// Whether there is a way to send mail.
    pub mails: bool,
}

impl super::Store {
    pub(super) fn times(&self) -> Times {
        Times { now: self.now(), wall: self.inner.time.wall(), mails: self.inner.settings.mails }
    }
}

/// A new id, from the one sequence of all of them.
pub(super) fn next_id(connection: &mut dyn Connection) -> Rows<i64> {
    next_ids(connection, 1)
}

/// The first of so many new ids.
pub(super) fn next_ids(connection: &mut dyn Connection, count: i64) -> Rows<i64> {
    let statement = "UPDATE counters SET value = value + $1 WHERE name = 'ids' RETURNING value";
    let rows = connection.query(statement, &[count.into()])?;
    rows.first().map_or_else(|| Err(missing("the sequence of ids")), |row| Ok(row.int(0)? - count + 1))
}

/// Lets ids begin after `highest`, by a wide margin, where an agent has seen one that this catalog does not know.
pub(super) fn skip_ids(connection: &mut dyn Connection, highest: i64) -> Rows<bool> {
    let statement = "UPDATE counters SET value = $1 + 1000000 WHERE name = 'ids' AND value < $1";
    Ok(connection.execute(statement, &[highest.into()])? > 0)
}

/// Something else is wanted of the agent now. Also keeps the changes of one agent in an order: its row is held until the commit.
pub(super) fn wants(connection: &mut dyn Connection, agent: i64) -> Rows<()> {
    wants_where(connection, "id = $2", agent.into())
}

/// The same of all agents that fit `condition`, whose value is `$2`.
pub(super) fn wants_where(connection: &mut dyn Connection, condition: &str, value: super::catalog::Value) -> Rows<()> {
    let rows = connection.query("UPDATE counters SET value = value + 1 WHERE name = 'work' RETURNING value", &[])?;
    let work = rows.first().map_or_else(|| Err(missing("the number of changes")), |row| row.int(0))?;
    connection.execute(&format!("UPDATE agents SET work = $1 WHERE {condition}"), &[work.into(), value]).map(drop)
}

/// Nobody else changes what is wanted of any agent until the commit: what was read after this call stays true.
pub(in crate::store) fn hold_all(connection: &mut dyn Connection) -> Rows<()> {
    connection.execute("UPDATE counters SET value = value WHERE name = 'work'", &[]).map(drop)
}

/// The small copies are to be written again, within minutes.
pub(super) fn copies_are_stale(connection: &mut dyn Connection) -> Rows<()> {
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'control'", &[]).map(drop)
}

/// The clock that runs while a server does, in microseconds.
pub(super) fn served(connection: &mut dyn Connection) -> Rows<i64> {
    let rows = connection.query("SELECT served FROM fleet_clock WHERE id = 1", &[])?;
    rows.first().map_or_else(|| Err(missing("the clock of the fleet")), |row| row.int(0))
}

fn missing(what: &str) -> CatalogError {
    CatalogError::new(super::catalog::Fault::Failed, format!("{what} is missing from the catalog"))
}
