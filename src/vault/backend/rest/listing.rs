//! The lists of restic's protocol, in both versions.

use serde::Deserialize;

use crate::vault::backend::Listed;
use crate::vault::id::Id;

pub const V2: &str = "application/vnd.x.restic.rest.v2";

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    name: std::borrow::Cow<'a, str>,
    size: u64,
}

/// Names with sizes; names that are no id are left out.
pub fn parse(json: &[u8]) -> Result<Vec<Listed>, serde_json::Error> {
    let entries: Vec<Entry<'_>> = serde_json::from_slice(json)?;
    let listed = |entry: Entry<'_>| entry.name.parse().ok().map(|id| Listed { id, size_bytes: entry.size });
    Ok(entries.into_iter().filter_map(listed).collect())
}

/// Names alone, as servers list them that do not know version 2.
pub fn parse_names(json: &[u8]) -> Result<Vec<Id>, serde_json::Error> {
    let names: Vec<String> = serde_json::from_slice(json)?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_names_are_left_out_and_the_order_is_kept() {
        let (one, two) = (Id::of(b"1"), Id::of(b"2"));
        let json = format!(r#"[{{"name":"{two}","size":5}},{{"name":"../x","size":1}},{{"name":"{one}","size":7,"more":null}}]"#);
        assert_eq!(parse(json.as_bytes()).expect("a list"), [Listed { id: two, size_bytes: 5 }, Listed { id: one, size_bytes: 7 }]);
        assert_eq!(parse_names(format!(r#"["{two}","README","{one}"]"#).as_bytes()).expect("a list"), [two, one]);
        for wrong in ["", "[", "{}", "null", r#"[{"name":"x"}]"#, r#"[{"name":"x","size":-1}]"#] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
