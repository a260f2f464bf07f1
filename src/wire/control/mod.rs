//! The objects of the Cloud Backup API v1.0: what clients read, member for member in the API's own order, and what they send.

pub mod activity;
pub mod agent;
pub mod backup;
pub mod configuration;
pub mod item;
pub mod report;
pub mod restore;

use serde::Serialize;

use crate::model::agent::PublicKey;

/// Of every agent; there is no other.
pub const FLAVOR: &str = "RaxCloudServer";

/// An RSA key. The exponent's hexadecimal digits are written as a number: 65537 is 10001.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Key<'a> {
    modulus_hex: &'a str,
    exponent_hex: i64,
}

impl<'a> Key<'a> {
    pub fn of(key: &'a PublicKey) -> Self {
        Self { modulus_hex: &key.modulus_hex, exponent_hex: exponent_hex(key.exponent) }
    }
}

/// The exponent's hexadecimal digits, read as a decimal number; 0 where they are none.
pub fn exponent_hex(exponent: i64) -> i64 {
    format!("{exponent:x}").parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_is_written_in_the_digits_of_its_hexadecimal_form() {
        let key = PublicKey { modulus_hex: "b3".to_owned(), exponent: 65537 };
        assert_eq!(serde_json::to_string(&Key::of(&key)).expect("JSON"), r#"{"ModulusHex":"b3","ExponentHex":10001}"#);
        assert_eq!(exponent_hex(3), 3);
    }
}
