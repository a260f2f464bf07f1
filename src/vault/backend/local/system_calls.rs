//! That a folder keeps what was saved in it through a power cut, as the system calls show it: in which order files, names and folders
//! are synced, and that a sync which failed is told and not tried again. Seen from outside, by tests that run one of them as a process
//! of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;

use super::Local;
use crate::vault::backend::{Backend as _, Kind, Name};
use crate::vault::id::Id;

const FOLDER: &str = "STRONGROOM_TEST_FOLDER";

fn pack() -> Name {
    Name::Of(Kind::Data, Id::of(b"pack"))
}

#[test]
#[ignore = "another test runs this as a process of its own"]
fn save_and_save_again_and_remove() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("another test names a folder"));
    let place = Local::new(&folder);
    let saved = place.save(pack(), Bytes::from_static(b"pack"));
    std::fs::write(folder.with_extension("outcome"), format!("{saved:?}")).expect("an outcome is written");
    if saved.is_ok() {
        place.save(pack(), Bytes::from_static(b"pack")).expect("the same again");
        place.remove(pack()).expect("it is removed");
    }
}

/// What that came to, and its calls in the folder, under `strace` with more arguments. `None`, loudly, where that does not work here.
fn watch(folder: &Path, arguments: &[&str]) -> Option<(String, Vec<String>)> {
    let log = folder.with_extension("log");
    let traced = "trace=fsync,fdatasync,renameat2,rename,link,linkat,unlink,unlinkat";
    let strace = |program: &Path| {
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-e", traced, "-o"]).arg(&log).args(arguments).arg(program).env(FOLDER, folder);
        command
    };
    if !strace(Path::new("true")).output().is_ok_and(|output| output.status.success()) {
        assert_ne!(std::env::var("STRONGROOM_TEST_TOOLS").as_deref(), Ok("required"), "strace does not work here");
        writeln!(std::io::stderr(), "SKIPPED: strace does not work here").expect("somebody listens");
        return None;
    }
    let (_, module) = module_path!().split_once("::").expect("a module below the crate");
    let test = format!("{module}::save_and_save_again_and_remove");
    let mut command = strace(&std::env::current_exe().expect("a test knows its program"));
    let output = command.args(["--exact", &test, "--ignored"]).output().expect("strace has just worked");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    let text = std::fs::read_to_string(&log).expect("a log");
    let home = folder.parent().expect("a home").display().to_string();
    let calls = text.lines().filter(|line| line.contains(&home)).map(|line| told(line, &home)).collect();
    Some((std::fs::read_to_string(folder.with_extension("outcome")).expect("an outcome"), calls))
}

/// `fsync PATH` of `1234 fsync(4</…/PATH>) = 0`, with paths below the home; a failed one says so.
fn told(line: &str, home: &str) -> String {
    let (call, rest) = line.split_once('(').expect("a call");
    let mut words = vec![call.rsplit(' ').next().unwrap_or_default().to_owned()];
    for (at, _) in rest.match_indices(home) {
        let below: String = rest[at + home.len()..].chars().take_while(|character| !"\">".contains(*character)).collect();
        let shown = below.split_once("-tmp-").map_or(below.clone(), |(name, _)| format!("{name}-tmp-"));
        let shown = shown.split_once('#').map_or(shown.clone(), |(folder, _)| format!("{folder}NAMELESS"));
        words.push(shown.replace(&Id::of(b"pack").hex(), "ID").trim_start_matches('/').to_owned());
    }
    if line.contains(" = -1 E") {
        words.push("failed".to_owned());
    }
    words.join(" ")
}

/// Whether the first way of all works here.
fn links_nameless(folder: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, Mode, linkat, openat};
    let (owner, name) = (Mode::RUSR, folder.join("linked"));
    openat(CWD, folder, crate::vault::nameless::OPEN, owner).is_ok_and(|file| linkat(file, c"", CWD, name, AtFlags::EMPTY_PATH).is_ok())
}

#[test]
fn a_file_is_durable_before_it_has_its_name_and_the_name_before_the_call_returns() {
    let home = tempfile::tempdir().expect("a temporary folder");
    if !links_nameless(home.path()) {
        return writeln!(std::io::stderr(), "SKIPPED: no file without a name can be linked here").expect("somebody listens");
    }
    let first = "linkat DIR/NAMELESS DIR/ID failed";
    // With the privilege, or since Linux 6.10; by way of /proc; and where neither works.
    for (arguments, saved) in [
        (&[][..], &["fsync DIR/NAMELESS", "linkat DIR/NAMELESS DIR/ID", "fsync DIR"][..]),
        (&["-e", "inject=linkat:error=ENOENT:when=1"], &["fsync DIR/NAMELESS", first, "linkat DIR/ID", "fsync DIR"]),
        (
            &["-e", "inject=linkat:error=ENOENT:when=1..2"],
            &["fsync DIR/NAMELESS", first, "linkat DIR/ID failed", "fsync DIR/ID-tmp-", "renameat2 DIR/ID-tmp- DIR/ID", "fsync DIR"],
        ),
    ] {
        let folder = home.path().join(format!("repository {}", saved.len()));
        let Some((outcome, calls)) = watch(&folder, arguments) else { return };
        assert_eq!(outcome, "Ok(())");
        let top = folder.file_name().expect("a name").to_string_lossy();
        let of = |call: &str| call.replace("DIR", &format!("TOP/data/{}", &Id::of(b"pack").hex()[..2])).replace("TOP", &top);
        let folders_made = ["fsync ", "fsync TOP", "fsync TOP/data"];
        let saved_again = ["fsync DIR/ID", "fsync DIR"];
        let removed = ["unlink DIR/ID", "fsync DIR"];
        let expected: Vec<String> = [&folders_made[..], saved, &saved_again, &removed].concat().into_iter().map(of).collect();
        assert_eq!(calls, expected);
    }
}

#[test]
fn a_sync_that_failed_is_told_and_not_tried_again() {
    for (when, is_named) in [(1, false), (2, true)] {
        let home = tempfile::tempdir().expect("a temporary folder");
        let folder = home.path().join("repository");
        let place = Local::new(&folder);
        place.create().expect("a place is made ready");
        let Some((outcome, calls)) = watch(&folder, &["-e", &format!("inject=fsync:error=EIO:when={when}")]) else { return };
        assert!(outcome.starts_with("Err(Unavailable"), "{outcome}");
        let syncs: Vec<&String> = calls.iter().filter(|call| call.starts_with("fsync")).collect();
        assert_eq!(syncs.len(), when, "{calls:#?}");
        assert!(syncs[when - 1].ends_with(" failed"), "{calls:#?}");
        assert_eq!(place.list(Kind::Data).expect("a list").len(), usize::from(is_named));
        let left = std::fs::read_dir(place.path(pack()).parent().expect("a folder")).expect("a folder").count();
        assert_eq!(left, usize::from(is_named), "no temporary file is left");
    }
}
