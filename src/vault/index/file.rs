//! An index file: JSON that names packs and their blobs (`doc/design.rst`, "Indexing").

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::vault::id::Id;
use crate::vault::pack::{BlobKind, PackedBlob};

/// What a pack and a blob take of the text, at most.
const PACK_TEXT_BYTES: usize = 100;
const BLOB_TEXT_BYTES: usize = 180;

/// One pack of an index file.
pub type IndexedPack = (Id, Vec<PackedBlob>);

#[derive(Serialize, Deserialize)]
struct FileJson<'a> {
    #[serde(borrow)]
    packs: Option<Vec<PackJson<'a>>>,
}

#[derive(Serialize, Deserialize)]
struct PackJson<'a> {
    id: Id,
    #[serde(borrow)]
    blobs: Option<Vec<BlobJson<'a>>>,
}

#[derive(Serialize, Deserialize)]
struct BlobJson<'a> {
    id: Id,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    offset: u32,
    length: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uncompressed_length: Option<u32>,
}

pub fn to_bytes(packs: &[IndexedPack]) -> Vec<u8> {
    let blobs: usize = packs.iter().map(|(_, blobs)| blobs.len()).sum();
    let mut bytes = Vec::with_capacity(100 + packs.len() * PACK_TEXT_BYTES + blobs * BLOB_TEXT_BYTES);
    let file = FileJson { packs: Some(packs.iter().map(of_pack).collect()) };
    serde_json::to_writer(&mut bytes, &file).expect("its keys are texts");
    bytes
}

/// The reason where it is no index file.
pub fn parse(bytes: &[u8]) -> Result<Vec<IndexedPack>, String> {
    let file: FileJson<'_> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let pack = |pack: PackJson<'_>| {
        let blobs = pack.blobs.unwrap_or_default().into_iter().map(to_blob).collect::<Result<_, String>>();
        blobs.map(|blobs| (pack.id, blobs))
    };
    file.packs.unwrap_or_default().into_iter().map(pack).collect()
}

fn of_pack((id, blobs): &IndexedPack) -> PackJson<'_> {
    PackJson { id: *id, blobs: Some(blobs.iter().map(of_blob).collect()) }
}

fn of_blob(blob: &PackedBlob) -> BlobJson<'_> {
    let kind = match blob.kind {
        BlobKind::Data => "data",
        BlobKind::Tree => "tree",
    };
    BlobJson { id: blob.id, kind: kind.into(), offset: blob.offset, length: blob.length, uncompressed_length: blob.raw_length }
}

fn to_blob(json: BlobJson<'_>) -> Result<PackedBlob, String> {
    let kind = match &*json.kind {
        "data" => BlobKind::Data,
        "tree" => BlobKind::Tree,
        other => return Err(format!("a blob of the kind {other:?}")),
    };
    // The highest bit of a length is ours, and no pack is that long.
    if json.length >= 1 << 31 || json.offset.checked_add(json.length).is_none() {
        return Err(format!("blob {} is longer than a pack may be", json.id.short()));
    }
    let raw_length = json.uncompressed_length.filter(|length| *length != 0);
    Ok(PackedBlob { kind, id: json.id, offset: json.offset, length: json.length, raw_length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_comes_back() {
        let blob = |name: &[u8], kind, raw_length| PackedBlob { kind, id: Id::of(name), offset: 5, length: 38, raw_length };
        let blobs = vec![blob(b"a", BlobKind::Data, None), blob(b"b", BlobKind::Tree, Some(9))];
        let packs = vec![(Id::of(b"pack"), blobs), (Id::of(b"empty"), Vec::new())];
        assert_eq!(parse(&to_bytes(&packs)), Ok(packs));
    }

    #[test]
    fn the_index_of_the_design_document_is_read() {
        let text = br#"{"supersedes":["ed54ae36197f4745ebc4b54d10e0f623eaaaedd03013eb7ae90df881b7781452"],"packs":[{"id":
            "73d04e6125cf3c28a299cc2f3cca3b78ceac396e4fcf9575e34536b26782413c","blobs":[
            {"id":"3ec79977ef0cf5de7b08cd12b874cd0f62bbaf7f07f3497a5b1bbcc8cb39b1ce","type":"data","offset":0,"length":38,
             "uncompressed_length":26},
            {"id":"9ccb846e60d90d4eb915848add7aa7ea1e4bbabfc60e573db9f7bfb2789afbae","type":"tree","offset":38,"length":112}]}]}"#;
        let packs = parse(text).unwrap();
        assert_eq!((packs.len(), packs[0].1[0].raw_length, packs[0].1[1].kind), (1, Some(26), BlobKind::Tree));
        assert_eq!(parse(br#"{"packs":null}"#), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_index_is_refused() {
        let id = Id::of(b"x").hex();
        let blob = |fields: &str| format!(r#"{{"packs":[{{"id":"{id}","blobs":[{{"id":"{id}",{fields}}}]}}]}}"#);
        for text in [
            String::new(),
            "[]".to_owned(),
            "{}x".to_owned(),
            blob(r#""type":"other","offset":0,"length":1"#),
            blob(r#""type":"data","offset":0,"length":2147483648"#),
            blob(r#""type":"data","offset":4294967295,"length":1"#),
            blob(r#""type":"data","offset":-1,"length":1"#),
            blob(r#""type":"data","length":1"#),
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
