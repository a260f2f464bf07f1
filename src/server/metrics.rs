//! Counters and gauges, as OpenMetrics text.

/// All metrics of the server.
#[derive(Default)]
pub struct Metrics {}
