//! Who hears of what, sentence by sentence.

use super::fleet_rig::{Machine, TENANT, configure, daily, mails, pass, register, settings, take_subjects, update};
use super::rig::Rig;
use crate::model::configuration::{ConfigurationSettings, MissedAction, Notify};
use crate::model::instant::{DAY_MICROS, HOUR_MICROS, SECOND_MICROS};
use crate::model::run::RunState;
use crate::model::run_record::{Counters, RunError};
use crate::model::schedule::Timing;
use crate::model::work::{RequestKind, RunUpdate};
use crate::store::fleet::requests::{PasswordRequest, RequestOutcome};
use crate::store::fleet::restore_start::SentPassword;
use crate::store::fleet::restores::NewRestore;

fn notified(recipients: &str, on_success: bool, on_failure: bool) -> ConfigurationSettings {
    ConfigurationSettings { notify: Notify { recipients: recipients.to_owned(), on_success, on_failure }, ..settings() }
}

/// How many mails each end of a backup leads to.
async fn told(rig: &Rig, machine: &Machine) -> [usize; 5] {
    let mut counts = Vec::new();
    for state in [RunState::Completed, RunState::CompletedWithErrors, RunState::Failed] {
        let run = machine.start(rig).await;
        machine.work(rig, run, state).await;
        counts.push(take_subjects(rig).await.len());
    }
    let waiting = machine.start(rig).await;
    machine.start(rig).await;
    counts.push(take_subjects(rig).await.len());
    rig.store.stop_backup(TENANT, waiting).await.expect("the catalog answers").expect("it waits");
    counts.push(take_subjects(rig).await.len());
    counts.try_into().expect("five ends")
}

pub(super) async fn the_flags_say_which_ends_are_mailed(rig: Rig) {
    let machine = Machine::with(&rig, notified("ops@example.net", true, true)).await;
    assert_eq!(told(&rig, &machine).await, [1, 1, 1, 1, 0], "Completed, CompletedWithErrors, Failed, Skipped, Stopped");
    machine.change(&rig, |settings| settings.notify.on_success = false).await;
    assert_eq!(told(&rig, &machine).await, [0, 1, 1, 1, 0], "NotifyFailure");
    machine.change(&rig, |settings| (settings.notify.on_success, settings.notify.on_failure) = (true, false)).await;
    assert_eq!(told(&rig, &machine).await, [1, 0, 0, 0, 0], "NotifySuccess");
    machine.change(&rig, |settings| settings.notify.on_success = false).await;
    assert_eq!(told(&rig, &machine).await, [0; 5], "neither");
}

pub(super) async fn each_recipient_gets_one_mail_of_each_attempt(rig: Rig) {
    let machine = Machine::with(&rig, notified("ops@example.net; ada@example.net,ops@example.net", true, true)).await;
    let run = machine.start(&rig).await;
    machine.work(&rig, run, RunState::Failed).await;
    machine.say(&rig, run, update(RunState::Failed)).await;
    let found = mails(&rig).await;
    let recipients: Vec<&str> = found.iter().map(|mail| mail.recipient.as_str()).collect();
    assert_eq!(recipients, ["ops@example.net", "ada@example.net"]);
    assert!(found.iter().all(|mail| mail.reference == format!("run {run} 1")), "{found:?}");
    assert!(found.iter().all(|mail| mail.subject == "[Strongroom] Failed: www nightly on web-a"), "{found:?}");
    assert!(found.iter().all(|mail| mail.due_at <= rig.store.now()), "at once");
    let ids = rig.store.read(|connection| connection.query("SELECT DISTINCT message_id FROM mails", &[])).await.expect("rows");
    assert_eq!(ids.len(), 2);
}

pub(super) async fn a_mail_says_what_was_done(rig: Rig) {
    let machine = Machine::with(&rig, ConfigurationSettings { schedule: daily(), ..settings() }).await;
    machine.back_up(&rig).await;
    pass(&rig, HOUR_MICROS).await;
    let run = machine.start(&rig).await;
    let error = |number: usize| RunError { path: format!("/srv/{number}"), description: "gone".to_owned(), ..RunError::default() };
    let counters = Counters { files_searched: 412, bytes_searched: 3_972_844_748, errors: 11 };
    let last =
        RunUpdate { counters, errors: (1..=11).map(error).collect(), reason: Some("VaultFull".to_owned()), ..update(RunState::Failed) };
    machine.report(&rig, run, last).await;
    let body = mails(&rig).await.pop().expect("a mail").body;
    let errors: String = (1..=10).map(|number| format!("Error: /srv/{number}: gone\n")).collect();
    // The clock began on 15 January 2027 at 08:00.
    let expected = format!(
        "Strongroom\n\nBacked Up: www nightly on web-a\nStatus: Failed\nStarted: 15 Jan 2027 09:00 UTC\nCompleted: 15 Jan 2027 09:00 UTC\n\
         Source: web-a\nFiles Searched: 412 (3.7 GB)\nErrors Encountered: 11\nReason: VaultFull\nDiagnostics: The run failed.\n{errors}\
         Last good backup: 15 Jan 2027 08:00 UTC\nNext run: 16 Jan 2027 03:00 UTC\n"
    );
    assert_eq!(body, expected);
}

pub(super) async fn names_are_those_that_the_run_was_taken_with(rig: Rig) {
    let machine = Machine::new(&rig).await;
    let run = machine.start(&rig).await;
    machine.begin(&rig, run, 1).await;
    machine.change(&rig, |settings| settings.name = "renamed\r\nBcc: eve@example.net".to_owned()).await;
    machine.say(&rig, run, update(RunState::Failed)).await;
    assert_eq!(take_subjects(&rig).await, ["[Strongroom] Failed: www nightly on web-a"]);
    let run = machine.start(&rig).await;
    machine.work(&rig, run, RunState::Failed).await;
    assert_eq!(take_subjects(&rig).await, ["[Strongroom] Failed: renamed  Bcc: eve@example.net on web-a"], "and one line");
}

pub(super) async fn far_less_than_before_is_mailed_as_a_failure_is(rig: Rig) {
    let machine = Machine::with(&rig, notified("ops@example.net", false, true)).await;
    machine.back_up(&rig).await;
    assert_eq!(take_subjects(&rig).await, [""; 0]);
    let run = machine.start(&rig).await;
    let counters = Counters { files_searched: 205, ..Counters::default() };
    machine.report(&rig, run, RunUpdate { counters, ..update(RunState::Completed) }).await;
    let found = mails(&rig).await;
    assert!(matches!(&found[..], [mail] if mail.body.contains("less than half of the files of the one before: 205 of 412")), "{found:?}");
}

async fn create_restore(rig: &Rig, backup: i64, source: i64, destination: i64) -> i64 {
    let destination_path = "/restore/here".to_owned();
    let wanted = NewRestore { backup, source, destination, destination_path, overwrites: false, datacenter: None };
    rig.store.create_restore(TENANT, wanted).await.expect("the catalog answers").expect("it can be made").run.id
}

pub(super) async fn a_restore_tells_the_recipients_of_its_backup(rig: Rig) {
    let machine = Machine::with(&rig, notified("ops@example.net", true, false)).await;
    let backup = machine.back_up(&rig).await;
    // Rebuilt elsewhere, because the machine is gone: nothing of it is active any more.
    let other = Machine { agent: register(&rig, "web-b").await, configuration: machine.configuration };
    machine.change(&rig, |settings| settings.is_active = false).await;
    take_subjects(&rig).await;
    let restore = create_restore(&rig, backup, machine.agent, other.agent).await;
    for (attempt, state, count) in [(1, RunState::Failed, 0), (2, RunState::Completed, 1), (3, RunState::Completed, 1)] {
        rig.store.start_restore(TENANT, restore, SentPassword::Nothing).await.expect("the catalog answers").expect("it can be started");
        other.begin(&rig, restore, attempt).await;
        let done = RunUpdate { attempt, files_done: 35, bytes_done: 18 << 20, ..update(state) };
        other.say(&rig, restore, done).await;
        let found = mails(&rig).await;
        assert_eq!(take_subjects(&rig).await.len(), count, "attempt {attempt}");
        let Some(mail) = found.first() else { continue };
        assert_eq!((mail.reference.as_str(), mail.recipient.as_str()), (&*format!("run {restore} {attempt}"), "ops@example.net"));
        assert_eq!(mail.subject, "[Strongroom] Completed: www nightly on web-a");
        assert_eq!(
            mail.body,
            "Strongroom\n\nStatus: Completed\nStarted: 15 Jan 2027 08:00 UTC\nCompleted: 15 Jan 2027 08:00 UTC\n\
             Destination: /restore/here\nFiles Restored: 35 (18 MB)\nErrors Encountered: 0\nReason: Success\nDiagnostics: No errors\n"
        );
    }
}

/// A day of the schedule in steps, each shorter than any grace; the agent is away.
async fn miss_a_day(rig: &Rig) {
    for _ in 0..24 {
        pass(rig, HOUR_MICROS).await;
    }
}

pub(super) async fn what_is_missed_is_mailed_once_and_then_once_a_day_until_a_success(rig: Rig) {
    let machine = Machine::with(&rig, ConfigurationSettings { schedule: daily(), ..settings() }).await;
    let hourly = Timing::Hourly { every_hours: 1 };
    pass(&rig, SECOND_MICROS).await;
    for day in 1..=3 {
        miss_a_day(&rig).await;
        let subjects = take_subjects(&rig).await;
        assert_eq!(subjects, ["[Strongroom] Missed: www nightly on web-a"], "day {day}");
    }
    machine.back_up(&rig).await;
    take_subjects(&rig).await;
    machine.change(&rig, move |settings| settings.schedule.timing = hourly).await;
    let mut told = Vec::new();
    for minutes in (20..=50 * 60).step_by(20) {
        pass(&rig, HOUR_MICROS / 3).await;
        told.extend(take_subjects(&rig).await.iter().map(|_| minutes));
    }
    // The first is due after an hour and missed after another quarter; the reminders stand for what is due one and two days later.
    assert_eq!(told, [80, 24 * 60 + 80, 48 * 60 + 80]);
    machine.back_up(&rig).await;
    take_subjects(&rig).await;
    for _ in 0..4 {
        pass(&rig, HOUR_MICROS / 3).await;
    }
    assert_eq!(take_subjects(&rig).await.len(), 1, "after a success the next one is told at once");
}

pub(super) async fn a_reminder_counts_by_the_schedule_and_not_by_when_it_was_noticed(rig: Rig) {
    Machine::with(&rig, ConfigurationSettings { schedule: daily(), ..settings() }).await;
    pass(&rig, SECOND_MICROS).await;
    // It begins at 08:00. What was due at 03:00 is found missed at 06:00, and a day later at 03:30.
    for (hours, what) in [(20, 0), (2, 1), (21, 0)] {
        pass(&rig, hours * HOUR_MICROS).await;
        assert_eq!(take_subjects(&rig).await.len(), what);
    }
    pass(&rig, HOUR_MICROS / 2).await;
    assert_eq!(take_subjects(&rig).await.len(), 1);
}

pub(super) async fn action_2_tells_of_a_missed_backup_at_the_next_scheduled_time(rig: Rig) {
    let missed = ConfigurationSettings { schedule: daily(), missed_action: MissedAction::Wait, ..settings() };
    let machine = Machine::with(&rig, missed).await;
    pass(&rig, SECOND_MICROS).await;
    miss_a_day(&rig).await;
    let found = mails(&rig).await;
    let [mail] = &found[..] else { panic!("one mail, not {found:?}") };
    // It began at 08:00; the occurrence after the missed one is at 03:00, 43 hours later.
    let next = super::rig::start().plus_micros(43 * HOUR_MICROS);
    assert_eq!(mail.due_at, next);
    assert_eq!(rig.store.claim_mail().await.expect("the catalog answers"), None, "not yet");
    machine.change(&rig, |settings| settings.is_active = false).await;
    assert_eq!(mails(&rig).await, [], "of what is not active any more nobody hears later");
    machine.change(&rig, |settings| settings.is_active = true).await;
    miss_a_day(&rig).await;
    pass(&rig, DAY_MICROS).await;
    assert!(rig.store.claim_mail().await.expect("the catalog answers").is_some(), "at its time");
}

pub(super) async fn nobody_hears_of_what_is_disabled_or_gone(rig: Rig) {
    let machine = Machine::new(&rig).await;
    let enable = |enabled| rig.store.enable_agent(TENANT, machine.agent, enabled);
    let run = machine.start(&rig).await;
    machine.begin(&rig, run, 1).await;
    enable(false).await.expect("the catalog answers").expect("an agent");
    take_subjects(&rig).await;
    machine.say(&rig, run, update(RunState::Failed)).await;
    assert_eq!(take_subjects(&rig).await, [""; 0], "a disabled agent");
    enable(true).await.expect("the catalog answers").expect("an agent");
    let run = machine.start(&rig).await;
    machine.begin(&rig, run, 1).await;
    machine.change(&rig, |settings| settings.is_active = false).await;
    machine.say(&rig, run, update(RunState::Failed)).await;
    assert_eq!(take_subjects(&rig).await, [""; 0], "a configuration that is not active");
    machine.change(&rig, |settings| settings.is_active = true).await;
    let backup = machine.back_up(&rig).await;
    let run = machine.start(&rig).await;
    let restore = create_restore(&rig, backup, machine.agent, machine.agent).await;
    rig.store.start_restore(TENANT, restore, SentPassword::Nothing).await.expect("the catalog answers").expect("it can be started");
    for run in [run, restore] {
        machine.begin(&rig, run, 1).await;
    }
    rig.store.delete_configuration(TENANT, machine.configuration).await.expect("the catalog answers").expect("it is there");
    take_subjects(&rig).await;
    for run in [run, restore] {
        machine.say(&rig, run, update(RunState::Failed)).await;
    }
    assert_eq!(take_subjects(&rig).await, [""; 0], "a configuration that was deleted");
}

fn passphrase(kind: RequestKind) -> PasswordRequest {
    PasswordRequest { kind, ciphertext: vec![1; 256], old_ciphertext: None, backup: None, asked_by: "ada".to_owned() }
}

pub(super) async fn what_becomes_of_an_agent_is_told_to_all_its_recipients(rig: Rig) {
    let machine = Machine::with(&rig, notified("ops@example.net", false, true)).await;
    let silent = ConfigurationSettings { name: "databases".to_owned(), is_active: false, ..notified("ada@example.net", false, false) };
    let second = configure(&rig, machine.agent, silent).await;
    let (agent, store) = (machine.agent, &rig.store);
    let told = async |what: &str| {
        let found = mails(&rig).await;
        let mut recipients: Vec<&str> = found.iter().map(|mail| mail.recipient.as_str()).collect();
        recipients.sort_unstable();
        assert_eq!(recipients, ["ada@example.net", "ops@example.net"], "{what}");
        assert!(found.iter().all(|mail| mail.subject == format!("[Strongroom] {what}")), "{what}: {found:?}");
        assert!(found.iter().all(|mail| mail.body == format!("Strongroom\n\n{what}.\nTime: 15 Jan 2027 08:00 UTC\n")), "{found:?}");
        take_subjects(&rig).await;
    };
    store.enable_agent(TENANT, agent, false).await.expect("the catalog answers").expect("an agent");
    told(&format!("Agent {agent} on web-a was disabled")).await;
    store.enable_agent(TENANT, agent, true).await.expect("the catalog answers").expect("an agent");
    let ask = async |outcome| {
        let guid = store.ask_agent(TENANT, agent, passphrase(RequestKind::Encrypt)).await.expect("the catalog answers").expect("asked");
        assert_eq!(take_subjects(&rig).await, [""; 0], "only the outcome is told");
        store.note_request(agent, &guid, RequestOutcome::Taken).await.expect("the catalog answers").expect("taken");
        store.note_request(agent, &guid, outcome).await.expect("the catalog answers").expect("ended");
    };
    ask(RequestOutcome::Failed).await;
    told(&format!("Agent {agent} on web-a could not be encrypted: the passphrase could not be used")).await;
    let other = register(&rig, "web-b").await;
    store.migrate_vault(TENANT, agent, other).await.expect("the catalog answers").expect("it can be moved");
    told(&format!("Agent {agent} on web-a gave its vault to agent {other}")).await;
    ask(RequestOutcome::Succeeded).await;
    told(&format!("Agent {agent} on web-a is encrypted from now on")).await;
    store.delete_configuration(TENANT, second).await.expect("the catalog answers").expect("it is there");
    told(&format!("Backup configuration {second} (databases) on web-a was deleted")).await;
    configure(&rig, agent, ConfigurationSettings { name: "databases".to_owned(), ..notified("ada@example.net", false, true) }).await;
    store.delete_agent(TENANT, agent).await.expect("the catalog answers").expect("it is there");
    told(&format!("Agent {agent} on web-a was deleted")).await;
}

pub(super) async fn without_a_mail_server_nothing_is_written(rig: Rig) {
    let rig = rig.without_mail().await;
    let machine = Machine::with(&rig, ConfigurationSettings { schedule: daily(), ..settings() }).await;
    machine.back_up(&rig).await;
    pass(&rig, SECOND_MICROS).await;
    miss_a_day(&rig).await;
    rig.store.delete_agent(TENANT, machine.agent).await.expect("the catalog answers").expect("it is there");
    assert_eq!(mails(&rig).await, []);
    let noted = "SELECT id FROM configurations WHERE missed_mailed_at IS NOT NULL";
    assert_eq!(rig.store.read(|connection| connection.query(noted, &[])).await.expect("rows").len(), 0);
}
