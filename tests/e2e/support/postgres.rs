//! PostgreSQL for tests: the one that the environment names, else a throw-away server that ends with its last user.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use rustix::process::{Pid, Signal};

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

/// A fresh database on a server of the test's own, which can be frozen and killed; `None`, with a loud line, where there is none.
pub fn private_database() -> Option<Database> {
    let Some(binaries) = binaries() else {
        skip("there is no PostgreSQL to start");
        return None;
    };
    let engine = Arc::new(throw_away(&binaries));
    engine.execute("CREATE DATABASE own TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'");
    Some(Database { name: "own".to_owned(), engine })
}

impl Database {
    /// All processes of the server that the test has to itself: the first of them begot the others.
    fn processes(&self) -> Vec<Pid> {
        let own = self.engine.own.as_ref().expect("the test asked for a server of its own").lock().expect("no test panics with it");
        let first = own.process.id();
        let children = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap_or_default();
        let ids = children.split_whitespace().filter_map(|id| id.parse().ok());
        let first = i32::try_from(first).expect("a process id");
        std::iter::once(first).chain(ids).filter_map(Pid::from_raw).collect()
    }

    /// SIGSTOP to all of them: connections are still taken by the kernel, and nobody answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        for process in self.processes() {
            // One that has ended meanwhile needs no signal.
            let _ = rustix::process::kill_process(process, signal);
        }
    }

    /// `pg_ctl restart -m immediate`: it dies without a word, and recovers from its log.
    pub fn restart_at_once(&self) {
        self.stop_engine();
        self.start_engine();
    }

    /// Ends the server that the test has to itself, at once and without a checkpoint.
    pub fn stop_engine(&self) {
        let mut own = self.engine.own.as_ref().expect("the test asked for a server of its own").lock().expect("no test panics with it");
        let first = i32::try_from(own.process.id()).ok().and_then(Pid::from_raw).expect("a process id");
        // SIGQUIT is its immediate shutdown.
        rustix::process::kill_process(first, Signal::QUIT).expect("it runs");
        drop(own.process.wait());
    }

    /// Starts it again, and waits until it answers.
    pub fn start_engine(&self) {
        let mut own = self.engine.own.as_ref().expect("the test asked for a server of its own").lock().expect("no test panics with it");
        own.process = run_server(&own.binaries, own.folder.path(), own.port);
        eventually("PostgreSQL has recovered", SOON, || self.engine.base.connect(postgres::NoTls).ok());
    }

    /// A connection past the server under test.
    pub fn client(&self) -> postgres::Client {
        self.url().parse::<postgres::Config>().and_then(|config| config.connect(postgres::NoTls)).expect("PostgreSQL answers")
    }

    /// What the `catalog` setting takes.
    pub fn url(&self) -> String {
        self.engine.url(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.engine.own.is_some() {
            // A test that failed may have left it frozen.
            self.thaw();
        }
        self.engine.execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

struct Engine {
    base: postgres::Config,
    /// Ends with the engine.
    own: Option<Mutex<Own>>,
}

/// A throw-away server.
struct Own {
    process: Child,
    folder: tempfile::TempDir,
    binaries: PathBuf,
    port: u16,
}

static ENGINE: Mutex<Weak<Engine>> = Mutex::new(Weak::new());

fn engine() -> Option<Arc<Engine>> {
    let mut shared = ENGINE.lock().expect("a PostgreSQL that did not start ends the run");
    if let Some(engine) = shared.upgrade() {
        return Some(engine);
    }
    let engine = match std::env::var("STRONGROOM_TEST_POSTGRES") {
        Ok(url) => Engine { base: url.parse().expect("STRONGROOM_TEST_POSTGRES is a postgres:// URL"), own: None },
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
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("a process id");
        // SIGINT is its fast shutdown.
        rustix::process::kill_process(pid, Signal::INT).expect("it runs until now");
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

/// One of its programs, as the user that it may run as, in its folder.
fn command(binaries: &Path, folder: &Path, program: &str) -> Command {
    let mut command = Command::new(binaries.join(program));
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    command
}

fn run_server(binaries: &Path, folder: &Path, port: u16) -> Child {
    let options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200", "-p"];
    let mut command = command(binaries, folder, "postgres");
    command.arg("-D").arg(folder.join("pg")).args(options).arg(port.to_string()).spawn().expect("PostgreSQL runs")
}

fn throw_away(binaries: &Path) -> Engine {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if let Some((user, group)) = owner() {
        std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).expect("root gives a folder away");
    }
    let mut initdb = command(binaries, folder.path(), "initdb");
    initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-D"]).arg(folder.path().join("pg"));
    assert!(initdb.status().expect("initdb runs").success(), "initdb");
    let port = free_port();
    let process = run_server(binaries, folder.path(), port);
    let base: postgres::Config = format!("postgres://postgres@127.0.0.1:{port}/postgres").parse().expect("a URL");
    let own = Own { process, folder, binaries: binaries.to_owned(), port };
    eventually("PostgreSQL answers", SOON, || base.connect(postgres::NoTls).ok());
    Engine { base, own: Some(Mutex::new(own)) }
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
