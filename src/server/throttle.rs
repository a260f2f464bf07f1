//! Slows down guessing: wrong logins are counted by address and in all. Right credentials never hear of it.

use std::net::IpAddr;
use std::time::Duration;

use crate::config::Limits;

/// Counts wrong logins in memory, in bounded space.
pub struct Throttle {}

impl Throttle {
    pub fn new(limits: &Limits) -> Self {
        todo!("{limits:?}")
    }

    pub fn set_limits(&self, limits: &Limits) {
        todo!("{limits:?}")
    }

    /// Notes a wrong login from `address` (IPv6: its /64); `Some` when it is one too many, with the time to wait.
    /// Called only after the credentials were found wrong, so it can never refuse right ones.
    pub fn failed(&self, address: IpAddr) -> Option<Duration> {
        todo!("{address}")
    }
}
