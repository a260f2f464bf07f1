//! The roads of `docs/disaster.md` that no other file goes: each ends with equal files under the same access URL.

use std::path::Path;
use std::process::Command;

use crate::support::server::TestServer;
use crate::support::tree;

fn copy_tree(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(copied.success());
}

#[test]
fn a_copy_of_the_data_directory_is_the_store() {
    let mut server = TestServer::start();
    let account = server.account();
    account.store("/db/dump", tree::bytes(1, 1_500_000));
    let before = account.list();
    server.stop();
    let copy = server.home().join("copy");
    copy_tree(&server.data(), &copy);
    std::fs::remove_dir_all(server.data()).expect("the disk is lost");
    std::fs::rename(&copy, server.data()).expect("the copy is put in place");
    server.start_again();
    assert_eq!(account.list(), before);
    account.expect_file("/db/dump", &tree::bytes(1, 1_500_000));
    account.put("/db/dump", b"other").expect(405);
}

#[test]
fn blobs_alone_bring_the_whole_store_back() {
    let mut server = TestServer::start();
    let account = server.account();
    let other = server.add_account(&["--retention", "90"]);
    account.store("/a", tree::bytes(1, 1_500_000));
    other.store("/b", b"b");
    let before = (account.list(), other.list());
    server.stop();
    let blobs = server.home().join("blobs-only");
    copy_tree(&server.data().join("blobs"), &blobs);
    std::fs::remove_dir_all(server.data()).expect("the disk is lost");
    std::fs::create_dir(server.data()).expect("a new one is there");
    std::fs::rename(&blobs, server.data().join("blobs")).expect("the blobs are put in place");
    let refused = server.start_in_vain();
    assert!(refused.complaint.contains("catalog rebuild"), "the way out is named: {refused:?}");
    server.run(&["catalog", "rebuild"]).expect_exit(0);
    server.start_again();
    assert_eq!((account.list(), other.list()), before, "identical name, size, times, SHA-256");
    account.expect_file("/a", &tree::bytes(1, 1_500_000));
    other.expect_file("/b", b"b");
}

#[test]
fn a_blob_is_the_uploaded_file_and_its_name_says_its_digest() {
    let mut server = TestServer::start();
    let account = server.account();
    let bytes = tree::bytes(7, 100_000);
    account.store("/dump.sql", &bytes);
    server.stop();
    let blobs = server.blobs(&account);
    assert_eq!(std::fs::read(&blobs[0]).expect("the blob is read without a server"), bytes);
    let name = blobs[0].file_name().expect("it has a name").to_string_lossy().into_owned();
    assert!(name.starts_with("dump.sql@") && name.contains(&tree::sha256(&bytes)), "{name}");
}
