//! Properties of schedules in zones whose clocks change in odd ways: at midnight, by half an hour, by a whole day.

use jiff::civil::{Date, DateTime, Time, date};
use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_assert_ne, prop_oneof, proptest};

use super::*;
use crate::model::instant::{Instant, SECOND_MICROS};

const ZONES: [&str; 5] = ["Eastern Standard Time", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"];
/// The years 2005 to 2037: each of the zones changes its clocks in some of them.
const SECONDS: std::ops::Range<i64> = 1_104_537_600..2_114_380_800;
/// Days that are looked at one by one. An interpreter takes minutes for a year of them.
const DAYS: u16 = if cfg!(miri) { 20 } else { 400 };
const WEEKS: usize = if cfg!(miri) { 2 } else { 30 };

fn zones() -> impl Strategy<Value = ZoneId> {
    proptest::sample::select(&ZONES[..]).prop_map(|text| ZoneId::parse(text).expect("it is known"))
}

/// Half of them at the hours at which clocks change.
fn times_of_day() -> impl Strategy<Value = TimeOfDay> {
    let hours = prop_oneof![0..=3_i64, 0..=12_i64];
    let halves = prop_oneof![3 => Just(Half::Am), 1 => Just(Half::Pm)];
    (hours, 0..60_i64, halves).prop_map(|(hour, minute, half)| TimeOfDay::new(hour, minute, half).expect("it is in the limits"))
}

fn timings() -> impl Strategy<Value = Timing> {
    prop_oneof![
        (1..=23_i64).prop_map(|hours| Timing::hourly(hours).expect("it is in the limits")),
        times_of_day().prop_map(|at| Timing::Daily { at }),
        (times_of_day(), 0..=6_i64).prop_map(|(at, day)| Timing::weekly(at, day).expect("it is in the limits")),
    ]
}

fn instants() -> impl Strategy<Value = Instant> {
    (SECONDS, 0..SECOND_MICROS).prop_map(|(seconds, micros)| Instant::from_seconds(seconds).plus_micros(micros))
}

fn on_the_wall(zone: &ZoneId, instant: Instant) -> DateTime {
    zone.zone().to_datetime(jiff::Timestamp::from_microsecond(instant.micros()).expect("it is in the calendar"))
}

/// The next day that the zone has.
fn day_after(zone: &ZoneId, day: Date) -> Date {
    let is_left_out = zone.as_str() == "Pacific/Apia" && day == date(2011, 12, 29);
    if is_left_out { date(2011, 12, 31) } else { day.tomorrow().expect("it is in the calendar") }
}

fn clock(at: TimeOfDay) -> Time {
    let text = format!("{:02}:{:02} {}", if at.hour() == 0 { 12 } else { at.hour() }, at.minute(), at.half().as_str());
    Time::strptime("%I:%M %p", text).expect("it is a time")
}

fn iterate(schedule: &Schedule, anchor: Instant, after: Instant) -> impl Iterator<Item = Instant> {
    std::iter::successors(schedule.next_run(anchor, after), move |run| schedule.next_run(anchor, *run))
}

proptest! {
    #[test]
    fn daily_runs_come_once_each_day_at_the_time_asked_for(zone in zones(), at in times_of_day(), after in instants()) {
        let schedule = Schedule { timing: Timing::Daily { at }, zone: zone.clone() };
        let start = on_the_wall(&zone, after);
        let mut day = if start.time() < clock(at) { start.date() } else { day_after(&zone, start.date()) };
        for (number, run) in iterate(&schedule, after, after).take(DAYS.into()).enumerate() {
            prop_assert!(run > after);
            let wall = on_the_wall(&zone, run);
            // Where clocks change between `after` and the first run, their order on the wall says nothing.
            if number == 0 && wall.date() != day {
                prop_assert!(run.micros_since(after) <= 25 * HOUR_MICROS && wall.time() == clock(at));
                day = wall.date();
            }
            prop_assert_eq!(wall.date(), day);
            let asked = zone.zone().to_ambiguous_timestamp(day.to_datetime(clock(at)));
            match asked.offset() {
                jiff::tz::AmbiguousOffset::Unambiguous { .. } => prop_assert_eq!(wall.time(), clock(at)),
                jiff::tz::AmbiguousOffset::Gap { .. } => prop_assert!(wall.time() > clock(at)),
                jiff::tz::AmbiguousOffset::Fold { .. } => {
                    prop_assert_eq!(wall.time(), clock(at));
                    let first = asked.earlier().expect("it is in the calendar").as_microsecond();
                    prop_assert_eq!(run.micros(), first);
                }
            }
            day = day_after(&zone, day);
        }
    }

    #[test]
    fn weekly_runs_are_those_daily_ones_that_fall_on_the_day(zone in zones(), at in times_of_day(), day in 0..=6_i64, after in instants()) {
        let weekly = Schedule { timing: Timing::weekly(at, day).expect("it is in the limits"), zone: zone.clone() };
        let daily = Schedule { timing: Timing::Daily { at }, zone: zone.clone() };
        let is_on_day = |run: &Instant| i64::from(on_the_wall(&zone, *run).weekday().to_sunday_zero_offset()) == day;
        let expected = iterate(&daily, after, after).filter(is_on_day).take(WEEKS);
        // The run of a day that is left out falls on the next.
        let runs = iterate(&weekly, after, after).filter(is_on_day).take(WEEKS);
        prop_assert!(runs.eq(expected));
    }

    #[test]
    fn occurrences_are_what_iterating_finds(
        timing in timings(), zone in zones(), anchor in instants(), after in instants(), days in 0..i64::from(DAYS), micros in 0..DAY_MICROS,
    ) {
        let schedule = Schedule { timing, zone };
        let until = after.plus_micros(days * DAY_MICROS + micros);
        let runs: Vec<Instant> = iterate(&schedule, anchor, after).take_while(|run| *run <= until).collect();
        let seen = schedule.occurrences(anchor, after, until);
        prop_assert_eq!(seen, Occurrences { newest: runs.last().copied(), count: runs.len() as u64 });
        if let Some(newest) = seen.newest {
            prop_assert_eq!(schedule.occurrences(anchor, after, newest), seen, "the end belongs to it");
            prop_assert_ne!(schedule.occurrences(anchor, newest, until).newest, seen.newest, "the beginning does not");
        }
    }
}
