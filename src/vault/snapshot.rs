//! A snapshot: the tree of one backup, and when, where and of what it was made (`doc/design.rst`, "Snapshots").

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::id::Id;

/// One backup.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// RFC 3339, with the offset of where it was made. Use [`Self::at`].
    pub time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Id>,
    pub tree: Id,
    /// Absolute. Where a path is no UTF-8, its nearest text.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub paths: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub username: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uid: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gid: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
    pub excludes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program_version: Option<String>,
    /// What newer programs say of the run; kept as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<serde_json::Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Go writes an empty list as `null`.
fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Snapshot {
    /// When it was made.
    pub fn at(&self) -> jiff::Timestamp {
        self.time.parse().expect("checked when it was read")
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("its keys are texts")
    }

    /// [`Error::Damaged`] for what is no snapshot; `id` is for that error alone.
    pub fn parse(bytes: &[u8], id: &Id) -> Result<Self, Error> {
        let damaged = |why: String| Error::damaged(format!("snapshot {}", id.short()), why);
        let snapshot: Self = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        match snapshot.time.parse::<jiff::Timestamp>() {
            Ok(_) => Ok(snapshot),
            Err(error) => Err(damaged(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_another_program_keeps_its_last_digit() {
        let tree = Id::of(b"a tree");
        let json = format!(r#"{{"time":"2026-11-27T00:00:00Z","tree":"{tree}","paths":[],"summary":{{"share":985.8920854444444}}}}"#);
        let snapshot = Snapshot::parse(json.as_bytes(), &tree).unwrap();
        assert_eq!(String::from_utf8(snapshot.to_bytes()).unwrap(), json);
    }

    #[test]
    fn the_snapshot_of_the_design_document_is_read_and_comes_back() {
        let text =
            br#"{"time":"2015-01-02T18:10:50.895208559+01:00","tree":"2da81727b6585232894cfbb8f8bdab8d1eccd3d8f7c92bc934d62e62e618ffdf",
            "paths":["/tmp/testdata"],"hostname":"kasimir","username":"fd0","uid":1000,"gid":100,"tags":["NL"],"excludes":null,
            "summary":{"files_new":3},"later":1}"#;
        let snapshot = Snapshot::parse(text, &Id::of(text)).unwrap();
        assert_eq!((snapshot.at().as_second(), snapshot.tags.as_slice()), (1_420_218_650, &["NL".to_owned()][..]));
        let bytes = snapshot.to_bytes();
        assert_eq!(Snapshot::parse(&bytes, &Id::of(&bytes)).unwrap(), snapshot);
        assert!(String::from_utf8(bytes).unwrap().contains(r#""summary":{"files_new":3}"#));
    }

    #[test]
    fn what_is_no_snapshot_is_damaged() {
        let tree = Id::of(b"").hex();
        for text in ["", "{}", r#"{"time":"2015-01-02T18:10:50Z"}"#, &format!(r#"{{"time":"yesterday","tree":"{tree}"}}"#)] {
            assert!(matches!(Snapshot::parse(text.as_bytes(), &Id::of(b"")), Err(Error::Damaged { .. })), "{text}");
        }
    }
}
