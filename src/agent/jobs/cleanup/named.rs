//! The snapshots that the server names, by generation.

use std::collections::{HashMap, HashSet};

use super::outcome::Outcome;
use crate::vault::id::Id;
use crate::wire::channel::work::Generation;

#[derive(Default)]
pub(super) struct Named(HashMap<i64, HashSet<Id>>);

impl Named {
    /// Those of these generations; each other one is noted as an error.
    pub(super) fn of(names: &[String], generations: &[Generation], outcome: &mut Outcome) -> Self {
        let mut named = Self::default();
        for name in names {
            match parse(name).filter(|(number, _)| generations.iter().any(|generation| generation.number == *number)) {
                Some((number, id)) => drop(named.0.entry(number).or_default().insert(id)),
                None => outcome.note_snapshot(name, "it is of no generation of this vault"),
            }
        }
        named
    }

    pub(super) fn of_generation(&self, number: i64) -> HashSet<Id> {
        self.0.get(&number).cloned().unwrap_or_default()
    }
}

/// `gN/snapshots/ID`
fn parse(name: &str) -> Option<(i64, Id)> {
    let (generation, id) = name.split_once("/snapshots/")?;
    Some((generation.strip_prefix('g')?.parse().ok()?, id.parse().ok()?))
}
