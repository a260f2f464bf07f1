//! Requests of restic's protocol, one at a time.

use super::account::Account;
use super::answer::Answer;
use super::tree::sha256;

/// The path of these bytes below `folder`.
pub fn path(folder: &str, bytes: &[u8]) -> String {
    format!("{folder}{}", sha256(bytes))
}

/// A POST of these bytes.
pub fn post(account: &Account, path: &str, bytes: &[u8]) -> Answer {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("body");
    std::fs::write(&file, bytes).expect("the body is written");
    account.curl(&["-X", "POST", "-H", "Content-Type: application/octet-stream", "--data-binary", &format!("@{}", file.display())], path)
}

pub fn delete(account: &Account, path: &str) -> Answer {
    account.curl(&["-X", "DELETE"], path)
}

/// Stores bytes under their id; their path.
#[track_caller]
pub fn stored(account: &Account, folder: &str, bytes: &[u8]) -> String {
    let path = path(folder, bytes);
    post(account, &path, bytes).expect(200).expect_body(b"");
    path
}
