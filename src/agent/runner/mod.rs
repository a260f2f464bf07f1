//! The loop: ask what is wanted, do it, say so.
