//! A selection made ready to be asked about every file of a machine.

use super::item::Filter;
use super::nesting::Nesting;
use super::path::key_of;

/// Answers as the selection did when it was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matcher {
    /// In the order of their keys.
    rules: Vec<Rule>,
    is_open: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Rule {
    key: Vec<u8>,
    is_included: bool,
    parent: Option<usize>,
}

impl Matcher {
    pub(super) fn new(nesting: &Nesting<'_>, is_open: bool) -> Self {
        let rules = nesting.entries().iter().map(|entry| Rule {
            key: entry.item.path.key().to_vec(),
            is_included: entry.filter == Filter::Include,
            parent: entry.parent,
        });
        Self { rules: rules.collect(), is_open }
    }

    /// The longest item that is the path or lies above it decides, and of two with one path the exclusion. No item: not covered; nor
    /// is anything that is no absolute path.
    pub fn covers(&self, path: &[u8]) -> bool {
        key_of(path).is_ok_and(|key| self.verdict(&key).unwrap_or(false))
    }

    /// As [`Matcher::covers`], but where nothing is included every path without an item is.
    pub fn covers_or_all(&self, path: &[u8]) -> bool {
        key_of(path).is_ok_and(|key| self.verdict(&key).unwrap_or(self.is_open))
    }

    /// An item above `key` lies above, or is, the last rule that is not behind it: in between is nothing but what lies in that item.
    fn verdict(&self, key: &[u8]) -> Option<bool> {
        let last = self.rules.partition_point(|rule| rule.key.as_slice() <= key).checked_sub(1)?;
        let chain = std::iter::successors(Some(&self.rules[last]), |rule| rule.parent.map(|at| &self.rules[at]));
        chain.into_iter().find(|rule| key.starts_with(&rule.key)).map(|rule| rule.is_included)
    }
}
