//! What patterns mean: cases from restic's documentation, and a plain model.

use proptest::prelude::*;

use super::*;

fn matches(pattern: &str, path: &str) -> bool {
    Patterns::parse(&[pattern]).expect("it is a pattern").matches(path.as_bytes())
}

fn may_match_below(pattern: &str, path: &str) -> bool {
    Patterns::parse(&[pattern]).expect("it is a pattern").matches_or_may_below(path.as_bytes()).may_match_below
}

#[test]
fn a_pattern_matches_what_it_names_and_all_below() {
    for (pattern, path, is_meant) in [
        ("*.go", "/home/ann/x.go", true),
        ("*.go", "/home/x.go/y", true),
        ("*.go", "/home/x.c", false),
        ("x", "/home/xy", false),
        ("/home", "/home/ann", true),
        ("/home", "/srv/home", false),
        ("/home/", "/home", true),
        ("home/ann", "/srv/home/ann/x", true),
        ("home/*/x", "/home/ann/x", true),
        ("home/*/x", "/home/ann/b/x", false),
        ("home/**/x", "/home/ann/b/x", true),
        ("home/**/x", "/home/x", true),
        ("/home/**", "/home", true),
        ("/home/**", "/home/x", true),
        ("**/x", "/a/b/x", true),
        ("**", "/a", true),
        ("/", "/a", true),
        ("**/a/**", "a", false),
        ("/a/**/b/**", "/a/b", false),
        ("/a/**/b/**", "/a/b/c", true),
        ("/a/**/b/**", "/a/x/b", false),
        ("./x", "/x", true),
        ("a/../x", "/x", true),
        ("a**b", "/axb", true),
        ("a**b", "/a/b", false),
        ("x", "x", true),
        ("/x", "x", false),
        ("\\*", "/*", true),
        ("\\*", "/x", false),
    ] {
        assert_eq!(matches(pattern, path), is_meant, "{pattern} {path}");
    }
}

#[test]
fn what_may_match_below_is_looked_into() {
    for (pattern, path, may) in [
        ("x", "/anything", true),
        ("/home/ann", "/home", true),
        ("/home/ann", "/srv", false),
        ("/home/ann", "/home/ann/x", true),
        ("/home/*/x", "/home/bob", true),
        ("/home/**/x", "/home/a/b", true),
        ("/home/**/x", "/srv", false),
        ("/home/**", "/home", true),
    ] {
        assert_eq!(may_match_below(pattern, path), may, "{pattern} {path}");
    }
}

#[test]
fn a_later_negated_pattern_takes_back() {
    let list = Patterns::parse(&["*", "!/a/**/keep", "", "tmp"]).expect("they are patterns");
    for (path, is_meant) in [("/a/x", true), ("/a/keep", false), ("/a/b/keep/y", false), ("/a/keep/tmp", true)] {
        assert_eq!(list.matches(path.as_bytes()), is_meant, "{path}");
    }
    assert!(!list.matches_or_may_below(b"/a/keep").is_matched && list.matches_or_may_below(b"/b").may_match_below);
    assert_eq!(Patterns::default().matches_or_may_below(b"/a"), Matched::default());
    assert!(!list.matches(b""), "an empty path is nothing");
}

#[test]
fn case_is_ignored_where_asked() {
    let list = Patterns::parse_ignoring_case(&["ÄPFEL/*.JPG".as_bytes(), b"\xff[A-C]"]).expect("they are patterns");
    assert!(list.matches("/x/äpfel/A.jpg".as_bytes()) && list.matches(b"/\xffb") && !list.matches(b"/\xfeb"));
    assert!(!Patterns::parse(&["A"]).expect("it is a pattern").matches(b"/a"));
}

#[test]
fn malformed_patterns_are_named() {
    for pattern in ["[", "/a/[x", "a\\", "!x[]"] {
        assert_eq!(Patterns::parse(&["ok", pattern]), Err(PatternError(pattern.to_owned())));
    }
}

#[test]
fn long_patterns_and_deep_paths_take_no_long_time() {
    let pattern = "**/a/".repeat(50) + "b";
    let path = "/a".repeat(10_000);
    let list = Patterns::parse(&[pattern.as_str(), "*a*a*a*a*a*a*a*a*b"]).expect("they are patterns");
    assert!(!list.matches(path.as_bytes()) && list.matches((path + "/b").as_bytes()));
    assert!(!list.matches(&b"a".repeat(50_000)));
}

/// Writes every `**` out as any number of `*`.
fn plain(pattern: &[&str], names: &[&str]) -> bool {
    if let Some(at) = pattern.iter().position(|segment| *segment == "**") {
        let most = (names.len() + 1).checked_sub(pattern.len());
        let written_out = |stars: usize| [&pattern[..at], &vec!["*"; stars], &pattern[at + 1..]].concat();
        return most.is_some_and(|most| (0..=most).any(|stars| plain(&written_out(stars), names)));
    }
    let is_name = |(segment, name): (&&str, &&str)| match *segment {
        "*" => !(name.is_empty()),
        "?" => name.len() == 1,
        segment => segment == *name,
    };
    let first = usize::from(names.first() == Some(&""));
    let starts = if pattern.first() == Some(&"") { 0..1 } else { first..names.len() };
    !pattern.is_empty() && starts.into_iter().any(|at| names.len() >= at + pattern.len() && pattern.iter().zip(&names[at..]).all(is_name))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]
    #[test]
    fn matching_is_as_a_plain_model(
        is_absolute in any::<bool>(), segments in proptest::collection::vec(prop_oneof!["[ab]", Just("**".to_owned()), "[*?]"], 1..6),
        path_is_absolute in any::<bool>(), names in proptest::collection::vec("[abc]{1,2}", 1..7),
    ) {
        let top = |is: bool| if is { "/" } else { "" };
        let pattern = top(is_absolute).to_owned() + &segments.join("/");
        let path = top(path_is_absolute).to_owned() + &names.join("/");
        let expected = plain(&pattern.split('/').collect::<Vec<_>>(), &path.split('/').collect::<Vec<_>>());
        prop_assert_eq!(matches(&pattern, &path), expected, "{} {}", pattern, path);
    }

    #[test]
    fn no_bytes_are_too_much(pattern in proptest::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(b"*?[]^-\\/!".to_vec())], 0..12), path in proptest::collection::vec(any::<u8>(), 0..12)) {
        if let Ok(list) = Patterns::parse_ignoring_case(&[pattern]) {
            list.matches_or_may_below(&path);
        }
    }
}
