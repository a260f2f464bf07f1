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
    /// Bodies can no longer be told from heads here: the client sent a request before the last one was answered, or a
    /// chunked body.
    lost_count: bool,
    ending: Ending,
}

enum Stage {
    Head { since: Instant, wait: Wait, scan: HeadScan },
    Exchange { left: Left, received: u64, answering: bool },
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
    /// A chunked body: held to the clock until its request is answered.
    Unknown,
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

    /// Whether nothing is under way: the last request is received and answered, all of the answer is sent, and no byte of
    /// another has come.
    pub fn is_idle(&self) -> bool {
        let state = self.state();
        !state.lost_count && state.write_blocked_at.is_none() && matches!(state.stage, Stage::Head { wait: Wait::Idle, .. })
    }

    pub fn ending(&self) -> Ending {
        let state = self.state();
        match (state.ending, &state.stage) {
            (Ending::Clean, Stage::Head { wait: Wait::Begun, .. }) => Ending::Unread,
            (Ending::Clean, Stage::Exchange { left, .. }) if *left != Left::Exactly(0) => Ending::Unread,
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
        let arrived = match &self.stage {
            Stage::Head { scan, .. } => scan.bytes_after_head(),
            Stage::Exchange { .. } => None,
        };
        self.lost_count |= match (arrived, body_bytes) {
            (Some(arrived), Some(length)) => arrived > length,
            _ => true,
        };
        let received = arrived.unwrap_or(0).min(body_bytes.unwrap_or(u64::MAX));
        let left = match body_bytes {
            Some(0) => Left::Exactly(0),
            Some(length) if !self.lost_count => Left::Exactly(length - received),
            _ => Left::Unknown,
        };
        self.stage = Stage::Exchange { left, received, answering: true };
    }

    fn received(&mut self, bytes: &[u8]) {
        self.read_blocked_at = None;
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
            Stage::Exchange { left, received, .. } => {
                *received += count;
                if let Left::Exactly(left) = left {
                    self.lost_count |= count > *left;
                    *left = left.saturating_sub(count);
                }
                self.settle();
            }
        }
    }

    /// Waits for the next request once this one is both received and answered.
    fn settle(&mut self) {
        if matches!(self.stage, Stage::Exchange { answering: false, left: Left::Exactly(0) | Left::Unknown, .. }) {
            self.stage = Stage::head(Instant::now(), Wait::Idle);
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
