//! Restores of backups that the engine made of real folders, told to a server that only listens.

mod endings;
mod passwords;
mod places;
mod server;

use std::path::Path;

use self::server::{Server, Stored, done, report};
use super::{Secrets, restore_from};
use crate::agent::jobs::Ended;
use crate::wire::channel::run::RunReport;
use crate::wire::channel::work::{JobText, Path as Item, Run};

/// A run that restores everything of a backup below this folder, over what is there.
fn run(stored: &Stored, destination: &Path) -> Run {
    let job = JobText::Restore {
        backup_id: 7,
        snapshot: format!("g{}/snapshots/{}", stored.generation.number, stored.snapshot),
        encrypted_password: None,
        destination_path: destination.to_str().unwrap().to_owned(),
        overwrite: true,
        inclusions: Vec::new(),
        exclusions: Vec::new(),
        vault: crate::wire::channel::work::Vault { generations: vec![stored.generation.clone()] },
    };
    Run { id: 12, attempt: 3, state: "queued".to_owned(), stop: false, job }
}

/// The same run with another job.
fn with(mut run: Run, change: impl FnOnce(&mut Job<'_>)) -> Run {
    let JobText::Restore { snapshot, encrypted_password, overwrite, inclusions, exclusions, .. } = &mut run.job else {
        panic!("it is a restore");
    };
    change(&mut Job { snapshot, encrypted_password, overwrite, inclusions, exclusions });
    run
}

struct Job<'a> {
    snapshot: &'a mut String,
    encrypted_password: &'a mut Option<String>,
    overwrite: &'a mut bool,
    inclusions: &'a mut Vec<Item>,
    exclusions: &'a mut Vec<Item>,
}

fn items<P: AsRef<Path>>(paths: &[P]) -> Vec<Item> {
    let item = |path: &P| Item { path: path.as_ref().to_str().unwrap().to_owned(), path_encoded: None, item_type: "Folder".to_owned() };
    paths.iter().map(item).collect()
}

fn texts(report: &RunReport) -> (&str, Option<&str>, Option<&str>) {
    (&report.state, report.reason.as_deref(), report.note.as_deref())
}

/// Where a path of this machine is made again below another folder.
fn below(destination: &Path, path: &Path) -> std::path::PathBuf {
    destination.join(path.strip_prefix("/").unwrap())
}
