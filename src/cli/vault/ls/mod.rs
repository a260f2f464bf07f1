//! `vault ls`: what is in a snapshot.

mod line;
mod listing;

use self::listing::Listing;
use super::counted::counted;
use super::repository::RepositoryArgs;
use super::selection::SelectionArgs;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::vault::snapshots::{find_folder, split};

#[derive(clap::Args)]
pub struct Ls {
    /// The beginning of a snapshot's id, or `latest`; behind a colon, a folder in it
    #[arg(value_name = "SNAPSHOT[:SUBFOLDER]")]
    snapshot: String,
    /// Only these, and what lies directly in them [default: everything]
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Mode, owner, size and time of each
    #[arg(short, long)]
    long: bool,
    /// Everything below the paths that are named
    #[arg(long)]
    recursive: bool,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    repository: RepositoryArgs,
}

impl Ls {
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        if let Some(path) = self.paths.iter().find(|path| !path.starts_with('/')) {
            return Err(Failure::usage(format!("{path:?} does not begin with a slash, as every path in a snapshot does")));
        }
        let session = self.repository.open(console)?;
        let snapshots = session.snapshots(console)?;
        let (name, folder) = split(&self.snapshot);
        let found = snapshots.find(name, &self.selection.filter());
        let stored = found.map_err(|error| session.failed("cannot find the snapshot", &error))?;
        let index = session.index(console)?;
        let root = find_folder(&session.repository, &index, stored.snapshot.tree, folder.unwrap_or_default());
        let root = root.map_err(|error| session.failed(&format!("cannot list snapshot {}", stored.id.short()), &error))?;
        let mut listing = Listing::new(&session, &index, self.long, console);
        listing.begin()?;
        listing.walk(root, &wanted(&self.paths), self.recursive)?;
        let (missing, damaged) = listing.end(&self.paths)?;
        if let Some(path) = missing {
            return Err(Failure::new(format!("{path} is not in snapshot {}", stored.id.short())));
        }
        match damaged {
            0 => Ok(()),
            count => Err(Failure::damaged(format!("{} cannot be read", counted(count, "folder")))),
        }
    }
}

/// Without a slash at the end; the root is nothing.
fn wanted(paths: &[String]) -> Vec<Vec<u8>> {
    paths.iter().map(|path| path.trim_end_matches('/').as_bytes().to_vec()).collect()
}
