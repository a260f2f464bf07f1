//! Trees that change while they are backed up, and what nobody may read: everything else is saved, and what is not is named (A1).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::support::busy_tree::{BusyTree, mixture};
use crate::support::client::{Client, answer, below, failures, text};
use crate::support::figure::figure;
use crate::support::seen::seen;
use crate::support::{Raised, is_nightly, program, skip, tree};

const ENOENT: i64 = 2;
const EIO: i64 = 5;
const EACCES: i64 = 13;
const EMFILE: i64 = 24;

fn repository(home: &Path) -> Client {
    let client = Client::at(home.join("repository"));
    client.ok(&["init"]);
    client
}

/// What is busy is beside what is not: the still files must come back whatever happens to the others.
#[test]
fn a_file_that_changes_while_it_is_read_is_read_again_or_named() {
    let seed = 0x5EED_00A1;
    let (least_edits, least_runs) = if is_nightly() { (1_000, 60) } else { (60, 4) };
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = home.path().join("source");
    let client = repository(home.path());
    std::fs::create_dir_all(source.join("still")).expect("a folder is made");
    for number in 0..50 {
        std::fs::write(source.join("still").join(number.to_string()), tree::bytes(number, 20_000)).expect("a file is written");
    }
    let mut busy = BusyTree::plant(&source.join("busy"), seed);
    let (mut runs, mut named_in_all, mut restored_in_all) = (0, 0, 0);
    while busy.edits < least_edits || runs < least_runs {
        runs += 1;
        let stop = AtomicBool::new(false);
        let ran = std::thread::scope(|scope| {
            scope.spawn(|| busy.edit_until(&stop));
            let _ends = Raised(&stop);
            client.run(&["backup", text(&source)])
        });
        let report = answer(&ran);
        let failures = failures(&report);
        assert_eq!(ran.exit, if failures.is_empty() { 0 } else { 3 }, "{ran:?}");
        let named: BTreeSet<String> = failures.iter().map(|(path, _)| path.clone()).collect();
        assert!(named.iter().all(|path| path.starts_with(text(&source.join("busy")))), "{named:?}");
        for path in &named {
            assert!(ran.complaint.contains(path.as_str()), "a line names {path}: {}", ran.complaint);
        }
        let target = tempfile::tempdir_in(home.path()).expect("a temporary folder");
        let restored = client.restored(&source, target.path());
        assert_eq!(seen(&restored.join("still")), seen(&source.join("still")));
        for file in tree::files_below(&restored.join("busy")) {
            let original = source.join(file.strip_prefix(&restored).expect("it is below"));
            let mixture = mixture(&std::fs::read(&file).expect("it is read"));
            if let Some(why) = mixture.filter(|_| !named.contains(text(&original))) {
                panic!("run {runs}: {} is a mix, and nobody said so: {why}", original.display());
            }
            restored_in_all += 1;
        }
        named_in_all += named.len();
    }
    // Whatever was read in between, a later run saves the tree as it is.
    client.backup(&source);
    let target = tempfile::tempdir_in(home.path()).expect("a temporary folder");
    assert_eq!(seen(&client.restored(&source, target.path())), seen(&source));
    client.check();
    let text = format!(
        "{} edits during {runs} backups, {restored_in_all} busy files restored, {named_in_all} named as changed or gone: 0 mixed in silence",
        busy.edits
    );
    figure("A1", "changing", &text, Some(seed));
}

/// Root may read everything but with fewer capabilities.
#[test]
fn what_cannot_be_read_is_named_with_its_errno_and_costs_nothing_else() {
    if program(&["setpriv"]).is_none() {
        return skip("setpriv is not installed");
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = home.path().join("source");
    for folder in ["open/below", "closed/below", "listed"] {
        std::fs::create_dir_all(source.join(folder)).expect("a folder is made");
    }
    for file in ["open/below/file", "closed/below/file", "closed/file", "secret", "listed/file", "zz"] {
        std::fs::write(source.join(file), file).expect("a file is written");
    }
    let odd = OsStr::from_bytes(b"\xff\xfe not UTF-8\n");
    std::fs::write(source.join(odd), "odd").expect("a file is written");
    let odd_folder = source.join(OsStr::from_bytes(b"folder \xe9"));
    std::fs::create_dir(&odd_folder).expect("a folder is made");
    std::fs::write(odd_folder.join("file"), "below odd").expect("a file is written");
    rustix::fs::mkfifoat(rustix::fs::CWD, source.join("fifo"), rustix::fs::Mode::RUSR).expect("a FIFO is made");
    let _socket = std::os::unix::net::UnixListener::bind(source.join("socket")).expect("a socket is made");
    symlink("nowhere", source.join("dangling")).expect("a link is made");
    // A folder that may be listed and not entered: its names are known, and nothing else of them.
    for (path, mode) in [("secret", 0o000), ("closed", 0o000), ("listed", 0o400)] {
        std::fs::set_permissions(source.join(path), std::fs::Permissions::from_mode(mode)).expect("a mode is set");
    }
    let client = repository(home.path()).under(&["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]);
    let missing = source.join("missing");
    let ran = client.run(&["backup", text(&source), text(&missing)]).expect_exit(3);
    let mut named = failures(&answer(&ran));
    named.sort();
    let at = |name: &str, errno: i64| (text(&source.join(name)).to_owned(), Some(errno));
    let expected = [at("closed", EACCES), at("listed/file", EACCES), at("missing", ENOENT), at("secret", EACCES)];
    assert_eq!(named, expected, "{}", ran.complaint);
    assert!(ran.complaint.contains("secret: open: Permission denied (os error 13)"), "{}", ran.complaint);
    let restored = client.restored(&source, &home.path().join("restored"));
    let names: Vec<String> =
        tree::files_below(&restored).iter().map(|path| format!("{:?}", path.strip_prefix(&restored).expect("below"))).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert_eq!(std::fs::read(restored.join(odd)).expect("it is there"), b"odd");
    assert_eq!(std::fs::read(below(&home.path().join("restored"), &odd_folder).join("file")).expect("it is there"), b"below odd");
    assert!(std::fs::symlink_metadata(restored.join("fifo")).expect("it is there").file_type().is_fifo());
    assert!(restored.join("closed").is_dir() && !restored.join("socket").exists());
    for folder in ["closed", "listed"] {
        for root in [&source, &restored] {
            let _: std::io::Result<()> = std::fs::set_permissions(root.join(folder), std::fs::Permissions::from_mode(0o700));
        }
    }
    let text = "2 folders, 1 file and 1 source refused or gone: each named with path and errno, exit 3; FIFO, dangling link, names that are not UTF-8 restored";
    figure("A1", "unreadable", text, None);
}

/// With so few descriptors that they run out somewhere, in turn everywhere.
#[test]
fn descriptors_that_run_out_cost_what_they_were_for_and_nothing_in_silence() {
    if program(&["prlimit"]).is_none() {
        return skip("prlimit is not installed");
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = home.path().join("source");
    let mut deep = source.clone();
    for number in 0..40 {
        deep.push(number.to_string());
        std::fs::create_dir_all(&deep).expect("a folder is made");
        std::fs::write(deep.join("file"), tree::bytes(number, 3_000)).expect("a file is written");
    }
    let client = repository(home.path());
    let (mut whole, mut partly, mut refused) = (0, 0, 0);
    for descriptors in (6..80).step_by(if is_nightly() { 1 } else { 6 }) {
        let limited = client.under(&["prlimit", &format!("--nofile={descriptors}")]);
        let ran = limited.run(&["backup", "--force", text(&source)]);
        let named = match ran.exit {
            0 | 3 => failures(&answer(&ran)),
            // Below a dozen nothing begins: not even a signal can be waited for.
            1 | 101 => {
                assert!(ran.complaint.contains("os error 24") || ran.complaint.contains("Too many open files"), "{descriptors}: {ran:?}");
                refused += 1;
                continue;
            }
            _ => panic!("{descriptors}: {ran:?}"),
        };
        assert_eq!(ran.exit == 3, !named.is_empty(), "{descriptors}: {ran:?}");
        assert!(named.iter().all(|(_, errno)| *errno == Some(EMFILE)), "{descriptors}: {named:?}");
        let target = tempfile::tempdir_in(home.path()).expect("a temporary folder");
        let restored = client.restored(&source, target.path());
        for file in tree::files_below(&source) {
            let there = restored.join(file.strip_prefix(&source).expect("below"));
            let is_right = std::fs::read(&there).is_ok_and(|bytes| bytes == std::fs::read(&file).expect("it is there"));
            let is_named = named.iter().any(|(path, _)| file.starts_with(path));
            assert!(is_right || is_named && !there.exists(), "{descriptors}: {} is missing in silence: {named:?}", file.display());
        }
        if named.is_empty() { whole += 1 } else { partly += 1 }
    }
    assert!(whole > 0, "with enough of them nothing fails");
    client.check();
    let text =
        format!("6 to 79 descriptors: {whole} runs whole, {partly} named what they missed (EMFILE), {refused} refused: 0 in silence");
    figure("A1", "EMFILE", &text, None);
}

/// Another name of a file that cannot be read is as much missing as the first one.
#[test]
fn a_read_error_is_told_of_every_name_of_the_file() {
    if program(&["strace"]).is_none() {
        return skip("strace is not installed");
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = home.path().join("source");
    std::fs::create_dir(&source).expect("a folder is made");
    std::fs::write(source.join("bad"), "bytes").expect("a file is written");
    std::fs::hard_link(source.join("bad"), source.join("bad again")).expect("a link is made");
    std::fs::write(source.join("good"), "bytes").expect("a file is written");
    let path = source.join("bad");
    let log = home.path().join("log");
    let inject = "inject=read,pread64,readv,preadv:error=EIO";
    let words = ["strace", "-f", "-o", text(&log), "-P", text(&path), "-e", "trace=read,pread64,readv,preadv", "-e", inject];
    let ran = repository(home.path()).under(&words).run(&["backup", text(&source)]).expect_exit(3);
    let mut named = failures(&answer(&ran));
    named.sort();
    let at = |name: &str| (text(&source.join(name)).to_owned(), Some(EIO));
    assert_eq!(named, [at("bad"), at("bad again")], "{}", ran.complaint);
}
