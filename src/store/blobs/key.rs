//! Readable blob keys: `ACCOUNT/` + the encoded name + `@CREATED-SHA256HEX-RANDOM`.
//!
//! * Each segment of the name is percent-encoded (`%`, `@`, control characters, a `.` that would begin a component). Where it is
//!   longer than 120 bytes it is cut, between characters, into folders whose names end in a bare `%`.
//! * So a folder never has the name of a file (no folder holds an `@`), nor a cut folder that of a whole segment (an encoded
//!   segment never ends in a bare `%`), and no component can climb or hide: none begins with a `.`.
//! * A last component has at most 229 bytes, a key at most 2,455.

use crate::model::access::AccountId;
use crate::model::digest::Sha256Digest;
use crate::model::file_name::FileName;
use crate::model::instant::Instant;
use crate::model::stored_file::{BlobId, StoredFile};

/// Everything a blob's key says; enough to rebuild its row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobKey {
    pub account: AccountId,
    pub name: FileName,
    /// Whole seconds.
    pub kept_from: Instant,
    pub sha256: Sha256Digest,
    pub id: BlobId,
}

/// The most bytes of a name that one component carries.
const PART_BYTES: usize = 120;
/// The longest last component.
pub(super) const COMPONENT_BYTES: usize = PART_BYTES + "@20261120T120000Z-".len() + 64 + "-".len() + 26;
/// The longest key: a name of one segment in which every byte is encoded.
pub(super) const KEY_BYTES: usize = 2_455;

impl BlobKey {
    pub fn of(file: &StoredFile) -> Self {
        Self { account: file.account.clone(), name: file.name.clone(), kept_from: file.kept_from, sha256: file.sha256, id: file.id.clone() }
    }

    /// The key as a path relative to `blobs/`, `/` between components.
    pub fn to_path(&self) -> String {
        let mut path = self.account.to_string();
        for segment in self.name.segments() {
            path.push('/');
            push_segment(&mut path, segment);
        }
        path.push_str(&format!("@{}-{}-{}", self.kept_from.compact(), self.sha256.hex(), self.id));
        path
    }

    /// The inverse of [`BlobKey::to_path`]; `None` for what it would not have written.
    pub fn parse(path: &str) -> Option<Self> {
        let (account, rest) = path.split_once('/')?;
        let (name, facts) = rest.rsplit_once('@')?;
        let mut facts = facts.splitn(3, '-');
        let key = Self {
            account: account.parse().ok()?,
            name: FileName::parse(&decoded_name(name)?).ok()?,
            kept_from: Instant::parse_compact(facts.next()?)?,
            sha256: facts.next()?.parse().ok()?,
            id: facts.next()?.parse().ok()?,
        };
        (key.to_path() == path).then_some(key)
    }
}

/// Whether blobs of ours may lie in a folder of this name below an account's; a first look, which `parse` makes exact.
pub(super) fn may_be_folder(component: &str) -> bool {
    component.len() <= PART_BYTES + 1
        && !component.starts_with('.')
        && !component.chars().any(|letter| letter == '@' || letter.is_control())
}

/// Appends the components of one segment of a name.
fn push_segment(path: &mut String, segment: &str) {
    let mut start = path.len();
    for letter in segment.chars() {
        let length = path.len();
        push_letter(path, letter, length == start);
        if path.len() - start > PART_BYTES {
            path.truncate(length);
            path.push_str("%/");
            start = path.len();
            push_letter(path, letter, true);
        }
    }
}

fn push_letter(path: &mut String, letter: char, is_first: bool) {
    if matches!(letter, '%' | '@') || letter.is_control() || (letter == '.' && is_first) {
        let mut bytes = [0; 4];
        for byte in letter.encode_utf8(&mut bytes).bytes() {
            path.push_str(&format!("%{byte:02X}"));
        }
    } else {
        path.push(letter);
    }
}

/// The name behind encoded components, with its leading `/`; lenient, since the caller encodes again and compares.
fn decoded_name(encoded: &str) -> Option<Vec<u8>> {
    let joined = encoded.replace("%/", "");
    let mut bytes = joined.bytes();
    let mut name = vec![b'/'];
    while let Some(byte) = bytes.next() {
        name.push(if byte == b'%' { hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)? } else { byte });
    }
    Some(name)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::file_name::MAX_NAME_BYTES;

    fn key(name: &str) -> BlobKey {
        BlobKey {
            account: "Y21R3P".parse().expect("six letters"),
            name: FileName::parse(name.as_bytes()).expect(name),
            kept_from: Instant::from_seconds(1_795_176_000),
            sha256: Sha256Digest::of(b"bytes"),
            id: "abcdefghijklmnopqrstuvwxyz".parse().expect("26 letters"),
        }
    }

    fn facts() -> String {
        format!("@20261120T120000Z-{}-abcdefghijklmnopqrstuvwxyz", Sha256Digest::of(b"bytes").hex())
    }

    /// The encoded name alone.
    fn encoded(name: &str) -> String {
        let path = key(name).to_path();
        path.strip_prefix("Y21R3P/").and_then(|rest| rest.strip_suffix(&facts())).expect("account and facts frame the name").to_owned()
    }

    #[test]
    fn keys_read_well() {
        for (name, expected) in [
            ("/db/dump.sql.gz", "db/dump.sql.gz"),
            ("/.profile", "%2Eprofile"),
            ("/a.b/..c", "a.b/%2E.c"),
            ("/50%@home", "50%25%40home"),
            ("/%2E", "%252E"),
            ("/é\u{85}x", "é%C2%85x"),
            ("/a b\\c:*?", "a b\\c:*?"),
        ] {
            assert_eq!(encoded(name), expected);
        }
    }

    #[test]
    fn long_segments_are_cut_between_characters() {
        let whole = "x".repeat(120);
        assert_eq!(encoded(&format!("/{whole}")), whole);
        assert_eq!(encoded(&format!("/{whole}y/z")), format!("{whole}%/y/z"));
        assert_eq!(encoded(&format!("/{whole}.y")), format!("{whole}%/%2Ey"), "a dot that comes to begin a component is encoded");
        assert_eq!(encoded(&format!("/{}é", &whole[..119])), format!("{}%/é", &whole[..119]), "not inside a character");
        assert_eq!(encoded(&format!("/{}%", &whole[..118])), format!("{}%/%25", &whole[..118]), "not inside an escape");
        assert_eq!(
            encoded(&format!("/{}\u{85}", &whole[..117])),
            format!("{}%/%C2%85", &whole[..117]),
            "not between escapes of one character"
        );
    }

    #[test]
    fn limits_are_exact() {
        let widest = key(&format!("/{}", "%".repeat(MAX_NAME_BYTES - 1))).to_path();
        assert_eq!(widest.len(), KEY_BYTES);
        assert_eq!(COMPONENT_BYTES, 229);
        let last = key(&format!("/{}", "x".repeat(120))).to_path();
        assert_eq!(last.rsplit('/').next().map(str::len), Some(COMPONENT_BYTES));
    }

    #[test]
    fn foreign_paths_are_refused() {
        let facts = facts();
        let good = format!("Y21R3P/a{facts}");
        assert_eq!(BlobKey::parse(&good), Some(key("/a")));
        for bad in [
            String::new(),
            "Y21R3P".to_owned(),
            "Y21R3P/a".to_owned(),
            format!("y21r3p/a{facts}"),
            format!("/Y21R3P/a{facts}"),
            format!("Y21R3P//a{facts}"),
            format!("Y21R3P/{facts}"),
            format!("Y21R3P/../a{facts}"),
            format!("Y21R3P/./a{facts}"),
            format!("Y21R3P/.a{facts}"),
            format!("Y21R3P/%2e{facts}"),
            format!("Y21R3P/%41{facts}"),
            format!("Y21R3P/%{facts}"),
            format!("Y21R3P/%4{facts}"),
            format!("Y21R3P/%FF{facts}"),
            format!("Y21R3P/a%2Fb{facts}"),
            format!("Y21R3P/a%00{facts}"),
            format!("Y21R3P/a%/b{facts}"),
            format!("Y21R3P/a{facts}.part"),
            format!("Y21R3P/a{facts}/b{facts}"),
            format!("Y21R3P/a{}", facts.to_uppercase()),
            good.replace("20261120T", "20261320T"),
            good.replace("abcdefgh", "abcdefg1"),
            format!("Y21R3P/{}{facts}", "x".repeat(121)),
        ] {
            assert_eq!(BlobKey::parse(&bad), None, "{bad}");
        }
    }

    /// Names rich in what is encoded, cut and special.
    fn names() -> impl Strategy<Value = FileName> {
        let letter = prop_oneof![Just('.'), Just('%'), Just('@'), Just('\u{85}'), Just('é'), Just('🦀'), Just('a'), any::<char>()];
        let segment = prop_oneof![
            prop::collection::vec(letter.clone(), 1..8),
            prop::collection::vec(letter, 100..180),
            (100usize..140, any::<bool>()).prop_map(|(count, dot)| {
                let mut letters = vec!['x'; count];
                letters.push(if dot { '.' } else { '%' });
                letters
            })
        ];
        prop::collection::vec(segment, 1..5).prop_filter_map("a valid name", |segments| {
            let text: String = segments.iter().map(|letters| format!("/{}", letters.iter().collect::<String>())).collect();
            FileName::parse(text.as_bytes()).ok()
        })
    }

    prop_compose! {
        fn keys()(name in names(), seconds in 0i64..253_402_300_800, sha256: [u8; 32]) -> BlobKey {
            let sha256 = Sha256Digest(sha256);
            BlobKey { account: AccountId::random(), name, kept_from: Instant::from_seconds(seconds), sha256, id: BlobId::random() }
        }
    }

    proptest! {
        #[test]
        fn every_key_round_trips_within_its_limits(key in keys()) {
            let path = key.to_path();
            prop_assert_eq!(BlobKey::parse(&path), Some(key));
            prop_assert!(path.len() <= KEY_BYTES);
            let components: Vec<&str> = path.split('/').collect();
            for component in &components {
                prop_assert!(!component.is_empty() && !component.starts_with('.') && component.len() <= COMPONENT_BYTES);
                prop_assert!(!component.chars().any(char::is_control));
            }
            for folder in &components[..components.len() - 1] {
                prop_assert!(may_be_folder(folder), "{}", folder);
            }
        }

        #[test]
        fn no_folder_of_one_key_is_the_file_of_another(left in keys(), right in keys()) {
            let (left, right) = (left.to_path(), right.to_path());
            let folders: HashSet<&str> = left.match_indices('/').map(|(at, _)| &left[..at]).collect();
            prop_assert!(!folders.contains(right.as_str()));
        }

        #[test]
        fn two_names_never_share_a_path(left in names(), right in names()) {
            let facts = key("/a");
            let path = |name: &FileName| BlobKey { name: name.clone(), ..facts.clone() }.to_path();
            prop_assert_eq!(path(&left) == path(&right), left == right);
        }

        #[test]
        fn what_parses_is_what_would_have_been_written(name in "([a%./@%]|%2E|%25|%40|%/|é|x{118,121}){1,9}") {
            let path = format!("Y21R3P/{name}{}", facts());
            if let Some(key) = BlobKey::parse(&path) {
                prop_assert_eq!(key.to_path(), path);
            }
        }
    }
}
