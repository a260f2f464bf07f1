//! The name of a blob or file of a repository: the SHA-256 of its bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use super::two_hashes::{Begun, sha256_of_two};

/// A SHA-256; written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; 32]);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an id is 64 lower-case hexadecimal digits")]
pub struct IdError;

impl Id {
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// That of each, in less time than one after the other where they are about as long.
    pub fn of_two(bytes: [&[u8]; 2]) -> [Self; 2] {
        sha256_of_two(bytes).map(Self)
    }

    /// That of bytes, and beside it as much of another one as goes in the same time.
    pub fn of_beside(bytes: &[u8], other: &mut Begun, bytes_of_other: &[u8]) -> Self {
        Self(other.advance_beside(bytes_of_other, bytes))
    }

    /// That of bytes of which a part is hashed.
    pub fn of_rest(begun: Begun, bytes: &[u8]) -> Self {
        Self(begun.finish(bytes))
    }

    pub fn hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// The first eight digits, by which people know it.
    pub fn short(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0[..4])
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut bytes = [0; 32];
        let is_whole = text.len() == 64 && data_encoding::HEXLOWER.decode_mut(text.as_bytes(), &mut bytes).is_ok();
        if is_whole { Ok(Self(bytes)) } else { Err(IdError) }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 64];
        data_encoding::HEXLOWER.encode_mut(&self.0, &mut digits);
        serializer.serialize_str(std::str::from_utf8(&digits).expect("hexadecimal digits are ASCII"))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(IdVisitor)
    }
}

/// Without a text of its own for each: an index has millions.
struct IdVisitor;

impl de::Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("64 lower-case hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
        text.parse().map_err(E::custom)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.hex())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_sha_256_in_lower_case_hexadecimal_digits() {
        let id = Id::of(b"abc");
        assert_eq!(id.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(id.hex().parse(), Ok(id));
        assert_eq!(id.short(), "ba7816bf");
        for wrong in ["", "ba7816bf", &id.hex().to_uppercase(), &format!("{id}00"), "zz"] {
            assert_eq!(wrong.parse::<Id>(), Err(IdError), "{wrong}");
            assert!(serde_json::from_value::<Id>(wrong.into()).is_err(), "{wrong}");
        }
        assert_eq!(serde_json::to_value(id).unwrap(), id.hex());
        assert_eq!(serde_json::from_value::<Id>(id.hex().into()).unwrap(), id);
    }
}
