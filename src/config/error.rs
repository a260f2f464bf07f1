//! What can be wrong with settings, in words that name the setting and where it came from.

use std::path::PathBuf;

use super::layers::Origin;

/// Why there is no configuration. No text holds the value of a secret setting.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the config file {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}, line {line}: {what}", path.display())]
    NotToml { path: PathBuf, line: usize, what: String },
    #[error("{}, line {line}: there is no setting `{key}`", path.display())]
    UnknownKey { path: PathBuf, line: usize, key: String },
    #[error("{}, line {line}: `{key}` is {wanted}", path.display())]
    WrongKind { path: PathBuf, line: usize, key: String, wanted: &'static str },
    #[error("the variable {variable} is not UTF-8")]
    NotUtf8 { variable: String },
    #[error("{name} ({origin}): {why}")]
    Refused { name: &'static str, origin: Origin, why: String },
}

impl ConfigError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name another file with --config, or make this one readable for the user that runs strongroom",
            Self::NotToml { .. } | Self::UnknownKey { .. } | Self::WrongKind { .. } => {
                "config.example.toml shows every setting; `strongroom --help` explains them"
            }
            Self::NotUtf8 { .. } | Self::Refused { .. } => "`strongroom config show` says where each setting comes from",
        }
    }
}
