//! How a test's server is set up, before it is started.

use super::account::Account;
use super::clock::TestClock;
use super::postgres::{self, Database};
use super::server::TestServer;

/// A server to be: settings, transport, catalog.
#[derive(Clone, Default)]
pub struct Setup {
    /// Settings by their name in the config file.
    pub(super) settings: Vec<(String, String)>,
    pub(super) is_tls: bool,
    pub(super) clock: Option<std::path::PathBuf>,
    pub(super) database: Option<std::sync::Arc<Database>>,
    pub(super) program: Vec<String>,
    pub(super) disk: Option<String>,
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// A store to begin with, as an archive of the working directory.
    pub(super) sample: Option<std::path::PathBuf>,
    /// Fault points and what they do.
    pub(super) faults: Vec<(String, String)>,
    /// Where the data is, when that outlives the server.
    pub(super) data: Option<std::path::PathBuf>,
}

impl Setup {
    /// Plain HTTP on loopback, SQLite, the system's clock, guessing not slowed down.
    pub fn new() -> Self {
        Self::default()
    }

    /// A setting by its name in the config file.
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// HTTPS with the certificate that the server makes for itself.
    pub fn tls(mut self) -> Self {
        self.is_tls = true;
        self
    }

    pub fn clock(mut self, clock: &TestClock) -> Self {
        self.clock = Some(clock.path());
        self
    }

    /// Keeps the catalog in this database.
    pub fn database(mut self, database: std::sync::Arc<Database>) -> Self {
        self.database = Some(database);
        self
    }

    /// Puts a fault in force, such as `("staging-sync", "return")`.
    pub fn fault(mut self, name: &str, action: &str) -> Self {
        self.faults.push((name.to_owned(), action.to_owned()));
        self
    }

    /// Runs the server under another program, such as `strace -o FILE`.
    pub fn under(mut self, program: &[&str]) -> Self {
        self.program = program.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Keeps the data on a small disk of its own, with these options of tmpfs.
    pub fn disk(mut self, options: &str) -> Self {
        self.disk = Some(options.to_owned());
        self
    }

    /// A file in the working directory, there before the first start.
    pub fn file(mut self, name: &str, bytes: &[u8]) -> Self {
        self.files.push((name.to_owned(), bytes.to_owned()));
        self
    }

    /// Begins with a store that is there already; the archive's `access-urls` names its first account.
    pub fn sample(mut self, archive: &std::path::Path) -> Self {
        self.sample = Some(archive.to_owned());
        self
    }

    /// Keeps the data in this folder, which outlives the server.
    pub fn data(mut self, folder: &std::path::Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    pub fn start(self) -> TestServer {
        TestServer::launch(self)
    }

    /// Starts on a store that is there already and knows `account`; or says why the server refused.
    pub fn start_on_store(self, account: &Account) -> Result<TestServer, String> {
        TestServer::launch_on_store(self, account)
    }

    /// The same server on SQLite, then on PostgreSQL in a database of its own.
    pub fn each_catalog(self) -> impl Iterator<Item = TestServer> {
        let on_postgres = self.clone();
        let later = std::iter::once_with(move || {
            let database = postgres::fresh_database()?;
            Some(Self { database: Some(std::sync::Arc::new(database)), ..on_postgres }.start())
        });
        std::iter::once_with(move || Some(self.start())).chain(later).flatten()
    }
}
