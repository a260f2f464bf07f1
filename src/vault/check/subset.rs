//! Some packs of all: `--read-data-subset`.

use std::str::FromStr;

use crate::vault::crypto::random;
use crate::vault::pack_table::Pack;

/// The most parts that a repository can be divided into: by the first byte of a pack's id.
const MOST_PARTS: u32 = 256;

/// Which packs are read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Subset {
    /// `n/t`: the same packs each time; all parts together are all packs. Here they are counted from 0.
    Part { number: u8, of: u32 },
    /// `p%`: others each time.
    Percent(f64),
    /// A size: others each time, together about so many bytes.
    Bytes(u64),
}

/// Not `n/t` with n ≤ t ≤ 256, `p%` above 0 and up to 100, or a size such as `10G`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a subset is n/t (as 2/7), a percentage (2.5%), or a size (10G)")]
pub struct SubsetError;

impl FromStr for Subset {
    type Err = SubsetError;

    fn from_str(text: &str) -> Result<Self, SubsetError> {
        if let Some((number, of)) = text.split_once('/') {
            let (number, of): (u32, u32) = (number.parse().map_err(|_| SubsetError)?, of.parse().map_err(|_| SubsetError)?);
            let is_part = (1..=of).contains(&number) && of <= MOST_PARTS;
            return if is_part { Ok(Self::Part { number: (number - 1) as u8, of }) } else { Err(SubsetError) };
        }
        if let Some(percent) = text.strip_suffix('%') {
            let percent: f64 = percent.parse().map_err(|_| SubsetError)?;
            return if percent > 0.0 && percent <= 100.0 { Ok(Self::Percent(percent)) } else { Err(SubsetError) };
        }
        size_bytes(text).filter(|bytes| *bytes > 0).map(Self::Bytes).ok_or(SubsetError)
    }
}

/// `10G` and the like, in powers of 1,024.
fn size_bytes(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => (&text[..text.len() - 1], 10),
        b'm' => (&text[..text.len() - 1], 20),
        b'g' => (&text[..text.len() - 1], 30),
        b't' => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl Subset {
    /// The packs that are meant; at least one, where there is one, of a random choice.
    pub(super) fn of(self, mut packs: Vec<&Pack>) -> Vec<&Pack> {
        match self {
            Self::Part { number, of } => {
                packs.retain(|pack| u32::from(pack.id.0[0]) % of == u32::from(number));
                packs
            }
            Self::Percent(percent) => {
                let count = ((packs.len() as f64 * percent / 100.0) as usize).max(1);
                shuffled(packs).into_iter().take(count).collect()
            }
            Self::Bytes(most) => {
                let mut bytes = 0;
                let fits = |pack: &&Pack| {
                    let is_first = bytes == 0;
                    bytes += pack.size_bytes;
                    is_first || bytes <= most
                };
                shuffled(packs).into_iter().take_while(fits).collect()
            }
        }
    }
}

fn shuffled(mut packs: Vec<&Pack>) -> Vec<&Pack> {
    let mut salt = [0; 8];
    random(&mut salt);
    let salt = u64::from_le_bytes(salt) | 1;
    // Ids are hashes already: to multiply them with a random odd number is enough for another order each time.
    packs.sort_by_cached_key(|pack| {
        let beginning = u64::from_le_bytes(*pack.id.0.first_chunk().expect("an id has 32 bytes"));
        (beginning.wrapping_mul(salt).rotate_left(32).wrapping_mul(salt), pack.id)
    });
    packs
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::vault::id::Id;
    use crate::vault::index::Index;
    use crate::vault::pack_table::PackTable;

    fn table(count: u32) -> PackTable {
        let mut index = Index::default();
        (0..count).for_each(|number| index.add(Id::of(&number.to_le_bytes()), &[]));
        PackTable::new(&index)
    }

    #[test]
    fn all_parts_together_are_every_pack_once() {
        let table = table(3_000);
        for of in [1, 2, 7, 256] {
            let parts: Vec<_> = (1..=of).map(|number| format!("{number}/{of}").parse::<Subset>().unwrap()).collect();
            let ids = parts.iter().flat_map(|part| part.of(table.packs.iter().collect())).map(|pack| pack.id);
            let ids: Vec<Id> = ids.collect();
            assert_eq!((ids.len(), ids.iter().collect::<HashSet<_>>().len()), (3_000, 3_000), "{of}");
        }
    }

    #[test]
    fn a_share_or_size_is_another_choice_each_time() {
        let table = table(1_000);
        let choose = |text: &str| {
            let chosen = text.parse::<Subset>().unwrap().of(table.packs.iter().collect());
            chosen.into_iter().map(|pack| pack.id).collect::<HashSet<_>>()
        };
        assert_eq!((choose("2.5%").len(), choose("100%").len(), choose("0.0001%").len()), (25, 1_000, 1));
        assert_ne!(choose("2.5%"), choose("2.5%"));
        let each = table.packs[0].size_bytes;
        assert_eq!(choose(&(each * 10).to_string()).len(), 10);
        assert_eq!((choose("1").len(), choose("1T").len()), (1, 1_000));
        assert_ne!(choose("360"), choose("360"));
    }

    #[test]
    fn what_is_no_subset_is_refused() {
        for text in ["", "0/1", "2/1", "1/257", "1/0", "a/b", "1/", "0%", "101%", "NaN%", "%", "0", "-1", "G", "1.5G", "99999999T"] {
            assert_eq!(text.parse::<Subset>(), Err(SubsetError), "{text}");
        }
        assert_eq!("10g".parse(), Ok(Subset::Bytes(10 << 30)));
        assert_eq!("256/256".parse(), Ok(Subset::Part { number: 255, of: 256 }));
    }
}
