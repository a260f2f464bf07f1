//! What the fuzz targets of the vault's files do with their input: whatever somebody puts into a repository must not make a parser
//! panic, and what is accepted must come back as it was read.

use strongroom::vault::crypto::{KeyBytes, Sealer};
use strongroom::vault::id::Id;
use strongroom::vault::index::file;
use strongroom::vault::keys::KeyFile;
use strongroom::vault::pack::{header_bytes, parse_header};
use strongroom::vault::snapshot::Snapshot;
use strongroom::vault::tree::Tree;

/// The end of a pack as it lies there, and the entries of a header that somebody sealed with the right key.
pub fn pack_header(data: &[u8]) {
    let sealer = Sealer::new(&KeyBytes::from_bytes(&[7; 64]));
    assert!(parse_header(data, data.len() as u64, &sealer).is_err(), "nobody guesses a MAC");
    let mut end = sealer.seal(data);
    let length = u32::try_from(end.len()).expect("inputs are short");
    end.extend_from_slice(&length.to_le_bytes());
    // The first entries may be of any length; so the pack is as long as they say.
    for before in [0, 1, 100, u64::from(u32::MAX)] {
        let pack_bytes = before + end.len() as u64;
        if let Ok(blobs) = parse_header(&end, pack_bytes, &sealer) {
            assert_eq!(blobs.iter().map(|blob| u64::from(blob.length)).sum::<u64>(), before);
            let again = header_bytes(&blobs, &sealer);
            assert_eq!(parse_header(&again, before + again.len() as u64, &sealer), Ok(blobs));
        }
    }
}

/// A folder.
pub fn tree(data: &[u8]) {
    if let Ok(tree) = Tree::parse(data, &Id::of(data)) {
        let bytes = tree.to_bytes();
        let again = Tree::parse(&bytes, &Id::of(&bytes)).expect("what we write we read");
        assert_eq!(again.to_bytes(), bytes);
        assert_eq!(again.nodes.len(), tree.nodes.len());
        for (one, two) in tree.nodes.iter().zip(&again.nodes) {
            assert_eq!((&one.name, &one.content), (&two.name, &two.content));
            let _ = tree.find(&one.name).expect("it is there");
        }
    }
}

pub fn snapshot(data: &[u8]) {
    if let Ok(snapshot) = Snapshot::parse(data, &Id::of(data)) {
        let _ = snapshot.at();
        let bytes = snapshot.to_bytes();
        assert_eq!(Snapshot::parse(&bytes, &Id::of(&bytes)).expect("what we write we read"), snapshot);
    }
}

pub fn index(data: &[u8]) {
    if let Ok(packs) = file::parse(data) {
        assert_eq!(file::parse(&file::to_bytes(&packs)), Ok(packs));
    }
}

/// A key file as anybody can put one there; no password is tried.
pub fn key(data: &[u8]) {
    if let Ok(key) = KeyFile::parse(data, &Id::of(data)) {
        let bytes = key.to_bytes();
        let again = KeyFile::parse(&bytes, &Id::of(&bytes)).expect("what we write we read");
        assert_eq!(again.to_bytes(), bytes);
    }
}
