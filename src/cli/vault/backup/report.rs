//! What a backup answers: a few lines for people, one object for machines.

use serde_json::{Value, json};

use crate::cli::vault::{failures, moment};
use crate::model::size::Size;
use crate::vault::backup::Report;

pub(super) fn as_json(report: &Report, is_dry_run: bool) -> Value {
    let count = &report.count;
    json!({
        "snapshot_id": report.snapshot.map(|id| id.hex()),
        "parent": report.parent.map(|id| id.hex()),
        "tree": report.tree.hex(),
        "dry_run": is_dry_run,
        "backup_start": report.started.to_string(),
        "backup_end": report.ended.to_string(),
        "total_duration": report.ended.duration_since(report.started).as_secs_f64(),
        "files_new": count.files_new,
        "files_changed": count.files_changed,
        "files_unmodified": count.files_unmodified,
        "dirs_new": count.folders_new,
        "dirs_changed": count.folders_changed,
        "dirs_unmodified": count.folders_unmodified,
        "others": count.others,
        "data_blobs": count.chunks_added,
        "tree_blobs": count.trees_added,
        "data_added": count.bytes_added,
        "data_added_packed": report.bytes_stored,
        "total_files_processed": count.files(),
        "total_bytes_processed": count.bytes,
        "failures": failures::as_json(&report.failures),
        "failures_left_out": report.failures_left_out,
    })
}

pub(super) fn as_text(report: &Report, is_dry_run: bool) -> String {
    let count = &report.count;
    let took = moment::duration(report.ended.duration_since(report.started));
    let added = Size(count.bytes_added);
    let added = if is_dry_run { format!("{added} would be new") } else { format!("{added} new, {} stored", Size(report.bytes_stored)) };
    let end = match report.snapshot {
        Some(id) => format!("Snapshot {} is saved", id.short()),
        None if is_dry_run => "Nothing was written".to_owned(),
        None => "No snapshot: nothing has changed".to_owned(),
    };
    format!(
        "Files:    {} new, {} changed, {} unmodified\nFolders:  {} new, {} changed, {} unmodified\nBytes:    {} in {} files, {added}\n{end}, in {took}\n",
        count.files_new,
        count.files_changed,
        count.files_unmodified,
        count.folders_new,
        count.folders_changed,
        count.folders_unmodified,
        Size(count.bytes),
        count.files(),
    )
}
