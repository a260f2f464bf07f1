//! Values as PostgreSQL takes and gives them.

use std::error::Error as StdError;
use std::fmt;

use ::postgres::types::private::BytesMut;
use ::postgres::types::{IsNull, ToSql, Type};

use super::super::error::quoted;
use super::super::{CatalogError, Fault, Row, Value};

/// A value on its way to the server. The driver logs parameters at debug level, so it prints as nothing.
pub(super) struct Parameter<'a>(pub(super) &'a Value);

/// The type that a value is declared with; a null leaves it to the server, which looks at where it stands.
pub(super) fn declared(value: &Value) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
    }
}

/// Takes a row; only integers, text, bytes and truth values (as 0 or 1, as SQLite has them) are columns of ours.
pub(super) fn row(row: &::postgres::Row, statement: &str) -> Result<Row, CatalogError> {
    let failed = |error| CatalogError::with_source(Fault::Failed, quoted(statement), error);
    let mut values = Vec::with_capacity(row.len());
    for (place, column) in row.columns().iter().enumerate() {
        let value: Value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(place).map_err(failed)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(place).map_err(failed)?.map(i64::from).into(),
            Type::BOOL => row.try_get::<_, Option<bool>>(place).map_err(failed)?.map(i64::from).into(),
            Type::TEXT => row.try_get::<_, Option<String>>(place).map_err(failed)?.into(),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(place).map_err(failed)?.into(),
            ref other => {
                let text = format!("{}: column {place} is {other}, neither integer, text nor bytes", quoted(statement));
                return Err(CatalogError::new(Fault::Failed, text));
            }
        };
        values.push(value);
    }
    Ok(Row(values))
}

impl fmt::Debug for Parameter<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("redacted")
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) => number.to_sql_checked(ty, out),
            Value::Text(text) => text.to_sql_checked(ty, out),
            Value::Bytes(bytes) => bytes.to_sql_checked(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    ::postgres::types::to_sql_checked!();
}
