//! `STORE`: which store this is, and who may open it. A few lines of TOML.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{HomeError, damaged, failed, sync_folder};
use crate::model::stored_file::BlobId;

/// The layout of the data directory that this version writes and reads.
const LAYOUT: u32 = 1;

/// The oldest version that may open what this one writes.
const OLDEST: &str = "0.1.0";

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct StoreFile {
    pub(super) store: String,
    pub(super) layout: u32,
    pub(super) generation: u64,
    pub(super) oldest: String,
    /// What a later version may have added that is safe to keep unread.
    #[serde(flatten)]
    rest: toml::Table,
}

impl StoreFile {
    /// A store that nobody has seen before. Its id is random like a blob's.
    pub(super) fn fresh() -> Self {
        let store = BlobId::random().to_string();
        Self { store, layout: LAYOUT, generation: 0, oldest: OLDEST.to_owned(), rest: toml::Table::new() }
    }
}

/// `None` where there is no `STORE`.
pub(super) fn read(path: &Path) -> Result<Option<StoreFile>, HomeError> {
    let place = path.join("STORE");
    let bytes = match fs::read(&place) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(&place, "reading it", source)),
    };
    let unreadable = || {
        damaged(path, "its STORE file cannot be read: put it back from a copy, or run `strongroom catalog rebuild`, which makes it anew")
    };
    let text = String::from_utf8(bytes).map_err(|_| unreadable())?;
    let table: toml::Table = toml::from_str(&text).map_err(|_| unreadable())?;
    // A newer layout may look different in all but these two.
    let needed = table.get("oldest").and_then(toml::Value::as_str).and_then(version).ok_or_else(unreadable)?;
    let layout = table.get("layout").and_then(toml::Value::as_integer).ok_or_else(unreadable)?;
    if layout > i64::from(LAYOUT) || Some(needed) > version(env!("CARGO_PKG_VERSION")) {
        let needed = table.get("oldest").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        return Err(HomeError::TooNew { path: path.display().to_string(), needed });
    }
    let store: StoreFile = table.try_into().map_err(|_| unreadable())?;
    store.store.parse::<BlobId>().map_err(|_| unreadable())?;
    Ok(Some(store))
}

/// Replaces `STORE`, whole or not at all; durable when it returns.
pub(super) fn write(path: &Path, store: &StoreFile) -> Result<(), HomeError> {
    let (place, fresh) = (path.join("STORE"), path.join("STORE.new"));
    let text = toml::to_string(store).expect("plain fields can be written as TOML");
    let write = || {
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &place)?;
        sync_folder(path)
    };
    write().map_err(|source| failed(&place, "writing it", source))
}

/// Moves an unreadable `STORE` out of the way; its bytes stay for whoever can read them.
pub(super) fn set_aside(path: &Path) -> Result<(), HomeError> {
    let place = path.join("STORE");
    fs::rename(&place, path.join("STORE.damaged")).map_err(|source| failed(&place, "moving it aside", source))
}

/// `1.2.3` as numbers that compare.
fn version(text: &str) -> Option<[u64; 3]> {
    let numbers: Vec<u64> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    numbers.try_into().ok()
}
