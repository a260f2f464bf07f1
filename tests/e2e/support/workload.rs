//! Many clients at work, and what each of them may rely on afterwards.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::account::Account;
use super::clock::{DAY, TestClock};
use super::raw::Raw;
use super::server::TestServer;
use super::{SOON, is_nightly, tree, wait_until};

const CLIENTS: u64 = 8;
const FILES_EACH: u64 = 10;
const SIZES: [usize; 6] = [0, 1, 4 << 10, 100_000, 4097, 1 << 20];
/// Files whose life ends while the others are sent.
const MORTAL_FILES: u64 = 20;

/// What clients tried, and what was acknowledged to them at which position of whatever counts what reached the disk.
pub struct Workload {
    pub account: Account,
    pub clock: TestClock,
    /// From here on the store and its account are acknowledged.
    pub begin: usize,
    /// Seed and length of the bytes of each name.
    pub tried: BTreeMap<String, (u64, usize)>,
    pub kept: BTreeMap<String, usize>,
    pub accounts: Vec<(String, usize)>,
    /// When the life of the mortal files ended.
    pub ended: Option<usize>,
}

impl Workload {
    /// Nothing was tried yet.
    pub fn of(account: Account, clock: TestClock) -> Self {
        Self { account, clock, begin: 0, tried: BTreeMap::new(), kept: BTreeMap::new(), accounts: Vec::new(), ended: None }
    }

    /// The bytes that were sent, or were to be sent, under this name.
    pub fn bytes_of(&self, name: &str) -> Vec<u8> {
        let (seed, length) = self.tried[name];
        tree::bytes(seed, length)
    }

    /// Files of many sizes from several clients at once, in folders of their own and in shared ones, and a new account; at night the
    /// lives of some files end meanwhile. `server` runs by `clock`, and its first start is a moment ago.
    pub fn run(server: &TestServer, clock: TestClock, position: impl Fn() -> usize + Sync) -> Self {
        let account = server.account();
        let work = Mutex::new(Self { begin: position(), ..Self::of(account.clone(), clock) });
        let clients = Clients { work: &work, account: &account, port: server.port(), position: &position };
        if is_nightly() {
            clients.put_mortals();
        }
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let clients = &clients;
                scope.spawn(move || clients.put_all_of(client));
            }
            let added = server.add_account(&[]);
            work.lock().expect("no client panics").accounts.push((added.user, position()));
        });
        if is_nightly() {
            let folder = server.data().join("blobs").join(&account.user).join("mortal");
            wait_until("files at the end of their life are removed", 2 * SOON, || !folder.exists());
        }
        work.into_inner().expect("no client panicked")
    }

    /// Whether this file must be served after a cut at `at`.
    pub fn must_serve(&self, name: &str, at: usize) -> bool {
        self.is_kept(name, at) && (self.ended.is_none() || !is_mortal(name))
    }

    /// Whether this file was acknowledged before `at`.
    pub fn is_kept(&self, name: &str, at: usize) -> bool {
        self.kept.get(name).is_some_and(|position| *position <= at)
    }

    /// Whether it must have a row after a cut at `at`: files that have expired have one until they are removed.
    pub fn must_have_row(&self, name: &str, at: usize) -> bool {
        self.is_kept(name, at) && (self.ended.is_none_or(|ended| at <= ended) || !is_mortal(name))
    }
}

fn is_mortal(name: &str) -> bool {
    name.starts_with("/mortal/")
}

struct Clients<'a, P> {
    work: &'a Mutex<Workload>,
    account: &'a Account,
    port: u16,
    position: &'a P,
}

impl<P: Fn() -> usize> Clients<'_, P> {
    fn put_mortals(&self) {
        let mut raw = Raw::connect_port(self.port);
        for number in 0..MORTAL_FILES {
            self.put(&mut raw, format!("/mortal/{}/{number}", number % 4), 7000 + number, 5000);
        }
        let mut work = self.work.lock().expect("no client panics");
        work.ended = Some((self.position)());
        work.clock.advance(32 * DAY);
    }

    fn put_all_of(&self, client: u64) {
        let mut raw = Raw::connect_port(self.port);
        for turn in 0..FILES_EACH {
            let length = SIZES[usize::try_from((client + turn) % SIZES.len() as u64).expect("small")];
            let name = if turn % 2 == 0 { format!("/own-{client}/{turn}/file") } else { format!("/shared/{turn}/{client}") };
            self.put(&mut raw, name, client * 100 + turn + 1, length);
        }
    }

    fn put(&self, raw: &mut Raw, name: String, seed: u64, length: usize) {
        self.work.lock().expect("no client panics").tried.insert(name.clone(), (seed, length));
        let basic = self.account.basic();
        let head = format!("PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {length}\r\n\r\n");
        raw.send([head.as_bytes(), &tree::bytes(seed, length)].concat());
        let answer = raw.answer(SOON).expect("the server answers");
        let position = (self.position)();
        assert_eq!(answer.head.status, 201, "{name}");
        self.work.lock().expect("no client panics").kept.insert(name, position);
    }
}
