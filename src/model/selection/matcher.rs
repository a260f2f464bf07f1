//! A selection made ready to be asked about every file of a machine.

use super::item::Filter;
use super::nesting::Nesting;
use super::path::key_of;

/// Answers as the selection did when it was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matcher {
    /// In the order of their keys.
    rules: Vec<Rule>,
    /// How many of the rules before each, and of all at the end, are inclusions that no exclusion of the same path beats.
    inclusions: Vec<usize>,
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
        let rules: Vec<Rule> = rules.collect();
        Self { inclusions: counted(&rules), rules, is_open }
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

    /// Whether some inclusion lies below the path, itself left out: then a folder that is not covered is worth a look. Inclusions that an
    /// exclusion of the same path beats do not count.
    pub fn includes_below(&self, path: &[u8]) -> bool {
        let Ok(key) = key_of(path) else { return false };
        let begin = self.rules.partition_point(|rule| rule.key <= key);
        let length = self.rules[begin..].partition_point(|rule| rule.key.starts_with(&key));
        self.inclusions[begin] < self.inclusions[begin + length]
    }

    /// An item above `key` lies above, or is, the last rule that is not behind it: in between is nothing but what lies in that item.
    fn verdict(&self, key: &[u8]) -> Option<bool> {
        let last = self.rules.partition_point(|rule| rule.key.as_slice() <= key).checked_sub(1)?;
        let chain = std::iter::successors(Some(&self.rules[last]), |rule| rule.parent.map(|at| &self.rules[at]));
        chain.into_iter().find(|rule| key.starts_with(&rule.key)).map(|rule| rule.is_included)
    }
}

/// Of two rules of one path the exclusion comes last.
fn counted(rules: &[Rule]) -> Vec<usize> {
    let counts = |at: usize| rules[at].is_included && rules.get(at + 1).is_none_or(|next| next.key != rules[at].key);
    let mut counted = vec![0];
    counted.extend((0..rules.len()).scan(0, |sum, at| {
        *sum += usize::from(counts(at));
        Some(*sum)
    }));
    counted
}
