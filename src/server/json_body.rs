//! Bodies of the Cloud Backup API: small, and read whole before anything is done.

use tokio::sync::SemaphorePermit;

use super::fault::ApiFault;
use super::headers::content_length::{LengthError, body_length};
use super::request::RequestHead;
use super::request_body::RequestBody;

/// The longest body: 1 MB.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// So much of a stranger's body is always taken: no login is longer.
const LOGIN_BYTES: usize = 16 << 10;
/// How many strangers at once may send more, so that a crowd of them cannot fill the memory.
pub const LONG_LOGINS: usize = 64;

/// The whole body of somebody who is known; empty where there is none. A longer one is 413: by what `Content-Length` says before a byte is
/// asked for, else as soon as it is too long. What kind of body it calls itself does not matter.
pub async fn read(head: &RequestHead, body: &mut RequestBody) -> Result<Vec<u8>, ApiFault> {
    read_up_to(head, body, MAX_BODY_BYTES).await
}

/// The same with another bound.
pub async fn read_up_to(head: &RequestHead, body: &mut RequestBody, most_bytes: usize) -> Result<Vec<u8>, ApiFault> {
    let whole = collect(head, body, most_bytes, most_bytes, Vec::new()).await?;
    if whole.len() > most_bytes { Err(ApiFault::too_large()) } else { Ok(whole) }
}

/// The same for somebody who may be anybody: 503 where too many of them send much at the same time.
pub async fn read_of_stranger(head: &RequestHead, body: &mut RequestBody) -> Result<Vec<u8>, ApiFault> {
    let begun = collect(head, body, LOGIN_BYTES, MAX_BODY_BYTES, Vec::new()).await?;
    if begun.len() <= LOGIN_BYTES {
        return Ok(begun);
    }
    let _place = place(head)?;
    let whole = collect(head, body, MAX_BODY_BYTES, MAX_BODY_BYTES, begun).await?;
    if whole.len() > MAX_BODY_BYTES { Err(ApiFault::too_large()) } else { Ok(whole) }
}

/// Reads on after `begun` to the end, or until more than `enough` is there. A body that says that it is longer than `most_bytes` is not
/// read.
async fn collect(
    head: &RequestHead,
    body: &mut RequestBody,
    enough: usize,
    most_bytes: usize,
    begun: Vec<u8>,
) -> Result<Vec<u8>, ApiFault> {
    check_length(head, most_bytes)?;
    let mut whole = begun;
    while whole.len() <= enough {
        let next = body.next().await.map_err(|_| ApiFault::bad_request("The body did not arrive whole.").closing())?;
        let Some(bytes) = next else { return Ok(whole) };
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}

fn check_length(head: &RequestHead, most_bytes: usize) -> Result<(), ApiFault> {
    match body_length(head.headers()) {
        Ok(Some(length)) if length > most_bytes as u64 => Err(ApiFault::too_large()),
        Err(LengthError::Malformed | LengthError::Chunked) => {
            Err(ApiFault::bad_request("The length of the body cannot be told.").closing())
        }
        Ok(_) | Err(LengthError::Missing) => Ok(()),
    }
}

fn place(head: &RequestHead) -> Result<SemaphorePermit<'_>, ApiFault> {
    head.context.long_logins.try_acquire().map_err(|_| ApiFault::busy())
}
