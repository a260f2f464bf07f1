//! Judges from outside: after crashes, wget and `sha256sum` read everything back, and SQL is compared with the disk (D36).

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::tree::random;
use crate::support::{SOON, is_nightly, program, skip, tree, wait_until};

/// Uploads some files and kills the server in the middle of the last ones.
fn upload_and_crash(server: &mut TestServer, account: &Account, round: u64, seed: &mut u64) {
    let basic = account.basic();
    for number in 0..12 {
        let length = usize::try_from(random(seed, 200_000)).expect("small");
        let mut raw = Raw::connect(server);
        raw.send(format!(
            "PUT /{round}/{number} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {length}\r\n\r\n"
        ));
        raw.send(tree::bytes(random(seed, u64::MAX), length));
        if number < 10 {
            assert_eq!(raw.answer(SOON).map(|answer| answer.head.status), Some(201));
        }
    }
    server.kill();
    server.start_again();
    wait_until("rows and blobs agree", SOON, || server.staging_files().is_empty() && account.names().len() == server.blobs(account).len());
}

/// wget fetches every file of the list, and `sha256sum -c` judges.
fn wget_judges(account: &Account) -> usize {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = account.list();
    let urls: String = files.iter().map(|file| format!("{}\n", account.url(&file.name))).collect();
    let sums: String = files.iter().map(|file| format!("{}  .{}\n", file.sha256, file.name)).collect();
    std::fs::write(folder.path().join("urls"), urls).and_then(|()| std::fs::write(folder.path().join("sums"), sums)).expect("lists");
    let judge = |command: &mut Command| {
        let output = command.current_dir(folder.path()).stdin(Stdio::null()).output().expect("the judge runs");
        assert!(output.status.success(), "{output:?}");
    };
    judge(Command::new("wget").args(["-q", "-x", "-nH", "--auth-no-challenge", "-i", "urls"]));
    judge(Command::new("sha256sum").args(["--quiet", "--strict", "-c", "sums"]));
    files.len()
}

/// Each live row has its blob, of its size and under its digest, and each blob its row.
fn sql_judges(server: &TestServer, account: &Account) {
    let catalog = rusqlite::Connection::open(server.data().join("catalog.db")).expect("the catalog opens");
    let mut query = catalog.prepare("SELECT random, size, lower(hex(sha256)), state FROM files").expect("a query");
    let row =
        |row: &rusqlite::Row| Ok((row.get::<_, String>(0)?, (row.get::<_, i64>(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?)));
    let rows: BTreeMap<String, (i64, String, String)> = query.query_map([], row).expect("rows").map(|row| row.expect("a row")).collect();
    let mut blobs = BTreeMap::new();
    for path in server.blobs(account) {
        let key = path.display().to_string();
        let random = key.rsplit('-').next().expect("a key ends with its random part").to_owned();
        let (size, sha256, state) = rows.get(&random).unwrap_or_else(|| panic!("{key} has no row"));
        let bytes = std::fs::read(&path).expect("the blob is read");
        assert_eq!((&i64::try_from(bytes.len()).expect("small"), &tree::sha256(&bytes), state.as_str()), (size, sha256, "live"), "{key}");
        blobs.insert(random, ());
    }
    assert!(rows.keys().all(|random| blobs.contains_key(random)), "a row without its blob");
}

#[test]
fn outside_judges_find_nothing_wrong_after_crashes() {
    if ["wget", "sha256sum"].iter().any(|tool| program(&[tool]).is_none()) {
        return skip("wget and sha256sum are needed");
    }
    let mut server = TestServer::start();
    server.expect_error("did not end cleanly");
    let account = server.account();
    let rounds = if is_nightly() { 100 } else { 2 };
    let mut seed = 0x5EED_0036;
    let mut files = 0;
    for round in 0..rounds {
        upload_and_crash(&mut server, &account, round, &mut seed);
        files = wget_judges(&account);
        sql_judges(&server, &account);
    }
    let text =
        format!("{rounds} crashes, after each: wget of all + sha256sum -c, SQL ↔ blobs: {rounds}/{rounds} clean, {files} files in the end");
    figure("D36", "wget, sha256sum, SQL", &text, Some(0x5EED_0036));
}
