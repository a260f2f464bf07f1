//! A restore onto a disk that is too small: it costs the files that did not fit, and leaves nothing half done.

use std::path::Path;

use crate::support::client::{Client, answer, below, failures, text};
use crate::support::disk::Disk;
use crate::support::figure::figure;
use crate::support::{skip_without_root, tree};

const ENOSPC: i64 = 28;

#[test]
fn a_full_disk_costs_the_files_that_do_not_fit() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = home.path().join("source");
    std::fs::create_dir_all(source.join("folder")).expect("a folder is made");
    for number in 0..60 {
        let name = format!("{}{number:02}", if number % 3 == 0 { "folder/" } else { "" });
        std::fs::write(source.join(name), tree::bytes(number, 300_000)).expect("a file is written");
    }
    std::fs::write(source.join("huge"), tree::bytes(99, 12 << 20)).expect("a file is written");
    let client = Client::at(home.path().join("repository"));
    client.ok(&["init"]);
    client.backup(&source);
    let mut told = Vec::new();
    for options in ["size=8m", "size=600k", "size=64m,nr_inodes=30"] {
        let at = home.path().join("small");
        let Some(disk) = Disk::mount(&at, options) else { return skip_without_root("a tmpfs is mounted") };
        let target = at.join("target");
        let ran = client.run(&["restore", "latest", "--target", text(&target)]).expect_exit(3);
        let named = failures(&answer(&ran));
        assert!(named.iter().all(|(_, errno)| *errno == Some(ENOSPC)), "{options}: {named:?}");
        let restored = below(&target, &source);
        let mut whole = 0;
        for file in tree::files_below(&source) {
            let name = file.strip_prefix(&source).expect("below");
            let there = restored.join(name);
            let in_snapshot = Path::new("/").join(file.strip_prefix("/").expect("a whole path"));
            let is_named = named.iter().any(|(path, _)| in_snapshot.starts_with(path));
            let is_right = std::fs::read(&there).is_ok_and(|bytes| bytes == std::fs::read(&file).expect("it is there"));
            assert!(is_right != is_named, "{options}: {} is there: {}, named: {is_named}", name.display(), there.exists());
            assert!(is_right || !there.exists(), "{options}: {} is half", name.display());
            whole += u64::from(is_right);
        }
        let there = tree::files_below(&at);
        assert_eq!(there.len() as u64, whole, "{options}: nothing beside what is whole: {there:?}");
        // A few files that would have fitted may have failed while larger ones took their room for a moment.
        assert!(whole >= 1, "{options}: {named:?}");
        told.push(format!("{options}: {whole} of 61 whole"));
        drop(disk);
    }
    figure("A2", "full disk at restore", &format!("{}; the others named with ENOSPC, no temporary file left", told.join(", ")), None);
}
