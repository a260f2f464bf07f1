//! What a vault call can fail with, as far as a caller can act on it. No text holds a password or an access URL.

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// [`super::cancel::Cancel`] was raised.
    #[error("cancelled")]
    Cancelled,
    /// No key of the repository opens with this password; a key that is damaged looks the same.
    #[error("wrong password, or no key that it opens")]
    WrongPassword,
    /// The place can be reached and holds no `config`.
    #[error("there is no repository at {0}")]
    NoRepository(String),
    /// `init` where a repository is.
    #[error("there is a repository at {0} already")]
    AlreadyExists(String),
    /// A file of the repository, a snapshot, or what was asked for by name.
    #[error("{0} is not there")]
    NotFound(String),
    /// Bytes that are not what was stored: a wrong SHA-256 or MAC, or a text that does not parse.
    #[error("{what} is damaged: {why}")]
    Damaged { what: String, why: String },
    /// Somebody else's lock is in the way.
    #[error("the repository is locked by {0}")]
    Locked(String),
    /// The place does not do it and will not do it if asked again: 4xx, or a permission.
    #[error("the repository's place refuses: {0}")]
    Refused(String),
    /// The place is full, or its quota is used up.
    #[error("there is no room: {0}")]
    Full(String),
    /// The place cannot be reached, after all retries.
    #[error("{doing} failed")]
    Unavailable { doing: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// The repository needs what this version does not know.
    #[error("{0}")]
    Unsupported(String),
    /// A local file that the work cannot do without.
    #[error("{path}")]
    Local { path: String, source: std::io::Error },
}

impl Error {
    pub fn damaged(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged { what: what.into(), why: why.into() }
    }

    /// Whether it is a disk that answers, and cannot read what was asked for: other bytes of the same file may be readable.
    pub fn is_bad_disk(&self) -> bool {
        let Self::Unavailable { source, .. } = self else { return false };
        let number = source.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
        number == Some(rustix::io::Errno::IO.raw_os_error())
    }
}
