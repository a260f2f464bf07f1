//! Bytes that changed on the disk: each harm is found by whoever downloads, and by the scrub when nobody does; nothing that is whole is
//! called damaged (D8).

use std::collections::BTreeSet;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::support::account::Account;
use crate::support::clock::{DAY, TestClock};
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree::random;
use crate::support::{SOON, is_nightly, program, skip, tree, wait_until};

/// Long enough for any scrub here.
const LONG: std::time::Duration = std::time::Duration::from_secs(300);
const KINDS: [&str; 9] =
    ["flipped bit", "cut", "longer", "zeroed block", "swapped", "older copy", "deleted", "mode 000", "folder in its place"];

/// Does one kind of harm to `blob`; `other` is a good blob of the same size, which a swap harms, too.
fn harm(kind: &str, blob: &Path, other: &Path, seed: &mut u64) {
    let length = blob.metadata().expect("the blob is there").len();
    let open = || std::fs::File::options().read(true).write(true).open(blob).expect("the blob is opened");
    let done = match kind {
        "flipped bit" => {
            let (mut byte, at) = ([0], random(seed, length));
            open().read_exact_at(&mut byte, at).expect("a byte is read");
            open().write_all_at(&[byte[0] ^ (1 << random(seed, 8))], at)
        }
        "cut" => open().set_len(random(seed, length)),
        "longer" => open().set_len(length + 1 + random(seed, 5_000)),
        "zeroed block" => open().write_all_at(&[0; 512], random(seed, length - 512)),
        "swapped" => {
            let aside = blob.with_extension("aside");
            let moved = std::fs::rename(blob, &aside).and_then(|()| std::fs::rename(other, blob));
            moved.and_then(|()| std::fs::rename(&aside, other))
        }
        "older copy" => std::fs::write(blob, tree::bytes(random(seed, u64::MAX), usize::try_from(length).expect("small"))),
        "deleted" => std::fs::remove_file(blob),
        "mode 000" => std::fs::set_permissions(blob, std::fs::Permissions::from_mode(0o000)),
        _ => std::fs::remove_file(blob).and_then(|()| std::fs::create_dir(blob)),
    };
    done.unwrap_or_else(|error| panic!("{kind}: {error}"));
}

fn request(account: &Account, method: &str, name: &str, headers: &str) -> String {
    format!("{method} {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n{headers}\r\n", account.basic())
}

fn store(raw: &mut Raw, account: &Account, name: &str, bytes: &[u8]) {
    raw.send(request(account, "PUT", name, &format!("Content-Length: {}\r\n", bytes.len()))).send(bytes);
    assert_eq!(raw.answer(SOON).map(|answer| answer.head.status), Some(201), "{name}");
}

/// The whole body of a 200; `None` for any other status and for a transfer that broke.
fn download(server: &TestServer, account: &Account, name: &str) -> Option<Vec<u8>> {
    let mut raw = Raw::connect(server);
    raw.send(request(account, "GET", name, ""));
    raw.answer(SOON).filter(|answer| answer.head.status == 200).map(|answer| answer.body)
}

/// Names below `prefix`: those that are whole and those that are to be harmed, with the seeds of their bytes.
struct Files {
    good: Vec<(String, u64)>,
    harmed: Vec<(String, u64)>,
    length: usize,
}

impl Files {
    fn store(server: &TestServer, account: &Account, prefix: &str, good: u64, harmed: u64, length: usize) -> Self {
        let mut raw = Raw::connect(server);
        let mut put = |kind: &str, number: u64| {
            let (name, seed) = (format!("{prefix}/{kind}/{number}"), number * 2 + u64::from(kind == "good") + 1);
            store(&mut raw, account, &name, &tree::bytes(seed, length));
            (name, seed)
        };
        let harmed = (0..harmed).map(|number| put("harmed", number)).collect();
        Self { good: (0..good).map(|number| put("good", number)).collect(), harmed, length }
    }

    /// Harms them, the kinds one after the other; a swap takes two at once.
    fn harm(&self, blobs: &[PathBuf], user: &str, seed: &mut u64) {
        let find = |name: &str| -> PathBuf {
            let start = format!("{user}{name}@");
            blobs.iter().find(|path| path.display().to_string().contains(&start)).expect("it has a blob").clone()
        };
        let mut left = self.harmed.iter();
        for kind in KINDS.iter().cycle() {
            let Some((name, _)) = left.next() else { return };
            match left.clone().next() {
                Some((other, _)) if *kind == "swapped" => {
                    left.next();
                    harm(kind, &find(name), &find(other), seed);
                }
                None if *kind == "swapped" => harm("deleted", &find(name), Path::new(""), seed),
                _ => harm(kind, &find(name), Path::new(""), seed),
            }
        }
    }

    fn names(files: &[(String, u64)]) -> BTreeSet<String> {
        files.iter().map(|(name, _)| name.clone()).collect()
    }
}

fn marked(account: &Account, prefix: &str) -> BTreeSet<String> {
    let list = account.list().into_iter();
    list.filter(|file| file.damaged && file.name.starts_with(prefix)).map(|file| file.name).collect()
}

#[test]
fn every_damage_is_found_on_download_and_by_the_scrub_and_nothing_else_is() {
    if program(&["setpriv"]).is_none() {
        return skip("setpriv is not installed");
    }
    let mut seed = 0x5EED_0008;
    let first_seed = seed;
    let (harmed, good) = if is_nightly() { (1_000, 10_000) } else { (100, 200) };
    let clock = TestClock::new();
    // A server that may read everything, as root may, would not notice a file that nobody may read.
    let bounded = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];
    let mut server = Setup::new().clock(&clock).under(&bounded).start();
    server.expect_error("damage");
    let account = server.account();
    server.run(&["account", "set", &account.user, "--retention", "365"]).expect_exit(0);

    let read = Files::store(&server, &account, "/read", good / 2, harmed, 40_000);
    read.harm(&server.blobs(&account), &account.user, &mut seed);
    for (name, _) in &read.harmed {
        assert_eq!(download(&server, &account, name), None, "{name} is damaged and was served");
    }
    for (name, seed) in &read.good {
        assert!(download(&server, &account, name).as_deref() == Some(&tree::bytes(*seed, read.length)), "{name} is whole");
    }
    assert_eq!(marked(&account, "/read"), Files::names(&read.harmed), "the list says what the downloads found");

    let scrubbed = Files::store(&server, &account, "/scrubbed", good / 2, harmed, 3_000);
    scrubbed.harm(&server.blobs(&account), &account.user, &mut seed);
    clock.advance(40 * DAY);
    server.restart();
    wait_until("the scrub finds every damage", LONG, || marked(&account, "/scrubbed").len() == scrubbed.harmed.len());
    assert_eq!(marked(&account, "/"), &Files::names(&scrubbed.harmed) | &Files::names(&read.harmed), "no false alarm");
    // This one runs as a user who may read everything.
    let check = server.run(&["check"]).expect_exit(3);
    assert!(!format!("{}{}", check.out, check.complaint).contains("/good/"), "{check:?}");
    let text = format!(
        "{} damages of {} kinds: all found, half by GET, half by scrub; {good} whole files: 0 false alarms",
        2 * harmed,
        KINDS.len()
    );
    figure("D8", "GET, scrub, list", &text, Some(first_seed));
}
