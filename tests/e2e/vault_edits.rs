//! Trees, edited at random and backed up in between: whatever the parent spared the reading, each snapshot is its tree (A5).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use strongroom::vault::cancel::Cancel;
use strongroom::vault::check::{self, Read};

use crate::support::client::below;
use crate::support::engine::Engine;
use crate::support::figure::figure;
use crate::support::is_nightly;
use crate::support::seen::seen;
use crate::support::tree::{bytes, random};

const THREADS: u64 = 2;
const NAMES: [&[u8]; 12] = [
    b"a",
    b"b",
    b"c",
    b"folder/a",
    b"folder/b",
    b"folder/deep/a",
    b"folder/deep/b",
    b"folder",
    b"other/a",
    b"latin \xe9",
    b"new\nline",
    b"other/\"quoted\\",
];

/// One script: a tree, and where its random numbers come from.
struct Script<'a> {
    root: &'a Path,
    seed: u64,
}

impl Script<'_> {
    fn random(&mut self, limit: u64) -> u64 {
        random(&mut self.seed, limit)
    }

    fn path(&mut self) -> PathBuf {
        let at = self.random(NAMES.len() as u64);
        self.root.join(OsStr::from_bytes(NAMES[usize::try_from(at).expect("it fits")]))
    }

    /// A path whose folder is there, and at which nothing is.
    fn room(&mut self) -> Option<PathBuf> {
        let path = self.path();
        fs::create_dir_all(path.parent().expect("it is below the root")).ok()?;
        fs::remove_file(&path)
            .or_else(|_| fs::remove_dir_all(&path))
            .or_else(|error| if path.exists() { Err(error) } else { Ok(()) })
            .ok()?;
        Some(path)
    }

    /// Does one edit, where it can be done.
    fn edit(&mut self) {
        let kind = self.random(16);
        let _done: Option<()> = match kind {
            0..=3 => self.write(),
            4 | 5 => self.overwrite(),
            6 => self.path_of_file().and_then(|path| fs::File::options().write(true).open(path).ok()?.set_len(self.random(50_000)).ok()),
            7 => fs::remove_file(self.path()).ok(),
            8 => fs::remove_dir_all(self.path()).ok(),
            9 => self.path_of_file().zip(self.room()).and_then(|(path, to)| fs::hard_link(path, to).ok()),
            10 => self.room().and_then(|path| symlink(OsStr::from_bytes(NAMES[0]), path).ok()),
            11 => fs::create_dir_all(self.path()).ok(),
            12 => self.mode(),
            13 => self.time(),
            14 => self.attribute(),
            _ => fs::rename(self.path(), self.path()).ok(),
        };
    }

    fn path_of_file(&mut self) -> Option<PathBuf> {
        Some(self.path()).filter(|path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()))
    }

    fn write(&mut self) -> Option<()> {
        let path = self.room()?;
        let length = [0, 1, 4_000, 60_000, 700_000][usize::try_from(self.random(5)).expect("it fits")];
        fs::write(path, bytes(self.random(u64::MAX), length)).ok()
    }

    /// Bytes in the middle, at once after whatever came before: the length stays, and the time may well, too.
    fn overwrite(&mut self) -> Option<()> {
        let path = self.path_of_file()?;
        let file = fs::File::options().write(true).open(path).ok()?;
        let length = file.metadata().ok()?.len();
        file.write_all_at(&bytes(self.random(u64::MAX), 8), self.random(length + 1).min(length.saturating_sub(8))).ok()
    }

    fn mode(&mut self) -> Option<()> {
        let (path, mode) = (self.path(), u32::try_from(self.random(0o1000)).expect("it fits"));
        let least = if path.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode | least)).ok()
    }

    /// Also one that the file had before: then only the time of the change of status tells.
    fn time(&mut self) -> Option<()> {
        let time = SystemTime::UNIX_EPOCH + Duration::new(self.random(4) * 500_000_000, 123_456_789);
        fs::File::open(self.path()).ok()?.set_modified(time).ok()
    }

    fn attribute(&mut self) -> Option<()> {
        let file = fs::File::open(self.path()).ok()?;
        let length = usize::try_from(self.random(40)).expect("it fits");
        rustix::fs::fsetxattr(&file, "user.strongroom", &bytes(self.seed, length), rustix::fs::XattrFlags::empty()).ok()
    }
}

/// A few backups of one tree with edits between them. How many edits and snapshots there were.
fn play(seed: u64, engine: &Engine) -> [u64; 2] {
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = home.path().join("source");
    fs::create_dir(&source).expect("a folder is made");
    let mut script = Script { root: &source, seed };
    let (mut kept, mut edits) = (Vec::new(), 0);
    for _ in 0..1 + script.random(4) {
        for _ in 0..1 + script.random(12) {
            script.edit();
            edits += 1;
        }
        let report = engine.save(&source, kept.last().map(|(report, _)| report));
        kept.push((report, seen(&source)));
    }
    for (number, (report, tree)) in kept.iter().enumerate() {
        let target = home.path().join(number.to_string());
        let restored = engine.restore(report.tree, &target);
        assert!(restored.is_complete(), "script {seed:#x}, snapshot {number}: {:?}", restored.failures);
        let found = seen(&below(&target, &source));
        assert!(found == *tree, "script {seed:#x}, snapshot {number}: {:?}", difference(&found, tree));
    }
    [edits, kept.len() as u64]
}

fn difference<'a>(found: &'a crate::support::seen::Seen, expected: &'a crate::support::seen::Seen) -> Vec<String> {
    let other = expected.iter().filter(|(name, what)| found.get(*name) != Some(what));
    other.map(|(name, what)| format!("{}: {what}, not {:?}", String::from_utf8_lossy(name), found.get(name))).collect()
}

#[test]
fn each_snapshot_of_a_tree_that_was_edited_is_the_tree_as_it_was() {
    let first = 0x5EED_00A5;
    let count = if is_nightly() { 1_000 } else { 40 };
    let sums: Vec<[u64; 2]> = std::thread::scope(|scope| {
        let one = |part: u64| {
            scope.spawn(move || {
                let engine = Engine::new();
                let all = (part..count).step_by(usize::try_from(THREADS).expect("it fits"));
                let sums = all.map(|number| play(first + number * 0x9E37_79B9, &engine)).collect::<Vec<_>>();
                let report = check::run(&engine.repository, Read::All, &Cancel::default(), &()).expect("the place works");
                assert!(report.is_clean(), "{:?}", report.problems);
                sums
            })
        };
        let threads: Vec<_> = (0..THREADS).map(one).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("every snapshot is its tree")).collect()
    });
    let sum = |at: usize| sums.iter().map(|sums| sums[at]).sum::<u64>();
    let text = format!("{count} scripts, {} edits, {} snapshots: each restored equal", sum(0), sum(1));
    figure("A5", "incremental = full", &text, Some(first));
}
