//! A place behind a server that speaks restic's REST protocol, as far as a client of ours speaks it. Where the place fails, the
//! connection is closed without an answer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use bytes::Bytes;

use crate::vault::backend::content::Content;
use crate::vault::backend::location::Location;
use crate::vault::backend::{Backend, Kind, Name};
use crate::vault::error::Error;

use super::place::KINDS;

/// The server. Its threads end with the connections, and with the process.
pub(in crate::vault) struct Served(u16);

struct Request {
    method: String,
    path: String,
    range: Option<std::ops::Range<u64>>,
    body: Vec<u8>,
}

impl Served {
    pub(in crate::vault) fn start(place: Box<dyn Backend>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let place: Arc<dyn Backend> = place.into();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let place = Arc::clone(&place);
                std::thread::spawn(move || serve(&stream, &*place));
            }
        });
        Self(port)
    }

    pub(in crate::vault) fn location(&self) -> Location {
        Location::parse(format!("http://127.0.0.1:{}/", self.0)).unwrap()
    }
}

fn serve(stream: &TcpStream, place: &dyn Backend) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = request(&mut reader) {
        let Some((status, kind, length, body)) = answer(&request, place) else { return };
        let head = format!("HTTP/1.1 {status} \r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
        let mut out = stream;
        // Who asked may be gone.
        if out.write_all(head.as_bytes()).and_then(|()| out.write_all(&body)).is_err() {
            return;
        }
    }
}

/// `None` where the connection ends.
fn request(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.trim_start_matches('/').to_owned());
    let (mut length, mut range) = (0, None);
    loop {
        let header = line()?.to_ascii_lowercase();
        match header.split_once(": ") {
            Some(("content-length", text)) => length = text.parse().ok()?,
            Some(("range", text)) => {
                let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
                range = Some(first.parse().ok()?..last.parse::<u64>().ok()? + 1);
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, range, body })
}

/// Status, type, length and bytes. `None` where the place fails.
fn answer(request: &Request, place: &dyn Backend) -> Option<(u16, &'static str, u64, Bytes)> {
    let plain = |status, body: Bytes| (status, "application/octet-stream", body.len() as u64, body);
    let done = |done: Result<Bytes, Error>, status| match done {
        Ok(body) => Some(plain(status, body)),
        Err(Error::NotFound(_)) => Some(plain(404, Bytes::new())),
        Err(Error::Refused(_)) => Some(plain(403, Bytes::new())),
        Err(_) => None,
    };
    let nothing = |()| Bytes::new();
    if request.path.starts_with('?') {
        return done(place.create().map(nothing), 200);
    }
    if let Some(kind) = KINDS.into_iter().find(|kind| request.path == format!("{}/", kind.folder())) {
        let listed = place.list(kind).ok()?;
        let lines: Vec<_> = listed.iter().map(|file| serde_json::json!({"name": file.id.hex(), "size": file.size_bytes})).collect();
        let body = Bytes::from(serde_json::to_vec(&lines).ok()?);
        return Some((200, "application/vnd.x.restic.rest.v2", body.len() as u64, body));
    }
    let name = name(&request.path)?;
    match request.method.as_str() {
        "HEAD" => match place.size_bytes(name) {
            Ok(length) => Some((200, "application/octet-stream", length, Bytes::new())),
            failed => done(failed.map(|_| Bytes::new()), 200),
        },
        "GET" => done(place.read(name, request.range.clone()).map(Content::share), if request.range.is_some() { 206 } else { 200 }),
        "POST" => done(place.save(name, request.body.clone().into()).map(nothing), 200),
        _ => done(place.remove(name).map(nothing), 200),
    }
}

fn name(path: &str) -> Option<Name> {
    let of = |kind: Kind| Some(Name::Of(kind, path.strip_prefix(kind.folder())?.strip_prefix('/')?.parse().ok()?));
    if path == "config" { Some(Name::Config) } else { KINDS.into_iter().find_map(of) }
}
