//! restic's patterns, as given with `--exclude` and `--include`: which paths of a file system or of a snapshot are meant.
//!
//! `*`, `?`, `[…]` and `\` work inside one segment of a path, `**` as a segment stands for any number of segments. A pattern that begins
//! with `/` stands at the top, any other at every depth. What matches, matches with all that lies below it. A pattern behind a `!` takes
//! back what earlier ones of the same list matched; but below a folder that is left out nobody looks. Paths and patterns are bytes.

mod clean;
mod file;
mod glob;
mod one;
#[cfg(test)]
mod restic;
#[cfg(test)]
mod tests;

pub(super) use self::clean::clean;
pub use self::file::lines_of;
use self::one::Pattern;

/// Patterns in the order in which they were given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Patterns {
    list: Vec<Pattern>,
    ignores_case: bool,
    has_negated: bool,
}

/// A pattern that has an open or empty `[…]`, or a `\` with nothing behind it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} is not a pattern")]
pub struct PatternError(pub String);

/// What a list of patterns says of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Matched {
    /// It is meant: it, or a folder above it.
    pub is_matched: bool,
    /// Something below it may be meant: a folder with this is looked into.
    pub may_match_below: bool,
}

impl Patterns {
    /// Empty patterns are left out. The first that is malformed is the error.
    pub fn parse<P: AsRef<[u8]>>(patterns: &[P]) -> Result<Self, PatternError> {
        Self::parse_as(patterns, false)
    }

    /// As [`Patterns::parse`], but upper and lower case are the same, in patterns and in paths.
    pub fn parse_ignoring_case<P: AsRef<[u8]>>(patterns: &[P]) -> Result<Self, PatternError> {
        Self::parse_as(patterns, true)
    }

    fn parse_as<P: AsRef<[u8]>>(patterns: &[P], ignores_case: bool) -> Result<Self, PatternError> {
        let given = patterns.iter().map(AsRef::as_ref).filter(|text| !text.is_empty());
        let parse = |text: &[u8]| {
            let cased = if ignores_case { lower_case(text) } else { text.to_vec() };
            Pattern::parse(&cased).ok_or_else(|| PatternError(String::from_utf8_lossy(text).into_owned()))
        };
        let list: Vec<_> = given.map(parse).collect::<Result<_, _>>()?;
        let has_negated = list.iter().any(|pattern| pattern.is_negated);
        Ok(Self { list, ignores_case, has_negated })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether the path is meant. Absolute paths begin with `/`; an empty path is never meant.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.ask(path, false).is_matched
    }

    /// Whether the path is meant, and whether something below it may be.
    pub fn matches_or_may_below(&self, path: &[u8]) -> Matched {
        self.ask(path, true)
    }

    fn ask(&self, path: &[u8], asks_below: bool) -> Matched {
        if path.is_empty() || self.list.is_empty() {
            return Matched::default();
        }
        let lower = self.ignores_case.then(|| lower_case(path));
        let names: Vec<&[u8]> = lower.as_deref().unwrap_or(path).split(|byte| *byte == b'/').collect();
        let mut said = Matched::default();
        for pattern in &self.list {
            let matches = pattern.matches(&names);
            if pattern.is_negated {
                said.is_matched &= !matches;
                said.may_match_below &= !matches;
            } else {
                said.is_matched |= matches;
                said.may_match_below |= !asks_below || pattern.may_match_below(&names);
                if said.is_matched && said.may_match_below && !self.has_negated {
                    break;
                }
            }
        }
        said
    }
}

/// Character by character, as Go does it; bytes that are not UTF-8 stay as they are.
fn lower_case(text: &[u8]) -> Vec<u8> {
    let mut lower = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        let letters: String = chunk.valid().chars().filter_map(|letter| letter.to_lowercase().next()).collect();
        lower.extend_from_slice(letters.as_bytes());
        lower.extend_from_slice(chunk.invalid());
    }
    lower
}
