//! Uploads that go on until something refuses them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::answer::Answer;
use super::clock::TestClock;
use super::raw::Raw;
use super::server::TestServer;
use super::workload::Workload;
use super::{SOON, tree};

pub const UPLOADERS: u64 = 16;
const SIZES: [usize; 5] = [1, 0, 4096, 70_000, 300_000];

/// Sixteen clients, and what they know.
pub struct Press {
    pub work: Mutex<Workload>,
    basic: String,
    /// Whether what is acknowledged now proves nothing.
    is_in_doubt: AtomicBool,
}

impl Press {
    pub fn new(server: &TestServer, clock: TestClock) -> Self {
        let account = server.account();
        Self { basic: account.basic(), work: Mutex::new(Workload::of(account, clock)), is_in_doubt: AtomicBool::new(false) }
    }

    /// Uploads from sixteen clients until each of them was refused, while `meanwhile` makes that happen. Answers the statuses of the
    /// refusals; 0 stands for a connection that ended without an answer.
    pub fn until_refused(&self, server: &TestServer, round: u64, meanwhile: impl FnOnce()) -> Vec<u16> {
        let port = server.port();
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..UPLOADERS).map(|client| scope.spawn(move || self.upload(port, round, client))).collect();
            meanwhile();
            clients.into_iter().map(|client| client.join().expect("no client panics")).collect()
        })
    }

    /// From now on a file that is acknowledged may be absent later; or no longer. It is shown whole or not at all.
    pub fn set_in_doubt(&self, is_in_doubt: bool) {
        self.is_in_doubt.store(is_in_doubt, Ordering::SeqCst);
    }

    /// One small file more.
    pub fn put_one(&self, name: &str) -> Answer {
        let (account, bytes) = {
            let mut work = self.work.lock().expect("no client panics");
            let seed = work.tried.len() as u64 + 1;
            work.tried.insert(name.to_owned(), (seed, 1000));
            (work.account.clone(), work.bytes_of(name))
        };
        let answer = account.put(name, bytes);
        if answer.status() == 201 {
            self.work.lock().expect("no client panics").kept.insert(name.to_owned(), 0);
        }
        answer
    }

    pub fn kept(&self) -> usize {
        self.work.lock().expect("no client panics").kept.len()
    }

    fn upload(&self, port: u16, round: u64, client: u64) -> u16 {
        let Some(mut raw) = Raw::try_connect(port) else { return 0 };
        for turn in 0.. {
            let seed = (round * UPLOADERS + client) * 10_000 + turn + 1;
            let length = SIZES[usize::try_from((client + turn) % SIZES.len() as u64).expect("small")];
            let name = format!("/{round}/{}/{client}-{turn}", turn % 3);
            self.work.lock().expect("no client panics").tried.insert(name.clone(), (seed, length));
            let head =
                format!("PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: {length}\r\n\r\n", self.basic);
            raw.send([head.as_bytes(), &tree::bytes(seed, length)].concat());
            match raw.answer(SOON).map_or(0, |answer| answer.head.status) {
                201 if self.is_in_doubt.load(Ordering::SeqCst) => {}
                201 => drop(self.work.lock().expect("no client panics").kept.insert(name, 0)),
                other => return other,
            }
        }
        0
    }
}
