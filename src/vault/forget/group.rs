//! Snapshots that a policy judges together.

use std::collections::BTreeMap;

use super::Candidate;

/// By what snapshots are told apart; the default is host and paths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupBy {
    pub host: bool,
    pub paths: bool,
    pub tags: bool,
}

/// What all snapshots of a group have in common, as far as it tells groups apart. Lists are sorted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct GroupKey {
    pub host: Option<String>,
    pub paths: Option<Vec<String>>,
    pub tags: Option<Vec<String>>,
}

/// A word that groups by nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is nothing to group by: give host, paths or tags, with commas between")]
pub struct GroupByError(String);

impl Default for GroupBy {
    fn default() -> Self {
        Self { host: true, paths: true, tags: false }
    }
}

impl GroupBy {
    /// `host,paths,tags` or a part of it, singular or plural; nothing at all makes one group.
    pub fn parse(text: &str) -> Result<Self, GroupByError> {
        let mut by = Self { host: false, paths: false, tags: false };
        for word in text.split(',') {
            match word {
                "" => {}
                "host" | "hosts" => by.host = true,
                "path" | "paths" => by.paths = true,
                "tag" | "tags" => by.tags = true,
                _ => return Err(GroupByError(word.to_owned())),
            }
        }
        Ok(by)
    }

    fn key(self, candidate: &Candidate) -> GroupKey {
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list
        };
        GroupKey {
            host: self.host.then(|| candidate.host.clone()),
            paths: self.paths.then(|| sorted(&candidate.paths)),
            tags: self.tags.then(|| sorted(&candidate.tags)),
        }
    }
}

/// The groups in the order of their keys, and in each the candidates in the order in which they came.
pub fn groups(candidates: Vec<Candidate>, by: GroupBy) -> BTreeMap<GroupKey, Vec<Candidate>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for candidate in candidates {
        groups.entry(by.key(&candidate)).or_default().push(candidate);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_tells_groups_apart() {
        let by = |host, paths, tags| Ok(GroupBy { host, paths, tags });
        assert_eq!(GroupBy::parse("host,paths"), Ok(GroupBy::default()));
        assert_eq!(GroupBy::parse("tag,,hosts"), by(true, false, true));
        assert_eq!(GroupBy::parse(""), by(false, false, false));
        assert_eq!(GroupBy::parse("host, paths"), Err(GroupByError(" paths".to_owned())));
    }

    #[test]
    fn the_order_of_paths_and_tags_makes_no_difference() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let candidate = |id: &str, host: &str, paths: &[&str], tags: &[&str]| Candidate {
            id: id.to_owned(),
            time: jiff::ZonedDateTime::default(),
            tags: list(tags),
            host: host.to_owned(),
            paths: list(paths),
        };
        let all = vec![
            candidate("1", "b", &["/x", "/y"], &[]),
            candidate("2", "a", &["/x"], &["t"]),
            candidate("3", "b", &["/y", "/x"], &["u", "t"]),
            candidate("4", "b", &["/x"], &["t", "u"]),
        ];
        let ids = |by: &str| {
            let groups = groups(all.clone(), GroupBy::parse(by).expect("it is known"));
            groups.into_values().map(|group| group.into_iter().map(|one| one.id).collect::<String>()).collect::<Vec<_>>()
        };
        assert_eq!(ids("host,paths"), ["2", "4", "13"]);
        assert_eq!(ids("tags"), ["1", "2", "34"]);
        assert_eq!(ids("host"), ["2", "134"]);
        assert_eq!(ids(""), ["1234"]);
    }
}
