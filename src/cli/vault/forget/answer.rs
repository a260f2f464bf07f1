//! What `vault forget` answers.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Groups, Judged};
use crate::cli::table::table;
use crate::cli::vault::counted::counted;
use crate::cli::vault::prune;
use crate::cli::vault::selection::{as_json as snapshot_as_json, header, row};
use crate::cli::vault::snapshots::{group_as_json, group_name};
use crate::vault::id::Id;
use crate::vault::prune::Plan;

pub(super) fn as_json(groups: &Groups, removed: &HashSet<Id>, is_dry_run: bool, pruned: Option<&Plan>) -> Value {
    let group = |judged: &Judged| {
        let keep: Vec<Value> = judged
            .keep
            .iter()
            .map(|(stored, reasons)| {
                let mut value = snapshot_as_json(stored);
                value["reasons"] = json!(reasons);
                value
            })
            .collect();
        let remove: Vec<Value> = judged.remove.iter().map(snapshot_as_json).collect();
        json!({ "group_key": group_as_json(&judged.key), "keep": keep, "remove": remove })
    };
    let mut ids: Vec<String> = removed.iter().map(Id::hex).collect();
    ids.sort();
    json!({
        "dry_run": is_dry_run,
        "removed": ids,
        "groups": groups.iter().map(group).collect::<Vec<_>>(),
        "prune": pruned.map(|plan| prune::as_json(plan, is_dry_run)),
    })
}

pub(super) fn as_text(groups: &Groups, removed: usize, is_dry_run: bool) -> String {
    let mut text: String = groups.iter().map(group_as_text).collect();
    let begin = if is_dry_run { "Would remove" } else { "Removed" };
    text.push_str(&format!("{begin} {}\n", counted(removed as u64, "snapshot")));
    text
}

fn group_as_text(judged: &Judged) -> String {
    let mut first = header();
    first.insert(0, String::new());
    first.push("KEPT BY".to_owned());
    let kept = judged.keep.iter().map(|(stored, reasons)| {
        let mut row = row(stored);
        row.insert(0, "keep".to_owned());
        row.push(reasons.join(", "));
        row
    });
    let removed = judged.remove.iter().map(|stored| {
        let mut row = row(stored);
        row.insert(0, "remove".to_owned());
        row
    });
    let rows: Vec<Vec<String>> = std::iter::once(first).chain(kept).chain(removed).collect();
    format!("{}\n{}\n", group_name(&judged.key), table(&rows))
}
