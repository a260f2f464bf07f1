//! Catalogs for tests: a fresh one on either engine. One throw-away PostgreSQL serves a whole test process.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::config::{CatalogTarget, StoreConfig};

/// A server that is already running: the databases are made there.
const SERVER_VARIABLE: &str = "STRONGROOM_TEST_POSTGRES";
/// `required`: a missing PostgreSQL fails the test that asks for it.
const TOOLS_VARIABLE: &str = "STRONGROOM_TEST_TOOLS";

/// Starts the server, says so, and takes it down with all it wrote when its input ends, which the end of this process does too,
/// however it ends. PostgreSQL refuses to run as root.
const KEEPER: &str = r#"
trap '' INT HUP TERM PIPE
cd "$1" || exit 1
if [ "$(id -u)" = 0 ]; then chown postgres "$1"; as='setpriv --reuid=postgres --regid=postgres --clear-groups'; else as=; fi
$as "$2/initdb" -D data -U strongroom -A trust -E UTF8 --locale=C --no-sync >log 2>&1 </dev/null &&
$as "$2/pg_ctl" -D data -w -t 60 -l server.log -o "-k '$1' -c listen_addresses= -c max_connections=200 -c shared_buffers=16MB" start >>log 2>&1 </dev/null &&
echo ready || { tail -n 5 log server.log | tr '\n' ' '; echo; }
read -r _
$as "$2/pg_ctl" -D data -m immediate stop >/dev/null 2>&1 </dev/null
rm -rf "$1"
"#;

/// The settings of a store in `dir` with its catalog in SQLite.
pub(crate) fn sqlite_target(dir: &Path) -> StoreConfig {
    StoreConfig {
        data: dir.to_owned(),
        catalog: CatalogTarget::Sqlite,
        catalog_readers: 2,
        disk_reserve_bytes: 0,
        scrub_days: 0,
        control_copies: 2,
        sessions_per_account: 100,
        mails: true,
    }
}

/// The settings of a store in `dir` with its catalog in a fresh PostgreSQL database; `None` where there is no PostgreSQL.
pub(crate) fn postgres_target(dir: &Path) -> Option<StoreConfig> {
    let url = postgres_url()?;
    Some(StoreConfig { catalog: CatalogTarget::Postgres(url), ..sqlite_target(dir) })
}

/// The URL of a fresh, empty database; `None`, after a loud line, where there is no PostgreSQL and none is required.
pub(crate) fn postgres_url() -> Option<String> {
    let url = fresh_url()?;
    let name = url.rsplit('/').next().expect("the URL ends in the name of the database").to_owned();
    as_owner(&format!("CREATE DATABASE {name}"));
    Some(url)
}

/// A database as `options` of CREATE DATABASE want it.
pub(crate) fn postgres_url_with(options: &str) -> Option<String> {
    let url = fresh_url()?;
    let name = url.rsplit('/').next().expect("the URL ends in the name of the database").to_owned();
    as_owner(&format!("CREATE DATABASE {name} {options}"));
    Some(url)
}

/// A connection past the catalog, for tests that look at or break what is behind it.
pub(crate) fn raw_postgres(url: &str) -> ::postgres::Client {
    ::postgres::Client::connect(url, ::postgres::NoTls).expect("the test server answers")
}

fn fresh_url() -> Option<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("the system has random numbers");
    Some(format!("{}/test_{:016x}", base_url()?, u64::from_ne_bytes(random)))
}

/// On a thread of its own, because a test may be inside a runtime, where the driver cannot block.
fn as_owner(statement: &str) {
    let url = format!("{}/postgres", base_url().expect("asked for after the server was found"));
    std::thread::scope(|scope| {
        scope.spawn(|| raw_postgres(&url).batch_execute(statement).expect("the test server does as its owner says"));
    });
}

/// The URL of the server without a database, started at the first call.
fn base_url() -> Option<&'static str> {
    static BASE: OnceLock<Option<String>> = OnceLock::new();
    BASE.get_or_init(|| match std::env::var(SERVER_VARIABLE) {
        Ok(url) => Some(without_database(&url)),
        Err(_) => programs().map(|programs| start(&programs)).or_else(skipped),
    })
    .as_deref()
}

fn without_database(url: &str) -> String {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let authority = url[after_scheme..].split('/').next().expect("a split has a first part");
    format!("{}{authority}", &url[..after_scheme])
}

/// Says loudly that PostgreSQL is missing, or fails where it is required.
fn skipped() -> Option<String> {
    let required = std::env::var(TOOLS_VARIABLE).is_ok_and(|value| value == "required");
    assert!(!required, "PostgreSQL is missing, and {TOOLS_VARIABLE}=required");
    writeln!(std::io::stderr(), "SKIPPED: no PostgreSQL under /usr/lib/postgresql: its half of the catalog tests did not run")
        .expect("a test can write to stderr");
    None
}

/// The newest installed PostgreSQL.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<_> =
        versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).filter(|bin| bin.join("initdb").exists()).collect();
    found.sort();
    found.pop()
}

fn start(programs: &Path) -> String {
    let folder = tempfile::Builder::new().prefix("strongroom-pg-").tempdir().expect("a temporary folder").keep();
    let mut keeper = Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .args([&folder, &programs.to_owned()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let mut said = String::new();
    BufReader::new(keeper.stdout.take().expect("its output is a pipe")).read_line(&mut said).expect("it answers");
    assert_eq!(said.trim(), "ready", "PostgreSQL is installed but did not start");
    keep(keeper);
    let socket: String = folder.to_str().expect("a temporary folder has a plain name").replace('/', "%2F");
    format!("postgres://strongroom@{socket}")
}

/// Holds the pipe, and with it the server, until the process ends.
fn keep(keeper: Child) {
    static KEEPER_PROCESS: OnceLock<Child> = OnceLock::new();
    KEEPER_PROCESS.set(keeper).expect("one server is started in a process");
}
