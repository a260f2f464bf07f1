//! `strongroom agent`, as a machine runs it: the real process, with a state folder and a machine's identity of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::ran::Ran;
use super::tree::{sha256, write_private};
use super::user::User;
use super::{eventually, wait_until};

/// Its passphrases cost time by design, and all of a machine's cores may be taken.
pub const AGENT_SOON: Duration = Duration::from_secs(90);

/// One machine. Dropping it ends its process as a service manager does, and insists that it ends well.
pub struct Agent {
    pub id: i64,
    home: tempfile::TempDir,
    state: PathBuf,
    /// Where its server is, as it is told.
    origin: String,
    /// Further arguments of `run`.
    arguments: Vec<String>,
    /// What its service manager tells it.
    environment: Vec<(String, std::ffi::OsString)>,
    process: Option<Child>,
}

impl Agent {
    /// A machine that nobody has registered yet.
    pub fn machine(origin: &str, name: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let state = home.path().join("state");
        let machine = Self { id: 0, home, state, origin: origin.to_owned(), arguments: Vec::new(), environment: Vec::new(), process: None };
        machine.become_machine(name);
        machine
    }

    /// Another machine-id and another product UUID, as those of a clone are.
    pub fn become_machine(&self, name: &str) {
        let root = self.machine_root();
        let (etc, dmi) = (root.join("etc"), root.join("sys/class/dmi/id"));
        std::fs::create_dir_all(&etc).and_then(|()| std::fs::create_dir_all(&dmi)).expect("folders are made");
        let id = sha256(name.as_bytes());
        std::fs::write(etc.join("machine-id"), format!("{}\n", &id[..32])).expect("a file is written");
        let uuid = format!("{}-{}-{}-{}-{}\n", &id[32..40], &id[40..44], &id[44..48], &id[48..52], &id[52..64]);
        std::fs::write(dmi.join("product_uuid"), uuid).expect("a file is written");
    }

    fn machine_root(&self) -> PathBuf {
        self.home.path().join("machine")
    }

    /// Keeps its state elsewhere, such as on a small disk.
    pub fn with_state(mut self, state: &Path) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// From its next start on, `run` has these arguments, too.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self
    }

    /// From its next start on, `run` has this in its environment, too.
    pub fn with_environment(mut self, name: &str, value: impl Into<std::ffi::OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Registers; what it said. `arguments` follow those that every registration has.
    pub fn try_register(&mut self, user: &User, arguments: &[&str]) -> Ran {
        let mut command = self.command(&["register", "--server", &self.origin, "--user", &user.name]);
        command.args(arguments).env("STRONGROOM_API_KEY", &user.api_key);
        let ran = Ran::of(&command.output().expect("the binary runs"));
        if ran.exit == 0 {
            self.id = self.bootstrap()["AgentId"].as_i64().expect("a number");
        }
        ran
    }

    #[track_caller]
    pub fn register(&mut self, user: &User, arguments: &[&str]) -> i64 {
        let ran = self.try_register(user, arguments).expect_exit(0);
        assert!(!ran.out.contains(&user.api_key) && !ran.complaint.contains(&user.api_key), "a secret is printed");
        self.id
    }

    /// A command of this agent, with its environment and nothing else of ours.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let (action, rest) = arguments.split_first().expect("a subcommand");
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.home.path());
        command.env("STRONGROOM_MACHINE_ROOT", self.machine_root()).current_dir(self.home.path());
        command.args(["agent", action, "--state"]).arg(&self.state).args(rest).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().expect("the binary runs"))
    }

    /// Runs it as its service does.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "the agent runs already");
        self.process = Some(self.spawn());
    }

    /// One process more, which is not this agent's own.
    pub fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.home.path().join("log")).expect("the log is opened");
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let plain = self.command(&[&["run"], &arguments[..]].concat());
        // A service manager tells a process its own id.
        let mut command = Command::new("sh");
        command.args(["-c", "WATCHDOG_PID=$$; export WATCHDOG_PID; exec \"$0\" \"$@\""]).arg(plain.get_program()).args(plain.get_args());
        command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(self.home.path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a descriptor")).stderr(log).spawn().expect("the binary runs")
    }

    /// Runs it, and waits for its end.
    pub fn start_in_vain(&mut self) -> Ran {
        let before = self.log().len();
        self.start();
        let ended = self.await_end();
        Ran { exit: ended.code().unwrap_or(-1), out: String::new(), complaint: self.log()[before..].to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the agent runs").id()
    }

    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// SIGTERM, and its end: within the bound, whatever it was doing, once it is there at all.
    #[track_caller]
    pub fn stop(&mut self) {
        wait_until("the agent listens to SIGTERM", AGENT_SOON, || self.listens_to_sigterm() || !self.is_running());
        self.signal(Signal::TERM);
        let ended = self.await_end();
        assert_eq!(ended.code(), Some(0), "an orderly end\n{}", self.log());
    }

    /// Whether the signal comes to its own code (proc_pid_status(5), `SigCgt`). A process that has just begun ends by it.
    fn listens_to_sigterm(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(|mask| u64::from_str_radix(mask.trim(), 16));
        caught.is_some_and(|mask| mask.expect("a mask in hexadecimal digits") & 1 << (Signal::TERM.as_raw() - 1) != 0)
    }

    /// SIGKILL: a crash.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.await_end();
    }

    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.start();
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("the agent takes a signal");
    }

    /// Waits until the process has ended by itself.
    pub fn await_end(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the agent runs");
        let log = self.home.path().join("log");
        let ended = eventually("the agent ends", AGENT_SOON, || process.try_wait().expect("the process can be waited for"));
        assert!(!std::fs::read_to_string(log).unwrap_or_default().contains("panicked at"), "{}", self.log());
        ended
    }

    /// Everything that its processes wrote, over all starts.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.home.path().join("log")).unwrap_or_default()).into_owned()
    }

    #[track_caller]
    pub fn await_log(&self, part: &str) {
        super::wait_until(&format!("“{part}” in the agent's log"), AGENT_SOON, || self.log().contains(part));
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn state(&self) -> &Path {
        &self.state
    }

    #[track_caller]
    pub fn bootstrap(&self) -> Value {
        let text = std::fs::read(self.state.join("bootstrap.json")).expect("bootstrap.json is there");
        serde_json::from_slice(&text).expect("bootstrap.json is JSON")
    }

    /// A copy of the whole folder, as a cloned disk has it.
    pub fn cloned(&self) -> Self {
        let mut clone = Self::machine(&self.origin, "");
        let copied = Command::new("cp").args(["-a", "--no-target-directory"]).arg(self.home.path()).arg(clone.home.path()).status();
        assert!(copied.expect("cp runs").success());
        write_private(&clone.home.path().join("log"), b"");
        clone.id = self.id;
        clone.arguments.clone_from(&self.arguments);
        clone
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            super::say(&format!("--- log of agent {}\n{}", self.id, self.log()));
            if let Some(mut process) = self.process.take() {
                drop(process.kill());
                drop(process.wait());
            }
            return;
        }
        if self.process.is_some() {
            self.stop();
        }
        assert!(!self.log().contains("panicked at"), "{}", self.log());
    }
}
