//! What a server finds after a crash of its machine, held against what the clients were told.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Mutex;

use super::account::Account;
use super::raw::Raw;
use super::server::TestServer;
use super::setup::Setup;
use super::workload::Workload;
use super::{SOON, tree, wait_until};

/// Counts over many states.
#[derive(Default, Debug)]
pub struct Findings {
    pub states: usize,
    /// Files that were read whole.
    pub whole: usize,
    /// Files that were acknowledged and whose life had ended.
    pub expired: usize,
    /// Acknowledged files that are not served.
    pub lost: usize,
    /// Acknowledged files and accounts without a row, before any server looked.
    pub lost_rows: usize,
    /// Files that are shown and are not whole.
    pub torn: usize,
    /// Files with a row and no bytes.
    pub without_blob: usize,
    /// Catalogs that cannot be opened or fail SQLite's integrity check.
    pub unsound: usize,
    /// Disks that cannot be mounted.
    pub unmountable: usize,
    /// Stores on which no server starts.
    pub refused: usize,
    /// Servers that found something to complain of by themselves.
    pub alarmed: usize,
    /// The first thing that was wrong, in words.
    pub worst: Option<String>,
}

impl Findings {
    pub fn add(&mut self, other: Self) {
        self.states += other.states;
        self.whole += other.whole;
        self.expired += other.expired;
        self.lost += other.lost;
        self.lost_rows += other.lost_rows;
        self.torn += other.torn;
        self.without_blob += other.without_blob;
        self.unsound += other.unsound;
        self.unmountable += other.unmountable;
        self.refused += other.refused;
        self.alarmed += other.alarmed;
        self.worst = self.worst.take().or(other.worst);
    }

    pub fn say(&mut self, what: String) {
        self.worst.get_or_insert(what);
    }

    /// Everything that must be 0.
    pub fn faults(&self) -> usize {
        self.lost + self.lost_rows + self.torn + self.without_blob + self.unsound + self.unmountable + self.refused + self.alarmed
    }

    /// The figure of a run in which nothing was wrong.
    #[track_caller]
    pub fn expect_no_fault(&self, states: usize) -> String {
        assert_eq!((self.states, self.faults(), self.worst.as_deref()), (states, 0, None), "{self:?}");
        let (whole, expired) = (self.whole, self.expired);
        format!(
            "{states} states, {whole} files read, {expired} expired: 0 lost, 0 torn, 0 rows without blob, 0 unsound catalogs, 0 mount failures"
        )
    }
}

/// Looks at one state after the other, two at a time, until it is `enough`. Each `worker` sees its states in their order.
pub fn look_at_each<T, L>(states: Vec<T>, enough: impl Fn(&Findings) -> bool + Sync, worker: impl Fn() -> L + Sync) -> Findings
where
    T: Send,
    L: FnMut(T) -> Findings,
{
    let (queue, found) = (Mutex::new(VecDeque::from(states)), Mutex::new(Findings::default()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut look = worker();
                while !enough(&found.lock().expect("the other worker does not panic")) {
                    let Some(state) = queue.lock().expect("the other worker does not panic").pop_front() else { return };
                    let state = look(state);
                    found.lock().expect("the other worker does not panic").add(state);
                }
            });
        }
    });
    found.into_inner().expect("the workers did not panic")
}

/// Looks at the store in `data` as a crash at `at` left it. `scratch` is an empty folder.
pub fn look(work: &Workload, at: usize, data: &Path, scratch: &Path) -> Findings {
    let mut found = Findings { states: 1, ..Findings::default() };
    look_at_rows(work, at, data, scratch, &mut found);
    let setup = Setup::new().clock(&work.clock).data(data).set("disk_reserve", "1 MiB");
    match setup.start_on_store(&work.account) {
        Ok(server) => look_at_files(work, at, server, &mut found),
        Err(why) => {
            found.refused += 1;
            found.say(format!("cut at {at}: {why}"));
        }
    }
    found
}

/// What the catalog alone says, in a copy of it: the state itself stays as the crash left it.
fn look_at_rows(work: &Workload, at: usize, data: &Path, scratch: &Path, found: &mut Findings) {
    for name in ["catalog.db", "catalog.db-wal"] {
        // Where one is missing the catalog says so by itself.
        drop(std::fs::copy(data.join(name), scratch.join(name)));
    }
    let rows = rows(&scratch.join("catalog.db")).unwrap_or_else(|error| {
        found.unsound += 1;
        found.say(format!("cut at {at}: {error}"));
        BTreeSet::new()
    });
    let files = work.kept.keys().filter(|name| work.must_have_row(name, at));
    let accounts = work.accounts.iter().filter(|(_, position)| *position <= at).map(|(user, _)| user);
    for name in files.chain(accounts).chain([&work.account.user]).filter(|name| !rows.contains(*name)) {
        found.lost_rows += 1;
        found.say(format!("cut at {at}: {name} was acknowledged and has no row"));
    }
}

/// The names of live files and of accounts.
fn rows(catalog: &Path) -> Result<BTreeSet<String>, String> {
    let read = || {
        let connection = rusqlite::Connection::open(catalog)?;
        let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        let mut names = BTreeSet::new();
        for statement in ["SELECT name FROM files WHERE state = 'live'", "SELECT CAST(id AS BLOB) FROM accounts"] {
            let mut statement = connection.prepare(statement)?;
            for name in statement.query_map([], |row| row.get::<_, Vec<u8>>(0))? {
                names.insert(String::from_utf8_lossy(&name?).into_owned());
            }
        }
        Ok((verdict, names))
    };
    match read() {
        Ok((verdict, names)) if verdict == "ok" => Ok(names),
        Ok((verdict, _)) => Err(verdict),
        Err(error) => Err(rusqlite::Error::to_string(&error)),
    }
}

/// What clients see: everything that was ever tried is read, and the list is held against it.
fn look_at_files(work: &Workload, at: usize, mut server: TestServer, found: &mut Findings) {
    let account = server.account();
    let listed: BTreeSet<String> = account.list().into_iter().map(|file| file.name).collect();
    let mut raw = Raw::connect(&server);
    for (name, (seed, length)) in &work.tried {
        match read(&mut raw, &server, &account, name, &tree::bytes(*seed, *length)) {
            Seen::Whole => found.whole += 1,
            Seen::Absent if work.must_serve(name, at) || listed.contains(name) => {
                found.lost += 1;
                found.say(format!("cut at {at}: {name}, acknowledged at {:?}, is absent", work.kept.get(name)));
            }
            Seen::Absent => found.expired += usize::from(work.is_kept(name, at)),
            Seen::Broken(how) => {
                found.lost += usize::from(work.is_kept(name, at));
                *if has_blob(&server, &account, name) { &mut found.torn } else { &mut found.without_blob } += 1;
                found.say(format!("cut at {at}: {name}, acknowledged at {:?}: {how}", work.kept.get(name)));
            }
        }
    }
    if let Some(stranger) = listed.iter().find(|name| !work.tried.contains_key(*name)) {
        found.torn += 1;
        found.say(format!("cut at {at}: {stranger} was never sent"));
    }
    wait_until("staging files of the cut are gone", SOON, || server.staging_files().is_empty());
    server.kill();
    if let Some(error) = server.errors().into_iter().next() {
        found.alarmed += 1;
        found.say(format!("cut at {at}: {error}"));
    }
    server.expect_error("");
}

/// How a client sees a file.
enum Seen {
    Whole,
    Absent,
    Broken(String),
}

fn read(raw: &mut Raw, server: &TestServer, account: &Account, name: &str, bytes: &[u8]) -> Seen {
    raw.send(format!("GET {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", account.basic()));
    let seen = match raw.answer(SOON) {
        Some(answer) if answer.head.status == 200 && answer.body == bytes => return Seen::Whole,
        Some(answer) if answer.head.status == 404 => return Seen::Absent,
        Some(answer) => Seen::Broken(format!("{} and {} bytes of {}", answer.head.status, answer.body.len(), bytes.len())),
        None => Seen::Broken("the transfer broke".to_owned()),
    };
    *raw = Raw::connect(server);
    seen
}

fn has_blob(server: &TestServer, account: &Account, name: &str) -> bool {
    let start = format!("{}{name}@", server.data().join("blobs").join(&account.user).display());
    server.blobs(account).iter().any(|path| path.display().to_string().starts_with(&start))
}
