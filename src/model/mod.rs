//! Nouns and rules: no I/O, no async, no serialisation.
//!
//! Every type here is parsed once, at the door, and trusted from then on.

pub mod access;
pub mod account;
pub mod agent;
pub mod agent_status;
pub mod configuration;
pub mod digest;
pub mod file_name;
pub mod instant;
pub mod repository;
pub mod retention;
pub mod role;
pub mod run;
pub mod run_record;
pub mod schedule;
pub mod selection;
pub mod size;
pub mod stored_file;
pub mod time_zone;
pub mod user;
pub mod view;
mod windows_zones;
pub mod work;
