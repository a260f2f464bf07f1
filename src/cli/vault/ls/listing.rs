//! The walk through a snapshot, writing as it goes: a list of any length takes little memory.

use super::line;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::table::visible;
use crate::cli::vault::session::Session;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::index::Index;
use crate::vault::tree::{Content, Node};
use crate::vault::tree_reader::TreeReader;

/// Text is written in pieces of about so many bytes.
const PIECE_BYTES: usize = 64 << 10;

pub(super) struct Listing<'a> {
    session: &'a Session,
    index: &'a Index,
    reader: TreeReader<'a>,
    is_long: bool,
    console: &'a mut Console,
    text: String,
    is_first: bool,
    /// Which of the wanted paths were there.
    met: Vec<bool>,
    damaged: u64,
}

impl<'a> Listing<'a> {
    pub(super) fn new(session: &'a Session, index: &'a Index, is_long: bool, console: &'a mut Console) -> Self {
        let reader = TreeReader::new(&session.repository);
        Self { session, index, reader, is_long, console, text: String::new(), is_first: true, met: Vec::new(), damaged: 0 }
    }

    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        if self.console.json { self.console.answer("[") } else { Ok(()) }
    }

    /// Everything below a tree, or the wanted paths and what lies directly in them, or below them.
    pub(super) fn walk(&mut self, root: Id, wanted: &[Vec<u8>], is_recursive: bool) -> Result<(), Failure> {
        self.met = wanted.iter().map(|path| path.is_empty()).collect();
        // The folders on the way to where the walk is, each with what is still to be listed of it.
        let mut way = vec![(Vec::new(), self.nodes(root, b"")?)];
        while let Some((folder, nodes)) = way.last_mut() {
            let Some(node) = nodes.next() else {
                way.pop();
                continue;
            };
            let path = [&folder[..], b"/", &node.name].concat();
            let seen = self.place(&path, wanted, is_recursive);
            if seen.is_listed {
                self.entry(&path, &node)?;
            }
            if let Content::Folder { tree: Some(tree) } = node.content
                && seen.is_entered
            {
                let nodes = self.nodes(tree, &path)?;
                way.push((path, nodes));
            }
        }
        Ok(())
    }

    /// The entries of a folder. One that is damaged is told, and has none.
    fn nodes(&mut self, id: Id, path: &[u8]) -> Result<std::vec::IntoIter<Node>, Failure> {
        let read = self.session.cancel.check().and_then(|()| self.reader.read_tree(self.index, id));
        match read {
            Ok(tree) => Ok(tree.nodes.into_iter()),
            Err(error @ (Error::Damaged { .. } | Error::NotFound(_))) => {
                self.damaged += 1;
                self.console.note(&visible(&format!("{}: {error}", String::from_utf8_lossy(path))));
                Ok(Vec::new().into_iter())
            }
            Err(error) => Err(self.session.failed("cannot list", &error)),
        }
    }

    /// The first wanted path that was not there, and how many folders could not be read.
    pub(super) fn end(mut self, paths: &[String]) -> Result<(Option<&str>, u64), Failure> {
        if self.console.json {
            self.text.push_str("]\n");
        }
        self.console.answer(&self.text)?;
        let missing = self.met.iter().zip(paths).find(|(met, _)| !**met).map(|(_, path)| path.as_str());
        Ok((missing, self.damaged))
    }

    fn place(&mut self, path: &[u8], wanted: &[Vec<u8>], is_recursive: bool) -> Place {
        if wanted.is_empty() {
            return Place { is_listed: true, is_entered: true };
        }
        let mut place = Place { is_listed: false, is_entered: false };
        for (wanted, met) in wanted.iter().zip(&mut self.met) {
            *met |= path == wanted;
            let here = Place::of(path, wanted, is_recursive);
            place.is_listed |= here.is_listed;
            place.is_entered |= here.is_entered;
        }
        place
    }

    fn entry(&mut self, path: &[u8], node: &Node) -> Result<(), Failure> {
        if self.console.json {
            let comma = if std::mem::take(&mut self.is_first) { "" } else { "," };
            self.text.push_str(&format!("{comma}\n{}", line::as_json(path, node)));
        } else {
            let shown = visible(&String::from_utf8_lossy(path));
            self.text.push_str(&if self.is_long { line::long(&shown, node) } else { shown });
            self.text.push('\n');
        }
        if self.text.len() < PIECE_BYTES {
            return Ok(());
        }
        self.console.answer(&std::mem::take(&mut self.text))
    }
}

/// What becomes of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    is_listed: bool,
    is_entered: bool,
}

impl Place {
    fn of(path: &[u8], wanted: &[u8], is_recursive: bool) -> Self {
        let is_above = |above: &[u8], below: &[u8]| below.strip_prefix(above).is_some_and(|rest| rest.starts_with(b"/"));
        if path == wanted {
            return Self { is_listed: true, is_entered: true };
        }
        if is_above(path, wanted) {
            return Self { is_listed: false, is_entered: true };
        }
        let is_directly_below = || !path[wanted.len() + 1..].contains(&b'/');
        let is_listed = is_above(wanted, path) && (is_recursive || is_directly_below());
        Self { is_listed, is_entered: is_listed && is_recursive }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wanted_folder_is_listed_with_what_lies_directly_in_it() {
        for (path, wanted, is_recursive, is_listed, is_entered) in [
            ("/a", "/a/b", false, false, true),
            ("/a/b", "/a/b", false, true, true),
            ("/a/b/c", "/a/b", false, true, false),
            ("/a/b/c/d", "/a/b", false, false, false),
            ("/a/b/c/d", "/a/b", true, true, true),
            ("/a/bc", "/a/b", true, false, false),
            ("/a", "", false, true, false),
            ("/a/b", "", true, true, true),
        ] {
            let place = Place::of(path.as_bytes(), wanted.as_bytes(), is_recursive);
            assert_eq!(place, Place { is_listed, is_entered }, "{path} of {wanted}, {is_recursive}");
        }
    }
}
