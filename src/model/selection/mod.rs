//! What is backed up or restored: paths that are included and paths that are excluded, each with everything below it.

mod item;
mod matcher;
mod nesting;
mod path;

pub use self::item::{Filter, Item, ItemType};
pub use self::matcher::Matcher;
use self::nesting::Nesting;
pub use self::path::{ItemPath, PathError};

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    pub inclusions: Vec<Item>,
    pub exclusions: Vec<Item>,
}

/// Why two lists are no selection; each names the path as submitted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SelectionError {
    #[error("{0} is listed twice")]
    Twice(String),
    #[error("{0} is both included and excluded")]
    InBoth(String),
    #[error("{0} is excluded, but not inside any included folder")]
    NotInside(String),
}

impl Selection {
    /// The rules of a backup: no path comes twice, and every exclusion lies inside an included folder. An included file counts as
    /// a folder too, because clients guess the type from what they find on their own machine. Takes time nearly linear in the text.
    pub fn check(&self) -> Result<(), SelectionError> {
        let nesting = self.nesting();
        check_each_once(&nesting)?;
        let outside = nesting.entries().iter().find(|entry| entry.filter == Filter::Exclude && !entry.is_inside_included);
        outside.map_or(Ok(()), |entry| Err(SelectionError::NotInside(entry.item.path.as_str().to_owned())))
    }

    /// The rules of a restore: no path comes twice. Where nothing is included everything is, so an exclusion may stand alone.
    pub fn check_restore(&self) -> Result<(), SelectionError> {
        check_each_once(&self.nesting())
    }

    /// What to ask about many paths.
    pub fn matcher(&self) -> Matcher {
        Matcher::new(&self.nesting(), self.inclusions.is_empty())
    }

    /// Whether a backup takes the path; [`Selection::matcher`] is cheaper for more than one.
    pub fn covers(&self, path: &[u8]) -> bool {
        self.matcher().covers(path)
    }

    /// Whether a restore takes the path: as [`Selection::covers`], but without inclusions it takes everything that is not excluded.
    pub fn covers_or_all(&self, path: &[u8]) -> bool {
        self.matcher().covers_or_all(path)
    }

    fn nesting(&self) -> Nesting<'_> {
        let included = self.inclusions.iter().map(|item| (item, Filter::Include));
        Nesting::new(included.chain(self.exclusions.iter().map(|item| (item, Filter::Exclude))).collect())
    }
}

fn check_each_once(nesting: &Nesting<'_>) -> Result<(), SelectionError> {
    let same = nesting.entries().windows(2).find(|pair| pair[0].item.path.key() == pair[1].item.path.key());
    same.map_or(Ok(()), |pair| {
        let path = pair[1].item.path.as_str().to_owned();
        Err(if pair[0].filter == pair[1].filter { SelectionError::Twice(path) } else { SelectionError::InBoth(path) })
    })
}

#[cfg(test)]
mod tests;
