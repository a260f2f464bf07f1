//! The body of a request: slices of one shared buffer, never a copy of it, in turns where the bandwidth is limited.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::bucket::Bucket;

pub struct Sent {
    rest: Bytes,
    bucket: Option<Arc<Bucket>>,
    /// The turn that was taken and has not come yet.
    turn: Option<Pin<Box<Sleep>>>,
}

/// As much as is handed on at once: large enough that it costs nothing, small enough that several fit into what waits for the socket.
const MOST_AT_ONCE: usize = 128 << 10;

impl Sent {
    pub const fn new(bytes: Bytes, bucket: Option<Arc<Bucket>>) -> Self {
        Self { rest: bytes, bucket, turn: None }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            return Poll::Ready(None);
        }
        let mut count = this.rest.len().min(MOST_AT_ONCE);
        if let Some(bucket) = &this.bucket {
            count = count.min(bucket.turn_bytes(MOST_AT_ONCE));
            let turn = this.turn.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(bucket.take(Instant::now(), count).into())));
            std::task::ready!(turn.as_mut().poll(context));
            this.turn = None;
        }
        Poll::Ready(Some(Ok(Frame::data(this.rest.split_to(count)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
