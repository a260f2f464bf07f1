//! `POST register`.

use serde::{Deserialize, Serialize};

use super::{Facts, Key};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Register {
    pub facts: Facts,
    /// SHA-256 over machine-id and DMI product UUID, in hexadecimal digits.
    pub fingerprint: String,
    pub public_key: Key,
    /// SHA-256 of the agent's key, in hexadecimal digits.
    pub key_sha256: String,
    #[serde(default)]
    pub datacenter: Option<String>,
    #[serde(default)]
    pub take_over: Option<i64>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registered {
    pub agent_id: i64,
    /// The tenant.
    pub account_id: String,
    pub username: String,
}
