//! A vault whose files somebody changed: it is found, and no wrong byte is given out before (A4).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use strongroom::vault::backend::{Kind, Name};
use strongroom::vault::cancel::Cancel;
use strongroom::vault::check::{self, Read};
use strongroom::vault::error::Error;
use strongroom::vault::id::Id;
use strongroom::vault::keys::Password;
use strongroom::vault::repository::Repository;
use strongroom::vault::snapshot::Snapshot;

use crate::support::client::{Client, below};
use crate::support::engine::Engine;
use crate::support::figure::figure;
use crate::support::held::Files;
use crate::support::{is_nightly, tree};

const THREADS: u64 = 2;

/// A vault of a few snapshots, and what each of them gives back.
struct Sample {
    engine: Engine,
    /// Files of a vault with another key.
    foreign: Files,
    snapshots: Vec<(Id, BTreeMap<PathBuf, Vec<u8>>)>,
    _home: tempfile::TempDir,
    source: PathBuf,
}

impl Sample {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let source = home.path().join("source");
        std::fs::create_dir_all(source.join("folder")).expect("a folder is made");
        let (engine, foreign) = (Engine::new(), Engine::new());
        let (mut snapshots, mut before) = (Vec::new(), None);
        for round in 0..3_u64 {
            for number in 0..4_u64 {
                let length = usize::try_from(1 + round * 700 + number * 3_000).expect("it fits");
                let name = format!("{}file {round} {number}", if number % 2 == 0 { "" } else { "folder/" });
                std::fs::write(source.join(name), tree::bytes(round * 10 + number, length)).expect("a file is written");
            }
            let report = engine.save(&source, before.as_ref());
            snapshots.push((report.snapshot.expect("a snapshot"), contents(&source)));
            before = Some(report);
        }
        foreign.save(&source, None);
        Self { engine, foreign: foreign.held.files(), snapshots, _home: home, source }
    }
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = tree::files_below(folder).into_iter();
    files.map(|path| (path.strip_prefix(folder).expect("below").to_owned(), std::fs::read(&path).expect("a file"))).collect()
}

/// One change of what is stored. What it was, for a message; `None` where nothing is another than before.
fn tamper(whole: &Files, foreign: &Files, seed: &mut u64) -> Option<(Files, Name, &'static str)> {
    let mut names: Vec<Name> = whole.keys().copied().collect();
    names.sort_by_key(Name::to_string);
    // Whether a config is whole is known only to who has opened a key, and that takes its time.
    let is_for_config = tree::random(seed, 100) == 0;
    names.retain(|name| (*name == Name::Config) == is_for_config);
    let mut below = |limit: usize| usize::try_from(tree::random(seed, limit as u64)).expect("it fits");
    let name = names[below(names.len())];
    let other = names[below(names.len())];
    let mut bytes = whole[&name].to_vec();
    let mut files = whole.clone();
    let kind = match below(10) {
        0 | 1 => {
            let at = below(bytes.len());
            bytes[at] ^= 1 << below(8);
            "flip"
        }
        2 => {
            files.insert(name, whole[&other].clone());
            files.insert(other, whole[&name].clone());
            return (whole[&name] != whole[&other]).then_some((files, name, "swap"));
        }
        3 => {
            // Two parts of the same length change places, as two blobs of a pack may.
            let length = 1 + below(bytes.len() / 3);
            let (one, two) = (below(bytes.len() - 2 * length), length);
            let two = one + two + below(bytes.len() - one - 2 * length);
            for at in 0..length {
                bytes.swap(one + at, two + at);
            }
            "reorder"
        }
        4 => {
            files.remove(&name);
            return Some((files, name, "drop"));
        }
        5 => {
            bytes = whole[&other].to_vec();
            "replay"
        }
        6 => {
            bytes.truncate(below(bytes.len()));
            "truncate"
        }
        7 => {
            let more = 1 + below(100);
            let from = below(bytes.len());
            let more: Vec<u8> = bytes.iter().cycle().skip(from).take(more).copied().collect();
            bytes.extend(more);
            "extend"
        }
        8 => {
            let foreign: Vec<&Bytes> = foreign.iter().filter(|(of, _)| same_kind(**of, name)).map(|(_, bytes)| bytes).collect();
            bytes = foreign[below(foreign.len())].to_vec();
            "foreign"
        }
        _ => {
            // Under the name that fits: whoever has no key can do that.
            let at = below(bytes.len());
            bytes[at] ^= 0x80;
            files.remove(&name);
            let Name::Of(of, _) = name else { return None };
            files.insert(Name::Of(of, Id::of(&bytes)), bytes.into());
            return Some((files, name, "flip and rename"));
        }
    };
    if bytes == whole[&name] {
        return None;
    }
    files.insert(name, bytes.into());
    Some((files, name, kind))
}

fn same_kind(one: Name, other: Name) -> bool {
    match (one, other) {
        (Name::Config, Name::Config) => true,
        (Name::Of(one, _), Name::Of(other, _)) => one == other,
        _ => false,
    }
}

/// Restores one snapshot; whether it told of damage. What it gave out is right, and what is missing is told.
fn restore(sample: &Sample, engine: &Engine, at: usize, what: &str) -> bool {
    let (id, expected) = &sample.snapshots[at];
    let read = engine.repository.read_file(Kind::Snapshot, *id);
    let Ok(text) = read else { return true };
    let tree = Snapshot::parse(&text, id).expect("it is what was stored").tree;
    let target = tempfile::tempdir().expect("a temporary folder");
    let report = engine.restore(tree, target.path());
    let place = below(target.path(), &sample.source);
    let found = contents(&place);
    for (path, bytes) in &found {
        assert!(expected.get(path) == Some(bytes), "{what}: {} has wrong bytes", path.display());
    }
    for path in expected.keys().filter(|path| !found.contains_key(*path)) {
        let whole = Path::new("/").join(sample.source.strip_prefix("/").expect("a whole path")).join(path);
        let is_told = report.ended_by.is_some() || report.failures.iter().any(|failure| whole.starts_with(&failure.path));
        assert!(is_told, "{what}: {} is missing and not told: {:?}", path.display(), report.failures);
    }
    !report.is_complete()
}

/// So many changes; how many each way found, by kind.
fn try_changes(sample: &Sample, count: u64, mut seed: u64) -> BTreeMap<&'static str, [u64; 3]> {
    let engine = sample.engine.twin();
    let whole = engine.held.files();
    let mut found = BTreeMap::<_, [u64; 3]>::new();
    let mut done = 0;
    while done < count {
        let Some((files, name, kind)) = tamper(&whole, &sample.foreign, &mut seed) else { continue };
        done += 1;
        engine.held.set(files);
        let what = format!("change {done}, {kind} of {name}");
        let at = usize::try_from(tree::random(&mut seed, sample.snapshots.len() as u64)).expect("it fits");
        let by_restore = restore(sample, &engine, at, &what);
        let report = check::run(&engine.repository, Read::All, &Cancel::default(), &()).expect("the place works");
        let loses_snapshot = matches!(name, Name::Of(Kind::Snapshot, _));
        // Nothing tells that a snapshot was once there but whoever asks for it; nor that of several keys one is gone.
        let is_asked_for =
            loses_snapshot && sample.snapshots.iter().any(|(id, _)| engine.repository.read_file(Kind::Snapshot, *id).is_err());
        let by_open = matches!(name, Name::Config | Name::Of(Kind::Key, _)) && is_refused(&engine);
        assert!(by_restore || !report.is_clean() || is_asked_for || by_open, "{what} is not found");
        let counts = found.entry(kind).or_default();
        counts[0] += 1;
        counts[1] += u64::from(by_restore);
        counts[2] += u64::from(!report.is_clean());
    }
    engine.held.set(whole);
    assert!(check::run(&engine.repository, Read::All, &Cancel::default(), &()).expect("the place works").is_clean(), "no false alarm");
    found
}

/// Whoever opens it anew is told.
fn is_refused(engine: &Engine) -> bool {
    let opened = Repository::open(Box::new(engine.held.clone()), &Password::new("correct horse"));
    matches!(opened, Err(Error::WrongPassword | Error::Damaged { .. } | Error::NoRepository(_) | Error::Unsupported(_)))
}

#[test]
fn every_change_of_a_vault_is_found_before_a_wrong_byte_is_given_out() {
    let seed = 0x5EED_00A4;
    let count = if is_nightly() { 10_000 } else { 1_000 };
    let sample = Sample::new();
    let parts: Vec<_> = std::thread::scope(|scope| {
        let one = |number: u64| {
            let sample = &sample;
            scope.spawn(move || try_changes(sample, count / THREADS, seed + number * 7_919))
        };
        let threads: Vec<_> = (0..THREADS).map(one).collect();
        threads.into_iter().map(|thread| thread.join().expect("every change is found")).collect()
    });
    let mut all = BTreeMap::<_, [u64; 3]>::new();
    for (kind, counts) in parts.into_iter().flatten() {
        let sum = all.entry(kind).or_default();
        counts.iter().enumerate().for_each(|(at, count)| sum[at] += count);
    }
    let kinds: Vec<String> = all.iter().map(|(kind, [count, ..])| format!("{kind} {count}")).collect();
    let by = |at: usize| all.values().map(|counts| counts[at]).sum::<u64>();
    let text = format!(
        "{count} changes ({}): all found, {} by a restore of one snapshot, {} by check; 0 wrong bytes given out",
        kinds.join(", "),
        by(1),
        by(2)
    );
    figure("A4", "tampered", &text, Some(seed));
}

/// Nobody learns from the answer whether the password was right.
#[test]
fn a_damaged_key_and_a_wrong_password_are_the_same_refusal() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let place = home.path().join("repository");
    let client = Client::at(&place);
    client.ok(&["init"]);
    let wrong = client.with_password("wrong").run(&["snapshots"]).expect_exit(1);
    let key = tree::files_below(&place.join("keys")).remove(0);
    let whole = std::fs::read(&key).expect("the key");
    let at = |word: &str| String::from_utf8_lossy(&whole).find(word).expect("a member of the key") + word.len() + 3;
    // The name of its maker is not sealed: only that the file's name no longer fits tells.
    let cases = [at("salt"), at("data"), at("data") + 20, at("\"N"), at("username"), 0, whole.len() - 1];
    for at in cases {
        let mut damaged = whole.clone();
        damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
        // Under its old name, and under the one that fits.
        let renamed = key.with_file_name(tree::sha256(&damaged));
        let is_sealed = at != cases[4];
        for name in std::iter::once(key.clone()).chain(is_sealed.then_some(renamed)) {
            std::fs::remove_file(&key).expect("the key is removed");
            tree::write_private(&name, &damaged);
            let ran = client.run(&["snapshots"]);
            assert_eq!((ran.exit, ran.out, ran.complaint), (wrong.exit, wrong.out.clone(), wrong.complaint.clone()), "byte {at}");
            std::fs::remove_file(&name).expect("it is removed");
            tree::write_private(&key, &whole);
        }
    }
    client.ok(&["snapshots"]);
    figure(
        "A4",
        "wrong password",
        &format!("{} damages of the key: the words and the exit code of a wrong password", 2 * cases.len() - 1),
        None,
    );
}
