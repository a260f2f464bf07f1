//! A machine of a tenant, its agent's reports, and the mail that they lead to.

use super::rig::{Rig, put};
use crate::model::access::Secret;
use crate::model::agent::{MachineFacts, PublicKey};
use crate::model::configuration::{ConfigurationSettings, MissedAction, Notify, VersionRetention};
use crate::model::digest::Sha256Digest;
use crate::model::instant::Instant;
use crate::model::run::RunState;
use crate::model::run_record::Counters;
use crate::model::schedule::{Half, Schedule, TimeOfDay, Timing};
use crate::model::selection::{Item, ItemPath, ItemType, Selection};
use crate::model::time_zone::ZoneId;
use crate::model::work::RunUpdate;
use crate::store::catalog::Connection;
use crate::store::fleet::registration::Registration;

pub(super) const TENANT: &str = "5501";

/// An agent with a configuration that asks for mail of every kind.
pub(super) struct Machine {
    pub(super) agent: i64,
    pub(super) configuration: i64,
}

/// A mail as the catalog has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Written {
    pub(super) reference: String,
    pub(super) recipient: String,
    pub(super) subject: String,
    pub(super) body: String,
    pub(super) due_at: Instant,
}

pub(super) fn settings() -> ConfigurationSettings {
    let path = ItemPath::parse("/srv/www", None).expect("a path");
    ConfigurationSettings {
        name: "www nightly".to_owned(),
        is_active: true,
        schedule: Schedule { timing: Timing::Manually, zone: ZoneId::utc() },
        notify: Notify { recipients: "ops@example.net".to_owned(), on_success: true, on_failure: true },
        retention: VersionRetention::from_days(30).expect("a retention"),
        missed_action: MissedAction::CatchUp,
        prescript: String::new(),
        postscript: String::new(),
        selection: Selection { inclusions: vec![Item { file_id: 0, item_type: ItemType::Folder, path }], exclusions: Vec::new() },
    }
}

/// At three in the morning, UTC.
pub(super) fn daily() -> Schedule {
    let at = TimeOfDay::new(3, 0, Half::Am).expect("a time of day");
    Schedule { timing: Timing::Daily { at }, zone: ZoneId::utc() }
}

impl Machine {
    pub(super) async fn with(rig: &Rig, settings: ConfigurationSettings) -> Self {
        let agent = register(rig, "web-a").await;
        let configuration = configure(rig, agent, settings).await;
        Self { agent, configuration }
    }

    pub(super) async fn new(rig: &Rig) -> Self {
        Self::with(rig, settings()).await
    }

    pub(super) async fn change(&self, rig: &Rig, change: impl Fn(&mut ConfigurationSettings) + Send + 'static) {
        let changed = move |known: &crate::model::configuration::BackupConfiguration| {
            let mut settings = known.settings.clone();
            change(&mut settings);
            Ok(settings)
        };
        let outcome = rig.store.update_configuration(TENANT, self.configuration, Box::new(changed)).await;
        outcome.expect("the catalog answers").expect("a good change");
    }

    /// A backup that a user starts; its id.
    pub(super) async fn start(&self, rig: &Rig) -> i64 {
        rig.store.start_backup(TENANT, self.configuration).await.expect("the catalog answers").expect("it can be started")
    }

    /// Takes the run and does it, to this end.
    pub(super) async fn work(&self, rig: &Rig, run: i64, state: RunState) {
        self.report(rig, run, RunUpdate { files_done: 35, bytes_done: 18 << 20, ..update(state) }).await;
    }

    pub(super) async fn report(&self, rig: &Rig, run: i64, last: RunUpdate) {
        self.begin(rig, run, last.attempt).await;
        let snapshot = self.snapshot(rig, run).await;
        let last = RunUpdate { snapshot: last.state.is_success().then_some(snapshot), ..last };
        self.say(rig, run, last).await;
    }

    pub(super) async fn begin(&self, rig: &Rig, run: i64, attempt: i64) {
        for state in [RunState::Queued, RunState::Preparing, RunState::InProgress] {
            self.say(rig, run, RunUpdate { attempt, ..update(state) }).await;
        }
    }

    pub(super) async fn say(&self, rig: &Rig, run: i64, update: RunUpdate) {
        rig.store.report_run(self.agent, run, update).await.expect("the catalog answers").expect("the report fits");
    }

    async fn snapshot(&self, rig: &Rig, run: i64) -> String {
        let vault = rig.store.agent(TENANT, self.agent).await.expect("the catalog answers").expect("an agent").agent.account;
        let vault = rig.store.account(&vault).await.expect("the catalog answers").expect("its vault");
        let bytes = format!("snapshot of {run}");
        let name = format!("/g1/snapshots/{}", Sha256Digest::of(bytes.as_bytes()).hex());
        put(&rig.store, &vault, &name, bytes.as_bytes()).await.expect("the vault takes a snapshot");
        name
    }

    /// A whole backup; its id.
    pub(super) async fn back_up(&self, rig: &Rig) -> i64 {
        let run = self.start(rig).await;
        self.work(rig, run, RunState::Completed).await;
        run
    }
}

pub(super) fn update(state: RunState) -> RunUpdate {
    RunUpdate {
        attempt: 1,
        state,
        counters: Counters { files_searched: 412, bytes_searched: 100 << 20, errors: 0 },
        files_done: 0,
        bytes_done: 0,
        reason: None,
        note: None,
        errors: Vec::new(),
        snapshot: None,
    }
}

pub(super) async fn register(rig: &Rig, name: &str) -> i64 {
    let facts = MachineFacts { machine_name: name.to_owned(), ..MachineFacts::default() };
    let registration = Registration {
        tenant: TENANT.to_owned(),
        facts,
        fingerprint: name.to_owned(),
        public_key: PublicKey { modulus_hex: "b3".repeat(256), exponent: 65_537 },
        key: Secret::random().hash(),
        datacenter: "DFW".to_owned(),
        take_over: None,
    };
    rig.store.register_agent(registration).await.expect("the catalog answers").expect("it can register")
}

pub(super) async fn configure(rig: &Rig, agent: i64, settings: ConfigurationSettings) -> i64 {
    let made = rig.store.create_configuration(TENANT, agent, settings).await.expect("the catalog answers");
    made.expect("a good configuration").configuration.id
}

/// Time passes in which a server runs.
pub(super) async fn pass(rig: &Rig, micros: i64) {
    rig.pass(micros).await;
    rig.store.tick_fleet(micros).await.expect("the catalog answers");
}

/// All mail, oldest first.
pub(super) async fn mails(rig: &Rig) -> Vec<Written> {
    let all = |connection: &mut dyn Connection| {
        let rows = connection.query("SELECT reference, recipient, subject, body, due_at FROM mails ORDER BY id", &[])?;
        let written = rows.iter().map(|row| {
            Ok(Written {
                reference: row.text(0)?.to_owned(),
                recipient: row.text(1)?.to_owned(),
                subject: row.text(2)?.to_owned(),
                body: row.text(3)?.to_owned(),
                due_at: Instant::from_micros(row.int(4)?),
            })
        });
        written.collect::<Result<Vec<_>, _>>()
    };
    rig.store.read(all).await.expect("the catalog answers")
}

/// Subjects of the mail since the last call, which takes all of it away.
pub(super) async fn take_subjects(rig: &Rig) -> Vec<String> {
    let subjects = mails(rig).await.into_iter().map(|mail| mail.subject).collect();
    let clear = |connection: &mut dyn Connection| connection.execute("DELETE FROM mails", &[]);
    rig.store.write(clear).await.expect("the catalog answers");
    subjects
}
