//! What is to be restored, and where to: the job of a run, read and checked.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::failed::Failed;
use crate::model::selection::{ItemPath, Selection};
use crate::vault::id::Id;
use crate::vault::target::Overwrite;
use crate::wire::channel::work::{Generation, JobText, selection};

pub(super) struct Order {
    /// The one that the snapshot is in.
    pub generation: Generation,
    pub snapshot: Id,
    pub selection: Selection,
    /// The snapshot's root becomes this folder.
    pub target: PathBuf,
    pub overwrite: Overwrite,
    /// For the agent's key, in hexadecimal digits.
    pub encrypted_password: Option<String>,
}

impl Order {
    pub(super) fn parse(job: &JobText) -> Result<Self, Failed> {
        let JobText::Restore { snapshot, encrypted_password, destination_path, overwrite, inclusions, exclusions, vault, .. } = job else {
            return Err(Failed::by_agent("the run is no restore"));
        };
        let (number, id) = parse_name(snapshot).ok_or_else(|| Failed::by_agent(&format!("{snapshot} names no snapshot")))?;
        let generation = vault.generations.iter().find(|generation| generation.number == number);
        Ok(Self {
            generation: generation.ok_or_else(|| Failed::by_agent(&format!("the vault has no generation {number}")))?.clone(),
            snapshot: id,
            selection: selection(inclusions, exclusions).ok_or_else(|| Failed::by_agent("the selection names a path that is none"))?,
            target: parse_target(destination_path)?,
            overwrite: if *overwrite { Overwrite::Always } else { Overwrite::Never },
            encrypted_password: encrypted_password.clone(),
        })
    }
}

/// `gN/snapshots/ID`
fn parse_name(name: &str) -> Option<(i64, Id)> {
    let (generation, id) = name.strip_prefix('g')?.split_once("/snapshots/")?;
    Some((generation.parse().ok().filter(|number| *number > 0)?, id.parse().ok()?))
}

/// An absolute path; nothing at all is the root, where every path is what it was.
fn parse_target(destination: &str) -> Result<PathBuf, Failed> {
    if destination.is_empty() {
        return Ok(PathBuf::from("/"));
    }
    match ItemPath::parse(destination, None) {
        Ok(path) if destination.starts_with('/') => Ok(PathBuf::from(OsStr::from_bytes(path.bytes()))),
        Ok(_) => Err(Failed::by_destination(&format!("{destination} is a path of Windows, and this machine has none such"))),
        Err(error) => Err(Failed::by_destination(&format!("nothing can be restored to {destination}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_named_by_its_generation_and_its_whole_id() {
        let id = Id::of(b"x");
        assert_eq!(parse_name(&format!("g12/snapshots/{id}")), Some((12, id)));
        let short = format!("g1/snapshots/{}", id.short());
        for bad in ["", "g1", "g0/snapshots/", "latest", &short, &format!("1/snapshots/{id}"), &format!("g-1/snapshots/{id}")] {
            assert_eq!(parse_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_destination_is_absolute_or_the_original_path() {
        let at = |text: &str| parse_target(text).ok();
        assert_eq!(at(""), Some(PathBuf::from("/")));
        assert_eq!(at("/srv/back again"), Some(PathBuf::from("/srv/back again")));
        for bad in [r"C:\restore", "C:/restore", r"\\server\share", "srv", "./srv", "~", "/srv/../etc", "/srv\0"] {
            let failed = parse_target(bad).expect_err("it is refused");
            assert!(matches!(failed, Failed::For { reason: "DestinationNotWritable", .. }), "{bad}");
        }
    }
}
