//! How many lines a network without credentials may cause in a minute.

use std::time::Instant;

use crate::server::minute::Minute;
use crate::server::network::Network;

/// The lines of the running minute.
#[derive(Default)]
pub struct Budget {
    lines: Minute,
    left_out: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Written,
    /// Written, and the network's last one in this minute.
    Last,
    LeftOut,
}

impl Budget {
    /// Counts one line; `most` of 0 is no limit. Also returns how many were left out in a minute that has ended since.
    pub fn judge(&mut self, network: Network, most: u32, now: Instant) -> (Verdict, u64) {
        let counted = self.lines.count(network, now);
        let of_last_minute = if counted.is_new_minute { std::mem::take(&mut self.left_out) } else { 0 };
        let verdict = match counted.of_network {
            _ if most == 0 => Verdict::Written,
            count if count < most => Verdict::Written,
            count if count == most => Verdict::Last,
            _ => Verdict::LeftOut,
        };
        self.left_out += u64::from(verdict == Verdict::LeftOut);
        (verdict, of_last_minute)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn network(last: u8) -> Network {
        Network::of([192, 0, 2, last].into())
    }

    #[test]
    fn a_network_has_its_lines_and_the_next_minute_tells_how_many_were_left_out() {
        let (mut budget, began) = (Budget::default(), Instant::now());
        let mut judge = |last, seconds| budget.judge(network(last), 2, began + Duration::from_secs(seconds));
        assert_eq!([judge(1, 0), judge(1, 1)], [(Verdict::Written, 0), (Verdict::Last, 0)]);
        assert_eq!([judge(1, 2), judge(1, 59)], [(Verdict::LeftOut, 0); 2]);
        assert_eq!(judge(2, 59), (Verdict::Written, 0), "another network has lines of its own");
        assert_eq!(judge(1, 60), (Verdict::Written, 2));
    }

    #[test]
    fn zero_is_no_limit() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        assert!((0..10_000).all(|_| budget.judge(network(1), 0, now) == (Verdict::Written, 0)));
    }
}
