//! The `config` file of a repository: which version of the format it has, and its id.

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::id::Id;
use super::{crypto, polynomial};

/// The format of a repository. Version 2 is version 1 with compression.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum Version {
    One,
    Two,
}

/// What is said once about a repository, when it is made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Config {
    pub version: Version,
    /// Random; by it caches and messages know a repository.
    pub id: Id,
    /// For restic's chunker; hexadecimal.
    #[serde(with = "hex")]
    pub chunker_polynomial: u64,
}

impl Config {
    /// That of a new repository.
    pub fn random(version: Version) -> Self {
        let mut id = [0; 32];
        crypto::random(&mut id);
        Self { version, id: Id(id), chunker_polynomial: polynomial::random_irreducible() }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("its keys are texts")
    }

    /// [`Error::Unsupported`] for a version other than 1 and 2, [`Error::Damaged`] for what is no configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let damaged = |error: serde_json::Error| Error::damaged("config", error.to_string());
        let Versioned { version } = serde_json::from_slice(bytes).map_err(damaged)?;
        if !(1..=2).contains(&version) {
            return Err(Error::Unsupported(format!("the repository has format version {version}; this program knows 1 and 2")));
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }
}

impl TryFrom<u32> for Version {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, &'static str> {
        match number {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            _ => Err("a version that this program does not know"),
        }
    }
}

impl From<Version> for u32 {
    fn from(version: Version) -> Self {
        match version {
            Version::One => 1,
            Version::Two => 2,
        }
    }
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_of_the_design_document_is_read_and_written_again() {
        let text = br#"{"version":1,"id":"5956a3f67a6230d4a92cefb29529f10196c7d92582ec305fd71ff6d331d6271b","chunker_polynomial":"25b468838dcb75"}"#;
        let config = Config::parse(text).unwrap();
        assert_eq!((config.version, config.chunker_polynomial), (Version::One, 0x25_b468_838d_cb75));
        assert_eq!(config.to_bytes(), text);
    }

    #[test]
    fn another_version_is_said_to_be_unknown_and_nonsense_to_be_damage() {
        for text in [&br#"{"version":3}"#[..], br#"{"version":0,"id":"x"}"#] {
            assert!(matches!(Config::parse(text), Err(Error::Unsupported(_))));
        }
        for text in [&b""[..], b"{}", br#"{"version":2}"#, br#"{"version":2,"id":"","chunker_polynomial":"1"}"#] {
            assert!(matches!(Config::parse(text), Err(Error::Damaged { .. })));
        }
    }

    #[test]
    fn no_two_are_alike() {
        let (one, two) = (Config::random(Version::Two), Config::random(Version::Two));
        assert!(one.id != two.id && one.chunker_polynomial != two.chunker_polynomial);
        assert_eq!(Config::parse(&one.to_bytes()).unwrap(), one);
    }
}
