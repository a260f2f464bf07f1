//! The items of a selection in the order of their paths, each knowing the nearest one it lies in.
//!
//! In that order everything below a path follows right behind it, so one pass with a stack finds who lies in whom.

use super::item::{Filter, Item, ItemType};

pub(super) struct Nesting<'a> {
    entries: Vec<Entry<'a>>,
}

pub(super) struct Entry<'a> {
    pub item: &'a Item,
    pub filter: Filter,
    /// Where the nearest item above it stands; of one path's items, only the last one of them counts.
    pub parent: Option<usize>,
    /// Whether some item above it is included and can hold others.
    pub is_inside_included: bool,
}

impl<'a> Nesting<'a> {
    /// Sorts by path, and of one path inclusions first.
    pub fn new(mut items: Vec<(&'a Item, Filter)>) -> Self {
        items.sort_by(|(one, filter), (other, others)| one.path.key().cmp(other.path.key()).then(filter.cmp(others)));
        let mut entries: Vec<Entry<'a>> = Vec::with_capacity(items.len());
        let mut open: Vec<usize> = Vec::new();
        for (item, filter) in items {
            let key = item.path.key();
            let holds = |above: &Entry<'_>| above.item.path.key() != key && key.starts_with(above.item.path.key());
            while open.pop_if(|last| !holds(&entries[*last])).is_some() {}
            let parent = open.last().copied();
            let is_inside_included = parent.map(|at| &entries[at]).is_some_and(|above| above.is_inside_included || above.can_hold());
            open.push(entries.len());
            entries.push(Entry { item, filter, parent, is_inside_included });
        }
        Self { entries }
    }

    pub fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }
}

impl Entry<'_> {
    fn can_hold(&self) -> bool {
        self.filter == Filter::Include && self.item.item_type != ItemType::Database
    }
}
