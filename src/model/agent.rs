//! An agent: one machine's registration, and what is known of the machine.

use super::access::{AccountId, SecretHash};
use super::instant::{Instant, SECOND_MICROS};

/// How long after its last call an agent counts as online.
pub const ONLINE_MICROS: i64 = 90 * SECOND_MICROS;

/// What an agent says of itself and its machine, at registration and at each start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MachineFacts {
    pub version: String,
    pub machine_name: String,
    pub host_server_id: String,
    pub ip_address: String,
    pub operating_system: String,
    pub operating_system_version: String,
    /// `64-bit` or `32-bit`.
    pub architecture: String,
}

/// An RSA public key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey {
    /// 512 hexadecimal digits: 2048 bits.
    pub modulus_hex: String,
    pub exponent: i64,
}

/// Hexadecimal digits of a 2048-bit modulus, and of what is encrypted with it.
pub const KEY_HEX_DIGITS: usize = 512;

/// How much an agent logs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    Fatal = 1,
    Error = 2,
    Warn = 3,
    Info = 4,
    Debug = 5,
    Trace = 6,
    /// The same as `Trace`.
    All = 7,
}

impl LogLevel {
    pub const ALL: [Self; 7] = [Self::Fatal, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace, Self::All];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fatal => "Fatal",
            Self::Error => "Error",
            Self::Warn => "Warn",
            Self::Info => "Info",
            Self::Debug => "Debug",
            Self::Trace => "Trace",
            Self::All => "All",
        }
    }

    /// By number or by name in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text) || text.parse() == Ok(*level as i64))
    }

    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|level| *level as i64 == number)
    }
}

/// A registration as the catalog had it when it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agent {
    pub id: i64,
    pub tenant: String,
    /// The account of the vault that is its own now.
    pub account: AccountId,
    /// SHA-256 of its key.
    pub key: SecretHash,
    pub fingerprint: String,
    pub incarnation: i64,
    pub facts: MachineFacts,
    pub datacenter: String,
    pub backup_datacenter: String,
    pub public_key: PublicKey,
    pub uses_service_net: bool,
    pub uses_failover: bool,
    pub log_level: LogLevel,
    pub is_disabled: bool,
    pub registered_at: Instant,
    pub seen_at: Instant,
    pub work: i64,
    pub last_success_at: Option<Instant>,
    pub deleted_at: Option<Instant>,
}

impl Agent {
    pub const fn is_online(&self, now: Instant) -> bool {
        now.micros_since(self.seen_at) < ONLINE_MICROS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_level_is_read_by_name_and_by_number() {
        for (text, expected) in
            [("3", Some(LogLevel::Warn)), ("warn", Some(LogLevel::Warn)), ("7", Some(LogLevel::All)), ("0", None), ("8", None), ("", None)]
        {
            assert_eq!(LogLevel::parse(text), expected, "{text}");
        }
        assert_eq!(LogLevel::ALL.map(|level| LogLevel::from_number(level as i64)), LogLevel::ALL.map(Some));
    }
}
