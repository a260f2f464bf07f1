//! A body as old clients send it: members in any letter case, numbers and booleans as strings, `""` for nothing.
//!
//! Members nobody asks for are ignored, so that clients may send whole objects back. Every read says which member is wrong.

mod names;
mod parse;
mod read;

use serde_json::{Map, Value};

use crate::wire::error::WireError;
pub use crate::wire::fields::names::Names;

/// The members of one JSON object or form.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// No members: what an absent body means where a body is optional.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Whether the member is there at all, `null` included.
    pub fn is_present(&self, names: impl Names) -> bool {
        self.find(&names).is_some()
    }

    /// Whether the member is there and is `null`; `""` is not.
    pub fn is_null(&self, names: impl Names) -> bool {
        matches!(self.find(&names), Some((_, Value::Null)))
    }

    /// A whole number, or its decimal text. `None` for absent, `null` and `""`.
    pub fn int(&self, names: impl Names) -> Result<Option<i64>, WireError> {
        self.read(&names, "a whole number", read::int)
    }

    /// `true` or `false`, either as text in any case, or 1 or 0. `None` for absent, `null` and `""`.
    pub fn bool(&self, names: impl Names) -> Result<Option<bool>, WireError> {
        self.read(&names, "true or false", read::bool)
    }

    /// A string as it is, also an empty one, or a number's decimal text. `None` for absent and `null`.
    pub fn text(&self, names: impl Names) -> Result<Option<String>, WireError> {
        self.read(&names, "a string", read::text)
    }

    /// An array of objects. `None` for absent and `null`.
    pub fn list(&self, names: impl Names) -> Result<Option<Vec<Self>>, WireError> {
        self.read(&names, "a list of objects", read::list)
    }

    /// An object. `None` for absent and `null`.
    pub fn object(&self, names: impl Names) -> Result<Option<Self>, WireError> {
        self.read(&names, "an object", read::object)
    }

    pub fn required_int(&self, names: impl Names) -> Result<i64, WireError> {
        self.int(&names)?.ok_or_else(|| missing(&names))
    }

    pub fn required_bool(&self, names: impl Names) -> Result<bool, WireError> {
        self.bool(&names)?.ok_or_else(|| missing(&names))
    }

    /// May be empty: whether that is allowed is for the value's own type to say.
    pub fn required_text(&self, names: impl Names) -> Result<String, WireError> {
        self.text(&names)?.ok_or_else(|| missing(&names))
    }

    /// The first of the names that a member has; of several spellings the exact one.
    fn find(&self, names: &impl Names) -> Option<(&str, &Value)> {
        let any_case = |name: &str| self.0.iter().find(|(member, _)| member.eq_ignore_ascii_case(name));
        let member = names.names().iter().find_map(|name| self.0.get_key_value(*name).or_else(|| any_case(name)));
        member.map(|(name, value)| (name.as_str(), value))
    }

    /// `read` gives `None` for what is no `kind`, `Some(None)` for what counts as absent.
    fn read<T>(&self, names: &impl Names, kind: &str, read: fn(&Value) -> Option<Option<T>>) -> Result<Option<T>, WireError> {
        match self.find(names) {
            None | Some((_, Value::Null)) => Ok(None),
            Some((name, value)) => read(value).ok_or_else(|| WireError::new(format!("{name} must be {kind}."))),
        }
    }
}

fn missing(names: &impl Names) -> WireError {
    WireError::new(format!("{} is required.", names.names().first().unwrap_or(&"A member")))
}

#[cfg(test)]
mod tests;
