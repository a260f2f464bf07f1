//! The accept loop: limits, time-outs, TLS, hyper.
