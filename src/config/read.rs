//! Texts become typed values: each reader says in words what is wanted.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::error::ConfigError;
use super::layers::Layers;
use crate::model::size::Size;

type Result<T> = std::result::Result<T, ConfigError>;

impl Layers {
    /// An error about this setting; `why` holds no secret.
    pub(super) fn refused(&self, name: &'static str, why: impl Into<String>) -> ConfigError {
        ConfigError::Refused { name, origin: self.get(name).origin.clone(), why: why.into() }
    }

    /// The text; `None` where it is empty.
    pub(super) fn text(&self, name: &'static str) -> Option<&str> {
        Some(self.get(name).text.as_str()).filter(|text| !text.is_empty())
    }

    pub(super) fn path(&self, name: &'static str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    pub(super) fn number<T: TryFrom<u64>>(&self, name: &'static str, range: RangeInclusive<u64>) -> Result<T> {
        let text = &self.get(name).text;
        let number = text.parse().ok().filter(|number| range.contains(number)).and_then(|number| T::try_from(number).ok());
        number
            .ok_or_else(|| self.refused(name, format!("a whole number from {} to {} is wanted, not `{text}`", range.start(), range.end())))
    }

    pub(super) fn seconds(&self, name: &'static str, range: RangeInclusive<u64>) -> Result<Duration> {
        self.number(name, range).map(Duration::from_secs)
    }

    pub(super) fn bytes<T: TryFrom<u64>>(&self, name: &'static str, range: RangeInclusive<u64>) -> Result<T> {
        let text = &self.get(name).text;
        let Size(bytes) = text.parse().map_err(|error| self.refused(name, format!("{error}, not `{text}`")))?;
        let fits = range.contains(&bytes).then(|| T::try_from(bytes).ok()).flatten();
        fits.ok_or_else(|| {
            let (least, most) = (Size(*range.start()), Size(*range.end()));
            self.refused(name, format!("a size from {least} to {most} is wanted, not `{text}`"))
        })
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool> {
        self.parsed(name, "true or false").map(|flag| flag.unwrap_or(false))
    }

    /// The parsed text; `None` where it is empty.
    pub(super) fn parsed<T: FromStr>(&self, name: &'static str, wanted: &str) -> Result<Option<T>> {
        self.text(name).map(|text| text.parse().map_err(|_| self.refused(name, format!("{wanted} is wanted, not `{text}`")))).transpose()
    }
}
