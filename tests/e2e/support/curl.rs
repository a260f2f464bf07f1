//! Real curl, and its answers taken apart.

use std::path::Path;
use std::process::{Command, Stdio};

use super::answer::{Answer, Head};

/// Runs curl with `arguments` and takes the answer apart. Its own configuration file is not read.
pub fn curl<I, A>(arguments: I) -> Answer
where
    I: IntoIterator<Item = A>,
    A: AsRef<std::ffi::OsStr>,
{
    let arguments: Vec<std::ffi::OsString> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
    let is_head = arguments.iter().any(|argument| argument == "-I");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (heads, body) = (folder.path().join("heads"), folder.path().join("body"));
    let mut command = Command::new("curl");
    command.args(["-q", "-sS", "--max-time", "120", "--path-as-is", "-w", "%{size_upload}", "-D"]).arg(&heads);
    command.arg("-o").arg(&body).args(arguments);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    let output = command.output().expect("curl is installed");
    let mut body = std::fs::read(&body).unwrap_or_default();
    let dump = std::fs::read(&heads).unwrap_or_default();
    // With -I curl writes the head where the body goes.
    if is_head && body.starts_with(&dump) {
        body.drain(..dump.len());
    }
    Answer {
        exit: output.status.code().unwrap_or(-1),
        heads: read_heads(&heads),
        body,
        complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
        sent_bytes: String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0),
    }
}

/// Every head in the dump, in order.
fn read_heads(dump: &Path) -> Vec<Head> {
    let bytes = std::fs::read(dump).unwrap_or_default();
    String::from_utf8_lossy(&bytes).split("\r\n\r\n").filter_map(|text| Head::parse(text.trim_start())).collect()
}
