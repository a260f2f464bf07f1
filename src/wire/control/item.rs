//! Items of inclusions and exclusions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::model::selection::{Filter, Item, ItemPath, ItemType};
use crate::wire::error::WireError;
use crate::wire::fields::Fields;

/// As configurations and restores show it: words for type and filter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ItemObject<'a> {
    file_id: i64,
    file_item_type: &'static str,
    file_path: &'a str,
    file_path_encoded: Option<String>,
    filter: &'static str,
    parent_id: i64,
}

/// As the list of a restore's files shows it: numbers for type and filter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RestoreFile<'a> {
    file_path: &'a str,
    filter: i64,
    restore_id: i64,
    file_item_type: i64,
    file_id: i64,
    file_path_encoded: Option<String>,
}

fn encoded(item: &Item) -> Option<String> {
    item.path.raw().map(|raw| STANDARD.encode(raw))
}

/// The items of one list, with the id of what they belong to.
pub fn objects(items: &[Item], filter: Filter, parent_id: i64) -> Vec<ItemObject<'_>> {
    items.iter().map(|item| object(item, filter, parent_id)).collect()
}

fn object(item: &Item, filter: Filter, parent_id: i64) -> ItemObject<'_> {
    ItemObject {
        file_id: item.file_id,
        file_item_type: item.item_type.as_str(),
        file_path: item.path.as_str(),
        file_path_encoded: encoded(item),
        filter: filter.as_str(),
        parent_id,
    }
}

pub fn restore_files(items: &[Item], filter: Filter, restore_id: i64) -> impl Iterator<Item = RestoreFile<'_>> {
    items.iter().map(move |item| RestoreFile {
        file_path: item.path.as_str(),
        filter: filter.number(),
        restore_id,
        file_item_type: item.item_type.number(),
        file_id: item.file_id,
        file_path_encoded: encoded(item),
    })
}

/// An item as it was sent; its id is the server's to give.
pub fn parse(fields: &Fields) -> Result<Item, WireError> {
    let text = fields.required_text("FilePath")?;
    let raw = fields.text("FilePathEncoded")?.filter(|text| !text.is_empty());
    let raw = raw.map(|text| STANDARD.decode(text.trim())).transpose().map_err(|_| WireError::new("FilePathEncoded is not Base64."))?;
    let path = ItemPath::parse(&text, raw).map_err(|error| WireError::new(format!("FilePath: {error}.")))?;
    let item_type = fields.required_text("FileItemType")?;
    let item_type = ItemType::parse(&item_type).ok_or_else(|| WireError::new("FileItemType is File, Folder or Database."))?;
    Ok(Item { file_id: 0, item_type, path })
}
