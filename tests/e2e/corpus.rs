//! What the fuzzer has been fed and has found, once more: every input of `fuzz/corpus` through the body of its target.

use std::path::Path;

#[path = "../../fuzz/bodies.rs"]
mod bodies;
#[path = "../../fuzz/vault_bodies.rs"]
mod vault_bodies;

use crate::support::figure::figure;
use crate::support::tree::files_below;

type Body = fn(&[u8]);

#[test]
fn every_input_of_the_corpus_holds() {
    let targets: [(&str, Body); 10] = [
        ("file_name", bodies::file_name),
        ("range", bodies::range),
        ("basic", bodies::basic),
        ("content_length", bodies::length),
        ("access_url", bodies::access_url),
        ("vault_pack_header", vault_bodies::pack_header),
        ("vault_tree", vault_bodies::tree),
        ("vault_snapshot", vault_bodies::snapshot),
        ("vault_index", vault_bodies::index),
        ("vault_key", vault_bodies::key),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let built = files_below(&root.join("fuzz_targets"));
    assert_eq!(built.len(), targets.len(), "a fuzz target is not replayed: {built:?}");
    let mut counts = Vec::new();
    for (name, body) in targets {
        let inputs = files_below(&root.join("corpus").join(name));
        assert!(inputs.len() >= 15, "{name} has a corpus");
        for input in &inputs {
            let bytes = std::fs::read(input).expect("an input is read");
            let held = std::panic::catch_unwind(|| body(&bytes));
            assert!(held.is_ok(), "{} breaks its target: {bytes:?}", input.display());
        }
        counts.push(format!("{name} {}", inputs.len()));
    }
    figure("S7", "fuzz corpus", &format!("inputs replayed: {}; 0 broke their target", counts.join(", ")), None);
}
