//! What only a file system can show.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::DiskBlobs;
use crate::store::blobs::contract::{key, publish, read, walk};
use crate::store::blobs::{BlobFault, Blobs as _, Found};

fn open() -> (DiskBlobs, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("blobs");
    (DiskBlobs::open(&root).expect("the temporary folder takes blobs"), root, folder)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

#[test]
fn folders_are_0700_and_files_0600() {
    let (blobs, root, _folder) = open();
    let key = key("/a/b");
    publish(&blobs, &key, b"bytes");
    blobs.put_control("copy", b"bytes").expect("stored");
    for path in ["", ".staging", ".control", "Y21R3P", "Y21R3P/a"] {
        assert_eq!(mode(&root.join(path)), 0o700, "{path}");
    }
    assert_eq!(mode(&root.join(key.to_path())), 0o600);
    assert_eq!(mode(&root.join(".control/copy")), 0o600);
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).expect("ours");
    DiskBlobs::open(&root).expect("it opens again");
    assert_eq!(mode(&root), 0o700, "opening closes it to others again");
}

#[test]
fn empty_folders_go_with_their_last_blob() {
    let (blobs, root, _folder) = open();
    let (deep, other) = (key("/a/b/c/d"), key("/a/x"));
    publish(&blobs, &deep, b"");
    publish(&blobs, &other, b"");
    blobs.remove(&deep).expect("removed");
    assert_eq!(names(&root.join("Y21R3P/a")).len(), 1);
    blobs.remove(&other).expect("removed");
    assert_eq!(names(&root), [".control", ".staging"]);
    // A removal that was cut off after the unlink left the folders behind.
    std::fs::create_dir_all(root.join("Y21R3P/a/b/c")).expect("made");
    blobs.remove(&deep).expect("removed");
    assert_eq!(names(&root), [".control", ".staging"]);
}

#[test]
fn a_killed_writers_files_are_cleared_and_others_stay() {
    let (blobs, root, _folder) = open();
    let living = blobs.stage().expect("a staging file");
    std::fs::write(root.join(".staging/left-over"), b"bytes").expect("written");
    std::fs::write(root.join(".staging/probe-left-over"), b"").expect("written");
    std::fs::create_dir(root.join(".staging/folder")).expect("made");
    let second = DiskBlobs::open(&root).expect("a command opens beside the server");
    assert!(!names(&root.join(".staging")).contains(&"probe-left-over".to_owned()), "opening clears what probes left");
    assert_eq!(second.clear_staging().expect("cleared"), 1, "another opening knows the living too");
    assert_eq!(names(&root.join(".staging")).len(), 2, "the living one, and a folder that we did not make");
    drop(living);
    assert_eq!(names(&root.join(".staging")), ["folder"]);
}

#[test]
fn a_dropped_handle_removes_no_file_but_its_own() {
    let (blobs, root, _folder) = open();
    let staged = blobs.stage().expect("a staging file");
    let name = names(&root.join(".staging")).pop().expect("one staging file");
    let kept = key("/a");
    staged.publish(&kept).expect("published");
    std::fs::write(root.join(".staging").join(&name), b"another").expect("written");
    assert_eq!(read(&blobs, &kept), b"");
    assert_eq!(names(&root.join(".staging")), [name]);
}

#[test]
fn a_lost_staging_file_fails_its_publish_and_ends() {
    let (blobs, root, _folder) = open();
    let staged = blobs.stage().expect("a staging file");
    let name = names(&root.join(".staging")).pop().expect("one staging file");
    std::fs::remove_file(root.join(".staging").join(name)).expect("removed");
    assert_eq!(staged.publish(&key("/a")).expect_err("nothing to publish").fault, BlobFault::Failed);
}

#[test]
fn only_a_plain_file_is_a_blob() {
    let (blobs, root, folder) = open();
    let (target, directory, link, fifo, below) = (key("/target"), key("/directory"), key("/link"), key("/fifo"), key("/file/below"));
    publish(&blobs, &target, b"bytes");
    std::fs::create_dir(root.join(directory.to_path())).expect("made");
    symlink(root.join(target.to_path()), root.join(link.to_path())).expect("linked");
    rustix::fs::mknodat(rustix::fs::CWD, root.join(fifo.to_path()), rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("made");
    assert!(std::fs::metadata(root.join(fifo.to_path())).expect("there").file_type().is_fifo());
    std::fs::write(root.join("Y21R3P/file"), b"").expect("written");
    symlink(folder.path(), root.join("Z00000")).expect("linked");
    for key in [&directory, &link, &fifo, &below] {
        assert_eq!(blobs.open(key).err().expect("no blob").fault, BlobFault::Failed, "{key:?}");
    }
    assert_eq!(blobs.stage().expect("staged").publish(&below).expect_err("a file is in the way").fault, BlobFault::Failed);
    assert_eq!(blobs.remove(&directory).expect_err("no blob").fault, BlobFault::Failed);
    let found = walk(&blobs);
    assert_eq!(found.iter().filter(|found| matches!(found, Found::Blob { .. })).count(), 1);
    assert_eq!(found.len(), 6, "{found:?}");
}

#[test]
fn names_that_are_no_text_are_foreign() {
    let (blobs, root, _folder) = open();
    std::fs::write(root.join(OsStr::from_bytes(b"\xff\xfe")), b"").expect("written");
    std::fs::create_dir_all(root.join("lost+found/below")).expect("made");
    let mut paths: Vec<String> = walk(&blobs).into_iter().map(|found| format!("{found:?}")).collect();
    paths.sort_unstable();
    assert_eq!(paths, [r#"Foreign { path: "lost+found" }"#, "Foreign { path: \"\u{fffd}\u{fffd}\" }"]);
}

#[test]
fn a_walk_survives_folders_that_vanish() {
    let (blobs, root, _folder) = open();
    for number in 0..300 {
        publish(&blobs, &key(&format!("/{number}/x")), b"");
    }
    let mut seen = 0;
    let visit = &mut |_| {
        if seen == 0 {
            std::fs::remove_dir_all(root.join("Y21R3P")).expect("removed");
        }
        seen += 1;
        true
    };
    blobs.walk(visit).expect("what is gone is passed over");
    assert!(seen >= 1);
}

#[test]
fn a_folder_made_anew_is_synced_anew() {
    let (blobs, _root, _folder) = open();
    let key = key("/a/b");
    publish(&blobs, &key, b"");
    assert!(blobs.root.durable.holds("Y21R3P/a") && blobs.root.durable.holds("Y21R3P"));
    blobs.remove(&key).expect("removed");
    assert!(!blobs.root.durable.holds("Y21R3P/a") && !blobs.root.durable.holds("Y21R3P"));
}

#[test]
fn a_root_without_its_parent_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = folder.path().join("a/b");
    assert_eq!(DiskBlobs::open(&missing).err().expect("nowhere to make it").fault, BlobFault::NotFound);
    let file = folder.path().join("file");
    std::fs::write(&file, b"").expect("written");
    assert_eq!(DiskBlobs::open(&file).err().expect("a file is in the way").fault, BlobFault::Failed);
}
