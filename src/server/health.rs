//! `GET /health`: whether a balancer should send requests here. It needs no credentials, so it names no path and no figure.

use http::{Method, Response, StatusCode};

use super::error::ApiError;
use super::reply::{self, Body};
use super::request::RequestHead;
use crate::store::Health;

const READING: &str = "GET, HEAD, OPTIONS";

/// 200 while files can be stored and read, else 503 with the reason.
pub async fn show_health(head: &RequestHead) -> Result<Response<Body>, ApiError> {
    match *head.method() {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return Ok(reply::options(READING)),
        _ => return Err(ApiError::not_allowed(READING, "/health can only be read.")),
    }
    // What a taken server could still do, for the tests of its sandbox.
    fail::fail_point!("escape", |parent| {
        let scratch = std::env::temp_dir().join(format!("strongroom-escape-{}", std::process::id()));
        let parent = format!("/proc/{}/exe", parent.unwrap_or_default());
        let attempts = [
            ("read", std::fs::File::open("/etc/passwd").map(drop)),
            ("list", std::fs::read_dir("/etc").map(drop)),
            ("write", std::fs::write(&scratch, "escaped")),
            ("make", std::fs::create_dir(scratch.with_extension("folder"))),
            ("execute", std::process::Command::new("/bin/true").status().map(drop)),
            ("trace", std::fs::read_link(parent).map(drop)),
        ];
        let told = attempts.map(|(what, outcome)| {
            let outcome = outcome.map_or_else(|error| format!("{:?}", error.kind()), |()| "done".to_owned());
            tracing::info!(what, outcome, "escape");
            format!("{what} {outcome}")
        });
        Ok(reply::text(StatusCode::OK, &told.join("\n")))
    });
    match trouble(&head.context.store.health().await) {
        Some(text) => Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text).retry_after(10)),
        None => Ok(reply::text(StatusCode::OK, "ok")),
    }
}

/// What keeps files from being stored, in the store's own fixed sentences. Expiry that pauses keeps nobody from anything: that
/// is for metrics and log.
fn trouble(health: &Health) -> Option<String> {
    let suspended = health.writes_suspended.as_ref().map(|reason| format!("Writes are suspended: {reason}."));
    let down = health.catalog_down.as_ref().map(|reason| format!("Files can be neither stored nor found: {reason}."));
    let unplugged = health.disk_down.as_ref().map(|reason| format!("Files cannot be stored: {reason}."));
    down.or(unplugged).or(suspended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stops_requests_is_trouble() {
        let reason = Some("reason".to_owned());
        assert_eq!(trouble(&Health::default()), None);
        assert_eq!(trouble(&Health { expiry_paused: reason.clone(), ..Health::default() }), None);
        let suspended = trouble(&Health { writes_suspended: reason.clone(), ..Health::default() });
        assert_eq!(suspended.as_deref(), Some("Writes are suspended: reason."));
        let unplugged = trouble(&Health { disk_down: reason.clone(), ..Health::default() });
        assert_eq!(unplugged.as_deref(), Some("Files cannot be stored: reason."));
        let down = trouble(&Health { catalog_down: reason, ..Health::default() });
        assert_eq!(down.as_deref(), Some("Files can be neither stored nor found: reason."));
    }
}
