//! A thread that panics ends the restore, with its panic: nobody waits for it for ever, and no temporary file is left.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::listing;
use super::stored::{Stored, folder, node};
use crate::vault::backend::{Kind, Name};
use crate::vault::cancel::Cancel;
use crate::vault::id::Id;
use crate::vault::keys::Password;
use crate::vault::progress::Progress;
use crate::vault::repository::Repository;
use crate::vault::restore::{Decision, Options, restore};
use crate::vault::testing::{Before, Call};
use crate::vault::tree::Content;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hook {
    Found,
    DidFile,
    DidChunk,
    Filter,
    Read,
}

/// Panics in one call of a hook, after so many that went well.
struct Panics {
    hook: Hook,
    well: AtomicUsize,
}

impl Panics {
    fn in_call_of(&self, hook: Hook) {
        let is_now = hook == self.hook && self.well.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err();
        assert!(!is_now, "as the test wants it");
    }
}

impl Progress for Panics {
    fn found(&self, _: u64, _: u64) {
        self.in_call_of(Hook::Found);
    }

    fn did(&self, files: u64, _: u64) {
        self.in_call_of(if files == 0 { Hook::DidChunk } else { Hook::DidFile });
    }
}

/// Twenty folders of five files of three chunks, each tree and chunk in a pack of its own.
fn folders(stored: &mut Stored) -> Id {
    let mut folders = Vec::new();
    for number in 0..20 {
        let mut files = Vec::new();
        for file in 0..5 {
            let chunks: Vec<Id> = (0..3).map(|part| stored.chunk(format!("{number} {file} {part} {:5000}", 0).as_bytes())).collect();
            let size_bytes = 3 * format!("{number} {file} 0 {:5000}", 0).len() as u64;
            files.push(node(format!("f{file}").as_bytes(), Content::File { size_bytes, chunks }));
        }
        let tree = stored.tree(files);
        folders.push(folder(format!("{number:02}").as_bytes(), tree));
    }
    stored.tree(folders)
}

#[test]
fn a_panic_of_any_thread_ends_the_restore_and_leaves_no_temporary_file() {
    let mut stored = Stored::new();
    let tree = folders(&mut stored);
    for (hook, calls) in [
        (Hook::Found, &[0][..]),
        (Hook::DidFile, &[0, 1, 50]),
        (Hook::DidChunk, &[0, 1, 2, 100]),
        (Hook::Filter, &[0, 30]),
        (Hook::Read, &[0, 5, 20, 22, 60]),
    ] {
        for well in calls {
            let panics = Arc::new(Panics { hook, well: AtomicUsize::new(*well) });
            let of_place = Arc::clone(&panics);
            let place = Before::new(Box::new(stored.memory.clone()), move |call| {
                if matches!(call, Call::Read(Name::Of(Kind::Data, _))) {
                    of_place.in_call_of(Hook::Read);
                }
                Ok(())
            });
            stored.repository = Repository::open(Box::new(place), &Password::new("p")).unwrap();
            let filter = |_: &[u8], _: &crate::vault::tree::Node| {
                panics.in_call_of(Hook::Filter);
                Decision::Take
            };
            let (target, options) = (tempfile::tempdir().unwrap(), Options { filter: &filter, ..Options::default() });
            let run = || restore(stored.source(), tree, target.path(), &options, &Cancel::default(), &*panics);
            let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it panics");
            assert_eq!(panic.downcast_ref(), Some(&"as the test wants it"), "{hook:?} {well}");
            let found = listing(target.path());
            assert!(found.iter().all(|path| !path.contains(".strongroom-")), "{hook:?} {well}: {found:?}");
        }
    }
}
