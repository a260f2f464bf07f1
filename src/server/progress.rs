//! What a connection is waiting for, and until when it may.
//!
//! * Before a request: its head has to be whole `header_time` after its first byte. A new connection that says nothing
//!   gets `header_time`, too; one that is kept alive gets `idle_time`.
//! * During a request: while bytes of its body are missing, a wait for the client that sees none for `progress_time` ends
//!   it, and so does an answer of which the client takes none. A client that moves, however slowly, is never cut; nor is
//!   one that waits for us.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::time::Instant;

use super::head_scan::HeadScan;
use crate::config::Limits;

/// The state of one connection, shared by its socket, its stream and the request that is being answered.
#[derive(Clone)]
pub struct Progress(Arc<Mutex<State>>);

/// One request and its answer. Dropped when the last byte of the answer was handed over, or when nobody wants it.
pub struct Exchange(Progress);

struct State {
    limits: Arc<Limits>,
    stage: Stage,
    /// When bytes last moved on the socket, below TLS: a slow record is progress before it is whole.
    received_at: Instant,
    sent_at: Instant,
    read_blocked_at: Option<Instant>,
    write_blocked_at: Option<Instant>,
    /// Bodies can no longer be told from heads here: the client sent another request right behind one, or a chunked body.
    lost_count: bool,
    /// A `#` came that may stand in a request's target, since bodies cannot be told from heads.
    lost_hash: bool,
    /// The target of the running request is not what the parser took it for.
    cuts_target: bool,
    ending: Ending,
}

enum Stage {
    Head {
        since: Instant,
        wait: Wait,
        scan: HeadScan,
    },
    /// `next` is the head of a request that was sent before this one was answered.
    Exchange {
        left: Left,
        received: u64,
        answering: bool,
        next: HeadScan,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    New,
    Idle,
    Begun,
}

/// Bytes of a request's body that are still to come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Exactly(u64),
    /// A chunked body. Whatever answers it closes the connection, so nothing follows: what comes is read to its end, or to that of
    /// the drain, by the clock of a body.
    Chunked,
    /// Not to be told from what follows: held to the clock until its request is answered.
    Uncounted,
}

/// How a connection's socket should be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Nothing of the client's is unread: a plain close.
    Clean,
    /// The client may still be sending: read on for a moment, or the kernel's reset destroys our last answer.
    Unread,
    /// A reset, so that nobody takes a part for the whole.
    Reset,
    /// The client said nothing for too long.
    TimedOut,
}

impl Progress {
    pub fn new(limits: Arc<Limits>) -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(State {
            limits,
            stage: Stage::head(now, Wait::New),
            received_at: now,
            sent_at: now,
            read_blocked_at: None,
            write_blocked_at: None,
            lost_count: false,
            lost_hash: false,
            cuts_target: false,
            ending: Ending::Clean,
        })))
    }

    /// Begins the wait for the first request, after a TLS handshake.
    pub fn restart(&self) {
        self.state().stage = Stage::head(Instant::now(), Wait::New);
    }

    /// Notes a request whose head is whole; `body_bytes` is its length where it is known.
    pub fn begin(&self, body_bytes: Option<u64>) -> Exchange {
        self.state().begin(body_bytes);
        Exchange(self.clone())
    }

    /// Notes that the socket received bytes.
    pub fn socket_received(&self) {
        self.state().received_at = Instant::now();
    }

    /// Notes that the socket took bytes.
    pub fn socket_sent(&self) {
        self.state().sent_at = Instant::now();
    }

    /// Notes what was read of the client's HTTP.
    pub fn received(&self, bytes: &[u8]) {
        self.state().received(bytes);
    }

    /// Notes that a read waits for the client; returns when the wait has been too long.
    pub fn read_deadline(&self) -> Option<Instant> {
        self.state().read_deadline()
    }

    /// Notes that a write waits for the client; returns when the wait has been too long.
    pub fn write_deadline(&self) -> Option<Instant> {
        self.state().write_deadline()
    }

    /// Notes that a write went on.
    pub fn wrote(&self) {
        self.state().write_blocked_at = None;
    }

    /// Notes why the connection ends; what a reset has to prevent is never overruled.
    pub fn end(&self, ending: Ending) {
        let mut state = self.state();
        if state.ending != Ending::Reset {
            state.ending = ending;
        }
    }

    /// Since when nothing is under way: the last request is received and answered, all of the answer is sent, and no byte of
    /// another has come.
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        match state.stage {
            Stage::Head { since, wait: Wait::Idle, .. } if !state.lost_count && state.write_blocked_at.is_none() => Some(since),
            _ => None,
        }
    }

    pub fn ending(&self) -> Ending {
        let state = self.state();
        match (state.ending, &state.stage) {
            (Ending::Clean, Stage::Head { wait: Wait::Begun, .. }) => Ending::Unread,
            (Ending::Clean, Stage::Exchange { left, next, .. }) if *left != Left::Exactly(0) || next.has_begun() => Ending::Unread,
            (Ending::Clean, _) if state.lost_count => Ending::Unread,
            (ending, _) => ending,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the progress")
    }
}

impl Exchange {
    /// Bytes of the request's body that have arrived, as far as that is known.
    pub fn body_received(&self) -> u64 {
        match self.0.state().stage {
            Stage::Exchange { received, .. } => received,
            Stage::Head { .. } => 0,
        }
    }

    /// Whether a `#` stands, or may stand, in the request's target: the parser has then taken a part of it for the whole.
    pub fn cuts_target(&self) -> bool {
        self.0.state().cuts_target
    }

    /// Has the connection end in a reset: the answer was broken off.
    pub fn break_off(&self) {
        self.0.end(Ending::Reset);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if let Stage::Exchange { answering, .. } = &mut state.stage {
            *answering = false;
        }
        state.settle();
    }
}

impl Stage {
    fn head(since: Instant, wait: Wait) -> Self {
        Self::Head { since, wait, scan: HeadScan::default() }
    }
}

impl State {
    fn begin(&mut self, body_bytes: Option<u64>) {
        let scan = match &mut self.stage {
            Stage::Head { scan, .. } | Stage::Exchange { next: scan, .. } => std::mem::take(scan),
        };
        let arrived = scan.bytes_after_head();
        let is_known = !self.lost_count && arrived.is_some();
        self.lost_count |= match (arrived, body_bytes) {
            (Some(arrived), Some(length)) => arrived > length,
            _ => true,
        };
        self.lost_hash |= self.lost_count && scan.has_hash_after();
        self.cuts_target = if is_known { scan.cuts_target() } else { scan.cuts_target() || self.lost_hash };
        let received = arrived.unwrap_or(0).min(body_bytes.unwrap_or(u64::MAX));
        let left = match body_bytes {
            None => Left::Chunked,
            Some(0) => Left::Exactly(0),
            Some(length) if !self.lost_count => Left::Exactly(length - received),
            Some(_) => Left::Uncounted,
        };
        self.stage = Stage::Exchange { left, received, answering: true, next: HeadScan::default() };
    }

    fn received(&mut self, bytes: &[u8]) {
        self.read_blocked_at = None;
        self.lost_hash |= self.lost_count && bytes.contains(&b'#');
        let count = bytes.len() as u64;
        match &mut self.stage {
            Stage::Head { since, wait, scan } if count > 0 => {
                if *wait == Wait::Idle {
                    *since = Instant::now();
                }
                *wait = Wait::Begun;
                scan.feed(bytes);
            }
            Stage::Head { .. } => {}
            Stage::Exchange { left, received, next, .. } => {
                let of_body = match left {
                    Left::Exactly(left) => usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len()),
                    Left::Chunked | Left::Uncounted => bytes.len(),
                };
                *received += of_body as u64;
                if let Left::Exactly(left) = left {
                    *left -= of_body as u64;
                    next.feed(&bytes[of_body..]);
                }
                self.settle();
            }
        }
    }

    /// Waits for the next request once this one is both received and answered.
    fn settle(&mut self) {
        if let Stage::Exchange { answering: false, left: Left::Exactly(0) | Left::Uncounted, next, .. } = &mut self.stage {
            let wait = if next.has_begun() { Wait::Begun } else { Wait::Idle };
            self.stage = Stage::Head { since: Instant::now(), wait, scan: std::mem::take(next) };
        }
    }

    fn read_deadline(&mut self) -> Option<Instant> {
        let blocked_at = *self.read_blocked_at.get_or_insert_with(Instant::now);
        match &self.stage {
            // The end of the last answer may still be on its way, slowly.
            Stage::Head { since, wait: Wait::Idle, .. } => Some(*since.max(&self.sent_at) + self.limits.idle_time),
            Stage::Head { since, .. } => Some(*since + self.limits.header_time),
            Stage::Exchange { left: Left::Exactly(0), .. } => None,
            Stage::Exchange { .. } => Some(blocked_at.max(self.received_at) + self.limits.progress_time),
        }
    }

    fn write_deadline(&mut self) -> Option<Instant> {
        let blocked_at = *self.write_blocked_at.get_or_insert_with(Instant::now);
        Some(blocked_at.max(self.sent_at) + self.limits.progress_time)
    }
}
