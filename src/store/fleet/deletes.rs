//! What an agent may delete of its vault: nothing but locks, unless a cleanup that the server ordered, or a change of its passphrase, is
//! under way. So a machine that was taken over cannot undo its past.

use super::run_rows::settings_of;
use super::{Rows, json, mail, wants};
use crate::model::agent::Agent;
use crate::model::file_name::FileName;
use crate::model::repository::{FileType, RepositoryPath};
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

/// Whether a file of the vault may be hidden now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteVerdict {
    Allowed,
    /// Neither a cleanup nor a change of the passphrase is under way.
    NothingOrdered,
    /// A repository's config, or a snapshot that the cleanup was not told to forget.
    Never,
    /// The cleanup has hidden half of the vault: somebody has to say that this is right.
    Halted,
}

impl Store {
    /// Judges a DELETE by an agent on its own vault and counts what a cleanup hides.
    pub async fn judge_delete(&self, agent: &Agent, path: &RepositoryPath, name: &FileName) -> Result<DeleteVerdict> {
        let kind = match path {
            RepositoryPath::File(_, FileType::Locks, _) => return Ok(DeleteVerdict::Allowed),
            RepositoryPath::File(_, kind, _) => *kind,
            RepositoryPath::Config(_) => return Ok(DeleteVerdict::Never),
            RepositoryPath::Root(_) | RepositoryPath::Folder(..) => return Ok(DeleteVerdict::NothingOrdered),
        };
        let (agent, name, times) = (agent.clone(), name.clone(), self.times());
        self.write(move |connection| {
            wants_held(connection, agent.id)?;
            if kind == FileType::Keys {
                let changes = changes_password(connection, agent.id)?;
                return Ok(if changes { DeleteVerdict::Allowed } else { DeleteVerdict::NothingOrdered });
            }
            let cleanup = "SELECT id, hidden_bytes, hidden_most FROM runs WHERE agent = $1 AND kind = 'Cleanup' AND live = 1 \
                           AND state IN ('Preparing', 'InProgress', 'StopRequested')";
            let found = connection.query(cleanup, &[agent.id.into()])?;
            let Some(row) = found.first() else { return Ok(DeleteVerdict::NothingOrdered) };
            let (id, hidden, most) = (row.int(0)?, row.int(1)?, row.int(2)?);
            if kind == FileType::Snapshots && !is_listed(connection, id, &name)? {
                return Ok(DeleteVerdict::Never);
            }
            if hidden > most {
                return Ok(DeleteVerdict::Halted);
            }
            let size = "SELECT size FROM files WHERE account = $1 AND name = $2 AND state = 'live'";
            let size = connection.query(size, &[agent.account.as_str().into(), name.as_bytes().into()])?;
            let size = size.first().map_or(Ok(0), |row| row.int(0))?;
            connection.execute("UPDATE runs SET hidden_bytes = hidden_bytes + $2 WHERE id = $1", &[id.into(), size.into()])?;
            if hidden + size > most {
                wants(connection, agent.id)?;
                mail::tell_of_agent(connection, &agent, HALTED, times)?;
                return Ok(DeleteVerdict::Halted);
            }
            Ok(DeleteVerdict::Allowed)
        })
        .await
    }
}

const HALTED: &str = "was stopped in a cleanup that had hidden half of its vault; look why, then `strongroom fleet accept` lets it go on";

/// Deletes of one agent come one after the other.
fn wants_held(connection: &mut dyn Connection, agent: i64) -> Rows<()> {
    connection.execute("UPDATE agents SET work = work WHERE id = $1", &[agent.into()]).map(drop)
}

fn changes_password(connection: &mut dyn Connection, agent: i64) -> Rows<bool> {
    let statement = "SELECT guid FROM requests WHERE agent = $1 AND kind = 'change_password' AND state = 'taken' AND ended_at IS NULL";
    Ok(!connection.query(statement, &[agent.into()])?.is_empty())
}

fn is_listed(connection: &mut dyn Connection, cleanup: i64, name: &FileName) -> Rows<bool> {
    let settings = settings_of(connection, cleanup)?.ok_or_else(|| json::broken("a cleanup"))?;
    let listed = json::parse(&settings)?;
    let is_it = |listed: &serde_json::Value| listed.as_str().is_some_and(|listed| listed.as_bytes() == name.as_bytes());
    Ok(listed["forget"].as_array().is_some_and(|names| names.iter().any(is_it)))
}
