//! `tracing` set-up.
