//! The scripts of a configuration: run by `/bin/sh -c`, in a group of processes of their own, without the agent's secrets.
//!
//! What a script prints goes into the log, at debug. One that takes too long is asked to end with everything in its group, and a little later
//! made to. What it leaves behind when it ends by itself is its own matter.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::vault::cancel::Cancel;

/// How often the flag and the end of the script are looked at.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// Bytes of a line that are kept.
const LONGEST_LINE: usize = 1024;
/// What of the agent's environment a script sees. The agent is given no secret by the environment, and a script would be given none.
const PASSED_ON: [&str; 9] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"];
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a script may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub in_all: Duration,
    /// From a stop of the backup on.
    pub once_stopped: Duration,
    /// Between asking it to end and making it.
    pub grace: Duration,
}

/// Why a script did not do what it was for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// For people: how it ended, and the last line of its errors.
    Itself(String),
    /// The backup was stopped.
    Stopped,
}

/// Runs a script to its end.
pub(super) fn run(name: &'static str, script: &str, limits: &Limits, cancel: &Cancel) -> Result<(), Failed> {
    let mut running = Running::start(name, script).map_err(|error| Failed::Itself(format!("it could not be started: {error}")))?;
    let ended = running.wait(limits, cancel).map_err(|error| Failed::Itself(format!("it could not be waited for: {error}")))?;
    let how = match ended {
        Ended::BecauseStopped => return Err(Failed::Stopped),
        Ended::BecauseLate => format!("it did not end within {} and was made to", duration(limits.in_all)),
        Ended::Alone(status) if status.success() => return Ok(()),
        Ended::Alone(status) => status_text(status),
    };
    let said = running.errors.last();
    Err(Failed::Itself(if said.is_empty() { how } else { format!("{how}: {said}") }))
}

enum Ended {
    Alone(ExitStatus),
    BecauseLate,
    BecauseStopped,
}

struct Running {
    child: Child,
    output: Lines,
    errors: Lines,
}

impl Running {
    fn start(name: &'static str, script: &str) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script).current_dir("/").process_group(0).env_clear().env("PATH", DEFAULT_PATH);
        command.envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let output = Lines::of(name, child.stdout.take().expect("it is piped"))?;
        let errors = Lines::of(name, child.stderr.take().expect("it is piped"))?;
        Ok(Self { child, output, errors })
    }

    fn wait(&mut self, limits: &Limits, cancel: &Cancel) -> io::Result<Ended> {
        let (mut deadline, mut is_stopped, mut asked_at) = (Instant::now() + limits.in_all, false, None);
        loop {
            let ended = self.child.try_wait()?;
            self.read()?;
            match (ended, asked_at) {
                (Some(status), None) => return Ok(Ended::Alone(status)),
                (Some(_), Some(_)) => return Ok(if is_stopped { Ended::BecauseStopped } else { Ended::BecauseLate }),
                (None, Some(at)) if Instant::now() >= at + limits.grace => self.signal(Signal::KILL),
                (None, Some(_)) => {}
                (None, None) => {
                    if cancel.is_raised() && !is_stopped && Instant::now() + limits.once_stopped < deadline {
                        (is_stopped, deadline) = (true, Instant::now() + limits.once_stopped);
                    }
                    if Instant::now() >= deadline {
                        self.signal(Signal::TERM);
                        asked_at = Some(Instant::now());
                    }
                }
            }
            self.wait_a_moment()?;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may be gone by now, which is what was wanted.
            let _ = kill_process_group(group, signal);
        }
    }

    fn read(&mut self) -> io::Result<()> {
        self.output.read()?;
        self.errors.read()
    }

    /// Until something is printed or a pipe ends, and no longer than a moment.
    fn wait_a_moment(&self) -> io::Result<()> {
        let open = [&self.output, &self.errors].into_iter().filter_map(Lines::fd);
        let mut open: Vec<_> = open.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match poll(&mut open, Some(&LOOK_EVERY)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

trait Pipe: Read + AsFd {}
impl<T: Read + AsFd> Pipe for T {}

/// What comes out of a pipe, line by line.
struct Lines {
    name: &'static str,
    /// `None` after its end.
    pipe: Option<Box<dyn Pipe>>,
    line: Vec<u8>,
    /// The last one that was not empty.
    last: String,
}

impl Lines {
    fn of(name: &'static str, pipe: impl Pipe + 'static) -> io::Result<Self> {
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        Ok(Self { name, pipe: Some(Box::new(pipe)), line: Vec::new(), last: String::new() })
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(|pipe| pipe.as_fd())
    }

    /// Takes what is there. Whoever prints without end is read a part at a time.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        for _ in 0..16 {
            let Some(pipe) = &mut self.pipe else { break };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(length) => buffer[..length].iter().for_each(|byte| self.take(*byte)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take(&mut self, byte: u8) {
        if byte == b'\n' {
            self.end_line();
        } else if self.line.len() < LONGEST_LINE {
            self.line.push(byte);
        }
    }

    fn end_line(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let text: String = text.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        self.line.clear();
        if !text.is_empty() {
            tracing::debug!(script = self.name, "{text}");
            self.last = text;
        }
    }

    /// The last line that was not empty, whether it has ended or not.
    fn last(&mut self) -> &str {
        self.end_line();
        &self.last
    }
}

fn status_text(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "it ended for no known reason".to_owned(),
    }
}

fn duration(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 3600 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Limits = Limits { in_all: Duration::from_secs(300), once_stopped: Duration::ZERO, grace: Duration::from_secs(300) };
    const NO_TIME: Limits = Limits { in_all: Duration::ZERO, ..LONG };

    fn failed(script: &str, limits: &Limits) -> String {
        match run("prescript", script, limits, &Cancel::default()) {
            Err(Failed::Itself(how)) => how,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_script_ends_well_with_status_0_alone() {
        assert_eq!(run("prescript", "echo done; exit 0", &LONG, &Cancel::default()), Ok(()));
        assert_eq!(failed("exit 3", &LONG), "exit status 3");
        assert_eq!(failed("echo first >&2; echo; echo 'the last  ' >&2; echo out; echo >&2; exit 1", &LONG), "exit status 1: the last");
        assert_eq!(failed("printf 'no end of\\033line' >&2; exit 1", &LONG), "exit status 1: no end of line");
        assert_eq!(failed("kill -9 $$", &LONG), "signal 9");
        assert_eq!(failed("yes | head -c 3000000 | tr -d '\\n' >&2; exit 1", &LONG).len(), "exit status 1: ".len() + LONGEST_LINE);
    }

    #[test]
    fn a_script_has_no_input_and_an_environment_without_secrets() {
        let script = "read line && exit 1; test \"$(env | cut -d= -f1 | grep -vE '^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_ALL|TZ|TMPDIR|\
                      PWD|SHLVL|OLDPWD|_)$')\" = '' || exit 2; test \"$PATH\" && test \"$PWD\" = /";
        let is_kept = |name: &str| PASSED_ON.contains(&name) || ["PWD", "SHLVL", "OLDPWD", "_"].contains(&name);
        assert!(std::env::vars_os().any(|(name, _)| name.to_str().is_none_or(|name| !is_kept(name))), "the tests' own has more");
        assert_eq!(run("prescript", script, &LONG, &Cancel::default()), Ok(()));
    }

    /// Stops the script once it has made the file `ready`.
    fn stopped_when_ready(script: &str, ready: &std::path::Path, limits: &Limits) -> Result<(), Failed> {
        let cancel = Cancel::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                wait_for(ready);
                cancel.raise();
            });
            run("prescript", script, limits, &cancel)
        })
    }

    fn wait_for(file: &std::path::Path) {
        while !file.exists() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_script_that_takes_too_long_is_made_to_end() {
        assert!(failed("sleep 1000", &NO_TIME).starts_with("it did not end within 0 s and was made to"));
    }

    #[test]
    fn a_script_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let (ready, ended) = (dir.path().join("ready"), dir.path().join("ended"));
        let work = format!("trap 'echo > {}; exit' TERM; echo > {}; while :; do sleep 0.01; done", ended.display(), ready.display());
        assert_eq!(stopped_when_ready(&format!("({work}) & wait"), &ready, &LONG), Err(Failed::Stopped));
        wait_for(&ended);
    }

    #[test]
    fn one_that_does_not_listen_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let ready = dir.path().join("ready");
        let deaf = format!("trap '' TERM; echo > {}; while :; do sleep 0.01; done", ready.display());
        assert_eq!(stopped_when_ready(&deaf, &ready, &Limits { grace: Duration::ZERO, ..LONG }), Err(Failed::Stopped));
    }

    #[test]
    fn a_stop_of_the_backup_stops_it() {
        let cancel = Cancel::default();
        cancel.raise();
        assert_eq!(run("prescript", "sleep 1000", &LONG, &cancel), Err(Failed::Stopped));
        let patient = Limits { once_stopped: Duration::from_secs(200), ..LONG };
        assert_eq!(run("postscript", "exit 0", &patient, &cancel), Ok(()), "one that may end is let end");
    }

    #[test]
    fn what_a_script_leaves_running_is_not_waited_for() {
        let begun = Instant::now();
        assert_eq!(run("prescript", "sleep 100 & exit 0", &LONG, &Cancel::default()), Ok(()));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
