//! Servers with certificates of several kinds, and who believes them.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use crate::vault::backend::content::Content;
use crate::vault::backend::location::Location;
use crate::vault::backend::options::{Options, Pin, Retries, Trust};
use crate::vault::backend::{Name, open};
use crate::vault::error::Error;

struct Server {
    port: u16,
    pin: Pin,
    folder: tempfile::TempDir,
}

/// Serves one connection; `None` where no TLS came about.
fn serve(listener: &TcpListener, config: Arc<ServerConfig>) -> Option<()> {
    let (socket, _) = listener.accept().ok()?;
    let mut stream = StreamOwned::new(ServerConnection::new(config).ok()?, socket);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nconfig").ok()?;
    stream.flush().ok()
}

impl Server {
    /// With a self-signed certificate for `host` that ends in `year`.
    fn start(host: &str, year: i32) -> Self {
        let mut wanted = rcgen::CertificateParams::new([host.to_owned()]).expect("a name");
        wanted.is_ca = rcgen::IsCa::ExplicitNoCa;
        wanted.not_before = rcgen::date_time_ymd(2000, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = wanted.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("cert.pem"), certificate.pem()).expect("a file");
        let der: CertificateDer<'static> = certificate.der().clone();
        let pin = Pin(Sha256::digest(&der).into());
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
        let config = Arc::new(builder.with_single_cert(vec![der], key).expect("a pair"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || while serve(&listener, Arc::clone(&config)).is_some() {});
        Self { port, pin, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn config(&self, trust: Trust) -> Result<Content, Error> {
        let retries = Retries { in_all: Duration::ZERO, ..Retries::default() };
        let location = Location::parse(format!("https://USER:S3CRET@localhost:{}/", self.port)).expect("a URL");
        open(&location, &Options { trust, retries, ..Options::default() })?.read(Name::Config, None)
    }

    #[track_caller]
    fn expect_distrust(&self, trust: Trust) {
        let error = self.config(trust).expect_err("it is not believed");
        assert!(matches!(&error, Error::Refused(why) if why.contains("certificate") && !why.contains("S3CRET")), "{error:?}");
    }
}

#[test]
fn a_certificate_is_believed_by_its_file_and_by_its_pin() {
    let server = Server::start("localhost", 2100);
    for trust in [Trust::CaFile(server.file()), Trust::Pin(server.pin), Trust::CaFile(server.file())] {
        assert_eq!(server.config(trust).expect("it is believed"), "config");
    }
}

#[test]
fn a_certificate_of_nobody_known_is_not_believed() {
    Server::start("localhost", 2100).expect_distrust(Trust::System);
    Server::start("localhost", 2100).expect_distrust(Trust::CaFile(Server::start("localhost", 2100).file()));
}

#[test]
fn another_pin_is_refused_and_the_one_that_was_shown_is_named() {
    let server = Server::start("localhost", 2100);
    let error = server.config(Trust::Pin(Pin([7; 32]))).expect_err("it is not believed");
    assert!(matches!(&error, Error::Refused(why) if why.contains(&server.pin.to_string())), "{error:?}");
}

#[test]
fn a_file_wants_the_right_name_and_date_and_a_pin_does_not() {
    for server in [Server::start("vault.example", 2100), Server::start("localhost", 2001)] {
        assert_eq!(server.config(Trust::Pin(server.pin)).expect("it is believed"), "config");
        server.expect_distrust(Trust::CaFile(server.file()));
    }
}

#[test]
fn a_file_without_a_certificate_is_told_before_anything_is_sent() {
    let server = Server::start("localhost", 2100);
    std::fs::write(server.folder.path().join("empty"), "no certificate").expect("a file");
    let outcome = server.config(Trust::CaFile(server.folder.path().join("empty")));
    assert!(matches!(outcome, Err(Error::Refused(_))), "{outcome:?}");
    let outcome = server.config(Trust::CaFile(server.folder.path().join("missing")));
    assert!(matches!(outcome, Err(Error::Local { .. })), "{outcome:?}");
}

#[test]
fn a_server_without_tls_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a connection");
        let mut some = [0; 100];
        socket.read_exact(&mut some).expect("a hello");
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").expect("an answer");
        drop(socket.read_to_end(&mut Vec::new()));
        some
    });
    let location = Location::parse(format!("https://USER:S3CRET@localhost:{port}/")).expect("a URL");
    let error = open(&location, &Options::default()).expect("a place").read(Name::Config, None).expect_err("no TLS");
    assert!(matches!(&error, Error::Refused(why) if why.contains("TLS")), "{error:?}");
    assert_eq!(thread.join().expect("no panic")[0], 0x16, "nothing but a TLS record was sent");
}
