//! The agent as a service of systemd: it says when it is ready, that it lives, what it does, and that it ends.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::agent::AGENT_SOON;
use crate::support::estate::Estate;
use crate::support::wait_until;

/// What systemd hears: every line, as it comes.
struct Manager(Arc<Mutex<Vec<String>>>);

impl Manager {
    /// Listens until the process ends that is tested: who sends must never wait for a reader.
    fn at(socket: &Path) -> Self {
        let listener = UnixDatagram::bind(socket).expect("a socket");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = listener.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                kept.lock().expect("nobody panics").extend(text.lines().map(str::to_owned));
            }
        });
        Self(lines)
    }

    /// Waits until so many lines have come that begin so.
    #[track_caller]
    fn await_lines(&self, beginning: &str, count: usize) {
        let heard = || self.0.lock().expect("nobody panics").iter().filter(|line| line.starts_with(beginning)).count();
        wait_until(&format!("{beginning} is said"), AGENT_SOON, || heard() >= count);
    }
}

#[test]
fn the_service_manager_is_told_of_everything() {
    let estate = Estate::new();
    let socket = estate.path("notify");
    let manager = Manager::at(&socket);
    let registered = estate.registered("web-a").with_environment("NOTIFY_SOCKET", &socket).with_environment("WATCHDOG_USEC", "600000");
    let mut agent = registered;
    agent.start();
    manager.await_lines("READY=1", 1);
    manager.await_lines("WATCHDOG=1", 3);
    let source = estate.planted("source", 1, 4);
    let configuration = estate.configure(&agent, &source, &json!({}));
    estate.proxy.gate().hold("POST /agent/v1/vault/g1/snapshots/", 0);
    let backup = estate.api.start(configuration);
    manager.await_lines(&format!("STATUS=backup {backup}"), 1);
    estate.proxy.gate().await_held();
    estate.proxy.gate().open();
    estate.api.await_completed(backup);
    agent.stop();
    manager.await_lines("STOPPING=1", 1);
}
