//! Every URL we answer, and the one place where a request becomes an answer.

use std::sync::Arc;

use hyper::body::Incoming;

use super::context::{Context, Peer};
use super::reply::Body;

/// Answers one request; never fails: what goes wrong is an answer, too.
pub async fn handle(context: Arc<Context>, peer: Peer, request: http::Request<Incoming>) -> http::Response<Body> {
    drop((context, peer, request));
    todo!()
}
