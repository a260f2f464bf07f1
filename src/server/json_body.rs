//! Bodies of the Cloud Backup API: small, and read whole before anything is done.

use super::fault::ApiFault;
use super::headers::content_length::{LengthError, body_length};
use super::request::RequestHead;
use super::request_body::RequestBody;

/// The longest body: 1 MB.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// The whole body; empty where there is none. A longer one is 413: by what `Content-Length` says before a byte is asked for, else as
/// soon as it is too long. What kind of body it calls itself does not matter.
pub async fn read(head: &RequestHead, body: &mut RequestBody) -> Result<Vec<u8>, ApiFault> {
    match body_length(head.headers()) {
        Ok(Some(length)) if length > MAX_BODY_BYTES as u64 => return Err(ApiFault::too_large()),
        Err(LengthError::Malformed | LengthError::Chunked) => {
            return Err(ApiFault::bad_request("The length of the body cannot be told.").closing());
        }
        Ok(_) | Err(LengthError::Missing) => {}
    }
    let mut whole = Vec::new();
    while let Some(bytes) = body.next().await.map_err(|_| ApiFault::bad_request("The body did not arrive whole.").closing())? {
        if whole.len() + bytes.len() > MAX_BODY_BYTES {
            return Err(ApiFault::too_large());
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}
