//! Time zones by the names that clients know: Windows ids, IANA names and `UTC`.
//!
//! The rules are those that are built in, never the machine's: the same schedule runs at the same time everywhere.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::windows_zones::WINDOWS_ZONES;

/// A time zone, and the spelling in which it was asked for. Two are equal when both are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneId {
    text: String,
    zone: TimeZone,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a time zone is a Windows time zone id, an IANA name or UTC")]
pub struct ZoneError;

impl ZoneId {
    /// Knows every name in any ASCII letter case. Standard or not, the zone follows its own daylight saving rules.
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        let windows = WINDOWS_ZONES.iter().find(|(id, _)| id.eq_ignore_ascii_case(text));
        let name = windows.map_or(text, |(_, name)| name);
        let zone = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown()).ok_or(ZoneError)?;
        Ok(Self { text: text.to_owned(), zone })
    }

    /// What a schedule without a zone follows.
    pub fn utc() -> Self {
        Self::parse("UTC").expect("it is built in")
    }

    /// As submitted.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iana(text: &str) -> Option<String> {
        ZoneId::parse(text).ok()?.zone().iana_name().map(str::to_owned)
    }

    #[test]
    #[cfg_attr(miri, ignore = "an interpreter looks a hundred and forty zones up for minutes, all in the same way")]
    fn every_windows_id_names_its_zone() {
        assert_eq!(WINDOWS_ZONES.len(), 139);
        for (at, (id, name)) in WINDOWS_ZONES.iter().enumerate() {
            let zone = ZoneId::parse(&id.to_lowercase()).expect("it is built in");
            assert_eq!(zone.as_str(), id.to_lowercase());
            assert_eq!(Ok(zone.zone), ZoneId::parse(name).map(|zone| zone.zone), "{id}");
            assert!(WINDOWS_ZONES[..at].iter().all(|(other, _)| !other.eq_ignore_ascii_case(id)), "{id} is there twice");
        }
        assert_eq!(iana("Eastern Standard Time").as_deref(), Some("America/New_York"));
        assert_eq!(iana("Eastern Standard Time (Mexico)").as_deref(), Some("America/Cancun"));
        assert_eq!(iana("UTC-11").as_deref(), Some("Etc/GMT+11"));
    }

    #[test]
    #[cfg_attr(miri, ignore = "an interpreter looks six hundred names up for minutes, all in the same way")]
    fn every_iana_name_is_known_in_any_case() {
        let mut count = 0;
        for name in TimeZoneDatabase::bundled().available().filter(|name| name.as_str() != "Etc/Unknown") {
            assert!(ZoneId::parse(name.as_str()).is_ok() && ZoneId::parse(&name.as_str().to_uppercase()).is_ok(), "{name}");
            count += 1;
        }
        assert!(count > 500, "{count}");
        for name in ["America/New_York", "america/NEW_york", "Europe/Kiev", "Europe/Kyiv", "Asia/Calcutta"] {
            assert!(iana(name).is_some_and(|found| found.eq_ignore_ascii_case(name)), "{name}");
        }
    }

    #[test]
    fn utc_has_many_spellings_and_each_is_kept() {
        for text in ["UTC", "utc", "Etc/UTC"] {
            let zone = ZoneId::parse(text).expect("it is known");
            let offset = zone.zone().to_offset(jiff::Timestamp::UNIX_EPOCH);
            assert_eq!((zone.as_str(), offset), (text, jiff::tz::Offset::UTC));
        }
        assert_eq!(ZoneId::parse("UTC"), Ok(ZoneId::utc()));
        assert_ne!(ZoneId::parse("utc"), Ok(ZoneId::utc()), "another spelling is another value");
    }

    #[test]
    fn nothing_else_is_a_zone() {
        for text in
            ["", " ", "Etc/Unknown", "Eastern", "EST5EDT4", "+01:00", "UTC+1", " UTC", "Eastern  Standard Time", "../UTC", "Mars/Olympus"]
        {
            assert_eq!(ZoneId::parse(text), Err(ZoneError), "{text:?}");
        }
    }
}
