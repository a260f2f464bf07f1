//! The rules of a policy, and what they say of one group.

use jiff::{Timestamp, ZonedDateTime};

use super::{Candidate, Duration};

/// How many snapshots of a kind are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// None by this rule, if 0.
    Count(u32),
    Unlimited,
}

/// What is kept. Each rule stands for itself: a snapshot is kept if any keeps it. The default has no rule.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    pub last: Keep,
    pub hourly: Keep,
    pub daily: Keep,
    pub weekly: Keep,
    pub monthly: Keep,
    pub yearly: Keep,
    /// No time: no rule.
    pub within: Duration,
    pub within_hourly: Duration,
    pub within_daily: Duration,
    pub within_weekly: Duration,
    pub within_monthly: Duration,
    pub within_yearly: Duration,
    /// Keeps what has all tags of one of these lists. An empty tag stands for having none.
    pub tags: Vec<Vec<String>>,
}

/// What the rules say of one snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    pub candidate: Candidate,
    /// Which rules keep it, in restic's words; none: it is removed.
    pub reasons: Vec<String>,
    /// What is left of the counts after it.
    pub left: Counts,
}

/// Of last, hourly, daily, weekly, monthly, yearly.
pub type Counts = [Keep; 6];

/// Names the time a snapshot stands for: two with one name are of one hour, day, and so on.
type NameOf = fn(&ZonedDateTime, usize) -> i64;

struct Rule {
    name_of: NameOf,
    last: Option<i64>,
    reason: &'static str,
}

impl Default for Keep {
    fn default() -> Self {
        Self::Count(0)
    }
}

impl Keep {
    /// A number, or `unlimited`, or `-1` for the same.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "unlimited" | "-1" => Some(Self::Unlimited),
            number => number.parse().ok().map(Self::Count),
        }
    }

    const fn has_some(self) -> bool {
        !matches!(self, Self::Count(0))
    }

    const fn use_one(&mut self) {
        if let Self::Count(count) = self {
            *count -= 1;
        }
    }
}

impl Decision {
    pub fn is_kept(&self) -> bool {
        !self.reasons.is_empty()
    }
}

impl Policy {
    /// Whether it has no rule at all: such a policy is most likely a mistake, and keeps everything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Judges the snapshots of one group: the newest comes first, of two of one moment the one that was first. `now` tells which are in
    /// the future.
    pub fn apply(&self, mut group: Vec<Candidate>, now: Timestamp) -> Vec<Decision> {
        group.sort_by_key(|candidate| std::cmp::Reverse(candidate.time.timestamp()));
        let mut left = [self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly];
        let mut counted = COUNTED.map(Rule::of);
        let mut timed = TIMED.map(Rule::of);
        let newest = group.iter().map(|candidate| &candidate.time).find(|time| time.timestamp() < now).cloned();
        let durations = [self.within_hourly, self.within_daily, self.within_weekly, self.within_monthly, self.within_yearly];
        let end = group.len().saturating_sub(1);
        let judge = |(at, candidate): (usize, Candidate)| {
            let is_oldest = at == end;
            let mut reasons = self.reasons_of_tags(&candidate);
            if self.is_empty() {
                reasons.push("policy is empty".to_owned());
            }
            if is_within(&self.within, newest.as_ref(), &candidate.time) {
                reasons.push(format!("within {}", self.within));
            }
            for (rule, left) in counted.iter_mut().zip(&mut left).filter(|(_, left)| left.has_some()) {
                if let Some(reason) = rule.takes(&candidate.time, at, is_oldest) {
                    left.use_one();
                    reasons.push(reason);
                }
            }
            for (rule, duration) in timed.iter_mut().zip(&durations) {
                if is_within(duration, newest.as_ref(), &candidate.time)
                    && let Some(reason) = rule.takes(&candidate.time, at, is_oldest)
                {
                    reasons.push(format!("{reason} {duration}"));
                }
            }
            Decision { candidate, reasons, left }
        };
        group.into_iter().enumerate().map(judge).collect()
    }

    fn reasons_of_tags(&self, candidate: &Candidate) -> Vec<String> {
        let matching = self.tags.iter().filter(|list| has_tags(candidate, list));
        matching.map(|list| format!("has tags [{}]", list.join(", "))).collect()
    }
}

const COUNTED: [(NameOf, &str); 6] = [
    (number, "last snapshot"),
    (hour, "hourly snapshot"),
    (day, "daily snapshot"),
    (week, "weekly snapshot"),
    (month, "monthly snapshot"),
    (year, "yearly snapshot"),
];

const TIMED: [(NameOf, &str); 5] =
    [(hour, "hourly within"), (day, "daily within"), (week, "weekly within"), (month, "monthly within"), (year, "yearly within")];

impl Rule {
    const fn of((name_of, reason): (NameOf, &'static str)) -> Self {
        Self { name_of, last: None, reason }
    }

    /// The reason for which it keeps the snapshot: the first of its time, or the oldest of all.
    fn takes(&mut self, time: &ZonedDateTime, at: usize, is_oldest: bool) -> Option<String> {
        let name = (self.name_of)(time, at);
        let is_new = self.last.replace(name) != Some(name);
        match (is_new, is_oldest) {
            (true, _) => Some(self.reason.to_owned()),
            (false, true) => Some(format!("oldest {}", self.reason)),
            (false, false) => None,
        }
    }
}

fn is_within(duration: &Duration, newest: Option<&ZonedDateTime>, time: &ZonedDateTime) -> bool {
    // Where all are in the future, or it reaches back beyond the calendar, nothing is too old.
    let begin = newest.and_then(|newest| duration.before(newest));
    !duration.is_zero() && begin.is_none_or(|begin| time.timestamp() > begin)
}

fn has_tags(candidate: &Candidate, list: &[String]) -> bool {
    for tag in list {
        if tag.is_empty() && candidate.tags.is_empty() {
            return true;
        }
        if !candidate.tags.contains(tag) {
            return false;
        }
    }
    true
}

fn number(_: &ZonedDateTime, at: usize) -> i64 {
    i64::try_from(at).expect("it is in memory")
}

fn hour(time: &ZonedDateTime, at: usize) -> i64 {
    day(time, at) * 100 + i64::from(time.hour())
}

fn day(time: &ZonedDateTime, at: usize) -> i64 {
    month(time, at) * 100 + i64::from(time.day())
}

fn week(time: &ZonedDateTime, _: usize) -> i64 {
    let week = time.date().iso_week_date();
    i64::from(week.year()) * 100 + i64::from(week.week())
}

fn month(time: &ZonedDateTime, at: usize) -> i64 {
    year(time, at) * 100 + i64::from(time.month())
}

fn year(time: &ZonedDateTime, _: usize) -> i64 {
    i64::from(time.year())
}
