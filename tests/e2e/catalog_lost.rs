//! A catalog that is old, damaged or gone: the blobs bring everything back, and no start takes a full store for an empty one.

use std::path::Path;

use crate::support::account::{Account, Listed};
use crate::support::clock::{DAY, TestClock};
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, tree, wait_until};

const PARTS: [&str; 3] = ["catalog.db", "catalog.db-wal", "catalog.db-shm"];

/// A copy of the catalog's files while no server runs.
fn copy_catalog(data: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder is made");
    for part in PARTS {
        if data.join(part).exists() {
            std::fs::copy(data.join(part), to.join(part)).expect("a part of the catalog is copied");
        }
    }
}

fn remove_catalog(data: &Path) {
    for part in PARTS {
        if data.join(part).exists() {
            std::fs::remove_file(data.join(part)).expect("a part of the catalog is removed");
        }
    }
}

#[test]
fn yesterdays_catalog_under_todays_blobs_loses_nothing() {
    let mut server = TestServer::start();
    let account = server.account();
    for (later, restarts_between) in [(5, false), (100, true), (1_000, true)] {
        account.store(&format!("/before/{later}"), b"old");
        server.stop();
        let copy = server.home().join(format!("copy-{later}"));
        copy_catalog(&server.data(), &copy);
        server.start_again();
        let mut raw = Raw::connect(&server);
        for number in 0..later {
            put(&mut raw, &account, &format!("/{later}/{number}"), &tree::bytes(number, 5000));
            if restarts_between && number == later / 2 {
                server.restart();
                raw = Raw::connect(&server);
            }
        }
        drop(raw);
        let before = account.list();
        server.stop();
        remove_catalog(&server.data());
        copy_catalog(&copy, &server.data());
        server.start_again();
        wait_until("every blob is served again", SOON, || account.list() == before);
        for number in (0..later).step_by(1 + usize::try_from(later / 100).expect("small")) {
            account.expect_file(&format!("/{later}/{number}"), &tree::bytes(number, 5000));
        }
        server.await_log(&format!("adopted={later}"));
        assert_eq!(server.blobs(&account).len(), before.len(), "no blob was deleted");
        let from = if restarts_between { "an earlier start" } else { "the same start" };
        figure("D23", &format!("{later} later uploads"), &format!("catalog of {from}: {later} adopted, 0 blobs deleted, list equal"), None);
    }
}

fn put(raw: &mut Raw, account: &Account, name: &str, bytes: &[u8]) {
    let (basic, length) = (account.basic(), bytes.len());
    raw.send(format!("PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {length}\r\n\r\n"));
    assert_eq!(raw.send(bytes).answer(SOON).map(|answer| answer.head.status), Some(201), "{name}");
}

#[test]
fn accounts_made_after_the_old_catalog_come_back_with_their_files() {
    let mut server = TestServer::start();
    server.account().store("/a", b"x");
    server.stop();
    let copy = server.home().join("copy");
    copy_catalog(&server.data(), &copy);
    server.start_again();
    let younger = server.add_account(&["--retention", "200"]);
    younger.store("/b", b"y");
    let before = younger.list();
    server.stop();
    remove_catalog(&server.data());
    copy_catalog(&copy, &server.data());
    server.start_again();
    wait_until("the younger account is served again", SOON, || younger.get("/b").status() == 200);
    assert_eq!(younger.list(), before, "retention is never forgotten, not by an old catalog either");
}

/// Three accounts with files, a raised retention and a session; what a rebuild must bring back.
fn fill(server: &TestServer, clock: &TestClock) -> Vec<(Account, Vec<Listed>)> {
    let accounts = [server.account(), server.add_account(&["--retention", "90"]), server.add_account(&["--quota", "1 GiB"])];
    for (index, account) in accounts.iter().enumerate() {
        for (number, name) in ["/a", "/db/dump.sql", "/%C3%A9%20%40%25", "/.hidden/x"].iter().enumerate() {
            account.store(name, tree::bytes((index * 10 + number) as u64, 700_000 * number));
            clock.advance(DAY / 24);
        }
    }
    let long = format!("/{}", "x".repeat(600));
    accounts[0].store(&long, b"a long name");
    server.run(&["account", "set", &accounts[0].user, "--retention", "300"]).expect_exit(0);
    server.run(&["account", "set", &accounts[0].user, "--retention", "40"]).expect_exit(0);
    accounts.into_iter().map(|account| (account.clone(), account.list())).collect()
}

/// What happens to the file `catalog.db`.
type Harm = fn(&Path);

#[test]
fn a_lost_catalog_is_rebuilt_from_the_blobs_alone() {
    let harms: [(&str, Harm); 5] = [
        ("deleted", |_| {}),
        ("empty", |path| std::fs::write(path, b"").expect("a file is written")),
        ("zeroed", |path| std::fs::write(path, vec![0; 40_960]).expect("a file is written")),
        ("cut", |path| std::fs::write(path, b"SQLite format 3\0 and no more").expect("a file is written")),
        ("another program's", |path| {
            let other = rusqlite::Connection::open(path).expect("a database is made");
            other.execute_batch("CREATE TABLE files (a, b); INSERT INTO files VALUES (1, 2);").expect("it takes a table");
        }),
    ];
    let clock = TestClock::new();
    let mut server = Setup::new().clock(&clock).start();
    let before = fill(&server, &clock);
    let session = server.account().make_session();
    for (what, harm) in &harms {
        server.stop();
        remove_catalog(&server.data());
        harm(&server.data().join("catalog.db"));
        let refused = server.start_in_vain();
        assert_eq!(refused.exit, 1, "{what}: {refused:?}");
        assert!(refused.complaint.contains("catalog rebuild"), "{what}: the way out is named: {refused:?}");
        assert!(!refused.out.contains("Serving"), "{what}: {refused:?}");
        let rebuilt = server.run(&["catalog", "rebuild"]).expect_exit(0);
        assert!(format!("{}{}", rebuilt.out, rebuilt.complaint).contains("session"), "{what}: what is lost is said: {rebuilt:?}");
        server.start_again();
        for (account, files) in &before {
            assert_eq!(&account.list(), files, "{what}: identical name, size, times, SHA-256");
        }
        before[0].0.get("/db/dump.sql").expect(200).expect_body(&tree::bytes(1, 700_000));
        server.site().curl::<&str>(&[], &session).expect(404);
        before[0].0.put("/a", b"other").expect(405);
    }
    let files: usize = before.iter().map(|(_, files)| files.len()).sum();
    let text =
        format!("{} harms: each start refused, rebuild gives {files} of {files} files with equal name, size, times, SHA-256", harms.len());
    figure("D24", "catalog lost", &text, None);
}

#[test]
fn a_raised_retention_survives_a_lost_catalog() {
    let clock = TestClock::new();
    let mut server = Setup::new().clock(&clock).start();
    let account = server.account();
    account.store("/a", b"x");
    server.run(&["account", "set", &account.user, "--retention", "200"]).expect_exit(0);
    server.run(&["account", "set", &account.user, "--retention", "30"]).expect_exit(0);
    let before = account.list();
    assert_eq!(before[0].deletetime, Some(before[0].createtime + 200 * 86_400));
    server.kill();
    remove_catalog(&server.data());
    server.run(&["catalog", "rebuild"]).expect_exit(0);
    server.start_again();
    assert_eq!(account.list(), before);
    clock.advance(199 * DAY);
    account.expect_file("/a", b"x");
}

#[test]
fn a_copy_made_while_serving_is_a_catalog() {
    let mut server = TestServer::start();
    let account = server.account();
    account.store("/a", b"x");
    let copy = server.home().join("copy.db");
    server.run(&["catalog", "backup", &copy.display().to_string()]).expect_exit(0);
    let secret = std::fs::read(copy.with_file_name(format!("{}.vault-secret", copy.file_name().expect("a name").display())));
    assert!(secret.expect("it is copied, too") == std::fs::read(server.data().join("vault-secret")).expect("it is there"));
    account.store("/b", b"y");
    server.stop();
    remove_catalog(&server.data());
    std::fs::copy(&copy, server.data().join("catalog.db")).expect("the copy is put in place");
    server.start_again();
    account.expect_file("/a", b"x");
    wait_until("what came after the copy is adopted", SOON, || account.names() == ["/a", "/b"]);
}

#[test]
fn two_stores_are_not_mixed() {
    let (mut one, mut other) = (TestServer::start(), TestServer::start());
    one.account().store("/a", b"x");
    one.stop();
    other.stop();
    let mine = one.home().join("mine");
    copy_catalog(&one.data(), &mine);
    remove_catalog(&one.data());
    copy_catalog(&other.data(), &one.data());
    let refused = one.start_in_vain();
    assert_eq!(refused.exit, 1, "{refused:?}");
    let id = |server: &TestServer| std::fs::read_to_string(server.data().join("STORE")).expect("the STORE file is read");
    for store in [id(&one), id(&other)] {
        let named = store.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.len() == 26 && refused.complaint.contains(word));
        assert!(named, "both stores are named: {refused:?}");
    }
    remove_catalog(&one.data());
    copy_catalog(&mine, &one.data());
    one.start_again();
    one.account().expect_file("/a", b"x");
}

#[test]
fn check_finds_and_names_what_is_damaged() {
    for mut server in TestServer::each_catalog() {
        server.expect_error("damage");
        let account = server.account();
        for name in ["/good", "/flipped", "/lost"] {
            account.store(name, tree::bytes(1, 50_000));
        }
        server.run(&["check"]).expect_exit(0);
        let find = |part: &str| server.blobs(&account).into_iter().find(|path| path.display().to_string().contains(part)).expect("a blob");
        let mut bytes = std::fs::read(find("/flipped@")).expect("the blob is read");
        bytes[25_000] ^= 1;
        std::fs::write(find("/flipped@"), bytes).expect("the blob is harmed");
        std::fs::remove_file(find("/lost@")).expect("the blob is removed");
        let ran = server.run(&["check"]).expect_exit(3);
        let said = format!("{}{}", ran.out, ran.complaint);
        assert!(said.contains("/flipped") && said.contains("/lost") && !said.contains("/good"), "{said}");
        let quick = server.run(&["check", "--quick"]);
        assert_eq!(quick.exit, 3, "{quick:?}");
        let marked: Vec<String> = account.list().into_iter().filter(|file| file.damaged).map(|file| file.name).collect();
        assert_eq!(marked, ["/flipped", "/lost"]);
    }
}
