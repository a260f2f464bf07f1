//! What a schedule is made of, with the limits of each part.

/// How often: the word that clients send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frequency {
    Manually,
    Hourly,
    Daily,
    Weekly,
}

/// Which half of the day an hour is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Half {
    Am,
    Pm,
}

/// A minute of the day on a clock of twelve hours. Hour 0 means 12, and each keeps its spelling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeOfDay {
    hour: i8,
    minute: i8,
    half: Half,
}

/// When runs are due. [`Timing::hourly`] and [`Timing::weekly`] keep the limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timing {
    Manually,
    /// 1 to 23.
    Hourly {
        every_hours: u8,
    },
    Daily {
        at: TimeOfDay,
    },
    /// 0 is Sunday, 6 is Saturday.
    Weekly {
        at: TimeOfDay,
        day: u8,
    },
}

/// Which part of a schedule is no such thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error("a frequency is Manually, Hourly, Daily or Weekly")]
    Frequency,
    #[error("a time of day is AM or PM")]
    Half,
    #[error("an hour is 0 to 12")]
    Hour,
    #[error("a minute is 0 to 59")]
    Minute,
    #[error("a day of the week is 0, Sunday, to 6, Saturday")]
    Day,
    #[error("an interval is 1 to 23 hours")]
    Interval,
}

impl Frequency {
    pub const ALL: [Self; 4] = [Self::Manually, Self::Hourly, Self::Daily, Self::Weekly];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manually => "Manually",
            Self::Hourly => "Hourly",
            Self::Daily => "Daily",
            Self::Weekly => "Weekly",
        }
    }

    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text)).ok_or(ScheduleError::Frequency)
    }
}

impl Half {
    pub const ALL: [Self; 2] = [Self::Am, Self::Pm];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Am => "AM",
            Self::Pm => "PM",
        }
    }

    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        Self::ALL.into_iter().find(|half| half.as_str().eq_ignore_ascii_case(text)).ok_or(ScheduleError::Half)
    }
}

impl TimeOfDay {
    pub fn new(hour: i64, minute: i64, half: Half) -> Result<Self, ScheduleError> {
        let hour = limited(hour, 0, 12).ok_or(ScheduleError::Hour)?;
        let minute = limited(minute, 0, 59).ok_or(ScheduleError::Minute)?;
        Ok(Self { hour, minute, half })
    }

    /// As submitted: 0 to 12.
    pub fn hour(self) -> i64 {
        self.hour.into()
    }

    pub fn minute(self) -> i64 {
        self.minute.into()
    }

    pub const fn half(self) -> Half {
        self.half
    }

    /// On a clock of 24 hours.
    pub(super) const fn clock(self) -> jiff::civil::Time {
        let afternoon = match self.half {
            Half::Am => 0,
            Half::Pm => 12,
        };
        jiff::civil::time(self.hour % 12 + afternoon, self.minute, 0, 0)
    }
}

impl Timing {
    pub fn hourly(every_hours: i64) -> Result<Self, ScheduleError> {
        limited(every_hours, 1, 23).map(|hours| Self::Hourly { every_hours: hours.unsigned_abs() }).ok_or(ScheduleError::Interval)
    }

    pub fn weekly(at: TimeOfDay, day: i64) -> Result<Self, ScheduleError> {
        limited(day, 0, 6).map(|day| Self::Weekly { at, day: day.unsigned_abs() }).ok_or(ScheduleError::Day)
    }

    pub const fn frequency(self) -> Frequency {
        match self {
            Self::Manually => Frequency::Manually,
            Self::Hourly { .. } => Frequency::Hourly,
            Self::Daily { .. } => Frequency::Daily,
            Self::Weekly { .. } => Frequency::Weekly,
        }
    }
}

fn limited(value: i64, least: i8, most: i8) -> Option<i8> {
    i8::try_from(value).ok().filter(|value| (least..=most).contains(value))
}
