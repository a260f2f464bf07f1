//! The places that keep a vault, through the library: a folder, this server, and rclone, all under one contract; and what stock restic
//! says of what was written there.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use strongroom::vault::backend::location::Location;
use strongroom::vault::backend::options::{Options, Pin, Retries, Trust};
use strongroom::vault::backend::{Backend, Kind, Name, open};
use strongroom::vault::error::Error;
use strongroom::vault::id::Id;

use crate::support::account::Account;
use crate::support::clock::{SECOND, TestClock};
use crate::support::disk::Disk;
use crate::support::postgres::free_port;
use crate::support::restic::{Restic, planted, vault};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, eventually, program, skip, skip_without_root, tls, tree};

#[path = "../../src/vault/backend/contract.rs"]
mod contract;

/// For tests that want to hear soon what does not work.
fn impatient() -> Options {
    let wait = Duration::from_millis(10);
    Options { retries: Retries { first_wait: wait, longest_wait: wait, longest_asked: wait, in_all: SOON }, ..Options::default() }
}

fn place(repository: &str, options: &Options) -> Box<dyn Backend> {
    open(&Location::parse(repository).expect("a location"), options).expect("a place")
}

fn at(account: &Account, path: &str) -> Box<dyn Backend> {
    place(&account.url(path), &impatient())
}

/// How this server's own certificate is believed.
fn by_file(server: &TestServer) -> Options {
    Options { trust: Trust::CaFile(server.data().join("tls/cert.pem")), ..impatient() }
}

fn by_pin(pin: &str) -> Options {
    Options { trust: Trust::Pin(pin.parse().expect("a pin")), ..impatient() }
}

#[track_caller]
fn expect_refused<T: std::fmt::Debug>(outcome: Result<T, Error>, words: &str, secret: &str) {
    let error = outcome.expect_err("a refusal");
    let told = format!("{error} {error:?}");
    assert!(matches!(error, Error::Refused(_)) && told.contains(words), "{told}");
    assert!(!told.contains(secret), "{told}");
}

#[test]
fn a_vault_account_keeps_the_contract() {
    for server in TestServer::each_catalog() {
        let account = vault(&server);
        contract::holds(&*at(&account, "/"));
        contract::holds(&*at(&account, "/another/repository"));
    }
}

#[test]
fn a_vault_account_keeps_the_contract_within_tls() {
    let server = Setup::new().tls().start();
    let account = vault(&server);
    contract::holds(&*place(&account.url("/"), &by_file(&server)));
    contract::holds_for_twins(&*place(&account.url("/"), &by_file(&server)));
}

#[test]
fn a_server_of_rclone_keeps_the_contract() {
    let Some(rclone) = program(&["rclone"]) else { return skip("rclone is not installed") };
    let home = tempfile::tempdir().expect("a temporary folder");
    let port = free_port();
    let mut command = Command::new(rclone);
    command.args(["serve", "restic", "--addr", &format!("127.0.0.1:{port}"), "--user", "USER", "--pass", "p/w"]).arg(home.path());
    command.env("RCLONE_CONFIG", home.path().join("none")).stdout(Stdio::null()).stderr(Stdio::null());
    let _server = Ended(command.spawn().expect("rclone runs"));
    eventually("rclone listens", SOON, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    contract::holds(&*place(&format!("rest:http://USER:p%2Fw@127.0.0.1:{port}/repository"), &impatient()));
}

/// Ended when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop((self.0.kill(), self.0.wait()));
    }
}

#[test]
fn a_server_is_believed_by_its_certificate_file_or_by_the_pin_and_else_not() {
    let server = Setup::new().tls().start();
    let account = vault(&server);
    let url = account.url("/");
    let certificate = CertificateDer::from_pem_slice(&tls::own_certificate(&server.data())).expect("a certificate");
    let pin = tree::sha256(&certificate);
    for options in [by_file(&server), by_pin(&pin), by_pin(&pin.to_uppercase())] {
        assert_eq!(place(&url, &options).list(Kind::Key).expect("a list"), []);
    }
    let other = tempfile::tempdir().expect("a temporary folder");
    tls::write_pair(other.path(), 2100);
    let by_other_file = Options { trust: Trust::CaFile(other.path().join("cert.pem")), ..impatient() };
    for options in [by_pin(&tree::sha256(b"another certificate")), by_other_file, impatient()] {
        expect_refused(place(&url, &options).list(Kind::Key), "certificate", &account.password);
    }
    expect_refused(place(&url, &by_pin(&Pin([7; 32]).to_string())).create(), &pin, &account.password);
    let log = server.log();
    assert!(log.matches("path=\"/keys/\"").count() <= 3 && !log.contains("method=\"POST\""), "only who believed it asked it\n{log}");
}

#[test]
fn an_access_url_is_taken_in_every_spelling() {
    let server = Setup::new().tls().start();
    let account = vault(&server);
    let url = account.url("");
    let written = Name::Of(Kind::Index, Id::of(b"index"));
    place(&url, &by_file(&server)).save(written, Bytes::from_static(b"index")).expect("it is stored");
    let (_, rest) = url.split_once("://").expect("a URL");
    let encoded: String = account.password.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let by_address = |host: &str| url.replace("localhost", host);
    for spelling in [
        format!("{url}/"),
        format!("rest:{url}"),
        format!("rest:{url}/"),
        format!("HTTPS://{rest}"),
        url.replace(&account.password, &encoded),
        by_address("LOCALHOST"),
        by_address("127.0.0.1"),
    ] {
        let place = place(&spelling, &by_file(&server));
        assert_eq!(place.read(written, None).expect("the index"), "index");
        assert!(!place.location().contains(&account.password), "{}", place.location());
    }
    let session = format!("{}{}", account.site.origin(), account.make_session());
    let reading = place(&session, &by_file(&server));
    assert_eq!(reading.read(written, Some(1..3)).expect("a part of the index"), "nd");
    assert_eq!(reading.list(Kind::Index).expect("a list").len(), 1);
    assert!(session.len() > 40 && !reading.location().contains(&session[session.len() - 20..]), "{}", reading.location());
    expect_refused(reading.remove(written), "", &session[session.len() - 20..]);
}

#[test]
fn a_wrong_password_is_refused_at_once_and_not_repeated() {
    let server = TestServer::start();
    let account = vault(&server).with_password("WrongWrongWrongWrong12");
    let place = place(&account.url("/"), &Options::default());
    expect_refused(place.read(Name::Config, None), "401", "WrongWrong");
    expect_refused(place.list(Kind::Data), "401", "WrongWrong");
    expect_refused(place.save(Name::Of(Kind::Data, Id::of(b"x")), Bytes::from_static(b"x")), "401", "WrongWrong");
    let pack = contract::bytes(1, 16 << 20);
    expect_refused(place.save(Name::Of(Kind::Data, Id::of(&pack)), pack), "401", "WrongWrong");
}

#[test]
fn bytes_that_are_not_the_names_are_refused() {
    let server = TestServer::start();
    let account = vault(&server);
    let name = Name::Of(Kind::Data, Id::of(b"pack"));
    expect_refused(at(&account, "/").save(name, Bytes::from_static(b"pock")), "400", &account.password);
    assert!(matches!(at(&account, "/").read(name, None), Err(Error::NotFound(_))));
}

#[test]
fn a_full_account_is_no_room() {
    let server = TestServer::start();
    let account = server.add_account(&["--kind", "vault", "--quota", "1MiB"]);
    let pack = contract::bytes(1, 2 << 20);
    let outcome = at(&account, "/").save(Name::Of(Kind::Data, Id::of(&pack)), pack);
    assert!(matches!(outcome, Err(Error::Full(_))), "{outcome:?}");
}

#[test]
fn a_dated_view_is_read_and_takes_nothing_but_locks() {
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let account = vault(&server);
    let bytes = contract::bytes(1, 1_000);
    let name = Name::Of(Kind::Snapshot, Id::of(&bytes));
    at(&account, "/web").save(name, bytes.clone()).expect("it is stored");
    clock.advance(SECOND);
    let time = clock.time();
    clock.advance(SECOND);
    at(&account, "/web").remove(name).expect("it is removed");
    assert!(matches!(at(&account, "/web").read(name, None), Err(Error::NotFound(_))));
    let view = at(&account, &format!("/@{time}/web"));
    assert_eq!(view.read(name, None).expect("it was there"), bytes);
    assert_eq!(view.list(Kind::Snapshot).expect("a list").len(), 1);
    for outcome in [
        view.save(Name::Config, Bytes::from_static(b"config")),
        view.save(Name::Of(Kind::Data, Id::of(b"pack")), Bytes::from_static(b"pack")),
        view.remove(name),
    ] {
        expect_refused(outcome, "403", &account.password);
    }
    let lock = Name::Of(Kind::Lock, Id::of(b"lock"));
    view.save(lock, Bytes::from_static(b"lock")).expect("a lock is taken");
    view.remove(lock).expect("and left");
}

#[test]
fn keys_come_oldest_first() {
    let server = TestServer::start();
    let account = vault(&server);
    let place = at(&account, "/");
    let ids: Vec<Id> = (0..12_u8).map(|number| Id::of(&[number])).collect();
    for (&id, number) in ids.iter().zip(0..12_u8) {
        place.save(Name::Of(Kind::Key, id), Bytes::copy_from_slice(&[number])).expect("a key");
    }
    assert_eq!(place.list(Kind::Key).expect("a list").iter().map(|key| key.id).collect::<Vec<_>>(), ids);
}

/// What stock restic wrote is read, and what is written is what stock restic reads.
#[test]
fn restic_finds_in_a_folder_and_on_a_server_what_was_copied_there() {
    let server = TestServer::start();
    let account = vault(&server);
    let home = tempfile::tempdir().expect("a temporary folder");
    let folder = |name: &str| home.path().join(name).display().to_string();
    let Some(theirs) = Restic::at(folder("theirs")) else { return skip("restic is not installed") };
    let tree = planted(5);
    theirs.ok(&["init"]);
    theirs.backup(tree.path());
    let from = place(&folder("theirs"), &Options::default());
    let to_folder = place(&folder("ours"), &Options::default());
    copy(&*from, &*to_folder);
    copy(&*to_folder, &*at(&account, "/copy"));
    for copied in [Restic::at(folder("ours")), Restic::new(&account, "/copy")] {
        let copied = copied.expect("restic is installed");
        copied.ok(&["check", "--read-data"]);
        copied.expect_restored(tree.path());
        copied.backup(tree.path());
    }
    assert_eq!(to_folder.list(Kind::Snapshot).expect("a list").len(), 2);
    assert_eq!(at(&account, "/copy").list(Kind::Snapshot).expect("a list").len(), 2);
}

fn copy(from: &dyn Backend, to: &dyn Backend) {
    to.create().expect("a place is made ready");
    to.save(Name::Config, from.read(Name::Config, None).expect("a config").share()).expect("a config");
    for kind in [Kind::Data, Kind::Index, Kind::Key, Kind::Snapshot] {
        let files = from.list(kind).expect("a list");
        assert!(!files.is_empty(), "{kind:?}");
        for file in files {
            let bytes = from.read(Name::Of(kind, file.id), None).expect("a file");
            assert_eq!((Id::of(&bytes), bytes.len() as u64), (file.id, file.size_bytes));
            to.save(Name::Of(kind, file.id), bytes.share()).expect("a copy");
        }
    }
}

#[test]
fn a_full_disk_is_no_room_and_leaves_nothing_half() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let at: &Path = &home.path().join("disk");
    let Some(_disk) = Disk::mount(at, "size=4m") else { return skip_without_root("a tmpfs is mounted") };
    let place = place(&at.display().to_string(), &Options::default());
    let small = contract::bytes(1, 1 << 20);
    let kept = Name::Of(Kind::Data, Id::of(&small));
    place.save(kept, small).expect("there is room");
    let large = contract::bytes(2, 8 << 20);
    let outcome = place.save(Name::Of(Kind::Data, Id::of(&large)), large);
    assert!(matches!(outcome, Err(Error::Full(_))), "{outcome:?}");
    assert_eq!(place.list(Kind::Data).expect("a list").len(), 1);
    assert_eq!(tree::files_below(at).len(), 1, "no temporary file is left");
    place.remove(kept).expect("it is removed from a full disk");
}
