//! Files of patterns, as `--exclude-file` reads them: one a line, white space around it left out, `#` begins a comment, `$NAME` and
//! `${NAME}` are variables of the environment and `$$` is a dollar sign. `~` is an ordinary character.

/// The patterns of a file's text. `variable` gives the value of a variable of the environment; one that is not set is empty.
pub fn lines_of(text: &[u8], variable: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let text = decoded(text);
    let lines = text.split(|byte| *byte == b'\n').map(trimmed);
    lines.filter(|line| !line.is_empty() && !line.starts_with(b"#")).map(|line| expanded(line, &variable)).collect()
}

/// A byte order mark says which Unicode it is; without one it is bytes.
fn decoded(text: &[u8]) -> Vec<u8> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units).into_bytes()
    };
    match text {
        [0xef, 0xbb, 0xbf, rest @ ..] => rest.to_vec(),
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => text.to_vec(),
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    std::str::from_utf8(line).map_or_else(|_| line.trim_ascii(), |text| text.trim().as_bytes())
}

/// As Go's `os.Expand`.
fn expanded(line: &[u8], variable: &impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'$' || rest.is_empty() {
            out.push(*first);
            continue;
        }
        let (name, taken) = name_of(rest);
        match name {
            Some(b"$") => out.push(b'$'),
            Some(name) => out.extend(variable(name).unwrap_or_default()),
            None if taken == 0 => out.push(b'$'),
            None => {}
        }
        rest = &rest[taken..];
    }
    out
}

/// The name behind a `$`, and how many bytes it takes with its braces. What is malformed has no name and is left out.
fn name_of(text: &[u8]) -> (Option<&[u8]>, usize) {
    if text[0] == b'{' {
        return match text.iter().position(|byte| *byte == b'}') {
            Some(1) => (None, 2),
            Some(end) => (Some(&text[1..end]), end + 1),
            None => (None, 1),
        };
    }
    if b"*#$@!?-0123456789".contains(&text[0]) {
        return (Some(&text[..1]), 1);
    }
    let end = text.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(text.len());
    ((end > 0).then(|| &text[..end]), end)
}

#[cfg(test)]
mod tests {
    use super::lines_of;

    fn lines(text: &[u8]) -> Vec<String> {
        let variable = |name: &[u8]| (name == b"HOME" || name == b"a-b").then(|| b"/root".to_vec());
        lines_of(text, variable).into_iter().map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
    }

    #[test]
    fn comments_and_blank_lines_are_no_patterns() {
        assert_eq!(lines(b"# one\n\n  *.o \r\n\t#two\n!a#b\n~/x"), ["*.o", "!a#b", "~/x"]);
        assert_eq!(lines("\u{a0}x\u{2003}".as_bytes()), ["x"]);
        assert_eq!(lines_of(b" \xff \n", |_| None), [b"\xff"]);
    }

    #[test]
    fn variables_are_replaced_as_go_does() {
        for (line, expanded) in [
            ("$HOME/x", "/root/x"),
            ("${HOME}x", "/rootx"),
            ("${a-b}", "/root"),
            ("$HOMEx", ""),
            ("a$$b", "a$b"),
            ("a$", "a$"),
            ("a$/b", "a$/b"),
            ("x${}y", "xy"),
            ("x${HOME", "xHOME"),
            ("x$1y", "xy"),
            ("${$}", "$"),
            ("$é", "$é"),
        ] {
            assert_eq!(lines(line.as_bytes()), [expanded], "{line}");
        }
    }

    #[test]
    fn a_byte_order_mark_says_how_to_read() {
        assert_eq!(lines(b"\xef\xbb\xbf*.o"), ["*.o"]);
        assert_eq!(lines(b"\xff\xfea\0\n\0b\0"), ["a", "b"]);
        assert_eq!(lines(b"\xfe\xff\0a\0\n\0b"), ["a", "b"]);
    }
}
