//! `POST startup`.

use serde::{Deserialize, Serialize};

use super::Facts;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Startup {
    pub facts: Facts,
    pub fingerprint: String,
    /// The highest run id that the agent has seen; 0 for none.
    #[serde(default)]
    pub highest_run_id: i64,
    /// All snapshots in its vault.
    #[serde(default)]
    pub snapshots: Vec<Snapshot>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// `gN/snapshots/ID`
    pub name: String,
    /// From its tags `backup=ID` and `configuration=ID`.
    pub backup_id: i64,
    pub configuration_id: i64,
    /// RFC 3339.
    pub time: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Started {
    pub agent_id: i64,
    /// To be sent with every further call, as `Strongroom-Incarnation`.
    pub incarnation: i64,
    /// The server's clock, RFC 3339.
    pub time: String,
}
