//! `Accept` (RFC 9110 §12.5.1): which of the forms that we offer a client wants most.

use http::HeaderMap;
use http::header::ACCEPT;

/// A form that a list can take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListForm {
    Json,
    Page,
}

/// A form that an error can take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorForm {
    Text,
    Problem,
    Page,
}

/// JSON, unless HTML is wanted more or named first: `*/*` and no header at all mean JSON.
pub fn list_form(headers: &HeaderMap) -> ListForm {
    best(headers, &[("application/json", ListForm::Json), ("text/html", ListForm::Page)])
}

/// Plain text, unless JSON or HTML is wanted more or named first.
pub fn error_form(headers: &HeaderMap) -> ErrorForm {
    let json = ["application/problem+json", "application/json"].map(|name| (name, ErrorForm::Problem));
    best(headers, &[("text/plain", ErrorForm::Text), json[0], json[1], ("text/html", ErrorForm::Page)])
}

/// Whether JSON is named, by its own name: a wildcard names nothing.
pub fn names_json(headers: &HeaderMap) -> bool {
    let text = super::joined(headers, ACCEPT).unwrap_or_default();
    let is_json = |range: MediaRange| range.weight > 0 && range.rank() == 2 && range.covers("application/json");
    text.split(',').filter_map(MediaRange::parse).any(is_json)
}

/// The offer with the largest weight; of equal ones that which the client names earlier, then that which we name earlier.
/// Where nothing fits the first offer is better than no answer.
fn best<Form: Copy>(headers: &HeaderMap, offers: &[(&str, Form)]) -> Form {
    let text = super::joined(headers, ACCEPT).unwrap_or_default();
    let ranges: Vec<MediaRange> = text.split(',').filter_map(MediaRange::parse).collect();
    let mut best = (0, 0, offers[0].1);
    for (name, form) in offers {
        // The most specific range decides on an offer.
        let Some((place, range)) = ranges.iter().enumerate().filter(|(_, range)| range.covers(name)).max_by_key(|(_, range)| range.rank())
        else {
            continue;
        };
        let is_better = range.weight > best.0 || (range.weight == best.0 && place < best.1);
        if range.weight > 0 && is_better {
            best = (range.weight, place, *form);
        }
    }
    best.2
}

struct MediaRange<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// Thousandths.
    weight: u32,
}

impl<'a> MediaRange<'a> {
    /// One member of the list; `None` for what cannot be read.
    fn parse(member: &'a str) -> Option<Self> {
        let mut parts = member.split(';').map(|part| part.trim_matches([' ', '\t']));
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(Self { kind, subtype, weight: weight.map_or(Some(1000), thousandths)? })
    }

    fn covers(&self, name: &str) -> bool {
        let (kind, subtype) = name.split_once('/').unwrap_or((name, ""));
        (self.kind == "*" && self.subtype == "*")
            || (self.kind.eq_ignore_ascii_case(kind) && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype)))
    }

    fn rank(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subtype != "*")
    }
}

/// A weight of 0 to 1 with at most three decimals.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let part: u32 = format!("{decimals:0<3}").parse().ok().filter(|_| is_plain)?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

    const CHROMIUM: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
    const FIREFOX: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    fn accept(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (ACCEPT, line.parse().expect("a test's header is valid"))).collect()
    }

    #[test]
    fn browsers_get_the_page_and_programs_get_json() {
        for line in [CHROMIUM, FIREFOX, "text/html", "TEXT/HTML", "text/html, */*", "application/json;q=0.5, text/html", "text/*"] {
            assert_eq!(list_form(&accept(&[line])), ListForm::Page, "{line}");
        }
        let json =
            ["*/*", "application/json", "application/json, text/html", "*/*, text/html", "", "text/html;q=0", "text/html;q=0.5, */*"];
        for line in json.into_iter().chain(["application/*", "image/png", "nonsense", "text/html;q=2", "application/json, text/plain, */*"])
        {
            assert_eq!(list_form(&accept(&[line])), ListForm::Json, "{line}");
        }
        assert_eq!(list_form(&HeaderMap::new()), ListForm::Json);
        assert_eq!(list_form(&accept(&["image/png", "text/html"])), ListForm::Page, "two lines are one list");
    }

    #[test]
    fn errors_are_text_unless_something_else_is_asked_for() {
        for line in ["*/*", "", "text/plain", "text/*", "application/octet-stream, */*", "image/png", "application/x-tar"] {
            assert_eq!(error_form(&accept(&[line])), ErrorForm::Text, "{line}");
        }
        for line in ["application/json", "application/problem+json", "application/json, text/plain, */*", "application/json, */*;q=0.5"] {
            assert_eq!(error_form(&accept(&[line])), ErrorForm::Problem, "{line}");
        }
        for line in [CHROMIUM, FIREFOX, "text/html", "text/html, application/json"] {
            assert_eq!(error_form(&accept(&[line])), ErrorForm::Page, "{line}");
        }
        assert_eq!(error_form(&HeaderMap::new()), ErrorForm::Text);
    }

    #[test]
    fn only_its_own_name_names_json() {
        for line in ["application/json", "text/html, APPLICATION/JSON;q=0.1", "application/json; charset=utf-8", "*/*, application/json"] {
            assert!(names_json(&accept(&[line])), "{line}");
        }
        for line in ["", "*/*", "application/*", "application/json;q=0", "application/problem+json", "application/jsonx", "json", CHROMIUM]
        {
            assert!(!names_json(&accept(&[line])), "{line}");
        }
        assert!(!names_json(&HeaderMap::new()));
    }

    #[test]
    fn weights_are_read_exactly() {
        for (text, weight) in
            [("1", Some(1000)), ("1.000", Some(1000)), ("0", Some(0)), ("0.5", Some(500)), ("0.001", Some(1)), ("0.", Some(0))]
        {
            assert_eq!(thousandths(text), weight, "{text}");
        }
        for odd in ["", "1.001", "2", "0.0001", ".5", "-1", "0.5x", "+0", "1e0", "0.+5"] {
            assert_eq!(thousandths(odd), None, "{odd}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::server::headers::CASES))]

        #[test]
        fn the_heavier_of_two_wins(html in 0..=1000_u32, json in 0..=1000_u32) {
            let weight = |value: u32| format!("{}.{:03}", value / 1000, value % 1000);
            let line = format!("text/html;q={}, application/json;q={}", weight(html), weight(json));
            let expected = if html > 0 && html >= json { ListForm::Page } else { ListForm::Json };
            prop_assert_eq!(list_form(&accept(&[&line])), expected);
        }

        #[test]
        fn no_text_panics(line in "[ -~]{0,80}") {
            error_form(&accept(&[&line]));
        }
    }
}
