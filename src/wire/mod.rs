//! JSON in and out: what clients may send and what they get to read. Old field spellings end here.

pub mod channel;
pub mod control;
pub mod error;
pub mod fault;
pub mod fields;
pub mod hex;
pub mod human;
pub mod identity;
pub mod json;
mod relaxed;
pub mod versions;
