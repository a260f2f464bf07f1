//! The real binary in a folder of its own, started, watched and stopped.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::account::{Account, Site};
use super::disk::Disk;
use super::ran::Ran;
use super::setup::Setup;
use super::{SOON, eventually, tree};

/// A server that was started. Dropping it stops it, and insists on exit 0, no staging file, and no ERROR in the log.
pub struct TestServer {
    disk: Option<Disk>,
    home: tempfile::TempDir,
    setup: Setup,
    process: Option<Child>,
    /// What it printed to standard output since its last start.
    printed: Arc<Mutex<Vec<String>>>,
    site: Site,
    first: Option<Account>,
    /// Parts of ERROR lines that the test is about.
    expected_errors: Vec<String>,
    /// Whether any of its starts went well.
    has_served: bool,
}

impl TestServer {
    /// With plain HTTP and all defaults.
    pub fn start() -> Self {
        Setup::new().start()
    }

    /// One server on SQLite, then one on PostgreSQL.
    pub fn each_catalog() -> impl Iterator<Item = Self> {
        Setup::new().each_catalog()
    }

    pub(super) fn launch(setup: Setup) -> Self {
        let mut server = Self::prepare(setup);
        server.start_again();
        let url = eventually("the first start prints an access URL", SOON, || server.first_access_url());
        server.first = Some(url);
        server
    }

    pub(super) fn launch_on_store(setup: Setup, account: &Account) -> Result<Self, String> {
        let mut server = Self::prepare(setup);
        server.first = Some(Account { site: server.site.clone(), ..account.clone() });
        server.try_start_again().map(|()| server)
    }

    fn prepare(setup: Setup) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in &setup.files {
            super::tree::write_private(&home.path().join(name), bytes);
        }
        if let Some(archive) = &setup.sample {
            let unpacked = Command::new("tar").arg("-C").arg(home.path()).arg("-xzf").arg(archive).status();
            assert!(unpacked.expect("tar runs").success(), "{}", archive.display());
        }
        let own = setup.settings.iter().find(|(name, _)| name == "tls_certificate").map(|(_, file)| file.as_str());
        let certificate = setup.is_tls.then(|| home.path().join(own.unwrap_or("data/tls/cert.pem")));
        let site = Site { origin: Arc::new(RwLock::new(String::new())), certificate };
        let disk = setup.disk.as_ref().map(|options| Disk::mount(&home.path().join("data"), options).expect("a disk is mounted"));
        Self {
            disk,
            home,
            setup,
            process: None,
            printed: Arc::default(),
            site,
            first: None,
            expected_errors: Vec::new(),
            has_served: false,
        }
    }

    /// The account that the first start made.
    pub fn account(&self) -> Account {
        self.first.clone().expect("the first start made an account")
    }

    /// One account more, by the command line; `arguments` follow `account add`.
    #[track_caller]
    pub fn add_account(&self, arguments: &[&str]) -> Account {
        let ran = self.run(&[&["account", "add"], arguments].concat()).expect_exit(0);
        Account::from_access_url(&self.site, ran.out.trim()).unwrap_or_else(|| panic!("an access URL and nothing else: {ran:?}"))
    }

    /// A command on this server's store.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command().args(arguments).arg("--data").arg(self.data()).stdin(Stdio::null()).output();
        Ran::of(&output.expect("the binary runs"))
    }

    /// Requests without credentials.
    pub fn site(&self) -> &Site {
        &self.site
    }

    pub fn port(&self) -> u16 {
        let origin = self.site.origin();
        origin.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an origin ends with its port")
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the server runs").id()
    }

    /// The folder that holds everything of this server; it is its working directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn data(&self) -> PathBuf {
        self.setup.data.clone().unwrap_or_else(|| self.home.path().join("data"))
    }

    /// The small disk that holds its data.
    pub fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("the test asked for a disk")
    }

    /// Everything it wrote to standard error, over all starts.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.home.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn log_bytes(&self) -> Vec<u8> {
        std::fs::read(self.home.path().join("log")).unwrap_or_default()
    }

    /// What it printed to standard output since its last start.
    pub fn printed(&self) -> Vec<String> {
        self.printed.lock().expect("the reader does not panic").clone()
    }

    /// Waits for a line of the log that holds `part`.
    pub fn await_log(&self, part: &str) {
        super::wait_until(&format!("“{part}” in the log"), SOON, || self.log().contains(part));
    }

    /// ERROR lines that hold `part` are what this test is about.
    pub fn expect_error(&mut self, part: &str) {
        self.expected_errors.push(part.to_owned());
    }

    /// From its next start on, and in every command, this is done at these fault points, and nothing at any other.
    pub fn set_faults(&mut self, faults: &[(&str, &str)]) {
        self.setup.faults = faults.iter().map(|&(name, action)| (name.to_owned(), action.to_owned())).collect();
    }

    /// Published blobs of the account, as paths.
    pub fn blobs(&self, account: &Account) -> Vec<PathBuf> {
        tree::files_below(&self.data().join("blobs").join(&account.user))
    }

    pub fn staging_files(&self) -> Vec<PathBuf> {
        tree::files_below(&self.data().join("blobs/.staging"))
    }

    /// Insists on exactly one blob with these bytes under the readable key of `name`, a name that needs no encoding.
    #[track_caller]
    pub fn expect_blob(&self, account: &Account, name: &str, bytes: &[u8]) {
        let blobs = self.blobs(account);
        let start = format!("{}{name}@", self.data().join("blobs").join(&account.user).display());
        let mine: Vec<_> = blobs.iter().filter(|path| path.display().to_string().starts_with(&start)).collect();
        assert_eq!(mine.len(), 1, "blobs of {name} among {blobs:?}");
        let key = mine[0].display().to_string();
        assert!(key.contains(&format!("-{}-", tree::sha256(bytes))), "the key carries the SHA-256: {key}");
        assert!(std::fs::read(mine[0]).expect("the blob is read") == bytes, "the blob holds the same bytes: {key}");
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("the server takes a signal");
    }

    /// SIGTERM, then waits for its end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.await_end(Duration::from_secs(90))
    }

    /// SIGKILL: a crash.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.await_end(SOON);
    }

    /// Waits until the process has ended by itself.
    pub fn await_end(&mut self, deadline: Duration) -> ExitStatus {
        let mut process = self.process.take().expect("the server runs");
        let ended = eventually("the server ends", deadline, || process.try_wait().expect("the process can be waited for"));
        self.site.forget();
        ended
    }

    /// An orderly stop and a start on the same store.
    pub fn restart(&mut self) {
        assert_eq!(self.stop().code(), Some(0), "exit code of an orderly stop\n{}", self.log());
        self.start_again();
    }

    /// Starts on the same store, and waits until it serves.
    pub fn start_again(&mut self) {
        self.try_start_again().unwrap_or_else(|why| panic!("{why}"));
    }

    /// Starts on the same store, and waits until it serves or says why not.
    pub fn try_start_again(&mut self) -> Result<(), String> {
        self.spawn();
        let serving = eventually("the server serves", SOON, || {
            let ended = self.process.as_mut().expect("it was started").try_wait().expect("the process can be waited for");
            let refusal = ended.map(|ended| Err(format!("the server ended at its start: {ended:?}\n{}", self.log())));
            refusal.or_else(|| self.printed().iter().find_map(|line| line.strip_prefix("Serving ").map(|url| Ok(url.to_owned()))))
        });
        let serving = serving.inspect_err(|_| self.process = None)?;
        let origin = serving.strip_suffix('/').expect("the address ends with a slash").to_owned();
        let scheme = if self.setup.is_tls { "https://localhost:" } else { "http://localhost:" };
        assert!(origin.starts_with(scheme), "{origin}");
        self.site.move_to(origin);
        self.has_served = true;
        Ok(())
    }

    /// Starts on the same store, and waits for the refusal.
    pub fn start_in_vain(&mut self) -> Ran {
        let before = self.log().len();
        self.spawn();
        let ended = self.await_end(SOON);
        let log = self.log();
        Ran { exit: ended.code().unwrap_or(-1), out: self.printed().join("\n"), complaint: log[before..].to_owned() }
    }

    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    fn first_access_url(&self) -> Option<Account> {
        if self.setup.sample.is_some() {
            let urls = std::fs::read_to_string(self.home.path().join("access-urls")).expect("a sample names its accounts");
            return urls.lines().next().and_then(|url| Account::from_access_url(&self.site, url));
        }

        let printed = self.printed();
        printed.iter().flat_map(|line| line.split_whitespace()).find_map(|word| Account::from_access_url(&self.site, word))
    }

    /// The binary with this server's environment and nothing else of ours.
    pub fn command(&self) -> Command {
        let binary = env!("CARGO_BIN_EXE_strongroom");
        let mut command = Command::new(binary);
        self.equip(&mut command);
        command
    }

    fn equip(&self, command: &mut Command) {
        command.current_dir(self.home.path()).env_clear();
        if !self.setup.is_tls {
            command.env("STRONGROOM_PLAIN_HTTP", "true");
        }
        command.env("STRONGROOM_LISTEN", "127.0.0.1:0");
        command.env("STRONGROOM_LOGIN_FAILURES_PER_MINUTE", "1000000");
        command.env("STRONGROOM_LOG_LINES_PER_MINUTE", "0");
        if let Some(clock) = &self.setup.clock {
            command.env("STRONGROOM_TEST_CLOCK", clock);
        }
        if let Some(database) = &self.setup.database {
            command.env("STRONGROOM_CATALOG", database.url());
        }
        if let Some(data) = &self.setup.data {
            command.env("STRONGROOM_DATA", data);
        }
        if !self.setup.faults.is_empty() {
            let points: Vec<String> = self.setup.faults.iter().map(|(name, action)| format!("{name}={action}")).collect();
            command.env("FAILPOINTS", points.join(";"));
        }
        for (name, value) in &self.setup.settings {
            command.env(format!("STRONGROOM_{}", name.to_ascii_uppercase()), value);
        }
    }

    fn spawn(&mut self) {
        assert!(self.process.is_none(), "the server runs already");
        let log = File::options().create(true).append(true).open(self.home.path().join("log")).expect("the log is opened");
        let binary = env!("CARGO_BIN_EXE_strongroom");
        let mut command = match self.setup.program.split_first() {
            None => Command::new(binary),
            Some((program, arguments)) => {
                let mut command = Command::new(super::program(&[program]).expect("the program is installed"));
                command.args(arguments).arg(binary);
                command
            }
        };
        self.equip(&mut command);
        let command = command.arg("serve").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut process = command.spawn().expect("the binary runs");
        self.printed = Arc::default();
        let (printed, out) = (Arc::clone(&self.printed), process.stdout.take().expect("standard output is a pipe"));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                printed.lock().expect("the tests do not panic while they hold it").push(line);
            }
        });
        self.process = Some(process);
    }

    /// ERROR lines of the log that the test did not announce.
    pub fn errors(&self) -> Vec<String> {
        let is_error = |line: &&str| line.split_whitespace().take(3).any(|word| word == "ERROR") || line.contains("\"level\":\"ERROR\"");
        let log = self.log();
        let lines = log.lines().filter(is_error).filter(|line| !self.expected_errors.iter().any(|part| line.contains(part)));
        lines.map(str::to_owned).collect()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            super::say(&format!("--- standard output\n{}\n--- log\n{}", self.printed().join("\n"), self.log()));
            if let Some(mut process) = self.process.take() {
                drop(process.kill());
                drop(process.wait());
            }
            return;
        }
        if self.process.is_some() {
            let ended = self.stop();
            assert_eq!(ended.code(), Some(0), "exit code at the end\n{}", self.log());
        }
        if !self.has_served {
            return;
        }
        assert_eq!(self.staging_files(), Vec::<PathBuf>::new(), "staging files at the end");
        assert_eq!(self.errors(), Vec::<String>::new(), "errors in the log");
    }
}
