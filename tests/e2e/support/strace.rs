//! strace on a running server: every sync in its order, and one of them made to fail.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::server::TestServer;

/// Attached until it is stopped, or the server ends.
pub struct Strace {
    process: Child,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

/// One sync in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sync {
    /// What the descriptor stands for.
    pub path: String,
    pub has_failed: bool,
}

impl Strace {
    /// Watches the syncs of `server`, with more arguments for what is done to them, such as `-e inject=fsync:error=EIO:when=3`, which
    /// strace counts for each thread alone.
    pub fn on(server: &TestServer, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("log");
        let mut process = Command::new("strace")
            .args(["-f", "-y", "-e", "trace=fsync,fdatasync,syncfs,sync,msync", "-p", &server.pid().to_string(), "-o"])
            .arg(&log)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace runs");
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("attached")), "strace attaches");
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, log, _folder: folder }
    }

    /// The syncs so far. A call that another thread interrupted in the log is known by its beginning and its end.
    pub fn syncs(&self) -> Vec<Sync> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let mut begun: Vec<(&str, String)> = Vec::new();
        let mut syncs = Vec::new();
        for line in text.lines() {
            let Some((thread, call)) = line.split_once(' ') else { continue };
            let path = call.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path.to_owned());
            match path {
                Some(path) if call.contains("<unfinished") => begun.push((thread, path)),
                _ if call.contains("resumed>") => {
                    if let Some(at) = begun.iter().position(|(began, _)| *began == thread) {
                        syncs.push(Sync { path: begun.remove(at).1, has_failed: call.contains(" = -1 E") });
                    }
                }
                Some(path) if call.contains("sync") => syncs.push(Sync { path, has_failed: call.contains(" = -1 E") }),
                _ => {}
            }
        }
        syncs
    }

    /// Waits for its end, which is the server's, and answers every sync there was.
    pub fn until_the_end(mut self) -> Vec<Sync> {
        self.process.wait().expect("strace ends");
        self.syncs()
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
