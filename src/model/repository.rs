//! The names of restic repositories in a vault: `PREFIX` + `config`, or `PREFIX` + `TYPE/ID`.
//!
//! Types and ids are those of restic's REST protocol ("REST Backend" in its documentation). A prefix is empty or up to four
//! segments, so that one vault holds several repositories; none of them is a word that the protocol itself uses.

use super::digest::Sha256Digest;
use super::file_name::FileName;

/// What a file is to its repository.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FileType {
    Data,
    Index,
    Snapshots,
    Keys,
    /// The one type that is never a file of ours.
    Locks,
}

impl FileType {
    pub const ALL: [Self; 5] = [Self::Data, Self::Index, Self::Snapshots, Self::Keys, Self::Locks];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Index => "index",
            Self::Snapshots => "snapshots",
            Self::Keys => "keys",
            Self::Locks => "locks",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a repository begins: `/`, or up to four segments between slashes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Prefix(String);

const MAX_SEGMENTS: usize = 4;
const MAX_SEGMENT_BYTES: usize = 64;
const CONFIG: &str = "config";

impl Prefix {
    /// `path` begins and ends with a slash.
    fn parse(path: &str) -> Option<Self> {
        let segments = path.strip_prefix('/')?;
        let fits =
            segments.is_empty() || segments.strip_suffix('/')?.split('/').all(is_segment) && segments.matches('/').count() <= MAX_SEGMENTS;
        fits.then(|| Self(path.to_owned()))
    }

    /// With both slashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What all files of the type have in common: `PREFIX` + `TYPE/`.
    pub fn folder(&self, kind: FileType) -> String {
        format!("{}{}/", self.0, kind.as_str())
    }
}

fn is_segment(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_reserved = matches!(text, "" | "." | ".." | CONFIG) || FileType::parse(text).is_some();
    !is_reserved && text.len() <= MAX_SEGMENT_BYTES && text.bytes().all(is_plain)
}

/// What a path means to a repository.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RepositoryPath {
    /// The repository itself.
    Root(Prefix),
    Config(Prefix),
    /// A list of the type's files.
    Folder(Prefix, FileType),
    /// The bytes whose SHA-256 is the id.
    File(Prefix, FileType, Sha256Digest),
}

impl RepositoryPath {
    /// `path` as a request has it: nothing in it needs percent-encoding, so nothing is decoded. `None` for what is none.
    pub fn parse(path: &str) -> Option<Self> {
        let (parent, last) = path.rsplit_once('/')?;
        if last == CONFIG {
            return Prefix::parse(&path[..=parent.len()]).map(Self::Config);
        }
        let (before, folder) = parent.rsplit_once('/').unwrap_or(("", parent));
        match FileType::parse(folder).filter(|_| !parent.is_empty()) {
            Some(kind) => {
                let prefix = Prefix::parse(&format!("{before}/"))?;
                if last.is_empty() { Some(Self::Folder(prefix, kind)) } else { Some(Self::File(prefix, kind, id(last)?)) }
            }
            None if last.is_empty() => Prefix::parse(path).map(Self::Root),
            None => None,
        }
    }

    /// The name under which its bytes are kept; `None` for what has none.
    pub fn name(&self) -> Option<FileName> {
        let name = match self {
            Self::Config(prefix) => format!("{}{CONFIG}", prefix.0),
            Self::File(prefix, kind, id) => format!("{}{}", prefix.folder(*kind), id.hex()),
            Self::Root(_) | Self::Folder(..) => return None,
        };
        Some(FileName::parse(name.as_bytes()).expect("a prefix and a type make a short plain name"))
    }
}

/// 64 hexadecimal digits in lower case, and nothing else.
fn id(text: &str) -> Option<Sha256Digest> {
    let is_lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.parse().ok().filter(|_| is_lower && text.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn every_kind_of_path_is_told_apart() {
        let prefix = |text: &str| Prefix(text.to_owned());
        let sha256 = || ID.parse().expect("a digest");
        for start in ["/", "/web/", "/a/b.c/d_e/f-g/"] {
            let parse = |rest: &str| RepositoryPath::parse(&format!("{start}{rest}"));
            assert_eq!(parse(""), Some(RepositoryPath::Root(prefix(start))));
            assert_eq!(parse("config"), Some(RepositoryPath::Config(prefix(start))));
            for kind in FileType::ALL {
                assert_eq!(parse(&format!("{}/", kind.as_str())), Some(RepositoryPath::Folder(prefix(start), kind)));
                let file = parse(&format!("{}/{ID}", kind.as_str()));
                assert_eq!(file, Some(RepositoryPath::File(prefix(start), kind, sha256())));
                let name = file.and_then(|file| file.name()).map(|name| name.to_string());
                assert_eq!(name, Some(format!("{start}{}/{ID}", kind.as_str())));
                assert_eq!(parse(kind.as_str()), None, "a type without a slash at its end");
            }
        }
    }

    #[test]
    fn whatever_else_a_path_may_be_is_none() {
        let upper = ID.to_uppercase();
        for rest in [
            "",
            "x",
            "config/",
            "config/x",
            "data//",
            "data/x",
            "/data/",
            "//",
            "../config",
            "./config",
            "a/../config",
            "a//config",
            "data/config",
            "keys/config/",
            "a/b/c/d/e/config",
            "a/b/c/d/e/",
            "a b/config",
            "%61/config",
            "é/config",
            "a@b/config",
            &format!("data/{}", &ID[1..]),
            &format!("data/{ID}0"),
            &format!("data/{ID}/"),
            &format!("data/9f/{ID}"),
            &format!("data/{upper}"),
            &format!("packs/{ID}"),
            &format!("config/data/{ID}"),
            &format!("locks/data/{ID}"),
            &format!("{}/config", "x".repeat(65)),
        ] {
            let path = format!("/{rest}");
            let parsed = RepositoryPath::parse(&path);
            assert!(parsed.is_none() || path == "/", "{path}: {parsed:?}");
        }
        assert_eq!(RepositoryPath::parse(""), None);
        assert!(RepositoryPath::parse(&format!("/{}/config", "x".repeat(64))).is_some());
    }
}
