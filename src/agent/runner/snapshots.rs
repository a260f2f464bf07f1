//! What is in the vault when a process begins: locks that an earlier one left behind, which are removed, and snapshots with the ids in
//! their tags. A snapshot never changes, so each is read once; `cache/snapshots.json` keeps what it said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::patience::chain;
use crate::agent::leash::{Leash, Why};
use crate::agent::state::{State, file};
use crate::agent::vaults::Vaults;
use crate::vault::backend::{Kind, Name};
use crate::vault::error::Error;
use crate::vault::repository::Repository;
use crate::vault::snapshot;
use crate::wire::channel::startup::Snapshot;
use crate::wire::channel::work::{Generation, Vault};

/// Files that are read at once.
const READERS: usize = 8;
/// So many fit into one start-up; the newest are told.
const MOST_TOLD: usize = 30_000;
const MOST_CACHE_BYTES: u64 = 64 << 20;

/// Name, as `gN/snapshots/ID`, and what is told of it; `None` for one that has not both ids, and so is none of a configuration's.
type Known = BTreeMap<String, Option<Snapshot>>;

/// Looks for no longer than `patience`. What cannot be opened or reached is left out; what was read until then is known the next time.
pub(super) fn look(state: &State, vaults: &Vaults, vault: &Vault, patience: Duration) -> Vec<Snapshot> {
    let path = state.cache().join("snapshots.json");
    let (leash, cached) = (Leash::default(), read_cache(&path));
    let known = std::thread::scope(|scope| {
        let (done, is_done) = channel::<()>();
        let hurry = leash.clone();
        scope.spawn(move || {
            if is_done.recv_timeout(patience) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                tracing::warn!("the vault does not answer in time: what it holds is not looked at now");
                hurry.pull(Why::Ending);
            }
        });
        let mut known = Known::new();
        for generation in vault.generations.iter().filter(|generation| generation.is_ready) {
            if let Err(error) = look_at(state, vaults, generation, &leash, &cached, &mut known) {
                tracing::warn!(generation = generation.number, why = chain(&error), "a repository cannot be looked at now");
            }
        }
        drop(done);
        known
    });
    if known != cached {
        write_cache(&path, &known);
    }
    tellable(known)
}

fn look_at(state: &State, vaults: &Vaults, generation: &Generation, leash: &Leash, cached: &Known, known: &mut Known) -> Result<(), Error> {
    let prefix = format!("g{}/snapshots/", generation.number);
    // Until the list is here, what was known before stands.
    known.extend(cached.iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(name, told)| (name.clone(), told.clone())));
    remove_locks(state, vaults, generation.number, leash)?;
    let repository = vaults.open_own(generation, leash)?;
    read_new(&repository, &prefix, leash, known)
}

fn remove_locks(state: &State, vaults: &Vaults, generation: i64, leash: &Leash) -> Result<(), Error> {
    let ours: Vec<_> = state.journal().locks().into_iter().filter(|(held, _)| *held == generation).collect();
    if ours.is_empty() {
        return Ok(());
    }
    let place = vaults.own(generation, leash)?;
    ours.into_iter().try_for_each(|(_, lock)| place.remove(Name::Of(Kind::Lock, lock)))
}

/// Reads those that are not known yet and forgets those that are not there any more. What was read before an error is kept.
fn read_new(repository: &Repository, prefix: &str, leash: &Leash, known: &mut Known) -> Result<(), Error> {
    let listed: BTreeMap<String, _> =
        repository.backend().list(Kind::Snapshot)?.into_iter().map(|listed| (format!("{prefix}{}", listed.id), listed.id)).collect();
    known.retain(|name, _| !name.starts_with(prefix) || listed.contains_key(name));
    let new: Vec<_> = listed.into_iter().filter(|(name, _)| !known.contains_key(name)).collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(known));
    let read_some = || -> Result<(), Error> {
        while let Some((name, id)) = new.get(next.fetch_add(1, Ordering::Relaxed)) {
            leash.cancel().check()?;
            let read = repository.read_file(Kind::Snapshot, *id).and_then(|bytes| snapshot::Snapshot::parse(&bytes, id));
            match read {
                Ok(snapshot) => {
                    let told = told(name, &snapshot);
                    found.lock().expect("nothing panics while it holds the list").insert(name.clone(), told);
                }
                Err(Error::NotFound(_)) => {}
                Err(error @ Error::Damaged { .. }) => tracing::warn!(why = chain(&error), "a snapshot cannot be read"),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS.min(new.len())).map(|_| scope.spawn(read_some)).collect();
        let join = |reader: std::thread::ScopedJoinHandle<'_, _>| reader.join().expect("a reader of snapshots does not panic");
        readers.into_iter().map(join).collect::<Vec<_>>().into_iter().collect()
    })
}

fn told(name: &str, snapshot: &snapshot::Snapshot) -> Option<Snapshot> {
    let id = |tag: &str| snapshot.tags.iter().find_map(|text| text.strip_prefix(tag)?.parse::<i64>().ok()).filter(|id| *id > 0);
    Some(Snapshot {
        name: name.to_owned(),
        backup_id: id("backup=")?,
        configuration_id: id("configuration=")?,
        time: format!("{:.6}", snapshot.at()),
    })
}

fn tellable(known: Known) -> Vec<Snapshot> {
    let mut told: Vec<Snapshot> = known.into_values().flatten().collect();
    told.sort_by(|one, other| one.time.cmp(&other.time));
    told.split_off(told.len().saturating_sub(MOST_TOLD))
}

/// A cache that cannot be read is none.
fn read_cache(path: &Path) -> Known {
    let bytes = file::read(path, MOST_CACHE_BYTES).ok().flatten();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn write_cache(path: &Path, known: &Known) {
    let bytes = serde_json::to_vec(known).expect("its keys are texts");
    let folder: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    let written = std::fs::create_dir_all(&folder).map_err(|error| error.to_string());
    let written = written.and_then(|()| file::replace(path, &bytes).map_err(|error| chain(&error)));
    if let Err(why) = written {
        tracing::warn!(why, "what is known of the vault cannot be kept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::backend::location::Location;
    use crate::vault::backend::options::Options;
    use crate::vault::config::Version;
    use crate::vault::id::Id;
    use crate::vault::keys::{Maker, Password};

    fn repository(folder: &Path) -> Repository {
        let location = Location::parse(folder).expect("a folder is a place");
        let place = crate::vault::backend::open(&location, &Options::default()).expect("a folder can be opened");
        Repository::init(place, &Password::new("password"), Version::Two, Maker::default()).expect("it is made")
    }

    fn save(repository: &Repository, second: u8, tags: &str) -> String {
        let tags: Vec<String> = tags.split_whitespace().map(|tag| format!("\"{tag}\"")).collect();
        let (tree, tags) = (Id::of(b""), tags.join(","));
        let text = format!(r#"{{"time":"2026-01-02T03:04:{second:02}.123456789+01:00","tree":"{tree}","tags":[{tags}]}}"#);
        let id = repository.save_file(Kind::Snapshot, text.as_bytes()).expect("it is stored");
        format!("g1/snapshots/{id}")
    }

    fn read(repository: &Repository, known: &mut Known) {
        read_new(repository, "g1/snapshots/", &Leash::default(), known).expect("they are read");
    }

    #[test]
    fn snapshots_of_configurations_are_told_in_the_order_of_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repository = repository(folder.path());
        let late = save(&repository, 7, "configuration=2 backup=9 more");
        let early = save(&repository, 5, "backup=8 configuration=2");
        for tags in ["", "backup=1", "configuration=2", "backup=x configuration=2", "backup=0 configuration=2"] {
            save(&repository, 1, tags);
        }
        let mut known = Known::new();
        read(&repository, &mut known);
        let told = tellable(known);
        let ids: Vec<(&str, i64, i64)> = told.iter().map(|told| (told.name.as_str(), told.backup_id, told.configuration_id)).collect();
        assert_eq!(ids, [(early.as_str(), 8, 2), (late.as_str(), 9, 2)]);
        assert_eq!(told[0].time, "2026-01-02T02:04:05.123456Z");
        assert!(crate::model::view::parse_time(&told[0].time).is_some(), "the server reads such times");
    }

    #[test]
    fn what_is_known_is_not_read_again_and_what_is_gone_is_forgotten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repository = repository(folder.path());
        let (one, new) = (save(&repository, 1, "backup=1 configuration=1"), save(&repository, 2, "backup=2 configuration=1"));
        let of_cache = |name: &str, backup_id| {
            let time = "2026-01-01T00:00:00Z".to_owned();
            (name.to_owned(), Some(Snapshot { name: name.to_owned(), backup_id, configuration_id: 1, time }))
        };
        let mut known = Known::from([of_cache(&one, 77), of_cache("g1/snapshots/gone", 3), of_cache("g2/snapshots/other", 4)]);
        read(&repository, &mut known);
        let ids: BTreeMap<String, i64> = tellable(known).into_iter().map(|told| (told.name, told.backup_id)).collect();
        assert_eq!(ids, BTreeMap::from([(one, 77), (new, 2), ("g2/snapshots/other".to_owned(), 4)]));
    }

    #[test]
    fn a_damaged_snapshot_costs_itself_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repository = repository(folder.path());
        let good = save(&repository, 1, "backup=1 configuration=1");
        let bad = Id::of(b"bad");
        std::fs::write(folder.path().join("snapshots").join(bad.hex()), "nothing that was stored").expect("a file is written");
        let mut known = Known::new();
        read(&repository, &mut known);
        assert_eq!(known.keys().collect::<Vec<_>>(), [&good]);
    }

    #[test]
    fn a_cache_that_is_lost_or_damaged_is_made_anew() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("cache/snapshots.json");
        assert!(read_cache(&path).is_empty());
        let known = Known::from([("g1/snapshots/x".to_owned(), None)]);
        write_cache(&path, &known);
        assert_eq!(read_cache(&path), known);
        std::fs::write(&path, "{").expect("it is damaged");
        assert!(read_cache(&path).is_empty());
    }
}
