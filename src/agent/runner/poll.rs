//! The long poll: asks what is wanted, for ever, and hands it on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::patience::{Patience, wait};
use super::server::Server;
use super::{Event, Farewell};
use crate::agent::channel::CallError;
use crate::vault::cancel::Cancel;

const WAIT: Duration = Duration::from_secs(30);
/// A server that ends holds no polls; it is not asked more often than this meanwhile.
const LEAST: Duration = Duration::from_secs(1);

/// Why nobody asks any more.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Polled {
    /// The process is to end.
    Over(Farewell),
    /// A call failed, and it is time for another, or the server gave an id twice: what answers then may be a server that started with an older catalog, or another one.
    /// It has to hear from a start-up which run ids are taken and which snapshots there are, before it gives out work.
    Interrupted,
}

/// Asks until a call fails or the process is to end.
pub(super) fn poll(
    server: &dyn Server,
    (asks_anew, starts_up_anew): (&AtomicBool, &AtomicBool),
    cancel: &Cancel,
    patience: &mut Patience,
    mut hand_on: impl FnMut(Event),
) -> Polled {
    let mut tag = None::<String>;
    while !cancel.is_raised() {
        if starts_up_anew.swap(false, Ordering::Relaxed) {
            return Polled::Interrupted;
        }
        if asks_anew.swap(false, Ordering::Relaxed) {
            tag = None;
        }
        let begun = Instant::now();
        match server.work(tag.as_deref(), WAIT) {
            Ok(Some(wanted)) => {
                patience.worked();
                let is_new = tag.as_ref() != Some(&wanted.tag);
                tag = Some(wanted.tag);
                // What it leads to may be that the next call is another one.
                let (heeded, waiting) = channel();
                hand_on(Event::Work(Box::new(wanted.work), heeded));
                let _ = waiting.recv();
                if !is_new {
                    wait(LEAST, cancel);
                }
            }
            Ok(None) => {
                patience.worked();
                wait(LEAST.saturating_sub(begun.elapsed()), cancel);
            }
            Err(CallError::Deleted) => return Polled::Over(Farewell::Deleted),
            Err(CallError::Conflict(_)) => return Polled::Over(Farewell::Superseded),
            Err(CallError::Cancelled) => {}
            Err(error) => {
                wait(patience.failed(&error), cancel);
                return Polled::Interrupted;
            }
        }
    }
    Polled::Over(Farewell::Asked)
}
