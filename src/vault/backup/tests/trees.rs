//! Any tree, after any edits, comes back from any of its snapshots.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::{check, restored, save};
use crate::vault::testing::{Vault, bytes};

/// One change of a tree. Numbers choose among the names that there may be.
#[derive(Clone, Debug)]
enum Edit {
    Write { name: usize, seed: u64, length: usize },
    Append { name: usize, seed: u64 },
    Remove { name: usize },
    Link { name: usize, to: usize },
    Symlink { name: usize, to: usize },
    Folder { name: usize },
    Mode { name: usize, mode: u32 },
    Time { name: usize, seconds: u64, nanos: u32 },
    Xattr { name: usize, value: Vec<u8> },
    Rename { name: usize, to: usize },
}

const NAMES: [&[u8]; 8] = [b"a", b"b", b"folder/c", b"folder/d", b"folder/deep/e", b"latin \xe9", b"new\nline", b"folder/\"quoted\\"];

fn edit() -> impl Strategy<Value = Edit> {
    let name = 0..NAMES.len();
    let length = prop_oneof![Just(0), 1_usize..5_000, Just(700_000), Just(3 << 20)];
    prop_oneof![
        4 => (name.clone(), any::<u64>(), length).prop_map(|(name, seed, length)| Edit::Write { name, seed, length }),
        2 => (name.clone(), any::<u64>()).prop_map(|(name, seed)| Edit::Append { name, seed }),
        1 => name.clone().prop_map(|name| Edit::Remove { name }),
        1 => (name.clone(), name.clone()).prop_map(|(name, to)| Edit::Link { name, to }),
        1 => (name.clone(), name.clone()).prop_map(|(name, to)| Edit::Symlink { name, to }),
        1 => name.clone().prop_map(|name| Edit::Folder { name }),
        1 => (name.clone(), 0_u32..0o1000).prop_map(|(name, mode)| Edit::Mode { name, mode: mode | 0o600 }),
        1 => (name.clone(), 0_u64..2_000_000_000, 0_u32..1_000_000_000)
            .prop_map(|(name, seconds, nanos)| Edit::Time { name, seconds, nanos }),
        1 => (name.clone(), proptest::collection::vec(any::<u8>(), 0..50)).prop_map(|(name, value)| Edit::Xattr { name, value }),
        1 => (name.clone(), name).prop_map(|(name, to)| Edit::Rename { name, to }),
    ]
}

/// Does it where it can be done; an edit of what is not there is none.
fn apply(root: &Path, edit: &Edit) {
    let path = |name: usize| root.join(std::ffi::OsStr::from_bytes(NAMES[name]));
    let make_room = |name: usize| {
        let path = path(name);
        let _ = fs::create_dir_all(path.parent().unwrap());
        let _ = fs::remove_file(&path);
    };
    match edit {
        Edit::Write { name, seed, length } => {
            make_room(*name);
            let _ = fs::write(path(*name), bytes(*seed, *length));
        }
        Edit::Append { name, seed } => {
            if let Ok(mut before) = fs::read(path(*name)) {
                before.extend(bytes(*seed, 1_000));
                let _ = fs::write(path(*name), before);
            }
        }
        Edit::Remove { name } => drop(fs::remove_file(path(*name)).or_else(|_| fs::remove_dir_all(path(*name)))),
        Edit::Link { name, to } if name != to && path(*name).is_file() => {
            make_room(*to);
            let _ = fs::hard_link(path(*name), path(*to));
        }
        Edit::Symlink { name, to } => {
            make_room(*name);
            let _ = symlink(std::ffi::OsStr::from_bytes(NAMES[*to]), path(*name));
        }
        Edit::Folder { name } => drop(fs::create_dir_all(path(*name))),
        Edit::Mode { name, mode } => {
            let is_folder = path(*name).is_dir();
            let mode = if is_folder { mode | 0o700 } else { *mode };
            let _ = fs::set_permissions(path(*name), fs::Permissions::from_mode(mode));
        }
        Edit::Time { name, seconds, nanos } => {
            if let Ok(file) = fs::File::open(path(*name)) {
                let _ = file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(*seconds, *nanos));
            }
        }
        Edit::Xattr { name, value } => {
            if let Ok(file) = fs::File::open(path(*name)) {
                let _ = rustix::fs::fsetxattr(&file, "user.strongroom", value, rustix::fs::XattrFlags::empty());
            }
        }
        Edit::Rename { name, to } => drop(fs::rename(path(*name), path(*to))),
        Edit::Link { .. } => {}
    }
}

/// All of a tree that must come back: kind, bytes, mode, owner, time, links, attributes.
fn seen(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut all = BTreeMap::new();
    let mut inodes = BTreeMap::new();
    see(root, root, &mut inodes, &mut all);
    all
}

fn see(root: &Path, path: &Path, inodes: &mut BTreeMap<u64, usize>, all: &mut BTreeMap<Vec<u8>, String>) {
    let metadata = fs::symlink_metadata(path).unwrap();
    let content = if metadata.is_symlink() {
        format!("to {:?}", fs::read_link(path).unwrap())
    } else if metadata.is_file() {
        crate::vault::id::Id::of(&fs::read(path).unwrap()).hex()
    } else {
        String::new()
    };
    let mut value = [0; 100];
    let xattr = match rustix::fs::lgetxattr(path, "user.strongroom", &mut value[..]) {
        Ok(length) => format!("{:?}", &value[..length]),
        Err(_) => String::new(),
    };
    // Names of one file have the same number, given in the order of the walk. Names of one link come back as links of their own, as
    // restic has it.
    let count = inodes.len();
    let twin = if metadata.is_file() { *inodes.entry(metadata.ino()).or_insert(count) } else { 0 };
    let (mode, uid, gid) = (metadata.mode(), metadata.uid(), metadata.gid());
    let times = (metadata.mtime(), metadata.mtime_nsec());
    let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
    all.insert(name, format!("{mode:o} {uid} {gid} {times:?} {twin} {content} {xattr}"));
    if metadata.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names.iter().for_each(|name| see(root, &path.join(name), inodes, all));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 12 }, ..ProptestConfig::default() })]
    #[test]
    fn every_snapshot_gives_back_its_tree(rounds in proptest::collection::vec(proptest::collection::vec(edit(), 1..12), 1..5)) {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::create_dir(&source).unwrap();
        let vault = Vault::new();
        let mut kept = Vec::new();
        for edits in &rounds {
            edits.iter().for_each(|edit| apply(&source, edit));
            let report = save(&vault, &source, kept.last().map(|(report, _)| report));
            kept.push((report, seen(&source)));
        }
        check(&vault);
        for (number, (report, tree)) in kept.iter().enumerate() {
            let target = dir.path().join(format!("restored {number}"));
            let found = restored(&vault, report, &source, &target);
            prop_assert_eq!(&seen(&found), tree);
        }
    }
}
