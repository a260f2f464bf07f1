//! Slows down guessing: wrong logins are counted by address and in all. Right credentials never hear of it.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::minute::Minute;
use super::network::Network;
use crate::config::Limits;

/// Counts wrong logins in memory, in bounded space. When more networks guess at once than are counted each, the limit in all stops them.
pub struct Throttle(Mutex<Counts>);

struct Counts {
    per_network: u32,
    per_window: u32,
    failures: Minute,
}

impl Throttle {
    pub fn new(limits: &Limits) -> Self {
        Self(Mutex::new(Counts {
            per_network: limits.login_failures_per_minute,
            per_window: limits.login_failures_per_minute_in_all,
            failures: Minute::default(),
        }))
    }

    /// Puts new limits in force; what was counted in this minute stays counted.
    pub fn set_limits(&self, limits: &Limits) {
        let mut counts = self.counts();
        counts.per_network = limits.login_failures_per_minute;
        counts.per_window = limits.login_failures_per_minute_in_all;
    }

    /// Notes a wrong login from `address` (IPv6: its /64); `Some` when it is one too many, with the time to wait.
    /// Called only after the credentials were found wrong, so it can never refuse right ones.
    pub fn failed(&self, address: IpAddr) -> Option<Duration> {
        self.counts().failed(Network::of(address), Instant::now())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("nobody panics while holding the counts")
    }
}

impl Counts {
    fn failed(&mut self, network: Network, now: Instant) -> Option<Duration> {
        let counted = self.failures.count(network, now);
        let one_too_many = counted.of_network > self.per_network || counted.in_all > self.per_window;
        one_too_many.then_some(counted.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::test_limits::limits;

    fn throttle(per_network: u32, in_all: u32) -> Throttle {
        Throttle::new(&Limits { login_failures_per_minute: per_network, login_failures_per_minute_in_all: in_all, ..limits() })
    }

    fn v4(last: u32) -> Network {
        Network::of(IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + last)))
    }

    #[test]
    fn the_failure_after_the_limit_waits_for_the_rest_of_the_minute() {
        let throttle = throttle(3, 1000);
        let began = Instant::now();
        let fail = |seconds: u64| throttle.counts().failed(v4(1), began + Duration::from_secs(seconds));
        assert_eq!([fail(0), fail(1), fail(2)], [None; 3]);
        assert_eq!(fail(20), Some(Duration::from_secs(40)));
        assert_eq!(fail(60), None, "the next minute begins at nothing");
    }

    #[test]
    fn another_address_is_not_slowed_until_the_limit_in_all() {
        let throttle = throttle(2, 5);
        let now = Instant::now();
        let fail = |last| throttle.counts().failed(v4(last), now).is_some();
        assert_eq!([fail(1), fail(1), fail(1)], [false, false, true]);
        assert_eq!([fail(2), fail(3)], [false, false]);
        assert!(fail(4), "the sixth in all is one too many");
    }

    #[test]
    fn new_limits_apply_to_what_is_already_counted() {
        let throttle = throttle(10, 1000);
        let address = IpAddr::from([10, 0, 0, 1]);
        assert_eq!([throttle.failed(address), throttle.failed(address)], [None, None]);
        throttle.set_limits(&Limits { login_failures_per_minute: 2, ..limits() });
        assert!(throttle.failed(address).is_some());
    }
}
