//! Events of one minute, counted by network and in all, in bounded space.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::network::Network;

/// How long a window is.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Networks that are counted each on its own in one window; what comes from others is counted in all alone.
const NETWORKS: usize = 65_536;

/// The window that runs; an ended one is forgotten by the next event.
#[derive(Default)]
pub struct Minute {
    /// `None` before the first event.
    began: Option<Instant>,
    in_all: u32,
    by_network: HashMap<Network, u32>,
}

/// What stood after an event, it included.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// 0 for a network that has no place of its own.
    pub of_network: u32,
    pub in_all: u32,
    /// Until the window ends, at least a second.
    pub left: Duration,
    /// Whether this event began a window after another one.
    pub is_new_minute: bool,
}

impl Minute {
    pub fn count(&mut self, network: Network, now: Instant) -> Counted {
        let is_running = self.began.is_some_and(|began| now.duration_since(began) < WINDOW);
        let is_new_minute = self.began.is_some() && !is_running;
        if !is_running {
            *self = Self { began: Some(now), ..Self::default() };
        }
        let began = self.began.unwrap_or(now);
        self.in_all = self.in_all.saturating_add(1);
        let left = (WINDOW - now.duration_since(began).min(WINDOW)).max(Duration::from_secs(1));
        Counted { of_network: self.count_network(network), in_all: self.in_all, left, is_new_minute }
    }

    fn count_network(&mut self, network: Network) -> u32 {
        if self.by_network.len() >= NETWORKS && !self.by_network.contains_key(&network) {
            return 0;
        }
        let count = self.by_network.entry(network).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u32) -> Network {
        Network::of(std::net::IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + last)))
    }

    #[test]
    fn a_minute_begins_with_its_first_event_and_forgets_the_one_before() {
        let (mut minute, began) = (Minute::default(), Instant::now());
        let mut count = |last, seconds| minute.count(v4(last), began + Duration::from_secs(seconds));
        let first = count(1, 0);
        assert_eq!((first.of_network, first.in_all, first.left, first.is_new_minute), (1, 1, WINDOW, false));
        let second = count(2, 20);
        assert_eq!((second.of_network, second.in_all, second.left), (1, 2, Duration::from_secs(40)));
        assert_eq!(count(1, 59).left, Duration::from_secs(1));
        let next = count(1, 60);
        assert_eq!((next.of_network, next.in_all, next.is_new_minute), (1, 1, true));
    }

    #[test]
    fn space_is_bounded_and_the_total_still_counts_those_without_a_place() {
        let (mut minute, now) = (Minute::default(), Instant::now());
        let bound = u32::try_from(NETWORKS).expect("a small number");
        let counted = (0..bound + 5).map(|last| minute.count(v4(last), now)).last().expect("one at least");
        assert_eq!((counted.of_network, counted.in_all, minute.by_network.len()), (0, bound + 5, NETWORKS));
    }
}
