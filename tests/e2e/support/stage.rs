//! A tenant that has one of everything, and makes more where a request uses it up.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fleet::{Api, TestAgent, configuration};
use super::tree::sha256;

pub struct Stage {
    pub api: Api,
    pub agent: TestAgent,
    known: BTreeMap<&'static str, String>,
    made: Cell<u64>,
}

impl Stage {
    /// Everything of the tenant of `api`.
    #[track_caller]
    pub fn of(api: Api) -> Self {
        let host = format!("web-{}", api.tenant);
        let agent = TestAgent::register(&api, &host);
        let configured = api.configure(&agent, &json!({}));
        let backup = api.back_up(&agent, configured);
        let vault = TestAgent::register(&api, &format!("vault-{}", api.tenant));
        encrypt(&api, &vault);
        let cleanup = api.put("/cleanup/startrequested", &json!({"MachineAgentId": agent.id})).expect(200).text();
        agent.begin(cleanup.parse().expect("a bare number"));
        agent.say(cleanup.parse().expect("a bare number"), "completed", &json!({})).expect(200);
        let known = BTreeMap::from([
            ("agent", agent.id.to_string()),
            ("vault", vault.id.to_string()),
            ("host", format!("3f1c9a52-{host}")),
            ("configuration", configured.to_string()),
            ("backup", backup.to_string()),
            ("cleanup", cleanup),
            ("hex", "0a".repeat(256)),
        ]);
        let mut stage = Self { api, agent, known, made: Cell::new(0) };
        let ended = stage.new_restore();
        stage.act("/restore", "StartManual", &ended).expect(204);
        stage.act("/restore", "StopManual", &ended).expect(204);
        let restore = stage.new_restore();
        stage.known.extend([("ended", ended), ("restore", restore)]);
        stage
    }

    /// The text with every `<NAME>` replaced: by what is there, or by something new for this one request.
    #[track_caller]
    pub fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        while let Some((before, rest)) = filled.split_once('<') {
            let (name, after) = rest.split_once('>').expect("a name ends with >");
            filled = format!("{before}{}{after}", self.value(name));
        }
        filled
    }

    fn value(&self, name: &str) -> String {
        let known = || self.known.get(name).unwrap_or_else(|| panic!("{name} is there")).clone();
        match name {
            "new-agent" => TestAgent::register(&self.api, &self.name()).id.to_string(),
            "new-configuration" => self.new_configuration(),
            "new-backup" => self.act("/backup", "StartManual", &self.new_configuration()).expect(200).text(),
            "new-restore" => self.new_restore(),
            "new-name" => self.name(),
            _ => known(),
        }
    }

    fn new_configuration(&self) -> String {
        self.api.configure(&self.agent, &json!({"BackupConfigurationName": self.name()})).to_string()
    }

    fn new_restore(&self) -> String {
        let body = json!({
            "BackupId": self.known["backup"], "BackupMachineId": self.agent.id, "DestinationMachineId": self.agent.id,
            "DestinationPath": "/x", "OverwriteFiles": false,
        });
        self.api.put("/restore", &body).expect(200).json()["RestoreId"].to_string()
    }

    fn name(&self) -> String {
        self.made.set(self.made.get() + 1);
        format!("new-{}", self.made.get())
    }

    fn act(&self, path: &str, action: &str, id: &str) -> super::answer::Answer {
        self.api.post(&format!("{path}/action-requested"), &json!({"Action": action, "Id": id}))
    }

    /// The body of a configuration of its agent, with a name that is new.
    pub fn configuration(&self, changes: &Value) -> Value {
        let mut body = configuration(self.agent.id, changes);
        if changes.get("BackupConfigurationName").is_none() {
            body["BackupConfigurationName"] = self.name().into();
        }
        body
    }
}

/// The agent's next backup goes where only a passphrase reads it; one is there.
#[track_caller]
pub fn encrypt(api: &Api, agent: &TestAgent) {
    let body = json!({"MachineAgentId": agent.id, "EncryptedPasswordHex": "00".repeat(256)});
    let guid = api.post("/agent/encrypt", &body).expect(200).json();
    let path = format!("/requests/{}", guid.as_str().expect("a GUID"));
    for outcome in ["taken", "succeeded"] {
        agent.call("POST", &path, Some(&json!({"outcome": outcome}).to_string())).expect(204);
    }
    let configuration = api.configure(agent, &json!({}));
    let backup = api.start(configuration);
    agent.begin(backup);
    let snapshot = format!("g2/snapshots/{}", sha256(b"encrypted"));
    agent.call("POST", &format!("/vault/{snapshot}"), Some("encrypted")).expect(200);
    agent.say(backup, "completed", &json!({"files_searched": 1, "snapshot": snapshot})).expect(200);
}
