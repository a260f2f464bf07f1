//! The instants at which a schedule is due.

use jiff::civil::{Date, Time, Weekday};
use jiff::{Span, Timestamp};

use super::{Schedule, Timing};
use crate::model::instant::Instant;

/// The runs due in a stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Occurrences {
    pub newest: Option<Instant>,
    /// How many there were. Of daily and weekly runs, only the newest 10,000 are counted, which is more than 27 years.
    pub count: u64,
}

impl Occurrences {
    pub const NONE: Self = Self { newest: None, count: 0 };
}

const MAX_COUNTED: usize = 10_000;

impl Schedule {
    /// The first run due strictly after `after`. Hourly ones are counted in elapsed hours from `anchor`, the moment the schedule was
    /// made or changed; the others follow the clocks of their zone, where a time that is skipped moves by what was skipped and of one
    /// that comes twice the first counts. `None` when nothing is scheduled, and at the end of the calendar.
    pub fn next_run(&self, anchor: Instant, after: Instant) -> Option<Instant> {
        if let Some(step) = self.elapsed_step() {
            return nth_run(anchor, step, runs_until(anchor, step, after).checked_add(1)?);
        }
        // A skipped time may move past midnight, so the run of the day before may still be to come.
        let first = self.local_date(after)?.yesterday().unwrap_or(Date::MIN);
        self.dates(first, 1).map_while(|date| self.run_on(date)).find(|run| *run > after)
    }

    /// The runs due after `after` and not after `until`.
    pub fn occurrences(&self, anchor: Instant, after: Instant, until: Instant) -> Occurrences {
        if let Some(step) = self.elapsed_step() {
            let (before, last) = (runs_until(anchor, step, after), runs_until(anchor, step, until));
            let newest = nth_run(anchor, step, last).filter(|_| last > before);
            return newest.map_or(Occurrences::NONE, |_| Occurrences { newest, count: last.abs_diff(before) });
        }
        let Some(last) = self.local_date(until) else { return Occurrences::NONE };
        let last = last.tomorrow().unwrap_or(Date::MAX);
        let runs = self.dates(last, -1).map_while(|date| self.run_on(date)).skip_while(|run| *run > until);
        // A day that a zone left out moves its run onto that of the next.
        let (mut newest, mut previous, mut count) = (None, None, 0);
        for run in runs.take_while(|run| *run > after).take(MAX_COUNTED) {
            newest = newest.or(Some(run));
            count += u64::from(previous.replace(run) != Some(run));
        }
        Occurrences { newest, count }
    }

    /// The distance between runs that are counted in elapsed time.
    const fn elapsed_step(&self) -> Option<i64> {
        match self.timing {
            Timing::Hourly { every_hours: 1.. } => self.interval_micros(),
            _ => None,
        }
    }

    /// The time on the wall, and the one day of the week if it is weekly.
    fn wall_clock(&self) -> Option<(Time, Option<Weekday>)> {
        match self.timing {
            Timing::Manually | Timing::Hourly { .. } => None,
            Timing::Daily { at } => Some((at.clock(), None)),
            Timing::Weekly { at, day } => Some((at.clock(), Some(Weekday::from_sunday_zero_offset(day.cast_signed()).ok()?))),
        }
    }

    /// The dates of runs from `first` on, in the direction of `sign`.
    fn dates(&self, first: Date, sign: i64) -> impl Iterator<Item = Date> {
        let weekday = self.wall_clock().map(|(_, weekday)| weekday);
        let to_first = weekday.flatten().map_or(0, |day| match sign {
            1 => i64::from(first.weekday().until(day)),
            _ => -i64::from(first.weekday().since(day)),
        });
        let step = if weekday.flatten().is_some() { 7 * sign } else { sign };
        let days_on = |date: Date, days: i64| date.checked_add(Span::new().days(days)).ok();
        std::iter::successors(weekday.and_then(|_| days_on(first, to_first)), move |date| days_on(*date, step))
    }

    fn run_on(&self, date: Date) -> Option<Instant> {
        let (time, _) = self.wall_clock()?;
        let stamp = self.zone.zone().to_timestamp(date.to_datetime(time)).ok()?;
        Some(Instant::from_micros(stamp.as_microsecond()))
    }

    fn local_date(&self, instant: Instant) -> Option<Date> {
        let stamp = Timestamp::from_microsecond(instant.micros()).ok()?;
        Some(self.zone.zone().to_datetime(stamp).date())
    }
}

/// How many runs there were from `anchor` to `until`, the anchor itself being none.
fn runs_until(anchor: Instant, step: i64, until: Instant) -> i64 {
    (until.micros_since(anchor) / step).max(0)
}

/// `None` beyond the end of the calendar.
fn nth_run(anchor: Instant, step: i64, number: i64) -> Option<Instant> {
    let micros = anchor.micros().checked_add(step.checked_mul(number)?)?;
    Timestamp::from_microsecond(micros).ok().map(|_| Instant::from_micros(micros))
}
