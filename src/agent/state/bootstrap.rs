//! `bootstrap.json`: who the agent is, and where its server. The names are those of the original agent, which provisioning tools read.

use serde::{Deserialize, Serialize};

use crate::model::access::Secret;

/// Prints without the key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Bootstrap {
    /// 0 until the server has answered.
    pub agent_id: i64,
    /// The tenant.
    pub account_id: String,
    pub username: String,
    /// Base64 of 32 random bytes: the one secret at the server.
    #[serde(skip)]
    pub agent_key: Option<Secret>,
    /// False before the server has answered, and after the agent was deleted.
    pub is_registered: bool,
    /// `https://HOST:PORT`
    pub server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// A PEM file of certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<std::path::PathBuf>,
}
