//! Many clients at once: of several uploads of one name exactly one wins, and vanished clients leave nothing.

use std::io::Write as _;
use std::sync::Barrier;

use crate::support::account::Account;
use crate::support::disk::Disk;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree::random;
use crate::support::{SOON, say, tree, wait_until};

const CLIENTS: u64 = 64;

/// Each client prepares all but its last byte, then all send it together.
fn race(server: &TestServer, account: &Account, name: &str, round: u64) -> Vec<(u64, u16)> {
    let barrier = Barrier::new(usize::try_from(CLIENTS).expect("a small number"));
    let racer = |client: u64| {
        let bytes = tree::bytes(round * CLIENTS + client + 1, 3000);
        let mut raw = Raw::connect(server);
        let head = format!("PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: 3000\r\n\r\n", account.basic());
        raw.send(head).send(&bytes[..2999]);
        barrier.wait();
        raw.send(&bytes[2999..]);
        (client, raw.answer(SOON).map_or(0, |answer| answer.head.status))
    };
    let racer = &racer;
    std::thread::scope(|scope| {
        let racers: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || racer(client))).collect();
        racers.into_iter().map(|racer| racer.join().expect("a client runs")).collect()
    })
}

fn race_rounds(server: &TestServer, catalog: &str, rounds: u64) {
    let account = server.account();
    for round in 0..rounds {
        let name = format!("/round/{round}");
        let ends = race(server, &account, &name, round);
        let winners: Vec<u64> = ends.iter().filter(|(_, status)| *status == 201).map(|(client, _)| *client).collect();
        assert_eq!(winners.len(), 1, "round {round}: {ends:?}");
        assert!(ends.iter().all(|(_, status)| [201, 405].contains(status)), "round {round}: {ends:?}");
        let bytes = tree::bytes(round * CLIENTS + winners[0] + 1, 3000);
        account.get(&name).expect(200).expect_body(&bytes);
    }
    wait_until("losers leave no blob", SOON, || server.blobs(&account).len() as u64 == rounds);
    let text = format!("{rounds} rounds of {CLIENTS} writers: one 201 each, all others 405, blobs = rows");
    figure("D18", &format!("one server, {catalog}"), &text, None);
}

#[test]
fn of_many_clients_that_race_for_a_name_exactly_one_wins() {
    race_rounds(&TestServer::start(), "SQLite", if crate::support::is_nightly() { 500 } else { 50 });
}

#[test]
fn the_race_has_one_winner_on_postgresql_too() {
    // The first of the two is SQLite, which has a longer race of its own.
    for server in TestServer::each_catalog().skip(1) {
        race_rounds(&server, "PostgreSQL", if crate::support::is_nightly() { 500 } else { 10 });
    }
}

/// How an upload is cut off.
#[derive(Clone, Copy, Debug)]
enum Cut {
    End,
    Reset,
    HalfClose,
    Stall,
}

#[test]
fn cut_uploads_leave_nothing_behind() {
    let setup = Setup::new().set("progress_seconds", 2).set("idle_seconds", 2);
    let is_measured = Disk::is_possible();
    let server = if is_measured { setup.disk("size=256m").set("disk_reserve", "1 MiB").start() } else { setup.start() };
    let account = server.account();
    account.store("/kept", b"x");
    let free = || if is_measured { server.disk().free_bytes() + catalog_bytes(&server) } else { 0 };
    let before = free();
    let mut seed = 0x5EED_0001;
    say(&format!("seed {seed:#x}"));
    let rounds = if crate::support::is_nightly() { 1000 } else { 50 };
    let mut stalled = Vec::new();
    for round in 0..rounds {
        let length = usize::try_from(random(&mut seed, 300_000) + 2).expect("a small number");
        let sent = usize::try_from(random(&mut seed, length as u64)).expect("a small number");
        let cut = [Cut::End, Cut::Reset, Cut::HalfClose, Cut::Stall][usize::try_from(random(&mut seed, 4)).expect("0 to 3")];
        let version = ["1.0", "1.1"][usize::try_from(random(&mut seed, 2)).expect("0 or 1")];
        let mut raw = Raw::connect(&server);
        let basic = account.basic();
        raw.send(format!(
            "PUT /cut/{round} HTTP/{version}\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {length}\r\n\r\n"
        ));
        raw.send(&tree::bytes(round, length)[..sent]);
        match cut {
            Cut::End => drop(raw),
            Cut::Reset => raw.reset(),
            Cut::HalfClose => {
                raw.finish_sending();
                stalled.push(raw);
            }
            Cut::Stall => stalled.push(raw),
        }
    }
    for mut raw in stalled {
        let said = raw.until_closed(SOON).expect("a stalled or half-closed upload is closed");
        assert!(!String::from_utf8_lossy(&said).contains(" 201 "), "{}", String::from_utf8_lossy(&said));
    }
    wait_until("staging files of cut uploads are gone", SOON, || server.staging_files().is_empty());
    assert_eq!(account.names(), ["/kept"]);
    assert_eq!(server.blobs(&account).len(), 1);
    let difference = free().abs_diff(before);
    assert!(difference <= 4_096, "the space is back: {difference} bytes are not");
    let text = format!(
        "{rounds} uploads cut at random bytes (FIN, RST, half-close, stall; HTTP/1.0 and 1.1): 0 visible, 0 staging files, space back"
    );
    figure("D21", "plain", &text, Some(0x5EED_0001));
    // The names are free, and what was promised to the cut uploads is free.
    account.store("/cut/0", b"again");
}

/// What the catalog's files take of the disk.
fn catalog_bytes(server: &TestServer) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let parts = ["catalog.db", "catalog.db-wal", "catalog.db-shm"].map(|part| server.data().join(part));
    parts.iter().map(|part| part.metadata().map_or(0, |state| state.blocks() * 512)).sum()
}

#[test]
fn uploads_whose_tls_ends_without_a_word_leave_nothing_behind() {
    let server = Setup::new().tls().set("progress_seconds", 2).set("idle_seconds", 2).start();
    let account = server.account();
    let rounds = if crate::support::is_nightly() { 200 } else { 20 };
    let mut seed = 0x5EED_0021;
    for round in 0..rounds {
        let length = random(&mut seed, 200_000) + 2;
        let sent = usize::try_from(random(&mut seed, length)).expect("small");
        let mut stream = tls_stream(&server);
        let basic = account.basic();
        let head = format!("PUT /cut/{round} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {length}\r\n\r\n");
        // A server that has closed already has nothing of it, either.
        let _ = stream.write_all(&[head.as_bytes(), &tree::bytes(round, sent)].concat()).and_then(|()| stream.flush());
        // Half of them say goodbye; the others, as a cut line does, do not.
        if round % 2 == 0 {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }
    wait_until("staging files of cut uploads are gone", SOON, || server.staging_files().is_empty());
    assert_eq!(account.names(), Vec::<String>::new());
    assert_eq!(server.blobs(&account).len(), 0);
    figure("D21", "TLS", &format!("{rounds} uploads cut, half without close_notify: 0 visible, 0 staging files"), Some(0x5EED_0021));
}

fn tls_stream(server: &TestServer) -> rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream> {
    use rustls_pki_types::pem::PemObject as _;
    let file = server.site().certificate.clone().expect("a server with TLS has a certificate");
    let certificate = rustls_pki_types::CertificateDer::from_pem_file(file).expect("a certificate");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).expect("it can be trusted");
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = std::sync::Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let name = "localhost".try_into().expect("a name");
    let connection = rustls::ClientConnection::new(config, name).expect("a client");
    rustls::StreamOwned::new(connection, std::net::TcpStream::connect(("127.0.0.1", server.port())).expect("a connection"))
}

#[test]
fn a_client_that_vanishes_after_its_last_byte_does_not_undo_the_commit() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        for round in 0..30 {
            let mut raw = Raw::connect(&server);
            let basic = account.basic();
            raw.send(format!("PUT /{round} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: 5\r\n\r\nhello"));
            raw.reset();
        }
        // Each is there whole or not at all; a blob has its row and a row its blob.
        wait_until("rows and blobs agree", SOON, || {
            server.staging_files().is_empty() && account.names().len() == server.blobs(&account).len()
        });
        for name in account.names() {
            account.expect_file(&name, b"hello");
        }
    }
}

#[test]
fn readers_and_writers_run_beside_each_other() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        std::thread::scope(|scope| {
            for client in 0..8_u64 {
                let account = &account;
                scope.spawn(move || {
                    for round in 0..6 {
                        let (name, bytes) = (format!("/{client}/{round}"), tree::bytes(client * 100 + round, 70_000));
                        account.store(&name, &bytes);
                        account.expect_file(&name, &bytes);
                        assert!(account.names().contains(&name));
                    }
                });
            }
        });
        assert_eq!(account.names().len(), 48);
    }
}
