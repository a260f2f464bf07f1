//! What a proxy lets pass: a test holds a request of its choice on its way, and counts those that went by.

use std::sync::{Condvar, Mutex};

use super::{SOON, eventually};

/// Of plain HTTP/1.1, where every request begins what its sender writes next.
#[derive(Default)]
pub struct Gate {
    inner: Mutex<Inner>,
    turned: Condvar,
}

#[derive(Default)]
struct Inner {
    /// The beginning of a request line that is to be held, and how many of its kind are let pass first.
    wanted: Option<(String, u64)>,
    is_holding: bool,
    /// Rises when whatever is held is to go on.
    epoch: u64,
    /// The beginning of a request line whose answer is to be lost, once.
    lost: Option<String>,
    /// The beginning of a request line that asks for what is not there.
    misdirected: Option<String>,
    /// Rises when whatever is held is to be given up.
    turn: u64,
    /// The request lines that passed.
    passed: Vec<String>,
}

/// What becomes of a request.
pub(super) enum Passage {
    Free,
    /// It goes on, and its answer does not come back.
    Unanswered,
    /// It was given up while it was held.
    Ended,
}

const METHODS: [&str; 5] = ["GET ", "HEAD ", "POST ", "PUT ", "DELETE "];

/// The request line, where these bytes begin a request.
fn line_of(bytes: &[u8]) -> Option<String> {
    let line = bytes.split(|byte| *byte == b'\r').next().map(String::from_utf8_lossy)?;
    METHODS.iter().any(|method| line.starts_with(method)).then(|| line.into_owned())
}

impl Gate {
    /// Holds every request from now on that begins so, after so many of them. What was held before goes on.
    pub fn hold(&self, beginning: &str, after: u64) {
        let mut inner = self.inner.lock().expect("nobody panics");
        (inner.wanted, inner.is_holding) = (Some((beginning.to_owned(), after)), false);
        inner.epoch += 1;
        self.turned.notify_all();
    }

    /// Waits until a request is held.
    pub fn await_held(&self) {
        eventually("a request is held", 3 * SOON, || self.is_holding().then_some(()));
    }

    pub fn is_holding(&self) -> bool {
        self.inner.lock().expect("nobody panics").is_holding
    }

    /// Whatever is held goes on, and nothing is held any more.
    pub fn open(&self) {
        let mut inner = self.inner.lock().expect("nobody panics");
        (inner.wanted, inner.is_holding) = (None, false);
        inner.epoch += 1;
        self.turned.notify_all();
    }

    /// Whatever is held never arrives; requests like it are held again.
    pub(super) fn give_up(&self) {
        let mut inner = self.inner.lock().expect("nobody panics");
        inner.turn += 1;
        inner.is_holding = false;
        self.turned.notify_all();
    }

    /// The next request that begins so is answered, and nobody hears it.
    pub fn lose_answer(&self, beginning: &str) {
        self.inner.lock().expect("nobody panics").lost = Some(beginning.to_owned());
    }

    /// From now on whoever asks for this asks for what is not there: as if the server had lost it.
    pub fn misdirect(&self, beginning: &str) {
        self.inner.lock().expect("nobody panics").misdirected = Some(beginning.to_owned());
    }

    /// Changes the last letter of a path that is to lead nowhere.
    pub(super) fn turn(&self, bytes: &mut [u8]) {
        let inner = self.inner.lock().expect("nobody panics");
        let Some(beginning) = inner.misdirected.as_ref().filter(|beginning| bytes.starts_with(beginning.as_bytes())) else { return };
        bytes[beginning.len() - 1] = b'!';
    }

    /// How many requests have passed that begin so.
    pub fn count(&self, beginning: &str) -> usize {
        self.inner.lock().expect("nobody panics").passed.iter().filter(|line| line.starts_with(beginning)).count()
    }

    /// The request lines that have passed since this was asked last.
    pub fn take_passed(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.lock().expect("nobody panics").passed)
    }

    pub(super) fn pass(&self, bytes: &[u8]) -> Passage {
        let Some(line) = line_of(bytes) else { return Passage::Free };
        let mut inner = self.inner.lock().expect("nobody panics");
        let mut is_wanted = inner.wanted.as_ref().is_some_and(|(beginning, _)| line.starts_with(beginning.as_str()));
        if let Some((_, after)) = inner.wanted.as_mut().filter(|(_, after)| is_wanted && *after > 0) {
            *after -= 1;
            is_wanted = false;
        }
        if is_wanted {
            let (epoch, turn) = (inner.epoch, inner.turn);
            inner.is_holding = true;
            while inner.epoch == epoch && inner.turn == turn {
                inner = self.turned.wait(inner).expect("nobody panics");
            }
            if inner.turn != turn {
                return Passage::Ended;
            }
        }
        let is_lost = inner.lost.as_ref().is_some_and(|beginning| line.starts_with(beginning.as_str()));
        inner.passed.push(line);
        if is_lost {
            inner.lost = None;
            return Passage::Unanswered;
        }
        Passage::Free
    }
}

#[test]
fn a_request_is_known_by_its_line() {
    assert_eq!(line_of(b"GET /x HTTP/1.1\r\nHost: y\r\n\r\n").as_deref(), Some("GET /x HTTP/1.1"));
    assert_eq!(line_of(b"\x01\x02GET /x\r\n"), None);
}
