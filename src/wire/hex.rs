//! Bytes that clients write as hexadecimal digits, line breaks of their documentation included.

/// The bytes that `text` spells, in either case, ASCII white space left out. `None` for an odd number of digits or anything else.
pub fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    data_encoding::HEXLOWER_PERMISSIVE.decode(&digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_letter_cases_do_not_matter() {
        assert_eq!(parse_hex("00ffA5"), Some(vec![0x00, 0xff, 0xa5]));
        assert_eq!(parse_hex(" 0\t0\r\nFf a\n5 "), Some(vec![0x00, 0xff, 0xa5]));
        assert_eq!(parse_hex(""), Some(Vec::new()));
    }

    #[test]
    fn odd_lengths_and_other_characters_are_refused() {
        for text in ["0", "0 ", "000", "0x00", "0g", "00-ff", "é0", "0\u{a0}0"] {
            assert_eq!(parse_hex(text), None, "{text:?}");
        }
    }
}
