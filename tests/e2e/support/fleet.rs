//! The Cloud Backup API as a client calls it, and a test's agent that speaks the agent channel by hand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::account::Site;
use super::answer::Answer;
use super::server::TestServer;
use super::tree::sha256;
use super::user::User;

/// A user with a token.
#[derive(Clone)]
pub struct Api {
    pub site: Site,
    pub token: String,
    pub tenant: String,
}

impl Api {
    /// The owner of a new tenant.
    #[track_caller]
    pub fn new(server: &TestServer) -> Self {
        Self::of(&User::add(server, "ada", &["--tenant", "5501"]))
    }

    #[track_caller]
    pub fn of(user: &User) -> Self {
        Self { site: user.site.clone(), token: user.token(), tenant: user.tenant.clone() }
    }

    /// One call; `path` begins after `/v1.0`.
    pub fn call(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let token = format!("X-Auth-Token: {}", self.token);
        let mut arguments = vec!["-X", method, "-H", &token];
        if let Some(body) = body {
            arguments.extend(["-H", "Content-Type: application/json", "--data-binary", body]);
        }
        self.site.curl(&arguments, &format!("/v1.0{path}"))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None)
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(&body.to_string()))
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, Some(&body.to_string()))
    }

    /// A configuration of the agent that runs when somebody starts it; `changes` replace members of the body.
    #[track_caller]
    pub fn configure(&self, agent: &TestAgent, changes: &Value) -> i64 {
        let answer = self.post("/backup-configuration", &configuration(agent.id, changes));
        answer.expect(200).json()["BackupConfigurationId"].as_i64().expect("an id")
    }

    /// Starts a backup; its id.
    #[track_caller]
    pub fn start(&self, configuration: i64) -> i64 {
        let answer = self.post("/backup/action-requested", &json!({"Action": "StartManual", "Id": configuration}));
        answer.expect(200).text().parse().expect("a bare number")
    }

    #[track_caller]
    pub fn state(&self, backup: i64) -> String {
        text(&self.get(&format!("/backup/{backup}")).expect(200).json()["CurrentState"])
    }

    /// A whole backup; its id.
    #[track_caller]
    pub fn back_up(&self, agent: &TestAgent, configuration: i64) -> i64 {
        let backup = self.start(configuration);
        agent.back_up(backup);
        assert_eq!(self.state(backup), "Completed");
        backup
    }
}

/// The body of a configuration, as the guide's example has it.
pub fn configuration(agent: i64, changes: &Value) -> Value {
    let mut body = json!({
        "MachineAgentId": agent, "BackupConfigurationName": "www nightly", "IsActive": true, "VersionRetention": 30,
        "MissedBackupActionId": 1, "Frequency": "Manually", "StartTimeHour": null, "StartTimeMinute": null, "StartTimeAmPm": null,
        "DayOfWeekId": null, "HourInterval": null, "TimeZoneId": "UTC", "NotifyRecipients": "ops@example.net", "NotifySuccess": false,
        "NotifyFailure": true, "Inclusions": [{"FilePath": "/srv/www", "FileItemType": "Folder"}],
        "Exclusions": [{"FilePath": "/srv/www/cache", "FileItemType": "Folder"}],
    });
    for (name, value) in changes.as_object().expect("an object of changes") {
        body[name] = value.clone();
    }
    body
}

/// What speaks for a machine.
#[derive(Clone)]
pub struct TestAgent {
    pub site: Site,
    pub id: i64,
    pub key: String,
    pub incarnation: i64,
    pub fingerprint: String,
    pub name: String,
}

/// What the test's agents call their key.
pub fn modulus() -> String {
    format!("b3{}9f", "0".repeat(508))
}

pub fn facts(name: &str) -> Value {
    json!({
        "agent_version": "2.0.1", "machine_name": name, "host_server_id": format!("3f1c9a52-{name}"), "ip_address": "203.0.113.7",
        "operating_system": "Debian", "operating_system_version": "12", "architecture": "64-bit",
    })
}

impl TestAgent {
    /// Registered and started up.
    #[track_caller]
    pub fn register(api: &Api, name: &str) -> Self {
        Self::register_with(api, name, &json!({}))
    }

    /// The same; `changes` replace members of the registration.
    #[track_caller]
    pub fn register_with(api: &Api, name: &str, changes: &Value) -> Self {
        let key: Vec<u8> = sha256(format!("key of {name} of {}", api.tenant).as_bytes()).into_bytes()[..32].to_vec();
        let fingerprint = sha256(name.as_bytes());
        let answer = Self::ask_to_register(api, name, &key, changes);
        let id = answer.expect(200).json()["agent_id"].as_i64().expect("an id");
        let mut agent = Self { site: api.site.clone(), id, key: STANDARD.encode(&key), incarnation: 0, fingerprint, name: name.to_owned() };
        agent.start_up(&json!({}));
        agent
    }

    /// The call by itself; `changes` replace members of the body.
    pub fn ask_to_register(api: &Api, name: &str, key: &[u8], changes: &Value) -> Answer {
        let mut body = json!({
            "facts": facts(name), "fingerprint": sha256(name.as_bytes()), "key_sha256": sha256(key),
            "public_key": {"modulus_hex": modulus(), "exponent": 65537},
        });
        for (name, value) in changes.as_object().expect("an object of changes") {
            body[name] = value.clone();
        }
        let token = format!("X-Auth-Token: {}", api.token);
        api.site.curl(&["-X", "POST", "-H", &token, "--data-binary", &body.to_string()], "/agent/v1/register")
    }

    /// A new process of the agent.
    #[track_caller]
    pub fn start_up(&mut self, changes: &Value) {
        let started = self.ask_to_start_up(changes);
        self.incarnation = started.expect(200).json()["incarnation"].as_i64().expect("a number");
    }

    pub fn ask_to_start_up(&self, changes: &Value) -> Answer {
        let mut body = json!({"facts": facts(&self.name), "fingerprint": self.fingerprint, "highest_run_id": 0, "snapshots": []});
        for (name, value) in changes.as_object().expect("an object of changes") {
            body[name] = value.clone();
        }
        self.call("POST", "/startup", Some(&body.to_string()))
    }

    /// One call; `path` begins after `/agent/v1`.
    pub fn call(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let (key, incarnation) = (format!("Authorization: Bearer {}", self.key), format!("Strongroom-Incarnation: {}", self.incarnation));
        let mut arguments = vec!["-X", method, "-H", &key, "-H", &incarnation];
        if method == "HEAD" {
            arguments.push("-I");
        }
        if let Some(body) = body {
            arguments.extend(["--data-binary", body]);
        }
        self.site.curl(&arguments, &format!("/agent/v1{path}"))
    }

    /// What is wanted of it now.
    #[track_caller]
    pub fn work(&self) -> Value {
        self.call("GET", "/work", None).expect(200).json()
    }

    /// What is wanted of it of this run, where anything is.
    #[track_caller]
    pub fn wanted(&self, run: i64) -> Option<Value> {
        self.work()["runs"].as_array().expect("a list").iter().find(|wanted| wanted["id"] == run).cloned()
    }

    /// Says of a run how far it is; `more` are further members.
    pub fn say(&self, run: i64, state: &str, more: &Value) -> Answer {
        let mut body = json!({"attempt": 1, "state": state});
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        self.call("POST", &format!("/runs/{run}"), Some(&body.to_string()))
    }

    /// All states up to the work itself.
    #[track_caller]
    pub fn begin(&self, run: i64) {
        for state in ["queued", "preparing", "in_progress"] {
            self.say(run, state, &json!({})).expect(200);
        }
    }

    /// Stores a file in its vault; its name there.
    #[track_caller]
    pub fn store(&self, kind: &str, bytes: &str) -> String {
        let name = format!("g1/{kind}/{}", sha256(bytes.as_bytes()));
        self.call("POST", &format!("/vault/{name}"), Some(bytes)).expect(200);
        name
    }

    /// Takes the run and does it, with a snapshot that says which run it is.
    #[track_caller]
    pub fn back_up(&self, run: i64) -> String {
        self.begin(run);
        let snapshot = self.store("snapshots", &format!("snapshot of run {run}"));
        let report = json!({
            "files_searched": 412, "bytes_searched": 104_857_600, "files_done": 6, "bytes_done": 1_572_864, "snapshot": snapshot,
        });
        self.say(run, "completed", &report).expect(200);
        snapshot
    }
}

#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("text, not {value}")).to_owned()
}
