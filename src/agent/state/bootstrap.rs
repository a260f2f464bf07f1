//! `bootstrap.json`: who the agent is, and where its server. The names are those of the original agent, which provisioning tools read.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{StateError, file};
use crate::model::access::Secret;
use crate::model::digest::Sha256Digest;
use crate::vault::backend::location::address::Address;
use crate::vault::backend::options::{Pin, Trust};

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
    #[serde(serialize_with = "revealed", deserialize_with = "presented")]
    pub agent_key: Secret,
    /// False before the server has answered, and after the agent was deleted.
    pub is_registered: bool,
    /// `https://HOST:PORT`
    pub server: String,
    /// Of the server's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// A PEM file of certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Where old tools find a copy of this file and of the public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driveclient_files: Option<PathBuf>,
}

const KEY_BYTES: usize = 32;
const MOST_BYTES: u64 = 64 << 10;

impl Bootstrap {
    /// Of an agent that is still to be registered, with a key that nobody had before.
    pub fn new(username: &str, server: &Address, trust: &Trust) -> Self {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).expect("the operating system's random source answers");
        let bootstrap = Self {
            agent_id: 0,
            account_id: String::new(),
            username: username.to_owned(),
            agent_key: Secret::presented(&STANDARD.encode(key)),
            is_registered: false,
            server: String::new(),
            pin: None,
            ca_file: None,
            driveclient_files: None,
        };
        bootstrap.at(server, trust)
    }

    /// The same agent at another server, or at the same one believed by other means.
    pub fn at(self, server: &Address, trust: &Trust) -> Self {
        let scheme = if server.is_tls { "https" } else { "http" };
        let (pin, ca_file) = match trust {
            Trust::System => (None, None),
            Trust::CaFile(path) => (None, Some(path.clone())),
            Trust::Pin(pin) => (Some(pin.to_string()), None),
        };
        Self { server: format!("{scheme}://{}", server.authority()), pin, ca_file, ..self }
    }

    /// Where the server is.
    pub fn address(&self) -> Result<Address, StateError> {
        Address::parse(&self.server).map_err(|error| damaged(format!("Server: {error}")))
    }

    /// Whose certificate it may show.
    pub fn trust(&self) -> Result<Trust, StateError> {
        Ok(match (&self.pin, &self.ca_file) {
            (Some(pin), _) => Trust::Pin(pin.parse::<Pin>().map_err(|error| damaged(format!("Pin: {error}")))?),
            (None, Some(path)) => Trust::CaFile(path.clone()),
            (None, None) => Trust::System,
        })
    }

    /// What the server keeps instead of the key.
    pub fn key_sha256(&self) -> Result<String, StateError> {
        let key = STANDARD.decode(self.agent_key.reveal()).ok().filter(|key| key.len() == KEY_BYTES);
        let key = key.ok_or_else(|| damaged(format!("AgentKey is not the Base64 of {KEY_BYTES} bytes")))?;
        Ok(data_encoding::HEXLOWER.encode(&Sha256Digest::of(&key).0))
    }

    /// `None` where no such file is there.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, StateError> {
        let Some(bytes) = file::read(path, MOST_BYTES)? else { return Ok(None) };
        // Its own words could repeat what was read.
        let why = |error: serde_json::Error| format!("line {}, column {} is not what was expected", error.line(), error.column());
        let read = serde_json::from_slice(&bytes);
        read.map(Some).map_err(|error| StateError::Damaged { path: path.to_owned(), why: why(error) })
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), StateError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| StateError::io(path, error.into()))?;
        bytes.push(b'\n');
        file::replace(path, &bytes)
    }
}

fn damaged(why: String) -> StateError {
    StateError::Damaged { path: PathBuf::from(super::BOOTSTRAP), why }
}

/// The one place where the key becomes text, on its way to the disk.
fn revealed<S: Serializer>(key: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.reveal())
}

fn presented<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    Ok(Secret::presented(&String::deserialize(deserializer)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> Bootstrap {
        let server = Address::parse("https://backup.example:8443/").expect("an address");
        Bootstrap::new("ada", &server, &Trust::CaFile("/etc/ca.pem".into()))
    }

    #[test]
    fn provisioning_tools_find_the_names_that_they_know() {
        let bootstrap = Bootstrap { agent_id: 4101, account_id: "5501".to_owned(), is_registered: true, ..new() };
        let written = serde_json::to_value(&bootstrap).expect("it is JSON");
        let expected = serde_json::json!({
            "AgentId": 4101, "AccountId": "5501", "Username": "ada", "AgentKey": bootstrap.agent_key.reveal(), "IsRegistered": true,
            "Server": "https://backup.example:8443", "CaFile": "/etc/ca.pem",
        });
        assert_eq!(written, expected);
        assert_eq!(serde_json::from_value::<Bootstrap>(written).expect("it is read"), bootstrap);
    }

    #[test]
    fn each_agent_has_a_key_of_its_own_that_is_not_printed() {
        let bootstrap = new();
        assert_eq!(STANDARD.decode(bootstrap.agent_key.reveal()).expect("base64").len(), 32);
        assert_ne!(bootstrap.agent_key, new().agent_key);
        assert!(!format!("{bootstrap:?}").contains(bootstrap.agent_key.reveal()));
        let known = Bootstrap { agent_key: Secret::presented(&STANDARD.encode([7; 32])), ..new() };
        assert_eq!(known.key_sha256().expect("a key"), data_encoding::HEXLOWER.encode(&Sha256Digest::of(&[7; 32]).0));
        let short = Bootstrap { agent_key: Secret::presented("c2hvcnQ="), ..new() };
        assert!(short.key_sha256().is_err_and(|error| !error.to_string().contains("c2hvcnQ")));
    }

    #[test]
    fn the_way_to_the_server_comes_back_as_it_was_given() {
        let pin = Pin([0xab; 32]);
        for trust in [Trust::System, Trust::Pin(pin), Trust::CaFile("/etc/ca.pem".into())] {
            for url in ["https://backup.example/", "http://127.0.0.1:8080/", "https://[2001:db8::1]:8443/"] {
                let server = Address::parse(url).expect("an address");
                let bootstrap = new().at(&server, &trust);
                assert_eq!(bootstrap.trust().expect("a way to trust"), trust);
                assert!(bootstrap.address().expect("an address") == server, "{}", bootstrap.server);
            }
        }
    }

    #[test]
    fn a_damaged_file_is_told_without_its_contents() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("bootstrap.json");
        assert!(Bootstrap::read(&path).expect("it is looked for").is_none());
        std::fs::write(&path, r#"{"AgentId": "c2VjcmV0"}"#).expect("a file is written");
        let error = Bootstrap::read(&path).expect_err("it is damaged").to_string();
        assert!(error.contains("bootstrap.json") && error.contains("line 1") && !error.contains("c2VjcmV0"), "{error}");
    }
}
