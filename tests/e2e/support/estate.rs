//! A tenant with real machines: a server whose clock the test moves, a line that it can cut, agents that it starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::account::Account;
use super::agent::{AGENT_SOON, Agent};
use super::clock::TestClock;
use super::fleet::{Api, text};
use super::proxy::Proxy;
use super::restic::Restic;
use super::runs::FINAL;
use super::server::TestServer;
use super::setup::Setup;
use super::user::User;
use super::{eventually, postgres, tree};

pub struct Estate {
    pub api: Api,
    pub user: User,
    pub proxy: Proxy,
    pub server: TestServer,
    /// After the server, which reads it.
    pub clock: TestClock,
    /// What the tests back up and where they restore to.
    pub home: tempfile::TempDir,
}

impl Estate {
    pub fn new() -> Self {
        Self::with(Setup::new())
    }

    pub fn with(setup: Setup) -> Self {
        let clock = TestClock::new();
        let server = setup.clock(&clock).start();
        let user = User::add(&server, "ada", &["--tenant", "5501"]);
        let (api, proxy) = (Api::of(&user), Proxy::to(server.port()));
        Self { api, user, proxy, server, clock, home: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Tells the story on SQLite, then on PostgreSQL.
    pub fn on_each_catalog(story: impl Fn(Self)) {
        story(Self::new());
        if let Some(database) = postgres::fresh_database() {
            story(Self::with(Setup::new().database(std::sync::Arc::new(database))));
        }
    }

    /// Where agents find the server: behind the line that the test can cut.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy.port())
    }

    pub fn machine(&self, name: &str) -> Agent {
        Agent::machine(&self.origin(), name)
    }

    /// Registered, and not started.
    #[track_caller]
    pub fn registered(&self, name: &str) -> Agent {
        let mut agent = self.machine(name);
        agent.register(&self.user, &[]);
        agent
    }

    /// Registered and running.
    #[track_caller]
    pub fn agent(&self, name: &str) -> Agent {
        self.agent_with(name, &[])
    }

    /// The same; `run` has these arguments, too.
    #[track_caller]
    pub fn agent_with(&self, name: &str, arguments: &[&str]) -> Agent {
        let mut agent = self.registered(name).with(arguments);
        agent.start();
        agent
    }

    /// A folder of this name, with one of everything in it.
    pub fn planted(&self, name: &str, seed: u64, megabytes: usize) -> PathBuf {
        let folder = self.home.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder is made");
        super::varied::plant(&folder, seed, megabytes);
        folder
    }

    /// A path of the test's own that is not there yet.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A configuration of the agent that backs `folder` up when somebody starts it; `changes` replace members of the body.
    #[track_caller]
    pub fn configure(&self, agent: &Agent, folder: &Path, changes: &Value) -> i64 {
        let mut body = super::fleet::configuration(agent.id, &json!({}));
        body["Inclusions"] = json!([{"FilePath": folder, "FileItemType": "Folder"}]);
        body["Exclusions"] = json!([]);
        for (name, value) in changes.as_object().expect("an object of changes") {
            body[name] = value.clone();
        }
        self.api.post("/backup-configuration", &body).expect(200).json()["BackupConfigurationId"].as_i64().expect("an id")
    }

    /// Time passes; whoever holds a token gets a new one.
    pub fn advance(&mut self, span: Duration) {
        self.clock.advance(span);
        self.api = Api::of(&self.user);
    }

    /// An orderly restart, behind the same line.
    pub fn restart_server(&mut self) {
        self.server.restart();
        self.proxy.move_to(self.server.port());
    }

    /// The server is killed and comes back, behind the same line.
    pub fn kill_server(&mut self) {
        self.server.kill();
        self.server.start_again();
        self.proxy.move_to(self.server.port());
    }

    /// The line breaks and is mended: whatever was on its way is lost.
    pub fn break_line(&self) {
        self.proxy.cut();
        self.proxy.mend();
    }

    /// Waits until the gate holds a request, or the run has ended without it; whether it is the first.
    #[track_caller]
    pub fn is_met(&self, run: i64) -> bool {
        eventually("the run is met or has ended", AGENT_SOON, || {
            let is_over = FINAL.contains(&self.api.run_state(run).as_str());
            let is_held = self.proxy.gate().is_holding();
            (is_held || is_over).then_some(!is_over)
        })
    }

    /// The repositories of an agent's vault as its operator opens them, with the passwords that the server has.
    #[track_caller]
    pub fn opened(&self, agent: i64) -> Vec<Opened> {
        let ran = self.server.run(&["fleet", "open", &agent.to_string(), "--json"]).expect_exit(0);
        let json: Value = serde_json::from_str(&ran.out).expect("JSON");
        let one = |entry: &Value| {
            let url = text(&entry["repository"]);
            let url = url.strip_prefix("rest:").expect("a REST repository");
            let at = url.trim_end_matches('/').rfind('/').expect("a path") + 1;
            let account = Account::from_access_url(self.server.site(), &url[..at]).expect("an access URL");
            Opened { account, path: format!("/{}", &url[at..]), password: entry["password"].as_str().map(str::to_owned) }
        };
        json["repositories"].as_array().expect("a list").iter().map(one).collect()
    }

    /// How many bytes the vaults' files take on disk, hidden ones too.
    pub fn bytes_on_disk(&self) -> u64 {
        let files = tree::files_below(&self.server.data().join("blobs"));
        // One may have gone meanwhile.
        files.iter().filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
    }
}

/// One generation of a vault.
pub struct Opened {
    pub account: Account,
    /// Such as `/g1/`.
    pub path: String,
    /// Where the server has it.
    pub password: Option<String>,
}

impl Opened {
    /// Stock restic on it, opened by the server's password or by this one.
    pub fn restic(&self, passphrase: &str) -> Option<Restic> {
        let password = self.password.as_deref().unwrap_or(passphrase);
        Restic::new(&self.account, &self.path).map(|restic| restic.with_password(password))
    }
}
