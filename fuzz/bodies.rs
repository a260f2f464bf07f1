//! What each fuzz target does with its input: the parser must not panic, and what it accepts must be what was meant.
//!
//! `fuzz_targets/` feeds these with what the fuzzer makes up, `tests/e2e/corpus.rs` with what it has found before.

use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderName, RANGE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue};
use strongroom::config::public_url;
use strongroom::model::access::{AccessUrl, AccountId, Secret};
use strongroom::model::file_name::FileName;
use strongroom::server::headers::basic::{Login, login};
use strongroom::server::headers::content_length::content_length;
use strongroom::server::headers::range::{Wanted, wanted};

/// A path as a client sends it, or the bytes of a name as the catalog keeps them.
pub fn file_name(data: &[u8]) {
    if let Ok(name) = FileName::parse(data) {
        assert_eq!(name.as_bytes(), data);
        assert_eq!(FileName::from_url_path(&name.url_path()).as_ref(), Ok(&name), "what is shown leads back");
        expect_harmless(&name);
    }
    let Ok(path) = std::str::from_utf8(data) else { return };
    if let Ok(name) = FileName::from_url_path(path) {
        assert_eq!(FileName::parse(name.as_bytes()).as_ref(), Ok(&name));
        assert_eq!(FileName::from_url_path(&name.url_path()).as_ref(), Ok(&name));
        expect_harmless(&name);
    }
}

fn expect_harmless(name: &FileName) {
    assert!((2..=768).contains(&name.as_bytes().len()) && name.as_str().starts_with('/'));
    assert!(name.segments().count() <= 32 && name.segments().all(|segment| !matches!(segment, "" | "." | "..")));
    assert!(!name.as_bytes().iter().any(|byte| *byte < 0x20 || *byte == 0x7f));
}

/// Eight bytes of a file's size, then lines of `Range`.
pub fn range(data: &[u8]) {
    let Some((size, rest)) = data.split_first_chunk::<8>() else { return };
    let size = u64::from_be_bytes(*size);
    let Some(headers) = headers(&RANGE, rest) else { return };
    match wanted(&headers, size) {
        Wanted::Whole => {}
        Wanted::Part(part) => {
            assert!(part.start < part.end && part.end <= size, "{part:?} of {size}");
            assert!(rest.iter().filter(|byte| **byte == b'-').count() == 1, "one range alone");
        }
        Wanted::Unsatisfiable => assert!(rest.iter().any(u8::is_ascii_digit)),
    }
}

/// Lines of `Authorization`.
pub fn basic(data: &[u8]) {
    let Some(headers) = headers(&AUTHORIZATION, data) else { return };
    if let Login::Sent(credentials) = login(&headers) {
        assert!(data.len() <= 1024 && data[..5].eq_ignore_ascii_case(b"basic"));
        assert!(!credentials.user.contains(':'));
        let pair = format!("{}:{}", credentials.user, credentials.password.reveal());
        let encoded = data_encoding::BASE64.encode(pair.as_bytes());
        assert!(data.ends_with(encoded.as_bytes()), "what was read is what was sent");
        assert_eq!(format!("{credentials:?}"), "redacted");
    }
}

/// Lines of `Content-Length`; a `T` before them stands for a `Transfer-Encoding` beside them.
pub fn length(data: &[u8]) {
    let (is_chunked, lines) = data.strip_prefix(b"T").map_or((false, data), |rest| (true, rest));
    let Some(mut headers) = headers(&CONTENT_LENGTH, lines) else { return };
    if is_chunked {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Ok(length) = content_length(&headers) {
        assert!(!is_chunked && lines.iter().all(u8::is_ascii_digit), "{length} of {lines:?}");
        let text = std::str::from_utf8(lines).expect("digits are text").trim_start_matches('0');
        assert_eq!(length.to_string().trim_start_matches('0'), text);
    }
}

/// Three lines: a user, a password, and the URL that an operator calls public. What is printed of them is an access URL as
/// clients know it, `^https://([a-zA-Z0-9]+):([a-zA-Z0-9]+)@([-.a-zA-Z0-9]+(?::[0-9]+)?)/$`, and `Debug` keeps the password.
pub fn access_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (Some(user), Some(password), Some(public)) = (lines.next(), lines.next(), lines.next()) else { return };
    let (Ok(account), true, Ok(public)) = (user.parse::<AccountId>(), Secret::is_well_formed(password), public_url::parse(public, false))
    else {
        return;
    };
    let authority = public.strip_prefix("https://").and_then(|rest| rest.strip_suffix('/')).expect("a public URL has its shape");
    let url = AccessUrl::new(account, Secret::presented(password), authority.to_owned());
    let shown = url.reveal();
    let (credentials, host) = shown.strip_prefix("https://").and_then(|rest| rest.split_once('@')).expect("credentials, then a host");
    assert_eq!(credentials.split_once(':'), Some((user, password)));
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    assert!(is_word(user) && is_word(password));
    let host = host.strip_suffix('/').expect("it ends with a slash");
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)), "{name}");
    assert!(!port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()), "{port}");
    // Letter by letter: a host may happen to hold the password, which is then no secret of ours.
    assert_eq!(format!("{url:?}"), format!("https://{user}:redacted@{host}/"));
}

/// One line a header; `None` where a line is none that a parser of HTTP would hand on.
fn headers(name: &HeaderName, data: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        headers.append(name, HeaderValue::from_bytes(line).ok()?);
    }
    Some(headers)
}
