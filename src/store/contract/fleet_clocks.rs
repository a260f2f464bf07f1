//! Whatever clocks do, schedules go on (A8). Two rules are watched over, in the time that servers run, which nobody can set: no schedule is
//! silent for longer than its period and one more, and none runs twice within a minute.

use std::collections::{BTreeMap, BTreeSet};

use super::chance::Chance;
use super::fleet::{Fleet, MINUTE, daily, hourly, settings};
use super::rig::{Rig, is_nightly, start};
use crate::figure::figure;
use crate::model::configuration::ConfigurationSettings;
use crate::model::instant::{DAY_MICROS, HOUR_MICROS, Instant, SECOND_MICROS};
use crate::model::run::RunState as S;
use crate::model::schedule::{Half, Schedule, TimeOfDay, Timing};
use crate::model::time_zone::ZoneId;

/// How often the server ticks where nothing odd happens.
const STEP: i64 = 15 * MINUTE;
/// What the clock of a machine shows that forgot the time: the first of January 2007.
const FLAT_BATTERY: Instant = Instant::from_seconds(1_167_609_600);
const YEAR: i64 = 365 * DAY_MICROS;
/// Clocks that change by an hour and by half of one, on both sides of the equator, at hours of their own.
const ZONES: [&str; 5] = ["Eastern Standard Time", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Chatham", "America/St_Johns"];

/// A schedule under watch.
struct Watched {
    period: i64,
    /// How long servers have run since its last run.
    silent: i64,
    /// The instants of its runs, as the wall clock had them.
    due: Vec<Instant>,
}

struct Watch {
    fleet: Fleet,
    schedules: BTreeMap<i64, Watched>,
    last_run: i64,
    /// How much longer than its period a schedule may be silent.
    patience: Box<dyn Fn(&Watched) -> i64>,
    longest: i64,
}

impl Watch {
    async fn new(rig: Rig, patience: impl Fn(&Watched) -> i64 + 'static) -> Self {
        let fleet = Fleet::new(rig).await;
        Self { fleet, schedules: BTreeMap::new(), last_run: 0, patience: Box::new(patience), longest: 0 }
    }

    async fn add(&mut self, zone: &str, timing: Timing) -> i64 {
        let zone = ZoneId::parse(zone).expect("a zone");
        let schedule = Schedule { timing, zone };
        let period = schedule.interval_micros().expect("it is scheduled");
        let wanted = ConfigurationSettings { schedule, ..settings(&format!("{}", self.schedules.len()), timing) };
        let id = self.fleet.configure_as(self.fleet.agent, wanted).await;
        self.schedules.insert(id, Watched { period, silent: 0, due: Vec::new() });
        id
    }

    /// Time passes, of which servers ran for so much; then what became due is done, and both rules are looked at.
    async fn pass(&mut self, micros: i64, ran: i64) {
        self.fleet.rig.pass(micros).await;
        self.fleet.hear_of("web-a").await;
        self.fleet.store().tick_fleet(ran).await.expect("the fleet ticks");
        self.look(ran).await;
    }

    async fn look(&mut self, ran: i64) {
        self.schedules.values_mut().for_each(|watched| watched.silent += ran);
        let new = "SELECT id, configuration, due_at FROM runs WHERE kind = 'Backup' AND id > $1 ORDER BY id";
        let last = self.last_run;
        let rows = self.fleet.store().read(move |connection| connection.query(new, &[last.into()])).await.expect("the catalog answers");
        for row in rows {
            let (id, configuration) = (row.int(0).expect("an id"), row.int(1).expect("an id"));
            let watched = self.schedules.get_mut(&configuration).expect("nothing else is scheduled");
            assert!(watched.due.is_empty() || watched.silent >= MINUTE, "{configuration} is due twice within {} µs", watched.silent);
            watched.silent = 0;
            watched.due.push(Instant::from_micros(row.int(2).expect("an instant")));
            self.last_run = id;
            self.fleet.say_all(id, &[S::Queued, S::Preparing, S::InProgress]).await;
            assert_eq!(self.fleet.say(id, S::Failed).await, "allowed");
        }
        for (id, watched) in &self.schedules {
            self.longest = self.longest.max(watched.silent * 100 / watched.period);
            let most = watched.period + (self.patience)(watched);
            assert!(watched.silent <= most, "{id} with a period of {} µs is silent for {} µs", watched.period, watched.silent);
        }
    }

    /// A server runs for so long, and ticks every `step`.
    async fn serve(&mut self, micros: i64, step: i64) {
        for _ in 0..micros / step {
            self.pass(step, step).await;
        }
    }

    fn runs(&self) -> usize {
        self.schedules.values().map(|watched| watched.due.len()).sum()
    }
}

/// When the zone changes its clocks, in the year after the rig begins.
fn changes(zone: &str) -> Vec<Instant> {
    let zone = ZoneId::parse(zone).expect("a zone");
    let begin = jiff::Timestamp::from_microsecond(start().micros()).expect("it is in the calendar");
    let changes = zone.zone().following(begin).map(|change| Instant::from_micros(change.timestamp().as_microsecond()));
    changes.take_while(|change| change.micros_since(start()) < YEAR).collect()
}

/// The days before and after each change of the clocks of five zones, in a year; between them no server runs.
pub(super) async fn no_change_of_daylight_saving_time_loses_or_doubles_a_run(rig: Rig) {
    let mut watch = Watch::new(rig, |_| HOUR_MICROS + STEP).await;
    let mut nightly = Vec::new();
    for zone in ZONES {
        nightly.push((zone, watch.add(zone, daily(2, 15, Half::Am)).await));
        let at = TimeOfDay::new(2, 15, Half::Am).expect("a time of day");
        watch.add(zone, Timing::weekly(at, 0).expect("a day")).await;
        watch.add(zone, hourly(5)).await;
    }
    let all: BTreeSet<i64> = ZONES.iter().flat_map(|zone| changes(zone)).map(Instant::micros).collect();
    for change in &all {
        let until = change - 36 * HOUR_MICROS - watch.fleet.rig.clock.wall().micros();
        if until > 0 {
            watch.fleet.pass_unserved(until).await;
            watch.schedules.values_mut().for_each(|watched| watched.silent = MINUTE);
            watch.look(0).await;
            watch.schedules.values_mut().for_each(|watched| watched.silent = 0);
            watch.pass(2 * MINUTE, 2 * MINUTE).await;
        }
        watch.serve(change + 36 * HOUR_MICROS - watch.fleet.rig.clock.wall().micros(), STEP).await;
    }
    for (zone, id) in nightly {
        let due = &watch.schedules[&id].due;
        let odd = due.windows(2).filter(|two| two[1].micros_since(two[0]) % DAY_MICROS != 0).count();
        assert!(odd >= 2, "{zone}: nothing was seen of its {} changes in {} nights", changes(zone).len(), due.len());
    }
    let text = format!("{} changes of 5 zones, {} runs, none lost, none twice within a minute", all.len(), watch.runs());
    figure("A8", "daylight saving time", &text, None);
}

/// Clocks that are set back by an hour and ahead by one, a year too far and back, to a date of long ago as with a flat battery, always the
/// same; servers that sleep and that are off. Every other time it happens a moment after a run.
pub(super) async fn no_clock_ends_a_schedule_or_runs_it_twice(rig: Rig) {
    let seed = std::env::var("STRONGROOM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5EED_00A8);
    let mut chance = Chance(seed);
    let mut watch = Watch::new(rig, |watched| watched.period + STEP).await;
    let often = watch.add(ZONES[1], hourly(1)).await;
    for timing in [hourly(7), daily(9, 30, Half::Am), daily(11, 45, Half::Pm)] {
        watch.add(ZONES[1], timing).await;
    }
    let events = if is_nightly() { 400 } else { 40 };
    for event in 0..events {
        watch.serve(hours(&mut chance, 2, 6), STEP).await;
        if event % 2 == 0 {
            let next = watch.fleet.next_at(often).await.expect("it is scheduled");
            let until = next.plus_micros(SECOND_MICROS).micros_since(watch.fleet.rig.clock.wall());
            watch.pass(until, until).await;
        }
        happen(&mut watch, &mut chance).await;
        watch.serve(4 * MINUTE, MINUTE / 3).await;
    }
    let text = format!(
        "{events} wrong clocks, sleeps and stops: {} runs, none twice within a minute, none silent for longer than {} % of its period",
        watch.runs(),
        watch.longest
    );
    figure("A8", "clocks", &text, Some(seed));
}

async fn happen(watch: &mut Watch, chance: &mut Chance) {
    let clock = watch.fleet.rig.clock.clone();
    match chance.below(6) {
        0 => clock.jump_wall(-HOUR_MICROS),
        1 => clock.jump_wall(HOUR_MICROS),
        2 => {
            clock.jump_wall(YEAR);
            watch.serve(hours(chance, 0, 3), MINUTE / 2).await;
            clock.jump_wall(-YEAR);
        }
        3 => {
            let off = clock.wall().micros_since(FLAT_BATTERY);
            clock.jump_wall(-off);
            watch.serve(hours(chance, 1, 30), STEP).await;
            clock.jump_wall(off);
        }
        // A machine that slept served nobody.
        4 => watch.pass(hours(chance, 1, 40), MINUTE).await,
        _ => {
            watch.fleet.rig.pass(hours(chance, 1, 40)).await;
            watch.fleet.store().replan_fleet().await.expect("the fleet can be planned");
        }
    }
}

fn hours(chance: &mut Chance, from: u64, below: u64) -> i64 {
    i64::try_from(from + chance.below(below - from)).expect("few") * HOUR_MICROS
}
