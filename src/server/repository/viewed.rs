//! `/@TIME/…`: which state of a vault a URL means.

use std::borrow::Cow;

use http::StatusCode;

use crate::model::account::Account;
use crate::model::view::{View, parse_time};
use crate::server::error::ApiError;
use crate::server::request::RequestHead;

/// What a path asks about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Viewed<'a> {
    /// `/@/`: when there was something to look behind.
    Bursts,
    /// A state, and the path within it.
    Path(View, &'a str),
}

/// In the extensions of a request: its view was fixed when a restore was accepted, at an instant that held every change so far, and is looked
/// at whatever the clock has done since. Where the clock stands or went back, that instant is still to come.
#[derive(Clone, Copy)]
pub struct Pinned;

/// Takes the time off a path. 404 for one that cannot be read, is still to come, or is older than anything that is kept.
pub fn viewed<'a>(head: &RequestHead, account: &Account, path: &'a str) -> Result<Viewed<'a>, ApiError> {
    let viewed = parse(path).ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, NO_TIME))?;
    if let Viewed::Path(view, _) = viewed
        && head.parts.extensions.get::<Pinned>().is_none()
    {
        head.context.store.check_view(account, view).map_err(|earliest| {
            let text = format!(
                "This vault can be looked at as it was from {} until now. An earlier state is not kept, and a later one is still to come.",
                earliest.rfc3339()
            );
            ApiError::new(StatusCode::NOT_FOUND, text)
        })?;
    }
    Ok(viewed)
}

/// `None` where `/@` is followed by no time and a slash.
fn parse(path: &str) -> Option<Viewed<'_>> {
    let Some(rest) = path.strip_prefix("/@") else { return Some(Viewed::Path(View::Now, path)) };
    let (time, path) = rest.split_at(rest.find('/')?);
    match (time, path) {
        ("", "/") => Some(Viewed::Bursts),
        _ => parse_time(&colons(time)).map(|at| Viewed::Path(View::At(at), path)),
    }
}

/// Some clients percent-encode a colon in a path.
fn colons(time: &str) -> Cow<'_, str> {
    if time.contains('%') { Cow::Owned(time.replace("%3A", ":").replace("%3a", ":")) } else { Cow::Borrowed(time) }
}

const NO_TIME: &str = "After /@ comes a time and a slash: /@2026-11-20T12:00:00Z/ or /@20261120T120000Z/ for an instant, /@2026-11-20/ for the \
                       end of a day (UTC). GET /@/ lists when files were deleted.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::instant::Instant;

    #[test]
    fn a_time_is_taken_off_the_path() {
        let noon = View::At(Instant::from_seconds(1_795_176_000));
        for (path, expected) in [
            ("/config", Viewed::Path(View::Now, "/config")),
            ("/", Viewed::Path(View::Now, "/")),
            ("/@/", Viewed::Bursts),
            ("/@2026-11-20T12:00:00Z/", Viewed::Path(noon, "/")),
            ("/@2026-11-20T12%3A00%3a00Z/web/keys/", Viewed::Path(noon, "/web/keys/")),
            ("/@20261120T120000Z/config", Viewed::Path(noon, "/config")),
        ] {
            assert_eq!(parse(path), Some(expected), "{path}");
        }
        for path in ["/@", "/@x", "/@2026-11-20", "/@x/", "/@/config", "/@@2026-11-20/", "/@2026-11-20T12%2F00/"] {
            assert_eq!(parse(path), None, "{path}");
        }
    }
}
