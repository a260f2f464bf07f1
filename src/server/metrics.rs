//! Counters and gauges, as OpenMetrics text. No name, token or account is ever a label.

use std::sync::Arc;

use http::{Method, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

/// All metrics of the server. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    uploads: Gauge,
    downloads: Gauge,
    /// Bytes on the wire, TLS and headers included.
    pub received_bytes: Counter,
    pub sent_bytes: Counter,
    pub connections: Gauge,
    /// Connections closed at once because too many were open.
    pub refused_connections: Counter,
    pub panics: Counter,
    /// Downloads broken off because the bytes at rest were not those that were stored.
    pub damaged_reads: Counter,
    /// Files that clients of vaults have deleted, and that are hidden since.
    pub hidden_files: Counter,
    /// Wrong logins that heard 429.
    pub throttled_logins: Counter,
    /// Requests without an account whose network had used up its lines of the log.
    pub unlogged_requests: Counter,
    /// 1 while so, 0 otherwise; asked for at each scrape.
    pub expiry_paused: Gauge,
    pub writes_suspended: Gauge,
    pub catalog_down: Gauge,
    /// Negative once it has expired; stays 0 without TLS.
    pub certificate_seconds_left: Gauge,
}

type RequestLabels = [(&'static str, &'static str); 2];

/// Counts a transfer as long as it lives.
pub struct InFlight(Gauge);

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("strongroom");
        Self {
            requests: registered(&mut registry, "requests", "Requests by method and class of status"),
            uploads: registered(&mut registry, "uploads_in_flight", "PUT and POST requests being answered"),
            downloads: registered(&mut registry, "downloads_in_flight", "GET requests being answered"),
            received_bytes: registered(&mut registry, "received_bytes", "Bytes from clients, TLS and headers included"),
            sent_bytes: registered(&mut registry, "sent_bytes", "Bytes to clients, TLS and headers included"),
            connections: registered(&mut registry, "connections_open", "Open connections"),
            refused_connections: registered(&mut registry, "connections_refused", "Connections closed because too many were open"),
            panics: registered(&mut registry, "panics", "Requests that ended in a panic"),
            damaged_reads: registered(&mut registry, "damaged_reads", "Downloads broken off because of damaged bytes at rest"),
            hidden_files: registered(
                &mut registry,
                "hidden_files",
                "Files deleted by clients of vaults: hidden, and kept for the retention",
            ),
            throttled_logins: registered(&mut registry, "throttled_logins", "Wrong logins that heard 429"),
            unlogged_requests: registered(&mut registry, "requests_unlogged", "Requests left out of the log"),
            expiry_paused: registered(&mut registry, "expiry_paused", "1 while no file's life is ended"),
            writes_suspended: registered(&mut registry, "writes_suspended", "1 while nothing is stored"),
            catalog_down: registered(&mut registry, "catalog_down", "1 while the catalog does not answer"),
            certificate_seconds_left: registered(&mut registry, "certificate_seconds_left", "Seconds until the certificate expires"),
            registry: Arc::new(registry),
        }
    }
}

impl Metrics {
    /// All of it in the OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }

    /// Counts a request that has ended; `None` where it was not answered.
    pub fn count_request(&self, method: &Method, status: Option<StatusCode>) {
        self.requests.get_or_create(&[("method", method_label(method)), ("status", status_label(status))]).inc();
    }

    /// Counts a transfer until the answer is dropped; other requests than PUT, POST and GET are none.
    pub fn in_flight(&self, method: &Method) -> Option<InFlight> {
        let gauge = match *method {
            Method::PUT | Method::POST => &self.uploads,
            Method::GET => &self.downloads,
            _ => return None,
        };
        gauge.inc();
        Some(InFlight(gauge.clone()))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn registered<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// Methods are the client's to invent, labels are not.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn status_label(status: Option<StatusCode>) -> &'static str {
    match status.map(|status| status.as_u16() / 100) {
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(_) => "5xx",
        None => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_method_and_class_alone() {
        let metrics = Metrics::default();
        metrics.count_request(&Method::PUT, Some(StatusCode::CREATED));
        metrics.count_request(&Method::PUT, Some(StatusCode::OK));
        metrics.count_request(&Method::from_bytes(b"SECRETNAME").expect("a method"), None);
        let text = metrics.render();
        assert!(text.contains("strongroom_requests_total{method=\"PUT\",status=\"2xx\"} 2\n"), "{text}");
        assert!(text.contains("strongroom_requests_total{method=\"other\",status=\"none\"} 1\n"), "{text}");
        assert!(!text.contains("SECRETNAME"), "{text}");
    }

    #[test]
    fn a_transfer_counts_while_it_lives() {
        let metrics = Metrics::default();
        let upload = metrics.in_flight(&Method::PUT);
        assert!(metrics.in_flight(&Method::HEAD).is_none());
        assert!(metrics.render().contains("strongroom_uploads_in_flight 1\n"));
        drop(upload);
        assert!(metrics.render().contains("strongroom_uploads_in_flight 0\n"));
    }
}
