//! Ctrl-C and SIGTERM: the first asks the work to stop, the second ends the process where it stands.

use std::fs::File;

use rustix::io::Errno;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::failure::Failure;
use crate::vault::cancel::Cancel;

/// From now on the first signal raises `cancel`, and a second one ends the process at once, with exit code 1. What it leaves behind
/// then is what a crash leaves: a lock that becomes stale, and data that the next run uses.
pub fn obey(cancel: &Cancel) -> Result<(), Failure> {
    insist_on_descriptors()?;
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

/// Tokio panics where it has no descriptor left for a pipe of its own. With fewer than these no command gets far, either.
fn insist_on_descriptors() -> Result<(), Failure> {
    const NEEDED: usize = 24;
    let take = || {
        let first = File::open("/")?;
        (1..NEEDED).map(|_| first.try_clone()).collect::<std::io::Result<Vec<File>>>()
    };
    match take() {
        Err(error) if [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error())).contains(&error.raw_os_error()) => {
            Err(Failure::because("too few file descriptors are free", &error).with_hint("raise `ulimit -n`"))
        }
        // Whether something else is wrong, is for others to say.
        _ => Ok(()),
    }
}

#[expect(clippy::exit, reason = "whoever asks twice does not want to wait for what is under way")]
fn end_at_once() -> ! {
    std::process::exit(1)
}
