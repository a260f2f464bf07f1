//! What our agent says and hears: our own plain types, RFC 3339 times, snake_case. Unknown members are ignored, so that agent and server can
//! be of different versions.

pub mod register;
pub mod run;
pub mod startup;
pub mod status;
pub mod work;

use crate::model::agent::{MachineFacts, PublicKey};
use crate::model::run::RunState;
use serde::{Deserialize, Serialize};

/// Most bytes of a body of this channel: 1,000 errors of 2 KiB in each of four texts.
pub const MAX_BODY_BYTES: usize = 8 << 20;
/// No poll is held longer, whatever the agent asks for: proxies give up sooner or later.
pub const MAX_WAIT_SECONDS: u64 = 60;
/// With what the server refuses a delete from the moment on at which a cleanup has hidden half of the vault. By these words the agent
/// knows that nothing is wrong, and that the run waits.
pub const CLEANUP_IS_HALTED: &str = "The cleanup has hidden half of the vault: it goes on after `strongroom fleet accept` on the server.";

/// What a machine says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Facts {
    pub agent_version: String,
    pub machine_name: String,
    #[serde(default)]
    pub host_server_id: String,
    #[serde(default)]
    pub ip_address: String,
    #[serde(default)]
    pub operating_system: String,
    #[serde(default)]
    pub operating_system_version: String,
    /// `64-bit` or `32-bit`.
    pub architecture: String,
}

/// Most characters of one fact.
const MAX_FACT_CHARS: usize = 255;

impl Facts {
    /// Cut to what a catalog keeps.
    pub fn into_model(self) -> MachineFacts {
        MachineFacts {
            version: cut(&self.agent_version),
            machine_name: cut(&self.machine_name),
            host_server_id: cut(&self.host_server_id),
            ip_address: cut(&self.ip_address),
            operating_system: cut(&self.operating_system),
            operating_system_version: cut(&self.operating_system_version),
            architecture: cut(&self.architecture),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_FACT_CHARS).collect()
}

/// An RSA-2048 public key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Key {
    /// 512 hexadecimal digits.
    pub modulus_hex: String,
    pub exponent: i64,
}

impl Key {
    pub fn into_model(self) -> Option<PublicKey> {
        let modulus_hex = self.modulus_hex.to_ascii_lowercase();
        let fits = modulus_hex.len() == crate::model::agent::KEY_HEX_DIGITS && modulus_hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        // Anything below has a top bit that is not set: fewer than 2048 bits.
        let is_full = modulus_hex.as_bytes().first().is_some_and(|digit| *digit >= b'8');
        // Clients read the exponent's hexadecimal digits as a decimal number.
        let is_shown = format!("{:x}", self.exponent).bytes().all(|digit| digit.is_ascii_digit());
        let is_odd = self.exponent >= 3 && self.exponent % 2 == 1;
        (fits && is_full && is_odd && is_shown).then_some(PublicKey { modulus_hex, exponent: self.exponent })
    }
}

/// A state as the channel spells it.
pub fn state_text(state: RunState) -> String {
    let mut text = String::new();
    for letter in state.as_str().chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// The state of this spelling.
pub fn parse_state(text: &str) -> Option<RunState> {
    RunState::ALL.into_iter().find(|state| state_text(*state) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_spelled_in_snake_case() {
        assert_eq!(state_text(RunState::CompletedWithErrors), "completed_with_errors");
        for state in RunState::ALL {
            assert_eq!(parse_state(&state_text(state)), Some(state));
        }
        assert_eq!(parse_state("Completed"), None);
    }

    #[test]
    fn a_key_has_2048_bits_and_an_odd_exponent() {
        let key = |modulus: &str, exponent| Key { modulus_hex: modulus.to_owned(), exponent }.into_model().is_some();
        let full = "B".repeat(512);
        assert!(key(&full, 65537));
        assert!(!key(&full[..511], 65537) && !key(&full.replace('B', "g"), 65537) && !key(&full, 65536) && !key(&full, 1));
        assert!(!key(&format!("7{}", &full[..511]), 65537), "2047 bits");
        assert!(key(&full, 3) && !key(&full, 0x1b), "an exponent that the API cannot show");
    }
}
