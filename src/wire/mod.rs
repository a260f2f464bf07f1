//! JSON in and out: what clients may send and what they get to read. Old field spellings end here.

pub mod error;
pub mod fields;
pub mod hex;
pub mod human;
pub mod json;
mod relaxed;
