//! What of the snapshot is restored: what the selection takes, and, of the folders above that, those which are missing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::selection::{Matcher, Selection};
use crate::vault::restore::Decision;
use crate::vault::snapshot::Snapshot;
use crate::vault::tree::Node;

/// Asked for every entry of the snapshot, and notes which inclusions are there.
pub(super) struct Chosen {
    matcher: Matcher,
    /// Inclusions, by their paths as a walk spells them: what a user wrote, and whether it was seen.
    inclusions: HashMap<Vec<u8>, (Vec<u8>, AtomicBool)>,
    /// What the backup was of.
    sources: Vec<String>,
}

impl Chosen {
    pub(super) fn new(selection: &Selection, snapshot: &Snapshot) -> Self {
        let matcher = selection.matcher();
        // The exclusion of the same path beats an inclusion.
        let included = selection.inclusions.iter().map(|item| item.path.bytes()).filter(|path| matcher.covers(path));
        let inclusions = included.map(|path| (spelled(path), (path.to_vec(), AtomicBool::new(false)))).collect();
        Self { inclusions, matcher, sources: snapshot.paths.clone() }
    }

    pub(super) fn decide(&self, path: &[u8], node: &Node) -> Decision {
        if let Some((_, is_seen)) = self.inclusions.get(path) {
            is_seen.store(true, Ordering::Relaxed);
        }
        match (self.matcher.covers_or_all(path), node.is_folder()) {
            (true, true) if self.is_above_sources(path) => Decision::DescendOnly,
            (true, _) => Decision::Take,
            (false, true) if self.matcher.includes_below(path) => Decision::DescendOnly,
            (false, _) => Decision::Skip,
        }
    }

    /// Inclusions that the snapshot does not hold, in the order of their paths, once it was walked through.
    pub(super) fn missing(&self) -> Vec<&[u8]> {
        let is_there = |path: &[u8], is_seen: &AtomicBool| path.is_empty() || is_seen.load(Ordering::Relaxed);
        let unseen = self.inclusions.iter().filter(|(path, (_, is_seen))| !is_there(path, is_seen));
        let mut missing: Vec<&[u8]> = unseen.map(|(_, (path, _))| path.as_slice()).collect();
        missing.sort_unstable();
        missing
    }

    /// Whether a folder is in the backup only because of what lies below it, as `/` and `/home` are in one of `/home/ann`: that nobody chose
    /// it, whatever is restored.
    fn is_above_sources(&self, path: &[u8]) -> bool {
        let holds = |folder: &[u8], path: &[u8]| {
            folder == b"/" || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        let is_above = self.sources.iter().any(|source| holds(path, source.as_bytes()));
        is_above && !self.sources.iter().any(|source| holds(source.as_bytes(), path))
    }
}

/// A path as a walk spells it: each name behind one slash. The root is empty; what is no path of POSIX is spelled so that no walk meets it.
fn spelled(path: &[u8]) -> Vec<u8> {
    if !path.starts_with(b"/") {
        return path.to_vec();
    }
    let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.flat_map(|name| [&b"/"[..], name].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::id::Id;
    use crate::vault::tree::{Content, Metadata};
    use crate::wire::channel::work::{Path, selection};

    fn chosen(sources: &[&str], inclusions: &[&str], exclusions: &[&str]) -> Chosen {
        let path = |path: &&str| Path { path: (*path).to_owned(), path_encoded: None, item_type: "Folder".to_owned() };
        let paths = |all: &[&str]| all.iter().map(path).collect::<Vec<_>>();
        let text = serde_json::json!({"time": "2026-01-01T00:00:00Z", "tree": Id::of(b"").hex(), "paths": sources});
        let snapshot = Snapshot::parse(text.to_string().as_bytes(), &Id::of(b"")).expect("a snapshot");
        Chosen::new(&selection(&paths(inclusions), &paths(exclusions)).expect("a selection"), &snapshot)
    }

    /// Of a path that ends with a slash as of a folder.
    fn decide(chosen: &Chosen, path: &str) -> Decision {
        let content = if path.ends_with('/') { Content::Folder { tree: None } } else { Content::Fifo };
        let node = Node { name: Vec::new(), content, metadata: Metadata::default() };
        chosen.decide(path.trim_end_matches('/').as_bytes(), &node)
    }

    #[test]
    fn the_selection_decides_and_folders_above_it_are_passed_through() {
        let chosen = chosen(&["/"], &["/srv/www", "/srv/www/cache/kept", "/etc/hosts"], &["/srv/www/cache", "/srv/www/log"]);
        for (path, decision) in [
            ("/srv/", Decision::DescendOnly),
            ("/srv", Decision::Skip),
            ("/srv/www/", Decision::Take),
            ("/srv/www/index.html", Decision::Take),
            ("/srv/www/cache/", Decision::DescendOnly),
            ("/srv/www/cache/x", Decision::Skip),
            ("/srv/www/cache/kept", Decision::Take),
            ("/srv/www/log/", Decision::Skip),
            ("/srv/www2/", Decision::Skip),
            ("/etc/hosts", Decision::Take),
        ] {
            assert_eq!(decide(&chosen, path), decision, "{path}");
        }
    }

    #[test]
    fn where_nothing_is_included_all_is_taken_but_folders_above_the_backups_own_sources_are_passed_through() {
        let all = chosen(&["/home/ann", "/home/ann/notes", "/srv"], &[], &["/srv/tmp"]);
        for (path, decision) in [
            ("/home/", Decision::DescendOnly),
            ("/home/ann/", Decision::Take),
            ("/home/ann/notes/", Decision::Take),
            ("/home/anna/", Decision::Take),
            ("/srv/", Decision::Take),
            ("/srv/tmp/", Decision::Skip),
        ] {
            assert_eq!(decide(&all, path), decision, "{path}");
        }
        assert_eq!(decide(&chosen(&["/"], &["/"], &[]), "/home/"), Decision::Take, "all of the machine was backed up");
        assert_eq!(decide(&chosen(&[], &[], &[]), "/home/"), Decision::Take);
    }

    #[test]
    fn inclusions_that_were_not_met_are_missing() {
        let chosen = chosen(&["/"], &["/", "//srv/./www/", "/gone", r"C:\gone", "/beaten"], &["/beaten"]);
        assert_eq!(chosen.missing(), [&b"//srv/./www/"[..], b"/gone", br"C:\gone"]);
        let _ = decide(&chosen, "/srv/www/");
        assert_eq!(chosen.missing(), [&b"/gone"[..], br"C:\gone"]);
    }
}
