//! The identity service: what clients send to log in, and what they read of a token and of a user.
//!
//! Members match exactly, letter case included: this service was no .NET one.

mod access;
mod token_request;
mod user;

pub use access::{Access, access};
pub use token_request::{Proof, TokenRequest};
pub use user::user;
