//! The bodies of what a vault's clients send: of a known length or in chunks, bounded either way.

use http::StatusCode;

use super::failed;
use crate::server::error::ApiError;
use crate::server::headers::content_length::{LengthError, body_length};
use crate::server::request::RequestHead;
use crate::server::request_body::RequestBody;
use crate::store::Error;

/// The most bytes of a file: some clients read sizes as 32 bits.
pub const MAX_FILE_BYTES: u64 = (4 << 30) - 1;
/// The most bytes of a config or a lock; both are some hundred.
pub const MAX_SMALL_BYTES: u64 = 64 << 10;

/// A small body as a whole.
pub async fn small(head: &RequestHead, body: &mut RequestBody) -> Result<Vec<u8>, ApiError> {
    let promised = length(head, MAX_SMALL_BYTES)?;
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await.map_err(|error| broken(&error))? {
        if (bytes.len() + piece.len()) as u64 > MAX_SMALL_BYTES {
            return Err(too_large(MAX_SMALL_BYTES));
        }
        bytes.extend_from_slice(&piece);
    }
    match promised {
        Some(promised) if promised != bytes.len() as u64 => Err(failed(head, Error::WrongSize { promised, received: bytes.len() as u64 })),
        _ => Ok(bytes),
    }
}

/// `None` for a body in chunks.
pub fn length(head: &RequestHead, most_bytes: u64) -> Result<Option<u64>, ApiError> {
    match body_length(head.headers()) {
        Ok(Some(size_bytes)) if size_bytes > most_bytes => Err(too_large(most_bytes)),
        Ok(length) => Ok(length),
        Err(LengthError::Missing) => {
            Err(ApiError::new(StatusCode::LENGTH_REQUIRED, "A body needs a Content-Length, or comes in chunks.").closing())
        }
        Err(LengthError::Chunked | LengthError::Malformed) => {
            Err(ApiError::bad_request("The length of the body is ambiguous: send one Content-Length, or chunks.").closing())
        }
    }
}

pub fn too_large(most_bytes: u64) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("At most {most_bytes} bytes are taken here. Nothing was stored."))
}

/// Mostly nobody is left to read this.
pub fn broken(error: &hyper::Error) -> ApiError {
    tracing::debug!(%error, "an upload broke off");
    ApiError::bad_request("The upload broke off. Nothing was stored. Send it again.").closing()
}
