//! What the process asks of the operating system before anything else.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask};

use super::failure::Failure;
use crate::config::Config;
use crate::logging::{self, LogHandle};
use crate::store::home::become_owner;

/// Files are for their owner alone, memory with secrets never becomes a core file, and as many descriptors may be open as
/// the system grants. What the system refuses is left as it is: none of it is needed for correct work.
pub fn harden() {
    umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let descriptors = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: descriptors.maximum, ..descriptors });
}

/// Puts the faults that `FAILPOINTS` names in force for as long as the answer lives, in a build that was made together with the
/// tests. Any other build has none to put in force.
pub fn faults() -> Option<fail::FailScenario<'static>> {
    fail::has_failpoints().then(fail::FailScenario::setup)
}

/// What every command on a store begins with: root becomes the owner of the data directory, and logging starts.
pub fn begin(config: &Config) -> Result<LogHandle, Failure> {
    let data = &config.store.data;
    become_owner(data).map_err(|error| Failure::because(format!("cannot open the store in {}", data.display()), &error))?;
    logging::init(&config.log).map_err(|error| Failure::because("cannot start logging", &error))
}

/// Runs an asynchronous command to its end.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::because("cannot start threads", &error))?;
    runtime.block_on(async {
        survive_file_size_limit()?;
        work.await
    })
}

/// A write beyond a file size limit (`ulimit -f`) kills the process unless the signal is caught; caught, it is an error
/// like that of a full disk. The handler stays for the life of the process.
fn survive_file_size_limit() -> Result<(), Failure> {
    let kind = tokio::signal::unix::SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    tokio::signal::unix::signal(kind).map(drop).map_err(|error| Failure::because("cannot handle signals", &error))
}
