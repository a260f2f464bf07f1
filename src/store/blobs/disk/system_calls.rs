//! What publishing and removing ask of the system, in which order, and what a full disk answers: seen from outside, by tests that
//! run a part of themselves as a process of its own.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use super::DiskBlobs;
use crate::store::blobs::contract::{key, publish};
use crate::store::blobs::{BlobFault, Blobs as _};

const ROOT: &str = "STRONGROOM_TEST_ROOT";

fn root() -> std::path::PathBuf {
    std::env::var_os(ROOT).expect("another test names a folder").into()
}

/// Runs `tool` with `arguments`, then this program with one of the tests below. `None`, loudly, where the tool does not work here.
fn run_inner(tool: &str, arguments: &[&str], test: &str, root: &Path) -> Option<Output> {
    let works = Command::new(tool).args(arguments).arg("true").env(ROOT, root).output().is_ok_and(|output| output.status.success());
    if !works {
        assert_ne!(std::env::var("STRONGROOM_TEST_TOOLS").as_deref(), Ok("required"), "{tool} does not work here");
        writeln!(std::io::stderr(), "SKIPPED {test}: {tool} does not work here").expect("somebody listens");
        return None;
    }
    let program = std::env::current_exe().expect("a test knows its program");
    let test = format!("store::blobs::disk::system_calls::{test}");
    let output =
        Command::new(tool).args(arguments).arg(program).args(["--exact", &test, "--ignored", "--nocapture"]).env(ROOT, root).output();
    let output = output.expect("the tool has just worked");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Some(output)
}

#[test]
#[ignore = "another test runs this as a process of its own"]
fn publish_and_remove_two_files() {
    let blobs = DiskBlobs::open_beside(&root()).expect("it takes blobs");
    let (first, second) = (key("/one/two/first"), key("/one/two/second"));
    publish(&blobs, &first, b"bytes");
    publish(&blobs, &second, b"bytes");
    blobs.remove(&first).expect("removed");
    blobs.remove(&second).expect("removed");
    publish(&blobs, &first, b"bytes");
}

#[test]
fn bytes_are_synced_once_before_their_name_and_each_new_folder_after_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (root, log) = (folder.path().join("blobs"), folder.path().join("log"));
    DiskBlobs::open(&root).expect("the folders are made");
    let calls = "trace=write,fsync,fdatasync,renameat2,mkdirat,unlinkat,linkat";
    let log_name = log.display().to_string();
    let Some(_) = run_inner("strace", &["-f", "-y", "-e", calls, "-o", &log_name], "publish_and_remove_two_files", &root) else { return };
    let text = std::fs::read_to_string(&log).expect("strace wrote its log");
    let steps: Vec<String> = text.lines().filter_map(|line| step(line, &format!("{}", root.display()))).collect();
    let begin = steps.iter().position(|step| step == "write staged").expect("a file was written");
    let whole = ["write staged", "sync staged"];
    let folders = ["mkdir Y21R3P", "mkdir Y21R3P/one", "mkdir Y21R3P/one/two"];
    let new = ["rename to Y21R3P/one/two", "sync Y21R3P/one/two", "sync Y21R3P/one", "sync Y21R3P", "sync "];
    let known = ["rename to Y21R3P/one/two", "sync Y21R3P/one/two"];
    let removed_one = ["unlink file", "rmdir Y21R3P/one/two not empty", "sync Y21R3P/one/two"];
    let removed_last = ["unlink file", "rmdir Y21R3P/one/two", "rmdir Y21R3P/one", "rmdir Y21R3P", "sync "];
    let expected: Vec<&str> = [&whole[..], &folders, &new, &whole, &known, &removed_one, &removed_last, &whole, &folders, &new].concat();
    assert_eq!(steps[begin..], expected);
}

#[test]
#[ignore = "another test runs this as a process of its own"]
fn publish_a_batch() {
    let blobs = DiskBlobs::open_beside(&root()).expect("it takes blobs");
    let keys = [key("/one/a"), key("/one/b"), key("/two/c"), key("/two/d")];
    assert!(blobs.publish_waiting(b"bytes", &keys).iter().all(Result::is_ok));
}

#[test]
#[ignore = "another test runs this as a process of its own"]
fn publish_a_batch_that_fails_and_another() {
    let blobs = DiskBlobs::open_beside(&root()).expect("it takes blobs");
    let keys = ["/one", "/two", "/three", "/four"].map(key);
    let failed = blobs.publish_waiting(b"bytes", &keys);
    assert!(failed.iter().all(|outcome| outcome.as_ref().is_err_and(|error| error.fault == BlobFault::Io)), "{failed:?}");
    assert!(keys.iter().all(|key| blobs.open(key).is_err()), "nothing of a failed batch has a name");
    assert!(blobs.publish_waiting(b"bytes", &keys).iter().all(Result::is_ok));
}

#[test]
fn a_batch_is_synced_at_once_before_its_names_and_each_folder_once_after_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (root, log) = (folder.path().join("blobs"), folder.path().join("log"));
    DiskBlobs::open(&root).expect("the folders are made");
    let calls = "trace=write,fsync,fdatasync,syncfs,renameat2,mkdirat,linkat";
    let log_name = log.display().to_string();
    let Some(_) = run_inner("strace", &["-f", "-y", "-e", calls, "-o", &log_name], "publish_a_batch", &root) else { return };
    let text = std::fs::read_to_string(&log).expect("strace wrote its log");
    let steps: Vec<String> = text.lines().filter_map(|line| step(line, &format!("{}", root.display()))).collect();
    let begin = steps.iter().position(|step| step == "write staged").expect("a file was written");
    let written = ["write staged", "write staged", "write staged", "write staged", "sync all"];
    let one = ["mkdir Y21R3P", "mkdir Y21R3P/one", "rename to Y21R3P/one", "rename to Y21R3P/one"];
    let two = ["mkdir Y21R3P", "mkdir Y21R3P/two", "rename to Y21R3P/two", "rename to Y21R3P/two"];
    let synced = ["sync Y21R3P/one", "sync Y21R3P", "sync ", "sync Y21R3P/two", "sync Y21R3P"];
    assert_eq!(steps[begin..], [&written[..], &one, &two, &synced].concat());
}

/// Symptom that this prevents: a sync of all tells of a failed write once, so the next batch would hear nothing of its own.
#[test]
fn a_sync_of_all_that_failed_is_never_believed_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (root, log) = (folder.path().join("blobs"), folder.path().join("log"));
    let log_name = log.display().to_string();
    let arguments = ["-f", "-e", "trace=fsync,syncfs,renameat2", "-e", "inject=syncfs:error=EIO", "-o", &log_name];
    if run_inner("strace", &arguments, "publish_a_batch_that_fails_and_another", &root).is_none() {
        return;
    }
    let text = std::fs::read_to_string(&log).expect("strace wrote its log");
    let (_, after) = text.split_once("syncfs(").expect("the first batch was synced");
    let calls = |call| after.matches(call).count();
    assert_eq!((calls("syncfs("), calls("renameat2(")), (0, 4), "{after}");
    assert!(calls("fsync(") >= 8, "each file and its folder: {after}");
}

/// What one line of the log did below `root`.
fn step(line: &str, root: &str) -> Option<String> {
    let (_, call) = line.split_once(' ')?;
    let (call, rest) = call.trim_start().split_once('(')?;
    let (_, place) = rest.split_once(&format!("<{root}"))?;
    let (place, rest) = place.split_once('>')?;
    let place = place.trim_start_matches('/');
    let staged = place.starts_with(".staging/");
    let quoted = rest.split('"').nth(1).unwrap_or_default();
    match call {
        "write" if staged => Some("write staged".to_owned()),
        "fsync" | "fdatasync" if staged => Some("sync staged".to_owned()),
        "syncfs" => Some("sync all".to_owned()),
        "fsync" | "fdatasync" => Some(format!("sync {place}")),
        "mkdirat" => (!quoted.starts_with('.')).then(|| format!("mkdir {quoted}")),
        "renameat2" | "linkat" => {
            let (_, to) = rest.split_once(&format!("<{root}/"))?;
            Some(format!("rename to {}", to.split_once('>')?.0))
        }
        "unlinkat" if rest.contains("REMOVEDIR") => {
            Some(format!("rmdir {quoted}{}", if rest.contains("ENOTEMPTY") { " not empty" } else { "" }))
        }
        "unlinkat" => Some("unlink file".to_owned()),
        _ => None,
    }
}

/// Fills the file system, then makes room: on what is small, by the next test, and then by bytes or by files.
#[test]
#[ignore = "another test runs this as a process of its own"]
fn fill_the_disk_and_make_room() {
    let root = root();
    let blobs = DiskBlobs::open(&root).expect("it takes blobs");
    let mut kept = Vec::new();
    let full = loop {
        let key = key(&format!("/{}", kept.len()));
        match blobs.stage().and_then(|mut staged| staged.write(&[7; 20_000]).and_then(|()| staged.publish(&key))) {
            Ok(()) => kept.push(key),
            Err(error) => break error,
        }
    };
    assert_eq!(full.fault, BlobFault::Full, "{full:?}");
    assert!(kept.len() > 2, "{full:?}");
    assert_eq!(std::fs::read_dir(root.join(".staging")).expect("a folder").count(), 0, "a failed upload gives its space back");
    DiskBlobs::open(&root).expect("a full disk opens: expiry is what makes room on it");
    for key in &kept {
        blobs.remove(key).expect("a full disk lets go");
    }
    publish(&blobs, &kept[0], &[7; 20_000]);
}

#[test]
fn a_full_disk_says_so_loses_nothing_and_recovers() {
    for limit in ["size=256k", "size=4m,nr_inodes=20"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let script = format!("mount -t tmpfs -o {limit} none \"$STRONGROOM_TEST_ROOT\" && exec \"$@\"");
        let arguments = ["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"];
        if run_inner("unshare", &arguments, "fill_the_disk_and_make_room", folder.path()).is_none() {
            return;
        }
    }
}

#[test]
#[ignore = "another test runs this as a process of its own"]
fn write_beyond_the_largest_file() {
    let blobs = DiskBlobs::open_beside(&root()).expect("it takes blobs");
    let mut staged = blobs.stage().expect("a staging file");
    assert_eq!(staged.write(&[7; 2 << 20]).expect_err("the limit is 1 MiB").fault, BlobFault::Full);
}

#[test]
fn a_limit_on_file_sizes_is_a_full_disk() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Blocks of 512 bytes. The signal is ignored here as the server ignores it.
    let script = "trap '' XFSZ; ulimit -f 2048; exec \"$@\"";
    run_inner("sh", &["-c", script, "sh"], "write_beyond_the_largest_file", &folder.path().join("blobs"));
}

#[test]
#[ignore = "another test runs this as a process of its own"]
fn publish_where_syncs_fail() {
    let blobs = DiskBlobs::open_beside(&root());
    let outcome = blobs.and_then(|blobs| {
        let mut staged = blobs.stage()?;
        staged.write(b"bytes")?;
        staged.publish(&key("/one/two"))
    });
    assert_eq!(outcome.expect_err("one of its syncs failed").fault, BlobFault::Io);
}

/// Each sync of an opening and a publish fails in turn. None is tried a second time.
#[test]
fn a_failed_sync_is_reported_and_never_repeated() {
    for when in 1..=6 {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (root, log) = (folder.path().join("blobs"), folder.path().join("log"));
        let (log_name, inject) = (log.display().to_string(), format!("inject=fsync:error=EIO:when={when}"));
        let arguments = ["-f", "-e", "trace=fsync,fdatasync,syncfs,sync", "-e", &inject, "-o", &log_name];
        if run_inner("strace", &arguments, "publish_where_syncs_fail", &root).is_none() {
            return;
        }
        let text = std::fs::read_to_string(&log).expect("strace wrote its log");
        let syncs = text.lines().filter(|line| line.contains("sync(") || line.contains("syncfs(")).count();
        assert_eq!(syncs, when, "the failed sync is the last: {text}");
    }
}
