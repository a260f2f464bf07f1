//! So many of something, in words.

/// `1 file`, `7 files`.
pub fn counted(count: u64, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            [counted(1, "entry"), counted(0, "entry"), counted(1, "file"), counted(2, "file")],
            ["1 entry", "0 entries", "1 file", "2 files"]
        );
    }
}
