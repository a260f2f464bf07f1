//! How many connections may be open, in all and from one network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::network::Network;
use crate::config::Limits;

/// Counts open connections. Cheap to clone; clones count together.
#[derive(Clone, Default)]
pub struct Admission(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    in_all: usize,
    by_network: HashMap<Network, usize>,
}

/// One connection's place; given back when dropped.
pub struct Place {
    admission: Admission,
    network: Network,
    /// It counts for its network, too.
    is_counted: AtomicBool,
}

tokio::task_local! {
    /// The place of the connection whose task this is.
    static PLACE: Place;
}

/// Serves a connection in its place.
pub async fn in_place(place: Place, connection: impl Future<Output = ()>) {
    PLACE.scope(place, connection).await;
}

/// The connection of this task is an agent's, as its key says: many of them may come from one address, each holding a long poll, so it
/// counts for its network no more.
pub fn is_of_agent() {
    // A test may call a handler without any connection.
    let _ = PLACE.try_with(Place::leave_network);
}

/// Why there is no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    InAll,
    ForNetwork,
}

impl Admission {
    /// A place for a connection from `address`, as long as `limits` have one; `exempt` addresses, proxies that speak for
    /// many, only count in all.
    pub fn admit(&self, address: IpAddr, exempt: bool, limits: &Limits) -> Result<Place, Full> {
        let network = Network::of(address);
        let mut open = self.open();
        if open.in_all >= limits.connections {
            return Err(Full::InAll);
        }
        let most = limits.connections_per_address;
        let of_network = open.by_network.get(&network).copied().unwrap_or(0);
        if most > 0 && !exempt && of_network >= most {
            return Err(Full::ForNetwork);
        }
        open.in_all += 1;
        open.by_network.insert(network, of_network + 1);
        Ok(Place { admission: self.clone(), network, is_counted: AtomicBool::new(true) })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().expect("nobody panics while counting connections")
    }
}

impl Place {
    /// Counts in all alone from now on.
    fn leave_network(&self) {
        if !self.is_counted.swap(false, Ordering::Relaxed) {
            return;
        }
        let mut open = self.admission.open();
        if let Some(count) = open.by_network.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.by_network.remove(&self.network);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave_network();
        self.admission.open().in_all -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::test_limits::limits;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_has_its_own_limit_and_all_have_one_together() {
        let limits = Limits { connections: 4, connections_per_address: 2, ..limits() };
        let admission = Admission::default();
        let admit = |address: &str| admission.admit(ip(address), false, &limits);
        let first = admit("2001:db8::1").ok();
        let _second = admit("2001:db8::2").expect("the network's second place");
        assert_eq!(admit("2001:db8::3").err(), Some(Full::ForNetwork));
        drop(first);
        let _third = admit("2001:db8::3").expect("the place that was given back");
        let _others = [admit("192.0.2.1").ok(), admit("192.0.2.2").ok()].map(|place| place.expect("another network"));
        assert_eq!(admit("192.0.2.3").err(), Some(Full::InAll));
    }

    #[tokio::test]
    async fn an_agents_connection_leaves_its_place_in_the_network_to_others() {
        let limits = Limits { connections: 3, connections_per_address: 1, ..limits() };
        let admission = Admission::default();
        let admit = || admission.admit(ip("192.0.2.1"), false, &limits);
        let place = admit().expect("the first place");
        in_place(place, async {
            assert_eq!(admit().err(), Some(Full::ForNetwork));
            is_of_agent();
            is_of_agent();
            let _second = admit().expect("the place that the agent left");
            assert_eq!(admit().err(), Some(Full::ForNetwork), "left once, however often it calls");
        })
        .await;
        assert!(admission.open().by_network.is_empty() && admission.open().in_all == 0);
        is_of_agent();
    }

    #[test]
    fn a_proxy_counts_in_all_alone_and_zero_is_no_limit() {
        let limits = Limits { connections: 3, connections_per_address: 1, ..limits() };
        let admission = Admission::default();
        let _places = [0; 2].map(|_| admission.admit(ip("127.0.0.1"), true, &limits).expect("no limit for a proxy"));
        let unlimited = Limits { connections_per_address: 0, ..limits };
        let place = admission.admit(ip("127.0.0.1"), false, &unlimited).ok();
        assert!(place.is_some());
        assert_eq!(admission.admit(ip("127.0.0.1"), true, &limits).err(), Some(Full::InAll));
        drop(place);
        drop(_places);
        assert!(admission.open().by_network.is_empty(), "networks without connections are forgotten");
    }
}
