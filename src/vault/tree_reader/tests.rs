//! What is asked of the place, and what comes of trees that lie badly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::vault::keys::Password;
use crate::vault::parallel::for_each;
use crate::vault::testing::{Before, Call, Vault, bytes, file};

fn tree(number: u64) -> Vec<u8> {
    Tree { nodes: vec![file(&format!("file {number}"), &[Id::of(&number.to_le_bytes())])] }.to_bytes()
}

/// Stores trees in one pack; their ids.
fn store(vault: &Vault, trees: &[Vec<u8>]) -> Vec<Id> {
    let pack = vault.pack(BlobKind::Tree, &trees.iter().map(Vec::as_slice).collect::<Vec<_>>());
    vault.repository.save_index(&[pack]).unwrap();
    trees.iter().map(|bytes| Id::of(bytes)).collect()
}

/// What was asked of packs.
#[derive(Default)]
struct Asked {
    reads: AtomicUsize,
    sizes: AtomicUsize,
}

impl Asked {
    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

/// The vault opened by somebody who counts; `happens` is told which read of a pack it is, from zero on.
fn counted(vault: &Vault, happens: impl Fn(usize) -> Result<(), Error> + Send + 'static) -> (Repository, Arc<Asked>) {
    let asked = Arc::new(Asked::default());
    let counter = Arc::clone(&asked);
    let before = Before::new(Box::new(vault.place.clone()), move |call| match call {
        Call::Read(Name::Of(Kind::Data, _)) => happens(counter.reads.fetch_add(1, Ordering::SeqCst)),
        Call::SizeBytes(Name::Of(Kind::Data, _)) => {
            counter.sizes.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
        _ => Ok(()),
    });
    (Repository::open(Box::new(before), &Password::new("secret")).unwrap(), asked)
}

#[test]
fn many_threads_read_each_block_once() {
    let vault = Vault::new();
    let trees: Vec<_> = (0..2_000).map(tree).collect();
    let ids = [store(&vault, &trees[..1_500]), store(&vault, &trees[1_500..])].concat();
    let (repository, asked) = counted(&vault, |_| Ok(()));
    let index = repository.load_index(&crate::vault::cancel::Cancel::default()).unwrap().index;
    let largest = index.iter().map(|place| u64::from(place.blob.offset + place.blob.length)).max().unwrap();
    let reader = TreeReader::with(&repository, largest / 6, SPARE_BYTES);
    for_each(&(0..2_000).collect::<Vec<_>>(), 8, |number: &usize| {
        assert_eq!(reader.read_tree(&index, ids[*number])?.to_bytes(), trees[*number]);
        Ok(())
    })
    .unwrap();
    // One pack has 6 blocks and some bytes more, the other one three; the first tree of each comes alone.
    assert!((10..=12).contains(&asked.reads()), "{} reads of 2,000 trees in two packs", asked.reads());
}

#[test]
fn trees_that_lie_far_apart_are_soon_read_for_themselves() {
    let vault = Vault::new();
    let chunks = |number: u64| (0..1_000).map(move |chunk: u64| Id::of(&bytes(number * 1_000 + chunk, 8))).collect::<Vec<_>>();
    let filler = |number| Tree { nodes: vec![file("large", &chunks(number))] }.to_bytes();
    let stored: Vec<Vec<Id>> = (0..64).map(|number| store(&vault, &[tree(number), filler(number), tree(number + 64)])).collect();
    let ids: Vec<Id> = stored.iter().map(|ids| ids[0]).chain(stored.iter().map(|ids| ids[2])).collect();
    let (repository, asked) = counted(&vault, |_| Ok(()));
    let index = repository.load_index(&crate::vault::cancel::Cancel::default()).unwrap().index;
    let (block, spare) = (1 << 20, 8 << 10);
    let reader = TreeReader::with(&repository, block, spare);
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(reader.read_tree(&index, *id).unwrap().to_bytes(), tree(number as u64));
    }
    let state = reader.lock();
    assert!(state.bytes_read > spare, "they were tried");
    let most = spare + WASTE * state.bytes_used + (64 << 10);
    assert!(state.bytes_read <= most, "{} bytes read of {} used", state.bytes_read, state.bytes_used);
    assert_eq!(asked.reads(), 128, "one by one, or each from its block");
}

#[test]
fn the_only_tree_of_a_pack_that_is_wanted_costs_one_question() {
    let vault = Vault::new();
    let ids = store(&vault, &(0..500).map(tree).collect::<Vec<_>>());
    let (repository, asked) = counted(&vault, |_| Ok(()));
    let reader = TreeReader::new(&repository);
    assert_eq!(reader.read_tree(&vault.index(), ids[300]).unwrap().to_bytes(), tree(300));
    assert_eq!((asked.reads(), asked.sizes.load(Ordering::SeqCst)), (1, 0));
}

#[test]
fn a_tree_that_is_damaged_at_one_place_is_read_from_another() {
    let vault = Vault::new();
    let wanted = tree(7);
    let id = Id::of(&wanted);
    store(&vault, &[wanted.clone(), tree(1)]);
    store(&vault, &[tree(2), wanted.clone()]);
    let first = vault.index().find(BlobKind::Tree, id).unwrap();
    vault.place.change(Name::Of(Kind::Data, first.pack), |pack| pack[first.blob.offset as usize + 20] ^= 1);
    let reader = TreeReader::new(&vault.repository);
    assert!(reader.read(&first).is_err());
    assert_eq!(reader.read_tree(&vault.index(), id).unwrap().to_bytes(), wanted);
}

#[test]
fn a_block_that_could_not_be_read_is_tried_again_and_an_absent_place_is_not_asked_twice() {
    let vault = Vault::new();
    let id = store(&vault, &[tree(1)])[0];
    let away = || Err(Error::Unavailable { doing: "reading".to_owned(), source: "no answer".into() });
    let (repository, asked) = counted(&vault, move |read| if read == 0 { away() } else { Ok(()) });
    let index = vault.index();
    let reader = TreeReader::new(&repository);
    assert!(matches!(reader.read_tree(&index, id), Err(Error::Unavailable { .. })));
    assert_eq!(asked.reads(), 1);
    assert_eq!(reader.read_tree(&index, id).unwrap().to_bytes(), tree(1));
    // A sector that cannot be read may lie elsewhere in the block.
    let bad = || {
        let source = std::io::Error::from(rustix::io::Errno::IO);
        Err(Error::Unavailable { doing: "reading".to_owned(), source: source.into() })
    };
    let (repository, asked) = counted(&vault, move |read| if read == 0 { bad() } else { Ok(()) });
    assert_eq!(TreeReader::new(&repository).read_tree(&index, id).unwrap().to_bytes(), tree(1));
    assert_eq!(asked.reads(), 2);
}
