//! Pairs good and bad, and what real clients say to the one that we make.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;

use super::Certificates;
use super::error::CertificateError;
use crate::clock::Clock;
use crate::config::{Limits, ListedStatus, ServerConfig};
use crate::server::test_limits::limits;
use crate::server::tests::refusals::found;
use crate::server::tests::support::{TestServer, pause};

const DAY: Duration = Duration::from_secs(86_400);

fn config() -> ServerConfig {
    ServerConfig {
        listen: "127.0.0.1:0".parse().expect("an address"),
        public_url: None,
        plain_http: false,
        trusted_proxies: Vec::new(),
        tls_certificate: None,
        tls_key: None,
        regions: vec!["DFW".to_owned()],
        listed_status: ListedStatus::Offline,
        vault_secret: PathBuf::new(),
        metrics_listen: None,
        limits: limits(),
    }
}

fn given(folder: &Path) -> ServerConfig {
    ServerConfig { tls_certificate: Some(folder.join("cert.pem")), tls_key: Some(folder.join("key.pem")), ..config() }
}

/// A folder with a pair as an operator would have one.
fn pair_ending(year: i32) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("names");
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    fs::write(folder.path().join("cert.pem"), params.self_signed(&key).expect("a certificate").pem()).expect("written");
    fs::write(folder.path().join("key.pem"), key.serialize_pem()).expect("written");
    fs::set_permissions(folder.path().join("key.pem"), Permissions::from_mode(0o600)).expect("its mode");
    folder
}

fn now() -> Clock {
    Clock::test(Clock::system().wall())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn is_own(certificates: &Certificates) -> bool {
    certificates.names().contains(&"127.0.0.1".to_owned())
}

#[test]
fn the_first_start_makes_a_pair_and_the_next_keeps_it() {
    let data = TempDir::new().expect("a folder");
    let first = Certificates::open(&config(), data.path(), now()).expect("a pair");
    let (certificate, key) = (data.path().join("tls/cert.pem"), data.path().join("tls/key.pem"));
    let text = fs::read(&certificate).expect("the certificate");
    assert_eq!((mode(&data.path().join("tls")), mode(&key)), (0o700, 0o600));
    for name in ["localhost", "127.0.0.1", "[::1]"] {
        assert!(first.names().contains(&name.to_owned()), "{name} is missing in {:?}", first.names());
    }
    assert_eq!(first.own_certificate(), Some(certificate.clone()));
    let days = first.seconds_left() / 86_400;
    assert!((3_640..=3_650).contains(&days), "{days}");
    Certificates::open(&config(), data.path(), now()).expect("the same pair");
    assert_eq!(fs::read(certificate).expect("the certificate"), text);
}

#[test]
fn a_pair_that_ends_within_30_days_is_made_anew_also_while_serving() {
    let data = TempDir::new().expect("a folder");
    let clock = now();
    let certificates = Certificates::open(&config(), data.path(), clock.clone()).expect("a pair");
    let left = u64::try_from(certificates.seconds_left()).expect("it is fresh");
    clock.advance(Duration::from_secs(left) - 31 * DAY);
    certificates.renew_own().expect("nothing to do");
    assert!(certificates.seconds_left() <= 31 * 86_400);
    clock.advance(2 * DAY);
    certificates.renew_own().expect("a new pair");
    assert!(certificates.seconds_left() > 3_000 * 86_400);
}

#[test]
fn a_damaged_own_pair_is_made_anew() {
    for file in ["cert.pem", "key.pem"] {
        let data = TempDir::new().expect("a folder");
        Certificates::open(&config(), data.path(), now()).expect("a pair");
        let path = data.path().join("tls").join(file);
        let text = fs::read(&path).expect("the file");
        fs::write(&path, &text[..text.len() / 2]).expect("written");
        let again = Certificates::open(&config(), data.path(), now()).expect("another pair");
        assert!(is_own(&again));
    }
}

#[test]
fn a_bad_new_pair_leaves_the_old_in_force() {
    let data = TempDir::new().expect("a folder");
    let good = pair_ending(2080);
    let certificates = Certificates::open(&given(good.path()), data.path(), now()).expect("a pair");
    let other = pair_ending(2081);
    let (half, wrong_key, expired, open_to_all) = (pair_ending(2082), pair_ending(2083), pair_ending(2020), pair_ending(2084));
    let text = fs::read(half.path().join("cert.pem")).expect("the certificate");
    fs::write(half.path().join("cert.pem"), &text[..text.len() - 60]).expect("written");
    fs::copy(other.path().join("key.pem"), wrong_key.path().join("key.pem")).expect("copied");
    fs::set_permissions(open_to_all.path().join("key.pem"), Permissions::from_mode(0o644)).expect("its mode");
    let error = |folder: &TempDir| certificates.reload(&given(folder.path())).expect_err("a bad pair");
    assert!(matches!(error(&half), CertificateError::NoCertificate { .. }));
    assert!(matches!(error(&wrong_key), CertificateError::Mismatch { .. }));
    assert!(matches!(error(&expired), CertificateError::Expired { .. }));
    assert!(matches!(error(&open_to_all), CertificateError::KeyForAll { .. }));
    let left_of_the_old = certificates.seconds_left();
    assert!(!is_own(&certificates));
    certificates.reload(&given(other.path())).expect("a good pair");
    assert!(certificates.seconds_left() > left_of_the_old + 300 * 86_400);
}

#[test]
fn an_expired_given_pair_is_still_served_at_the_start() {
    let data = TempDir::new().expect("a folder");
    let certificates = Certificates::open(&given(pair_ending(2020).path()), data.path(), now()).expect("a pair");
    assert!(certificates.seconds_left() < 0);
}

#[test]
fn a_group_may_read_the_key() {
    let folder = pair_ending(2080);
    fs::set_permissions(folder.path().join("key.pem"), Permissions::from_mode(0o640)).expect("its mode");
    Certificates::open(&given(folder.path()), folder.path(), now()).expect("a pair");
}

#[test]
fn errors_say_nothing_of_the_key() {
    let folder = pair_ending(2080);
    let key = folder.path().join("key.pem");
    let text = fs::read_to_string(&key).expect("the key").replace("-----BEGIN", "-----BEGUN");
    fs::write(&key, &text).expect("written");
    let error = Certificates::open(&given(folder.path()), folder.path(), now()).err().expect("no key");
    let secret = text.lines().nth(1).expect("a line of the key");
    assert!(!format!("{error} {error:?}").contains(secret));
}

#[test]
fn curl_wget_python_and_openssl_accept_our_certificate_by_name_and_address() {
    let data = TempDir::new().expect("a folder");
    let certificates = Certificates::open(&config(), data.path(), Clock::system()).expect("a pair");
    let server = TestServer::start_with(limits(), Some(certificates.acceptor()), Vec::new());
    let (ca, port) = (data.path().join("tls/cert.pem").display().to_string(), server.address.port());
    let python = "import ssl,sys,urllib.request as r; c=ssl.create_default_context(cafile=sys.argv[1]); \
                  c.verify_flags|=ssl.VERIFY_X509_STRICT; print(r.urlopen(sys.argv[2],context=c).read().decode(),end='')";
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://{host}:{port}/");
        for (tool, args) in [
            ("curl", vec!["-sS", "--cacert", &ca, &url]),
            ("curl", vec!["-sS", "--tls-max", "1.2", "--cacert", &ca, &url]),
            ("wget", vec!["-qO-", "--ca-certificate", &ca, &url]),
            ("python3", vec!["-c", python, &ca, &url]),
        ] {
            let Some(output) = found(Command::new(tool).args(&args).output()) else { continue };
            assert_eq!(String::from_utf8_lossy(&output.stdout), "hello", "{tool}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let url = format!("https://localhost:{port}/");
    let Some(stranger) = found(Command::new("curl").args(["-sS", &url]).output()) else { return };
    assert!(!stranger.status.success(), "a client that was not told of the certificate took it");
}

#[test]
fn a_strict_rustls_client_accepts_our_certificate_as_its_own_root() {
    let data = TempDir::new().expect("a folder");
    let certificates = Certificates::open(&config(), data.path(), Clock::system()).expect("a pair");
    let server = TestServer::start_with(limits(), Some(certificates.acceptor()), Vec::new());
    let seen = hello(&server, &data.path().join("tls/cert.pem")).expect("the certificate is its own root");
    assert_eq!(seen, b"http/1.1");
}

#[test]
fn a_swapped_pair_is_what_the_next_connection_sees() {
    let data = TempDir::new().expect("a folder");
    let (first, second) = (pair_ending(2080), pair_ending(2081));
    let certificates = Certificates::open(&given(first.path()), data.path(), now()).expect("a pair");
    let server = TestServer::start_with(limits(), Some(certificates.acceptor()), Vec::new());
    let is_shown = |folder: &TempDir| hello(&server, &folder.path().join("cert.pem")).is_ok();
    assert_eq!([is_shown(&first), is_shown(&second)], [true, false]);
    certificates.reload(&given(second.path())).expect("a good pair");
    assert_eq!([is_shown(&first), is_shown(&second)], [false, true]);
}

#[test]
fn a_client_without_http1_or_with_an_old_tls_is_refused() {
    let data = TempDir::new().expect("a folder");
    let certificates = Certificates::open(&config(), data.path(), Clock::system()).expect("a pair");
    let server = TestServer::start_with(limits(), Some(certificates.acceptor()), Vec::new());
    let address = server.address.to_string();
    for (args, alert) in [
        (["-alpn", "h2", "-tls1_3"].as_slice(), "no application protocol"),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "alert handshake failure"),
    ] {
        let client = Command::new("openssl").args(["s_client", "-connect", &address]).args(args).stdin(Stdio::null()).output();
        let Some(output) = found(client) else { return };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(alert), "{args:?}: {said}");
    }
}

#[test]
fn a_record_that_arrives_slowly_is_progress_before_it_is_whole() {
    let progress_time = Duration::from_millis(300);
    let data = TempDir::new().expect("a folder");
    let certificates = Certificates::open(&config(), data.path(), Clock::system()).expect("a pair");
    let server = TestServer::start_with(Limits { progress_time, ..limits() }, Some(certificates.acceptor()), Vec::new());
    let mut stream = connect(&server, &data.path().join("tls/cert.pem"));
    stream.write_all(b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n").expect("sent");
    stream.conn.writer().write_all(&[0; 1_000]).expect("room in the session");
    let mut record = Vec::new();
    stream.conn.write_tls(&mut record).expect("a record");
    for piece in record.chunks(record.len() / 9) {
        stream.sock.write_all(piece).expect("the server takes it");
        pause(progress_time / 3);
    }
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    assert!(text.ends_with("1000 bytes"), "{text}");
}

/// One request by a client that trusts `root` alone; returns the protocol that was agreed on.
fn hello(server: &TestServer, root: &Path) -> std::io::Result<Vec<u8>> {
    let mut stream = connect(server, root);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    assert!(text.ends_with("hello"), "{text}");
    Ok(stream.conn.alpn_protocol().unwrap_or_default().to_vec())
}

/// A client that trusts `root` alone; its handshake comes with what it sends first.
fn connect(server: &TestServer, root: &Path) -> rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).expect("a certificate")).expect("a root");
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").expect("a name");
    let session = rustls::ClientConnection::new(Arc::new(config), name).expect("a session");
    rustls::StreamOwned::new(session, server.connect().0)
}
