//! Runs of real agents, started and watched through the Cloud Backup API.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::agent::AGENT_SOON;
use super::eventually;
use super::fleet::{Api, text};

pub const FINAL: [&str; 6] = ["Completed", "CompletedWithErrors", "Failed", "Stopped", "Skipped", "Missed"];

/// A restore to be.
pub struct Wanted<'a> {
    pub backup: i64,
    pub source: i64,
    pub destination: i64,
    /// Empty: where everything was.
    pub path: &'a Path,
    pub overwrites: bool,
    pub inclusions: &'a [&'a Path],
    pub exclusions: &'a [&'a Path],
    /// The passphrase, encrypted for the destination.
    pub password: Option<String>,
}

impl<'a> Wanted<'a> {
    /// All of a backup, on its own machine, below `path`, where nothing is.
    pub fn all(backup: i64, agent: i64, path: &'a Path) -> Self {
        let (inclusions, exclusions) = (&[], &[]);
        Self { backup, source: agent, destination: agent, path, overwrites: false, inclusions, exclusions, password: None }
    }
}

impl Api {
    /// The run in the activity feed; `None` where it is not in it.
    pub fn activity(&self, run: i64) -> Option<Value> {
        let feed = self.get("/activity").expect(200).json();
        feed.as_array().expect("a list").iter().find(|entry| entry["ID"] == run).cloned()
    }

    /// The ids of all runs of this kind, oldest first.
    pub fn runs_of(&self, kind: &str) -> Vec<i64> {
        let feed = self.get("/activity").expect(200).json();
        let entries = feed.as_array().expect("a list").iter().filter(|entry| entry["Type"] == kind);
        let mut ids: Vec<i64> = entries.map(|entry| entry["ID"].as_i64().expect("an id")).collect();
        ids.sort_unstable();
        ids
    }

    #[track_caller]
    pub fn run_state(&self, run: i64) -> String {
        self.activity(run).map(|entry| text(&entry["CurrentState"])).unwrap_or_else(|| panic!("run {run} is in the feed"))
    }

    /// Waits until the run is in one of these states; panics where it ended in another.
    #[track_caller]
    pub fn await_state(&self, run: i64, states: &[&str]) -> String {
        eventually(&format!("run {run} is {states:?}"), AGENT_SOON, || {
            let state = self.run_state(run);
            let is_wanted = states.contains(&state.as_str());
            assert!(is_wanted || !FINAL.contains(&state.as_str()), "run {run} is {state}: {}", self.any_report(run));
            is_wanted.then_some(state)
        })
    }

    /// Waits until it has ended, however that is; the state and the whole report.
    #[track_caller]
    pub fn await_end(&self, run: i64) -> (String, Value) {
        let state = self.await_state(run, &FINAL);
        (state, self.any_report(run))
    }

    /// Waits until it has ended as it should.
    #[track_caller]
    pub fn await_completed(&self, run: i64) -> Value {
        self.await_state(run, &["Completed"]);
        self.any_report(run)
    }

    /// The report of a run of whatever kind; null where there is none.
    pub fn any_report(&self, run: i64) -> Value {
        let kind = self.activity(run).map_or(Value::Null, |entry| entry["Type"].clone());
        let kind = kind.as_str().unwrap_or_default().to_lowercase();
        let answer = self.get(&format!("/{kind}/report/{run}"));
        let report = if answer.status() == 200 { answer.json() } else { Value::Null };
        // That of a cleanup is shown before it has ended.
        if FINAL.iter().any(|state| report["State"] == *state) { report } else { Value::Null }
    }

    /// A whole backup without an error; its id.
    #[track_caller]
    pub fn complete(&self, configuration: i64) -> i64 {
        let backup = self.start(configuration);
        self.await_completed(backup);
        backup
    }

    /// Makes a restore and starts it; its id.
    #[track_caller]
    pub fn begin_restore(&self, wanted: &Wanted<'_>) -> i64 {
        let body = json!({
            "BackupId": wanted.backup, "BackupMachineId": wanted.source, "DestinationMachineId": wanted.destination,
            "DestinationPath": wanted.path, "OverwriteFiles": wanted.overwrites,
        });
        let restore = self.put("/restore", &body).expect(200).json()["RestoreId"].as_i64().expect("an id");
        for (filter, paths) in [(1, wanted.inclusions), (2, wanted.exclusions)] {
            for path in paths {
                let file = json!({"ParentId": restore, "FilePath": path, "Filter": filter, "FileItemType": "Folder"});
                self.put("/restore/files", &file).expect(200);
            }
        }
        let start = json!({"Action": "StartManual", "Id": restore, "EncryptedPassword": wanted.password});
        self.post("/restore/action-requested", &start).expect(204);
        restore
    }

    /// A whole restore without an error; its report.
    #[track_caller]
    pub fn restore(&self, wanted: &Wanted<'_>) -> Value {
        let restore = self.begin_restore(wanted);
        self.await_completed(restore)
    }

    #[track_caller]
    pub fn begin_cleanup(&self, agent: i64) -> i64 {
        let answer = self.put("/cleanup/startrequested", &json!({"MachineAgentId": agent}));
        answer.expect(200).text().parse().expect("a bare number")
    }

    /// A user's stop. `kind` is `backup` or `restore`.
    #[track_caller]
    pub fn stop_run(&self, kind: &str, run: i64) {
        self.post(&format!("/{kind}/action-requested"), &json!({"Action": "StopManual", "Id": run})).expect(204);
    }

    #[track_caller]
    pub fn agent(&self, id: i64) -> Value {
        self.get(&format!("/agent/{id}")).expect(200).json()
    }

    #[track_caller]
    pub fn await_online(&self, id: i64) {
        super::wait_until("the agent is online", AGENT_SOON, || self.agent(id)["Status"] == "Online");
    }

    /// The passphrase as a client sends it: for the public key that the API shows of this agent, in hexadecimal digits.
    #[track_caller]
    pub fn encrypted_for(&self, agent: i64, passphrase: &str) -> String {
        let key = &self.agent(agent)["PublicKey"];
        assert_eq!(key["ExponentHex"], 10001);
        encrypted(&text(&key["ModulusHex"]), passphrase.as_bytes())
    }

    /// Encrypts the vault, and waits for the agent's word.
    #[track_caller]
    pub fn encrypt(&self, agent: i64, passphrase: &str) {
        let body = json!({"MachineAgentId": agent, "EncryptedPasswordHex": self.encrypted_for(agent, passphrase)});
        self.post("/agent/encrypt", &body).expect(200);
        super::wait_until("the agent is encrypted", AGENT_SOON, || self.agent(agent)["IsEncrypted"] == true);
    }
}

/// PKCS#1 v1.5, by OpenSSL. The key is what RFC 5280 calls a SubjectPublicKeyInfo, whose frame is the same for all of its kind.
pub fn encrypted(modulus: &str, secret: &[u8]) -> String {
    let frame = "30820122300d06092a864886f70d01010105000382010f003082010a0282010100";
    let der = data_encoding::HEXLOWER_PERMISSIVE.decode(format!("{frame}{modulus}0203010001").as_bytes()).expect("digits");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (key, input) = (folder.path().join("key"), folder.path().join("secret"));
    std::fs::write(&key, der).and_then(|()| std::fs::write(&input, secret)).expect("files are written");
    let mut openssl = Command::new("openssl");
    openssl.args(["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey"]).arg(&key).arg("-in").arg(&input).stdin(Stdio::null());
    let output = openssl.output().expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    data_encoding::HEXLOWER.encode(&output.stdout)
}
