//! Warns before the certificate expires, and renews our own.

use std::sync::Arc;
use std::time::Duration;

use super::Certificates;
use crate::server::links::Links;
use crate::shutdown::Shutdown;

/// How often the certificate's end is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);
const DAY_SECONDS: i64 = 86_400;
/// Each is warned of once, as time passes it.
const WARN_DAYS: [i64; 4] = [21, 7, 1, 0];

/// Looks at the certificate now and every hour until the stop: renews a self-signed one, whose names `links` then knows,
/// and warns of another.
pub async fn watch(certificates: Arc<Certificates>, links: Links, mut shutdown: Shutdown) {
    let mut warnings = Warnings::default();
    let mut hours = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = shutdown.stopped() => return,
            _ = hours.tick() => {}
        }
        match certificates.renew_own() {
            Ok(true) => links.update_names(certificates.names()),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "cannot renew the self-signed TLS certificate"),
        }
        match warnings.due(certificates.seconds_left()) {
            Some(0) => tracing::error!("the TLS certificate has expired: clients will refuse it"),
            Some(days) => tracing::warn!(days, "the TLS certificate expires within this many days"),
            None => {}
        }
    }
}

/// Which warnings were given.
#[derive(Default)]
struct Warnings {
    last: Option<i64>,
}

impl Warnings {
    /// The smallest number of days that `seconds_left` has reached, the first time it does.
    fn due(&mut self, seconds_left: i64) -> Option<i64> {
        let reached = WARN_DAYS.into_iter().filter(|days| seconds_left <= days * DAY_SECONDS).min();
        let is_news = reached != self.last;
        self.last = reached;
        reached.filter(|_| is_news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_threshold_is_warned_of_once_and_again_with_the_next_certificate() {
        let mut warnings = Warnings::default();
        let mut due = |days: i64, seconds: i64| warnings.due(days * DAY_SECONDS + seconds);
        assert_eq!([due(90, 0), due(21, 1)], [None, None]);
        assert_eq!([due(21, 0), due(20, 0)], [Some(21), None]);
        assert_eq!([due(7, 0), due(6, 0)], [Some(7), None]);
        assert_eq!([due(1, 0), due(0, 5)], [Some(1), None]);
        assert_eq!([due(0, 0), due(-1, 0)], [Some(0), None]);
        assert_eq!([due(90, 0), due(3, 0)], [None, Some(7)]);
    }
}
