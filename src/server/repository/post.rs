//! What clients of a vault store. Everything is judged by its bytes: an id is their SHA-256.

use http::{Response, StatusCode};

use super::bodies::{MAX_FILE_BYTES, MAX_SMALL_BYTES, broken, length, small, too_large};
use super::viewed::{Viewed, viewed};
use super::{DATED, NOT_A_NAME, failed, is_lock, named};
use crate::model::digest::{Hasher, Sha256Digest};
use crate::model::file_name::FileName;
use crate::model::repository::{FileType, Prefix, RepositoryPath};
use crate::model::stored_file::StoredFile;
use crate::model::view::View;
use crate::server::error::ApiError;
use crate::server::reply::{self, Body};
use crate::server::request::RequestHead;
use crate::server::request_body::RequestBody;
use crate::store::Error;
use crate::store::visit::Visit;

/// Makes a repository, or stores a file of one. 200 says that it is kept, or was before.
pub async fn post(head: &RequestHead, visit: Visit, body: &mut RequestBody) -> Result<Response<Body>, ApiError> {
    let path = match viewed(head, &visit.account, head.path())? {
        Viewed::Path(View::Now, path) => path,
        Viewed::Path(_, path) if is_lock(path) => return Ok(reply::empty(StatusCode::OK)),
        Viewed::Path(..) | Viewed::Bursts => return Err(ApiError::new(StatusCode::FORBIDDEN, DATED)),
    };
    let creates = head.query().split('&').any(|part| part == "create=true");
    let parsed = RepositoryPath::parse(path).or_else(|| RepositoryPath::parse(&format!("{path}/")).filter(|_| creates));
    match parsed {
        // There is nothing to be made: a repository is there when its config is.
        Some(RepositoryPath::Root(_)) if creates => {}
        Some(RepositoryPath::Config(_)) => post_config(head, visit, body).await?,
        Some(RepositoryPath::File(prefix, FileType::Locks, id)) => post_lock(head, &visit, &prefix, id, body).await?,
        Some(RepositoryPath::File(_, _, id)) => post_file(head, visit, id, body).await?,
        Some(RepositoryPath::Root(_)) => return Err(ApiError::bad_request("A repository is made with POST PREFIX?create=true.")),
        Some(RepositoryPath::Folder(..)) | None => return Err(ApiError::bad_request(NOT_A_NAME)),
    }
    Ok(reply::empty(StatusCode::OK))
}

async fn post_file(head: &RequestHead, visit: Visit, id: Sha256Digest, body: &mut RequestBody) -> Result<(), ApiError> {
    let (store, name) = (&head.context.store, named(head.path())?);
    let most_bytes = head.context.limits().max_file_bytes.min(MAX_FILE_BYTES);
    let length = length(head, most_bytes)?;
    if visit.holder().is_some_and(|holder| holder.damaged_at.is_none()) {
        return compare(head, &visit, &name, id, most_bytes, body).await;
    }
    let upload = match length {
        Some(size_bytes) => store.begin_visited(visit, &name, size_bytes).await,
        None => store.begin_unsized(visit, &name, most_bytes).await,
    };
    let mut upload = upload.map_err(|error| refused(head, error, most_bytes))?;
    while let Some(bytes) = body.next().await.map_err(|error| broken(&error))? {
        upload.write(bytes).await.map_err(|error| refused(head, error, most_bytes))?;
    }
    match upload.finish(vec![id]).await {
        Ok(_) => {}
        // Somebody was faster with the same bytes, as the digest says.
        Err(Error::NameTaken(holder)) if is_whole(&holder) => {}
        Err(error) => return Err(refused(head, error, most_bytes)),
    }
    Ok(())
}

/// Reads the bytes that are there already, and judges them as if they were not.
async fn compare(
    head: &RequestHead,
    visit: &Visit,
    name: &FileName,
    id: Sha256Digest,
    most_bytes: u64,
    body: &mut RequestBody,
) -> Result<(), ApiError> {
    let (mut hasher, mut received) = (Hasher::default(), 0);
    while let Some(bytes) = body.next().await.map_err(|error| broken(&error))? {
        received += bytes.len() as u64;
        if received > most_bytes {
            return Err(too_large(most_bytes));
        }
        hasher.update(&bytes);
    }
    let (computed, _) = hasher.finish();
    if computed != id {
        return Err(failed(head, Error::DigestMismatch { sent: id, computed }));
    }
    // It may have been hidden while its bytes came.
    match head.context.store.find(&visit.account, name).await.map_err(|error| failed(head, error))? {
        Some(file) if is_whole(&file) => Ok(()),
        _ => Err(ApiError::unavailable("a file was hidden, or found damaged, while it was stored again")),
    }
}

async fn post_config(head: &RequestHead, visit: Visit, body: &mut RequestBody) -> Result<(), ApiError> {
    let (store, name) = (&head.context.store, named(head.path())?);
    let bytes = small(head, body).await?;
    let (size_bytes, sha256) = (bytes.len() as u64, Sha256Digest::of(&bytes));
    let outcome = async {
        let mut upload = store.begin_visited(visit, &name, size_bytes).await?;
        upload.write(bytes.into()).await?;
        upload.finish(vec![sha256]).await
    };
    match outcome.await {
        Ok(_) => Ok(()),
        Err(Error::NameTaken(holder)) if holder.sha256 == sha256 && is_whole(&holder) => Ok(()),
        Err(Error::NameTaken(_)) => Err(ApiError::new(StatusCode::FORBIDDEN, CONFIG_IS_THERE)),
        Err(error) => Err(refused(head, error, MAX_SMALL_BYTES)),
    }
}

async fn post_lock(head: &RequestHead, visit: &Visit, prefix: &Prefix, id: Sha256Digest, body: &mut RequestBody) -> Result<(), ApiError> {
    let name = named(head.path())?;
    let bytes = small(head, body).await?;
    let computed = Sha256Digest::of(&bytes);
    if computed != id {
        return Err(failed(head, Error::DigestMismatch { sent: id, computed }));
    }
    let folder = prefix.folder(FileType::Locks);
    head.context.store.put_lock(&visit.account, &folder, &name, bytes.into()).await.map_err(|error| failed(head, error))
}

const fn is_whole(file: &StoredFile) -> bool {
    file.damaged_at.is_none()
}

fn refused(head: &RequestHead, error: Error, most_bytes: u64) -> ApiError {
    match error {
        Error::WrongSize { promised, received } if promised == most_bytes && received > promised => too_large(most_bytes),
        // The holder was found damaged meanwhile: the next try takes its place.
        Error::NameTaken(_) => ApiError::unavailable("a file was found damaged while it was stored again"),
        error => failed(head, error),
    }
}

const CONFIG_IS_THERE: &str = "There is a repository here already, and its config cannot be replaced. To open it, leave the making out. \
                               To change its format, make a new repository under another prefix and copy the snapshots there (restic copy).";
