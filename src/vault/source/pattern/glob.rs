//! One segment of a pattern against one name, both of any bytes: `*`, `?`, `[a-z]`, `[^a-z]` and `\` before a character that is meant
//! as it stands. As Go's `path/filepath.Match`: what `?` and `[…]` take is a character where the name has one in UTF-8, and otherwise a
//! byte, which stands for U+FFFD.

/// A segment that is made ready for matching.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Glob(Vec<Token>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Byte(u8),
    /// `?`
    One,
    /// `*`
    Many,
    Class {
        is_negated: bool,
        /// First and last character of each range.
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// `None` where a class is not closed, empty, or not UTF-8, or a `\` has nothing behind it.
    pub fn parse(segment: &[u8]) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = segment;
        while let [first, behind @ ..] = rest {
            rest = behind;
            tokens.push(match first {
                b'*' => Token::Many,
                b'?' => Token::One,
                b'[' => class(&mut rest)?,
                b'\\' => {
                    let (escaped, behind) = rest.split_first()?;
                    rest = behind;
                    Token::Byte(*escaped)
                }
                byte => Token::Byte(*byte),
            });
        }
        Some(Self(tokens))
    }

    pub fn matches(&self, name: &[u8]) -> bool {
        let (mut token, mut at) = (0, 0);
        // The last `*`, and where what it takes ends: where the rest fails, it takes one byte more.
        let mut star: Option<(usize, usize)> = None;
        loop {
            let step = match self.0.get(token) {
                None if at == name.len() => return true,
                None => None,
                Some(Token::Many) => {
                    star = Some((token, at));
                    token += 1;
                    continue;
                }
                Some(one) => one.taken_of(&name[at..]),
            };
            if let Some(taken) = step {
                (token, at) = (token + 1, at + taken);
                continue;
            }
            let Some((star_token, end)) = star.filter(|(_, end)| *end < name.len()) else { return false };
            star = Some((star_token, end + 1));
            (token, at) = (star_token + 1, end + 1);
        }
    }
}

impl Token {
    /// How many bytes it takes from the beginning; `None` where it takes none.
    fn taken_of(&self, name: &[u8]) -> Option<usize> {
        match self {
            Self::Byte(byte) => (name.first() == Some(byte)).then_some(1),
            Self::One => character(name).map(|(_, taken)| taken),
            Self::Class { is_negated, ranges } => {
                let (found, taken) = character(name)?;
                let is_in = ranges.iter().any(|(first, last)| (*first..=*last).contains(&found));
                (is_in != *is_negated).then_some(taken)
            }
            Self::Many => Some(0),
        }
    }
}

/// Reads what follows a `[`, up to and with its `]`.
fn class(rest: &mut &[u8]) -> Option<Token> {
    let is_negated = rest.first() == Some(&b'^');
    if is_negated {
        *rest = &rest[1..];
    }
    let mut ranges = Vec::new();
    loop {
        if rest.first() == Some(&b']') && !ranges.is_empty() {
            *rest = &rest[1..];
            return Some(Token::Class { is_negated, ranges });
        }
        let first = class_character(rest)?;
        let mut last = first;
        if rest.first() == Some(&b'-') {
            *rest = &rest[1..];
            last = class_character(rest)?;
        }
        ranges.push((first, last));
    }
}

fn class_character(rest: &mut &[u8]) -> Option<char> {
    match rest.first()? {
        b'-' | b']' => return None,
        b'\\' => *rest = &rest[1..],
        _ => {}
    }
    let (found, taken) = character(rest)?;
    let is_valid = found != char::REPLACEMENT_CHARACTER || taken > 1;
    *rest = &rest[taken..];
    (is_valid && !rest.is_empty()).then_some(found)
}

/// The first character and its bytes; a byte that begins none is U+FFFD.
fn character(bytes: &[u8]) -> Option<(char, usize)> {
    let start = &bytes[..bytes.len().min(4)];
    let chunk = start.utf8_chunks().next()?;
    let first = chunk.valid().chars().next();
    Some(first.map_or((char::REPLACEMENT_CHARACTER, 1), |found| (found, found.len_utf8())))
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn segments_match_as_in_go() {
        for (pattern, name, does_match) in [
            (&b"abc"[..], &b"abc"[..], true),
            (b"*", b"", true),
            (b"*c", b"abc", true),
            (b"a*b*c", b"axbxbc", true),
            (b"a*b", b"abx", false),
            (b"*x", b"xxx", true),
            (b"ab[c]", b"abc", true),
            (b"ab[b-d]", b"abc", true),
            (b"ab[^b-d]", b"abc", false),
            (b"a\\*b", b"a*b", true),
            (b"a\\*b", b"axb", false),
            (b"a?b", "a☺b".as_bytes(), true),
            (b"a??b", "a☺b".as_bytes(), false),
            (b"a?b", b"a\xffb", true),
            (b"a[^a]b", b"a\xffb", true),
            (b"a???b", "a☺b".as_bytes(), false),
            ("[α-ω]".as_bytes(), "β".as_bytes(), true),
            (b"[!a]", b"b", false),
            (b"[!a]", b"!", true),
            (b"[\\]a]", b"]", true),
            (b"[\\-x]", b"-", true),
            (b"[z-a]", b"b", false),
            (b"[x\\]", b"x", false),
            (b"a]*", b"a]b", true),
            (b"[[*]", b"*", true),
            (b"?", b"", false),
            (b"\xff*", b"\xff\xfe", true),
        ] {
            let matches = Glob::parse(pattern).is_some_and(|glob| glob.matches(name));
            assert_eq!(matches, does_match, "{} {}", pattern.escape_ascii(), name.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in
            [&b"["[..], b"[]", b"[]a]", b"[-]", b"[x-]", b"[-x]", b"[^", b"[^bc", b"a[", b"[a-b-c]", b"a\\", b"[\\", b"[\xff]", b"[a"]
        {
            assert_eq!(Glob::parse(pattern), None, "{}", pattern.escape_ascii());
        }
    }
}
