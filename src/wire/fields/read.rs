//! From a member to what it means. `None`: it is nothing of the kind; `Some(None)`: it counts as absent.

use serde_json::{Number, Value};

use crate::wire::fields::Fields;

/// Up to here every whole number is a float of its own.
const MAX_EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

pub(super) fn int(value: &Value) -> Option<Option<i64>> {
    match value {
        Value::Number(number) => whole(number).map(Some),
        Value::String(text) if text.trim_ascii().is_empty() => Some(None),
        Value::String(text) => text.trim_ascii().parse().ok().map(Some),
        _ => None,
    }
}

pub(super) fn bool(value: &Value) -> Option<Option<bool>> {
    match value {
        Value::Bool(value) => Some(Some(*value)),
        Value::String(text) if text.trim_ascii().eq_ignore_ascii_case("true") => Some(Some(true)),
        Value::String(text) if text.trim_ascii().eq_ignore_ascii_case("false") => Some(Some(false)),
        _ => match int(value)? {
            None => Some(None),
            Some(0) => Some(Some(false)),
            Some(1) => Some(Some(true)),
            Some(_) => None,
        },
    }
}

pub(super) fn text(value: &Value) -> Option<Option<String>> {
    match value {
        Value::String(text) => Some(Some(text.clone())),
        Value::Number(number) => Some(Some(whole(number).map_or_else(|| number.to_string(), |whole| whole.to_string()))),
        _ => None,
    }
}

pub(super) fn list(value: &Value) -> Option<Option<Vec<Fields>>> {
    let elements: Option<_> = value.as_array()?.iter().map(|element| element.as_object().cloned().map(Fields)).collect();
    elements.map(Some)
}

pub(super) fn object(value: &Value) -> Option<Option<Fields>> {
    value.as_object().map(|members| Some(Fields(members.clone())))
}

/// A number without a fraction, however it is written.
fn whole(number: &Number) -> Option<i64> {
    let from_float = |float: f64| (float.fract() == 0.0 && float.abs() <= MAX_EXACT_FLOAT).then_some(float as i64);
    number.as_i64().or_else(|| from_float(number.as_f64().filter(|_| number.is_f64())?))
}
