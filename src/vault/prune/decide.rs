//! What becomes of each pack.

use std::collections::HashSet;
use std::str::FromStr;

use super::plan::Sum;
use crate::vault::bits::Bits;
use crate::vault::id::Id;
use crate::vault::index::Index;
use crate::vault::pack_table::{Pack, PackTable};

/// A pack below this is small. Fewer small ones of a kind than this are not worth the trouble; nor are they ever repacked for nothing.
const SMALL_BYTES: u64 = 4 << 20;
const ENOUGH_SMALL: usize = 10;

/// How a prune goes about it.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// How much that nobody uses may stay, so that less is repacked.
    pub max_unused: Limit,
    /// How many bytes of packs are repacked at most.
    pub max_repack_bytes: u64,
    /// Compresses chunks that are stored plain, in format version 2.
    pub repack_uncompressed: bool,
    /// Snapshots that count as gone: to plan what a prune would do once they are forgotten. They are not even read.
    pub without: HashSet<Id>,
}

/// A share of what is used, or bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Limit {
    /// Of all that is there afterwards; below 100.
    Percent(f64),
    Bytes(u64),
    Unlimited,
}

/// Not `unlimited`, a percentage below 100, or a size.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a limit is a percentage below 100 (5%), a size (10G), or unlimited")]
pub struct LimitError;

/// A pack's fate, and the reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Keep,
    Repack,
    Remove,
}

/// What is used of a pack.
struct Usage<'a> {
    pack: &'a Pack,
    used: Sum,
    unused: Sum,
    /// Trees that are stored plain would keep restic busy each time; chunks only where it was asked for.
    must_compress: bool,
}

impl Default for Options {
    fn default() -> Self {
        let max_unused = Limit::Percent(5.0);
        Self { max_unused, max_repack_bytes: u64::MAX, repack_uncompressed: false, without: HashSet::new() }
    }
}

impl Limit {
    /// How many bytes may stay unused beside so many used ones.
    pub(super) fn bytes(self, used: u64) -> u64 {
        match self {
            Self::Percent(percent) => (used as f64 * percent / (100.0 - percent)) as u64,
            Self::Bytes(bytes) => bytes,
            Self::Unlimited => u64::MAX,
        }
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        if let Some(percent) = text.strip_suffix('%') {
            let percent = percent.parse::<f64>().map_err(|_| LimitError)?;
            return if (0.0..100.0).contains(&percent) { Ok(Self::Percent(percent)) } else { Err(LimitError) };
        }
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" => 10,
            "m" => 20,
            "g" => 30,
            "t" => 40,
            _ => return Err(LimitError),
        };
        digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift)).map(Self::Bytes).ok_or(LimitError)
    }
}

/// What becomes of each pack of the table that is there, in its order. `chosen` are the copies that are kept.
pub(super) fn decide(index: &Index, table: &PackTable, chosen: &Bits, options: &Options, can_compress: bool) -> Vec<Fate> {
    let usage = |pack| Usage::of(pack, index, chosen, options.repack_uncompressed, can_compress);
    let usages: Vec<Usage<'_>> = table.packs.iter().map(usage).collect();
    let mut fates: Vec<Fate> = usages.iter().map(|usage| if usage.used.count == 0 { Fate::Remove } else { Fate::Keep }).collect();
    let mut candidates: Vec<usize> = (0..usages.len()).filter(|at| usages[*at].is_candidate()).collect();
    candidates.extend(small_ones(&usages));
    // Mixed ones, trees and what must be compressed first, then small ones, then where the most is gained for the least copying.
    candidates.sort_by(|one, two| {
        let rank = |usage: &Usage<'_>| (!usage.is_urgent(), !usage.is_small());
        let (one, two) = (&usages[*one], &usages[*two]);
        rank(one).cmp(&rank(two)).then_with(|| two.waste().total_cmp(&one.waste())).then_with(|| one.pack.id.cmp(&two.pack.id))
    });
    let used: u64 = usages.iter().map(|usage| usage.used.bytes).sum();
    let mut unused: u64 = candidates.iter().map(|at| usages[*at].unused.bytes).sum();
    let allowed = options.max_unused.bytes(used);
    let mut repacked = 0_u64;
    for at in candidates {
        let usage = &usages[at];
        let is_wanted = usage.is_urgent() || usage.is_small() || unused > allowed;
        if is_wanted && repacked.saturating_add(usage.pack.size_bytes) <= options.max_repack_bytes {
            fates[at] = Fate::Repack;
            repacked += usage.pack.size_bytes;
            unused -= usage.unused.bytes;
        }
    }
    fates
}

/// Packs that are used as a whole and small, where there are enough of a kind to be put together.
fn small_ones(usages: &[Usage<'_>]) -> Vec<usize> {
    let of_kind = |trees: bool| {
        let is_one = |usage: &Usage<'_>| !usage.is_candidate() && usage.used.count > 0 && usage.is_small() && usage.pack.has_trees == trees;
        let all: Vec<usize> = (0..usages.len()).filter(|at| is_one(&usages[*at])).collect();
        if all.len() >= ENOUGH_SMALL { all } else { Vec::new() }
    };
    [of_kind(false), of_kind(true)].concat()
}

impl<'a> Usage<'a> {
    fn of(pack: &'a Pack, index: &Index, chosen: &Bits, chunks_too: bool, can_compress: bool) -> Self {
        let (mut used, mut unused) = (Sum::default(), Sum::default());
        for number in pack.numbers() {
            let blob = index.at(number).expect("the table holds entries that have a place").blob;
            let sum = if chosen.contains(number) { &mut used } else { &mut unused };
            sum.add(u64::from(blob.length));
        }
        let must_compress = can_compress && pack.has_plain && (pack.has_trees || chunks_too);
        Self { pack, used, unused, must_compress }
    }

    /// Whether something of it may be saved.
    fn is_candidate(&self) -> bool {
        self.used.count > 0 && (self.unused.count > 0 || self.is_urgent())
    }

    /// What is repacked whatever the limit says. Trees are few, and restic reads them all the time.
    fn is_urgent(&self) -> bool {
        self.must_compress || self.pack.has_trees && (self.pack.has_data || self.unused.count > 0)
    }

    fn is_small(&self) -> bool {
        self.pack.size_bytes < SMALL_BYTES * 4 / 5
    }

    fn waste(&self) -> f64 {
        self.unused.bytes as f64 / (self.used.bytes + self.unused.bytes) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_share_of_what_stays_or_bytes() {
        assert_eq!("5%".parse::<Limit>().unwrap().bytes(95_000), 5_000);
        assert_eq!("0%".parse::<Limit>().unwrap().bytes(95_000), 0);
        assert_eq!("2K".parse::<Limit>().unwrap().bytes(1), 2_048);
        assert_eq!("unlimited".parse::<Limit>().unwrap().bytes(1), u64::MAX);
        for text in ["", "100%", "-1%", "x", "5x", "%", "NaN%", "99999999999T"] {
            assert_eq!(text.parse::<Limit>(), Err(LimitError), "{text}");
        }
    }
}
