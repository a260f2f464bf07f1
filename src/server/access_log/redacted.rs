//! What of a request may be shown in the log, in bounded length.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

const LONGEST_PATH: usize = 1_024;

/// The path as it may be logged: as it was sent, without what follows `/session/`, in bounded length.
pub fn redacted(path: &str) -> String {
    let mut after_session = false;
    let parts: Vec<&str> = path
        .split('/')
        .map(|part| {
            let shown = if after_session && !part.is_empty() { "[redacted]" } else { part };
            // An empty part keeps the watch up: nobody knows how a doubled slash will be read.
            after_session = is_session(part) || (after_session && part.is_empty());
            shown
        })
        .collect();
    let shown = parts.join("/");
    // An encoded slash hides where the parts end, so all of such a path could be a token.
    let hidden = percent_decode_str(&shown).decode_utf8_lossy().matches('/').count() > shown.matches('/').count();
    if hidden && percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase().contains("session") {
        return "/[redacted]".to_owned();
    }
    first_chars(&shown, LONGEST_PATH).into_owned()
}

fn is_session(part: &str) -> bool {
    percent_decode_str(part).decode_utf8_lossy().eq_ignore_ascii_case("session")
}

pub fn first_chars(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_token_is_never_in_a_logged_path() {
        let token = "abcdefghijklmnopqrstuv";
        for path in [
            "/session/TOKEN",
            "/session/TOKEN/",
            "/session/TOKEN/a/b.tar",
            "//session//TOKEN/a",
            "/%73ession/TOKEN/a",
            "/SESSION/TOKEN",
            "/session%2fTOKEN",
            "/session%2FTOKEN/a",
            "/x/session/TOKEN",
        ] {
            let logged = redacted(&path.replace("TOKEN", token));
            assert!(!logged.contains(token), "{path} is logged as {logged}");
            assert!(logged.contains("[redacted]"), "{path} is logged as {logged}");
        }
        assert_eq!(redacted("/session/abcdefghijklmnopqrstuv/a/b.tar"), "/session/[redacted]/a/b.tar");
    }

    #[test]
    fn other_paths_are_logged_as_they_were_sent() {
        for path in ["/", "/a/b.tar", "/a%20b", "/sessions/x", "*", "/a%2Fb"] {
            assert_eq!(redacted(path), path);
        }
        assert_eq!(redacted(&"é".repeat(2_000)).chars().count(), LONGEST_PATH + 1);
    }
}
