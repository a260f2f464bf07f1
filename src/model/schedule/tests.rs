//! One row for each rule of schedules.

use super::*;
use crate::model::instant::Instant;
use crate::model::view::parse_time;

fn zone(text: &str) -> ZoneId {
    ZoneId::parse(text).expect("it is known")
}

fn instant(text: &str) -> Instant {
    parse_time(text).expect("it is a time")
}

fn at(hour: i64, minute: i64, half: Half) -> TimeOfDay {
    TimeOfDay::new(hour, minute, half).expect("it is a time of day")
}

fn daily(at: TimeOfDay, text: &str) -> Schedule {
    Schedule { timing: Timing::Daily { at }, zone: zone(text) }
}

/// The runs after `after`, each in UTC.
fn runs(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let next = |after: &Instant| schedule.next_run(instant("2020-01-01T00:00:00Z"), *after);
    std::iter::successors(next(&instant(after)), next).take(count).map(Instant::rfc3339).collect()
}

#[test]
fn words_are_read_in_any_case_and_no_others() {
    for frequency in Frequency::ALL {
        assert_eq!(Frequency::parse(&frequency.as_str().to_uppercase()), Ok(frequency));
    }
    for half in Half::ALL {
        assert_eq!(Half::parse(&half.as_str().to_lowercase()), Ok(half));
    }
    for text in ["Monthly", "", "Manual", "1"] {
        assert_eq!(Frequency::parse(text), Err(ScheduleError::Frequency), "{text:?}");
    }
    for text in ["", "A", "noon"] {
        assert_eq!(Half::parse(text), Err(ScheduleError::Half), "{text:?}");
    }
}

#[test]
fn every_part_has_its_limits() {
    for (hour, minute, error) in
        [(-1, 0, ScheduleError::Hour), (13, 0, ScheduleError::Hour), (1, -1, ScheduleError::Minute), (1, 60, ScheduleError::Minute)]
    {
        assert_eq!(TimeOfDay::new(hour, minute, Half::Am), Err(error));
    }
    let noon = at(12, 59, Half::Pm);
    for (hours, is_some) in [(i64::MIN, false), (0, false), (1, true), (23, true), (24, false), (257, false)] {
        assert_eq!(Timing::hourly(hours).is_ok(), is_some, "{hours}");
    }
    for (day, is_some) in [(-1, false), (0, true), (6, true), (7, false), (256, false)] {
        assert_eq!(Timing::weekly(noon, day).is_ok(), is_some, "{day}");
    }
    assert_eq!(Timing::weekly(noon, 6).map(Timing::frequency), Ok(Frequency::Weekly));
}

#[test]
fn hour_zero_means_twelve_and_keeps_its_spelling() {
    for (hour, half, clock) in [
        (0, Half::Am, "00:05"),
        (12, Half::Am, "00:05"),
        (1, Half::Am, "01:05"),
        (11, Half::Am, "11:05"),
        (0, Half::Pm, "12:05"),
        (12, Half::Pm, "12:05"),
        (11, Half::Pm, "23:05"),
    ] {
        let time = at(hour, 5, half);
        let run = format!("2026-05-05T{clock}:00Z");
        assert_eq!(runs(&daily(time, "UTC"), "2026-05-04T23:59:59Z", 1), [run]);
        assert_eq!((time.hour(), time.minute(), time.half()), (hour, 5, half));
    }
}

#[test]
fn nothing_is_due_by_itself_when_runs_are_started_by_hand() {
    let schedule = Schedule { timing: Timing::Manually, zone: ZoneId::utc() };
    let (early, late) = (Instant::from_seconds(0), Instant::from_seconds(1_800_000_000));
    assert_eq!(schedule.next_run(early, late), None);
    assert_eq!(schedule.occurrences(early, early, late), Occurrences::NONE);
    assert_eq!(schedule.interval_micros(), None);
}

#[test]
fn hourly_counts_elapsed_hours_from_its_anchor() {
    let schedule = Schedule { timing: Timing::hourly(2).expect("it is allowed"), zone: zone("Eastern Standard Time") };
    let anchor = instant("2026-03-08T05:22:21.5Z");
    let next = |after: Instant| schedule.next_run(anchor, after);
    let hours = |count: i64| anchor.plus_micros(count * HOUR_MICROS);
    assert_eq!(next(anchor), Some(hours(2)), "the anchor itself is no run, and a change of the clocks is none of its business");
    assert_eq!(next(hours(-50)), Some(hours(2)));
    assert_eq!(next(hours(2).plus_micros(-1)), Some(hours(2)));
    assert_eq!(next(hours(2)), Some(hours(4)), "strictly after");
    assert_eq!(schedule.occurrences(anchor, hours(2), hours(7)), Occurrences { newest: Some(hours(6)), count: 2 });
    assert_eq!(schedule.occurrences(anchor, hours(-9), hours(1)), Occurrences::NONE);
    assert_eq!(schedule.occurrences(anchor, hours(9), hours(1)), Occurrences::NONE);
    assert_eq!(schedule.interval_micros(), Some(2 * HOUR_MICROS));
}

#[test]
fn a_skipped_time_moves_and_of_a_doubled_one_the_first_counts() {
    let early = daily(at(2, 30, Half::Am), "Eastern Standard Time");
    let spring = ["2026-03-07T07:30:00Z", "2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"];
    assert_eq!(runs(&early, "2026-03-07T00:00:00Z", 3), spring, "02:30, 03:30, 02:30");
    let earlier = daily(at(1, 30, Half::Am), "Eastern Standard Time");
    let autumn = ["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"];
    assert_eq!(runs(&earlier, "2026-10-31T00:00:00Z", 3), autumn, "not again an hour later");
    assert_eq!(runs(&earlier, "2026-11-01T06:00:00Z", 1), autumn[2..]);
}

#[test]
fn a_time_that_moves_past_midnight_is_not_lost() {
    // Since 2024 the clocks of Greenland skip the last hour of a Saturday in March.
    let schedule = daily(at(11, 30, Half::Pm), "America/Nuuk");
    let runs_then = ["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"];
    assert_eq!(runs(&schedule, "2026-03-28T12:00:00Z", 2), runs_then, "00:30 and 23:30 on Sunday");
    assert_eq!(runs(&schedule, "2026-03-29T01:10:00Z", 1), runs_then[..1], "asked for on Sunday, after midnight");
}

#[test]
fn a_day_that_does_not_exist_has_no_run() {
    // Samoa had no 30th of December 2011.
    let schedule = daily(at(10, 0, Half::Am), "Pacific/Apia");
    assert_eq!(runs(&schedule, "2011-12-29T00:00:00Z", 3), ["2011-12-29T20:00:00Z", "2011-12-30T20:00:00Z", "2011-12-31T20:00:00Z"]);
    let seen = schedule.occurrences(Instant::FOREVER, instant("2011-12-29T00:00:00Z"), instant("2011-12-31T20:00:00Z"));
    assert_eq!(seen, Occurrences { newest: Some(instant("2011-12-31T20:00:00Z")), count: 3 });
}

#[test]
fn weekly_runs_on_its_day_by_the_clocks_of_its_zone() {
    // 2026-05-03 is a Sunday; New York is four hours behind then.
    for (day, midnight, last_minute) in [
        (0, "2026-05-03T04:00:00Z", "2026-05-04T03:59:00Z"),
        (1, "2026-05-04T04:00:00Z", "2026-05-05T03:59:00Z"),
        (6, "2026-05-09T04:00:00Z", "2026-05-10T03:59:00Z"),
    ] {
        let weekly = |at| Schedule { timing: Timing::weekly(at, day).expect("it is allowed"), zone: zone("Eastern Standard Time") };
        let (first, last) = (weekly(at(12, 0, Half::Am)), weekly(at(11, 59, Half::Pm)));
        assert_eq!(runs(&first, "2026-05-03T03:59:59Z", 1), [midnight]);
        assert_eq!(runs(&last, "2026-05-03T04:00:00Z", 1), [last_minute]);
        let next = instant(midnight).plus_micros(7 * DAY_MICROS);
        assert_eq!(runs(&first, midnight, 1), [next.rfc3339()], "strictly after");
        assert_eq!(first.interval_micros(), Some(7 * DAY_MICROS));
    }
}

#[test]
#[cfg_attr(miri, ignore = "an interpreter takes minutes for ten thousand days, all counted in the same way")]
fn counting_ends_where_it_would_take_long() {
    let (from, until) = (instant("1970-01-01"), instant("2970-01-01T12:00:00Z"));
    let days = daily(at(12, 0, Half::Pm), "UTC").occurrences(from, from, until);
    assert_eq!(days, Occurrences { newest: Some(until), count: 10_000 });
    let hours = Schedule { timing: Timing::hourly(1).expect("it is allowed"), zone: ZoneId::utc() };
    assert_eq!(hours.occurrences(from, from, from.plus_micros(5_000_000 * HOUR_MICROS)).count, 5_000_000);
}

#[test]
fn the_end_of_the_calendar_is_no_panic() {
    let ends = [Instant::FOREVER, Instant::from_micros(i64::MIN), instant("9999-12-29"), instant("9999-12-30T21:59:59Z")];
    let noon = at(12, 0, Half::Pm);
    for timing in [Timing::Daily { at: noon }, Timing::Weekly { at: noon, day: 3 }, Timing::Hourly { every_hours: 23 }] {
        let schedule = Schedule { timing, zone: ZoneId::utc() };
        for anchor in ends {
            assert_eq!(schedule.next_run(anchor, Instant::FOREVER), None);
            for until in ends {
                let seen = schedule.occurrences(anchor, instant("9999-12-01"), until);
                assert_eq!(seen.newest.is_some(), seen.count > 0);
            }
        }
    }
    for out_of_range in [Timing::Hourly { every_hours: 0 }, Timing::Weekly { at: noon, day: 7 }] {
        let schedule = Schedule { timing: out_of_range, zone: ZoneId::utc() };
        assert_eq!(schedule.next_run(Instant::from_seconds(0), Instant::from_seconds(0)), None);
    }
}
