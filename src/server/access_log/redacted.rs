//! What of a request may be shown in the log, in bounded length.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

const LONGEST_PATH: usize = 1_024;

/// The path as it may be logged: as it was sent, without what follows `/session/` or `/tokens/`, in bounded length. Nothing of ours is
/// below `/v2.0/tokens/`, but clients of identity services put their token there.
pub fn redacted(path: &str) -> String {
    let mut after_marker = false;
    let parts: Vec<&str> = path
        .split('/')
        .map(|part| {
            let shown = if after_marker && !part.is_empty() { "[redacted]" } else { part };
            // An empty part keeps the watch up: nobody knows how a doubled slash will be read.
            after_marker = is_marker(part) || (after_marker && part.is_empty());
            shown
        })
        .collect();
    let shown = parts.join("/");
    // An encoded slash hides where the parts end, so all of such a path could be a token.
    let hidden = percent_decode_str(&shown).decode_utf8_lossy().matches('/').count() > shown.matches('/').count();
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    if hidden && MARKERS.iter().any(|marker| decoded.contains(marker)) {
        return "/[redacted]".to_owned();
    }
    first_chars(&shown, LONGEST_PATH).into_owned()
}

/// What a secret follows in a path.
const MARKERS: [&str; 2] = ["session", "tokens"];

fn is_marker(part: &str) -> bool {
    let decoded = percent_decode_str(part).decode_utf8_lossy();
    MARKERS.iter().any(|marker| decoded.eq_ignore_ascii_case(marker))
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
            "/v2.0/tokens/TOKEN",
            "/v2.0//Tokens//TOKEN/endpoints",
            "/v2.0/tokens%2FTOKEN",
        ] {
            let logged = redacted(&path.replace("TOKEN", token));
            assert!(!logged.contains(token), "{path} is logged as {logged}");
            assert!(logged.contains("[redacted]"), "{path} is logged as {logged}");
        }
        assert_eq!(redacted("/session/abcdefghijklmnopqrstuv/a/b.tar"), "/session/[redacted]/a/b.tar");
    }

    #[test]
    fn other_paths_are_logged_as_they_were_sent() {
        for path in ["/", "/v2.0/tokens", "/v2.0/tokens/", "/a/b.tar", "/a%20b", "/sessions/x", "*", "/a%2Fb"] {
            assert_eq!(redacted(path), path);
        }
        assert_eq!(redacted(&"é".repeat(2_000)).chars().count(), LONGEST_PATH + 1);
    }
}
