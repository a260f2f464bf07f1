//! Which snapshots go.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Groups;
use crate::cli::failure::Failure;
use crate::cli::vault::session::Session;
use crate::cli::vault::snapshots::group_name;
use crate::vault::error::Error;
use crate::vault::forget::{Candidate, GroupBy, GroupKey, Policy, groups};
use crate::vault::id::Id;
use crate::vault::snapshots::{Filter, Snapshots, Stored};

/// What is kept and removed.
pub(super) struct Verdicts {
    /// None where snapshots were named.
    pub groups: Groups,
    pub remove: HashSet<Id>,
}

/// What the rules say of one group.
pub(super) struct Judged {
    pub key: GroupKey,
    /// With the reasons; the newest first.
    pub keep: Vec<(Stored, Vec<String>)>,
    pub remove: Vec<Stored>,
}

/// Those that are named, damaged ones too.
pub(super) fn by_name(snapshots: &Snapshots, names: &[String], session: &Session) -> Result<Verdicts, Failure> {
    let mut remove = HashSet::new();
    for name in names {
        let found = match snapshots.find(name, &Filter::default()) {
            Ok(stored) => stored.id,
            Err(error @ Error::Damaged { .. }) => {
                let damaged = snapshots.failed.iter().find(|(id, _)| id.hex().starts_with(name));
                damaged.map(|(id, _)| *id).ok_or_else(|| session.failed("cannot find the snapshot", &error))?
            }
            Err(error) => return Err(session.failed("cannot find the snapshot", &error)),
        };
        remove.insert(found);
    }
    Ok(Verdicts { groups: Vec::new(), remove })
}

/// Those that no rule keeps. A group of which nothing would be left is refused, unless there are no rules at all.
pub(super) fn by_policy(snapshots: &Snapshots, filter: &Filter, by: GroupBy, policy: &Policy) -> Result<Verdicts, Failure> {
    let (local, now) = (TimeZone::system(), Timestamp::now());
    let stored: HashMap<String, &Stored> = snapshots.matching(filter).map(|stored| (stored.id.hex(), stored)).collect();
    // The newest comes first, of two of one moment the one with the greater id.
    let newest_first = snapshots.found.iter().rev().filter(|stored| filter.matches(&stored.snapshot));
    let candidates = newest_first.map(|stored| candidate(stored, &local)).collect();
    let mut verdicts = Verdicts { groups: Vec::new(), remove: HashSet::new() };
    for (key, group) in groups(candidates, by) {
        let mut judged = Judged { key, keep: Vec::new(), remove: Vec::new() };
        for decision in policy.apply(group, now) {
            let stored = stored[&decision.candidate.id].clone();
            if decision.is_kept() && !policy.is_empty() {
                judged.keep.push((stored, decision.reasons));
            } else {
                verdicts.remove.insert(stored.id);
                judged.remove.push(stored);
            }
        }
        if judged.keep.is_empty() && !policy.is_empty() {
            let failure = Failure::new(format!("the rules keep nothing of {}: nothing was removed", group_name(&judged.key)));
            return Err(failure.with_hint("name its snapshots to remove them all the same"));
        }
        verdicts.groups.push(judged);
    }
    Ok(verdicts)
}

fn candidate(stored: &Stored, local: &TimeZone) -> Candidate {
    let snapshot = &stored.snapshot;
    Candidate {
        id: stored.id.hex(),
        time: Candidate::time_of(&snapshot.time, local).expect("a snapshot's time was checked when it was read"),
        tags: snapshot.tags.clone(),
        host: snapshot.hostname.clone(),
        paths: snapshot.paths.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::forget::Keep;
    use crate::vault::snapshot::Snapshot;

    fn snapshots(times: &[(&str, &str)]) -> Snapshots {
        let one = |(time, host): &(&str, &str)| {
            let tree = Id([0; 32]).hex();
            let text = format!(r#"{{"time":"{time}","tree":"{tree}","hostname":"{host}","paths":["/x"]}}"#);
            Stored { id: Id::of(text.as_bytes()), snapshot: Snapshot::parse(text.as_bytes(), &Id([0; 32])).expect("a snapshot") }
        };
        Snapshots { found: times.iter().map(one).collect(), failed: Vec::new() }
    }

    #[test]
    fn what_no_rule_keeps_goes_group_by_group() {
        let all = snapshots(&[("2026-01-01T00:00:00Z", "a"), ("2026-01-02T00:00:00Z", "b"), ("2026-01-03T00:00:00Z", "a")]);
        let policy = Policy { last: Keep::Count(1), ..Policy::default() };
        let verdicts = by_policy(&all, &Filter::default(), GroupBy::default(), &policy).expect("something is kept of each");
        assert_eq!(verdicts.remove, HashSet::from([all.found[0].id]));
        assert_eq!(verdicts.groups.len(), 2);
        let only_b = Filter { hosts: vec!["b".to_owned()], ..Filter::default() };
        let everything = by_policy(&all, &only_b, GroupBy::default(), &Policy::default()).expect("no rules, and all goes");
        assert_eq!(everything.remove, HashSet::from([all.found[1].id]));
    }

    #[test]
    fn rules_that_keep_nothing_of_a_group_remove_nothing() {
        let all = snapshots(&[("2026-01-01T00:00:00Z", "a")]);
        let policy = Policy { tags: vec![vec!["kept".to_owned()]], ..Policy::default() };
        assert!(by_policy(&all, &Filter::default(), GroupBy::default(), &policy).is_err());
    }
}
