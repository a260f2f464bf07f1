//! Metadata on each kind of entry, and what folders pass on.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::XattrFlags;

use super::{Attributes, NewFile, Placed, Special, Target};
use crate::vault::tree::{Time, Xattr};

fn attributes(xattrs: &[Xattr]) -> Attributes<'_> {
    Attributes {
        mode: 0o640,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        modified: Time { seconds: -5, nanos: 999_999_999 },
        accessed: Time { seconds: 4_000_000_000, nanos: 1 },
        xattrs,
    }
}

#[track_caller]
fn has_times(path: &Path) {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    let found = (metadata.mtime(), metadata.mtime_nsec(), metadata.atime(), metadata.atime_nsec());
    assert_eq!(found, (-5, 999_999_999, 4_000_000_000, 1), "{}", path.display());
}

fn placed<'a>(target: &'a Target, name: &'a [u8]) -> Placed<'a> {
    Placed { folder: target.root(), name, temporary: b"temporary", replace: true }
}

#[test]
fn times_are_set_to_the_nanosecond_on_everything() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::create(folder.path()).unwrap();
    let (mut troubles, attributes, owner) = (Vec::new(), attributes(&[]), target.owner());
    placed(&target, b"symlink").make(Special::Symlink { target: b"nowhere" }, &attributes, owner, &mut troubles).unwrap();
    placed(&target, b"fifo").make(Special::Fifo, &attributes, owner, &mut troubles).unwrap();
    target.root().make(b"folder").unwrap();
    let new = NewFile::create(target.root(), b"temporary", target.has_nameless()).unwrap();
    new.finish(target.root(), (b"temporary", b"file"), &attributes, true, owner, &mut troubles).unwrap();
    target.root().open(b"folder").unwrap().finish(&attributes, owner, &mut troubles);
    assert!(troubles.is_empty(), "{troubles:?}");
    for name in ["symlink", "fifo", "file", "folder"] {
        has_times(&folder.path().join(name));
    }
    for name in ["fifo", "file", "folder"] {
        assert_eq!(std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o7777, 0o640, "{name}");
    }
}

#[test]
fn attributes_of_a_symlink_are_its_own() {
    if !rustix::process::geteuid().is_root() {
        return crate::vault::restore::skip("only root gives attributes to symlinks");
    }
    let folder = tempfile::tempdir().unwrap();
    let target = Target::create(folder.path()).unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let xattrs = [Xattr { name: b"trusted.mine".to_vec(), value: b"of the symlink".to_vec() }];
    let mut troubles = Vec::new();
    let symlink = placed(&target, b"symlink");
    symlink.make(Special::Symlink { target: b"file" }, &attributes(&xattrs), target.owner(), &mut troubles).unwrap();
    assert!(troubles.is_empty(), "{troubles:?}");
    let mut value = [0; 64];
    let length = rustix::fs::lgetxattr(folder.path().join("symlink"), "trusted.mine", value.as_mut_slice()).unwrap();
    assert_eq!(&value[..length], b"of the symlink");
    assert!(rustix::fs::getxattr(folder.path().join("file"), "trusted.mine", value.as_mut_slice()).is_err());
}

#[test]
fn what_a_folder_passes_on_does_not_stay_on_what_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    // Everybody of group 1234 may read what is made here.
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in [(1_u16, 7_u16, u32::MAX), (4, 0, u32::MAX), (8, 7, 1234), (16, 7, u32::MAX), (32, 0, u32::MAX)] {
        acl.extend([tag.to_le_bytes(), permissions.to_le_bytes()].concat());
        acl.extend(id.to_le_bytes());
    }
    if rustix::fs::setxattr(folder.path(), "system.posix_acl_default", &acl, XattrFlags::empty()).is_err() {
        return crate::vault::restore::skip("the temporary folder is on a file system without ACLs");
    }
    let target = Target::create(folder.path()).unwrap();
    let (mut troubles, attributes, owner) = (Vec::new(), attributes(&[]), target.owner());
    target.root().make(b"folder").unwrap();
    target.root().open(b"folder").unwrap().finish(&attributes, owner, &mut troubles);
    let new = NewFile::create(target.root(), b"temporary", target.has_nameless()).unwrap();
    new.finish(target.root(), (b"temporary", b"file"), &attributes, true, owner, &mut troubles).unwrap();
    assert!(troubles.is_empty(), "{troubles:?}");
    let mut value = [0; 64];
    for (name, attribute) in
        [("folder", "system.posix_acl_access"), ("folder", "system.posix_acl_default"), ("file", "system.posix_acl_access")]
    {
        assert!(rustix::fs::getxattr(folder.path().join(name), attribute, value.as_mut_slice()).is_err(), "{name} {attribute}");
    }
}

#[test]
fn nothing_is_opened_through_a_symlink_or_above() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("target/inner")).unwrap();
    std::fs::write(folder.path().join("file"), "outside").unwrap();
    for (link, to) in [("up", ".."), ("absolute", "/"), ("inside", "inner"), ("proc", "/proc/self/cwd"), ("file", "../file")] {
        std::os::unix::fs::symlink(to, folder.path().join("target").join(link)).unwrap();
    }
    let target = Target::open(&folder.path().join("target")).unwrap();
    let root = target.root();
    assert!(root.open(b"inner").is_ok());
    for path in [&b".."[..], b"up", b"up/target", b"absolute", b"inside", b"proc", b"inner/../..", b"/", b"inside/.."] {
        assert!(root.open(path).is_err(), "{}", String::from_utf8_lossy(path));
        assert!(root.read(path).is_err(), "{}", String::from_utf8_lossy(path));
    }
    assert!(root.read(b"file").is_err());
    assert!(NewFile::create(root, b"file", false).is_err());
    assert!(NewFile::reopen(root, b"file").is_err());
    assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), b"outside");
}

#[test]
fn a_new_file_takes_its_name_or_the_place_of_what_has_it_and_of_nothing_when_it_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::create(folder.path()).unwrap();
    let (root, owner) = (target.root(), target.owner());
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    for nameless in [target.has_nameless(), false] {
        assert_eq!(names(), ["folder"], "looking leaves nothing");
        let make = |text: &str, name: &[u8], replace, lie_down| {
            let new = NewFile::create(root, b"temporary", nameless).unwrap();
            new.write_at(0, text.as_bytes()).unwrap();
            assert_eq!(names().contains(&"temporary".into()), !nameless);
            let new = if lie_down {
                new.lay_down(root, b"temporary").unwrap();
                NewFile::reopen(root, b"temporary").unwrap()
            } else {
                new
            };
            let finished = new.finish(root, (b"temporary", name), &attributes(&[]), replace, owner, &mut Vec::new());
            assert!(!names().contains(&"temporary".into()), "nothing is left under the temporary name");
            finished
        };
        make("first", b"name", false, false).unwrap();
        assert!(make("second", b"name", false, false).is_err());
        assert!(make("second", b"name", false, true).is_err());
        assert_eq!(std::fs::read(folder.path().join("name")).unwrap(), b"first");
        make("third", b"name", true, false).unwrap();
        assert_eq!(std::fs::read(folder.path().join("name")).unwrap(), b"third");
        make("fourth", b"name", true, true).unwrap();
        assert_eq!(std::fs::read(folder.path().join("name")).unwrap(), b"fourth");
        assert!(make("fifth", b"folder", true, false).is_err());
        std::fs::remove_file(folder.path().join("name")).unwrap();
    }
}
