//! How sources lie in a backup. It is decided from their names; only what is in a folder is asked for where it has to be taken apart.

use std::collections::BTreeMap;

use crate::vault::source::pattern::clean;

/// A folder of the backup that is there because of the sources in it, or a source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Plan {
    /// Whose metadata the folder has.
    pub folder: Vec<u8>,
    /// What is to be walked: a source, or an entry of one. There are no `parts` then.
    pub source: Option<Vec<u8>>,
    pub parts: BTreeMap<Vec<u8>, Plan>,
    /// The folder in which its first name stands: `/`, `.`, `..`, `../..`. It tells two sources of one name apart.
    root: Vec<u8>,
}

impl Plan {
    /// `list` gives the names in a folder, and none where it cannot be read.
    pub fn of(sources: &[Vec<u8>], list: &mut dyn FnMut(&[u8]) -> Vec<Vec<u8>>) -> Self {
        let mut plan = Self::default();
        for source in sources {
            let source = clean(source);
            if names_of(&source).is_empty() {
                list(&source).iter().for_each(|name| plan.add(&join(&source, name)));
            } else {
                plan.add(&source);
            }
        }
        plan.take_apart(list);
        plan
    }

    fn add(&mut self, source: &[u8]) {
        let names = names_of(source);
        let root = root_of(source);
        let free = |plan: &Self, name: &[u8]| plan.parts.get(name).is_none_or(|part| part.root == root);
        let numbered = (1..).map(|number: u32| [names[0], format!("-{number}").as_bytes()].concat());
        let mut given = std::iter::once(names[0].to_vec()).chain(numbered);
        let name = given.find(|name| free(self, name)).expect("there is always another number");
        let mut folder = join(&root, names[0]);
        let mut part = self.parts.entry(name).or_default();
        part.root = root;
        for name in &names[1..] {
            part.folder.clone_from(&folder);
            folder = join(&folder, name);
            part = part.parts.entry(name.to_vec()).or_default();
        }
        part.source = Some(source.to_vec());
    }

    /// A source that has other sources in it becomes a folder of its entries.
    fn take_apart(&mut self, list: &mut dyn FnMut(&[u8]) -> Vec<Vec<u8>>) {
        if !self.parts.is_empty()
            && let Some(source) = self.source.take()
        {
            for name in list(&source) {
                let entry = join(&source, &name);
                self.parts.entry(name).or_default().source = Some(entry);
            }
        }
        self.parts.values_mut().for_each(|part| part.take_apart(list));
    }
}

/// The names that a path has in a backup: all of an absolute one, and of a relative one what is left when it may not go up.
fn names_of(path: &[u8]) -> Vec<&[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"." | b"..")).collect()
}

fn root_of(path: &[u8]) -> Vec<u8> {
    if path.first() == Some(&b'/') {
        return b"/".to_vec();
    }
    let ups: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|name| *name == b"..").collect();
    if ups.is_empty() { b".".to_vec() } else { ups.join(&b'/') }
}

/// What lies in a folder, and the folder itself where the name is empty.
pub(super) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    clean(&[folder, b"/", name].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plan as lines: name, and for a source what is walked, for a folder whose metadata it has and what is in it.
    fn lines(plan: &Plan) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let of = |(name, part): (&Vec<u8>, &Plan)| match &part.source {
            Some(source) => vec![format!("{} = {}", text(name), text(source))],
            None => {
                let below = lines(part).into_iter().map(|line| format!("{}/{line}", text(name)));
                std::iter::once(format!("{} < {}", text(name), text(&part.folder))).chain(below).collect()
            }
        };
        plan.parts.iter().flat_map(of).collect()
    }

    fn plan(sources: &[&str]) -> Vec<String> {
        let sources: Vec<_> = sources.iter().map(|source| source.as_bytes().to_vec()).collect();
        lines(&Plan::of(&sources, &mut |_| vec![b"p".to_vec(), b"q".to_vec()]))
    }

    #[test]
    fn an_absolute_source_lies_in_its_folders() {
        assert_eq!(plan(&["/usr/share/doc"]), ["usr < /usr", "usr/share < /usr/share", "usr/share/doc = /usr/share/doc"]);
        assert_eq!(plan(&["//a/./b/../c/"]), ["a < /a", "a/c = /a/c"]);
    }

    #[test]
    fn a_relative_source_keeps_the_names_that_go_down() {
        assert_eq!(plan(&["x/y"]), ["x < x", "x/y = x/y"]);
        assert_eq!(plan(&["../x"]), ["x = ../x"]);
        assert_eq!(plan(&["../../x/y"]), ["x < ../../x", "x/y = ../../x/y"]);
        assert_eq!(plan(&["a/../../x"]), ["x = ../x"]);
    }

    #[test]
    fn a_source_without_a_name_is_what_is_in_it() {
        assert_eq!(plan(&["."]), ["p = p", "q = q"]);
        assert_eq!(plan(&["/"]), ["p = /p", "q = /q"]);
        assert_eq!(plan(&["../.."]), ["p = ../../p", "q = ../../q"]);
    }

    #[test]
    fn one_name_from_two_places_gets_numbers() {
        assert_eq!(plan(&["a", "../a", "/a", "../../a/x"]), ["a = a", "a-1 = ../a", "a-2 = /a", "a-3 < ../../a", "a-3/x = ../../a/x"]);
        assert_eq!(plan(&["/a", "/a", "/b/", "/b"]), ["a = /a", "b = /b"]);
    }

    #[test]
    fn a_source_inside_another_comes_once() {
        let both = ["a < /a", "a/p < /a/p", "a/p/p = /a/p/p", "a/p/q = /a/p/q", "a/p/x = /a/p/x", "a/q = /a/q"];
        assert_eq!(plan(&["/a", "/a/p/x"]), both);
        assert_eq!(plan(&["/a/p/x", "/a"]), both);
        assert_eq!(plan(&["/a/p", "/a"]), ["a < /a", "a/p = /a/p", "a/q = /a/q"]);
        assert_eq!(plan(&[".", "p/x"]), ["p < p", "p/p = p/p", "p/q = p/q", "p/x = p/x", "q = q"]);
    }
}
