//! Conditional requests (RFC 9110 §13) on a stored file, in the order of precedence of §13.2.2.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

use super::entity_tags::{EntityTags, entity_tag};
use crate::model::digest::Sha256Digest;
use crate::model::instant::Instant;

/// What the conditions of a GET or HEAD come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Proceed,
    /// 304: the client has it.
    NotModified,
    /// 412: it is not what the client wants.
    Failed,
}

/// Judges `If-Match`, `If-Unmodified-Since`, `If-None-Match` and `If-Modified-Since` against the stored file. Dates that
/// cannot be read are ignored.
pub fn verdict(headers: &HeaderMap, digest: &Sha256Digest, last_modified: Instant) -> Verdict {
    let is_wanted = match tags(headers, &IF_MATCH) {
        Some(tags) => tags.has_strong(digest),
        None => date(headers, &IF_UNMODIFIED_SINCE).is_none_or(|date| last_modified.seconds() <= date),
    };
    let is_known = match tags(headers, &IF_NONE_MATCH) {
        Some(tags) => tags.has_weak(digest),
        None => date(headers, &IF_MODIFIED_SINCE).is_some_and(|date| last_modified.seconds() <= date),
    };
    match (is_wanted, is_known) {
        (false, _) => Verdict::Failed,
        (true, true) => Verdict::NotModified,
        (true, false) => Verdict::Proceed,
    }
}

/// Whether a `Range` counts: there is no `If-Range`, or it names exactly this version. A date does, too, because a name
/// belongs to one file for longer than a day.
pub fn range_applies(headers: &HeaderMap, digest: &Sha256Digest, last_modified: Instant) -> bool {
    if !headers.contains_key(IF_RANGE) {
        return true;
    }
    let Some(text) = super::joined(headers, IF_RANGE) else { return false };
    let text = text.trim_matches([' ', '\t']);
    text == entity_tag(digest) || parse_date(text) == Some(last_modified.seconds())
}

/// Whether an upload says that it must not meet an existing file.
pub fn forbids_existing(headers: &HeaderMap) -> bool {
    tags(headers, &IF_NONE_MATCH) == Some(EntityTags::Any)
}

/// Whether an upload says that it must meet an existing file.
pub fn demands_existing(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_MATCH)
}

/// A date as HTTP writes it. Instants before 1970 or after 9999 show as the nearest that can be written.
pub fn http_date(instant: Instant) -> String {
    const LAST: u64 = 253_402_300_799;
    let seconds = u64::try_from(instant.seconds()).unwrap_or(0).min(LAST);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The tags of a header; one that is there but cannot be read lists none.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<EntityTags> {
    headers.contains_key(name).then(|| EntityTags::parse(&super::joined(headers, name).unwrap_or_default()))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    parse_date(&super::joined(headers, name)?)
}

/// Whole seconds since the epoch.
fn parse_date(text: &str) -> Option<i64> {
    let time: SystemTime = httpdate::parse_http_date(text).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

    const CREATED: Instant = Instant::from_seconds(1_274_439_603);
    const AT: &str = "Fri, 21 May 2010 11:00:03 GMT";
    const BEFORE: &str = "Fri, 21 May 2010 11:00:02 GMT";
    const AFTER: &str = "Fri, 21 May 2010 11:00:04 GMT";

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, line)| (name.clone(), line.parse().expect("a test's header is valid"))).collect()
    }

    fn digest() -> Sha256Digest {
        Sha256Digest::of(b"x")
    }

    fn judge(lines: &[(HeaderName, &str)]) -> Verdict {
        verdict(&headers(lines), &digest(), CREATED)
    }

    #[test]
    fn each_condition_alone() {
        let (mine, other) = (entity_tag(&digest()), "\"other\"");
        let weak = format!("W/{mine}");
        for (name, line, expected) in [
            (IF_MATCH, "*", Verdict::Proceed),
            (IF_MATCH, &*mine, Verdict::Proceed),
            (IF_MATCH, &*weak, Verdict::Failed),
            (IF_MATCH, other, Verdict::Failed),
            (IF_MATCH, "nonsense", Verdict::Failed),
            (IF_UNMODIFIED_SINCE, AT, Verdict::Proceed),
            (IF_UNMODIFIED_SINCE, BEFORE, Verdict::Failed),
            (IF_UNMODIFIED_SINCE, "nonsense", Verdict::Proceed),
            (IF_NONE_MATCH, "*", Verdict::NotModified),
            (IF_NONE_MATCH, &*mine, Verdict::NotModified),
            (IF_NONE_MATCH, &*weak, Verdict::NotModified),
            (IF_NONE_MATCH, other, Verdict::Proceed),
            (IF_NONE_MATCH, "nonsense", Verdict::Proceed),
            (IF_MODIFIED_SINCE, AT, Verdict::NotModified),
            (IF_MODIFIED_SINCE, AFTER, Verdict::NotModified),
            (IF_MODIFIED_SINCE, BEFORE, Verdict::Proceed),
            (IF_MODIFIED_SINCE, "nonsense", Verdict::Proceed),
            (IF_MODIFIED_SINCE, "Friday, 21-May-10 11:00:03 GMT", Verdict::NotModified),
            (IF_MODIFIED_SINCE, "Fri May 21 11:00:03 2010", Verdict::NotModified),
        ] {
            assert_eq!(judge(&[(name.clone(), line)]), expected, "{name}: {line}");
        }
        assert_eq!(judge(&[]), Verdict::Proceed);
    }

    #[test]
    fn tags_win_over_dates_and_failure_over_not_modified() {
        let mine = entity_tag(&digest());
        assert_eq!(judge(&[(IF_MATCH, &mine), (IF_UNMODIFIED_SINCE, BEFORE)]), Verdict::Proceed);
        assert_eq!(judge(&[(IF_NONE_MATCH, "\"other\""), (IF_MODIFIED_SINCE, AFTER)]), Verdict::Proceed);
        assert_eq!(judge(&[(IF_MATCH, "\"other\""), (IF_NONE_MATCH, &mine)]), Verdict::Failed);
        assert_eq!(judge(&[(IF_MATCH, &mine), (IF_NONE_MATCH, &mine)]), Verdict::NotModified);
        assert_eq!(judge(&[(IF_NONE_MATCH, "\"other\""), (IF_NONE_MATCH, &mine)]), Verdict::NotModified, "two lines are one list");
    }

    #[test]
    fn a_range_counts_only_for_exactly_this_version() {
        let mine = entity_tag(&digest());
        let applies = |line: &str| range_applies(&headers(&[(IF_RANGE, line)]), &digest(), CREATED);
        assert!(range_applies(&HeaderMap::new(), &digest(), CREATED));
        assert!(applies(&mine) && applies(AT));
        for other in [BEFORE, AFTER, "\"other\"", "*", "nonsense", &format!("W/{mine}"), &format!("{mine}, {mine}")] {
            assert!(!applies(other), "{other}");
        }
    }

    #[test]
    fn only_the_star_forbids_an_existing_file() {
        assert!(forbids_existing(&headers(&[(IF_NONE_MATCH, "*")])));
        assert!(!forbids_existing(&headers(&[(IF_NONE_MATCH, "\"a\"")])));
        assert!(!forbids_existing(&HeaderMap::new()));
    }

    #[test]
    fn dates_beyond_what_http_can_write_are_bounded() {
        assert_eq!(http_date(CREATED), AT);
        assert_eq!(http_date(Instant::from_micros(-1)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(Instant::FOREVER), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::server::headers::CASES))]

        #[test]
        fn every_date_comes_back(seconds in 0..253_402_300_799_i64) {
            prop_assert_eq!(parse_date(&http_date(Instant::from_seconds(seconds))), Some(seconds));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            parse_date(&text);
        }
    }
}
