//! Whether a request that changes something may come from the page it comes from.
//!
//! A browser sends Basic credentials along whichever page made it ask. Programs send none of these headers.

use http::HeaderMap;
use http::header::ORIGIN;

use super::host::host;

/// `false` for a request that another site's page caused: `Sec-Fetch-Site` says so, or `Origin` is neither the host that was
/// asked nor `public_origin`, the one that our links name.
pub fn is_allowed(headers: &HeaderMap, public_origin: &str) -> bool {
    match headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes) {
        // It cannot be forged by a page, and `Origin` is `null` on pages that send no referrer.
        Some(b"same-origin") => true,
        Some(b"none") | None => origin_is_ours(headers, public_origin),
        Some(_) => false,
    }
}

fn origin_is_ours(headers: &HeaderMap, public_origin: &str) -> bool {
    let mut lines = headers.get_all(ORIGIN).iter();
    match (lines.next().map(|line| line.to_str()), lines.next()) {
        (None, _) => true,
        (Some(Ok(origin)), None) => {
            let asked = origin.split_once("://").map(|(_, authority)| authority);
            origin.eq_ignore_ascii_case(public_origin)
                || matches!((asked, host(headers)), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(lines: &[(&'static str, &str)]) -> bool {
        let mut headers: HeaderMap = HeaderMap::new();
        headers.append("host", "backup.example.com".parse().expect("a test's header is valid"));
        for (name, line) in lines {
            headers.append(*name, line.parse().expect("a test's header is valid"));
        }
        is_allowed(&headers, "https://public.example.com")
    }

    #[test]
    fn programs_and_our_own_pages_may() {
        assert!(allowed(&[]));
        assert!(allowed(&[("sec-fetch-site", "same-origin")]));
        assert!(allowed(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(allowed(&[("sec-fetch-site", "none")]));
        assert!(allowed(&[("origin", "https://backup.example.com")]));
        assert!(allowed(&[("origin", "https://public.example.com")]));
    }

    #[test]
    fn other_sites_may_not() {
        for site in ["cross-site", "same-site", "", "SAME-ORIGIN", "same-origin, cross-site"] {
            assert!(!allowed(&[("sec-fetch-site", site)]), "{site}");
            assert!(!allowed(&[("sec-fetch-site", site), ("origin", "https://backup.example.com")]), "{site}");
        }
        for origin in ["https://evil.example", "null", "", "https://backup.example.com.evil.example", "https://backup.example.com:444"] {
            assert!(!allowed(&[("origin", origin)]), "{origin}");
            assert!(!allowed(&[("sec-fetch-site", "none"), ("origin", origin)]), "{origin}");
        }
        assert!(!allowed(&[("origin", "https://backup.example.com"), ("origin", "https://evil.example")]));
    }
}
