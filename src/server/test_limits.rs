//! The limits that tests start from: the documented ones, so that a test names only what it makes small.

use std::time::Duration;

use crate::config::Limits;

pub fn limits() -> Limits {
    Limits {
        header_time: Duration::from_secs(15),
        handshake_time: Duration::from_secs(10),
        idle_time: Duration::from_secs(75),
        progress_time: Duration::from_secs(60),
        drain_time: Duration::from_secs(30),
        drain_bytes: 256 << 20,
        shutdown_time: Duration::from_secs(60),
        header_bytes: 32 << 10,
        header_count: 100,
        uri_bytes: 8 << 10,
        max_file_bytes: 5 << 30,
        connections: 16_000,
        connections_per_address: 5_000,
        login_failures_per_minute: 10,
        login_failures_per_minute_in_all: 3_000,
        log_lines_per_minute: 600,
    }
}
