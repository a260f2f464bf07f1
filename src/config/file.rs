//! The config file: one flat TOML table. A key that is no setting is refused with its line.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Spanned, Value as Toml};

use super::error::ConfigError;
use super::layers::{Origin, Value};
use super::setting::{Kind, Setting};

/// The settings in `text`, which was read from `path`.
pub fn parse(path: &Path, text: &str) -> Result<BTreeMap<&'static str, Value>, ConfigError> {
    let table: BTreeMap<Spanned<String>, Toml> = toml::from_str(text).map_err(|error| ConfigError::NotToml {
        path: path.to_owned(),
        line: line_of(text, error.span().map_or(text.len(), |span| span.start)),
        what: error.message().to_owned(),
    })?;
    table.iter().map(|(key, value)| entry(path, line_of(text, key.span().start), key.get_ref(), value)).collect()
}

fn entry(path: &Path, line: usize, key: &str, value: &Toml) -> Result<(&'static str, Value), ConfigError> {
    let unknown = || ConfigError::UnknownKey { path: path.to_owned(), line, key: key.to_owned() };
    let setting = Setting::find(key).ok_or_else(unknown)?;
    let wrong = |wanted| ConfigError::WrongKind { path: path.to_owned(), line, key: key.to_owned(), wanted };
    let text = text_of(setting.kind, value).map_err(wrong)?;
    Ok((setting.name, Value { text, origin: Origin::File { path: path.to_owned(), line } }))
}

/// The value as the text that a flag would have, or in words what is wanted.
fn text_of(kind: Kind, value: &Toml) -> Result<String, &'static str> {
    match (kind, value) {
        (Kind::Text | Kind::Size, Toml::String(text)) => Ok(text.clone()),
        (Kind::Number | Kind::Size, Toml::Integer(number)) => Ok(number.to_string()),
        (Kind::Flag, Toml::Boolean(flag)) => Ok(flag.to_string()),
        (Kind::List, Toml::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Toml::as_str).collect();
            texts.map(|texts| texts.join(",")).ok_or("an array of texts in quotes")
        }
        (Kind::Text, _) => Err("a text in quotes"),
        (Kind::Number, _) => Err("a whole number"),
        (Kind::Size, _) => Err("a number of bytes, or a text such as \"64 MiB\""),
        (Kind::Flag, _) => Err("true or false"),
        (Kind::List, _) => Err("an array of texts in quotes"),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
