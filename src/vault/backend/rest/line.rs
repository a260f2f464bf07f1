//! One connection to the server, driven by the thread that uses it: no thread of its own, nothing that is polled while it rests. HTTP/1.1
//! alone, and no redirect is followed, so credentials go to one origin only.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::SendRequest;
use tokio::runtime::Runtime;

use super::bucket::Bucket;
use super::road::Road;
use super::sent::Sent;
use super::watch::{Ended, Moved, watched};
use crate::vault::backend::content::Content;
use crate::vault::cancel::Cancel;
use crate::vault::room::Home;

pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    Cancelled,
    /// The server is not the one that is trusted, or must not be spoken to like this.
    Distrusted(String),
    /// The connection cannot be made, broke before an answer began, or nothing moved on it.
    Broken(Cause),
    /// An answer began and ended, or went on, at another place than it said.
    Cut {
        received_bytes: u64,
        cause: Cause,
    },
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Content,
}

/// A connection that has shaken hands.
pub struct Line {
    machine: Machine,
    sender: SendRequest<Sent>,
    moved: Moved,
    rests_since: Instant,
}

/// The runtime of one connection. A look-up of a name that hangs does not hold up its end.
struct Machine(Option<Runtime>);

impl Machine {
    fn new() -> std::io::Result<Self> {
        tokio::runtime::Builder::new_current_thread().enable_all().build().map(|runtime| Self(Some(runtime)))
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.as_ref().expect("it is there until it is dropped").block_on(work)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a call has to be careful of.
#[derive(Clone)]
pub struct Care {
    pub idle: Duration,
    pub cancel: Cancel,
    pub download: Option<Arc<Bucket>>,
    /// Memory of long answers.
    pub home: Arc<Home>,
}

impl Trouble {
    pub fn broken(cause: impl Into<Cause>) -> Self {
        Self::Broken(cause.into())
    }
}

impl From<Ended> for Trouble {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Cancelled => Self::Cancelled,
            Ended::Idle(idle) => Self::broken(format!("nothing moved on the connection for {idle:?}")),
        }
    }
}

impl Line {
    pub fn open(road: &Road, care: &Care) -> Result<Self, Trouble> {
        let machine = Machine::new().map_err(Trouble::broken)?;
        let moved = Moved::default();
        let sender = machine.run(watched(road.connect(&moved, care.idle), &moved, care.idle, &care.cancel))??;
        Ok(Self { machine, sender, moved, rests_since: Instant::now() })
    }

    /// One request and its answer: the whole of a successful one, which may have `most_bytes`, the beginning of a refusal.
    pub fn ask(&mut self, request: Request<Sent>, most_bytes: u64, care: &Care) -> Result<Answer, Trouble> {
        let (sender, moved) = (&mut self.sender, &self.moved);
        let has_body = request.method() != Method::HEAD;
        let work = async {
            sender.ready().await.map_err(Trouble::broken)?;
            let (head, body) = sender.send_request(request).await.map_err(Trouble::broken).map(Response::into_parts)?;
            let body = match head.status.is_success() {
                _ if !has_body => Content::default(),
                true => collect(body, most_bytes, moved, care).await?,
                false => few_words(body).await,
            };
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        let answer = self.machine.run(watched(work, moved, care.idle, &care.cancel))?;
        self.rests_since = Instant::now();
        answer
    }

    /// Whether the server may still expect a request: servers close what rests, the usual ones after a minute or more.
    pub fn is_fresh(&self) -> bool {
        !self.sender.is_closed() && self.rests_since.elapsed() < Duration::from_secs(30)
    }
}

/// The beginning of what a server says when it refuses. A refusal stands also where its words are cut; where there are more of them,
/// hyper closes the connection.
async fn few_words(mut body: Incoming) -> Content {
    const ENOUGH_BYTES: usize = 4 << 10;
    let mut words = Vec::new();
    while words.len() < ENOUGH_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        words.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
    }
    words.into()
}

async fn collect(mut body: Incoming, most_bytes: u64, moved: &Moved, care: &Care) -> Result<Content, Trouble> {
    let too_long = |received: usize| Trouble::Cut { received_bytes: received as u64, cause: "the answer is too long".into() };
    let mut whole = Content::default();
    if let Some(said) = body.size_hint().exact() {
        if said > most_bytes {
            return Err(Trouble::Cut { received_bytes: said, cause: format!("the answer has {said} bytes").into() });
        }
        let room = usize::try_from(said).map_err(Trouble::broken)?;
        whole = Content::with_capacity(room, &care.home).map_err(Trouble::broken)?;
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Trouble::Cut { received_bytes: whole.len() as u64, cause: error.into() })?;
        let Ok(data) = frame.into_data() else { continue };
        if (whole.len() + data.len()) as u64 > most_bytes {
            return Err(too_long(whole.len() + data.len()));
        }
        if let Some(bucket) = &care.download {
            tokio::time::sleep_until(bucket.take(Instant::now(), data.len()).into()).await;
            // Its own waiting is no idleness.
            moved.add(1);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}
