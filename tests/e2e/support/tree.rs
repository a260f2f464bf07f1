//! Bytes for tests, and what lies on disk.

use std::path::{Path, PathBuf};

/// `length` bytes that do not repeat within a file and differ from those of another seed.
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
}

/// `sha-256=:BASE64:`, as RFC 9530 spells it.
pub fn repr_digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    format!("sha-256=:{}:", data_encoding::BASE64.encode(&sha2::Sha256::digest(bytes)))
}

/// All plain files below `folder`, sorted; none where the folder is missing.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a folder entry is read").path();
            match path.symlink_metadata() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(_) => found.push(path),
                // It went while we looked.
                Err(_) => {}
            }
        }
    }
    found.sort();
    found
}

/// Writes a file that its owner alone may read.
pub fn write_private(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = std::fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).expect("a file is written");
}

/// A number between 0 and `below`, from a seed that is advanced.
pub fn random(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed % below
}
