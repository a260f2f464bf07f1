//! What went wrong, for a browser.

use http::StatusCode;
use maud::{Markup, html};

use super::layout;

/// A page with the status, the text, and the way back to the list where there is one.
pub fn page(status: StatusCode, text: &str, home: Option<&str>) -> Markup {
    let heading = heading(status);
    let main = html! {
        section .error {
            p .status { (status.as_u16()) }
            h1 { (heading) }
            p { (text) }
            @if let Some(home) = home {
                p { a .button href=(home) { "Back to the list" } }
            }
        }
    };
    layout(heading, html! {}, main)
}

fn heading(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "That request cannot be understood",
        StatusCode::UNAUTHORIZED => "This needs a name and a password",
        StatusCode::FORBIDDEN => "This is not open to you",
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::METHOD_NOT_ALLOWED => "That cannot be done here",
        StatusCode::GONE => "This session has expired",
        StatusCode::TOO_MANY_REQUESTS => "Please wait a moment",
        StatusCode::INSUFFICIENT_STORAGE => "There is no room",
        StatusCode::SERVICE_UNAVAILABLE => "The store cannot answer just now",
        status if status.is_server_error() => "Something went wrong here",
        _ => "That did not work",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_escaped_and_the_way_back_is_there_only_when_there_is_one() {
        let shown = page(StatusCode::NOT_FOUND, "<b>&", Some("/session/x/")).into_string();
        assert!(shown.contains("&lt;b&gt;&amp;") && !shown.contains("<b>"), "{shown}");
        assert!(shown.contains("href=\"/session/x/\"") && shown.contains(">404<"), "{shown}");
        assert!(!page(StatusCode::GONE, "x", None).into_string().contains("Back to the list"));
    }
}
