//! Ctrl-C and SIGTERM: the first asks the work to stop, the second ends the process where it stands.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::failure::Failure;
use crate::vault::cancel::Cancel;

/// From now on the first signal raises `cancel`, and a second one ends the process at once, with exit code 1. What it leaves behind
/// then is what a crash leaves: a lock that becomes stale, and data that the next run uses.
pub fn obey(cancel: &Cancel) -> Result<(), Failure> {
    let failed = |error| Failure::because("cannot handle signals", &error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let register = || -> std::io::Result<[Signal; 3]> {
        // A write beyond a file size limit is an error like that of a full disk, for as long as somebody catches the signal.
        let file_size = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        Ok([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(file_size)?])
    };
    let entered = runtime.enter();
    let [mut interrupt, mut terminate, file_size] = register().map_err(failed)?;
    drop(entered);
    let cancel = cancel.clone();
    std::thread::spawn(move || {
        let _kept = file_size;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if cancel.is_raised() {
                    end_at_once();
                }
                cancel.raise();
            }
        });
    });
    Ok(())
}

#[expect(clippy::exit, reason = "whoever asks twice does not want to wait for what is under way")]
fn end_at_once() -> ! {
    std::process::exit(1)
}
