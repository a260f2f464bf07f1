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
    Some(Database::make(engine))
}

/// A fresh database in a server of its own, which can be stopped; `None`, with a loud line, where there is no PostgreSQL.
pub fn own_database() -> Option<Database> {
    let Some(binaries) = binaries() else {
        skip("PostgreSQL is not installed");
        return None;
    };
    Some(Database::make(Arc::new(throw_away(&binaries))))
}

impl Database {
    fn make(engine: Arc<Engine>) -> Self {
        let name = format!("e2e_{}", data_encoding::HEXLOWER.encode(&super::tree::bytes(unique(), 8)));
        engine.execute(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"));
        Self { name, engine }
    }

    /// Ends the server of this database's own, at once and without a checkpoint.
    pub fn stop_engine(&self) {
        self.engine.own().stop(rustix::process::Signal::QUIT);
    }

    /// Starts it again, and waits until it answers.
    pub fn start_engine(&self) {
        self.engine.own().start();
        eventually("PostgreSQL answers", SOON, || self.engine.base.connect(postgres::NoTls).ok());
    }

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
    own: Option<Own>,
}

/// A throw-away server.
struct Own {
    binaries: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    process: Mutex<Option<Child>>,
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
    fn own(&self) -> &Own {
        self.own.as_ref().expect("the test asked for a server of its own")
    }

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

impl Own {
    /// A program of PostgreSQL, as a user that it accepts.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.binaries.join(name));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = owner() {
            command.uid(user).gid(group);
        }
        command
    }

    fn start(&self) {
        let options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200", "-p"];
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.folder.path().join("pg")).args(options).arg(self.port.to_string());
        *self.process.lock().expect("no test panics while it holds the server") = Some(command.spawn().expect("PostgreSQL runs"));
    }

    fn stop(&self, signal: rustix::process::Signal) {
        let Some(mut process) = self.process.lock().expect("no test panics while it holds the server").take() else { return };
        let pid = i32::try_from(process.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("it runs until now");
        drop(process.wait());
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // SIGINT is its fast shutdown.
        self.stop(rustix::process::Signal::INT);
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
    if let Some((user, group)) = owner() {
        std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).expect("root gives a folder away");
    }
    let own = Own { binaries: binaries.to_owned(), folder, port: free_port(), process: Mutex::default() };
    let made = own.program("initdb").args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-D"]).arg("pg").status();
    assert!(made.expect("initdb runs").success(), "initdb");
    own.start();
    let base: postgres::Config = format!("postgres://postgres@127.0.0.1:{}/postgres", own.port).parse().expect("a URL");
    eventually("PostgreSQL answers", SOON, || base.connect(postgres::NoTls).ok());
    Engine { base, own: Some(own) }
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
