//! The long poll: asks what is wanted, for ever, and hands it on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::patience::{Patience, Pauses, wait};
use super::server::Server;
use super::{Event, Farewell};
use crate::agent::channel::CallError;
use crate::vault::cancel::Cancel;

const WAIT: Duration = Duration::from_secs(30);
/// A server that ends holds no polls; it is not asked more often than this meanwhile.
const LEAST: Duration = Duration::from_secs(1);

/// Asks until the process is to end, and says why.
pub(super) fn poll(
    server: &dyn Server,
    asks_anew: &AtomicBool,
    cancel: &Cancel,
    pauses: Pauses,
    mut hand_on: impl FnMut(Event),
) -> Farewell {
    let (mut tag, mut patience) = (None::<String>, Patience::telling(pauses));
    while !cancel.is_raised() {
        if asks_anew.swap(false, Ordering::Relaxed) {
            tag = None;
        }
        let begun = Instant::now();
        match server.work(tag.as_deref(), WAIT) {
            Ok(Some(wanted)) => {
                patience.worked();
                let is_new = tag.as_ref() != Some(&wanted.tag);
                tag = Some(wanted.tag);
                hand_on(Event::Work(Box::new(wanted.work)));
                if !is_new {
                    wait(LEAST, cancel);
                }
            }
            Ok(None) => {
                patience.worked();
                wait(LEAST.saturating_sub(begun.elapsed()), cancel);
            }
            Err(CallError::Deleted) => return Farewell::Deleted,
            Err(CallError::Conflict(_)) => return Farewell::Superseded,
            Err(CallError::Cancelled) => {}
            Err(error) => _ = wait(patience.failed(&error), cancel),
        }
    }
    Farewell::Asked
}
