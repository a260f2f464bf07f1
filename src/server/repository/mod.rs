//! restic's REST protocol on a vault: what clients store, list, read and delete, and the vault as it was.
//!
//! * What is stored is never replaced: an id is the SHA-256 of its bytes, and `config` is written once.
//! * A client's DELETE hides (`store::hide`); under `/@TIME/` everything is there as it was then, and nothing can be changed.
//! * Locks are kept apart (`store::locks`), and in a dated view or a session taken and given up without being kept, so that stock restic
//!   restores from there.
//!
//! The protocol: restic's documentation, "REST Backend", versions 1 and 2.

mod bodies;
mod bursts;
mod list;
mod post;
mod viewed;

use http::{Response, StatusCode};

use super::error::ApiError;
use super::files::{get_file, get_found, get_visited};
use super::list::{Viewer, get_list};
use super::reply::{self, Body};
use super::request::RequestHead;
use crate::model::account::Account;
use crate::model::file_name::FileName;
use crate::model::instant::Instant;
use crate::model::repository::{FileType, RepositoryPath};
use crate::model::view::View;
use crate::store::visit::Visit;
use viewed::{Viewed, viewed};

pub use post::post;
pub use viewed::Pinned;

type Outcome = Result<Response<Body>, ApiError>;

/// GET and HEAD of whatever is not the list of all files. `visit` has looked for the file of the path.
pub async fn read(head: &RequestHead, visit: Visit) -> Outcome {
    let path = head.path();
    match viewed(head, &visit.account, path)? {
        Viewed::Bursts => bursts::show(head, &visit.account).await,
        Viewed::Path(View::Now, _) => match RepositoryPath::parse(path) {
            Some(RepositoryPath::Folder(prefix, FileType::Locks)) => list::locks(head, &visit.account, &prefix).await,
            Some(RepositoryPath::File(_, FileType::Locks, _)) => lock(head, &visit.account, path).await,
            Some(known @ (RepositoryPath::Folder(..) | RepositoryPath::Root(_))) => folder(head, &visit.account, View::Now, &known).await,
            Some(_) | None => get_visited(head, visit).await,
        },
        Viewed::Path(view, "/") => get_list(head, &visit.account, view, Viewer::Owner).await,
        Viewed::Path(view, path) => read_only(head, &visit.account, view, path).await,
    }
}

/// The same under a session's URL; `path` is what follows its token.
pub async fn read_session(head: &RequestHead, account: &Account, ends_at: Instant, path: &str) -> Outcome {
    match viewed(head, account, path)? {
        Viewed::Bursts => bursts::show(head, account).await,
        Viewed::Path(view, "/") => get_list(head, account, view, Viewer::Session { ends_at }).await,
        Viewed::Path(view, path) => read_only(head, account, view, path).await,
    }
}

/// What can be read where nothing can be changed: there are no locks.
async fn read_only(head: &RequestHead, account: &Account, view: View, path: &str) -> Outcome {
    match RepositoryPath::parse(path) {
        Some(RepositoryPath::Folder(_, FileType::Locks)) => Ok(list::empty(head)),
        Some(RepositoryPath::File(_, FileType::Locks, _)) => Err(ApiError::not_found()),
        Some(known @ (RepositoryPath::Folder(..) | RepositoryPath::Root(_))) => folder(head, account, view, &known).await,
        Some(_) | None if view == View::Now => get_file(head, account, path).await,
        Some(_) | None => {
            let name = named(path)?;
            let found = head.context.store.find_in(account, view, &name).await.map_err(|error| failed(head, error))?;
            get_found(head, account, found.ok_or_else(ApiError::not_found)?).await
        }
    }
}

/// The list of a type, or 405 for a repository itself, which can only be made.
async fn folder(head: &RequestHead, account: &Account, view: View, path: &RepositoryPath) -> Outcome {
    match path {
        RepositoryPath::Folder(prefix, kind) => list::files(head, account, view, &prefix.folder(*kind)).await,
        RepositoryPath::Root(prefix) => {
            let config = named(&format!("{}config", prefix.as_str()))?;
            let found = head.context.store.find_in(account, view, &config).await.map_err(|error| failed(head, error))?;
            found.ok_or_else(ApiError::not_found)?;
            Err(ApiError::not_allowed("POST", "This is a repository: restic -r rest: followed by the access URL and its path opens it."))
        }
        RepositoryPath::Config(_) | RepositoryPath::File(..) => Err(ApiError::not_found()),
    }
}

async fn lock(head: &RequestHead, account: &Account, path: &str) -> Outcome {
    let found = head.context.store.lock(account, &named(path)?).await.map_err(|error| failed(head, error))?;
    Ok(reply::bytes(found.ok_or_else(ApiError::not_found)?))
}

/// Hides a file or gives a lock up; 200 also for what is not there.
pub async fn delete(head: &RequestHead, account: &Account) -> Outcome {
    let store = &head.context.store;
    let path = match viewed(head, account, head.path())? {
        Viewed::Path(View::Now, path) => path,
        Viewed::Path(_, path) if is_lock(path) => return Ok(reply::empty(StatusCode::OK)),
        Viewed::Path(..) | Viewed::Bursts => return Err(ApiError::new(StatusCode::FORBIDDEN, DATED)),
    };
    let outcome = match RepositoryPath::parse(path) {
        Some(RepositoryPath::Config(_)) => return Err(ApiError::new(StatusCode::FORBIDDEN, CONFIG_STAYS)),
        Some(RepositoryPath::File(_, FileType::Locks, _)) => store.remove_lock(account, &named(path)?).await,
        Some(RepositoryPath::File(..)) => store.hide(account, &named(path)?).await.map(|was_there| {
            head.context.metrics.hidden_files.inc_by(u64::from(was_there));
        }),
        Some(RepositoryPath::Root(_) | RepositoryPath::Folder(..)) | None => return Err(ApiError::bad_request(NOT_A_NAME)),
    };
    outcome.map_err(|error| failed(head, error))?;
    Ok(reply::empty(StatusCode::OK))
}

/// Whether a path, without the time of a dated view, is that of a lock.
pub fn is_lock(path: &str) -> bool {
    let path = path.strip_prefix("/@").and_then(|rest| rest.find('/').map(|slash| &rest[slash..])).unwrap_or(path);
    matches!(RepositoryPath::parse(path), Some(RepositoryPath::File(_, FileType::Locks, _)))
}

fn named(path: &str) -> Result<FileName, ApiError> {
    FileName::from_url_path(path).map_err(|error| ApiError::bad_request(format!("This is no valid name: {error}.")))
}

fn failed(head: &RequestHead, error: crate::store::Error) -> ApiError {
    ApiError::from_store(error, head.context.store.now())
}

const DATED: &str = "This is the vault as it was at that time: it can be read, and nothing in it can be changed. Leave the /@TIME out of \
                     the URL to store or to delete.";
const CONFIG_STAYS: &str = "The config of a repository is never deleted: everything in the repository would be lost with it.";
const NOT_A_NAME: &str = "A vault holds restic repositories: PREFIX/config and PREFIX/TYPE/ID, where TYPE is data, index, snapshots, keys or \
                          locks, and ID is the SHA-256 of the bytes in 64 lower-case hexadecimal digits. A prefix has up to four segments of \
                          letters, digits, dots, lines and underscores.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_told_from_files_in_any_view() {
        let id = "a".repeat(64);
        for (path, expected) in [
            (format!("/locks/{id}"), true),
            (format!("/web/locks/{id}"), true),
            (format!("/@2026-11-20/locks/{id}"), true),
            (format!("/@/locks/{id}"), true),
            (format!("/keys/{id}"), false),
            ("/locks/".to_owned(), false),
            (format!("/locks/locks/{id}"), false),
            ("/@2026-11-20".to_owned(), false),
        ] {
            assert_eq!(is_lock(&path), expected, "{path}");
        }
    }
}
