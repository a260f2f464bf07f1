//! Sizes as `--exclude-larger-than` takes them.

/// A text that is no size.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no size: give a number of bytes, or one with k, M, G or T behind it")]
pub struct SizeError(String);

/// `100`, `100b`, `5k`, `2M`, `1G`, `1T`: units of 1024, in either case.
pub fn parse_size_bytes(text: &str) -> Result<u64, SizeError> {
    let units = [('b', 0), ('k', 10), ('m', 20), ('g', 30), ('t', 40)];
    let unit = units.into_iter().find(|(unit, _)| text.ends_with([*unit, unit.to_ascii_uppercase()]));
    let (number, shift) = unit.map_or((text, 0), |(_, shift)| (&text[..text.len() - 1], shift));
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let size = number.parse::<u64>().ok().filter(|_| is_number).and_then(|number| number.checked_mul(1 << shift));
    size.ok_or_else(|| SizeError(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, bytes) in [("0", 0), ("17", 17), ("17B", 17), ("5k", 5_120), ("2M", 2 << 20), ("3g", 3 << 30), ("1T", 1 << 40)] {
            assert_eq!(parse_size_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "k", "-1", "+1", "1.5M", "1 k", "1kk", "99999999T", "é"] {
            assert_eq!(parse_size_bytes(text), Err(SizeError(text.to_owned())), "{text}");
        }
    }
}
