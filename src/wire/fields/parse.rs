//! From bytes to members.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::wire::error::WireError;
use crate::wire::fields::Fields;
use crate::wire::relaxed;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Fields {
    /// Reads a JSON object; what is no strict JSON may still have single quotes and unquoted member names. Of two members with one
    /// name the last counts. Takes time linear in the length.
    pub fn parse(body: &[u8]) -> Result<Self, WireError> {
        let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        if body.trim_ascii().is_empty() {
            return Err(WireError::new("The body is empty; it must be a JSON object."));
        }
        let value = serde_json::from_slice(body).or_else(|strict| {
            let relaxed = std::str::from_utf8(body).ok().and_then(relaxed::parse);
            relaxed.ok_or_else(|| WireError::new(format!("The body is not JSON: {strict}.")))
        });
        Self::from_value(value?)
    }

    /// The members of a value that is an object.
    pub fn from_value(value: Value) -> Result<Self, WireError> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(WireError::new("The body must be a JSON object.")),
        }
    }

    /// Reads `application/x-www-form-urlencoded`: all members are texts, and of two with one name the last counts.
    /// An empty body is a form without members.
    pub fn parse_form(body: &[u8]) -> Result<Self, WireError> {
        let unreadable = || WireError::new("The form is not UTF-8.");
        let text = std::str::from_utf8(body).map_err(|_| unreadable())?;
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, Value::String(decode(value)?)))
        });
        pairs.collect::<Option<Map<_, _>>>().map(Self).ok_or_else(unreadable)
    }
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}
