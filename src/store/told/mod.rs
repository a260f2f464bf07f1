//! Hides in the small copies under `blobs/.control/`: a rebuild, and a catalog older than the files, bring no hidden file back.
//!
//! Each copy is a list of files by their random part: hidden at an instant, or back again. Copies are numbered, and a later one is
//! right. They are written within a minute of what they tell, and when they become many, all that is hidden is told once more in new
//! ones and the older ones go. What is told of a blob without a row waits for the blob in `told_hides`.

mod load;
mod tell;

use serde::{Deserialize, Serialize};

use super::blobs::{BlobError, Blobs};
use crate::model::digest::Sha256Digest;

pub(super) use load::become_hidden;

const SUFFIX: &str = ".hides.zst";

/// What one copy tells.
#[derive(Debug, Serialize, Deserialize)]
struct HidesCopy {
    format: u32,
    store_id: String,
    /// Of two copies the one with the higher number is right.
    number: i64,
    files: Vec<Told>,
    /// When files that are there again were hidden: random part, from, until.
    #[serde(default)]
    absences: Vec<Absence>,
}

type Absence = (String, i64, i64);

/// What became of one file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Told {
    random: String,
    created_at: i64,
    /// `None` for one that is live again.
    hidden_at: Option<i64>,
}

impl HidesCopy {
    /// Its name and its bytes.
    fn encode(&self) -> std::io::Result<(String, Vec<u8>)> {
        let bytes = zstd::encode_all(&serde_json::to_vec(self)?[..], 3)?;
        Ok((format!("{:012}-{}{SUFFIX}", self.number, Sha256Digest::of(&bytes).hex()), bytes))
    }

    /// `None` for what is damaged, or of another format.
    fn decode(name: &str, bytes: &[u8]) -> Option<Self> {
        let sha256 = name.strip_suffix(SUFFIX)?.rsplit('-').next()?;
        (Sha256Digest::of(bytes).hex() == sha256).then_some(())?;
        let copy: Self = serde_json::from_slice(&zstd::decode_all(bytes).ok()?).ok()?;
        (copy.format == 1).then_some(copy)
    }
}

/// Names of all copies of hides, the oldest first.
fn hides_copies(blobs: &dyn Blobs) -> std::result::Result<Vec<String>, BlobError> {
    let mut names: Vec<String> = blobs.list_control()?.into_iter().filter(|name| name.ends_with(SUFFIX)).collect();
    names.sort_unstable();
    Ok(names)
}

fn number_of(name: &str) -> Option<i64> {
    name.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_or_none() {
        let file = Told { random: "a".repeat(26), created_at: 5, hidden_at: Some(7) };
        let copy =
            HidesCopy { format: 1, store_id: "id".to_owned(), number: 12, files: vec![file], absences: vec![("b".repeat(26), 1, 2)] };
        let (name, bytes) = copy.encode().expect("it can be written");
        assert_eq!(number_of(&name), Some(12));
        let read = HidesCopy::decode(&name, &bytes).expect("it is whole");
        assert_eq!((read.number, read.files[0].hidden_at), (12, Some(7)));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(HidesCopy::decode(&name, &damaged).is_none(), "{place}");
        }
        let (other, bytes) = HidesCopy { format: 2, ..copy }.encode().expect("it can be written");
        assert!(HidesCopy::decode(&other, &bytes).is_none(), "another format");
    }
}
