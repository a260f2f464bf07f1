//! Secrets that a test plants, and the places where they must not turn up.

use std::path::Path;

use super::tree;

/// Whatever was said, kept or shown, by its place.
pub type Places = Vec<(String, Vec<u8>)>;

/// The ways in which a secret may be written.
fn spellings(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned(), secret.to_uppercase()];
    all.push(data_encoding::HEXLOWER.encode(secret.as_bytes()));
    all.push(secret.bytes().map(|byte| format!("%{byte:02x}")).collect());
    for before in 0..3 {
        // Base64 of it after any text; the ends depend on what is around it.
        let encoded = data_encoding::BASE64.encode(&[&b"xx"[..before], secret.as_bytes()].concat());
        all.push(encoded[4..encoded.len() - 4].to_owned());
    }
    all
}

/// Which of them is where.
pub fn found(secrets: &[&str], places: &Places) -> Option<String> {
    places.iter().find_map(|(place, bytes)| {
        let text = String::from_utf8_lossy(bytes);
        let all = secrets.iter().flat_map(|secret| spellings(secret));
        all.filter(|spelling| text.contains(spelling)).map(|spelling| format!("{spelling} is in {place}")).next()
    })
}

/// How many bytes were looked at.
#[track_caller]
pub fn expect_nowhere(secrets: &[&str], places: &Places) -> usize {
    assert_eq!(found(secrets, places), None);
    places.iter().map(|(_, bytes)| bytes.len()).sum()
}

pub fn files(places: &mut Places, folder: &Path) {
    let files = tree::files_below(folder).into_iter().filter(|file| file.symlink_metadata().is_ok_and(|file| file.is_file()));
    places.extend(files.map(|file| (file.display().to_string(), std::fs::read(&file).expect("the file is read"))));
}
