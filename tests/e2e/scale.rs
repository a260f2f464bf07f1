//! Flat cost: memory per transfer is bounded, and a million files slow nothing down.

use std::time::{Duration, Instant};

use crate::support::account::Account;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, say, tree};

const MIB: u64 = 1 << 20;
const TRANSFERS: u64 = 32;

/// Resident memory of the server now.
fn resident_bytes(server: &TestServer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the server runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory is told");
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number of KiB") * 1024
}

fn head(method: &str, account: &Account, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n{headers}\r\n", account.basic())
}

#[test]
fn memory_of_an_upload_and_of_a_download_is_bounded() {
    let server = TestServer::start();
    let account = server.account();
    let bytes = tree::bytes(1, 24 * MIB as usize);
    account.store("/warm", &bytes);
    account.expect_file("/warm", &bytes);
    let before = resident_bytes(&server);
    let mut uploads: Vec<Raw> = (0..TRANSFERS).map(|_| Raw::connect(&server)).collect();
    for (number, raw) in uploads.iter_mut().enumerate() {
        raw.send(head("PUT", &account, &format!("/up/{number}"), &format!("Content-Length: {}\r\n", bytes.len())));
    }
    let mut most = before;
    for part in bytes.chunks(4 * MIB as usize) {
        std::thread::scope(|scope| {
            for raw in &mut uploads {
                scope.spawn(|| {
                    raw.send(part);
                });
            }
        });
        most = most.max(resident_bytes(&server));
    }
    for raw in &mut uploads {
        assert_eq!(raw.answer(Duration::from_secs(60)).map(|answer| answer.head.status), Some(201));
    }
    let upload_bytes = (most - before) / TRANSFERS;
    drop(uploads);

    let before = resident_bytes(&server);
    let mut downloads: Vec<Raw> = (0..TRANSFERS).map(|_| Raw::connect(&server)).collect();
    let mut most = before;
    for raw in &mut downloads {
        raw.send(head("GET", &account, "/warm", ""));
        assert_eq!(raw.head(SOON).map(|head| head.status), Some(200));
        assert!(raw.take(100_000, SOON).is_some());
        most = most.max(resident_bytes(&server));
    }
    for raw in &mut downloads {
        assert!(raw.take(bytes.len() - 100_000, SOON).is_some());
        most = most.max(resident_bytes(&server));
    }
    let download_bytes = most.saturating_sub(before) / TRANSFERS;
    say(&format!("{TRANSFERS} at once: {upload_bytes} bytes of memory an upload, {download_bytes} a download"));
    assert!(upload_bytes < 2 * MIB && download_bytes < 2 * MIB, "{upload_bytes} {download_bytes}");
}

/// The same at the size of the largest file: all at once, each at its own pace, from and to nowhere.
#[test]
fn memory_of_32_transfers_of_5_gib_is_bounded() {
    if !crate::support::is_nightly() {
        return crate::support::skip_nightly("32 uploads and downloads of 5 GiB at once");
    }
    const LARGEST: u64 = 5 << 30;
    let server = Setup::new().set("progress_seconds", 600).start();
    let account = server.account();
    let free = rustix::fs::statvfs(server.data()).map(|state| state.f_bavail * state.f_frsize).expect("the disk is there");
    // What is in flight at once has to fit on the disk; it is never all of it.
    let uploads = TRANSFERS.min(free / 2 / LARGEST).max(1);
    let before = resident_bytes(&server);
    let most = std::sync::atomic::AtomicU64::new(before);
    let watch = || most.fetch_max(resident_bytes(&server), std::sync::atomic::Ordering::Relaxed);
    let zeros = vec![0; MIB as usize];
    std::thread::scope(|scope| {
        for number in 0..uploads {
            let (account, server, zeros, watch) = (&account, &server, &zeros, &watch);
            scope.spawn(move || {
                let mut raw = Raw::connect(server);
                raw.send(head("PUT", account, &format!("/{number}"), &format!("Content-Length: {LARGEST}\r\n")));
                for part in 0..LARGEST / MIB {
                    raw.send(zeros);
                    if part % 256 == 0 {
                        watch();
                    }
                }
                assert_eq!(raw.answer(Duration::from_secs(600)).map(|answer| answer.head.status), Some(201));
            });
        }
    });
    let upload_bytes = (most.load(std::sync::atomic::Ordering::Relaxed) - before) / uploads;
    let before = resident_bytes(&server);
    most.store(before, std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        for number in 0..TRANSFERS {
            let (account, server, watch) = (&account, &server, &watch);
            scope.spawn(move || {
                let mut raw = Raw::connect(server);
                raw.send(head("GET", account, &format!("/{}", number % uploads), ""));
                assert_eq!(raw.head(SOON).map(|head| head.status), Some(200));
                for part in 0..LARGEST / MIB {
                    assert!(raw.take(MIB as usize, Duration::from_secs(600)).is_some());
                    if part % 256 == 0 {
                        watch();
                    }
                }
            });
        }
    });
    let download_bytes = most.load(std::sync::atomic::Ordering::Relaxed).saturating_sub(before) / TRANSFERS;
    let text = format!("{uploads} uploads and {TRANSFERS} downloads at once: {upload_bytes} and {download_bytes} bytes of memory each");
    crate::support::figure::figure("D32", "memory of transfers of 5 GiB", &text, None);
    assert!(upload_bytes < 2 * MIB && download_bytes < 2 * MIB, "{text}");
}

/// Puts a million rows straight into the catalog, while no server runs.
fn fill_catalog(server: &TestServer, account: &Account, rows: i64) {
    let mut catalog = rusqlite::Connection::open(server.data().join("catalog.db")).expect("the catalog opens");
    catalog.execute_batch("PRAGMA synchronous = OFF;").expect("a pragma");
    let transaction = catalog.transaction().expect("a transaction");
    let sample: (i64, i64, i64) = transaction
        .query_row("SELECT created_at, kept_from, expires_at FROM files WHERE account = ?1", [&account.user], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .expect("the account holds a file");
    let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
        INSERT INTO files (random, account, name, state, size, sha256, change, created_at, kept_from, expires_at, checked_at) \
        SELECT replace(replace(replace(replace('a' || substr('0000000000000000000000000' || i, -25), '0', 'a'), '1', 'b'), '8', 'c'), '9', 'd'), ?2, \
        CAST('/' || substr('00000000' || i, -8) || '/a-file-with-a-usual-name.tar.gz' AS BLOB), \
        'live', 1000, zeroblob(32), i, ?3 + i, ?4, ?5, ?3 FROM n";
    transaction.execute(insert, rusqlite::params![rows, account.user, sample.0, sample.1, sample.2]).expect("the rows are inserted");
    transaction.commit().expect("the commit");
}

/// A limit is a page of at most a thousand, whose end is known from one read: what it costs does not follow what was asked for.
fn expect_a_page(account: &Account) {
    for limit in ["1000", "1001", "999999999"] {
        let asked = Instant::now();
        let answer = account.get(&format!("/?limit={limit}"));
        let files = crate::support::account::listed(answer.expect(200));
        assert_eq!(files.len(), 1000, "limit={limit}");
        let last = &files[999].name;
        answer.expect_header("link", &format!("</?after={last}&limit={limit}>; rel=\"next\""));
        assert!(asked.elapsed() < Duration::from_secs(2), "limit={limit}: {:?}", asked.elapsed());
    }
}

#[test]
fn a_million_files_slow_nothing_down() {
    const ROWS: i64 = 1_000_000;
    let mut server = TestServer::start();
    // The rows have no blobs: reconciliation says so, and that is not what this test is about.
    for part in ["damage", "missing", "reconcil", "blob"] {
        server.expect_error(part);
    }
    let account = server.account();
    account.store("/sample", b"x");
    server.stop();
    fill_catalog(&server, &account, ROWS);
    let began = Instant::now();
    server.start_again();
    account.head("/sample").expect(200);
    let first = began.elapsed();
    let mut raw = Raw::connect(&server);
    let asked = Instant::now();
    raw.send(head("GET", &account, "/", "Connection: close\r\n"));
    assert_eq!(raw.head(SOON).map(|head| head.status), Some(200));
    assert!(raw.take(100, SOON).is_some());
    let first_byte = asked.elapsed();
    expect_a_page(&account);
    // A small part of the list first, so that caches are warm: what grows from here on would grow with the number of files.
    let beginning = raw.take(16 << 20, SOON).expect("the beginning of the list");
    let mut lines = beginning.iter().filter(|byte| **byte == b'\n').count();
    let warm = resident_bytes(&server);
    let mut most = warm;
    while let Some(part) = raw.take(1 << 20, Duration::from_secs(60)) {
        lines += part.iter().filter(|byte| **byte == b'\n').count();
        most = most.max(resident_bytes(&server));
    }
    lines += raw.until_closed(SOON).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
    let whole = asked.elapsed();
    let growth = most.saturating_sub(warm);
    say(&format!(
        "{ROWS} files: first answer {first:?}, first byte of the list {first_byte:?}, whole {whole:?}, {growth} bytes more memory"
    ));
    assert!(lines as i64 > ROWS, "{lines} lines");
    assert!(first < Duration::from_secs(1), "the first answer after {first:?}");
    assert!(first_byte < Duration::from_millis(200), "the first byte after {first_byte:?}");
    // Linear: a page that is looked for from the beginning each time takes a minute.
    assert!(whole < Duration::from_secs(40), "the whole list after {whole:?}");
    assert!(growth < 8 * MIB, "{growth} bytes more memory");
}
