//! All of a tree that a restore must bring back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::tree::sha256;

/// What there is under each path: kind, bytes, mode, owner, time, links, attributes, holes.
pub type Seen = BTreeMap<Vec<u8>, String>;

pub fn seen(root: &Path) -> Seen {
    seen_but(root, |_| false)
}

/// As if entries of these names were not there.
pub fn seen_but(root: &Path, is_passed_over: fn(&[u8]) -> bool) -> Seen {
    let (mut all, mut inodes) = (Seen::new(), BTreeMap::new());
    see(root, root, is_passed_over, &mut inodes, &mut all);
    all
}

fn see(root: &Path, path: &Path, is_passed_over: fn(&[u8]) -> bool, inodes: &mut BTreeMap<u64, usize>, all: &mut Seen) {
    let metadata = std::fs::symlink_metadata(path).expect("it is there");
    // Names of one file have the same number, given in the order of the walk.
    let count = inodes.len();
    let twin = *inodes.entry(metadata.ino()).or_insert(count);
    let (mode, uid, gid) = (metadata.mode(), metadata.uid(), metadata.gid());
    let times = (metadata.mtime(), metadata.mtime_nsec());
    let content = content(path, &metadata);
    let name = path.strip_prefix(root).expect("it is below").as_os_str().as_bytes().to_vec();
    all.insert(name, format!("{mode:o} {uid} {gid} {times:?} {twin} {content} {}", attributes(path)));
    if metadata.is_dir() {
        let mut names: Vec<_> = std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
        names.retain(|name| !is_passed_over(name.as_bytes()));
        names.sort();
        names.iter().for_each(|name| see(root, &path.join(name), is_passed_over, inodes, all));
    }
}

fn content(path: &Path, metadata: &Metadata) -> String {
    if metadata.is_symlink() {
        return format!("to {:?}", std::fs::read_link(path).expect("a link"));
    }
    if !metadata.is_file() {
        return format!("device {}", if metadata.is_dir() { 0 } else { metadata.rdev() });
    }
    let has_holes = metadata.blocks() * 512 < metadata.len() / 2;
    format!("{} bytes {} {}", metadata.len(), sha256(&std::fs::read(path).expect("a file")), if has_holes { "with holes" } else { "" })
}

fn attributes(path: &Path) -> String {
    let mut names = vec![0; 4096];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap_or(0);
    let mut found: Vec<String> = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 4096];
        let length = rustix::fs::lgetxattr(path, OsStr::from_bytes(name), &mut value[..]).expect("an attribute");
        found.push(format!("{}={:?}", String::from_utf8_lossy(name), &value[..length]));
    }
    found.sort();
    found.join(" ")
}
