//! A fleet in a rig: machines with vaults, what their users ask for and what their agents say.

use super::rig::{Rig, name, put};
use crate::model::access::SecretHash;
use crate::model::account::Account;
use crate::model::agent::{MachineFacts, PublicKey};
use crate::model::configuration::{ConfigurationSettings, MissedAction, Notify, VersionRetention};
use crate::model::digest::Sha256Digest;
use crate::model::instant::{Instant, SECOND_MICROS};
use crate::model::run::{RunKind, RunState};
use crate::model::run_record::{Counters, Run, RunReport};
use crate::model::schedule::{Half, Schedule, TimeOfDay, Timing};
use crate::model::selection::{Item, ItemPath, ItemType, Selection};
use crate::model::time_zone::ZoneId;
use crate::model::work::{RunUpdate, WantedRun};
use crate::store::Store;
use crate::store::catalog::Value;
use crate::store::fleet::registration::Registration;
use crate::store::fleet::restore_start::SentPassword;
use crate::store::fleet::restores::NewRestore;
use crate::store::fleet::startup::{AgentKey, Startup};
use crate::store::fleet::{Outcome, Refusal, Ticked};

pub(super) const TENANT: &str = "100000";
pub(super) const MINUTE: i64 = 60 * SECOND_MICROS;

/// A rig with one agent, whose clock has begun.
pub(super) struct Fleet {
    pub(super) rig: Rig,
    pub(super) agent: i64,
}

pub(super) fn key(of: &str) -> SecretHash {
    SecretHash::from_digest(Sha256Digest::of(of.as_bytes()))
}

/// What the machine of this name says when it registers; its key is [`key`] of its name.
pub(super) fn registration(machine: &str) -> Registration {
    Registration {
        tenant: TENANT.to_owned(),
        facts: facts(machine),
        fingerprint: format!("fingerprint of {machine}"),
        public_key: PublicKey { modulus_hex: "b3".repeat(256), exponent: 65_537 },
        key: key(machine),
        datacenter: "DFW".to_owned(),
        take_over: None,
    }
}

fn facts(machine: &str) -> MachineFacts {
    MachineFacts { machine_name: machine.to_owned(), host_server_id: format!("host {machine}"), ..MachineFacts::default() }
}

pub(super) fn startup(machine: &str) -> Startup {
    Startup { facts: facts(machine), fingerprint: format!("fingerprint of {machine}"), highest_run: 0, snapshots: Vec::new() }
}

pub(super) fn daily(hour: i64, minute: i64, half: Half) -> Timing {
    Timing::Daily { at: TimeOfDay::new(hour, minute, half).expect("a time of day") }
}

pub(super) fn hourly(every_hours: i64) -> Timing {
    Timing::hourly(every_hours).expect("an interval")
}

pub(super) fn settings(named: &str, timing: Timing) -> ConfigurationSettings {
    ConfigurationSettings {
        name: named.to_owned(),
        is_active: true,
        schedule: Schedule { timing, zone: ZoneId::parse("UTC").expect("a zone") },
        notify: Notify::default(),
        retention: VersionRetention::from_days(30).expect("a retention"),
        missed_action: MissedAction::CatchUp,
        prescript: String::new(),
        postscript: String::new(),
        selection: Selection { inclusions: vec![item("/srv")], exclusions: Vec::new() },
    }
}

pub(super) fn item(path: &str) -> Item {
    Item { file_id: 0, item_type: ItemType::Folder, path: ItemPath::parse(path, None).expect("a path") }
}

/// A report with nothing counted.
pub(super) fn update(state: RunState) -> RunUpdate {
    RunUpdate {
        attempt: 1,
        state,
        counters: Counters::default(),
        files_done: 0,
        bytes_done: 0,
        reason: None,
        note: None,
        errors: Vec::new(),
        snapshot: None,
    }
}

pub(super) fn refused<T>(outcome: &Outcome<T>) -> &'static str {
    match outcome {
        Ok(_) => "allowed",
        Err(Refusal::NotFound(_)) => "not found",
        Err(Refusal::Invalid(_)) => "invalid",
        Err(Refusal::Forbidden(_)) => "forbidden",
        Err(Refusal::Conflict(_)) => "conflict",
        Err(Refusal::TooLarge(_)) => "too large",
        Err(Refusal::TooOften(..)) => "too often",
    }
}

impl Fleet {
    pub(super) async fn new(rig: Rig) -> Self {
        rig.store.tick_fleet(0).await.expect("the fleet ticks");
        let agent = register(&rig.store, "web-a").await;
        Self { rig, agent }
    }

    pub(super) fn store(&self) -> &Store {
        &self.rig.store
    }

    pub(super) async fn register(&self, machine: &str) -> i64 {
        register(self.store(), machine).await
    }

    /// A configuration of the first agent.
    pub(super) async fn configure(&self, named: &str, timing: Timing) -> i64 {
        self.configure_as(self.agent, settings(named, timing)).await
    }

    pub(super) async fn configure_as(&self, agent: i64, settings: ConfigurationSettings) -> i64 {
        let made = self.store().create_configuration(TENANT, agent, settings).await.expect("the catalog answers");
        made.expect("it can be made").configuration.id
    }

    pub(super) async fn change(&self, configuration: i64, change: impl Fn(&mut ConfigurationSettings) + Send + 'static) {
        let change = move |known: &crate::model::configuration::BackupConfiguration| {
            let mut settings = known.settings.clone();
            change(&mut settings);
            Ok(settings)
        };
        let changed = self.store().update_configuration(TENANT, configuration, Box::new(change)).await;
        changed.expect("the catalog answers").expect("it can be changed");
    }

    pub(super) async fn next_at(&self, configuration: i64) -> Option<Instant> {
        let view = self.store().configuration(TENANT, configuration).await.expect("the catalog answers");
        view.expect("it is there").configuration.next_at
    }

    /// Time passes while the server runs, without a word of any agent.
    pub(super) async fn pass(&self, micros: i64) -> Ticked {
        self.rig.pass(micros).await;
        self.store().tick_fleet(micros).await.expect("the fleet ticks").expect("nobody else ticks")
    }

    /// Time passes while no server runs; then one starts.
    pub(super) async fn pass_unserved(&self, micros: i64) -> Ticked {
        self.rig.pass(micros).await;
        self.store().replan_fleet().await.expect("the fleet can be planned");
        self.store().tick_fleet(0).await.expect("the fleet ticks").expect("nobody else ticks")
    }

    /// The first agent calls, and the server ticks.
    pub(super) async fn hear(&self) -> Ticked {
        self.hear_of("web-a").await;
        self.store().tick_fleet(0).await.expect("the fleet ticks").expect("nobody else ticks")
    }

    pub(super) async fn hear_of(&self, machine: &str) -> AgentKey {
        self.store().agent_of_key(&key(machine)).await.expect("the catalog answers")
    }

    pub(super) async fn start(&self, configuration: i64) -> i64 {
        let started = self.store().start_backup(TENANT, configuration).await.expect("the catalog answers");
        started.expect("it can be started")
    }

    pub(super) async fn stop(&self, backup: i64) -> &'static str {
        refused(&self.store().stop_backup(TENANT, backup).await.expect("the catalog answers"))
    }

    pub(super) async fn backup(&self, id: i64) -> Run {
        self.store().backup(TENANT, id).await.expect("the catalog answers").expect("it is there").run
    }

    pub(super) async fn state(&self, backup: i64) -> RunState {
        self.backup(backup).await.state
    }

    pub(super) async fn backup_report(&self, id: i64) -> (RunReport, bool) {
        let found = self.store().backup_report(TENANT, id).await.expect("the catalog answers").expect("it has ended");
        (found.1, found.2)
    }

    pub(super) async fn report(&self, run: i64, update: RunUpdate) -> Outcome<Option<WantedRun>> {
        self.report_as(self.agent, run, update).await
    }

    pub(super) async fn report_as(&self, agent: i64, run: i64, update: RunUpdate) -> Outcome<Option<WantedRun>> {
        self.store().report_run(agent, run, update).await.expect("the catalog answers")
    }

    /// The first agent says so of the first attempt of a run.
    pub(super) async fn say(&self, run: i64, state: RunState) -> &'static str {
        refused(&self.report(run, update(state)).await)
    }

    pub(super) async fn say_all(&self, run: i64, states: &[RunState]) {
        for state in states {
            assert_eq!(self.say(run, *state).await, "allowed", "{state:?}");
        }
    }

    /// What is wanted of the first agent now.
    pub(super) async fn wanted(&self, run: i64) -> Option<WantedRun> {
        let wanted = self.store().work_of(self.agent).await.expect("the catalog answers");
        wanted.runs.into_iter().find(|wanted| wanted.id == run)
    }

    pub(super) async fn vault(&self, agent: i64) -> Account {
        let view = self.store().agent(TENANT, agent).await.expect("the catalog answers").expect("it is there");
        self.store().account(&view.agent.account).await.expect("the catalog answers").expect("it has a vault")
    }

    /// A new snapshot in the agent's vault; its name.
    pub(super) async fn snapshot(&self, agent: i64) -> String {
        self.snapshot_in(agent, 1).await
    }

    pub(super) async fn snapshot_in(&self, agent: i64, generation: i64) -> String {
        let bytes = crate::model::access::Secret::random_hex();
        let path = format!("/g{generation}/snapshots/{}", Sha256Digest::of(bytes.reveal().as_bytes()).hex());
        put(self.store(), &self.vault(agent).await, &path, bytes.reveal().as_bytes()).await.expect("the name is free");
        path
    }

    /// The first agent does a backup from the beginning to its end; the name of its snapshot.
    pub(super) async fn complete(&self, run: i64) -> String {
        self.complete_as(self.agent, run).await
    }

    pub(super) async fn complete_as(&self, agent: i64, run: i64) -> String {
        for state in [RunState::Queued, RunState::Preparing, RunState::InProgress] {
            assert_eq!(refused(&self.report_as(agent, run, update(state)).await), "allowed");
        }
        let snapshot = self.snapshot(agent).await;
        let end = RunUpdate { snapshot: Some(snapshot.clone()), ..update(RunState::Completed) };
        assert_eq!(refused(&self.report_as(agent, run, end).await), "allowed");
        snapshot
    }

    pub(super) async fn back_up(&self, configuration: i64) -> i64 {
        let run = self.start(configuration).await;
        self.complete(run).await;
        assert_eq!(self.state(run).await, RunState::Completed);
        run
    }

    /// The agent of the first machine hides a file of its vault.
    pub(super) async fn hide(&self, agent: i64, path: &str) {
        assert!(self.store().hide(&self.vault(agent).await, &name(path)).await.expect("the catalog answers"), "{path}");
    }

    /// A restore of the backup to where it came from.
    pub(super) async fn restore_of(&self, backup: i64) -> i64 {
        let wanted = NewRestore {
            backup,
            source: self.agent,
            destination: self.agent,
            destination_path: String::new(),
            overwrites: false,
            datacenter: None,
        };
        let made = self.store().create_restore(TENANT, wanted).await.expect("the catalog answers");
        made.expect("it can be made").run.id
    }

    pub(super) async fn restore(&self, id: i64) -> Run {
        self.store().restore(TENANT, id).await.expect("the catalog answers").expect("it is there").run
    }

    pub(super) async fn start_restore(&self, id: i64, ciphertext: Option<&[u8]>) -> &'static str {
        let started = self
            .store()
            .start_restore(TENANT, id, ciphertext.map_or(SentPassword::Nothing, |bytes| SentPassword::Ciphertext(bytes.to_vec())))
            .await;
        refused(&started.expect("the catalog answers"))
    }

    /// Ids of the backups of the configuration that can be restored, newest first.
    pub(super) async fn restorable(&self, configuration: i64) -> Vec<i64> {
        let found = self.store().completed_backups(TENANT, configuration).await.expect("the catalog answers");
        found.expect("it is there").into_iter().map(|view| view.run.id).collect()
    }

    /// Backups of the configuration, oldest first.
    pub(super) async fn backups(&self, configuration: i64) -> Vec<Run> {
        let entries = self.store().activity(TENANT, None).await.expect("the catalog answers").expect("they can be seen");
        let runs = entries.into_iter().map(|entry| entry.run);
        let mut runs: Vec<Run> = runs.filter(|run| run.kind == RunKind::Backup && run.configuration == Some(configuration)).collect();
        runs.sort_by_key(|run| run.id);
        runs
    }

    pub(super) async fn states(&self, configuration: i64) -> Vec<RunState> {
        self.backups(configuration).await.into_iter().map(|run| run.state).collect()
    }

    /// The first column of the first row.
    pub(super) async fn ask(&self, statement: &'static str, value: i64) -> Value {
        let rows = self.store().read(move |connection| connection.query(statement, &[value.into()])).await.expect("the catalog answers");
        rows.first().map_or(Value::Null, |row| row.0[0].clone())
    }

    /// The agent's vault is encrypted from now on: what follows is stored in its second generation.
    pub(super) async fn encrypt(&self) {
        use crate::model::work::RequestKind;
        use crate::store::fleet::requests::RequestOutcome;
        let guid = self.store().ask_agent(TENANT, self.agent, asked(RequestKind::Encrypt)).await.expect("the catalog answers");
        let guid = guid.expect("it is not encrypted yet");
        for outcome in [RequestOutcome::Taken, RequestOutcome::Succeeded] {
            self.store().note_request(self.agent, &guid, outcome).await.expect("the catalog answers").expect("it is there");
        }
    }
}

/// A request that carries a passphrase.
pub(super) fn asked(kind: crate::model::work::RequestKind) -> crate::store::fleet::requests::PasswordRequest {
    crate::store::fleet::requests::PasswordRequest {
        kind,
        ciphertext: b"canary of a new passphrase".to_vec(),
        old_ciphertext: (kind == crate::model::work::RequestKind::ChangePassword).then(|| b"canary of an old passphrase".to_vec()),
        backup: None,
        asked_by: "ada".to_owned(),
    }
}

pub(super) async fn register(store: &Store, machine: &str) -> i64 {
    store.register_agent(registration(machine)).await.expect("the catalog answers").expect("it can register")
}
