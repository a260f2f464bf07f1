//! Reads and throws away what a refused client keeps sending, so that it reads the refusal and not a broken pipe.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::task::JoinSet;

use super::context::{Context, Peer};
use super::network::Network;
use crate::config::Limits;

/// The drains that are running: each is bounded in time and bytes, and one network's are bounded together.
#[derive(Default)]
pub struct Drains {
    tasks: Mutex<JoinSet<()>>,
    by_network: Arc<Mutex<HashMap<Network, Running>>>,
}

/// As many bytes as so many drains may discard are discarded for one network by all that run at once.
const DRAINS_PER_NETWORK: u64 = 4;

#[derive(Default)]
struct Running {
    drains: usize,
    bytes: u64,
}

/// One drain's share in what its network has running.
struct Share {
    by_network: Arc<Mutex<HashMap<Network, Running>>>,
    network: Network,
}

/// Goes on reading the body of a refused request while the refusal is sent. When all of it was read the connection can
/// be used again; beyond the limits it closes. Not for a client that waits for `100 Continue`: reading would send it one.
pub fn drain(context: &Context, peer: Peer, body: Incoming) {
    context.drains.start(peer, body, &context.limits());
}

impl Drains {
    /// Starts a drain within `limits`.
    pub fn start(&self, peer: Peer, body: Incoming, limits: &Limits) {
        if body.is_end_stream() {
            return;
        }
        let share = Share::new(&self.by_network, Network::of(peer.address));
        let (time, bytes) = (limits.drain_time, limits.drain_bytes);
        let mut tasks = self.tasks.lock().expect("nobody panics while starting a drain");
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            // Out of time is as good an end as any: the body is dropped, and with it the connection.
            let _ = tokio::time::timeout(time, discard(body, bytes, share)).await;
        });
    }

    /// Ends all drains and waits for them.
    pub async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().expect("nobody panics while starting a drain"));
        tasks.shutdown().await;
    }
}

async fn discard(mut body: Incoming, most: u64, share: Share) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await {
        let count = frame.data_ref().map_or(0, |data| data.len() as u64);
        discarded += count;
        if discarded > most || share.add(count) > most.saturating_mul(DRAINS_PER_NETWORK) {
            return;
        }
    }
}

impl Share {
    fn new(by_network: &Arc<Mutex<HashMap<Network, Running>>>, network: Network) -> Self {
        let share = Self { by_network: Arc::clone(by_network), network };
        share.running().entry(network).or_default().drains += 1;
        share
    }

    /// Counts bytes; returns those of all drains of the network since it last had none.
    fn add(&self, bytes: u64) -> u64 {
        let mut running = self.running();
        let running = running.entry(self.network).or_default();
        running.bytes = running.bytes.saturating_add(bytes);
        running.bytes
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Network, Running>> {
        self.by_network.lock().expect("nobody panics while counting drains")
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.running();
        if let Some(running) = all.get_mut(&self.network) {
            running.drains -= 1;
            if running.drains == 0 {
                all.remove(&self.network);
            }
        }
    }
}
