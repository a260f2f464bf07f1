//! An existing client of the Cloud Backup API, `rackspace-backup-client` from PyPI, with a real agent on the other side.

use std::path::Path;
use std::process::Command;

use crate::rcbu::{library, python};
use crate::support::estate::Estate;
use crate::support::seen::seen;
use crate::support::{skip, skip_without_root};

const FOLDER: &str = "/etc/driveclient";

/// What old tools read on the agent's machine; taken away again.
struct Published(bool);

impl Drop for Published {
    fn drop(&mut self) {
        if self.0 {
            drop(std::fs::remove_dir_all(FOLDER));
        }
    }
}

#[test]
fn rcbu_backs_up_restores_and_encrypts_with_a_real_agent() {
    if !library().join("rcbu").is_dir() {
        return skip("rackspace-backup-client is not in target/tools/rcbu: tests/run installs it");
    }
    let published = Published(rustix::process::geteuid().is_root() && !Path::new(FOLDER).exists());
    if !published.0 {
        skip_without_root("the client reads the agent's key from /etc/driveclient, so its encrypt is left out");
    }
    let estate = Estate::new();
    let mut agent = estate.machine("web-a");
    agent.register(&estate.user, if published.0 { &["--driveclient-files"] } else { &[] });
    agent.start();
    estate.api.await_online(agent.id);
    let (source, target) = (estate.planted("source", 13, 8), estate.path("target"));
    let mut client: Command = python("with_agent.py");
    client.args([&estate.server.site().origin(), &estate.user.name, &estate.user.api_key, &agent.id.to_string()]);
    client.args([&source, &target]).args(published.0.then_some("encrypt"));
    let ran = client.output().expect("python runs");
    let (said, complaint) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.trim() == "done", "{said}\n{complaint}");
    for name in ["plain"].into_iter().chain(published.0.then_some("sealed")) {
        let there = target.join(name).join(source.strip_prefix("/").expect("a whole path"));
        assert_eq!(seen(&there), seen(&source), "{name}");
    }
    // The client has deleted the agent at last.
    agent.await_end();
}
