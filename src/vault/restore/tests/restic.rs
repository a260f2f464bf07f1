//! What stock restic saved comes back as it was: bytes, holes, modes, owners, times, links, attributes.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags};

use super::memory::Memory;
use super::stored::Stored;
use super::{is_root, lines, restored_with, skip};
use crate::vault::restore::Options;

fn restic(folder: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new("restic");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder).env("RESTIC_PASSWORD", "p");
    command.current_dir(folder).arg("--quiet").arg("--no-cache").args(["-r", "repository"]).args(arguments);
    match command.output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(_) => false,
    }
}

/// The text form of an ACL that lets one more user read.
fn acl() -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in [(1_u16, 6_u16, u32::MAX), (2, 4, 1234), (4, 4, u32::MAX), (16, 4, u32::MAX), (32, 0, u32::MAX)] {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn xattr(path: &Path, name: &str, value: &[u8]) {
    // Some file systems have none; then there is nothing to compare.
    let _ = rustix::fs::lsetxattr(path, name, value, XattrFlags::empty());
}

/// One of each kind of entry, with all that restic keeps of it.
fn make_tree(root: &Path) {
    std::fs::create_dir_all(root.join("sub/deeper/empty")).unwrap();
    std::fs::write(root.join("empty"), "").unwrap();
    std::fs::write(root.join("sub/small"), "small").unwrap();
    let large: Vec<u8> = (0..5_000_000_u64).map(|n| ((n * n) >> 7) as u8).collect();
    std::fs::write(root.join("large"), &large).unwrap();
    std::fs::write(root.join(OsStr::from_bytes(b"raw \xff\xfe\n\"\\ \xc3\xa9")), "raw").unwrap();
    for name in ["twin", "sub/twin of another size"] {
        std::fs::write(root.join(name), &large[..300_000]).unwrap();
    }
    let sparse = File::create(root.join("sparse")).unwrap();
    sparse.set_len(30 << 20).unwrap();
    sparse.write_all_at(b"in the middle", 10 << 20).unwrap();
    std::fs::hard_link(root.join("sub/small"), root.join("hard link")).unwrap();
    std::os::unix::fs::symlink("../nowhere", root.join("sub/symlink")).unwrap();
    std::os::unix::fs::symlink("é\n\"", root.join("raw symlink")).unwrap();
    rustix::fs::mkfifoat(CWD, root.join("fifo"), rustix::fs::Mode::from_raw_mode(0o640)).unwrap();
    xattr(&root.join("large"), "user.one", b"\0\x01binary");
    xattr(&root.join("large"), "user.two", b"");
    xattr(&root.join("sub"), "user.folder", b"folder");
    xattr(&root.join("twin"), "system.posix_acl_access", &acl());
    xattr(&root.join("sub/deeper"), "system.posix_acl_default", &acl());
    if is_root() {
        let device = rustix::fs::makedev(7, 99);
        rustix::fs::mknodat(CWD, root.join("device"), rustix::fs::FileType::BlockDevice, 0o660.into(), device).unwrap();
        rustix::fs::mknodat(CWD, root.join("tty"), rustix::fs::FileType::CharacterDevice, 0o600.into(), rustix::fs::makedev(1, 3)).unwrap();
        for (name, owner) in [("twin", 1234), ("sub/deeper", 4321), ("raw symlink", 77), ("fifo", 5), ("large", 9)] {
            std::os::unix::fs::lchown(root.join(name), Some(owner), Some(owner + 1)).unwrap();
        }
        // A capability to bind low ports.
        xattr(&root.join("large"), "security.capability", b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    }
    for (name, mode) in [("sub", 0o2750), ("sub/deeper", 0o1777), ("empty", 0o4755), ("sparse", 0), ("sub/deeper/empty", 0o500)] {
        std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    for (seconds, path) in entries(root).iter().rev().enumerate() {
        let time = |nanos| Timespec { tv_sec: seconds as i64 * 86_400 - 1_000_000, tv_nsec: nanos };
        let times = Timestamps { last_access: time(987_654_321), last_modification: time(123_456_789) };
        rustix::fs::utimensat(CWD, root.join(path), &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}

/// Everything below a folder, folders before what is in them.
fn entries(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut next) = (vec![PathBuf::new()], 0);
    while next < found.len() {
        let at = root.join(&found[next]);
        if std::fs::symlink_metadata(&at).unwrap().is_dir() {
            let mut inner: Vec<_> = std::fs::read_dir(&at).unwrap().map(|entry| found[next].join(entry.unwrap().file_name())).collect();
            inner.sort();
            found.extend(inner);
        }
        next += 1;
    }
    found.remove(0);
    found
}

fn xattrs(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut names = vec![0; 4096];
    let Ok(length) = rustix::fs::llistxattr(path, names.as_mut_slice()) else { return Vec::new() };
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 4096];
        let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).unwrap();
        found.push((name.to_vec(), value[..length].to_vec()));
    }
    found.sort();
    found
}

#[track_caller]
fn assert_same(original: &Path, restored: &Path) {
    let found = entries(original);
    assert_eq!(entries(restored), found);
    let inode = |root: &Path, name: &str| std::fs::metadata(root.join(name)).unwrap().ino();
    assert_eq!(inode(restored, "hard link"), inode(restored, "sub/small"));
    for path in &found {
        let (one, other) = (original.join(path), restored.join(path));
        let (of_one, of_other) = (std::fs::symlink_metadata(&one).unwrap(), std::fs::symlink_metadata(&other).unwrap());
        let facts = |metadata: &Metadata| {
            let kind = metadata.file_type();
            let size = if kind.is_file() { metadata.len() } else { 0 };
            let times = (metadata.mtime(), metadata.mtime_nsec());
            (metadata.mode(), metadata.uid(), metadata.gid(), times, size, metadata.rdev(), kind.is_fifo())
        };
        assert_eq!(facts(&of_other), facts(&of_one), "{}", path.display());
        assert_eq!(xattrs(&other), xattrs(&one), "{}", path.display());
        if of_one.is_symlink() {
            assert_eq!(std::fs::read_link(&other).unwrap(), std::fs::read_link(&one).unwrap());
        } else if of_one.is_file() {
            assert!(of_other.blocks() <= of_one.blocks() + 16, "{}: {} blocks", path.display(), of_other.blocks());
            assert!(std::fs::read(&other).unwrap() == std::fs::read(&one).unwrap(), "{}", path.display());
        }
    }
}

#[test]
fn what_restic_saved_comes_back_as_it_was() {
    for version in ["1", "2"] {
        let folder = tempfile::tempdir().unwrap();
        make_tree(&folder.path().join("original"));
        if !restic(folder.path(), &["init", "--repository-version", version]) {
            return skip("restic is not installed");
        }
        restic(folder.path(), &["backup", "original"]);
        let (stored, tree) = Stored::open(Memory::of_folder(&folder.path().join("repository")));
        let target = folder.path().join("restored");
        for _ in 0..2 {
            let report = restored_with(&stored, tree, &target, &Options { verify: true, ..Options::default() });
            assert!(report.is_complete(), "{:?}", lines(&report));
            assert_same(&folder.path().join("original"), &target.join("original"));
            // All but the empty one and the further name of a file.
            assert_eq!((report.verified, report.files), (6, 7), "version {version}");
        }
    }
    if !is_root() {
        skip("owners and devices are restored by root only");
    }
}
