//! JSON in and out, a file per resource. A wire spelling never leaves this module.

pub mod fault;
pub mod identity;
pub mod versions;
