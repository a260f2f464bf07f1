//! HTTP: one listener, TLS or loopback-plain, and the Backup API behind it.
//!
//! `connection` accepts and bounds, `route` decides, the handlers answer through `reply` and `error`.

pub mod connection;
pub mod context;
pub mod links;
pub mod metrics;
pub mod reply;
pub mod route;
pub mod throttle;
pub mod tls;
