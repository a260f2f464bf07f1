//! `GET /@/`: when files of the vault were deleted, and the time to open after an attack.

use http::{HeaderValue, Method, Response, StatusCode};

use super::failed;
use crate::model::account::Account;
use crate::server::error::ApiError;
use crate::server::reply::{self, Body};
use crate::server::request::RequestHead;
use crate::store::bursts::Burst;

/// A JSON list, newest first.
pub async fn show(head: &RequestHead, account: &Account) -> Result<Response<Body>, ApiError> {
    let bursts = head.context.store.bursts(account).await.map_err(|error| failed(head, error))?;
    let lines: Vec<String> = bursts.iter().map(line).collect();
    let text = if head.method() == Method::HEAD { String::new() } else { format!("[{}]\n", lines.join(",\n")) };
    Ok(reply::whole(StatusCode::OK, HeaderValue::from_static("application/json"), text))
}

fn line(burst: &Burst) -> String {
    serde_json::json!({
        "before": burst.before().rfc3339_micros(),
        "from": burst.from.rfc3339_micros(),
        "to": burst.to.rfc3339_micros(),
        "files": burst.files,
        "bytes": burst.bytes,
    })
    .to_string()
}
