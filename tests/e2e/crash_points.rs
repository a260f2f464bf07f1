//! The process dies at each step of an upload, of the end of a file, of the change of an account, and a restart finds one of the two
//! legal states: as before the step that counts, or as after it (D2).

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::account::Account;
use crate::support::clock::{DAY, TestClock};
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, say, tree, wait_until};

/// What a restart finds of what was going on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    Before,
    After,
}
use Found::{After, Before};

/// An upload's points in their order. Whatever has its name is whole and synced, so it is adopted.
const UPLOAD: [(&str, Found); 10] = [
    ("admitted", Before),
    ("received", Before),
    ("synced", Before),
    ("folders-made", Before),
    ("published", After),
    ("folder-synced", After),
    ("sealed", After),
    ("row-written", After),
    ("row-committed", After),
    ("answering", After),
];
/// The points of a file's end. Its clients see none of them: it answers 404 before the first.
const REMOVAL: [&str; 7] = ["dooming", "doomed", "unlinked", "folder-removed", "removed", "ending", "ended"];
/// The points of a change of an account: its row, then the small copy.
const CHANGE: [(&str, Found); 5] =
    [("account-changing", Before), ("account-changed", After), ("copy-synced", After), ("copy-named", After), ("copy-kept", After)];

/// SIGABRT, as a point ends the process.
const ABORTED: i32 = 6;

#[test]
fn every_point_in_the_code_stands_in_a_table_here() {
    let mut named = BTreeSet::new();
    for path in tree::files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for (at, mark) in text.match_indices("fault_point::pass(\"") {
            let name = text[at + mark.len()..].split('"').next().expect("a split has a first part").to_owned();
            assert!(named.insert(name.clone()), "{name} stands at two places");
        }
    }
    let tables = UPLOAD.iter().map(|(point, _)| *point).chain(REMOVAL).chain(CHANGE.iter().map(|(point, _)| *point));
    let told: BTreeSet<String> = tables.map(str::to_owned).collect();
    assert_eq!(named, told);
    say(&format!("D2 points: {}", named.into_iter().collect::<Vec<_>>().join(" ")));
}

/// The running server is to die at a point; then it is started again without one.
#[track_caller]
fn dies_and_starts_again(server: &mut TestServer, point: &str) {
    let ended = server.await_end(SOON);
    assert_eq!(ended.signal(), Some(ABORTED), "{point} was reached: {ended:?}\n{}", server.log());
    server.set_faults(&[]);
    server.start_again();
}

fn blob_of(server: &TestServer, account: &Account, name: &str) -> Option<PathBuf> {
    server.blobs(account).into_iter().find(|path| path.display().to_string().contains(&format!("{name}@")))
}

#[test]
fn a_death_at_any_step_of_an_upload_leaves_it_whole_or_absent() {
    for (catalog, mut server) in ["SQLite", "PostgreSQL"].into_iter().zip(TestServer::each_catalog()) {
        let account = server.account();
        account.store("/kept", b"acknowledged");
        for (number, (point, found)) in UPLOAD.into_iter().enumerate() {
            let (name, bytes) = (format!("/{point}/file"), tree::bytes(number as u64 + 1, 1_500_000));
            server.stop();
            server.set_faults(&[(point, "return")]);
            // Reconciliation would adopt an upload between its name and its row, and the row would never be written.
            let reconciled = |server: &TestServer| server.log().matches("rows and blobs were reconciled").count();
            let before = reconciled(&server);
            server.start_again();
            wait_until("rows and blobs were reconciled", SOON, || reconciled(&server) > before);
            let mut raw = Raw::connect(&server);
            let basic = account.basic();
            raw.send(format!(
                "PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {}\r\n\r\n",
                bytes.len()
            ));
            raw.send(&bytes);
            let answer = raw.answer(SOON);
            assert!(answer.is_none(), "{point}: {answer:?}");
            dies_and_starts_again(&mut server, point);
            wait_until("staging is empty again", SOON, || server.staging_files().is_empty());
            match found {
                After => wait_until("what has its name is served", SOON, || account.get(&name).status() == 200),
                Before => {
                    account.get(&name).expect(404);
                    assert_eq!(blob_of(&server, &account, &name), None, "{point}");
                    account.store(&name, &bytes);
                }
            }
            account.expect_file(&name, &bytes);
            account.put(&name, b"other").expect(405);
            server.expect_blob(&account, &name, &bytes);
        }
        account.expect_file("/kept", b"acknowledged");
        assert_eq!(account.names().len(), UPLOAD.len() + 1);
        server.run(&["check"]).expect_exit(0);
        figure("D2", &format!("PUT, {catalog}"), &format!("{} points, each hit, 0 files torn or lost", UPLOAD.len()), None);
    }
}

#[test]
fn a_death_at_any_step_of_a_files_end_ends_it_once() {
    let clock = TestClock::new();
    for (catalog, mut server) in ["SQLite", "PostgreSQL"].into_iter().zip(Setup::new().clock(&clock).each_catalog()) {
        let account = server.account();
        let mut before: Option<String> = None;
        for point in REMOVAL {
            let (due, young) = (format!("/{point}/due/file"), format!("/{point}/young"));
            account.store(&due, b"due");
            clock.advance(20 * DAY);
            account.store(&young, b"young");
            // Nothing but this round's file is due when the server starts with its fault.
            if let Some(before) = before.replace(young.clone()) {
                let ended = || server.run(&["account", "show", &account.user, "--ended"]).expect_exit(0).out;
                wait_until("the round before has ended", SOON, || ended().contains(&before));
            }
            server.stop();
            server.set_faults(&[(point, "return")]);
            server.start_again();
            clock.advance(12 * DAY);
            dies_and_starts_again(&mut server, point);
            account.get(&due).expect(404);
            account.expect_file(&young, b"young");
            wait_until("the bytes and their folder go", SOON, || {
                blob_of(&server, &account, &due).is_none() && !server.data().join(format!("blobs/{}/{point}/due", account.user)).exists()
            });
            wait_until("the name is free", SOON, || account.put(&due, b"again").status() == 201);
            account.expect_file(&due, b"again");
            let shown = server.run(&["account", "show", &account.user, "--ended"]).expect_exit(0).out;
            assert_eq!(shown.matches(&due).count(), 1, "its end is remembered once: {shown}");
        }
        server.run(&["check"]).expect_exit(0);
        figure("D2", &format!("expiry, {catalog}"), &format!("{} points, each hit, each file ended once, no other", REMOVAL.len()), None);
    }
}

/// The names of the small copies.
fn copies(server: &TestServer) -> BTreeSet<PathBuf> {
    tree::files_below(&server.data().join("blobs/.control")).into_iter().collect()
}

/// Runs a command that is to die at `point`; then the server starts again, writes its copy, and loses its catalog.
fn change_and_die(server: &mut TestServer, arguments: &[&str], point: &str, judge: impl Fn(&str)) {
    let output = server
        .command()
        .args(arguments)
        .arg("--data")
        .arg(server.data())
        .env("FAILPOINTS", format!("{point}=return"))
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.signal(), Some(ABORTED), "{point} was reached: {output:?}");
    judge("at once");
    let before = copies(server);
    server.restart();
    judge("after a restart");
    wait_until("the server writes a copy of what is so", SOON, || copies(server).difference(&before).next().is_some());
    server.stop();
    for part in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        // One that is not there is lost already.
        let _ = std::fs::remove_file(server.data().join(part));
    }
    server.run(&["catalog", "rebuild"]).expect_exit(0);
    server.start_again();
    judge("after a rebuild from the copies");
}

#[test]
fn a_death_at_any_step_of_disabling_leaves_the_account_open_or_closed_for_good() {
    let mut server = TestServer::start();
    let account = server.account();
    account.store("/a", b"kept");
    for (point, found) in CHANGE {
        let status = if found == Before { 200 } else { 403 };
        let user = account.user.clone();
        change_and_die(&mut server, &["account", "disable", &user, "--reason", "lost laptop"], point, |when| {
            assert_eq!(account.get("/a").status(), status, "{point}, {when}");
        });
        server.run(&["account", "enable", &user]).expect_exit(0);
        account.expect_file("/a", b"kept");
    }
    figure("D2", "account disable", &format!("{} points, each hit, 0 states but the two", CHANGE.len()), None);
}

#[test]
fn a_death_at_any_step_of_a_rotation_leaves_the_old_password_or_ends_it_for_good() {
    let mut server = TestServer::start();
    let mut account = server.account();
    account.store("/a", b"kept");
    for (point, found) in CHANGE {
        let status = if found == Before { 200 } else { 401 };
        let user = account.user.clone();
        change_and_die(&mut server, &["account", "rotate", &user], point, |when| {
            assert_eq!(account.get("/a").status(), status, "{point}, {when}");
        });
        let rotated = server.run(&["account", "rotate", &user]).expect_exit(0);
        account = Account::from_access_url(server.site(), rotated.out.trim()).expect("an access URL");
        account.expect_file("/a", b"kept");
    }
    figure("D2", "rotation", &format!("{} points, each hit, 0 states but the two", CHANGE.len()), None);
}
