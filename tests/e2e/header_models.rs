//! Each parser against a model that is too simple to be wrong, and slow: 100,000 headers each, made of pieces that are nearly right.

use base64::Engine as _;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue};

use strongroom::model::digest::Sha256Digest;
use strongroom::model::instant::Instant;
use strongroom::server::headers::basic::{Login, login};
use strongroom::server::headers::conditional::{http_date, range_applies};
use strongroom::server::headers::content_length::{LengthError, content_length};
use strongroom::server::headers::digest_fields::sent_digests;
use strongroom::server::headers::entity_tags::entity_tag;
use strongroom::server::headers::range::{Wanted, wanted};

use crate::support::figure::figure;

const CASES: u32 = 100_000;
const SEED: u64 = 0x5EED_0059;

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("a small number")
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// A number at one of the edges, or anywhere.
    fn number(&mut self) -> String {
        match self.below(8) {
            0 => String::new(),
            1 => u64::MAX.to_string(),
            2 => (u128::from(u64::MAX) + 1).to_string(),
            3 => "99999999999999999999999999".to_owned(),
            4 => format!("00{}", self.below(50)),
            5 => self.next().to_string(),
            _ => self.below(50).to_string(),
        }
    }

    /// The text with one of its characters changed, doubled or left out; mostly as it is.
    fn spoil(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        if !chars.is_empty() && self.below(3) == 0 {
            let at = self.below(chars.len());
            match self.below(3) {
                0 => chars[at] = self.of(&["-", " ", "0", "=", ",", "\t", ":", "+", "x", "\""]).chars().next().expect("one"),
                1 => chars.insert(at, chars[at]),
                _ => drop(chars.remove(at)),
            }
        }
        chars.into_iter().collect()
    }
}

fn one(name: http::HeaderName, text: &str) -> Option<HeaderMap> {
    let value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
    Some([(name, value)].into_iter().collect())
}

/// Runs the cases and says how many differed; the first few are shown.
fn hold(parser: &str, mut differs: impl FnMut(&mut Dice) -> Option<String>) {
    let mut dice = Dice(SEED);
    let wrong: Vec<String> = (0..CASES).filter_map(|_| differs(&mut dice)).collect();
    figure("S9", parser, &format!("{CASES} cases, {} differences from the model", wrong.len()), Some(SEED));
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(10)]);
}

#[test]
fn range_is_as_its_model() {
    hold("Range", |dice| {
        let size = [0, 1, 10, 49, u64::MAX, u64::MAX - 1, 5_368_709_120][dice.below(7)];
        let text = format!("{}={}-{}", dice.of(&["bytes", "bytes", "bytes", "Bytes", "items"]), dice.number(), dice.number());
        let text = dice.spoil(&text);
        let found = wanted(&one(RANGE, &text)?, size);
        let expected = range_model(&text, u128::from(size)).unwrap_or(Wanted::Whole);
        (found != expected).then(|| format!("{text:?} of {size}: {found:?}, not {expected:?}"))
    });
}

fn range_model(text: &str, size: u128) -> Option<Wanted> {
    let (unit, rest) = text.split_at(text.find('=')?);
    let rest = rest[1..].trim_matches([' ', '\t']);
    let ends: Vec<&str> = rest.split('-').collect();
    let [first, last] = ends[..] else { return None };
    if unit.trim().to_lowercase() != "bytes" {
        return None;
    }
    let number = |text: &str| {
        let digits = text.chars().map(|char| char.to_digit(10).map(u128::from));
        digits.into_iter().try_fold(0_u128, |sum, digit| Some((sum * 10 + digit?).min(1 << 90)))
    };
    let (from, to) = match (first.is_empty(), last.is_empty()) {
        (true, true) => return None,
        (true, false) => match (number(last)?, size) {
            (0, _) => return Some(Wanted::Unsatisfiable),
            (_, 0) => return Some(Wanted::Whole),
            (length, _) => (size.saturating_sub(length), size),
        },
        (false, true) => (number(first)?, size),
        (false, false) => {
            let (from, to) = (number(first)?, number(last)?);
            if from.min(u128::from(u64::MAX)) > to.min(u128::from(u64::MAX)) {
                return None;
            }
            (from, (to + 1).min(size))
        }
    };
    let narrow = |end: u128| u64::try_from(end).expect("within a file");
    Some(if from >= size { Wanted::Unsatisfiable } else { Wanted::Part(narrow(from)..narrow(to)) })
}

#[test]
fn content_length_is_as_its_model() {
    hold("Content-Length", |dice| {
        let number = dice.number();
        let text = dice.spoil(&number);
        let found = content_length(&one(CONTENT_LENGTH, &text)?);
        let digits = text.chars().map(|char| char.to_digit(10).map(u128::from));
        let model = digits.into_iter().try_fold(0_u128, |sum, digit| Some((sum * 10 + digit?).min(1 << 90))).filter(|_| !text.is_empty());
        let expected = model.and_then(|length| u64::try_from(length).ok()).ok_or(LengthError::Malformed);
        (found != expected).then(|| format!("{text:?}: {found:?}, not {expected:?}"))
    });
}

#[test]
fn basic_is_as_its_model() {
    hold("Basic", |dice| {
        let length = dice.below(40);
        let bytes: Vec<u8> =
            (0..length).map(|_| dice.of(&["a", "Z", "0", ":", "é", " ", "/", "\u{1F600}"])).collect::<String>().into_bytes();
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        let scheme = dice.of(&["Basic", "Basic", "basic", "BASIC", "Bearer", "Basi", "Basics"]);
        let gap = dice.of(&[" ", " ", " ", "  ", "", "\t"]);
        let text = dice.spoil(&format!("{scheme}{gap}{encoded}"));
        let found = match login(&one(AUTHORIZATION, &text)?) {
            Login::Sent(credentials) => Some((credentials.user, credentials.password.reveal().to_owned())),
            Login::Absent | Login::Malformed => None,
        };
        let expected = basic_model(&text);
        (found != expected).then(|| format!("{text:?}: {found:?}, not {expected:?}"))
    });
}

fn basic_model(text: &str) -> Option<(String, String)> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (scheme, rest) = text.split_once(' ')?;
    let encoded = rest.trim_start_matches(' ');
    let letters = encoded.trim_end_matches('=');
    let padding = encoded.len() - letters.len();
    if scheme.to_lowercase() != "basic" || encoded.is_empty() || encoded.len() % 4 != 0 || padding > 2 {
        return None;
    }
    let bits: Vec<bool> = letters
        .chars()
        .map(|letter| LETTERS.find(letter).map(|value| (0..6).rev().map(move |bit| value >> bit & 1 == 1)))
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    let whole = bits.len() / 8 * 8;
    if bits[whole..].contains(&true) {
        return None;
    }
    let bytes = bits[..whole].chunks(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit)));
    let decoded = String::from_utf8(bytes.collect()).ok()?;
    let colon = decoded.find(':')?;
    Some((decoded[..colon].to_owned(), decoded[colon + 1..].to_owned()))
}

#[test]
fn digest_fields_are_as_their_model() {
    hold("Digest fields", |dice| {
        let digest = Sha256Digest::of(&dice.next().to_be_bytes());
        let (mut members, mut expected) = (Vec::new(), Some(Vec::new()));
        // Of two members of one name the last counts (RFC 9651 §4.2.2), so each name comes once.
        let mut names = vec!["sha-256", "sha-512", "md5", "unixsum"];
        for _ in 0..dice.below(4) {
            let name = names.remove(dice.below(names.len()));
            let (value, is_right) = match dice.below(6) {
                0 => ("\"text\"".to_owned(), false),
                1 => (":AAAA:".to_owned(), false),
                2 => ("(:AAAA:)".to_owned(), false),
                _ => (format!(":{}:", base64::engine::general_purpose::STANDARD.encode(digest.0)), true),
            };
            if name == "sha-256" {
                expected = is_right.then(|| vec![digest]);
            }
            members.push(format!("{name}={value}{}", dice.of(&["", "", ";q=1", "; a"])));
        }
        let text = members.join(dice.of(&[",", ", ", " ,\t"]));
        let name = dice.of(&["repr-digest", "content-digest"]);
        let found = sent_digests(&one(name.parse().expect("a header's name"), &text)?).ok();
        (found != expected).then(|| format!("{text:?}: {found:?}, not {expected:?}"))
    });
}

#[test]
fn dates_are_as_their_model() {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    // The first day of each month, found by counting every day since 1970.
    let mut firsts = Vec::new();
    let mut day = 0_i64;
    for year in 1970..=2399 {
        for (month, name) in MONTHS.iter().enumerate() {
            firsts.push((day, year, *name));
            day += [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
        }
    }
    let last = day * 86_400;
    hold("Dates and If-Range", |dice| {
        let seconds = i64::try_from(dice.next() % last.unsigned_abs()).expect("within the table");
        let (day, second) = (seconds / 86_400, seconds % 86_400);
        let (first, year, month) = firsts[firsts.partition_point(|(first, ..)| *first <= day) - 1];
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][usize::try_from(day % 7).expect("a day")];
        let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        let text = format!("{weekday}, {:02} {month} {year} {clock} GMT", day - first + 1);
        if http_date(Instant::from_seconds(seconds)) != text {
            return Some(format!("{seconds} is written as {}, not {text}", http_date(Instant::from_seconds(seconds))));
        }
        let digest = Sha256Digest::of(&seconds.to_be_bytes());
        let (weak, asctime) = (format!("W/{}", entity_tag(&digest)), format!("{weekday} {month} {:>2} {clock} {year}", day - first + 1));
        let other = http_date(Instant::from_seconds(seconds + 1));
        let candidates = [
            (text.clone(), true),
            (asctime, true),
            (entity_tag(&digest), true),
            (weak, false),
            (entity_tag(&Sha256Digest::of(b"other")), false),
            (other, false),
            ("*".to_owned(), false),
            (format!("{text}, {text}"), false),
        ];
        let (candidate, expected) = &candidates[dice.below(candidates.len())];
        let found = range_applies(&one(IF_RANGE, candidate)?, &digest, Instant::from_seconds(seconds));
        (found != *expected).then(|| format!("If-Range: {candidate} of {text}: {found}"))
    });
}
