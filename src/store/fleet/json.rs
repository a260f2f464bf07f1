//! What the catalog keeps as JSON: selections, reports, what an agent was handed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Rows;
use crate::model::configuration::BackupConfiguration;
use crate::model::instant::Instant;
use crate::model::run_record::{PinnedVault, RestoreSettings, RunError, RunReport};
use crate::model::selection::{Item, ItemPath, ItemType, Selection};
use crate::store::catalog::{CatalogError, Fault};

pub(super) fn selection(selection: &Selection) -> Value {
    json!({ "inclusions": items(&selection.inclusions), "exclusions": items(&selection.exclusions) })
}

fn items(items: &[Item]) -> Vec<Value> {
    let item = |item: &Item| {
        json!({
            "id": item.file_id,
            "type": item.item_type.number(),
            "path": item.path.as_str(),
            "raw": item.path.raw().map(|raw| STANDARD.encode(raw)),
        })
    };
    items.iter().map(item).collect()
}

pub(super) fn read_selection(value: &Value) -> Rows<Selection> {
    Ok(Selection { inclusions: read_items(&value["inclusions"])?, exclusions: read_items(&value["exclusions"])? })
}

fn read_items(value: &Value) -> Rows<Vec<Item>> {
    value.as_array().ok_or_else(|| broken("a selection"))?.iter().map(|item| read_item(item).ok_or_else(|| broken("an item"))).collect()
}

fn read_item(item: &Value) -> Option<Item> {
    let raw = item["raw"].as_str().map(|text| STANDARD.decode(text)).transpose().ok()?;
    Some(Item {
        file_id: item["id"].as_i64()?,
        item_type: ItemType::parse(&item["type"].as_i64()?.to_string())?,
        path: ItemPath::parse(item["path"].as_str()?, raw).ok()?,
    })
}

pub(super) fn parse(text: &str) -> Rows<Value> {
    serde_json::from_str(text).map_err(|error| CatalogError::with_source(Fault::Failed, "JSON in the catalog is damaged", error))
}

/// What a backup is handed when its agent takes it, and what it keeps whatever becomes of its configuration.
pub(super) fn backup_settings(configuration: &BackupConfiguration, machine_name: &str) -> Value {
    let settings = &configuration.settings;
    json!({
        "name": settings.name,
        "machine_name": machine_name,
        "prescript": settings.prescript,
        "postscript": settings.postscript,
        "selection": selection(&settings.selection),
    })
}

pub(super) fn restore_settings(settings: &RestoreSettings) -> Value {
    json!({
        "path": settings.destination_path,
        "overwrites": settings.overwrites,
        "selection": selection(&settings.selection),
        "carries_password": settings.carries_password,
        "pinned": settings.pinned.as_ref().map(|pinned| json!({ "account": pinned.account, "at": pinned.at.micros() })),
    })
}

pub(super) fn read_restore_settings(text: &str) -> Rows<RestoreSettings> {
    let value = parse(text)?;
    let pinned = value["pinned"]["account"].as_str().zip(value["pinned"]["at"].as_i64());
    Ok(RestoreSettings {
        destination_path: value["path"].as_str().ok_or_else(|| broken("a restore"))?.to_owned(),
        overwrites: value["overwrites"].as_bool().ok_or_else(|| broken("a restore"))?,
        selection: read_selection(&value["selection"])?,
        carries_password: value["carries_password"].as_bool().unwrap_or(false),
        pinned: pinned.map(|(account, at)| PinnedVault { account: account.to_owned(), at: Instant::from_micros(at) }),
    })
}

pub(super) fn report(report: &RunReport) -> Value {
    let error = |error: &RunError| {
        json!({
            "kind": error.kind, "description": error.description, "exception": error.exception,
            "details": error.details, "code": error.code, "path": error.path,
        })
    };
    json!({
        "files": report.files_done, "bytes": report.bytes_done, "reason": report.reason, "diagnostics": report.diagnostics,
        "errors": report.errors.iter().map(error).collect::<Vec<_>>(),
    })
}

pub(super) fn read_report(text: Option<&str>) -> Rows<RunReport> {
    let Some(text) = text else { return Ok(RunReport::default()) };
    let value = parse(text)?;
    let of = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let error = |error: &Value| RunError {
        kind: error["kind"].as_i64().unwrap_or(0),
        description: of(error, "description"),
        exception: of(error, "exception"),
        details: of(error, "details"),
        code: error["code"].as_i64().unwrap_or(0),
        path: of(error, "path"),
    };
    Ok(RunReport {
        files_done: value["files"].as_i64().unwrap_or(0),
        bytes_done: value["bytes"].as_i64().unwrap_or(0),
        reason: of(&value, "reason"),
        diagnostics: of(&value, "diagnostics"),
        errors: value["errors"].as_array().map(|errors| errors.iter().map(error).collect()).unwrap_or_default(),
    })
}

pub(super) fn broken(what: &str) -> CatalogError {
    CatalogError::new(Fault::Failed, format!("{what} in the catalog is none of ours"))
}
