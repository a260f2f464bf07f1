//! What is read, what is stored, and what a report says of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{check, options, restored, save, save_with};
use crate::vault::backend::Kind;
use crate::vault::chunk::MAX_BYTES;
use crate::vault::compression::Compression;
use crate::vault::source::stamp::Ignored;
use crate::vault::testing::{Vault, bytes};
use crate::vault::tree::Content;

/// A folder above which nothing changes while a test runs: a snapshot keeps the times of the folders above its sources, too. The folders
/// stay from run to run, and whoever comes first makes all of them.
fn steady(name: &str) -> tempfile::TempDir {
    const NAMES: [&str; 3] = ["unchanged", "dry", "skipped"];
    let base = |name: &str| Path::new("/var/tmp").join(format!("strongroom-tests-{}-{name}", rustix::process::getuid().as_raw()));
    NAMES.iter().for_each(|name| fs::create_dir_all(base(name)).unwrap());
    assert!(NAMES.contains(&name));
    tempfile::tempdir_in(base(name)).unwrap()
}

#[test]
fn a_file_longer_than_any_buffer_comes_back_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    // One stretch without a boundary, so that a chunk ends for its length alone; and lengths around every limit.
    let long = [bytes(1, 9 << 20), vec![0; 20 << 20], bytes(2, 5_000_001)].concat();
    fs::write(source.join("long"), &long).unwrap();
    for (number, length) in [(2 << 20) - 1, 2 << 20, (2 << 20) + 1, MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1].into_iter().enumerate() {
        fs::write(source.join(format!("limit {number}")), bytes(10 + number as u64, length)).unwrap();
    }
    let vault = Vault::new();
    let report = save(&vault, &source, None);
    let found = restored(&vault, &report, &source, &dir.path().join("restored"));
    assert!(fs::read(found.join("long")).unwrap() == long);
    for number in 0..6 {
        let name = format!("limit {number}");
        assert!(fs::read(found.join(&name)).unwrap() == fs::read(source.join(&name)).unwrap(), "{name}");
    }
    check(&vault);
}

#[test]
fn what_has_not_changed_is_not_read_and_nothing_is_stored_of_it() {
    let dir = steady("unchanged");
    let source = dir.path().join("source");
    fs::create_dir_all(source.join("folder")).unwrap();
    fs::write(source.join("folder/same"), bytes(1, 3_000_000)).unwrap();
    fs::write(source.join("changed"), "before").unwrap();
    let vault = Vault::new();
    let first = save(&vault, &source, None);
    assert_eq!((first.count.files_new, first.count.files(), first.count.bytes), (2, 2, 3_000_006));
    let packs = vault.place.ids(Kind::Data).len();

    let again = save(&vault, &source, Some(&first));
    assert_eq!((again.tree, again.bytes_stored, again.count.bytes_added), (first.tree, 0, 0));
    assert_eq!(
        (again.count.files_unmodified, again.count.folders(), again.count.folders_unmodified),
        (2, first.count.folders(), first.count.folders())
    );
    assert_eq!(vault.place.ids(Kind::Data).len(), packs);
    assert_eq!((again.parent, again.snapshot == first.snapshot), (first.snapshot, false));

    // Bytes behind an unchanged stamp are not looked at: so nothing was read.
    let stamp = fs::metadata(source.join("folder/same")).unwrap().modified().unwrap();
    fs::write(source.join("folder/same"), bytes(2, 3_000_000)).unwrap();
    fs::File::open(source.join("folder/same")).unwrap().set_modified(stamp).unwrap();
    let parent = first.snapshot.map(|snapshot| (snapshot, first.tree));
    let mut ignoring = options(parent);
    ignoring.ignored = Ignored { ctime: true, inode: false };
    assert_eq!(save_with(&vault, &source, &ignoring).unwrap().count.files_unmodified, 2);
    let strict = save_with(&vault, &source, &options(parent)).unwrap();
    assert_eq!((strict.count.files_changed, strict.count.files_unmodified), (1, 1), "the inode's own time tells");
}

#[test]
fn a_file_whose_chunk_the_index_lacks_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), bytes(1, 100_000)).unwrap();
    let vault = Vault::new();
    let first = save(&vault, &source, None);
    for id in vault.place.ids(Kind::Index) {
        vault.place.remove_file(crate::vault::backend::Name::Of(Kind::Index, id));
    }
    let again = save(&vault, &source, Some(&first));
    assert_eq!((again.count.files_unmodified, again.count.chunks_added), (0, 1));
    let found = restored(&vault, &again, &source, &dir.path().join("restored"));
    assert!(fs::read(found.join("file")).unwrap() == bytes(1, 100_000));
}

#[test]
fn the_same_bytes_are_stored_once_wherever_they_lie() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    for name in ["one", "two", "three"] {
        fs::write(source.join(name), bytes(7, 400_000)).unwrap();
    }
    let vault = Vault::new();
    let report = save(&vault, &source, None);
    assert_eq!((report.count.chunks_added, report.count.bytes), (1, 1_200_000));
    assert!(report.bytes_stored < 410_000, "{}", report.bytes_stored);
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("four"), bytes(7, 400_000)).unwrap();
    assert_eq!(save(&vault, &other, None).count.chunks_added, 0, "not in a later run either");
}

#[test]
fn a_dry_run_writes_nothing_and_counts_the_same() {
    let dir = steady("dry");
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), bytes(1, 5 << 20)).unwrap();
    let vault = Vault::new();
    let before = vault.place.changes();
    let dry = save_with(&vault, &source, &crate::vault::backup::Options { is_dry_run: true, ..options(None) }).unwrap();
    assert_eq!((vault.place.changes(), dry.snapshot, dry.bytes_stored), (before, None, 0));
    let real = save(&vault, &source, None);
    assert_eq!((dry.tree, dry.count), (real.tree, real.count));
}

#[test]
fn an_unchanged_tree_makes_no_snapshot_where_that_is_wanted() {
    let dir = steady("skipped");
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    let vault = Vault::new();
    let first = save(&vault, &source, None);
    let parent = first.snapshot.map(|snapshot| (snapshot, first.tree));
    let skipping = crate::vault::backup::Options { skip_if_unchanged: true, ..options(parent) };
    assert_eq!(save_with(&vault, &source, &skipping).unwrap().snapshot, None);
    fs::write(source.join("new"), "x").unwrap();
    assert!(save_with(&vault, &source, &skipping).unwrap().snapshot.is_some());
}

#[test]
fn folders_alone_make_no_snapshot_where_that_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    let vault = Vault::new();
    let skipping = crate::vault::backup::Options { skip_if_empty: true, ..options(None) };
    assert_eq!(save_with(&vault, dir.path(), &skipping).unwrap().snapshot, None);
    assert!(save_with(&vault, dir.path(), &options(None)).unwrap().snapshot.is_some());
    std::os::unix::fs::symlink("nowhere", dir.path().join("a/link")).unwrap();
    assert!(save_with(&vault, dir.path(), &skipping).unwrap().snapshot.is_some(), "a link is something");
}

#[test]
fn compression_is_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    let words = ["store ", "of ", "what ", "restore ", "is ", "worth ", "kept ", "never ", "backup ", "lost ", "a ", "the "];
    let text: String = bytes(3, 100_000).iter().map(|byte| words[usize::from(*byte) % words.len()]).collect();
    fs::write(source.join("text"), &text).unwrap();
    let stored = [Compression::Off, Compression::Auto, Compression::Max].map(|compression| {
        let vault = Vault::new();
        let options = crate::vault::backup::Options { compression, ..options(None) };
        save_with(&vault, &source, &options).unwrap().bytes_stored
    });
    assert!(stored[0] > text.len() as u64 && stored[1] < stored[0] / 2 && stored[2] < stored[1], "{stored:?}");
}

/// Without root's right to read everything, on this thread alone; it is the one that walks and opens.
fn as_nobody_special<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let thread = || {
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
        set_capabilities(None, sets).unwrap();
        work()
    };
    std::thread::scope(|scope| scope.spawn(thread).join().unwrap())
}

#[test]
fn what_cannot_be_opened_costs_itself_alone() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("secret"), "x").unwrap();
    fs::set_permissions(source.join("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::write(source.join("open"), "y").unwrap();
    let vault = Vault::new();
    let report = as_nobody_special(|| save_with(&vault, &source, &options(None)).unwrap());
    let told: Vec<_> = report.failures.iter().map(|failure| (failure.path.clone(), failure.doing, failure.errno)).collect();
    assert_eq!(told, [(source.join("secret"), "open", Some(13))]);
    assert_eq!(report.count.files_new, 1);
    let found = restored(&vault, &report, &source, &dir.path().join("restored"));
    assert!(found.join("open").exists() && !found.join("secret").exists());
}

#[test]
fn a_snapshot_says_what_was_done() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "bytes").unwrap();
    let vault = Vault::new();
    let report = save(&vault, &source, None);
    let bytes = vault.repository.read_file(Kind::Snapshot, report.snapshot.unwrap()).unwrap();
    let snapshot = crate::vault::snapshot::Snapshot::parse(&bytes, &report.snapshot.unwrap()).unwrap();
    let summary = snapshot.summary.unwrap();
    assert_eq!((snapshot.tree, summary["files_new"].as_u64(), summary["total_bytes_processed"].as_u64()), (report.tree, Some(1), Some(5)));
    let root = vault.repository.read_tree(&vault.index(), report.tree).unwrap();
    assert!(matches!(root.nodes[0].content, Content::Folder { tree: Some(_) }));
}
