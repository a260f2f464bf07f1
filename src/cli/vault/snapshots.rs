//! `vault snapshots`: which backups there are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::counted::counted;
use super::repository::RepositoryArgs;
use super::selection::{SelectionArgs, as_json, header, row};
use super::session::Session;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::table::{table, visible};
use crate::vault::forget::{GroupBy, GroupKey};
use crate::vault::snapshots::{Filter, Snapshots as All, Stored};

#[derive(clap::Args)]
pub struct Snapshots {
    /// Only these: the beginning of an id, or `latest`
    #[arg(value_name = "SNAPSHOT")]
    names: Vec<String>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Only the last N of each host and paths
    #[arg(long, value_name = "N")]
    latest: Option<usize>,
    /// Show them in groups: of host, paths, tags, with commas between
    #[arg(short, long, value_name = "GROUP", value_parser = group_by)]
    group_by: Option<GroupBy>,
    #[command(flatten)]
    repository: RepositoryArgs,
}

pub fn group_by(text: &str) -> Result<GroupBy, String> {
    GroupBy::parse(text).map_err(|error| error.to_string())
}

impl Snapshots {
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let session = self.repository.open(console)?;
        let all = session.snapshots(console)?;
        let filter = self.selection.filter();
        let mut chosen = choose(&all, &self.names, &filter, &session)?;
        if let Some(count) = self.latest {
            chosen = latest(chosen, count);
        }
        match self.group_by {
            None => {
                let list: Vec<Value> = chosen.iter().map(|stored| as_json(stored)).collect();
                console.answer_either(&Value::Array(list), || as_text(&chosen))?;
            }
            Some(by) => {
                let groups = grouped(chosen, by);
                console.answer_either(&groups_as_json(&groups), || groups_as_text(&groups))?;
            }
        }
        match all.failed.len() {
            0 => Ok(()),
            count => Err(Failure::damaged(format!("{} cannot be read", counted(count as u64, "snapshot")))
                .with_hint("`strongroom vault check` says what is damaged, and what that costs")),
        }
    }
}

/// Those that are named, or all that the filter leaves; oldest first, none twice.
fn choose<'a>(all: &'a All, names: &[String], filter: &'a Filter, session: &Session) -> Result<Vec<&'a Stored>, Failure> {
    if names.is_empty() {
        return Ok(all.matching(filter).collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        let found = all.find(name, filter).map_err(|error| session.failed(&format!("cannot find {}", visible(name)), &error))?;
        if !chosen.contains(&found) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}

fn latest(chosen: Vec<&Stored>, count: usize) -> Vec<&Stored> {
    let mut seen = BTreeMap::<_, usize>::new();
    let mut last: Vec<&Stored> = chosen
        .into_iter()
        .rev()
        .filter(|stored| {
            let seen = seen.entry(key(stored, GroupBy::default())).or_default();
            *seen += 1;
            *seen <= count
        })
        .collect();
    last.reverse();
    last
}

fn key(stored: &Stored, by: GroupBy) -> GroupKey {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list
    };
    let snapshot = &stored.snapshot;
    GroupKey {
        host: by.host.then(|| snapshot.hostname.clone()),
        paths: by.paths.then(|| sorted(&snapshot.paths)),
        tags: by.tags.then(|| sorted(&snapshot.tags)),
    }
}

fn grouped(chosen: Vec<&Stored>, by: GroupBy) -> BTreeMap<GroupKey, Vec<&Stored>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for stored in chosen {
        groups.entry(key(stored, by)).or_default().push(stored);
    }
    groups
}

/// `host db1, paths /etc, /srv`.
pub fn group_name(key: &GroupKey) -> String {
    let host = key.host.as_ref().map(|host| format!("host {host}"));
    let paths = key.paths.as_ref().map(|paths| format!("paths {}", paths.join(", ")));
    let tags = key.tags.as_ref().map(|tags| format!("tags {}", tags.join(",")));
    let parts: Vec<String> = [host, paths, tags].into_iter().flatten().collect();
    if parts.is_empty() { "all snapshots".to_owned() } else { visible(&parts.join(", ")) }
}

pub fn group_as_json(key: &GroupKey) -> Value {
    json!({ "hostname": key.host, "paths": key.paths, "tags": key.tags })
}

fn groups_as_json(groups: &BTreeMap<GroupKey, Vec<&Stored>>) -> Value {
    let list = |snapshots: &[&Stored]| snapshots.iter().map(|stored| as_json(stored)).collect::<Vec<_>>();
    groups.iter().map(|(key, snapshots)| json!({ "group_key": group_as_json(key), "snapshots": list(snapshots) })).collect()
}

fn groups_as_text(groups: &BTreeMap<GroupKey, Vec<&Stored>>) -> String {
    let parts: Vec<String> = groups.iter().map(|(key, snapshots)| format!("{}\n{}", group_name(key), as_text(snapshots))).collect();
    parts.join("\n")
}

fn as_text(snapshots: &[&Stored]) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(header()).chain(snapshots.iter().map(|stored| row(stored))).collect();
    format!("{}{}\n", table(&rows), counted(snapshots.len() as u64, "snapshot"))
}
