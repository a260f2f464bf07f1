//! The connection side against real sockets, with small limits and a stand-in for the routes.

mod limits;
pub mod refusals;
mod requests;
mod shutdown;
pub mod support;

/// A server can be run in a task of its own.
#[expect(dead_code, reason = "only compiled")]
fn a_running_server_is_send(server: super::Server, shutdown: crate::shutdown::Shutdown) -> impl Send {
    server.run(shutdown)
}
