//! The way to the server: name, socket, TLS, and the start of HTTP.

use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::line::Trouble;
use super::sent::Sent;
use super::trust::tls_config;
use super::watch::{Counted, Moved};
use crate::vault::backend::location::address::Address;
use crate::vault::backend::options::Options;
use crate::vault::error::Error;

pub struct Road {
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    is_loopback_only: bool,
    most_buffered: usize,
}

/// One of several addresses of a host may lead nowhere.
const CONNECT: Duration = Duration::from_secs(20);
/// What the kernel takes beyond what it can send: little, so that what was taken tells how far the server has got.
const UNSENT_BYTES: u32 = 256 << 10;

impl Road {
    pub fn new(address: &Address, options: &Options, most_buffered: usize) -> Result<Self, Error> {
        if !address.is_tls && !options.allows_plain_http && !address.is_loopback() {
            return Err(Error::Refused(format!("{address}: plain HTTP is only for this machine itself, use https://")));
        }
        let name = || ServerName::try_from(address.host.clone());
        let tls = if address.is_tls {
            let name = name().map_err(|_| Error::Refused(format!("{address}: a certificate cannot be for such a host")))?;
            Some((tls_config(&options.trust)?, name))
        } else {
            None
        };
        let is_loopback_only = !address.is_tls && !options.allows_plain_http;
        Ok(Self { host: address.host.clone(), port: address.port, tls, is_loopback_only, most_buffered })
    }

    pub async fn connect(&self, moved: &Moved, idle: Duration) -> Result<SendRequest<Sent>, Trouble> {
        let socket = self.socket(idle).await?;
        let counted = Counted { socket, moved: moved.clone() };
        let Some((config, name)) = &self.tls else { return self.begin_http(counted).await };
        let shaken = TlsConnector::from(Arc::clone(config)).connect(name.clone(), counted).await;
        self.begin_http(shaken.map_err(handshake_failed)?).await
    }

    async fn socket(&self, idle: Duration) -> Result<TcpStream, Trouble> {
        let mut failed = Trouble::broken(format!("{} has no address", self.host));
        for address in tokio::net::lookup_host((self.host.as_str(), self.port)).await.map_err(Trouble::broken)? {
            if self.is_loopback_only && !address.ip().is_loopback() {
                return Err(Trouble::Distrusted(format!("{} is not this machine, and plain HTTP does not leave it", self.host)));
            }
            match tokio::time::timeout(CONNECT.min(idle), TcpStream::connect(address)).await {
                Ok(Ok(socket)) => {
                    socket.set_nodelay(true).map_err(Trouble::broken)?;
                    // Without it an idle connection is only noticed later.
                    let _ = socket2::SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT_BYTES);
                    return Ok(socket);
                }
                Ok(Err(error)) => failed = Trouble::broken(error),
                Err(_) => failed = Trouble::broken(format!("{address} does not answer")),
            }
        }
        Err(failed)
    }

    async fn begin_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S) -> Result<SendRequest<Sent>, Trouble> {
        let mut builder = Builder::new();
        builder.max_buf_size(self.most_buffered);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(Trouble::broken)?;
        // It ends with the line's runtime; what goes wrong is heard by who waits for the answer.
        drop(tokio::spawn(connection));
        Ok(sender)
    }
}

/// TLS that does not come about is told at once: to repeat it would show the same certificate again.
fn handshake_failed(error: std::io::Error) -> Trouble {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))) => {
            Trouble::Distrusted(format!("the server's certificate is not trusted: {}", other.0))
        }
        Some(why) => Trouble::Distrusted(format!("no TLS with the server: {why}")),
        None => Trouble::broken(error),
    }
}
