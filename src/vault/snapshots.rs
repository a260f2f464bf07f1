//! All snapshots of a repository, and finding one: by the beginning of its id, or the latest of those that a filter leaves. The filter
//! is restic's: hosts and tag lists are alternatives, the tags of a list and the paths must all be there.

use std::sync::Mutex;

use super::backend::Kind;
use super::cancel::Cancel;
use super::error::Error;
use super::id::Id;
use super::index::Index;
use super::parallel::for_each;
use super::repository::Repository;
use super::snapshot::Snapshot;
use super::tree::Content;

/// Files that are read at once.
const READERS: usize = 8;

/// A snapshot and the file that it is in.
#[derive(Clone, PartialEq, Debug)]
pub struct Stored {
    pub id: Id,
    pub snapshot: Snapshot,
}

/// What there is below `snapshots/`.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// By time, and by id where that is the same.
    pub found: Vec<Stored>,
    /// Files that are damaged, or went while they were read.
    pub failed: Vec<(Id, Error)>,
}

/// Which snapshots are meant. Nothing said is all of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// One of them is the snapshot's.
    pub hosts: Vec<String>,
    /// All tags of one of these lists are the snapshot's. The empty tag means that it has none.
    pub tags: Vec<Vec<String>>,
    /// All are among the snapshot's.
    pub paths: Vec<String>,
}

impl Snapshots {
    /// Reads all snapshots. An error of the place is one; a damaged file is not.
    pub fn load(repository: &Repository, cancel: &Cancel) -> Result<Self, Error> {
        let listed = repository.backend().list(Kind::Snapshot)?;
        let all = Mutex::new(Self::default());
        for_each(&listed, READERS, |listed| {
            cancel.check()?;
            let read = repository.read_file(Kind::Snapshot, listed.id).and_then(|bytes| Snapshot::parse(&bytes, &listed.id));
            let mut all = all.lock().expect("nothing panics while it holds the list");
            match read {
                Ok(snapshot) => all.found.push(Stored { id: listed.id, snapshot }),
                Err(error @ (Error::Damaged { .. } | Error::NotFound(_))) => all.failed.push((listed.id, error)),
                Err(error) => return Err(error),
            }
            Ok(())
        })?;
        let mut all = all.into_inner().expect("nothing panics while it holds the list");
        all.found.sort_by_cached_key(|stored| (stored.snapshot.at(), stored.id));
        all.failed.sort_by_key(|(id, _)| *id);
        Ok(all)
    }

    /// The one whose id begins so, or the `latest` that the filter leaves. [`Error::NotFound`] where there is none, or more than one;
    /// [`Error::Damaged`] where it is that one.
    pub fn find(&self, name: &str, filter: &Filter) -> Result<&Stored, Error> {
        if name == "latest" {
            let newest = self.found.iter().rfind(|stored| filter.matches(&stored.snapshot));
            return newest.ok_or_else(|| Error::NotFound("a snapshot that is asked for".to_owned()));
        }
        let is_meant = |id: &Id| id.hex().starts_with(name);
        let mut found = self.found.iter().filter(|stored| is_meant(&stored.id));
        let mut failed = self.failed.iter().filter(|(id, _)| is_meant(id));
        match (found.next(), found.next(), failed.next()) {
            (Some(one), None, None) => Ok(one),
            (None, None, Some((id, why))) => Err(Error::damaged(format!("snapshot {}", id.short()), why.to_string())),
            (None, None, None) => Err(Error::NotFound(format!("snapshot {name}"))),
            _ => Err(Error::NotFound(format!("one snapshot that begins with {name} (there are several)"))),
        }
    }

    /// Those that the filter leaves, oldest first.
    pub fn matching<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = &'a Stored> {
        self.found.iter().filter(|stored| filter.matches(&stored.snapshot))
    }
}

impl Filter {
    pub fn matches(&self, snapshot: &Snapshot) -> bool {
        let has_tag = |tag: &String| if tag.is_empty() { snapshot.tags.is_empty() } else { snapshot.tags.contains(tag) };
        let is_from_host = self.hosts.is_empty() || self.hosts.contains(&snapshot.hostname);
        let has_tags = self.tags.is_empty() || self.tags.iter().any(|list| list.iter().all(has_tag));
        is_from_host && has_tags && self.paths.iter().all(|path| snapshot.paths.contains(path))
    }

    /// The tags of one `--tag a,b`.
    pub fn tag_list(text: &str) -> Vec<String> {
        text.split(',').map(|tag| tag.trim().to_owned()).collect()
    }
}

/// The two parts of `SNAPSHOT:SUBFOLDER`.
pub fn split(name: &str) -> (&str, Option<&str>) {
    name.split_once(':').map_or((name, None), |(snapshot, folder)| (snapshot, Some(folder)))
}

/// The tree of a folder below a tree: `""` and `/` are the tree itself. [`Error::NotFound`] where there is no such folder.
pub fn find_folder(repository: &Repository, index: &Index, tree: Id, folder: &str) -> Result<Id, Error> {
    let segments = folder.split('/').filter(|segment| !segment.is_empty() && *segment != ".");
    segments.into_iter().try_fold(tree, |tree, segment| {
        let found = repository.read_tree(index, tree)?;
        match found.find(segment.as_bytes()).map(|node| &node.content) {
            Some(Content::Folder { tree: Some(below) }) => Ok(*below),
            _ => Err(Error::NotFound(format!("the folder {folder}"))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::backend::Name;
    use super::super::testing::{Vault, file, folder};
    use super::*;

    fn all(vault: &Vault) -> Snapshots {
        Snapshots::load(&vault.repository, &Cancel::default()).unwrap()
    }

    #[test]
    fn snapshots_come_in_the_order_of_their_time_and_damaged_ones_are_told_apart() {
        let vault = Vault::new();
        let tree = vault.tree(&[]);
        let times = ["2024-01-01T02:00:00+02:00", "2023-01-01T00:00:00Z", "2024-01-01T00:00:01Z"];
        let ids = times.map(|time| vault.snapshot(tree, time));
        let bad = vault.snapshot(tree, "2020-01-01T00:00:00Z");
        vault.place.change(Name::Of(Kind::Snapshot, bad), |bytes| bytes[20] ^= 1);
        let found = all(&vault);
        assert_eq!(found.found.iter().map(|stored| stored.id).collect::<Vec<_>>(), [ids[1], ids[0], ids[2]]);
        assert_eq!(found.failed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [bad]);
        assert!(matches!(found.find(&bad.hex(), &Filter::default()), Err(Error::Damaged { .. })));
        assert_eq!(found.find("latest", &Filter::default()).unwrap().id, ids[2]);
        assert_eq!(found.find(&ids[0].hex()[..12], &Filter::default()).unwrap().id, ids[0]);
        assert!(matches!(found.find("", &Filter::default()), Err(Error::NotFound(_))));
        assert!(matches!(found.find("xyz", &Filter::default()), Err(Error::NotFound(_))));
    }

    #[test]
    fn a_filter_is_as_restic_has_it() {
        let base = r#"{"time":"2024-01-01T00:00:00Z","tree":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","#;
        let snapshot = |rest: &str| Snapshot::parse(format!("{base}{rest}}}").as_bytes(), &Id::of(b"")).unwrap();
        let tagged = snapshot(r#""hostname":"db1","tags":["a","b"],"paths":["/etc","/home"]"#);
        let plain = snapshot(r#""hostname":"db2","paths":["/etc"]"#);
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let filter = |hosts: &[&str], tags: &[&str], paths: &[&str]| Filter {
            hosts: texts(hosts),
            tags: tags.iter().map(|list| Filter::tag_list(list)).collect(),
            paths: texts(paths),
        };
        for (filter, matches) in [
            (filter(&[], &[], &[]), [true, true]),
            (filter(&["db1"], &[], &[]), [true, false]),
            (filter(&["db1", "db2"], &[], &[]), [true, true]),
            (filter(&[], &["a,b"], &[]), [true, false]),
            (filter(&[], &["a,c"], &[]), [false, false]),
            (filter(&[], &["a,c", "b"], &[]), [true, false]),
            (filter(&[], &[""], &[]), [false, true]),
            (filter(&[], &[], &["/etc"]), [true, true]),
            (filter(&[], &[], &["/etc", "/home"]), [true, false]),
            (filter(&["db2"], &["a"], &[]), [false, false]),
        ] {
            assert_eq!([filter.matches(&tagged), filter.matches(&plain)], matches, "{filter:?}");
        }
    }

    #[test]
    fn a_folder_below_a_snapshot_is_found_by_its_path() {
        let vault = Vault::new();
        let inner = vault.tree(&[]);
        let outer = vault.tree(&[folder("b", inner)]);
        let root = vault.tree(&[folder("a", outer), file("f", &[])]);
        let index = vault.repository.load_index(&Cancel::default()).unwrap().index;
        let find = |path: &str| find_folder(&vault.repository, &index, root, path);
        for (path, tree) in [("", root), ("/", root), ("a", outer), ("/a/", outer), ("a/./b", inner), ("//a//b", inner)] {
            assert_eq!(find(path).unwrap(), tree, "{path}");
        }
        for path in ["x", "f", "a/f", "a/../a", "f/b"] {
            assert!(matches!(find(path), Err(Error::NotFound(_))), "{path}");
        }
        assert_eq!(split("latest:/a:b"), ("latest", Some("/a:b")));
        assert_eq!(split("latest"), ("latest", None));
    }
}
