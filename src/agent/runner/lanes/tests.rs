//! The rules of the lanes, each told as a sequence of events.

mod used_ids;

use super::*;
use crate::model::access::Secret;
use crate::wire::channel::work::{Limits, Work};

const PATIENCE: Duration = Duration::from_mins(1);

/// The lanes, and what they ordered so far, in words.
struct Told {
    lanes: Lanes,
    now: Instant,
    leashes: BTreeMap<i64, Leash>,
    reports: BTreeMap<i64, RunReport>,
}

fn backup(id: i64) -> Run {
    let job = JobText::Backup {
        configuration_id: 1,
        name: String::new(),
        is_scheduled: true,
        prescript: String::new(),
        postscript: String::new(),
        inclusions: Vec::new(),
        exclusions: Vec::new(),
        parent: None,
    };
    Run { id, attempt: 1, state: "start_scheduled".to_owned(), stop: false, job }
}

fn cleanup(id: i64) -> Run {
    Run { job: JobText::Cleanup { forget: Vec::new(), is_halted: false }, ..backup(id) }
}

fn halted(id: i64) -> Run {
    Run { job: JobText::Cleanup { forget: Vec::new(), is_halted: true }, ..backup(id) }
}

fn restore(id: i64, attempt: i64) -> Run {
    let job = JobText::Restore {
        backup_id: 1,
        snapshot: String::new(),
        encrypted_password: None,
        destination_path: String::new(),
        overwrite: false,
        inclusions: Vec::new(),
        exclusions: Vec::new(),
        vault: Vault { generations: Vec::new() },
    };
    Run { attempt, job, ..backup(id) }
}

/// As it is listed once this process, or an earlier one, has taken it.
fn queued(run: Run) -> Run {
    Run { state: "queued".to_owned(), ..run }
}

fn stopped(run: Run) -> Run {
    Run { stop: true, ..run }
}

fn request(id: &str, kind: &str) -> Request {
    Request {
        id: id.to_owned(),
        kind: kind.to_owned(),
        is_taken: false,
        encrypted_password: String::new(),
        old_encrypted_password: None,
        generation: None,
    }
}

fn generation(number: i64, is_ready: bool) -> Generation {
    Generation { number, is_encrypted: false, is_ready, password: Some(Secret::presented("password")) }
}

fn list(runs: impl IntoIterator<Item = Run>) -> Work {
    Work {
        agent_id: 1,
        is_disabled: false,
        log_level: "warn".to_owned(),
        limits: Limits::default(),
        vault: Vault { generations: vec![generation(1, true)] },
        runs: runs.into_iter().collect(),
        requests: Vec::new(),
    }
}

fn report(state: &str) -> RunReport {
    RunReport { attempt: 1, state: state.to_owned(), files_done: 5, ..RunReport::default() }
}

const fn key(id: i64) -> Key {
    Key { id, attempt: 1 }
}

impl Told {
    fn new() -> Self {
        Self { lanes: Lanes::new(PATIENCE), now: Instant::now(), leashes: BTreeMap::new(), reports: BTreeMap::new() }
    }

    fn note(&mut self, orders: Vec<Order>) -> String {
        let words = orders.into_iter().map(|order| match order {
            Order::Take(run, leash) => {
                self.leashes.insert(run.id, leash);
                format!("take {}", run.id)
            }
            Order::Start(run, _, leash, _) => {
                assert!(!leash.cancel().is_raised(), "what begins is wanted");
                self.leashes.insert(run.id, leash);
                format!("start {}", run.id)
            }
            Order::Say(key, report, _) => {
                let said = format!("say {} {}", key.id, report.state);
                assert_eq!(report.attempt, key.attempt);
                self.reports.insert(key.id, *report);
                said
            }
            Order::Forget(key) => format!("forget {}", key.id),
            Order::Make(generation, _) => format!("make {}", generation.number),
            Order::Answer(request, ..) => format!("answer {}", request.id),
            Order::AskAnew => "ask anew".to_owned(),
            Order::StartUpAnew => "start up anew".to_owned(),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    fn list(&mut self, runs: impl IntoIterator<Item = Run>) -> String {
        self.heed(list(runs))
    }

    fn heed(&mut self, work: Work) -> String {
        let orders = self.lanes.heed(work, self.now);
        self.note(orders)
    }

    /// The server has taken the runs over as queued.
    fn taken(&mut self, runs: impl IntoIterator<Item = Run>) -> String {
        let orders = runs.into_iter().flat_map(|run| self.lanes.taken(Key::of(&run), Taken::Yes(Box::new(run)), self.now)).collect();
        self.note(orders)
    }

    fn has(&mut self, runs: impl IntoIterator<Item = Run> + Clone) -> String {
        self.list(runs.clone());
        self.taken(runs)
    }

    fn done(&mut self, id: i64) -> String {
        self.ends(id, Finish::Done(report("completed")))
    }

    fn cut(&mut self, id: i64) -> String {
        self.ends(id, Finish::Cut(report("in_progress")))
    }

    fn ends(&mut self, id: i64, finish: Finish) -> String {
        let orders = self.lanes.ended(key(id), finish, self.now);
        self.note(orders)
    }

    fn why(&self, id: i64) -> Option<Why> {
        self.leashes[&id].why()
    }
}

#[test]
fn runs_are_taken_at_once_and_done_one_by_one_backups_first() {
    let mut told = Told::new();
    let runs = [cleanup(1), backup(2), backup(3)];
    assert_eq!(told.list(runs.clone()), "take 1, take 2, take 3");
    assert_eq!(told.taken([backup(3)]), "start 3", "what is taken need not wait for what is not");
    assert_eq!(told.taken([cleanup(1), backup(2)]), "");
    assert_eq!(told.list(runs.clone()), "", "they are in hand");
    assert_eq!(told.done(3), "say 3 completed, start 2");
    told.lanes.said(key(3));
    assert_eq!(told.list(runs.map(queued)), "", "a list may be older than the report");
    assert_eq!(told.done(2), "say 2 completed, start 1");
}

#[test]
fn a_restore_runs_beside_a_backup_and_one_at_a_time() {
    let mut told = Told::new();
    assert_eq!(told.has([backup(1), restore(2, 1), restore(3, 1)]), "start 1, start 2");
    assert_eq!(told.done(2), "say 2 completed, start 3");
}

#[test]
fn a_waiting_backup_halts_a_cleanup_which_goes_on_afterwards() {
    let mut told = Told::new();
    assert_eq!(told.has([cleanup(1)]), "start 1");
    told.list([cleanup(1), backup(2)]);
    assert_eq!(told.why(1), None, "the backup is not taken yet");
    assert_eq!(told.taken([backup(2)]), "");
    assert_eq!(told.why(1), Some(Why::Halted));
    assert_eq!(told.cut(1), "start 2");
    assert_eq!(told.done(2), "say 2 completed, start 1");
    assert_eq!(told.why(1), None, "it has a new leash");
}

#[test]
fn a_cleanup_that_the_server_halted_waits_until_it_may_go_on() {
    let mut told = Told::new();
    assert_eq!(told.has([halted(1)]), "");
    assert_eq!(told.list([cleanup(1)]), "start 1");
    assert_eq!(told.list([halted(1)]), "");
    assert_eq!(told.why(1), Some(Why::Halted));
    assert_eq!(told.cut(1), "ask anew");
    assert_eq!(told.list([halted(1)]), "");
    assert_eq!(told.list([cleanup(1)]), "start 1");
    // Now the job hears of it before the list comes.
    told.leashes[&1].pull(Why::Halted);
    assert_eq!(told.cut(1), "ask anew");
    assert_eq!(told.list([cleanup(1)]), "start 1");
}

#[test]
fn a_stop_is_obeyed_in_every_state() {
    let mut told = Told::new();
    assert_eq!(told.list([stopped(backup(1))]), "say 1 stopped", "a run that nobody has in hand");
    told.list([stopped(backup(1)), backup(2)]);
    told.list([stopped(backup(1)), stopped(backup(2))]);
    assert_eq!(told.why(2), Some(Why::Stopped), "one that is being taken");
    let orders = told.lanes.taken(key(2), Taken::Cut, told.now);
    assert_eq!(told.note(orders), "say 2 stopped");
    told.has([backup(3), backup(4), backup(5)]);
    assert_eq!(told.list([backup(3), stopped(backup(4)), backup(5)]), "say 4 stopped", "one that waits");
    assert_eq!(told.list([stopped(backup(3)), backup(5)]), "");
    assert_eq!(told.why(3), Some(Why::Stopped), "one that runs");
    assert_eq!(told.cut(3), "say 3 stopped, start 5");
    assert_eq!(told.reports[&3].files_done, 5, "with its numbers");
    told.list([stopped(backup(5))]);
    assert_eq!(told.done(5), "say 5 completed", "what came to its end before it noticed is what it is");
    assert_eq!(told.taken([stopped(backup(6))]), "");
    told.list([backup(6)]);
    assert_eq!(told.taken([stopped(backup(6))]), "say 6 stopped", "one that was stopped while it was taken");
}

#[test]
fn what_is_not_listed_any_more_is_let_go_without_a_word() {
    let mut told = Told::new();
    told.has([backup(1), backup(2)]);
    told.list([backup(1), backup(2), backup(3)]);
    assert_eq!(told.list([]), "forget 2", "it only waited");
    assert_eq!((told.why(1), told.why(3)), (Some(Why::Unwanted), Some(Why::Unwanted)));
    assert_eq!(told.cut(1), "forget 1");
    assert_eq!(told.taken([backup(3)]), "forget 3");
    assert!(told.lanes.is_empty());
}

#[test]
fn a_backup_that_was_complete_all_the_same_is_reported() {
    let mut told = Told::new();
    told.has([backup(1)]);
    told.list([]);
    assert_eq!(told.done(1), "say 1 completed");
    assert_eq!(told.list([]), "");
    assert!(!told.lanes.is_empty(), "a final report is said until the server has it");
}

#[test]
fn another_attempt_is_another_run() {
    let mut told = Told::new();
    told.has([restore(1, 1)]);
    let first = told.leashes[&1].clone();
    assert_eq!(told.list([restore(1, 2)]), "take 1");
    assert_eq!(first.why(), Some(Why::Unwanted));
    assert_eq!(told.taken([restore(1, 2)]), "", "one restore at a time");
    assert_eq!(told.cut(1), "forget 1, start 1");
}

#[test]
fn a_kept_report_is_said_again_and_its_run_is_not_done_again() {
    let mut told = Told::new();
    let order = told.lanes.repeat(1, report("completed"));
    assert_eq!(told.note(vec![order]), "say 1 completed");
    assert_eq!(told.list([queued(backup(1)), backup(2)]), "take 2");
    told.lanes.said(key(1));
    assert_eq!(told.list([queued(backup(1)), backup(2)]), "");
}

#[test]
fn runs_stay_live_when_the_process_ends() {
    let mut told = Told::new();
    told.has([backup(1), backup(2), restore(3, 1)]);
    told.lanes.leave();
    assert_eq!((told.why(1), told.why(3)), (Some(Why::Ending), Some(Why::Ending)));
    assert_eq!(told.cut(1), "");
    assert_eq!(told.list([backup(1), backup(4)]), "", "nothing new is begun");
    assert!(!told.lanes.is_empty());
    assert_eq!(told.done(3), "say 3 completed", "what is done is said");
    told.lanes.said(key(3));
    assert!(told.lanes.is_empty());
}

#[test]
fn a_job_that_fails_by_itself_or_panics_ends_its_run_as_failed() {
    let mut told = Told::new();
    told.has([backup(1), backup(2)]);
    assert_eq!(told.cut(1), "say 1 failed, start 2");
    assert_eq!(told.reports[&1].reason.as_deref(), Some("StorageUnavailable"));
    assert_eq!(told.ends(2, Finish::Panicked), "say 2 failed");
    assert_eq!(told.reports[&2].reason.as_deref(), Some("AgentError"));
}

#[test]
fn a_job_that_does_not_stop_is_left_behind_after_a_minute() {
    let mut told = Told::new();
    told.has([backup(1)]);
    told.list([stopped(backup(1))]);
    assert_eq!(told.lanes.next_deadline(), Some(told.now + PATIENCE));
    let orders = told.lanes.at(told.now + PATIENCE - Duration::from_millis(1));
    assert_eq!(told.note(orders), "");
    let orders = told.lanes.at(told.now + PATIENCE);
    assert_eq!(told.note(orders), "say 1 stopped");
    assert!(!told.lanes.is_stuck(), "the report comes first");
    told.lanes.said(key(1));
    assert!(told.lanes.is_stuck());
    assert_eq!(told.cut(1), "", "it comes too late");
}

#[test]
fn a_change_of_the_passphrase_waits_for_a_backup_and_comes_before_the_next() {
    let mut told = Told::new();
    let work =
        |requests: &[&str]| Work { requests: requests.iter().map(|kind| request(kind, kind)).collect(), ..list([backup(1), backup(2)]) };
    told.has([backup(1), backup(2)]);
    assert_eq!(told.heed(work(&["encrypt", "verify_password"])), "answer verify_password");
    let orders = told.lanes.answered("verify_password", true, told.now);
    assert_eq!(told.note(orders), "");
    assert_eq!(told.done(1), "say 1 completed, answer encrypt");
    let orders = told.lanes.answered("encrypt", true, told.now);
    assert_eq!(told.note(orders), "", "the next backup is for the vault that follows");
    assert_eq!(told.heed(work(&[])), "start 2");
}

#[test]
fn a_request_that_cannot_be_answered_holds_up_nothing_and_is_tried_again() {
    let mut told = Told::new();
    let work = Work { requests: vec![request("encrypt", "encrypt")], ..list([backup(1)]) };
    assert_eq!(told.heed(work.clone()), "take 1, answer encrypt");
    assert_eq!(told.taken([backup(1)]), "");
    let orders = told.lanes.answered("encrypt", false, told.now);
    assert_eq!(told.note(orders), "start 1");
    assert_eq!(told.heed(work), "");
    told.done(1);
    assert_eq!(told.lanes.next_deadline(), Some(told.now + AGAIN_AFTER));
    let orders = told.lanes.at(told.now + AGAIN_AFTER);
    assert_eq!(told.note(orders), "answer encrypt");
}

#[test]
fn the_repository_of_a_new_generation_is_made_before_a_backup_begins() {
    let mut told = Told::new();
    let vault = Vault { generations: vec![generation(1, false)] };
    assert_eq!(told.heed(Work { vault, ..list([backup(1), restore(2, 1)]) }), "take 1, take 2, make 1");
    assert_eq!(told.taken([backup(1), restore(2, 1)]), "start 2");
    let orders = told.lanes.made(1, true, told.now);
    assert_eq!(told.note(orders), "start 1");
    told.done(1);
    let orders = told.lanes.at(told.now);
    assert_eq!(told.note(orders), "", "it is made once");
}

#[test]
fn a_generation_that_cannot_be_made_holds_up_nothing() {
    let mut told = Told::new();
    let vault = Vault { generations: vec![generation(1, false)] };
    told.heed(Work { vault, ..list([backup(1)]) });
    told.taken([backup(1)]);
    let orders = told.lanes.made(1, false, told.now);
    assert_eq!(told.note(orders), "start 1");
    told.done(1);
    let orders = told.lanes.at(told.now + AGAIN_AFTER);
    assert_eq!(told.note(orders), "make 1");
}

#[test]
fn a_run_that_was_not_taken_after_all_is_asked_for_again() {
    let mut told = Told::new();
    told.list([backup(1), backup(2)]);
    let orders = told.lanes.taken(key(1), Taken::Cut, told.now);
    assert_eq!(told.note(orders), "ask anew");
    assert_eq!(told.list([backup(1), backup(2)]), "take 1");
    let orders = told.lanes.taken(key(2), Taken::Unwanted, told.now);
    assert_eq!(told.note(orders), "forget 2");
    assert_eq!(told.list([backup(1), backup(2)]), "ask anew", "that list may be older");
    assert_eq!(told.list([backup(1)]), "");
}
