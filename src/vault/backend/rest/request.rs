//! Requests on connections that are used again.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, RANGE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};

use super::bucket::Bucket;
use super::line::{Answer, Care, Line, Trouble};
use super::listing::V2;
use super::road::Road;
use super::sent::Sent;
use crate::vault::backend::location::address::Address;
use crate::vault::backend::options::{Headers, Options};
use crate::vault::error::Error;

/// What to ask.
pub struct Ask<'a> {
    pub method: Method,
    /// What follows the repository's path.
    pub tail: &'a str,
    pub range: Option<&'a std::ops::Range<u64>>,
    pub body: Option<Bytes>,
    /// A longer answer is an error.
    pub most_bytes: u64,
    /// They take the place of those that every request has.
    pub headers: HeaderMap,
}

impl<'a> Ask<'a> {
    pub fn new(method: Method, tail: &'a str) -> Self {
        Self { method, tail, range: None, body: None, most_bytes: 1 << 20, headers: HeaderMap::new() }
    }
}

/// Everything that requests of one place have in common.
pub struct Requests {
    road: Road,
    care: Care,
    path: String,
    headers: HeaderMap,
    further: Headers,
    upload: Option<Arc<Bucket>>,
    /// Connections that nobody uses now.
    resting: Mutex<Vec<Line>>,
}

/// What hyper holds of a connection at most: several pieces of a body, of an answer as much as is worth one wake-up.
const MOST_BUFFERED: usize = 512 << 10;
const LEAST_BUFFERED: usize = 8 << 10;

impl Requests {
    pub fn new(address: &Address, options: &Options) -> Result<Self, Error> {
        let download = Bucket::of_kib(options.limit_download_kib).map(Arc::new);
        let turn = download.as_ref().map_or(MOST_BUFFERED, |bucket| bucket.turn_bytes(MOST_BUFFERED));
        Ok(Self {
            road: Road::new(address, options, turn.max(LEAST_BUFFERED))?,
            care: Care { idle: options.idle, cancel: options.cancel.clone(), download, home: Arc::default() },
            path: checked_path(address)?,
            headers: headers(address)?,
            further: options.headers.clone(),
            upload: Bucket::of_kib(options.limit_upload_kib).map(Arc::new),
            resting: Mutex::default(),
        })
    }

    /// One try: on a connection that rests, and at once on a new one where that has been closed meanwhile.
    pub fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Trouble> {
        if let Some(line) = self.rested() {
            match self.ask_on(line, ask) {
                Err(Trouble::Broken(_)) => {}
                answer => return answer,
            }
        }
        self.ask_on(Line::open(&self.road, &self.care)?, ask)
    }

    fn ask_on(&self, mut line: Line, ask: &Ask<'_>) -> Result<Answer, Trouble> {
        let began = Instant::now();
        let answer = line.ask(self.request(ask), ask.most_bytes, &self.care)?;
        // Only what follows the repository's path: the path may hold the token of a session.
        tracing::debug!(
            method = %ask.method,
            what = ask.tail,
            range = ask.range.map(tracing::field::debug),
            sent_bytes = ask.body.as_ref().map(Bytes::len),
            status = answer.status.as_u16(),
            received_bytes = answer.body.len(),
            took = ?began.elapsed(),
            "asked the server"
        );
        // An early refusal may have left a part of the request's body unsent.
        if ask.body.is_none() || answer.status.is_success() {
            self.resting.lock().expect("nobody panics while holding it").push(line);
        }
        Ok(answer)
    }

    fn rested(&self) -> Option<Line> {
        let mut resting = self.resting.lock().expect("nobody panics while holding it");
        // The one that was used last is on top; where it is too old, all are.
        let line = resting.pop().filter(Line::is_fresh);
        if line.is_none() {
            resting.clear();
        }
        line
    }

    fn request(&self, ask: &Ask<'_>) -> Request<Sent> {
        let body = Sent::new(ask.body.clone().unwrap_or_default(), self.upload.clone());
        let mut request = Request::new(body);
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = format!("{}{}", self.path, ask.tail).parse().expect("the path was tried, and what follows it is plain");
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        headers.extend(self.further.now());
        if let Some(range) = ask.range {
            let text = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
            headers.insert(RANGE, text.parse().expect("digits make a header"));
        }
        if let Some(body) = &ask.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            headers.insert(CONTENT_LENGTH, body.len().into());
        }
        headers.extend(ask.headers.clone());
        request
    }
}

fn checked_path(address: &Address) -> Result<String, Error> {
    let wrong = |_| Error::Refused(format!("{address}: this cannot be the path of a URL"));
    address.path.parse::<Uri>().map_err(wrong)?;
    Ok(address.path.clone())
}

/// Those that every request has.
fn headers(address: &Address) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    let host = address.authority().parse().map_err(|_| Error::Refused(format!("{address}: this cannot be a host")))?;
    headers.insert(HOST, host);
    headers.insert(ACCEPT, HeaderValue::from_static(V2));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("strongroom/", env!("CARGO_PKG_VERSION"))));
    if let Some((user, password)) = &address.credentials {
        let pair = format!("{user}:{}", password.as_deref().unwrap_or_default());
        let text = format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()));
        let mut value = HeaderValue::from_str(&text).expect("base64 makes a header");
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}
