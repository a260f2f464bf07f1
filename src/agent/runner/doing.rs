//! The jobs, as the runner calls them.

use crate::agent::channel::CallError;
use crate::agent::jobs::{self, Ended, Reporter, Tools};
use crate::agent::leash::Leash;
use crate::vault::error::Error;
use crate::wire::channel::work::{Generation, JobText, Request, Run, Vault};

/// The lowest priority. The threads that a job starts inherit it, and the kernel derives that of input and output from it
/// (`ioprio_set(2)`).
const NICEST: i32 = 19;

/// All jobs, or what stands for them in a test.
pub(super) trait Doing: Send + Sync {
    fn run(&self, vault: &Vault, run: &Run, reporter: &Reporter) -> Ended;
    fn answer(&self, vault: &Vault, request: &Request, leash: &Leash) -> Result<(), CallError>;
    fn make_generation(&self, generation: &Generation, leash: &Leash) -> Result<(), Error>;
}

impl Doing for Tools {
    fn run(&self, vault: &Vault, run: &Run, reporter: &Reporter) -> Ended {
        match &run.job {
            JobText::Backup { is_scheduled, .. } => {
                if *is_scheduled && !self.settings.keeps_priority {
                    step_back();
                }
                jobs::back_up(self, vault, run, reporter)
            }
            JobText::Restore { .. } => jobs::restore(self, run, reporter),
            JobText::Cleanup { .. } => jobs::clean_up(self, vault, run, reporter),
        }
    }

    fn answer(&self, vault: &Vault, request: &Request, leash: &Leash) -> Result<(), CallError> {
        jobs::answer(self, vault, request, leash)
    }

    fn make_generation(&self, generation: &Generation, leash: &Leash) -> Result<(), Error> {
        jobs::make_generation(self, generation, leash)
    }
}

/// This thread, and what it starts from now on, makes way for everything else that the machine does.
fn step_back() {
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICEST) {
        tracing::debug!(%error, "the priority of a scheduled backup stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_steps_back_takes_along_what_it_starts_and_nobody_else() {
        let nice = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).expect("a priority");
        let before = nice();
        let (own, started) = std::thread::spawn(move || {
            step_back();
            (nice(), std::thread::spawn(nice).join().expect("a priority"))
        })
        .join()
        .expect("two priorities");
        assert_eq!((own, started, nice()), (NICEST, NICEST, before));
    }
}
