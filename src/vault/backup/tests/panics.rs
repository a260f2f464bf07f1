//! A thread that panics ends the run, with its panic; nobody waits for it for ever.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{check, options, save};
use crate::vault::backend::{Kind, Name};
use crate::vault::backup::{Options, backup};
use crate::vault::cancel::Cancel;
use crate::vault::keys::Password;
use crate::vault::progress::Progress;
use crate::vault::repository::Repository;
use crate::vault::source::select::{Select, Verdict};
use crate::vault::testing::{Before, Call, Vault, bytes};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hook {
    Found,
    DidFile,
    DidChunk,
    Failed,
    Select,
    SavePack,
    SaveIndex,
    Nothing,
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

    fn failed(&self) {
        self.in_call_of(Hook::Failed);
    }
}

impl Select for Panics {
    fn by_path(&self, _: &Path) -> Verdict {
        self.in_call_of(Hook::Select);
        Verdict::Take
    }
}

/// Many small files, two large ones of several packs, and one that is not there.
fn sources(dir: &Path) -> [PathBuf; 2] {
    let source = dir.join("source");
    fs::create_dir(&source).unwrap();
    for number in 0..200 {
        fs::write(source.join(format!("small {number}")), bytes(number, 10_000)).unwrap();
    }
    fs::write(source.join("large"), bytes(1_000, 24 << 20)).unwrap();
    fs::write(source.join("other"), bytes(1_001, 24 << 20)).unwrap();
    [source, dir.join("missing")]
}

fn panics(vault: &Vault, sources: &[PathBuf], hook: Hook, well: usize) -> bool {
    let panics = |hook| Panics { hook, well: AtomicUsize::new(well) };
    let of_place = panics(if matches!(hook, Hook::SavePack | Hook::SaveIndex) { hook } else { Hook::Nothing });
    let backend = Before::new(Box::new(vault.place.clone()), move |call| {
        match call {
            Call::Save(Name::Of(Kind::Data, _)) => of_place.in_call_of(Hook::SavePack),
            Call::Save(Name::Of(Kind::Index, _)) => of_place.in_call_of(Hook::SaveIndex),
            _ => {}
        }
        Ok(())
    });
    let repository = Repository::open(Box::new(backend), &Password::new("secret")).unwrap();
    let of_run = panics(hook);
    let options = Options { select: &of_run, ..options(None) };
    let run = || backup(&repository, vault.index(), sources, &options, &Cancel::default(), &of_run).map(drop);
    let ended = catch_unwind(AssertUnwindSafe(run));
    let panicked = ended.is_err();
    if let Err(panic) = ended {
        assert_eq!(panic.downcast_ref(), Some(&"as the test wants it"), "{hook:?} {well}: the panic is the first one");
    }
    panicked
}

#[test]
fn a_panic_of_any_thread_ends_the_run_and_leaves_a_clean_repository() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path());
    for (hook, calls) in [
        (Hook::Found, &[0, 100][..]),
        (Hook::DidFile, &[0, 100, 201]),
        (Hook::DidChunk, &[0, 5, 20]),
        (Hook::Failed, &[0]),
        (Hook::Select, &[0, 100]),
        (Hook::SavePack, &[0, 1, 2]),
        (Hook::SaveIndex, &[0]),
    ] {
        for well in calls {
            let vault = Vault::new();
            assert!(panics(&vault, &sources, hook, *well), "{hook:?} {well}");
            assert!(vault.place.ids(Kind::Snapshot).is_empty());
            check(&vault);
        }
    }
    let vault = Vault::new();
    assert!(!panics(&vault, &sources, Hook::Nothing, 0));
    assert_eq!(save(&vault, &sources[0], None).count.chunks_added, 0, "the other runs would have been whole");
}
