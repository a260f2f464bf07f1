//! A repository on a server that speaks restic's REST protocol: our own, `rest-server`, `rclone serve restic`.
//!
//! Every request is repeated while it may still succeed (`retry`); all of them are safe to repeat. A connection is driven by the thread
//! that makes the request and is used again by the next one (`line`). The `http_proxy` variables are not looked at.

mod bucket;
/// One connection.
pub mod line;
mod listing;
/// What an answer means that is not the wanted one.
pub mod refusal;
/// Requests on connections that are used again.
pub mod request;
mod retry;
mod road;
#[cfg(test)]
mod scripted;
mod sent;
#[cfg(test)]
mod tests;
mod trust;
#[cfg(test)]
mod trust_tests;
mod watch;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, SERVER};
use http::{Method, StatusCode};

use super::content::Content;
use super::location::address::Address;
use super::options::Options;
use super::{Backend, Kind, Listed, Name};
use crate::vault::error::Error;

use line::{Answer, Cause, Trouble};
use refusal::Asked;
use request::{Ask, Requests};
use retry::{Failed, repeat};

/// The repository below one URL.
pub struct Rest {
    address: Address,
    options: Options,
    requests: Requests,
    /// What the last list said of itself.
    lists_at_once: AtomicBool,
}

/// Our own server says with it that a list names all that was answered before it was asked for.
const CONSISTENCY: &str = "strongroom-consistency";
/// The largest file that is read whole: more than clients of this format can store.
const MOST_FILE_BYTES: u64 = u32::MAX as u64;
/// Ten million names.
const MOST_LIST_BYTES: u64 = 1 << 30;
/// A body that ends at the same wrong place so many times in a row was not cut by the network.
const SAME_END: u32 = 4;

impl Rest {
    /// Asks nothing of the server yet.
    pub fn new(address: Address, options: &Options) -> Result<Self, Error> {
        let requests = Requests::new(&address, options)?;
        Ok(Self { requests, options: options.clone(), address, lists_at_once: AtomicBool::new(false) })
    }

    fn asked(&self, doing: &str, what: impl ToString) -> Asked<'_> {
        let what = what.to_string();
        let (doing, secrets) = (format!("{doing} {what} at {}", self.address), self.address.secrets().collect());
        Asked { doing, what, secrets, has_headers_of_the_moment: self.options.headers.may_change() }
    }

    fn repeat<T>(&self, attempt: impl FnMut() -> Result<T, Failed>) -> Result<T, Error> {
        repeat(&self.options.retries, &self.options.cancel, attempt)
    }

    /// One try. What the answer means is for the caller.
    fn ask(&self, asked: &Asked<'_>, ask: &Ask<'_>) -> Result<Answer, Failed> {
        self.requests.ask(ask).map_err(|trouble| match trouble {
            Trouble::Cancelled => Error::Cancelled.into(),
            Trouble::Distrusted(why) => Error::Refused(format!("{}: {why}", asked.doing)).into(),
            Trouble::Broken(cause) => asked.for_now(cause, None),
            Trouble::Cut { received_bytes, cause } => asked.for_now(Cut { received_bytes, cause }, None),
        })
    }

    fn read_once(&self, asked: &Asked<'_>, name: Name, range: Option<&Range<u64>>) -> Result<Content, Failed> {
        let wanted = range.map(|range| range.end - range.start);
        let tail = name.to_string();
        let ask = Ask { range, most_bytes: wanted.unwrap_or(MOST_FILE_BYTES), ..Ask::new(Method::GET, &tail) };
        let answer = self.ask(asked, &ask)?;
        let length = answer.body.len() as u64;
        match (answer.status, range) {
            (StatusCode::OK, None) => Ok(answer.body),
            (StatusCode::PARTIAL_CONTENT, Some(_)) if wanted == Some(length) => Ok(answer.body),
            (StatusCode::PARTIAL_CONTENT, Some(range)) => {
                let cause = format!("it ends at byte {}, before byte {}", range.start + length, range.end);
                Err(asked.for_now(Cut { received_bytes: length, cause: cause.into() }, None))
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(range)) => Err(ends_early(name, range).into()),
            // Some answer so for an empty file, which has no range.
            (StatusCode::OK, Some(range)) if length < range.end => Err(ends_early(name, range).into()),
            (StatusCode::OK, Some(_)) => Err(Error::Refused(format!("{}: the server knows no ranges", asked.doing)).into()),
            _ => Err(asked.refusal(&answer)),
        }
    }

    /// Whether the file is there as it would be stored.
    fn has(&self, name: Name, bytes: &Bytes) -> Result<bool, Error> {
        let there = match name {
            Name::Config => self.read(name, None).map(|there| there == bytes),
            Name::Of(..) => self.size_bytes(name).map(|size_bytes| size_bytes == bytes.len() as u64),
        };
        match there {
            Err(Error::NotFound(_)) => Ok(false),
            there => there,
        }
    }
}

fn ends_early(name: Name, range: &Range<u64>) -> Error {
    Error::damaged(name.to_string(), format!("it ends before byte {}", range.end))
}

/// A body that ended at the wrong place.
#[derive(Debug, thiserror::Error)]
#[error("its body ended after {received_bytes} bytes")]
struct Cut {
    received_bytes: u64,
    #[source]
    cause: Cause,
}

impl Backend for Rest {
    fn location(&self) -> String {
        self.address.to_string()
    }

    fn create(&self) -> Result<(), Error> {
        let asked = self.asked("making", "a repository");
        self.repeat(|| {
            let answer = self.ask(&asked, &Ask { body: Some(Bytes::new()), ..Ask::new(Method::POST, "?create=true") })?;
            if answer.status.is_success() { Ok(()) } else { Err(asked.refusal(&answer)) }
        })
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error> {
        let folder = kind.folder();
        let asked = self.asked("listing", folder);
        let answer = self.repeat(|| {
            let answer = self.ask(&asked, &Ask { most_bytes: MOST_LIST_BYTES, ..Ask::new(Method::GET, &format!("{folder}/")) })?;
            match answer.status {
                StatusCode::OK => Ok(Some(answer)),
                // rclone says so of errors of its own, and lists what is not there as empty.
                StatusCode::NOT_FOUND if is_rclone(&answer) => Err(asked.for_now(answer.status.to_string(), None)),
                StatusCode::NOT_FOUND => Ok(None),
                _ => Err(asked.refusal(&answer)),
            }
        })?;
        let is_strong = |answer: &Answer| answer.headers.get(CONSISTENCY).is_some_and(|said| said == "strong");
        self.lists_at_once.store(answer.as_ref().is_some_and(is_strong), Ordering::Relaxed);
        let Some(answer) = answer else { return Ok(Vec::new()) };
        let wrong = |error: serde_json::Error| Error::damaged(format!("the list of {folder}"), error.to_string());
        if answer.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(listing::V2.as_bytes())) {
            return listing::parse(&answer.body).map_err(wrong);
        }
        let mut listed = Vec::new();
        for id in listing::parse_names(&answer.body).map_err(wrong)? {
            match self.size_bytes(Name::Of(kind, id)) {
                Ok(size_bytes) => listed.push(Listed { id, size_bytes }),
                // Removed meanwhile by another client.
                Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(listed)
    }

    fn size_bytes(&self, name: Name) -> Result<u64, Error> {
        let asked = self.asked("looking at", name);
        self.repeat(|| {
            let answer = self.ask(&asked, &Ask::new(Method::HEAD, &name.to_string()))?;
            if answer.status != StatusCode::OK {
                return Err(asked.refusal(&answer));
            }
            let length = answer.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
            length.ok_or_else(|| Error::Refused(format!("{}: the server does not say how long it is", asked.doing)).into())
        })
    }

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
        if let Some(range) = range.as_ref().filter(|range| range.is_empty()) {
            let is_there = self.size_bytes(name)? >= range.end;
            return if is_there { Ok(Content::default()) } else { Err(ends_early(name, range)) };
        }
        let asked = self.asked("reading", name);
        let (mut end, mut times) = (None, 0);
        self.repeat(|| {
            let failed = match self.read_once(&asked, name, range.as_ref()) {
                Err(failed) => failed,
                read => return read,
            };
            let cut = cut_at(&failed);
            (end, times) = if cut.is_some() && cut == end { (end, times + 1) } else { (cut, 1) };
            match failed {
                Failed::ForNow { after, .. } if let Some(bytes) = cut => {
                    let error = Error::damaged(name.to_string(), format!("what the server sends of it ends after {bytes} bytes"));
                    Err(if times < SAME_END { Failed::ForNow { error, after } } else { error.into() })
                }
                failed => Err(failed),
            }
        })
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        // Not every server refuses to replace it.
        if name == Name::Config {
            match self.read(name, None) {
                Ok(there) if there == bytes => return Ok(()),
                Ok(_) => return Err(Error::Refused(format!("another config is at {} already", self.address))),
                Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let asked = self.asked("storing", name);
        self.repeat(|| {
            let answer = self.ask(&asked, &Ask { body: Some(bytes.clone()), ..Ask::new(Method::POST, &name.to_string()) })?;
            match answer.status {
                status if status.is_success() => Ok(()),
                // rest-server says so when it has the file, as after an answer that was lost.
                StatusCode::FORBIDDEN if self.has(name, &bytes)? => Ok(()),
                _ => Err(asked.refusal(&answer)),
            }
        })
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        let asked = self.asked("removing", name);
        self.repeat(|| {
            let answer = self.ask(&asked, &Ask::new(Method::DELETE, &name.to_string()))?;
            let is_gone = answer.status.is_success() || answer.status == StatusCode::NOT_FOUND;
            if is_gone { Ok(()) } else { Err(asked.refusal(&answer)) }
        })
    }

    fn lists_at_once(&self) -> bool {
        self.lists_at_once.load(Ordering::Relaxed)
    }
}

fn is_rclone(answer: &Answer) -> bool {
    answer.headers.get(SERVER).is_some_and(|server| server.as_bytes().starts_with(b"rclone/"))
}

fn cut_at(failed: &Failed) -> Option<u64> {
    match failed {
        Failed::ForNow { error: Error::Unavailable { source, .. }, .. } => source.downcast_ref::<Cut>().map(|cut| cut.received_bytes),
        _ => None,
    }
}
