//! The query of a list: `prefix`, `after`, `limit` and `filter`. What else is there is ignored.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// The most rows of one page, whatever limit a client asks for: as many as one read of the catalog gives.
pub const PAGE_ROWS: usize = 1_000;

/// What a client wants to see of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// Only names that begin with these bytes.
    pub prefix: Vec<u8>,
    /// Only names after these bytes.
    pub after: Vec<u8>,
    /// At most this many names; `None` for all.
    pub limit: Option<u64>,
    /// Only names that contain this text, whatever the case of its letters.
    pub filter: String,
}

/// Which parameter cannot be read. `Display` is the text that a client reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QueryError {
    #[error("limit is a whole number from 1 on")]
    Limit,
    #[error("filter is UTF-8 after percent-decoding")]
    Filter,
    #[error("{0} is in the query twice")]
    Twice(&'static str),
}

/// All parameters, percent-decoded, a `+` for a space. Bytes that are no UTF-8 are replaced.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(key, value)| (decoded(key), decoded(value))).collect()
}

impl Query {
    /// Reads what follows the `?`. A `+` is a plus, except in `filter`, which comes from a form and means a space by it.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let mut found = Self::default();
        let mut seen = Vec::new();
        for (key, value) in text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
            let key = match key {
                "prefix" => "prefix",
                "after" => "after",
                "limit" => "limit",
                "filter" => "filter",
                _ => continue,
            };
            if seen.contains(&key) {
                return Err(QueryError::Twice(key));
            }
            seen.push(key);
            found.set(key, value)?;
        }
        Ok(found)
    }

    /// Rows of the page that is asked for; `None` for the whole list.
    pub fn rows(&self) -> Option<usize> {
        self.limit.map(|limit| usize::try_from(limit).map_or(PAGE_ROWS, |limit| limit.min(PAGE_ROWS)))
    }

    /// The query of the page that follows `last`, with its `?`.
    pub fn after_name(&self, last: &[u8]) -> String {
        Self { after: last.to_vec(), ..self.clone() }.to_text()
    }

    /// The query of the first page, with its `?`.
    pub fn from_start(&self) -> String {
        self.after_name(&[])
    }

    fn to_text(&self) -> String {
        let bytes = [("after", &*self.after), ("prefix", &*self.prefix), ("filter", self.filter.as_bytes())];
        let written = bytes.into_iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| format!("{key}={}", encode(value)));
        let pairs: Vec<String> = written.chain(self.limit.map(|limit| format!("limit={limit}"))).collect();
        format!("?{}", pairs.join("&"))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), QueryError> {
        match key {
            "prefix" => self.prefix = percent_decode_str(value).collect(),
            "after" => self.after = percent_decode_str(value).collect(),
            "limit" => self.limit = Some(limit(value).ok_or(QueryError::Limit)?),
            _ => {
                let spaced = value.replace('+', " ");
                let text = percent_decode_str(&spaced).decode_utf8().map_err(|_| QueryError::Filter)?;
                text.trim().clone_into(&mut self.filter);
            }
        }
        Ok(())
    }
}

/// The query that shows only names beginning with `prefix`, with its `?`.
pub fn prefix_query(prefix: &str) -> String {
    format!("?prefix={}", encode(prefix.as_bytes()))
}

/// Slashes stay readable; everything else that could mean something is encoded.
fn encode(bytes: &[u8]) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encode(bytes, KEPT).to_string()
}

fn limit(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|limit| is_plain && *limit > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    #[test]
    fn each_parameter_is_read() {
        let query = Query::parse("prefix=/a+b%20c&after=/x%FF&limit=10&filter=Two+words%2B&other=1&flag").expect("it is valid");
        assert_eq!(query.prefix, b"/a+b c");
        assert_eq!(query.after, b"/x\xff");
        assert_eq!((query.limit, &*query.filter), (Some(10), "Two words+"));
        assert_eq!(Query::parse(""), Ok(Query::default()));
        assert_eq!(Query::parse("filter=+&prefix="), Ok(Query::default()), "an empty form means no filter");
    }

    #[test]
    fn bad_parameters_are_refused() {
        for bad in ["0", "-1", "", "x", "1.5", "+1", "99999999999999999999", "1%30"] {
            assert_eq!(Query::parse(&format!("limit={bad}")), Err(QueryError::Limit), "{bad}");
        }
        assert_eq!(Query::parse("limit"), Err(QueryError::Limit));
        assert_eq!(Query::parse("filter=%FF"), Err(QueryError::Filter));
        assert_eq!(Query::parse("after=/a&limit=1&after=/b"), Err(QueryError::Twice("after")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::server::headers::CASES))]

        #[test]
        fn a_next_page_keeps_everything_else(
            prefix in proptest::collection::vec(any::<u8>(), 0..20),
            last in proptest::collection::vec(any::<u8>(), 1..20),
            limit in proptest::option::of(1..u64::MAX),
            filter in "\\PC{0,20}",
        ) {
            let query = Query { prefix, after: b"/earlier".to_vec(), limit, filter: filter.trim().to_owned() };
            let text = query.after_name(&last);
            prop_assert_eq!(Query::parse(&text[1..]), Ok(Query { after: last, ..query }));
        }

        #[test]
        fn no_text_panics(text in "[ -~]{0,80}") {
            let _ = Query::parse(&text);
        }
    }
}
