//! A walk finds what stock restic saves of the same sources with the same options: the same tree, entry for entry.

use std::os::unix::fs::{FileExt, PermissionsExt};

use rustix::fs::{Mode, XattrFlags};
use serde_json::Value;

use super::*;
use crate::vault::id::Id;
use crate::vault::source::exclude::{Exclude, TagFile};
use crate::vault::source::pattern::Patterns;
use crate::vault::source::testing::{self, Restic};
use crate::vault::tree::{Content, Tree};

/// Path in the backup, and node, of everything in a tree of restic's.
fn theirs(restic: &Restic, id: &str, path: &str, found: &mut Vec<(String, Node)>) {
    let text = testing::output(restic.command().args(["cat", "blob", id]));
    for node in Tree::parse(text.as_bytes(), &Id::of(text.as_bytes())).unwrap().nodes {
        let path = format!("{path}/{}", node.name.escape_ascii());
        let below = if let Content::Folder { tree } = &node.content { *tree } else { None };
        found.push((path.clone(), node));
        if let Some(tree) = below {
            theirs(restic, &tree.to_string(), &path, found);
        }
    }
}

/// The same of a walk.
fn ours(sources: &[PathBuf], select: &dyn Select) -> Vec<(String, Node)> {
    let mut found = Vec::new();
    let mut path = String::new();
    let walk = Walk { select, cancel: &Cancel::default(), with_atime: false };
    walk.run(sources, &mut |step| {
        match step {
            Step::Enter { name, .. } => path.push_str(&format!("/{}", name.escape_ascii())),
            Step::Entry(entry) => found.push((format!("{path}/{}", entry.node.name.escape_ascii()), entry.node)),
            Step::Leave { node, .. } => {
                found.push((path.clone(), node));
                path.truncate(path.rfind('/').unwrap());
            }
            Step::Failed(failure) => panic!("{failure:?}"),
        }
        Ok(())
    })
    .unwrap();
    found
}

/// Without contents, and without what restic 0.14 keeps otherwise: it has the device of every entry, no count of links of a FIFO, no
/// attributes of a link, and attributes in the order in which the system tells them.
fn comparable(mut found: Vec<(String, Node)>) -> Vec<(String, Node)> {
    for (_, node) in &mut found {
        node.metadata.device_id = 0;
        node.metadata.xattrs.sort_by(|one, other| one.name.cmp(&other.name));
        match &mut node.content {
            Content::File { chunks, .. } => chunks.clear(),
            Content::Folder { tree } => *tree = None,
            Content::Fifo => node.metadata.links = 0,
            _ => {}
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

fn make(dir: &Path) {
    let of = |name: &str| dir.join(name);
    for folder in ["one/cache", "one/marked/deep", "one/empty", "two"] {
        fs::create_dir_all(of(folder)).unwrap();
    }
    fs::write(of("one/cache/CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55 and more").unwrap();
    fs::write(of("one/CACHEDIR.TAG"), "Signature: of something else, so that this folder is kept").unwrap();
    for file in ["one/cache/x", "one/marked/.nobackup", "one/marked/deep/x", "one/a.o", "one/b.O", "two/f", "two/g.tmp", "one/big"] {
        fs::write(of(file), file).unwrap();
    }
    fs::File::create(of("one/big")).unwrap().write_all_at(b"x", 5_000).unwrap();
    fs::hard_link(of("two/f"), of("two/hard")).unwrap();
    fs::set_permissions(of("two/f"), fs::Permissions::from_mode(0o6751)).unwrap();
    symlink("nowhere/\u{e9}", of("two/link")).unwrap();
    symlink("one", of("link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, of("two/fifo"), Mode::RUSR).unwrap();
    let before_1970 = rustix::fs::Timespec { tv_sec: -3, tv_nsec: 250_000_000 };
    let times = rustix::fs::Timestamps { last_access: before_1970, last_modification: before_1970 };
    rustix::fs::utimensat(rustix::fs::CWD, of("two/g.tmp"), &times, rustix::fs::AtFlags::empty()).unwrap();
    for name in ["user.z", "user.a"] {
        if let Err(error) = rustix::fs::setxattr(of("two/f"), name, b"\0\xff", XattrFlags::empty()) {
            testing::skip(&format!("no extended attributes here: {error}"));
        }
    }
}

#[test]
fn restic_saves_the_same_entries() {
    let Some(restic) = Restic::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let sources = ["link", "one", "two/f", "two"].map(|name| dir.path().join(name));
    let options = ["--exclude-caches", "--exclude-if-present", ".nobackup", "--exclude-larger-than", "4k", "--iexclude", "*.o"];
    let exclude = Exclude {
        patterns: vec![Patterns::parse_ignoring_case(&["*.o"]).unwrap()],
        tag_files: vec![TagFile::of_caches(), TagFile::parse(b".nobackup").unwrap()],
        larger_than_bytes: Some(4_096),
        one_file_system: true,
    };
    // Reading leaves no trace in what is compared, so that it does not matter who is the first.
    testing::output(restic.command().args(["backup", "--one-file-system"]).args(options).args(&sources));
    let snapshots: Value = serde_json::from_str(&testing::output(restic.command().args(["snapshots", "--json"]))).unwrap();
    let mut found = Vec::new();
    theirs(&restic, snapshots[0]["tree"].as_str().unwrap(), "", &mut found);
    let (theirs, ours) = (comparable(found), comparable(ours(&sources, &exclude)));
    let paths = |of: &[(String, Node)]| of.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&ours), paths(&theirs));
    let top = dir.path().to_str().unwrap();
    for ((path, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        // The folders above are other tests' too, and change.
        assert!(ours == theirs || top.starts_with(path) && path != top, "{path}: {ours:?} {theirs:?}");
    }
    assert!(paths(&ours).iter().any(|path| path.ends_with("/one/cache/CACHEDIR.TAG")));
    for left_out in ["cache/x", "marked/deep", "a.o", "b.O", "big"] {
        assert!(!paths(&ours).iter().any(|path| path.ends_with(left_out)), "{left_out}");
    }
}
