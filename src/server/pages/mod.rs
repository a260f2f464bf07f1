//! Web pages: the list for a browser and what goes wrong. They work without script and load nothing.

pub mod error;
pub mod list;

mod humane;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use http::{Response, StatusCode};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::reply::{self, Body};
use crate::model::digest::Sha256Digest;

/// Inside every page, because every path but those of sessions belongs to an account.
const STYLE: &str = include_str!("style.css");

const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%232f6b5a' \
                    stroke-width='2'%3E%3Crect x='3' y='3' width='18' height='18' rx='4'/%3E%3Ccircle cx='12' cy='12' r='4'/%3E%3Cpath \
                    d='M12 8V5m0 14v-3m4-4h3M5 12h3'/%3E%3C/svg%3E";

/// One style sheet by its hash, one icon, forms to ourselves: nothing else, and no script at all.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256Digest::of(STYLE.as_bytes()).0);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 is visible ASCII")
});

/// A page as an answer.
pub fn respond(status: StatusCode, page: Markup) -> Response<Body> {
    let mut response = reply::whole(status, HeaderValue::from_static("text/html; charset=utf-8"), page.into_string() + "\n");
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

/// What surrounds every page. `aside` stands at the right of its head.
fn layout(title: &str, aside: Markup, main: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) " · Strongroom" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p .brand { (mark()) "Strongroom" }
                    p .aside { (aside) }
                }
                main { (main) }
            }
        }
    }
}

/// The door of a safe.
fn mark() -> Markup {
    html! {
        svg viewBox="0 0 24 24" width="22" height="22" fill="none" stroke="currentColor" stroke-width="1.75" aria-hidden="true" {
            rect x="3" y="3" width="18" height="18" rx="4" {}
            circle cx="12" cy="12" r="4" {}
            path d="M12 8V5.5M12 18.5V16M16 12h2.5M5.5 12H8" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_style_that_is_sent() {
        let page = layout("x", html! {}, html! {}).into_string();
        let sent = page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).expect("the page has a style").0;
        let hash = STANDARD.encode(Sha256Digest::of(sent.as_bytes()).0);
        assert!(POLICY.to_str().expect("it is text").contains(&format!("style-src 'sha256-{hash}';")));
    }

    #[test]
    fn a_page_loads_and_runs_nothing() {
        let page = layout("x", html! {}, html! {}).into_string();
        let addresses = page.replace("http://www.w3.org/2000/svg", "");
        for refused in ["<script", " style=\"", " onload", "http://", "https://", "@import", "url("] {
            assert!(!addresses.contains(refused), "{refused}");
        }
    }
}
