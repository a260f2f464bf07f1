//! The agent as a service of systemd: it says when it is ready, that it lives, what it does, and that it ends.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::json;

use crate::support::agent::AGENT_SOON;
use crate::support::estate::Estate;
use crate::support::eventually;

/// Where systemd listens.
struct Manager(UnixDatagram);

impl Manager {
    /// Waits for a message that holds this line; every line that came until then.
    #[track_caller]
    fn await_line(&self, beginning: &str) -> Vec<String> {
        let mut lines = Vec::new();
        eventually(&format!("{beginning} is said"), AGENT_SOON, || {
            let mut buffer = [0; 4096];
            let length = self.0.recv(&mut buffer).ok()?;
            lines.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
            lines.iter().any(|line| line.starts_with(beginning)).then_some(())
        });
        lines
    }
}

#[test]
fn the_service_manager_is_told_of_everything() {
    let estate = Estate::new();
    let socket = estate.path("notify");
    let manager = Manager(UnixDatagram::bind(&socket).expect("a socket"));
    manager.0.set_read_timeout(Some(Duration::from_millis(100))).expect("a time");
    let registered = estate.registered("web-a").with_environment("NOTIFY_SOCKET", &socket).with_environment("WATCHDOG_USEC", "600000");
    let mut agent = registered;
    agent.start();
    manager.await_line("READY=1");
    for _ in 0..3 {
        manager.await_line("WATCHDOG=1");
    }
    let source = estate.planted("source", 1, 4);
    let configuration = estate.configure(&agent, &source, &json!({}));
    estate.proxy.gate().hold("POST /agent/v1/vault/g1/snapshots/", 0);
    let backup = estate.api.start(configuration);
    manager.await_line(&format!("STATUS=backup {backup}"));
    estate.proxy.gate().await_held();
    estate.proxy.gate().open();
    estate.api.await_completed(backup);
    agent.stop();
    manager.await_line("STOPPING=1");
}
