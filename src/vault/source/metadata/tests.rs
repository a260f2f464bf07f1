//! What is read of entries, kind by kind.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, Mode, XattrFlags};

use super::*;
use crate::vault::source::testing;
use crate::vault::tree::Xattr;

fn read(folder: &Path, name: &str) -> Node {
    let folder = File::open(folder).unwrap();
    let stat = stat_of(folder.as_fd(), name.as_bytes()).unwrap();
    let place = Place::Named { folder: folder.as_fd(), name: name.as_bytes() };
    let (node, failed) = MetadataReader::new(false).node(name.into(), &stat, place).unwrap();
    assert!(failed.is_none(), "{failed:?}");
    node
}

#[test]
fn kinds_and_what_is_in_them_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let of = |name: &str| dir.path().join(name);
    fs::write(of("file"), "four").unwrap();
    fs::create_dir(of("folder")).unwrap();
    symlink(std::ffi::OsStr::from_bytes(b"\xff/.."), of("link")).unwrap();
    rustix::fs::mkfifoat(CWD, of("fifo"), Mode::RUSR | Mode::SUID).unwrap();
    let content = |name| read(dir.path(), name).content;
    assert_eq!(content("file"), Content::File { size_bytes: 4, chunks: Vec::new() });
    assert_eq!(content("folder"), Content::Folder { tree: None });
    assert_eq!(content("link"), Content::Symlink { target: b"\xff/..".to_vec() });
    assert_eq!(content("fifo"), Content::Fifo);
}

#[test]
fn devices_are_read_with_their_numbers() {
    let null = read(Path::new("/dev"), "null");
    assert_eq!(null.content, Content::CharDevice { device: rustix::fs::makedev(1, 3) });
    if !testing::is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let device = rustix::fs::makedev(259, 70_000);
    if let Err(error) = rustix::fs::mknodat(CWD, dir.path().join("disk"), FileType::BlockDevice, Mode::RUSR, device) {
        return testing::skip(&format!("no devices can be made here: {error}"));
    }
    assert_eq!(read(dir.path(), "disk").content, Content::BlockDevice { device });
}

#[test]
fn times_are_exact_before_1970_too_and_access_is_kept_only_where_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, "").unwrap();
    let timespec = |tv_sec| rustix::fs::Timespec { tv_sec, tv_nsec: 999_999_999 };
    let times = rustix::fs::Timestamps { last_access: timespec(7), last_modification: timespec(-2) };
    rustix::fs::utimensat(CWD, &path, &times, AtFlags::empty()).unwrap();
    let file = File::open(&path).unwrap();
    let stat = rustix::fs::fstat(&file).unwrap();
    for (with_atime, accessed) in [(false, -2), (true, 7)] {
        let (node, _) = MetadataReader::new(with_atime).node(b"f".to_vec(), &stat, Place::Open(file.as_fd())).unwrap();
        assert_eq!(node.metadata.modified, Time { seconds: -2, nanos: 999_999_999 });
        assert_eq!(node.metadata.accessed, Time { seconds: accessed, nanos: 999_999_999 });
    }
}

#[test]
fn owner_mode_and_links_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o7641)).unwrap();
    let one = read(dir.path(), "f").metadata;
    assert_eq!((one.mode, one.links, one.device_id), (0o7641, 1, 0));
    fs::hard_link(&path, dir.path().join("g")).unwrap();
    let (one, other) = (read(dir.path(), "f").metadata, read(dir.path(), "g").metadata);
    assert_eq!((one.links, one.inode, one.device_id), (2, other.inode, other.device_id));
    assert_ne!(one.device_id, 0, "with the inode it says which names are one file");
    fs::create_dir(dir.path().join("d")).unwrap();
    let folder = read(dir.path(), "d").metadata;
    assert_eq!((folder.links, folder.device_id), (0, 0), "a folder's links are its folders");
    if testing::is_root() {
        std::os::unix::fs::chown(&path, Some(0), Some(4_000_000_000)).unwrap();
        let owned = read(dir.path(), "f").metadata;
        assert_eq!((owned.uid, owned.user.as_str(), owned.gid, owned.group.as_str()), (0, "root", 4_000_000_000, ""));
    }
}

#[test]
fn attributes_and_acls_come_in_the_order_of_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, "").unwrap();
    // Owner rwx, group r, mask rw, others nothing, user 1 w: as setfacl stores it.
    let entries: [(u16, u16, u32); 5] = [(1, 7, u32::MAX), (2, 2, 1), (4, 4, u32::MAX), (16, 6, u32::MAX), (32, 0, u32::MAX)];
    let acl: Vec<u8> = 2_u32
        .to_le_bytes()
        .into_iter()
        .chain(
            entries
                .iter()
                .flat_map(|(tag, permissions, id)| [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()),
        )
        .collect();
    let long = vec![7; 2_000];
    for (name, value) in [("user.z", &b""[..]), ("user.a", &long), ("system.posix_acl_access", &acl)] {
        if let Err(error) = rustix::fs::setxattr(&path, name, value, XattrFlags::empty()) {
            return testing::skip(&format!("{name} cannot be set here: {error}"));
        }
    }
    let of = |name: &str, value: &[u8]| Xattr { name: name.into(), value: value.into() };
    let expected = [of("system.posix_acl_access", &acl), of("user.a", &long), of("user.z", b"")];
    assert_eq!(read(dir.path(), "f").metadata.xattrs, expected);
    let file = File::open(&path).unwrap();
    let stat = rustix::fs::fstat(&file).unwrap();
    let (node, _) = MetadataReader::new(false).node(b"f".to_vec(), &stat, Place::Open(file.as_fd())).unwrap();
    assert_eq!(node.metadata.xattrs, expected, "by descriptor, too");
    let mut without_proc = MetadataReader { xattrs: XattrReader::without_proc(), ..MetadataReader::new(false) };
    let folder = File::open(dir.path()).unwrap();
    let (node, _) = without_proc.node(b"f".to_vec(), &stat, Place::Named { folder: folder.as_fd(), name: b"f" }).unwrap();
    assert_eq!(node.metadata.xattrs, expected, "and where there is no /proc");
}

#[test]
fn an_entry_whose_attributes_cannot_be_read_is_kept_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), "").unwrap();
    let folder = File::open(dir.path()).unwrap();
    let stat = stat_of(folder.as_fd(), b"f").unwrap();
    fs::remove_file(dir.path().join("f")).unwrap();
    let place = Place::Named { folder: folder.as_fd(), name: b"f" };
    let (node, failed) = MetadataReader::new(false).node(b"f".to_vec(), &stat, place).unwrap();
    assert_eq!((node.metadata.xattrs, node.metadata.inode), (Vec::new(), stat.st_ino));
    assert_eq!(failed.unwrap().raw_os_error(), Some(rustix::io::Errno::NOENT.raw_os_error()));
}
