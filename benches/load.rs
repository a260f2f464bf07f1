//! A load of small requests: keep-alive connections, one thread each, over TLS where a certificate to trust is named.
//!
//! `load put|get ADDRESS CONNECTIONS SECONDS BYTES PREFIX [ca=FILE] [user=NAME:PASSWORD] [names=N] [sync=FOLDER]` prints JSON.
//! A put sends `PREFIX-CONNECTION-NUMBER`, with `names=N` so many and no more; a get asks for such names of one connection, of which
//! there are N, in turn. With `sync` each answered put is followed by an fsync of the file and of its folder, for servers that sync nothing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

#[path = "figures.rs"]
mod figures;

fn main() {
    let load = Load::from_arguments(std::env::args().filter(|word| word != "--bench").collect());
    let begin = Barrier::new(load.connections);
    let connect = |_| load.connect().expect("the server takes connections");
    let streams: Vec<Box<dyn Stream>> = (0..load.connections).map(connect).collect();
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let run = |(number, stream)| {
            let (load, begin) = (&load, &begin);
            scope.spawn(move || load.run(number, stream, begin))
        };
        let running: Vec<_> = streams.into_iter().enumerate().map(run).collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    let began = outcomes.iter().map(|outcome| outcome.began).min().expect("one connection at least");
    let ended = outcomes.iter().map(|outcome| outcome.ended).max().expect("one connection at least");
    let failed = outcomes.iter().map(|outcome| outcome.failed).sum();
    figures::print(outcomes.into_iter().flat_map(|outcome| outcome.took).collect(), ended - began, failed);
}

struct Load {
    is_put: bool,
    address: String,
    connections: usize,
    time: Duration,
    content: Vec<u8>,
    prefix: String,
    trust: Option<Arc<ClientConfig>>,
    /// The header line of the credentials, with its end.
    authorization: String,
    names: Option<usize>,
    sync: Option<PathBuf>,
}

struct Outcome {
    began: Instant,
    ended: Instant,
    took: Vec<Duration>,
    failed: u64,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Load {
    fn from_arguments(arguments: Vec<String>) -> Self {
        let [_, method, address, connections, seconds, bytes, prefix, options @ ..] = &arguments[..] else {
            panic!("load put|get ADDRESS CONNECTIONS SECONDS BYTES PREFIX [ca=FILE] [user=NAME:PASSWORD] [names=N] [sync=FOLDER]")
        };
        let option = |name: &str| options.iter().find_map(|option| option.strip_prefix(&format!("{name}=")));
        let credentials = |user: &str| format!("Authorization: Basic {}\r\n", data_encoding::BASE64.encode(user.as_bytes()));
        Self {
            is_put: method == "put",
            address: address.clone(),
            connections: connections.parse().expect("a number of connections"),
            time: Duration::from_secs_f64(seconds.parse().expect("a number of seconds")),
            content: vec![b'x'; bytes.parse().expect("a number of bytes")],
            prefix: prefix.clone(),
            trust: option("ca").map(trust),
            authorization: option("user").map(credentials).unwrap_or_default(),
            names: option("names").map(|names| names.parse().expect("a number of names")),
            sync: option("sync").map(PathBuf::from),
        }
    }

    fn run(&self, connection: usize, mut stream: Box<dyn Stream>, begin: &Barrier) -> Outcome {
        let folder = self.sync.as_ref().map(|folder| File::open(folder).expect("the folder opens"));
        let (mut took, mut failed, mut answer) = (Vec::new(), 0, Vec::new());
        begin.wait();
        let began = Instant::now();
        for number in 0.. {
            let has_sent_all = self.is_put && self.names.is_some_and(|names| number >= names);
            if has_sent_all || began.elapsed() >= self.time {
                break;
            }
            let asked = Instant::now();
            let name = self.name(connection, number);
            let status = self.exchange(&mut *stream, &name, &mut answer).expect("the server answers");
            if let Some(folder) = folder.as_ref().filter(|_| self.is_put) {
                self.sync(&name, folder);
            }
            match status {
                200..=299 => took.push(asked.elapsed()),
                _ => failed += 1,
            }
        }
        Outcome { began, ended: Instant::now(), took, failed }
    }

    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let socket = TcpStream::connect(&self.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        let Some(trust) = &self.trust else { return Ok(Box::new(socket)) };
        let server = ServerName::try_from("localhost").expect("a good name");
        let connection = ClientConnection::new(Arc::clone(trust), server).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        stream.flush()?;
        Ok(Box::new(stream))
    }

    fn name(&self, connection: usize, number: usize) -> String {
        match self.names.filter(|_| !self.is_put) {
            // Each connection begins somewhere else, so that they do not all ask for one file.
            Some(names) => format!("{}-0-{}", self.prefix, (number + connection * 31) % names),
            None => format!("{}-{connection}-{number}", self.prefix),
        }
    }

    /// Sends one request and reads its answer; the status.
    fn exchange(&self, stream: &mut dyn Stream, name: &str, answer: &mut Vec<u8>) -> io::Result<u16> {
        let (authorization, method) = (&self.authorization, if self.is_put { "PUT" } else { "GET" });
        let length = if self.is_put { format!("Content-Length: {}\r\n", self.content.len()) } else { String::new() };
        let mut request = format!("{method} {name} HTTP/1.1\r\nHost: localhost\r\n{authorization}{length}\r\n").into_bytes();
        if self.is_put {
            request.extend_from_slice(&self.content);
        }
        stream.write_all(&request)?;
        stream.flush()?;
        answer.clear();
        let mut chunk = [0; 16 << 10];
        loop {
            let count = stream.read(&mut chunk)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(&chunk[..count]);
            if let Some(status) = whole(answer) {
                return Ok(status);
            }
        }
    }

    fn sync(&self, name: &str, folder: &File) {
        let path = self.sync.as_ref().expect("there is a folder").join(name.trim_start_matches('/'));
        File::open(path).and_then(|file| file.sync_all()).expect("the file is synced");
        folder.sync_all().expect("the folder is synced");
    }
}

/// The status of an answer that is there to its last byte.
fn whole(answer: &[u8]) -> Option<u16> {
    let head_bytes = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..head_bytes]).expect("a head is text").to_ascii_lowercase();
    let line = |name: &str| head.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let is_chunked = line("transfer-encoding:") == Some("chunked");
    let length: usize = line("content-length:").map_or(0, |length| length.parse().expect("a length"));
    let is_whole = if is_chunked { answer.ends_with(b"0\r\n\r\n") } else { answer.len() >= head_bytes + length };
    is_whole.then_some(status)
}

fn trust(file: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(file).expect("a certificate");
    roots.add(certificate).expect("a certificate to trust");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("the provider has both versions");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}
