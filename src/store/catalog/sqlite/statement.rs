//! One statement: its `$1` parameters bound by their number, its rows taken out.

use ::rusqlite::types::{ToSqlOutput, ValueRef};
use ::rusqlite::{CachedStatement, Connection as Raw, Error};

use super::super::error::quoted;
use super::super::value::refuse_nul;
use super::super::{CatalogError, Fault, Row, Value};
use super::fault;

/// Runs to the end, rows and all; the number of rows changed.
pub(super) fn execute(raw: &Raw, text: &str, values: &[Value]) -> Result<u64, CatalogError> {
    let failed = |error: Error| fault::statement(&error, quoted(text));
    let mut statement = bound(raw, text, values)?;
    // The difference of totals, because `changes` keeps the number of an earlier statement where this one counts nothing.
    let before = raw.total_changes();
    let mut rows = statement.raw_query();
    while rows.next().map_err(failed)?.is_some() {}
    drop(rows);
    Ok(raw.total_changes() - before)
}

pub(super) fn query(raw: &Raw, text: &str, values: &[Value]) -> Result<Vec<Row>, CatalogError> {
    let failed = |error: Error| fault::statement(&error, quoted(text));
    let mut statement = bound(raw, text, values)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let cells = (0..columns).map(|column| value(row.get_ref(column).map_err(failed)?, text));
        found.push(Row(cells.collect::<Result<_, _>>()?));
    }
    Ok(found)
}

fn bound<'a>(raw: &'a Raw, text: &str, values: &[Value]) -> Result<CachedStatement<'a>, CatalogError> {
    refuse_nul(values)?;
    let mut statement = raw.prepare_cached(text).map_err(|error| fault::statement(&error, quoted(text)))?;
    if statement.parameter_count() != values.len() {
        let text = format!("{}: {} values for {} parameters", quoted(text), values.len(), statement.parameter_count());
        return Err(CatalogError::new(Fault::Failed, text));
    }
    for index in 1..=statement.parameter_count() {
        // To SQLite `$2` is a name, and its index is where the name stands first.
        let number = statement.parameter_name(index).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?));
        let Some(value) = value else {
            return Err(CatalogError::new(Fault::Failed, format!("{}: its parameters are not $1 to ${}", quoted(text), values.len())));
        };
        statement.raw_bind_parameter(index, Bound(value)).map_err(|error| fault::statement(&error, quoted(text)))?;
    }
    Ok(statement)
}

struct Bound<'a>(&'a Value);

impl ::rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, Error> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(cell: ValueRef<'_>, statement: &str) -> Result<Value, CatalogError> {
    let refused = |what: &str| CatalogError::new(Fault::Failed, format!("{}: {what}", quoted(statement)));
    Ok(match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(bytes) => Value::Text(String::from_utf8(bytes.to_vec()).map_err(|_| refused("a text is not UTF-8"))?),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => return Err(refused("a column is neither integer, text nor bytes")),
    })
}
