//! A list as a body: its text is made while it is sent.

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::{Response, StatusCode};

use crate::server::error::chain;
use crate::server::reply::{self, Body, BodyError};
use crate::store::Result;

/// A list that is being written.
pub trait Pieces: Send + Sized + 'static {
    /// The next part of its text; `None` after the last.
    fn piece(&mut self) -> impl Future<Output = Result<Option<Bytes>>> + Send;
}

/// 200 with the whole list. What fails before the first part is the answer's error; later, it breaks the connection.
pub async fn streamed(mut list: impl Pieces) -> Result<Response<Body>> {
    let first = list.piece().await?;
    Ok(reply::streamed(StatusCode::OK, rest(first, list)))
}

fn rest(first: Option<Bytes>, list: impl Pieces) -> impl Stream<Item = std::result::Result<Bytes, BodyError>> + Send {
    stream::try_unfold((first, list), |(first, mut list)| async move {
        let piece = match first {
            Some(piece) => Some(piece),
            None => list.piece().await.inspect_err(|error| tracing::warn!(cause = chain(error), "a list was broken off"))?,
        };
        Ok(piece.map(|piece| (piece, (None, list))))
    })
}
