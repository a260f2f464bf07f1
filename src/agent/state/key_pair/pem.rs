//! The textual encoding of RFC 7468: Base64 in lines of 64 letters, between two that say what it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const LINE_LETTERS: usize = 64;

pub(super) fn text(label: &str, der: &[u8]) -> String {
    let letters = STANDARD.encode(der);
    let lines = letters.as_bytes().chunks(LINE_LETTERS).map(String::from_utf8_lossy);
    let body: String = lines.flat_map(|line| [line, "\n".into()]).collect();
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn lines_have_64_letters_and_the_last_one_what_is_left() {
        let of_49 = text("PUBLIC KEY", &[0; 49]);
        assert_eq!(of_49, format!("-----BEGIN PUBLIC KEY-----\n{}\nAA==\n-----END PUBLIC KEY-----\n", "A".repeat(64)));
        assert_eq!(text("X", &[0; 48]), format!("-----BEGIN X-----\n{}\n-----END X-----\n", "A".repeat(64)));
    }
}
