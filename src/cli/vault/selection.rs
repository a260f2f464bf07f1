//! Which snapshots are meant: `--host`, `--tag`, `--path`, as restic has them, and how snapshots are shown.

use serde_json::{Value, json};

use super::moment;
use crate::vault::snapshots::{Filter, Stored};

#[derive(clap::Args)]
pub struct SelectionArgs {
    /// Only snapshots of this host (several: of any of them)
    #[arg(short = 'H', long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    #[command(flatten)]
    rest: TagsAndPaths,
}

/// [`SelectionArgs`] where `-H` is something else.
#[derive(clap::Args)]
pub struct LongSelectionArgs {
    /// Only snapshots of this host (several: of any of them)
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    #[command(flatten)]
    rest: TagsAndPaths,
}

#[derive(clap::Args)]
struct TagsAndPaths {
    /// Only snapshots that have all of these tags (several lists: all of one of them)
    #[arg(long = "tag", value_name = "TAG[,TAG…]")]
    tags: Vec<String>,
    /// Only snapshots of this path (several: of all of them)
    #[arg(long = "path", id = "selected_path", value_name = "PATH")]
    paths: Vec<String>,
}

impl SelectionArgs {
    pub fn filter(&self) -> Filter {
        self.rest.filter(&self.hosts)
    }
}

impl LongSelectionArgs {
    pub fn filter(&self) -> Filter {
        self.rest.filter(&self.hosts)
    }
}

impl TagsAndPaths {
    fn filter(&self, hosts: &[String]) -> Filter {
        let tags = self.tags.iter().map(|list| Filter::tag_list(list)).collect();
        Filter { hosts: hosts.to_vec(), tags, paths: self.paths.iter().map(|path| absolute(path)).collect() }
    }
}

/// Snapshots have whole paths.
fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// Cells of a table.
pub fn row(stored: &Stored) -> Vec<String> {
    let snapshot = &stored.snapshot;
    let time = moment::shown(snapshot.at());
    vec![stored.id.short(), time, snapshot.hostname.clone(), snapshot.tags.join(","), snapshot.paths.join(", ")]
}

pub fn header() -> Vec<String> {
    ["ID", "TIME", "HOST", "TAGS", "PATHS"].map(str::to_owned).to_vec()
}

/// All that a snapshot says of itself, with its id.
pub fn as_json(stored: &Stored) -> Value {
    let mut value = serde_json::to_value(&stored.snapshot).expect("its keys are texts");
    value["id"] = json!(stored.id.hex());
    value["short_id"] = json!(stored.id.short());
    for name in ["tags", "excludes"] {
        if value[name].is_null() {
            value[name] = json!([]);
        }
    }
    value
}
