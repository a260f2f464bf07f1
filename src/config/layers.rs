//! Where settings come from: flags, then the environment, then the file, then the defaults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::file;
use super::setting::{SETTINGS, Setting};

/// Who set a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    Flag(String),
    Environment(String),
    File { path: PathBuf, line: usize },
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(out, "--{flag}"),
            Self::Environment(variable) => out.write_str(variable),
            Self::File { path, line } => write!(out, "{}, line {line}", path.display()),
            Self::Default => out.write_str("default"),
        }
    }
}

/// One effective value, as text.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    pub text: String,
    pub origin: Origin,
}

impl fmt::Debug for Value {
    /// The text may be a secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "redacted ({})", self.origin)
    }
}

/// What the command line says: the config file, and settings by name.
#[derive(Clone, Default)]
pub struct Flags {
    pub config_file: Option<PathBuf>,
    pub values: BTreeMap<&'static str, String>,
}

/// The process's surroundings, as far as settings depend on them.
pub(super) struct Surroundings<'a> {
    pub environment: &'a dyn Fn(&str) -> Option<OsString>,
    /// Config files that are read when none is named: the first that exists.
    pub standard_files: &'a [PathBuf],
}

/// The effective text of every setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layers {
    values: BTreeMap<&'static str, Value>,
    /// The config file that was read, if any.
    pub file: Option<PathBuf>,
}

impl Layers {
    /// Reads the config file and lays environment and flags over it.
    pub(super) fn gather(flags: &Flags, surroundings: &Surroundings<'_>) -> Result<Self, ConfigError> {
        let (file, from_file) = read_file(flags, surroundings)?;
        let mut values: BTreeMap<&'static str, Value> = SETTINGS.iter().map(|setting| (setting.name, default_of(setting))).collect();
        values.extend(from_file);
        for setting in &SETTINGS {
            values.extend(from_environment(setting, surroundings)?.map(|value| (setting.name, value)));
            values.extend(from_flags(setting, flags).map(|value| (setting.name, value)));
        }
        Ok(Self { values, file })
    }

    /// The value of a setting in the table.
    pub fn get(&self, name: &'static str) -> &Value {
        self.values.get(name).expect("every setting of the table has a default")
    }

    /// The value as anyone may see it: a catalog's URL, which may hold a password, is redacted, and so is a mail server's that does
    /// although it may not.
    pub fn shown(&self, name: &'static str) -> String {
        let text = &self.get(name).text;
        let is_secret = name == "catalog" && text != "sqlite" || name == "smtp" && text.contains('@');
        if is_secret { "redacted".to_owned() } else { text.clone() }
    }

    /// Settings that differ between the two and wait for a restart, by name.
    pub fn waiting_for_restart(&self, new: &Self) -> Vec<&'static str> {
        let differs = |setting: &&Setting| !setting.is_reloadable && self.get(setting.name).text != new.get(setting.name).text;
        SETTINGS.iter().filter(differs).map(|setting| setting.name).collect()
    }
}

/// The file that `--config` or `STRONGROOM_CONFIG` names, which must exist; else the first standard one that does.
fn read_file(flags: &Flags, surroundings: &Surroundings<'_>) -> Result<(Option<PathBuf>, BTreeMap<&'static str, Value>), ConfigError> {
    let named = flags.config_file.clone().or_else(|| (surroundings.environment)("STRONGROOM_CONFIG").map(PathBuf::from));
    if let Some(path) = named {
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        return Ok((Some(path.clone()), file::parse(&path, &text)?));
    }
    for path in surroundings.standard_files {
        if let Some(text) = read_where_it_exists(path)? {
            return Ok((Some(path.clone()), file::parse(path, &text)?));
        }
    }
    Ok((None, BTreeMap::new()))
}

/// `None` where there is no such file, and where this user may not even look: `sudo -u strongroom strongroom …` is called from
/// whatever directory its caller is in. A file that is there and cannot be read is an error: its settings are wanted.
fn read_where_it_exists(path: &Path) -> Result<Option<String>, ConfigError> {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    let is_beyond_reach = || std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == PermissionDenied);
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == NotFound => Ok(None),
        Err(error) if error.kind() == PermissionDenied && is_beyond_reach() => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    }
}

fn default_of(setting: &Setting) -> Value {
    Value { text: setting.default.to_owned(), origin: Origin::Default }
}

fn from_environment(setting: &Setting, surroundings: &Surroundings<'_>) -> Result<Option<Value>, ConfigError> {
    let variable = setting.variable();
    let Some(value) = (surroundings.environment)(&variable) else { return Ok(None) };
    let Ok(text) = value.into_string() else { return Err(ConfigError::NotUtf8 { variable }) };
    Ok(Some(Value { text, origin: Origin::Environment(variable) }))
}

fn from_flags(setting: &Setting, flags: &Flags) -> Option<Value> {
    flags.values.get(setting.name).map(|text| Value { text: text.clone(), origin: Origin::Flag(setting.flag()) })
}
