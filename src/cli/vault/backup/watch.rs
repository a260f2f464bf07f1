//! The bar of a backup: it looks at the counters while the work goes on.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use indicatif::ProgressBar;

use crate::vault::progress::Counters;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(200);

/// Does the work, and draws how far it is where somebody watches.
pub(super) fn during<T>(bar: &ProgressBar, progress: &Counters, work: impl FnOnce() -> T) -> T {
    if bar.is_hidden() {
        return work();
    }
    let (end, ended) = channel::<()>();
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            let ended = ended;
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let seen = progress.seen();
                bar.set_length(seen.bytes_total);
                bar.set_position(seen.bytes_done.min(seen.bytes_total));
            }
        });
        let done = work();
        drop(end);
        done
    });
    bar.finish_and_clear();
    done
}
