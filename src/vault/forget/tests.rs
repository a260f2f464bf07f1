//! What policies keep: cases, and a plain model.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

const NOW: &str = "2024-06-01T00:00:00Z";

fn candidate(time: &str, tags: &[&str]) -> Candidate {
    let time = Candidate::time_of(time, &TimeZone::UTC).expect("it is a time");
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Candidate { id: time.timestamp().to_string(), time, tags, host: "h".to_owned(), paths: vec!["/".to_owned()] }
}

fn kept(policy: &Policy, times: &[&str]) -> Vec<(String, Vec<String>)> {
    let group = times.iter().map(|time| candidate(time, &[])).collect();
    let kept = policy.apply(group, NOW.parse().unwrap()).into_iter().filter(Decision::is_kept);
    kept.map(|decision| (decision.candidate.id, decision.reasons)).collect()
}

fn ids(kept: &[(String, Vec<String>)]) -> Vec<&str> {
    kept.iter().map(|(id, _)| id.as_str()).collect()
}

#[test]
fn the_newest_of_each_day_is_kept_and_the_oldest_while_some_are_left() {
    let times = ["2024-05-01T10:00:00Z", "2024-05-03T09:00:00Z", "2024-05-03T10:00:00Z", "2024-05-01T09:00:00Z"];
    let daily = |count| Policy { daily: Keep::Count(count), ..Policy::default() };
    assert_eq!(ids(&kept(&daily(1), &times)), ["2024-05-03T10:00:00Z"]);
    assert_eq!(ids(&kept(&daily(2), &times)), ["2024-05-03T10:00:00Z", "2024-05-01T10:00:00Z"]);
    let all = kept(&daily(3), &times);
    assert_eq!(ids(&all), ["2024-05-03T10:00:00Z", "2024-05-01T10:00:00Z", "2024-05-01T09:00:00Z"]);
    assert_eq!(all[2].1, ["oldest daily snapshot"]);
    let unlimited = Policy { daily: Keep::Unlimited, ..Policy::default() };
    assert_eq!(ids(&kept(&unlimited, &times)), ids(&all));
}

#[test]
fn a_day_is_one_of_the_zone_in_which_the_time_is_given() {
    let daily = Policy { daily: Keep::Count(9), ..Policy::default() };
    let times = ["2024-05-01T23:30:00+02:00", "2024-05-02T00:30:00+02:00", "2024-05-02T12:00:00+02:00"];
    let kept = kept(&daily, &times);
    assert_eq!(ids(&kept), ["2024-05-02T10:00:00Z", "2024-05-01T21:30:00Z"], "half past ten at night in UTC is another day there");
}

#[test]
fn within_counts_from_the_newest_that_is_not_in_the_future() {
    let within = Policy { within: Duration { days: 2, ..Duration::default() }, ..Policy::default() };
    let times = ["2025-01-01T00:00:00Z", "2024-05-03T00:00:00Z", "2024-05-01T00:00:00Z", "2024-05-01T00:00:01Z"];
    let all = kept(&within, &times);
    assert_eq!(ids(&all), ["2025-01-01T00:00:00Z", "2024-05-03T00:00:00Z", "2024-05-01T00:00:01Z"]);
    assert_eq!(all[0].1, ["within 2d"]);
    assert_eq!(kept(&within, &["2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]).len(), 2, "all in the future: none is too old");
}

#[test]
fn tags_keep_what_has_all_of_one_list() {
    let list = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    let policy = Policy { tags: vec![list(&["a", "b"]), list(&[""])], ..Policy::default() };
    let group = vec![
        candidate("2024-05-03T00:00:00Z", &["b", "c", "a"]),
        candidate("2024-05-02T00:00:00Z", &["a"]),
        candidate("2024-05-01T00:00:00Z", &[]),
    ];
    let reasons: Vec<_> = policy.apply(group, NOW.parse().unwrap()).into_iter().map(|decision| decision.reasons).collect();
    assert_eq!(reasons, [list(&["has tags [a, b]"]), list(&[]), list(&["has tags []"])]);
}

#[test]
fn a_policy_without_rules_keeps_everything() {
    let all = kept(&Policy::default(), &["2024-05-03T00:00:00Z", "2024-05-02T00:00:00Z"]);
    assert_eq!(ids(&all).len(), 2);
    assert_eq!(all[1].1, ["policy is empty"]);
    assert!(Policy::default().is_empty() && !Policy { last: Keep::Unlimited, ..Policy::default() }.is_empty());
    assert!(Policy::default().apply(Vec::new(), NOW.parse().unwrap()).is_empty());
}

#[test]
fn counts_are_numbers_or_unlimited() {
    for (text, keep) in
        [("0", Some(Keep::Count(0))), ("7", Some(Keep::Count(7))), ("unlimited", Some(Keep::Unlimited)), ("-1", Some(Keep::Unlimited))]
    {
        assert_eq!(Keep::parse(text), keep);
    }
    for text in ["", "-2", "x", "1.5", "99999999999"] {
        assert_eq!(Keep::parse(text), None, "{text}");
    }
}

#[test]
fn a_time_is_of_the_local_zone_where_its_offset_is() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let zone = |text| Candidate::time_of(text, &berlin).map(|time| time.time_zone().clone());
    assert_eq!(zone("2024-07-01T12:00:00.5+02:00"), Some(berlin.clone()));
    assert_eq!(zone("2024-07-01T12:00:00+01:00"), Some(TimeZone::fixed(jiff::tz::offset(1))));
    assert_eq!(zone("2024-07-01T12:00:00Z"), Some(TimeZone::fixed(jiff::tz::offset(0))));
    assert_eq!(zone("yesterday"), None);
}

/// For each rule by itself: the newest of each period, as many as there may be, and the oldest of all if not all were used.
fn plain(policy: &Policy, times: &[Timestamp], now: Timestamp) -> Vec<bool> {
    let mut times: Vec<_> = times.iter().map(|time| time.to_zoned_datetime(TimeZone::UTC)).collect();
    times.sort_by(|one, other| other.cmp(one));
    let newest = times.iter().find(|time| time.timestamp() < now).cloned();
    let formats: [(Keep, Duration, &str); 5] = [
        (policy.hourly, policy.within_hourly, "%Y %m %d %H"),
        (policy.daily, policy.within_daily, "%Y %m %d"),
        (policy.weekly, policy.within_weekly, "%G %V"),
        (policy.monthly, policy.within_monthly, "%Y %m"),
        (policy.yearly, policy.within_yearly, "%Y"),
    ];
    let is_within = |duration: &Duration, time: &ZonedDateTime| {
        let hours = i64::from(duration.hours) + 24 * i64::from(duration.days);
        let begin = newest.as_ref().map(|newest| newest.timestamp() - jiff::Span::new().hours(hours));
        !duration.is_zero() && begin.is_none_or(|begin| time.timestamp() > begin)
    };
    let mut kept: Vec<bool> = times.iter().map(|time| policy.is_empty() || is_within(&policy.within, time)).collect();
    let mut keep = |periods: Vec<Option<String>>, most: usize| {
        let mut used = std::collections::HashSet::new();
        for (at, period) in periods.iter().enumerate().filter_map(|(at, period)| Some((at, period.as_ref()?))) {
            if used.len() < most && (used.insert(period.clone()) || at + 1 == periods.len()) {
                kept[at] = true;
            }
        }
    };
    let count = |keep: Keep| if let Keep::Count(count) = keep { count as usize } else { usize::MAX };
    keep((0..times.len()).map(|at| Some(at.to_string())).collect(), count(policy.last));
    for (most, duration, format) in formats {
        keep(times.iter().map(|time| Some(time.strftime(format).to_string())).collect(), count(most));
        keep(times.iter().map(|time| is_within(&duration, time).then(|| time.strftime(format).to_string())).collect(), usize::MAX);
    }
    kept
}

fn counts() -> impl Strategy<Value = Keep> {
    prop_oneof![4 => Just(Keep::Count(0)), 4 => (1_u32..5).prop_map(Keep::Count), 1 => Just(Keep::Unlimited)]
}

fn durations() -> impl Strategy<Value = Duration> {
    let some = (0_u32..40, 0_u32..30).prop_map(|(days, hours)| Duration { days, hours, ..Duration::default() });
    prop_oneof![3 => Just(Duration::default()), 1 => some]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn policies_keep_what_a_plain_model_keeps(
        hours in proptest::collection::btree_set(0_i64..20_000, 0..30), near in proptest::collection::btree_set(20_000_i64..20_200, 0..10),
        counts in proptest::array::uniform6(counts()), durations in proptest::array::uniform6(durations()),
    ) {
        let begin: Timestamp = "2022-02-25T00:10:00Z".parse().unwrap();
        let times: Vec<_> = hours.iter().chain(&near).map(|hours| begin + jiff::Span::new().hours(*hours)).collect();
        let [last, hourly, daily, weekly, monthly, yearly] = counts;
        let [within, within_hourly, within_daily, within_weekly, within_monthly, within_yearly] = durations;
        let policy = Policy {
            last, hourly, daily, weekly, monthly, yearly,
            within, within_hourly, within_daily, within_weekly, within_monthly, within_yearly, tags: Vec::new(),
        };
        let now = NOW.parse().unwrap();
        let group = times.iter().map(|time| candidate(&time.to_string(), &[])).collect();
        let kept: Vec<_> = policy.apply(group, now).iter().map(Decision::is_kept).collect();
        prop_assert_eq!(kept, plain(&policy, &times, now));
    }
}
