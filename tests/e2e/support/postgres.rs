//! PostgreSQL for tests: the one that the environment names, else a throw-away server that ends with its last user.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use super::{SOON, eventually, skip};

/// An empty database, dropped at the end.
pub struct Database {
    name: String,
    engine: Arc<Engine>,
}

/// A fresh database; `None`, with a loud line, where there is no PostgreSQL.
pub fn fresh_database() -> Option<Database> {
    let Some(engine) = engine() else {
        skip("there is no PostgreSQL: name one in STRONGROOM_TEST_POSTGRES or install it");
        return None;
    };
    let name = format!("e2e_{}", data_encoding::HEXLOWER.encode(&super::tree::bytes(unique(), 8)));
    engine.execute(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"));
    Some(Database { name, engine })
}

impl Database {
    /// What the `catalog` setting takes.
    pub fn url(&self) -> String {
        self.engine.url(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.engine.execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

struct Engine {
    base: postgres::Config,
    /// Ends with the engine.
    _own: Option<Own>,
}

/// A throw-away server.
struct Own {
    process: Child,
    _folder: tempfile::TempDir,
}

static ENGINE: Mutex<Weak<Engine>> = Mutex::new(Weak::new());

fn engine() -> Option<Arc<Engine>> {
    let mut shared = ENGINE.lock().expect("a PostgreSQL that did not start ends the run");
    if let Some(engine) = shared.upgrade() {
        return Some(engine);
    }
    let engine = match std::env::var("STRONGROOM_TEST_POSTGRES") {
        Ok(url) => Engine { base: url.parse().expect("STRONGROOM_TEST_POSTGRES is a postgres:// URL"), _own: None },
        Err(_) => throw_away(&binaries()?),
    };
    let engine = Arc::new(engine);
    *shared = Arc::downgrade(&engine);
    Some(engine)
}

impl Engine {
    fn execute(&self, statement: &str) {
        let mut client = self.base.connect(postgres::NoTls).expect("PostgreSQL answers");
        client.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    fn url(&self, database: &str) -> String {
        let user = self.base.get_user().unwrap_or("postgres");
        let password = self.base.get_password().map_or(String::new(), |bytes| format!(":{}", String::from_utf8_lossy(bytes)));
        let host = match self.base.get_hosts().first() {
            Some(postgres::config::Host::Tcp(host)) => host.clone(),
            Some(postgres::config::Host::Unix(path)) => path.display().to_string().replace('/', "%2F"),
            None => "localhost".to_owned(),
        };
        let port = self.base.get_ports().first().copied().unwrap_or(5432);
        format!("postgres://{user}{password}@{host}:{port}/{database}")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let pid = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        // SIGINT is its fast shutdown.
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs until now");
        drop(self.process.wait());
    }
}

/// The newest installed version's programs.
fn binaries() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin")).collect();
    found.retain(|folder| folder.join("initdb").is_file());
    found.sort();
    found.pop()
}

fn throw_away(binaries: &Path) -> Engine {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let owner = owner();
    if let Some((user, group)) = owner {
        std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).expect("root gives a folder away");
    }
    let run = |program: &str| {
        let mut command = Command::new(binaries.join(program));
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = owner {
            command.uid(user).gid(group);
        }
        command
    };
    let data = folder.path().join("pg");
    let made = run("initdb").args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-D"]).arg(&data).status();
    assert!(made.expect("initdb runs").success(), "initdb");
    let port = free_port();
    let options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200", "-p"];
    let process = run("postgres").arg("-D").arg(&data).args(options).arg(port.to_string()).spawn().expect("PostgreSQL runs");
    let base: postgres::Config = format!("postgres://postgres@127.0.0.1:{port}/postgres").parse().expect("a URL");
    let own = Own { process, _folder: folder };
    eventually("PostgreSQL answers", SOON, || base.connect(postgres::NoTls).ok());
    Engine { base, _own: Some(own) }
}

/// PostgreSQL refuses to run as root: then it runs as its own user.
fn owner() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").expect("the users are listed");
    let line = passwd.lines().find(|line| line.starts_with("postgres:")).expect("PostgreSQL has a user of its own");
    let mut numbers = line.split(':').skip(2).map(|field| field.parse().expect("a number"));
    Some((numbers.next().expect("a user id"), numbers.next().expect("a group id")))
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}

fn unique() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the operating system's random source answers");
    u64::from_le_bytes(bytes)
}
