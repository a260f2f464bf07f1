//! The whole behaviour, through the binary: a real server, real curl, wget, tar and Chromium, a file per feature.

mod accounts;
mod catalog_lost;
mod command_line;
mod crash;
mod digests;
mod disaster;
mod faults;
mod get;
mod house;
mod lifecycle;
mod list;
mod pages;
mod permissions;
mod power_cut;
mod put;
mod races;
mod random_lives;
mod refusals;
mod retention;
mod scale;
mod secrets;
mod sessions;
mod smuggling;
mod support;
mod walk_through;
mod weak_disk;
