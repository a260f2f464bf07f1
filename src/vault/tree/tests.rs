//! Trees come back as they were, and restic's own are read.

use proptest::prelude::*;

use super::*;

fn time() -> impl Strategy<Value = Time> {
    (-62_000_000_000_i64..253_000_000_000, 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Time { seconds, nanos })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..20)
}

fn content() -> impl Strategy<Value = Content> {
    let id = any::<[u8; 32]>().prop_map(Id);
    prop_oneof![
        (any::<u64>(), proptest::collection::vec(id.clone(), 0..3)).prop_map(|(size_bytes, chunks)| Content::File { size_bytes, chunks }),
        proptest::option::of(id).prop_map(|tree| Content::Folder { tree }),
        bytes().prop_map(|target| Content::Symlink { target }),
        any::<u64>().prop_map(|device| Content::BlockDevice { device }),
        any::<u64>().prop_map(|device| Content::CharDevice { device }),
        Just(Content::Fifo),
        Just(Content::Socket),
    ]
}

prop_compose! {
    fn metadata()(
        mode in 0_u32..0o10000,
        times in [time(), time(), time()],
        owner in any::<(u32, u32)>(),
        names in ["[a-z\"\\\\é]{0,5}", "[a-z]{0,5}"],
        numbers in any::<(u64, u64, u64)>(),
        xattrs in proptest::collection::vec(("[a-z.]{1,9}", bytes()), 0..3),
    ) -> Metadata {
        let [modified, accessed, changed] = times;
        let [user, group] = names;
        let xattrs = xattrs.into_iter().map(|(name, value)| Xattr { name: name.into_bytes(), value }).collect();
        let (inode, device_id, links) = numbers;
        Metadata { mode, modified, accessed, changed, uid: owner.0, gid: owner.1, user, group, inode, device_id, links, xattrs }
    }
}

proptest! {
    #[test]
    fn a_tree_comes_back(nodes in proptest::collection::vec((bytes(), content(), metadata()), 0..5)) {
        let nodes = nodes.into_iter().map(|(name, content, metadata)| Node { name, content, metadata }).collect();
        let tree = Tree { nodes };
        let bytes = tree.to_bytes();
        prop_assert_eq!(Tree::parse(&bytes, &Id::of(&bytes)).unwrap(), tree);
    }
}

#[test]
fn a_tree_of_restic_is_read() {
    let text = br#"{"nodes":[{"name":"a\\x01b\\\"","type":"file","mode":420,"mtime":"2022-05-06T09:28:21.123456789+02:00",
        "atime":"1969-12-31T23:59:59.5Z","ctime":"2022-05-06T07:28:21Z","uid":1000,"gid":1000,"user":"ann","inode":7,"size":3,"links":2,
        "device_id":5,"content":["ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],"unknown":{"a":[1]},
        "extended_attributes":[{"name":"user.x","value":"AAE="},{"name":"user.empty","value":null}]},
        {"name":"l","type":"symlink","mode":134218239,"linktarget":"x","linktarget_raw":"/w==","content":null}]}"#;
    let tree = Tree::parse(text, &Id::of(text)).unwrap();
    let file = &tree.nodes[0];
    assert_eq!((file.name.as_slice(), file.metadata.mode, file.size_bytes()), (&b"a\x01b\""[..], 0o644, 3));
    assert_eq!(file.metadata.modified, Time { seconds: 1_651_822_101, nanos: 123_456_789 });
    assert_eq!(file.metadata.accessed, Time { seconds: -1, nanos: 500_000_000 });
    assert_eq!(file.metadata.xattrs[1], Xattr { name: b"user.empty".to_vec(), value: Vec::new() });
    assert_eq!(tree.nodes[1].content, Content::Symlink { target: vec![0xff] });
    assert_eq!(tree.find(b"l"), Some(&tree.nodes[1]));
    assert_eq!(Tree::parse(br#"{"nodes":null}"#, &Id::of(b"")).unwrap(), Tree::default());
}

#[test]
fn what_is_no_tree_is_damaged() {
    for text in [&b""[..], b"{}x", b"[]", br#"{"nodes":[{"name":"\\q","type":"file"}]}"#, br#"{"nodes":[{"type":"file"}]}"#] {
        assert!(matches!(Tree::parse(text, &Id::of(text)), Err(Error::Damaged { .. })), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn times_beyond_the_format_are_written_as_the_nearest() {
    for (seconds, year) in [(i64::MIN, "\"0000-01-01"), (-70_000_000_000, "\"0000-01-01"), (i64::MAX, "\"9999-12-")] {
        let metadata = Metadata { modified: Time { seconds, nanos: 0 }, ..Metadata::default() };
        let text = Tree { nodes: vec![Node { name: b"x".to_vec(), content: Content::Fifo, metadata }] }.to_bytes();
        assert!(String::from_utf8(text).unwrap().contains(&format!("\"mtime\":{year}")), "{year}");
    }
}
