//! Where a repository is, as a command line says it: an access URL (also of a dated view or a session), `rest:URL` as `restic` spells
//! it, or a folder. What is printed of it, even with `{:?}`, holds neither password nor session token.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

pub mod address;

use address::Address;

/// Where a repository is.
#[derive(Clone, PartialEq, Eq)]
pub struct Location(Place);

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    Folder(PathBuf),
    Server(Address),
}

/// Why a text says no place. It holds nothing of the text, which may hold a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LocationError {
    #[error("no repository is named")]
    Empty,
    #[error(
        "this kind of place is not supported; a repository is at an access URL, rest:URL, or a folder (local:FOLDER where it has a colon)"
    )]
    UnknownKind,
    #[error("the access URL is not well formed: {0}")]
    Url(&'static str),
}

impl Location {
    /// Looks at the text alone: nothing is opened or asked. A text with a colon is a folder only with `local:` before it or where it
    /// starts with `/` or `.`, so that `sftp:…` does not quietly become a folder.
    pub fn parse(text: impl AsRef<OsStr>) -> Result<Self, LocationError> {
        let text = text.as_ref();
        if let Some(path) = text.as_bytes().strip_prefix(b"local:") {
            return Self::folder(OsStr::from_bytes(path));
        }
        let Some(words) = text.to_str() else { return Self::folder(text) };
        if let Some(url) = words.strip_prefix("rest:") {
            return Address::parse(url).map(|address| Self(Place::Server(address)));
        }
        if Address::is_meant_by(words) {
            return Address::parse(words).map(|address| Self(Place::Server(address)));
        }
        if words.contains(':') && !words.starts_with(['/', '.']) {
            return Err(LocationError::UnknownKind);
        }
        Self::folder(text)
    }

    fn folder(path: &OsStr) -> Result<Self, LocationError> {
        if path.is_empty() { Err(LocationError::Empty) } else { Ok(Self(Place::Folder(Path::new(path).to_owned()))) }
    }

    /// What is at this address.
    pub const fn of(address: Address) -> Self {
        Self(Place::Server(address))
    }

    pub(super) const fn place(&self) -> &Place {
        &self.0
    }

    /// Where it is a folder of this machine.
    pub fn as_folder(&self) -> Option<&Path> {
        match &self.0 {
            Place::Folder(path) => Some(path),
            Place::Server(_) => None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Folder(path) => write!(out, "{}", path.display()),
            Place::Server(address) => write!(out, "{address}"),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Location::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
    }

    #[test]
    fn what_is_no_url_is_a_folder() {
        for (text, folder) in [
            ("/srv/vault", "/srv/vault"),
            ("vault", "vault"),
            ("../a:b", "../a:b"),
            ("./a:b", "./a:b"),
            ("/a:b", "/a:b"),
            ("local:a:b", "a:b"),
            ("local:/srv/vault", "/srv/vault"),
        ] {
            assert_eq!(Location::parse(text).expect(text).as_folder(), Some(Path::new(folder)), "{text}");
        }
        let foreign = OsStr::from_bytes(b"va\xffult");
        assert_eq!(Location::parse(foreign).expect("any bytes").as_folder(), Some(Path::new(foreign)));
    }

    #[test]
    fn a_place_of_a_kind_that_is_not_known_does_not_become_a_folder() {
        for text in ["sftp:user@host:/srv", "s3:s3.amazonaws.com/bucket", "b2:bucket", "ftp://host/", "rclone:remote:x", "a:b"] {
            assert_eq!(Location::parse(text), Err(LocationError::UnknownKind), "{text}");
        }
        assert_eq!(Location::parse(""), Err(LocationError::Empty));
        assert_eq!(Location::parse("local:"), Err(LocationError::Empty));
    }

    #[test]
    fn a_password_or_session_token_is_never_printed() {
        for (text, expected) in [
            ("https://USER:S3CRET@vault.example/", "https://USER:***@vault.example/"),
            ("rest:https://USER:S3CRET@vault.example:8443/web", "https://USER:***@vault.example:8443/web/"),
            ("https://USER:S3CRET@vault.example/@2026-11-19/web", "https://USER:***@vault.example/@2026-11-19/web/"),
            ("https://vault.example/session/S3CRET/web/", "https://vault.example/session/***/web/"),
            ("https://vault.example/session/S3CRET", "https://vault.example/session/***/"),
            ("https://vault.example//session/S3CRET/a", "https://vault.example//session/***/a/"),
            ("HTTP://:S3CRET@[::1]:8000", "http://:***@[::1]:8000/"),
            ("https://USER@vault.example/", "https://USER@vault.example/"),
        ] {
            assert_eq!(shown(text), expected);
            let location = Location::parse(text).expect(text);
            assert!(!format!("{location:?} {location:#?}").contains("S3CRET"), "{location:?}");
        }
    }

    #[test]
    fn the_refusal_of_a_url_says_nothing_of_it() {
        for text in [
            "https://USER:S3/CRET@host/",
            "https://USER:S3#CRET@host/",
            "https://USER:S3?CRET@host/",
            "https://USER:S3CRET%zz@host/",
            "https://USER:S3CRET@/",
            "https://USER:S3CRET@ho st/",
            "https://USER:S3CRET@host:99999/",
            "https://USER:S3CRET@[::1/",
            "rest:USER:S3CRET@host",
            "rest:",
        ] {
            let error = Location::parse(text).expect_err(text);
            let said = format!("{error} {error:?}");
            for part in ["S3", "CRET", "USER"] {
                assert!(!said.contains(part), "{text}: {said}");
            }
        }
    }
}
