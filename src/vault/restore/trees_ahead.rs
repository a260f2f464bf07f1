//! Trees that will be needed next, fetched by a few threads while the walk is at others, so that a server that is far away does not
//! make a restore wait for each of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard};

use super::Source;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::parallel::OnPanic;
use crate::vault::tree::Tree;
use crate::vault::tree_reader::TreeReader;

/// Threads that fetch.
pub(super) const FETCHERS: usize = 4;
/// Trees that are wanted, being fetched, or waiting to be taken, at most.
const MOST: usize = 16;

pub(super) struct TreesAhead<'a> {
    source: &'a Source<'a>,
    reader: TreeReader<'a>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The last one is needed first.
    wanted: Vec<Id>,
    fetching: HashSet<Id>,
    fetched: HashMap<Id, Result<Tree, Error>>,
    ended: bool,
}

impl<'a> TreesAhead<'a> {
    pub(super) fn new(source: &'a Source<'a>) -> Self {
        Self { source, reader: TreeReader::new(source.repository), state: Mutex::default(), changed: Condvar::new() }
    }

    /// Says what will be taken, the first one first, before all that was said earlier.
    pub(super) fn want(&self, ids: &[Id]) {
        let mut state = self.lock();
        for id in ids.iter().take(MOST).rev() {
            let known = state.fetching.contains(id) || state.fetched.contains_key(id) || state.wanted.contains(id);
            if !known {
                state.wanted.push(*id);
            }
        }
        let busy = state.fetching.len() + state.fetched.len();
        let too_many = (state.wanted.len() + busy).saturating_sub(MOST).min(state.wanted.len());
        state.wanted.drain(..too_many);
        self.changed.notify_all();
    }

    /// A tree: the one that was fetched, or else fetched here.
    pub(super) fn take(&self, id: &Id) -> Result<Tree, Error> {
        let mut state = self.lock();
        while state.fetching.contains(id) {
            state = self.changed.wait(state).expect("nobody panics while holding it");
        }
        if let Some(fetched) = state.fetched.remove(id) {
            return fetched;
        }
        state.wanted.retain(|wanted| wanted != id);
        drop(state);
        self.read(id)
    }

    /// Says that it will not be taken after all.
    pub(super) fn drop_one(&self, id: &Id) {
        let mut state = self.lock();
        state.wanted.retain(|wanted| wanted != id);
        state.fetched.remove(id);
    }

    /// Fetches until [`Self::end`].
    pub(super) fn fetch(&self) {
        let _end = OnPanic(|| {
            self.lock().fetching.clear();
            self.end();
        });
        let mut state = self.lock();
        while !state.ended {
            let Some(id) = state.wanted.pop() else {
                state = self.changed.wait(state).expect("nobody panics while holding it");
                continue;
            };
            state.fetching.insert(id);
            drop(state);
            let tree = self.read(&id);
            state = self.lock();
            state.fetching.remove(&id);
            state.fetched.insert(id, tree);
            self.changed.notify_all();
        }
    }

    fn read(&self, id: &Id) -> Result<Tree, Error> {
        self.reader.read_tree(self.source.index, *id)
    }

    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }
}
