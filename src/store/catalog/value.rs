//! Values in and rows out: null, integer, text, bytes, and nothing else.

use super::error::{CatalogError, Fault};

/// A parameter or a column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Refuses text with a NUL character: PostgreSQL cannot keep it, so SQLite must not either.
pub(super) fn refuse_nul(values: &[Value]) -> Result<(), CatalogError> {
    let has_nul = |value: &Value| matches!(value, Value::Text(text) if text.contains('\0'));
    match values.iter().position(has_nul) {
        Some(place) => Err(CatalogError::new(Fault::Failed, format!("the text of parameter ${} holds a NUL character", place + 1))),
        None => Ok(()),
    }
}

/// One row; columns by their place in the query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row(pub Vec<Value>);

impl Row {
    pub fn int(&self, column: usize) -> Result<i64, CatalogError> {
        self.optional_int(column)?.ok_or_else(|| wrong(column, "an integer"))
    }

    pub fn optional_int(&self, column: usize) -> Result<Option<i64>, CatalogError> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            _ => Err(wrong(column, "an integer or null")),
        }
    }

    pub fn text(&self, column: usize) -> Result<&str, CatalogError> {
        self.optional_text(column)?.ok_or_else(|| wrong(column, "text"))
    }

    pub fn optional_text(&self, column: usize) -> Result<Option<&str>, CatalogError> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(wrong(column, "text or null")),
        }
    }

    pub fn bytes(&self, column: usize) -> Result<&[u8], CatalogError> {
        match self.0.get(column) {
            Some(Value::Bytes(value)) => Ok(value),
            _ => Err(wrong(column, "bytes")),
        }
    }
}

fn wrong(column: usize, wanted: &str) -> CatalogError {
    CatalogError::new(Fault::Failed, format!("column {column} is not {wanted}"))
}
