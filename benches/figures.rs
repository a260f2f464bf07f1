//! What a load brought, as one line of JSON for `benches/run`.

use std::io::Write as _;
use std::time::Duration;

/// Prints how many were done in which time, how many failed, and how long one took.
pub fn print(mut took: Vec<Duration>, elapsed: Duration, failed: u64) {
    took.sort_unstable();
    let at = |part: usize| took.get((took.len() * part / 1000).min(took.len().saturating_sub(1))).copied().unwrap_or_default();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    writeln!(
        std::io::stdout(),
        "{{\"done\": {}, \"failed\": {failed}, \"seconds\": {:.6}, \"p50_ms\": {:.3}, \"p99_ms\": {:.3}, \"most_ms\": {:.3}}}",
        took.len(),
        elapsed.as_secs_f64(),
        millis(at(500)),
        millis(at(990)),
        millis(at(1000)),
    )
    .expect("somebody reads the figures");
}
