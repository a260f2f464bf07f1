//! The loop: ask what is wanted, do it, say so.

pub(in crate::agent) mod patience;
