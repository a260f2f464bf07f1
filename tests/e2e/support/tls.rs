//! TLS by hand: certificates as an operator would have them, and a client that trusts only what it is told.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};

use super::answer::Head;
use super::tree::write_private;

/// Writes a new pair for `localhost` that ends in `year`, as `cert.pem` and `key.pem`, over what is there.
pub fn write_pair(folder: &Path, year: i32) -> Vec<u8> {
    let mut wanted = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
    wanted.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = wanted.self_signed(&key).expect("a certificate").pem();
    write_private(&folder.join("key.pem"), key.serialize_pem().as_bytes());
    write_private(&folder.join("cert.pem"), certificate.as_bytes());
    certificate.into_bytes()
}

/// A client that trusts these certificates, in PEM, and offers `protocols`.
pub fn client(roots: &[Vec<u8>], protocols: &[&str]) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(CertificateDer::from_pem_slice(root).expect("a certificate")).expect("a root");
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

/// A connection that has shaken hands; the error is what went wrong in it.
pub fn connect(config: &Arc<ClientConfig>, socket: TcpStream) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let session = ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost").expect("a name"));
    let mut stream = StreamOwned::new(session.map_err(std::io::Error::other)?, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Sends a request and reads its head.
pub fn ask(stream: &mut StreamOwned<ClientConnection, TcpStream>, request: &str) -> std::io::Result<Head> {
    stream.write_all(request.as_bytes())?;
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        text.extend(byte);
    }
    Head::parse(&String::from_utf8_lossy(&text)).ok_or_else(|| std::io::Error::other("no head"))
}

/// A connection from an address of this machine's own network, 127.0.0.0/8.
pub fn socket_from(source: [u8; 4], port: u16) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    Ok(socket.into())
}

/// The certificate that the server made for itself.
pub fn own_certificate(data: &Path) -> Vec<u8> {
    let file: PathBuf = data.join("tls/cert.pem");
    std::fs::read(file).expect("the server has made a certificate")
}
