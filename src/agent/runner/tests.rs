//! The runner with a server, a memory and jobs that are played.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::mpsc::Receiver;

use super::lanes::{Last, Order};
use super::poll::{Polled, poll};
use super::server::{Memory, Server};
use super::*;
use crate::agent::channel::{CallError, Wanted};
use crate::agent::jobs::{Ended, Hears, Reporter};
use crate::agent::leash::{Leash, Why};
use crate::vault::error::Error;
use crate::wire::channel::run::{self, RunReport};
use crate::wire::channel::startup::Snapshot;
use crate::wire::channel::work::{Generation, JobText, Limits, Request, Run, Vault};

/// Server, memory and jobs in one: notes what is asked of it, in order, and answers as it was told.
#[derive(Default)]
struct Stage {
    log: Mutex<Vec<String>>,
    reports: Mutex<VecDeque<Result<Option<Run>, CallError>>>,
    lists: Mutex<VecDeque<Result<Option<Wanted>, CallError>>>,
    starts: Mutex<VecDeque<Result<Started, CallError>>>,
    forgotten: Mutex<Option<Sender<i64>>>,
}

impl Stage {
    fn note(&self, words: String) {
        self.log.lock().expect("nothing panics while it notes").push(words);
    }

    fn log(&self) -> String {
        std::mem::take(&mut *self.log.lock().expect("nothing panics while it notes")).join(", ")
    }

    fn answers(self, answers: impl IntoIterator<Item = Result<Option<Run>, CallError>>) -> Self {
        Self { reports: Mutex::new(answers.into_iter().collect()), ..self }
    }

    fn lists(self, lists: impl IntoIterator<Item = Result<Option<Wanted>, CallError>>) -> Self {
        Self { lists: Mutex::new(lists.into_iter().collect()), ..self }
    }

    fn starts(self, starts: impl IntoIterator<Item = Result<Started, CallError>>) -> Self {
        Self { starts: Mutex::new(starts.into_iter().collect()), ..self }
    }
}

impl Hears for Stage {
    fn report(&self, run: i64, report: &RunReport) -> Result<Option<Run>, CallError> {
        self.note(format!("{run} is {} with {} errors", report.state, report.errors.len()));
        let answer = self.reports.lock().expect("nothing panics").pop_front();
        answer.unwrap_or_else(|| Ok(Some(restore(run))))
    }
}

impl Server for Stage {
    fn start_up(&self, startup: &Startup) -> Result<Started, CallError> {
        self.note(format!("up with {} snapshots", startup.snapshots.len()));
        self.starts.lock().expect("nothing panics").pop_front().unwrap_or_else(|| Ok(started(1)))
    }

    fn work(&self, known: Option<&str>, _: Duration) -> Result<Option<Wanted>, CallError> {
        self.note(format!("work since {known:?}"));
        self.lists.lock().expect("nothing panics").pop_front().unwrap_or(Err(CallError::Deleted))
    }
}

impl Memory for Stage {
    fn saw_run(&self, id: i64) {
        self.note(format!("{id} is seen"));
    }

    fn keep_ciphertext(&self, run: i64, _: i64, hex: &str) {
        self.note(format!("{hex} of {run} is kept"));
    }

    fn keep_report(&self, run: i64, _: &RunReport) {
        self.note(format!("report of {run} is kept"));
    }

    fn forget_run(&self, run: i64, _: i64) {
        self.note(format!("{run} is forgotten"));
        if let Some(forgotten) = &*self.forgotten.lock().expect("nothing panics") {
            forgotten.send(run).expect("somebody looks");
        }
    }
}

impl Doing for Stage {
    fn run(&self, _: &Vault, run: &Run, reporter: &Reporter) -> Ended {
        assert!(run.id != 13, "a job that panics");
        reporter.step(crate::model::run::RunState::Preparing, crate::agent::jobs::Counted::default()).expect("it goes on");
        Ended::Done(final_report("completed"))
    }

    fn answer(&self, _: &Vault, _: &Request, _: &Leash) -> Result<(), CallError> {
        panic!("a request that panics")
    }

    fn make_generation(&self, generation: &Generation, _: &Leash) -> Result<(), Error> {
        if generation.number == 1 { Ok(()) } else { Err(Error::Cancelled) }
    }
}

fn started(incarnation: i64) -> Started {
    Started { agent_id: 1, incarnation, time: "2026-01-02T03:04:05Z".to_owned() }
}

fn restore(id: i64) -> Run {
    let job = JobText::Restore {
        backup_id: 1,
        snapshot: String::new(),
        encrypted_password: Some("c0de".to_owned()),
        destination_path: String::new(),
        overwrite: false,
        inclusions: Vec::new(),
        exclusions: Vec::new(),
        vault: Vault { generations: Vec::new() },
    };
    Run { id, attempt: 1, state: "start_requested".to_owned(), stop: false, job }
}

fn final_report(state: &str) -> RunReport {
    RunReport { attempt: 1, state: state.to_owned(), errors: vec![run::Error::default()], ..RunReport::default() }
}

fn wanted(tag: &str, runs: impl IntoIterator<Item = Run>) -> Result<Option<Wanted>, CallError> {
    let work = Work {
        agent_id: 1,
        is_disabled: false,
        log_level: "warn".to_owned(),
        limits: Limits::default(),
        vault: Vault { generations: Vec::new() },
        runs: runs.into_iter().collect(),
        requests: Vec::new(),
    };
    Ok(Some(Wanted { work, tag: tag.to_owned() }))
}

fn outage<T>() -> Result<T, CallError> {
    Err(CallError::Unavailable { source: "no answer".into(), after: None })
}

fn refused<T>() -> Result<T, CallError> {
    Err(CallError::Refused { status: http::StatusCode::BAD_REQUEST, said: String::new() })
}

fn conflict<T>() -> Result<T, CallError> {
    Err(CallError::Conflict("take over".to_owned()))
}

/// No test waits.
const NO_PAUSES: Pauses = Pauses { first: Duration::ZERO, longest: Duration::ZERO };

fn hands(stage: Stage) -> (Arc<Stage>, Hands, Receiver<Event>) {
    let stage = Arc::new(stage);
    let (events, heard) = std::sync::mpsc::channel();
    let hands = Hands {
        server: Arc::clone(&stage) as _,
        memory: Arc::clone(&stage) as _,
        jobs: Some(Arc::clone(&stage) as _),
        events,
        pauses: NO_PAUSES,
        asks_anew: Arc::default(),
        starts_up_anew: Arc::default(),
    };
    (stage, hands, heard)
}

const KEY: Key = Key { id: 7, attempt: 1 };

/// What happened when this final report was said.
fn say(stage: Stage, leash: &Leash) -> String {
    let (stage, hands, heard) = hands(stage);
    hands.carry_out(Order::Say(KEY, Box::new(final_report("completed")), leash.clone()));
    assert!(matches!(heard.recv(), Ok(Event::Said(KEY))));
    stage.log()
}

#[test]
fn a_restores_secret_is_kept_before_the_run_is_taken() {
    let (stage, hands, heard) = hands(Stage::default().answers([outage()]));
    hands.carry_out(Order::Take(Box::new(restore(7)), Leash::default()));
    assert!(matches!(heard.recv(), Ok(Event::Taken(KEY, Taken::Yes(_)))));
    assert_eq!(stage.log(), "c0de of 7 is kept, 7 is queued with 0 errors, 7 is queued with 0 errors");
}

#[test]
fn a_run_that_is_let_go_is_taken_no_more() {
    let (stage, hands, heard) = hands(Stage::default());
    let leash = Leash::default();
    leash.pull(Why::Unwanted);
    hands.carry_out(Order::Take(Box::new(restore(7)), leash));
    assert!(matches!(heard.recv(), Ok(Event::Taken(KEY, Taken::Cut))));
    assert_eq!(stage.log(), "c0de of 7 is kept");
}

#[test]
fn a_final_report_is_kept_and_said_until_the_server_has_it() {
    let unknown = Err(CallError::Unknown(String::new()));
    let log = say(Stage::default().answers([outage(), unknown, Ok(None)]), &Leash::default());
    let said = "7 is completed with 1 errors";
    assert_eq!(log, format!("report of 7 is kept, {said}, {said}, {said}, 7 is forgotten"));
}

#[test]
fn a_final_report_that_is_refused_is_said_once_more_without_its_list() {
    let log = say(Stage::default().answers([refused(), refused(), Ok(None)]), &Leash::default());
    assert_eq!(log, "report of 7 is kept, 7 is completed with 1 errors, 7 is completed with 0 errors, 7 is forgotten");
}

#[test]
fn a_report_out_of_order_is_dropped_but_one_of_an_old_process_is_not() {
    let (said, asked) = ("7 is completed with 1 errors", "work since None");
    let list = || wanted("a", []);
    let log = say(Stage::default().answers([conflict(), conflict()]).lists([list(), list()]), &Leash::default());
    assert_eq!(log, format!("report of 7 is kept, {said}, {asked}, {said}, {asked}, 7 is forgotten"));
    let log = say(Stage::default().answers([conflict()]).lists([conflict()]), &Leash::default());
    assert_eq!(log, format!("report of 7 is kept, {said}, {asked}"));
}

#[test]
fn a_report_that_a_start_up_has_overtaken_is_said_again() {
    let log = say(Stage::default().answers([conflict(), Ok(None)]).lists([wanted("a", [])]), &Leash::default());
    let said = "7 is completed with 1 errors";
    assert_eq!(log, format!("report of 7 is kept, {said}, work since None, {said}, 7 is forgotten"));
}

#[test]
fn a_process_that_ends_leaves_what_is_unsaid_to_the_next_one() {
    let leash = Leash::default();
    leash.pull(Why::Ending);
    let log = say(Stage::default().answers([outage()]), &leash);
    assert_eq!(log, "report of 7 is kept, 7 is completed with 1 errors");
}

#[test]
fn a_panic_in_a_job_or_request_is_an_event_like_any_other() {
    let (_, hands, heard) = hands(Stage::default());
    let vault = Vault { generations: Vec::new() };
    hands.carry_out(Order::Start(Box::new(restore(13)), vault.clone(), Leash::default(), Last::default()));
    assert!(matches!(heard.recv(), Ok(Event::Ended(Key { id: 13, .. }, Finish::Panicked))));
    let request = Request {
        id: "guid".to_owned(),
        kind: "encrypt".to_owned(),
        is_taken: false,
        encrypted_password: String::new(),
        old_encrypted_password: None,
        generation: None,
    };
    hands.carry_out(Order::Answer(request, vault.clone(), Leash::default()));
    assert!(matches!(heard.recv(), Ok(Event::Answered(id, false)) if id == "guid"));
    hands.carry_out(Order::Start(Box::new(restore(7)), vault, Leash::default(), Last::default()));
    assert!(matches!(heard.recv(), Ok(Event::Ended(KEY, Finish::Done(_)))), "and the next one is done");
}

#[test]
fn the_last_that_was_said_of_a_run_is_known() {
    let stage: Arc<Stage> = Arc::default();
    let last = Last::default();
    let noting = saying::Noting { server: stage, last };
    noting.report(7, &RunReport { files_done: 3, ..final_report("in_progress") }).expect("it is heard");
    let mut lanes = Lanes::new(Duration::ZERO);
    let now = Instant::now();
    let list = |stop| match wanted("a", [Run { stop, ..restore(7) }]) {
        Ok(Some(wanted)) => wanted.work,
        _ => unreachable!("it is a list"),
    };
    lanes.heed(list(false), now);
    let started = lanes.taken(KEY, Taken::Yes(Box::new(restore(7))), now);
    let Some(Order::Start(.., last)) = started.into_iter().next() else { panic!("it begins") };
    last.note(&RunReport { files_done: 3, ..final_report("in_progress") });
    lanes.heed(list(true), now);
    let said = lanes.at(now);
    assert!(matches!(&said[..], [Order::Say(_, report, _)] if report.files_done == 3 && report.state == "stopped"));
}

#[test]
fn polls_end_for_a_start_up_after_every_outage_for_a_newer_process_and_for_a_deletion() {
    let ask = |stage: &Stage, asks_anew: bool| {
        let (mut heard, asks_anew) = (0, AtomicBool::new(asks_anew));
        let ended =
            poll(stage, (&asks_anew, &AtomicBool::new(false)), &Cancel::default(), &mut Patience::silent(NO_PAUSES), |_| heard += 1);
        (ended, heard)
    };
    for error in [outage(), Err(CallError::Unknown(String::new())), refused()] {
        let stage = Stage::default().lists([wanted("a", []), error, wanted("b", []), conflict()]);
        assert_eq!(ask(&stage, true), (Polled::Interrupted, 1));
        assert_eq!(ask(&stage, false), (Polled::Over(Farewell::Superseded), 1));
        assert_eq!(
            stage.log(),
            "work since None, work since Some(\"a\"), work since None, work since Some(\"b\")",
            "what was known before an outage is not known after it"
        );
    }
    assert_eq!(ask(&Stage::default(), false), (Polled::Over(Farewell::Deleted), 0));
    let cancel = Cancel::default();
    cancel.raise();
    let ended =
        poll(&Stage::default(), (&AtomicBool::new(false), &AtomicBool::new(false)), &cancel, &mut Patience::silent(NO_PAUSES), |_| {});
    assert_eq!(ended, Polled::Over(Farewell::Asked));
}

/// How a start-up goes that finds so many snapshots.
fn start_up(stage: &Stage, found: usize) -> (Result<i64, Farewell>, String) {
    let startup = Startup { facts: Default::default(), fingerprint: String::new(), highest_run_id: 0, snapshots: Vec::new() };
    let snapshot = Snapshot { name: String::new(), backup_id: 1, configuration_id: 1, time: String::new() };
    let cancel = Cancel::default();
    let start_up = StartUp { server: stage, startup, cancel: &cancel, pauses: NO_PAUSES };
    let started = start_up.run(|| stage.note("is up".to_owned()), |_| vec![snapshot; found]);
    (started.map(|started| started.incarnation), stage.log())
}

#[test]
fn a_start_up_is_said_until_it_is_heard_and_again_with_the_snapshots() {
    let unknown = Err(CallError::Unknown(String::new()));
    let stage = Stage::default().starts([outage(), unknown, Ok(started(1)), Ok(started(2))]).lists([wanted("a", [])]);
    let zero = "up with 0 snapshots";
    let (incarnation, log) = start_up(&stage, 3);
    assert_eq!(incarnation, Ok(2));
    assert_eq!(log, format!("{zero}, {zero}, {zero}, is up, work since None, up with 3 snapshots"));
    let (incarnation, log) = start_up(&Stage::default().lists([wanted("a", [])]), 0);
    assert_eq!(incarnation, Ok(1));
    assert_eq!(log, format!("{zero}, is up, work since None"));
}

#[test]
fn a_list_of_snapshots_that_is_refused_keeps_nobody_from_work() {
    let stage = Stage::default().starts([Ok(started(1)), refused(), Ok(started(3))]).lists([wanted("a", [])]);
    assert_eq!(start_up(&stage, 3).0, Ok(1));
}

#[test]
fn a_start_up_on_another_machine_or_of_a_deleted_agent_ends() {
    let stage = Stage::default().starts([conflict()]);
    assert_eq!(start_up(&stage, 0), (Err(Farewell::OtherMachine("take over".to_owned())), "up with 0 snapshots".to_owned()));
    let stage = Stage::default().starts([Err(CallError::Deleted)]);
    assert_eq!(start_up(&stage, 0), (Err(Farewell::Deleted), "up with 0 snapshots".to_owned()));
}

/// A whole process: events go in by hand, and it ends when it is told to.
#[test]
fn a_run_goes_from_a_list_to_its_report_and_the_process_ends_when_asked() {
    let (stage, hands, heard) = hands(Stage::default());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let events = hands.events.clone();
    let brain = Brain {
        lanes: Lanes::new(Duration::from_mins(1)),
        hands,
        level: LogLevel::begin(folder.path(), Box::new(|_| {})),
        systemd: notify::Systemd::ready(Instant::now()),
        terms: Terms::default(),
        unsaid: vec![(5, final_report("failed"))],
        leaving: None,
    };
    let Ok(Some(list)) = wanted("a", [restore(7)]) else { unreachable!("it is a list") };
    let (forgotten, ends) = std::sync::mpsc::channel();
    *stage.forgotten.lock().expect("nothing panics") = Some(forgotten);
    let watch = std::thread::spawn(move || {
        let mut both = [ends.recv().expect("a run ends"), ends.recv().expect("another one ends")];
        both.sort_unstable();
        events.send(Event::Leave(Farewell::Asked)).expect("it listens");
        both
    });
    let sender = brain.hands.events.clone();
    sender.send(Event::Up(Arc::clone(&stage) as _)).expect("it listens");
    sender.send(Event::Work(Box::new(list.work), std::sync::mpsc::channel().0)).expect("it listens");
    assert_eq!(brain.run(&heard), Farewell::Asked);
    assert_eq!(watch.join().expect("it ends"), [5, 7]);
    let log = stage.log();
    let order =
        ["7 is seen", "c0de of 7 is kept", "7 is queued", "7 is preparing", "report of 7 is kept", "7 is completed", "7 is forgotten"];
    let places: Vec<usize> = order.iter().map(|words| log.find(words).unwrap_or_else(|| panic!("{words}: {log}"))).collect();
    assert!(places.is_sorted(), "{log}");
    assert!(log.contains("5 is failed"), "what an earlier process left unsaid is said: {log}");
}

#[test]
fn the_servers_clock_is_compared_with_this_machines() {
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10);
    assert!((598..=600).contains(&ahead_seconds(&later.to_string())));
    assert_eq!(ahead_seconds("soon"), 0);
}
