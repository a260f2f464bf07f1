//! Flat cost: memory per transfer is bounded, and a million files slow nothing down.

use std::time::{Duration, Instant};

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{Raised, SOON, is_nightly, skip_nightly, tree, wait_until};

const MIB: u64 = 1 << 20;
const TRANSFERS: u64 = 32;

/// One line of the server's memory: `VmRSS` is what is resident now, `VmHWM` the most since [`forget_peak`].
fn memory_bytes(server: &TestServer, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the server runs");
    let value = status.lines().find_map(|told| told.strip_prefix(line)?.strip_prefix(':')).expect("its memory is told");
    value.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).expect("a number of KiB") * 1024
}

/// By how much the server's memory grows at most while `work` is done (proc(5): clear_refs 5 makes the peak what is resident now).
fn growth_bytes(server: &TestServer, work: impl FnOnce()) -> u64 {
    std::fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").expect("the owner of a process may");
    let before = memory_bytes(server, "VmRSS");
    work();
    memory_bytes(server, "VmHWM").saturating_sub(before)
}

fn head(method: &str, account: &Account, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n{headers}\r\n", account.basic())
}

/// All at once: uploads that advance step by step, then as fast as they go; downloads that stand still, then as fast as they go.
#[test]
fn memory_of_an_upload_and_of_a_download_is_bounded() {
    const LENGTH: usize = 96 << 20;
    let server = TestServer::start();
    let account = server.account();
    let bytes = tree::bytes(1, LENGTH);
    account.store("/warm", &bytes);
    account.expect_file("/warm", &bytes);
    let upload_bytes = growth_bytes(&server, || {
        let mut uploads: Vec<Raw> = (0..TRANSFERS).map(|_| Raw::connect(&server)).collect();
        for (number, raw) in uploads.iter_mut().enumerate() {
            raw.send(head("PUT", &account, &format!("/up/{number}"), &format!("Content-Length: {LENGTH}\r\n")));
        }
        let (in_step, at_once) = bytes.split_at(LENGTH / 4);
        for part in in_step.chunks(4 << 20).chain([at_once]) {
            std::thread::scope(|scope| {
                for raw in &mut uploads {
                    scope.spawn(|| {
                        raw.send(part);
                    });
                }
            });
        }
        for raw in &mut uploads {
            assert_eq!(raw.answer(Duration::from_secs(60)).map(|answer| answer.head.status), Some(201));
        }
    }) / TRANSFERS;
    let download_bytes = growth_bytes(&server, || {
        let mut downloads: Vec<Raw> = (0..TRANSFERS).map(|_| Raw::connect(&server)).collect();
        for raw in &mut downloads {
            raw.send(head("GET", &account, "/warm", ""));
            assert_eq!(raw.head(SOON).map(|head| head.status), Some(200));
            assert!(raw.take(100_000, SOON).is_some());
        }
        std::thread::scope(|scope| {
            for raw in &mut downloads {
                scope.spawn(|| assert_eq!(raw.skip(LENGTH - 100_000, Duration::from_secs(60)), LENGTH - 100_000));
            }
        });
    }) / TRANSFERS;
    let text = format!("{TRANSFERS} at once: {upload_bytes} bytes of memory an upload, {download_bytes} a download");
    figure("D13", "memory per transfer", &text, None);
    assert!(upload_bytes < 2 * MIB && download_bytes < 2 * MIB, "{upload_bytes} {download_bytes}");
}

/// The same at the size of the largest file: all at once, each at its own pace, from and to nowhere.
#[test]
fn memory_of_32_transfers_of_5_gib_is_bounded() {
    if !is_nightly() {
        return skip_nightly("32 uploads and downloads of 5 GiB at once");
    }
    const LARGEST: u64 = 5 << 30;
    const LONG: Duration = Duration::from_secs(600);
    let server = Setup::new().set("progress_seconds", 600).start();
    let account = server.account();
    // What a first transfer brings into memory, code above all, is no transfer's own: on a small disk there is one upload to divide it by.
    let warm = tree::bytes(1, 4 << 20);
    account.store("/warm", &warm);
    account.expect_file("/warm", &warm);
    let free = rustix::fs::statvfs(server.data()).map(|state| state.f_bavail * state.f_frsize).expect("the disk is there");
    // What is in flight at once has to fit on the disk; it is never all of it.
    let uploads = TRANSFERS.min(free / 2 / LARGEST).max(1);
    let zeros = vec![0; MIB as usize];
    let upload = |number: u64| {
        let mut raw = Raw::connect(&server);
        raw.send(head("PUT", &account, &format!("/{number}"), &format!("Content-Length: {LARGEST}\r\n")));
        for _ in 0..LARGEST / MIB {
            raw.send(&zeros);
        }
        assert_eq!(raw.answer(LONG).map(|answer| answer.head.status), Some(201));
    };
    let download = |number: u64| {
        let mut raw = Raw::connect(&server);
        raw.send(head("GET", &account, &format!("/{}", number % uploads), ""));
        assert_eq!(raw.head(SOON).map(|head| head.status), Some(200));
        assert_eq!(raw.skip(LARGEST as usize, LONG), LARGEST as usize);
    };
    let all_at_once = |count: u64, transfer: &(dyn Fn(u64) + Sync)| {
        std::thread::scope(|scope| (0..count).for_each(|number| drop(scope.spawn(move || transfer(number)))));
    };
    let upload_bytes = growth_bytes(&server, || all_at_once(uploads, &upload)) / uploads;
    let download_bytes = growth_bytes(&server, || all_at_once(TRANSFERS, &download)) / TRANSFERS;
    let text = format!("{uploads} uploads and {TRANSFERS} downloads at once: {upload_bytes} and {download_bytes} bytes of memory each");
    figure("D32", "memory of transfers of 5 GiB", &text, None);
    assert!(upload_bytes < 2 * MIB && download_bytes < 2 * MIB, "{text}");
}

/// Uploads `count` files of one byte below `prefix`, on several connections at once.
fn put_small_files(server: &TestServer, account: &Account, prefix: &str, count: u64) {
    const CLIENTS: u64 = 16;
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                let mut raw = Raw::connect(server);
                for number in (client..count).step_by(usize::try_from(CLIENTS).expect("small")) {
                    raw.send(head("PUT", account, &format!("{prefix}/{}/{number}", number % 100), "Content-Length: 1\r\n")).send(b"x");
                    assert_eq!(raw.answer(SOON).map(|answer| answer.head.status), Some(201), "{prefix}/{number}");
                }
            });
        }
    });
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
    let warm = memory_bytes(&server, "VmRSS");
    let mut most = warm;
    while let Some(part) = raw.take(1 << 20, Duration::from_secs(60)) {
        lines += part.iter().filter(|byte| **byte == b'\n').count();
        most = most.max(memory_bytes(&server, "VmRSS"));
    }
    lines += raw.until_closed(SOON).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
    let whole = asked.elapsed();
    let growth = most.saturating_sub(warm);
    figure("D1", "start with 1,000,000 rows", &format!("first 200 after {first:.0?}"), None);
    let text = format!("{ROWS} files: first byte after {first_byte:.0?}, whole after {whole:.1?}, {growth} bytes more memory");
    figure("D32", "list", &text, None);
    assert!(lines as i64 > ROWS, "{lines} lines");
    assert!(first < Duration::from_secs(1), "the first answer after {first:?}");
    assert!(first_byte < Duration::from_millis(200), "the first byte after {first_byte:?}");
    // Linear: a page that is looked for from the beginning each time takes a minute.
    assert!(whole < Duration::from_secs(40), "the whole list after {whole:?}");
    assert!(growth < 8 * MIB, "{growth} bytes more memory");
}

/// Puts packs straight into a vault's rows, while no server runs; every second was hidden since.
fn fill_vault(server: &TestServer, vault: &Account, packs: i64) {
    let catalog = rusqlite::Connection::open(server.data().join("catalog.db")).expect("the catalog opens");
    let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2 * ?1) \
        INSERT INTO files (random, account, name, state, size, sha256, change, created_at, kept_from, hidden_at, checked_at) \
        SELECT printf('%026d', i), ?2, CAST(printf('/data/%064x', (i * 7919) % 1000003) AS BLOB), iif(i % 2, 'live', 'hidden'), 1000, zeroblob(32), \
        i, created_at + i, kept_from, iif(i % 2, NULL, created_at + 10000000 + i), created_at FROM n JOIN \
        (SELECT created_at, kept_from FROM files WHERE account = ?2 LIMIT 1)";
    catalog.execute(insert, rusqlite::params![packs, vault.user]).expect("the rows are inserted");
    let names =
        "UPDATE files SET random = replace(replace(replace(replace(random, '0', 'a'), '1', 'b'), '8', 'c'), '9', 'd') WHERE account = ?1";
    catalog.execute(names, [&vault.user]).expect("the rows are named");
}

#[test]
fn a_list_of_200_000_packs_takes_less_than_a_second() {
    const PACKS: i64 = 200_000;
    let mut server = TestServer::start();
    // The rows have no blobs, as above.
    for part in ["damage", "missing", "reconcil", "blob"] {
        server.expect_error(part);
    }
    let vault = server.add_account(&["--kind", "vault"]);
    vault.curl(&["-X", "POST", "--data-binary", "x"], &format!("/keys/{}", tree::sha256(b"x"))).expect(200);
    server.stop();
    fill_vault(&server, &vault, PACKS);
    server.start_again();
    let mut seconds = Vec::new();
    for _ in 0..3 {
        let asked = Instant::now();
        let answer = vault.get_with("Accept: application/vnd.x.restic.rest.v2", "/data/");
        seconds.push(asked.elapsed());
        assert_eq!(answer.expect(200).text().matches("\"size\":1000").count(), usize::try_from(PACKS).expect("it fits"));
    }
    let best = seconds.iter().min().expect("three");
    figure("vault", "list", &format!("{PACKS} packs among as many hidden: {best:.2?}"), None);
    assert!(*best < Duration::from_secs(1), "{seconds:?}");
}

#[test]
fn a_slow_reader_of_a_long_list_holds_nothing() {
    let puts = if is_nightly() { 100_000 } else { 3_000 };
    // One connection to read by: a list that held it would let nobody else in.
    let mut server = Setup::new().set("catalog_readers", 1).start();
    for part in ["damage", "missing", "reconcil", "blob"] {
        server.expect_error(part);
    }
    let account = server.account();
    account.store("/sample", b"x");
    server.stop();
    fill_catalog(&server, &account, 100_000);
    server.start_again();
    let mut list = Raw::connect(&server);
    list.send(head("GET", &account, "/", ""));
    assert_eq!(list.head(SOON).map(|head| head.status), Some(200));
    let wal = server.data().join("catalog.db-wal");
    let (is_over, most) = (std::sync::atomic::AtomicBool::new(false), std::sync::atomic::AtomicU64::new(0));
    std::thread::scope(|scope| {
        let (is_over, most, list) = (&is_over, &most, &mut list);
        scope.spawn(move || {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(list.take(1 << 10, SOON).is_some(), "the slow list is not cut");
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        scope.spawn(move || {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                let length = wal.metadata().map_or(0, |state| state.len());
                most.fetch_max(length, std::sync::atomic::Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let _over = Raised(is_over);
        put_small_files(&server, &account, "/put", puts);
        account.head("/sample").expect(200);
    });
    let most = most.into_inner();
    assert!(most < 16 * MIB, "the log of the catalog grew to {most} bytes");
    let text =
        format!("a list of 100,000 files read at 1 KiB/s beside {puts} uploads: log of the catalog at most {most} bytes, 1 reader enough");
    figure("D24d", "slow list reader", &text, None);
}

/// A file of zeros that takes no room on the disk.
fn sparse(folder: &std::path::Path, length: u64) -> std::path::PathBuf {
    let path = folder.join(length.to_string());
    std::fs::File::create(&path).and_then(|file| file.set_len(length)).expect("a sparse file is made");
    path
}

#[test]
fn the_largest_file_and_a_hundred_thousand_of_the_smallest_are_stored() {
    if !is_nightly() {
        return skip_nightly("5 GiB and 100,000 files");
    }
    const LARGEST: u64 = 5_368_709_120;
    let server = TestServer::start();
    let account = server.account();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let too_long = account.put_file(&["--max-time", "900"], "/too-long", &sparse(folder.path(), LARGEST + 1));
    too_long.expect(413);
    assert_eq!(too_long.sent_bytes, 0, "no byte of the body was asked for");
    let before = memory_bytes(&server, "VmRSS");
    account.put_file(&["--max-time", "900"], "/largest", &sparse(folder.path(), LARGEST)).expect(201);
    let growth = memory_bytes(&server, "VmRSS").saturating_sub(before);
    assert!(growth < 8 * MIB, "{growth} bytes more memory");
    let url = account.url("/largest");
    let got = std::process::Command::new("curl").args(["-q", "-sS", "-o", "/dev/null", "-w", "%{size_download}", &url]).output();
    assert_eq!(String::from_utf8_lossy(&got.expect("curl runs").stdout), LARGEST.to_string());
    account.store("/empty", b"");
    put_small_files(&server, &account, "/tiny", 100_000);
    assert_eq!(account.list().len(), 100_002);
    wait_until("staging is empty", SOON, || server.staging_files().is_empty());
    let text = format!("5,368,709,120 bytes: 201 with {growth} bytes more memory; one more: 413 before any; 0 B, 100,000 × 1 B: 201");
    figure("D32", "huge and tiny", &text, None);
}
